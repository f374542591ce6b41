//! The part of a world that belongs to one machine: its objects, and port and server in the cloud.
//! Here is what happens to the `OpenStackMachine`; `server.rs` has the rest.

use crds::capi;
use crds::capi::names::{CLUSTER_NAME_LABEL, CONTROL_PLANE_LABEL};
use crds::openstack::names::MACHINE_FINALIZER;
use crds::openstack::v1alpha1::OpenStackServer;
use crds::openstack::v1beta2::{OpenStackMachine, OpenStackMachineSpec};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use plan::machine::{Action, Seen, SeenIngress, Status, Want, plan};
use plan::step::{Decision, Step};
use plan::world::{Member, Port, Server, State};
use serde_json::json;

use super::infrastructure::Infrastructure;
use super::part::{Flight, Next, Trouble};

/// What a step leads to: the infrastructure only when it changes too.
pub type Pair = (Option<Infrastructure>, Machine);

#[derive(Clone, Debug, Default)]
pub struct Machine {
    pub control_plane: bool,
    /// `None` when there is none, or none any more.
    pub object: Option<OpenStackMachine>,
    pub server: Option<OpenStackServer>,
    pub ports: Vec<Port>,
    pub servers: Vec<Server>,
    flight: Option<Flight<Action, Status>>,
    pub(super) server_flight: Option<super::server::Flight>,
    /// Its answer was lost, and it may still take effect.
    late: Option<Action>,
    pub(super) server_late: Option<plan::server::Action>,
    /// How many things were made, so that no id is given twice.
    pub(super) made: usize,
}

/// What surrounds a machine.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    pub infrastructure: &'a Infrastructure,
    /// The `Cluster` is being deleted.
    pub cluster_going: bool,
    /// Whether anything may still go wrong.
    pub troubles: bool,
    /// See [`Bounds`](super::world::Bounds).
    pub blind: bool,
}

impl Machine {
    /// A place for a machine, in which there is none.
    pub fn none(control_plane: bool) -> Self {
        Self {
            control_plane,
            ..Self::default()
        }
    }

    /// Cluster API makes the objects of a machine. Workers do not see each other, so that one name
    /// does for all, and worlds that differ in who is who are one.
    pub fn create(mut self) -> Self {
        let spec: OpenStackMachineSpec = serde_json::from_value(json!({
            "flavor": {"id": "flavor"}, "image": {"id": "image"},
        }))
        .expect("a valid spec");
        let mut object = OpenStackMachine::new(self.name(), spec);
        object.metadata.namespace = Some("default".into());
        object.metadata.uid = Some("uid".into());
        let mut labels = vec![(CLUSTER_NAME_LABEL.to_string(), "demo".to_string())];
        if self.control_plane {
            labels.push((CONTROL_PLANE_LABEL.to_string(), String::new()));
        }
        object.metadata.labels = Some(labels.into_iter().collect());
        self.object = Some(object);
        self
    }

    pub fn name(&self) -> &'static str {
        if self.control_plane {
            "demo-cp"
        } else {
            "demo-worker"
        }
    }

    pub fn is_none(&self) -> bool {
        self.object.is_none()
            && self.server.is_none()
            && self.ports.is_empty()
            && self.servers.is_empty()
    }

    /// It is there and is to stay.
    pub fn is_live(&self) -> bool {
        self.object
            .as_ref()
            .is_some_and(|object| object.metadata.deletion_timestamp.is_none())
    }

    /// Its server failed or is gone, so that it has to be replaced.
    pub fn is_failed(&self) -> bool {
        let status = self
            .server
            .as_ref()
            .and_then(|server| server.status.as_ref());
        let state = status.and_then(|status| status.instance_state.as_deref());
        self.is_live() && matches!(state, Some("ERROR" | "DELETED"))
    }

    /// Somebody, or Cluster API, deletes it.
    pub fn delete(mut self) -> Self {
        if let Some(object) = &mut self.object {
            object.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        }
        self.object = self
            .object
            .filter(|object| object.metadata.finalizers.is_some());
        self
    }

    /// The provider stops.
    pub fn stop(mut self) -> Option<Self> {
        let (flight, server_flight) = (self.flight.take(), self.server_flight.take());
        (flight.is_some() || server_flight.is_some()).then_some(self)
    }

    /// Whether no call is under way, and none may still take effect.
    pub fn is_quiet(&self) -> bool {
        let flying = self.flight.is_some() || self.server_flight.is_some();
        !flying && self.late.is_none() && self.server_late.is_none()
    }

    /// Everything that can happen next.
    pub fn next(&self, around: Around<'_>) -> Vec<Next<Pair>> {
        let mut next = match (&self.object, &self.flight) {
            (Some(object), None) => self.reconcile(object, around),
            (_, Some(flight)) => self.act(flight, around),
            (None, None) => Vec::new(),
        };
        if let Some(action) = &self.late {
            let without = Self {
                late: None,
                ..self.clone()
            };
            let (done, _) = without.clone().apply(action, around);
            next.push(Next::fair(format!("late: {action}"), done));
            next.push(Next::fair(format!("never: {action}"), (None, without)));
        }
        next.extend(self.next_of_server(around));
        for one in &mut next {
            one.to.1.tidy();
            one.label = format!("{}: {}", self.name(), one.label);
        }
        next
    }

    /// Where nothing is left, nothing is remembered.
    fn tidy(&mut self) {
        if self.object.is_none() && self.server.is_none() {
            assert!(
                self.is_none() && self.is_quiet(),
                "{} leaves something: {self:?}",
                self.name()
            );
            self.made = 0;
        }
    }

    /// Decides as the controller does; `None` while it does not know the infrastructure.
    pub fn decide(
        &self,
        object: &OpenStackMachine,
        around: Around<'_>,
    ) -> Option<Decision<Action, Status>> {
        let going = object.metadata.deletion_timestamp.is_some();
        let infrastructure = around.infrastructure.object.clone();
        let infrastructure = infrastructure.or_else(|| going.then(Default::default))?;
        let machine: capi::Machine = serde_json::from_value(json!({
            "metadata": {}, "spec": {"clusterName": "demo", "bootstrap": {"dataSecretName": "user-data"}},
        }))
        .expect("a Machine");
        let mut cluster = capi::Cluster::default();
        let deleted = around.cluster_going.then_some(Time(Timestamp::UNIX_EPOCH));
        cluster.metadata = ObjectMeta {
            name: Some("demo".into()),
            namespace: Some("default".into()),
            deletion_timestamp: deleted,
            ..ObjectMeta::default()
        };
        let want = Want::new(object, &machine, &cluster, &infrastructure);
        let ready = self
            .server
            .as_ref()
            .and_then(|server| server.status.as_ref())
            .is_some_and(|s| s.ready);
        let looks = want.needs_ingress() && (ready || want.deleting);
        let seen = Seen {
            server: self.server.clone(),
            ingress: looks.then(|| self.ingress(around.infrastructure)),
        };
        Some(plan(&want, &seen, Timestamp::UNIX_EPOCH))
    }

    fn ingress(&self, infrastructure: &Infrastructure) -> SeenIngress {
        let holds = &infrastructure.cloud.holds;
        SeenIngress {
            ports: self.ports.clone(),
            load_balancers: holds.load_balancers.clone(),
            pools: holds.pools.clone(),
            members: infrastructure.members.clone(),
            floating_ips: holds.floating_ips.clone(),
        }
    }

    fn reconcile(&self, object: &OpenStackMachine, around: Around<'_>) -> Vec<Next<Pair>> {
        let mut to = self.clone();
        if object.metadata.finalizers.is_none() {
            let add = |object: &mut OpenStackMachine| {
                object.metadata.finalizers = Some(vec![MACHINE_FINALIZER.into()])
            };
            to.object.as_mut().map(add);
            return vec![Next::fair("finalizer", (None, to))];
        }
        let Some(decision) = self.decide(object, around) else {
            return Vec::new();
        };
        let going = object.metadata.deletion_timestamp.is_some();
        let label = match decision.step {
            Step::Do(actions) => {
                to.flight = Some(Flight {
                    actions,
                    publish: decision.status,
                });
                "decide"
            }
            // A call whose answer was lost is over before the last list that finds nothing.
            Step::Done if going && self.late.is_some() => return Vec::new(),
            Step::Done if going => {
                to.object = None;
                "gone"
            }
            Step::Done | Step::Wait(_) | Step::Blocked(_) => {
                to.publish(decision.status);
                "publish"
            }
        };
        vec![Next::fair(label, (None, to))]
    }

    fn act(&self, flight: &Flight<Action, Status>, around: Around<'_>) -> Vec<Next<Pair>> {
        let mut next = Vec::new();
        for (action, rest) in flight.calls() {
            let mut to = self.clone();
            if rest.is_none() {
                to.publish(flight.publish.clone());
            }
            to.flight = rest;
            let in_cloud = matches!(
                action,
                Action::CreateMember(_) | Action::DeleteMember { .. }
            );
            if around.troubles && in_cloud && self.late.is_none() {
                let late = Some(action.clone());
                let lost = (None, Self { late, ..to.clone() });
                next.push(Next::trouble(Trouble::LostAnswer, action.to_string(), lost));
            }
            let (to, refused) = to.apply(&action, around);
            next.push(Next::fair(
                format!("{action}{}", refused.unwrap_or_default()),
                to,
            ));
        }
        next
    }

    /// No plan reads a condition but to repeat it, so that they are left out.
    fn publish(&mut self, mut published: Status) {
        let Some(object) = &mut self.object else {
            return;
        };
        published.status.conditions.clear();
        object.spec.provider_id = published.provider_id;
        object.status = Some(published.status);
    }

    /// What comes of a call, and what it is refused with.
    fn apply(mut self, action: &Action, around: Around<'_>) -> (Pair, Option<String>) {
        let infrastructure = || around.infrastructure.clone();
        let changed = match action {
            Action::CreateServerObject(_) if self.server.is_some() => {
                return ((None, self), Some(" refused".into()));
            }
            Action::CreateServerObject(object) => {
                self.server = Some((**object).clone());
                None
            }
            Action::DeleteServerObject { .. } => {
                if let Some(server) = &mut self.server {
                    server.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
                }
                self.server = self
                    .server
                    .filter(|server| server.metadata.finalizers.is_some());
                None
            }
            Action::CreateMember(new) => Some(infrastructure().with_member(Member {
                id: format!("member-{}", self.made),
                name: new.name.clone(),
                pool_id: new.pool.clone(),
                address: new.address.clone(),
                port: new.port,
                subnet_id: new.subnet.clone(),
                state: State::Pending,
            })),
            Action::DeleteMember { member, .. } => Some(infrastructure().without_member(member)),
            other => panic!("{other} is for other worlds"),
        };
        match changed {
            None => ((None, self), None),
            Some(Ok(infrastructure)) => {
                self.made += usize::from(matches!(action, Action::CreateMember(_)));
                ((Some(infrastructure), self), None)
            }
            Some(Err(refused)) => ((None, self), Some(format!(" refused: {refused}"))),
        }
    }
}
