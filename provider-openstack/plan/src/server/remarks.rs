//! What people should know of a server beside its conditions.

use super::{Seen, Want};
use crate::names;

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Something is wrong.
    pub warning: bool,
    /// As CAPO's reaches the API server: what goes through its recorder becomes a title of one word.
    pub reason: &'static str,
    pub text: String,
}

/// What CAPO remarks, and when it does.
#[must_use]
pub fn remarks(want: &Want, seen: &Seen) -> Vec<Remark> {
    namesakes(want, seen)
        .into_iter()
        .chain(unanswered(want, seen))
        .collect()
}

/// Which of several servers is meant matters as long as none is recorded.
fn namesakes(want: &Want, seen: &Seen) -> Option<Remark> {
    let named = seen
        .servers
        .iter()
        .filter(|server| server.name == want.name);
    let ids: Vec<&str> = named.map(|server| server.id.as_str()).collect();
    let doubtful = want.status.instance_id.is_none() && ids.len() > 1;
    doubtful.then(|| Remark {
        warning: true,
        reason: "Duplicateservernames",
        text: format!(
            "{} servers of this project have the name {} ({}): only one that is shown to be of this object is used",
            ids.len(),
            want.name,
            ids.join(", ")
        ),
    })
}

fn unanswered(want: &Want, seen: &Seen) -> Option<Remark> {
    let claim = seen.claim.as_ref().filter(|_| !want.deleting)?;
    claim.address.is_none().then(|| Remark {
        warning: false,
        reason: "WaitingForIPAddressClaim",
        text: format!(
            "waiting for IPAddressClaim {}/{} to be answered",
            want.namespace,
            names::floating_ip_claim(&want.name)
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Claim;
    use crate::server::tests::want::{Shape, want};
    use crate::world::Server;

    fn reasons(want: &Want, seen: &Seen) -> Vec<(&'static str, bool)> {
        let all = remarks(want, seen);
        all.iter().map(|one| (one.reason, one.warning)).collect()
    }

    #[test]
    fn servers_of_one_name_are_remarked_until_one_is_recorded() {
        let mut want = want(&Shape::default());
        let server = |id: &str, name: &str| Server {
            id: id.into(),
            name: name.into(),
            ..Server::default()
        };
        let mut seen = Seen {
            servers: vec![server("1", "m"), server("2", "holds-a-port")],
            ..Seen::default()
        };
        assert_eq!(reasons(&want, &seen), []);
        seen.servers.push(server("3", "m"));
        assert_eq!(reasons(&want, &seen), [("Duplicateservernames", true)]);
        let text = &remarks(&want, &seen)[0].text;
        assert!(
            text.starts_with("2 servers") && text.contains("(1, 3)"),
            "{text}"
        );
        want.status.instance_id = Some("1".into());
        assert_eq!(reasons(&want, &seen), []);
    }

    #[test]
    fn a_claim_is_waited_for_until_it_is_answered() {
        let mut want = want(&Shape {
            pool: true,
            ..Shape::default()
        });
        let mut seen = Seen::default();
        assert_eq!(reasons(&want, &seen), [], "it is made first");
        let mut claim = Claim {
            held: true,
            address: None,
        };
        seen.claim = Some(claim.clone());
        let waits = ("WaitingForIPAddressClaim", false);
        assert_eq!(reasons(&want, &seen), [waits]);
        claim.address = Some("192.0.2.9".into());
        seen.claim = Some(claim);
        assert_eq!(reasons(&want, &seen), []);
        (want.deleting, seen.claim) = (true, Some(Claim::default()));
        assert_eq!(reasons(&want, &seen), []);
    }
}
