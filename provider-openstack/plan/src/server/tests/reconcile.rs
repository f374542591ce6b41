//! Reconciles against the model, with and without faults.

use crds::openstack::v1alpha1::OpenStackServerStatus;
use jiff::Timestamp;

use super::model::Model;
use crate::server::{Action, Want, plan};
use crate::step::Step;

/// What may go wrong with one step.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    None,
    /// Only so many of the actions are done.
    Crash(usize),
    /// The status that was to be published is lost, and so is all that was published before.
    LoseStatus,
    /// A create whose answer was lost lands only after it was repeated.
    Twice,
}

/// One reconcile; returns the step.
pub fn reconcile(model: &mut Model, want: &mut Want, fault: Fault) -> Step<Action> {
    let decision = plan(want, &model.seen(), Timestamp::UNIX_EPOCH);
    if let Step::Do(actions) = &decision.step {
        assert!(!actions.is_empty());
        let most = if let Fault::Crash(most) = fault {
            most
        } else {
            usize::MAX
        };
        let mut order: Vec<&Action> = actions.iter().take(most).collect();
        // They run side by side, so any order must do. Creation keeps it for who counts ports.
        if want.deleting {
            order.reverse();
        }
        for action in order {
            model.apply(action);
        }
        let create = |a: &&Action| matches!(a, Action::CreatePort(_) | Action::CreateServer(_));
        if let (Fault::Twice, Some(action)) = (fault, actions.iter().find(create)) {
            model.apply(action);
        }
    }
    match fault {
        // A server that was seen and whose recording is lost may not be made again, and is not:
        // it is found by its mark.
        Fault::LoseStatus => want.status = OpenStackServerStatus::default(),
        Fault::Crash(_) => {}
        Fault::None | Fault::Twice => want.status = decision.status,
    }
    decision.step
}

/// Reconciles without faults until nothing is left to do.
pub fn settle(model: &mut Model, want: &mut Want) -> Step<Action> {
    for _ in 0..40 {
        match reconcile(model, want, Fault::None) {
            Step::Do(_) => {}
            Step::Wait(_) => model.tick(),
            end => return end,
        }
    }
    panic!("does not settle: {model:?}")
}
