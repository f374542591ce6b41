use proptest::prelude::*;

use super::model::Model;
use super::reconcile::{Fault, reconcile, settle};
use super::want::{Shape, want};
use crate::step::Step;

fn shapes() -> impl Strategy<Value = Shape> {
    (1..4usize, any::<[bool; 5]>()).prop_map(
        |(ports, [tagged, root_volume, data_volume, trunk, pool])| Shape {
            ports,
            tagged,
            root_volume,
            data_volume,
            trunk,
            pool,
        },
    )
}

fn faults() -> impl Strategy<Value = Vec<(Fault, bool)>> {
    let fault = prop_oneof![
        Just(Fault::None),
        (0..4usize).prop_map(Fault::Crash),
        Just(Fault::LoseStatus),
        Just(Fault::Twice),
    ];
    prop::collection::vec((fault, any::<bool>()), 0..16)
}

proptest! {
    /// Whatever goes wrong on the way: one server on the ports that were asked for, nothing twice,
    /// nobody else's touched; then nothing to do; and in the end nothing left.
    #[test]
    fn it_converges_and_goes_without_a_trace(
        shape in shapes(),
        create in faults(),
        delete in faults(),
        lookalikes in any::<bool>(),
    ) {
        let mut model = Model::default();
        if lookalikes {
            model.add_lookalikes();
        }
        let foreign = model.foreign.len();
        let mut want = want(&shape);
        for (fault, tick) in create {
            reconcile(&mut model, &mut want, fault);
            if tick {
                model.tick();
            }
        }
        prop_assert_eq!(settle(&mut model, &mut want), Step::Done);
        prop_assert!(want.status.ready);
        let servers = model.ours(&model.servers, |server| &server.id);
        prop_assert_eq!(servers.len(), 1);
        let server = servers[0].id.clone();
        prop_assert_eq!(want.status.instance_id.as_ref(), Some(&server));
        let used = model.ports.iter().filter(|port| port.device_id == server).count();
        prop_assert_eq!(used, shape.ports);
        let volumes = usize::from(shape.root_volume) + usize::from(shape.data_volume);
        prop_assert_eq!(model.ours(&model.volumes, |volume| &volume.id).len(), volumes);
        let trunks = if shape.trunk { shape.ports } else { 0 };
        prop_assert_eq!(model.trunks.len(), trunks);
        let led_to = model.floating_ips.iter().find_map(|ip| ip.port_id.as_ref());
        prop_assert_eq!(led_to.is_some(), shape.pool);

        let idle = want.clone();
        prop_assert_eq!(reconcile(&mut model, &mut want, Fault::None), Step::Done);
        prop_assert_eq!(&want.status, &idle.status);

        want.deleting = true;
        model.add_subports();
        for (fault, tick) in delete {
            reconcile(&mut model, &mut want, fault);
            if tick {
                model.tick();
            }
        }
        prop_assert_eq!(settle(&mut model, &mut want), Step::Done);
        prop_assert_eq!(model.len(), foreign);
        prop_assert!(model.claim.is_none());
    }

    /// A deletion at any moment of the creation leaves nothing and creates nothing.
    #[test]
    fn it_can_be_deleted_at_any_moment(shape in shapes(), create in faults(), lost in any::<bool>()) {
        let mut model = Model::default();
        let mut want = want(&shape);
        for (fault, tick) in create {
            reconcile(&mut model, &mut want, fault);
            if tick {
                model.tick();
            }
        }
        if lost {
            want.status = Default::default();
        }
        want.deleting = true;
        let before = model.len();
        prop_assert_eq!(settle(&mut model, &mut want), Step::Done);
        prop_assert_eq!(model.len(), 0, "of {}", before);
        prop_assert!(model.claim.is_none());
    }
}
