//! When an object came to this management cluster.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use tokio::time::Instant;

/// When the object was created, on the clock of this process. Until then controllers of another
/// management cluster may have worked for it, so that an older list may miss what they made.
pub fn of(meta: &ObjectMeta) -> Instant {
    at(meta.creation_timestamp.as_ref())
}

/// When the end of the object began. Until then its workload may have made things of its own, such
/// as the subports of a trunk.
pub fn of_end(meta: &ObjectMeta) -> Instant {
    at(meta.deletion_timestamp.as_ref())
}

fn at(time: Option<&Time>) -> Instant {
    let age = time.map(|time| Timestamp::now().duration_since(time.0));
    // A clock that is ahead of ours says that it comes from the future.
    let age = age.and_then(|age| age.try_into().ok()).unwrap_or_default();
    let now = Instant::now();
    now.checked_sub(age).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use jiff::SignedDuration;

    #[test]
    fn an_object_arrives_when_it_is_created() {
        let now = Instant::now();
        let created = |age: i64| ObjectMeta {
            creation_timestamp: Some(Time(Timestamp::now() - SignedDuration::from_secs(age))),
            ..ObjectMeta::default()
        };
        let age = now.saturating_duration_since(of(&created(60)));
        assert!(age > Duration::from_secs(55) && age < Duration::from_secs(65));
        assert!(of(&created(-60)) >= now);
    }
}
