//! What must hold where a world rests.

use std::rc::Rc;

use plan::conditions::is_true;
use plan::step::Step;
use plan::world::Port;

use super::{State, World, slots};
use crate::infrastructure::{self, Infrastructure};
use crate::machine::{self, Machine};

impl World {
    /// Where nothing goes on by itself any more, all must be as it is wanted.
    ///
    /// # Errors
    /// What is not.
    pub fn check_end(&self, state: State) -> Result<(), String> {
        let infrastructure = self.infrastructures.get(state.infrastructure);
        let machines: Vec<Rc<Machine>> = slots(state)
            .map(|slot| self.machines.get(state.machines[slot]))
            .collect();
        let expect = |right: bool, what: &str| if right { Ok(()) } else { Err(what.to_string()) };
        expect(
            infrastructure.is_quiet() && machines.iter().all(|machine| machine.is_quiet()),
            "a call is under way",
        )?;
        if state.cluster_going {
            expect(
                infrastructure.object.is_none(),
                "the OpenStackCluster stays",
            )?;
            expect(
                infrastructure.own() == [0; 11],
                &format!("left: {:?}", infrastructure.inventory()),
            )?;
            return expect(
                machines.iter().all(|machine| machine.is_none()),
                "a machine stays",
            );
        }
        let ports: Vec<Port> = machines
            .iter()
            .flat_map(|machine| machine.ports.clone())
            .collect();
        let object = infrastructure
            .object
            .as_ref()
            .ok_or("there is no OpenStackCluster")?;
        let around = infrastructure::Around {
            machines: machines.len(),
            ports: &ports,
            troubles: false,
        };
        let decision = infrastructure.decide(object, around);
        expect(
            decision.step == Step::Done,
            &format!("the cluster: {:?}", decision.step),
        )?;
        expect(
            is_true(&decision.status.status.conditions, "Ready"),
            "the cluster is not ready",
        )?;
        let around = machine::Around {
            infrastructure: &infrastructure,
            cluster_going: false,
            troubles: false,
            blind: self.bounds.blind,
        };
        let there: Vec<&Rc<Machine>> = machines
            .iter()
            .filter(|machine| !machine.is_none())
            .collect();
        there
            .iter()
            .try_for_each(|machine| check_machine(machine, around))?;
        let wanted = usize::from(self.bounds.control_plane) + usize::from(state.replicas);
        expect(
            there.len() == wanted,
            &format!("{} machines instead of {wanted}", there.len()),
        )?;
        check_once(&infrastructure, usize::from(self.bounds.control_plane))
    }
}

/// The machine is ready and stays so, with one port and one server.
fn check_machine(machine: &Machine, around: machine::Around<'_>) -> Result<(), String> {
    let expect = |right: bool, what: String| {
        if right {
            Ok(())
        } else {
            Err(format!("{}: {what}", machine.name()))
        }
    };
    let object = machine
        .object
        .as_ref()
        .ok_or("there is no OpenStackMachine")?;
    let decision = machine.decide(object, around).ok_or("no decision")?;
    expect(decision.step == Step::Done, format!("{:?}", decision.step))?;
    expect(
        is_true(&decision.status.status.conditions, "Ready"),
        "is not ready".into(),
    )?;
    let server = machine
        .server
        .as_ref()
        .ok_or("there is no OpenStackServer")?;
    let step = machine.decide_for_server(server, around).step;
    expect(step == Step::Done, format!("its server: {step:?}"))?;
    let made = (machine.ports.len(), machine.servers.len());
    expect(made == (1, 1), format!("ports and servers: {made:?}"))?;
    let id = object.spec.provider_id.as_deref().unwrap_or_default();
    expect(
        id == format!("openstack:///{}", machine.servers[0].id),
        format!("provider id {id}"),
    )
}

/// There is one of each name, and no more members than control plane nodes.
fn check_once(infrastructure: &Infrastructure, members: usize) -> Result<(), String> {
    let own = infrastructure.own();
    let expected = [1, 1, 1, 2, 2, 1, 1, 1, 1, 1, members];
    if own == expected {
        return Ok(());
    }
    Err(format!(
        "{own:?} instead of {expected:?}: {:?}",
        infrastructure.inventory()
    ))
}
