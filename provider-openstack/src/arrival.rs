//! When an object came to this management cluster.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tokio::time::Instant;

/// When the object was created, on the clock of this process. Until then controllers of another
/// management cluster may have worked for it, so that an older list may miss what they made.
pub fn of(meta: &ObjectMeta) -> Instant {
    let created = meta.creation_timestamp.as_ref();
    let age = created.map(|created| Timestamp::now().duration_since(created.0));
    // A clock that is ahead of ours says that it comes from the future.
    let age = age.and_then(|age| age.try_into().ok()).unwrap_or_default();
    let now = Instant::now();
    now.checked_sub(age).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::SignedDuration;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

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
