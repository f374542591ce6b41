//! Parts in the order of what they need; those that do not need each other side by side.

use std::{collections::BTreeSet, sync::mpsc, thread};

use anyhow::{Result, anyhow, bail};

use crate::part::Part;

/// The parts called `wanted` (all if none is named) and everything they need, each after its needs.
///
/// # Errors
/// A name that no part has.
pub fn select(parts: Vec<Box<dyn Part>>, wanted: &[String]) -> Result<Vec<Box<dyn Part>>> {
    let known: Vec<_> = parts.iter().map(|p| p.name()).collect();
    if let Some(unknown) = wanted.iter().find(|w| !known.contains(&w.as_str())) {
        bail!(
            "no part is called {unknown}; there are {}",
            known.join(", ")
        );
    }
    let mut chosen: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
    if chosen.is_empty() {
        chosen.extend(&known);
    }
    loop {
        let needs = parts
            .iter()
            .filter(|p| chosen.contains(p.name()))
            .flat_map(|p| p.needs());
        let more: BTreeSet<&str> = needs.copied().filter(|n| !chosen.contains(n)).collect();
        if more.is_empty() {
            break;
        }
        chosen.extend(more);
    }
    let chosen: BTreeSet<String> = chosen.into_iter().map(str::to_owned).collect();
    Ok(parts
        .into_iter()
        .filter(|p| chosen.contains(p.name()))
        .collect())
}

/// Which way the needs are followed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// A part after what it needs.
    Up,
    /// A part before what it needs.
    Down,
    /// All at once.
    Any,
}

/// Does `work` for each part on a thread of its own, as soon as those before it are done.
///
/// # Errors
/// What the first failing part said, named; parts that come after it are not begun when going up.
pub fn each(
    parts: &[Box<dyn Part>],
    direction: Direction,
    work: impl Fn(&dyn Part) -> Result<()> + Sync,
) -> Result<()> {
    let (done, finished) = mpsc::channel();
    let mut waiting: Vec<&dyn Part> = parts.iter().map(Box::as_ref).collect();
    let mut open: BTreeSet<&str> = waiting.iter().map(|p| p.name()).collect();
    let mut failures = Vec::new();
    thread::scope(|scope| {
        let mut running = 0;
        loop {
            let blocked = |p: &&dyn Part| match direction {
                Direction::Up => p.needs().iter().any(|n| open.contains(n)),
                Direction::Down => parts
                    .iter()
                    .any(|other| open.contains(other.name()) && other.needs().contains(&p.name())),
                Direction::Any => false,
            };
            let (later, now): (Vec<_>, Vec<_>) = waiting.drain(..).partition(blocked);
            waiting = later;
            for part in now {
                let (done, work) = (done.clone(), &work);
                running += 1;
                scope.spawn(move || done.send((part.name(), work(part))));
            }
            if running == 0 {
                break;
            }
            let Ok((name, result)) = finished.recv() else {
                break;
            };
            running -= 1;
            let failed = result.is_err();
            failures.extend(result.err().map(|e| anyhow!("{name}: {e:#}")));
            // What needs a failed part stays blocked; on the way down everything gets its turn.
            if !failed || direction != Direction::Up {
                open.remove(name);
            }
        }
    });
    match failures.len() {
        0 if waiting.is_empty() => Ok(()),
        0 => bail!("parts need each other in a circle"),
        1 => Err(failures.remove(0)),
        _ => bail!(
            "{}",
            failures
                .iter()
                .map(|e| format!("{e:#}"))
                .collect::<Vec<_>>()
                .join("\n")
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::lab::Lab;

    struct Named(&'static str, &'static [&'static str]);

    impl Part for Named {
        fn name(&self) -> &'static str {
            self.0
        }
        fn needs(&self) -> &'static [&'static str] {
            self.1
        }
        fn prepare(&self, _: &Lab) -> Result<()> {
            Ok(())
        }
        fn up(&self, _: &Lab) -> Result<()> {
            Ok(())
        }
        fn address(&self, _: &Lab) -> Option<String> {
            None
        }
        fn check(&self, _: &Lab) -> Result<()> {
            Ok(())
        }
        fn down(&self, _: &Lab) -> Result<()> {
            Ok(())
        }
    }

    fn parts() -> Vec<Box<dyn Part>> {
        vec![
            Box::new(Named("top", &["left", "base"])),
            Box::new(Named("left", &["base"])),
            Box::new(Named("base", &[])),
        ]
    }

    fn order(direction: Direction, fails: &str) -> (Vec<String>, Result<()>) {
        let seen = Mutex::new(vec![]);
        let result = each(&parts(), direction, |p| {
            seen.lock().unwrap().push(p.name().to_owned());
            if p.name() == fails {
                bail!("broken")
            } else {
                Ok(())
            }
        });
        (seen.into_inner().unwrap(), result)
    }

    #[test]
    fn needs_come_first_and_go_last() {
        assert_eq!(order(Direction::Up, "").0, ["base", "left", "top"]);
        assert_eq!(order(Direction::Down, "").0, ["top", "left", "base"]);
    }

    #[test]
    fn a_failure_stops_the_way_up_but_not_the_way_down() {
        let (seen, result) = order(Direction::Up, "left");
        assert_eq!(seen, ["base", "left"]);
        assert_eq!(result.unwrap_err().to_string(), "left: broken");
        assert_eq!(order(Direction::Down, "left").0.len(), 3);
    }

    #[test]
    fn wanted_parts_bring_what_they_need() {
        let names = |wanted: &[&str]| -> Result<Vec<_>> {
            let wanted: Vec<_> = wanted.iter().map(|w| w.to_string()).collect();
            Ok(select(parts(), &wanted)?.iter().map(|p| p.name()).collect())
        };
        assert_eq!(names(&["left"]).unwrap(), ["left", "base"]);
        assert_eq!(names(&[]).unwrap().len(), 3);
        assert!(
            names(&["lift"])
                .unwrap_err()
                .to_string()
                .contains("top, left, base")
        );
    }
}
