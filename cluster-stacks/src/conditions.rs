//! Conditions with a severity, and the `Ready` that sums them up: any that is False wins, the
//! worst first, as in Cluster API's v1beta1 contract.

use crds::stacks::conditions::{Condition, ConditionType, Reason, Severity};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// The conditions of an object while a reconcile works on them.
pub struct Conditions {
    before: Vec<Condition>,
    now: Vec<Condition>,
    time: Time,
}

impl Conditions {
    /// Starts from what the object says; only what is said anew stays.
    pub fn new(before: &[Condition], time: Timestamp) -> Self {
        Self {
            before: before.to_vec(),
            now: Vec::new(),
            time: Time(time),
        }
    }

    /// It holds.
    pub fn holds(&mut self, type_: ConditionType) {
        self.put(type_.as_str(), "True", "", "", String::new());
    }

    /// It does not hold.
    pub fn fails(
        &mut self,
        type_: ConditionType,
        severity: Severity,
        reason: Reason,
        message: impl Into<String>,
    ) {
        self.put(
            type_.as_str(),
            "False",
            severity.as_str(),
            reason.as_str(),
            message.into(),
        );
    }

    /// All conditions, with the summary.
    pub fn finish(mut self) -> Vec<Condition> {
        let rank = |condition: &&Condition| match condition.severity.as_str() {
            "Error" => 0,
            "Warning" => 1,
            _ => 2,
        };
        let worst = self
            .now
            .iter()
            .filter(|condition| condition.status == "False")
            .min_by_key(rank)
            .cloned();
        match worst {
            None => self.holds(ConditionType::Ready),
            Some(worst) => {
                self.put(
                    ConditionType::Ready.as_str(),
                    "False",
                    &worst.severity,
                    &worst.reason,
                    worst.message,
                );
            }
        }
        self.now.sort_by(|a, b| a.type_.cmp(&b.type_));
        self.now
    }

    fn put(&mut self, type_: &str, status: &str, severity: &str, reason: &str, message: String) {
        let since = self
            .before
            .iter()
            .find(|old| old.type_ == type_ && old.status == status);
        let last_transition_time =
            since.map_or_else(|| self.time.clone(), |old| old.last_transition_time.clone());
        self.now.retain(|condition| condition.type_ != type_);
        self.now.push(Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            severity: severity.to_owned(),
            last_transition_time,
            reason: reason.to_owned(),
            message,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn the_worst_condition_is_the_summary_and_times_move_with_the_status() {
        let mut first = Conditions::new(&[], at(1));
        first.holds(ConditionType::ReleasesSynced);
        first.fails(
            ConditionType::HelmChartApplied,
            Severity::Info,
            Reason::ObjectsApplyingOngoing,
            "busy",
        );
        first.fails(
            ConditionType::ClusterReady,
            Severity::Error,
            Reason::ControlPlaneNotReady,
            "gone",
        );
        let first = first.finish();
        let ready = first
            .iter()
            .find(|condition| condition.type_ == "Ready")
            .expect("ready");
        assert_eq!(
            (ready.status.as_str(), ready.message.as_str()),
            ("False", "gone")
        );

        let mut second = Conditions::new(&first, at(2));
        second.holds(ConditionType::ReleasesSynced);
        second.holds(ConditionType::ClusterReady);
        let second = second.finish();
        let times: Vec<i64> = second
            .iter()
            .map(|condition| condition.last_transition_time.0.as_second())
            .collect();
        let types: Vec<&str> = second
            .iter()
            .map(|condition| condition.type_.as_str())
            .collect();
        assert_eq!(types, ["ClusterReady", "Ready", "ReleasesSynced"]);
        assert_eq!(times, [2, 2, 1]);
    }
}
