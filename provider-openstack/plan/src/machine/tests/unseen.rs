//! A machine whose server nobody can look at.

use crds::openstack::conditions::{ConditionType, Reason};

use super::model::{Model, NOW, behind_load_balancer, settle, want};
use crate::conditions::{self, New};
use crate::machine::{Ingress, Want, plan};

const LOGIN: &str = ConditionType::OpenStackAuthenticationSucceeded.as_str();
const INSTANCE: &str = ConditionType::InstanceReady.as_str();
const REFUSED: &str = Reason::OpenStackAuthenticationFailed.as_str();

/// Status and reason of `InstanceReady` and `Ready` when the server object says this.
fn says(model: &Model, want: &Want, said: [New<'_>; 2]) -> [(String, String); 2] {
    let mut seen = model.seen();
    let server = seen.server.as_mut().expect("an object");
    let status = server.status.as_mut().expect("a status");
    for said in said {
        conditions::set(&mut status.conditions, said, None, NOW);
    }
    let conditions = plan(want, &seen, NOW).status.status.conditions;
    [INSTANCE, "Ready"].map(|type_| {
        let mut all = conditions.iter();
        let said = all.find(|said| said.type_ == type_).expect("said");
        (said.status.clone(), said.reason.clone())
    })
}

#[test]
fn it_is_ready_no_more_but_has_not_stopped_to_run() {
    for ingress in [Ingress::None, behind_load_balancer()] {
        let (mut model, mut want) = (Model::new(), want(ingress));
        settle(&mut model, &mut want);
        let refused = || New::not(LOGIN, REFUSED, "log in");
        let all = |status: &str, reason: &str| [(); 2].map(|()| (status.into(), reason.into()));
        let unseen = New::unknown(INSTANCE, REFUSED, "log in");
        let said = says(&model, &want, [refused(), unseen]);
        assert_eq!(said, all("Unknown", REFUSED));
        // Keystone is away for a moment: the server's controller leaves it as it was.
        let said = says(&model, &want, [refused(), New::ready(INSTANCE)]);
        assert_eq!(said, all("True", "Ready"));
    }
}
