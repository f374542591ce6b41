use crds::openstack::v1alpha1::OpenStackServer;

use super::model::{Model, active, settle, want};
use crate::machine::Ingress;
use crate::step::Step;

#[test]
fn a_server_object_of_somebody_else_is_neither_used_nor_touched() {
    let (mut model, mut want) = (Model::new(), want(Ingress::None));
    want.watch_filter = Some("ours".into());
    let mut other = OpenStackServer::new("m", Default::default());
    other.status = Some(active());
    model.server = Some(other.clone());
    let Step::Blocked(problem) = settle(&mut model, &mut want) else {
        panic!("it is not the machine's");
    };
    assert_eq!(
        (problem.field.as_str(), problem.value.as_str()),
        ("metadata.name", "m")
    );
    assert_eq!(
        (&want.spec.provider_id, &want.status.initialization),
        (&None, &None)
    );
    let ready = want
        .status
        .conditions
        .iter()
        .find(|said| said.type_ == "Ready");
    assert_eq!(ready.expect("said").status, "False");
    want.deleting = true;
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert_eq!(model.server, Some(other));
}
