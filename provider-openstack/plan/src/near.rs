//! What somebody may have meant by a name that does not exist.

/// How many names a hint lists at most.
const MOST: usize = 3;

/// A hint such as `did you mean a or b?`; without a similar name, a list of what there is.
pub fn hint<'a>(name: &str, kind: &str, existing: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<(usize, &str)> = existing
        .into_iter()
        .filter(|existing| !existing.is_empty())
        .map(|existing| (distance(name, existing), existing))
        .collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return format!("this project sees no {kind} at all");
    }
    let near: Vec<&str> = names
        .iter()
        .filter(|(distance, _)| *distance <= name.chars().count().max(6) / 3)
        .map(|(_, name)| *name)
        .take(MOST)
        .collect();
    if !near.is_empty() {
        return format!("did you mean {}?", near.join(" or "));
    }
    let more = names.len().saturating_sub(MOST);
    let some: Vec<&str> = names.iter().map(|(_, name)| *name).take(MOST).collect();
    let rest = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("there are {}{rest}", some.join(", "))
}

/// Levenshtein's distance, without regard to case.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_names_are_offered_first() {
        let flavors = ["SCS-2V-4", "SCS-2V-4-20s", "SCS-16V-64", "m1.tiny"];
        assert_eq!(
            hint("SCS-2V-4-20", "flavor", flavors),
            "did you mean SCS-2V-4-20s or SCS-2V-4?"
        );
        assert_eq!(
            hint("x", "flavor", ["aaaaaaa", "bbbbbbbb"]),
            "there are aaaaaaa, bbbbbbbb"
        );
        assert_eq!(
            hint("x", "flavor", []),
            "this project sees no flavor at all"
        );
        let many: Vec<String> = (0..8).map(|n| format!("quite-another-{n}")).collect();
        assert!(hint("x", "image", many.iter().map(String::as_str)).ends_with("and 5 more"));
    }

    #[test]
    fn distances() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("SCS", "scs"), 0);
    }
}
