use proptest::prelude::*;

use super::model::{Model, behind_load_balancer, reconcile, settle, want};
use crate::machine::Ingress;
use crate::step::Step;

fn ingresses() -> impl Strategy<Value = Ingress> {
    prop_oneof![
        Just(Ingress::None),
        Just(behind_load_balancer()),
        Just(Ingress::FloatingIp {
            address: "192.0.2.1".into()
        }),
    ]
}

/// How many actions are done, whether the status is published, whether time passes.
fn faults() -> impl Strategy<Value = Vec<(usize, bool, bool)>> {
    prop::collection::vec((0..2usize, any::<bool>(), any::<bool>()), 0..12)
}

proptest! {
    /// However it is interrupted, the machine gets one server object and one member for each port,
    /// then rests, and in the end leaves only what others own.
    #[test]
    fn it_converges_and_goes_without_a_trace(
        ingress in ingresses(),
        create in faults(),
        delete in faults(),
        whole_cluster in any::<bool>(),
    ) {
        let mut model = Model::new();
        let foreign = model.around.members.clone();
        let mut want = want(ingress);
        for (most, publish, tick) in create {
            reconcile(&mut model, &mut want, most, publish);
            if tick {
                model.tick();
            }
        }
        prop_assert_eq!(settle(&mut model, &mut want), Step::Done);
        prop_assert_eq!(model.created, 1);
        prop_assert_eq!(want.spec.provider_id.as_deref(), Some("openstack:///server"));
        let members = model.around.members.len() - foreign.len();
        let behind_lb = matches!(want.cluster.ingress, Ingress::LoadBalancer { .. });
        prop_assert_eq!(members, if behind_lb { 2 } else { 0 });
        let attached = model.around.floating_ips[0].port_id.is_some();
        prop_assert_eq!(attached, matches!(want.cluster.ingress, Ingress::FloatingIp { .. }));
        let idle = want.clone();
        prop_assert_eq!(reconcile(&mut model, &mut want, 9, true), Step::Done);
        prop_assert_eq!(&want, &idle);

        want.deleting = true;
        want.cluster.deleting = whole_cluster;
        for (most, publish, tick) in delete {
            reconcile(&mut model, &mut want, most, publish);
            if tick {
                model.tick();
            }
        }
        prop_assert_eq!(settle(&mut model, &mut want), Step::Done);
        prop_assert!(model.server.is_none());
        prop_assert_eq!(model.around.floating_ips.len(), 1);
        if !whole_cluster {
            prop_assert_eq!(&model.around.members, &foreign);
            prop_assert_eq!(model.around.floating_ips[0].port_id.as_ref(), None);
        }
    }
}
