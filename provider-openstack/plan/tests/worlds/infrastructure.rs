//! The part of a world that belongs to the cluster as a whole: the `OpenStackCluster`, and network,
//! security groups, load balancer and floating IP in the cloud, among things of other people.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crds::openstack::names::CLUSTER_FINALIZER;
use crds::openstack::v1beta2::OpenStackCluster;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use plan::cluster::{Action, Decision, Gone, Published, Seen, Want, delete, plan};
use plan::step::Step;
use plan::world::{Member, Port, State};
use serde_json::json;

use super::cloud::Cloud;
use super::part::{Flight, Next, Trouble, digest};
use super::shapes;

/// What other people have.
static OTHERS: LazyLock<Seen> = LazyLock::new(|| shapes::crowded_cloud().holds);

/// Does the same for every list of the cloud: `$now` are its rows, `$others` those of other people.
macro_rules! each_list {
    ($holds:expr, $now:ident, $others:ident => $body:expr) => {{
        each_list!(@ $holds, $now, $others => $body;
            networks, subnets, routers, ports, security_groups, floating_ips,
            load_balancers, listeners, pools, monitors)
    }};
    (@ $holds:expr, $now:ident, $others:ident => $body:expr; $($list:ident),+) => {
        {$({ let ($now, $others) = (&mut $holds.$list, &OTHERS.$list); $body; })+}
    };
}

#[derive(Clone, Debug)]
pub struct Infrastructure {
    /// `None` when it is gone.
    pub object: Option<OpenStackCluster>,
    pub cloud: Cloud,
    /// In the pools of the load balancer.
    pub members: Vec<Member>,
    flight: Option<Flight<Action, Published>>,
    /// Its answer was lost, and it may still take effect.
    late: Option<Action>,
    /// How often each creation took effect, so that no id is given twice.
    made: BTreeMap<u32, usize>,
}

/// What the plan of a cluster sees of machines.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    pub machines: usize,
    pub ports: &'a [Port],
    /// Whether anything may still go wrong.
    pub troubles: bool,
}

impl Infrastructure {
    pub fn new() -> Self {
        let object = shapes::cluster(json!({
            "managedSubnets": [{"cidr": "10.6.0.0/24"}],
            "managedSecurityGroups": {},
            "apiServer": {"managedLoadBalancer": {}},
        }));
        Self {
            object: Some(object),
            cloud: shapes::crowded_cloud(),
            members: Vec::new(),
            flight: None,
            late: None,
            made: BTreeMap::new(),
        }
    }

    /// Equal for infrastructures that are the same. What other people have is always the same.
    pub fn digest(&self) -> u128 {
        let object = self.object.as_ref().map(|object| {
            let meta = &object.metadata;
            let going = meta.deletion_timestamp.is_some();
            (
                going,
                &meta.finalizers,
                &object.spec.api_server,
                &object.spec.control_plane_endpoint,
                &object.status,
            )
        });
        let (have, others) = (&self.cloud.holds, &*OTHERS);
        let rows = (
            own(&have.networks, &others.networks),
            own(&have.subnets, &others.subnets),
            own(&have.routers, &others.routers),
            own(&have.ports, &others.ports),
            own(&have.security_groups, &others.security_groups),
            own(&have.floating_ips, &others.floating_ips),
        );
        let balancing = (
            own(&have.load_balancers, &others.load_balancers),
            own(&have.listeners, &others.listeners),
            own(&have.pools, &others.pools),
            own(&have.monitors, &others.monitors),
            &self.members,
        );
        let calls = (&self.flight, &self.late, &self.made);
        digest(&(object, rows, balancing, calls))
    }

    pub fn is_going(&self) -> bool {
        self.object
            .as_ref()
            .is_none_or(|object| object.metadata.deletion_timestamp.is_some())
    }

    /// How many there are of what the cluster has: networks, subnets, routers, ports, security groups,
    /// floating IPs, load balancers, listeners, pools, monitors, members.
    pub fn own(&self) -> Vec<usize> {
        let (mut holds, mut own) = (self.cloud.holds.clone(), Vec::new());
        each_list!(holds, now, others => own.push(now.len() - others.len()));
        own.push(self.members.len());
        own
    }

    /// Somebody, or Cluster API, deletes the object.
    pub fn delete(mut self) -> Self {
        if let Some(object) = &mut self.object {
            object.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        }
        let finalized = |object: &OpenStackCluster| object.metadata.finalizers.is_some();
        self.object = self.object.filter(finalized);
        self
    }

    /// A user restricts the API to these, or lifts the restriction. `None` when it goes.
    pub fn edit(mut self) -> Option<Self> {
        if self.is_going() {
            return None;
        }
        let balancer = self.object.as_mut()?.spec.api_server.as_mut()?;
        let balancer = balancer.managed_load_balancer.as_mut()?;
        balancer.allowed_cidrs = if balancer.allowed_cidrs.is_empty() {
            vec!["192.0.2.0/24".into()]
        } else {
            Vec::new()
        };
        Some(self)
    }

    /// The provider stops.
    pub fn stop(mut self) -> Option<Self> {
        self.flight.take().map(|_| self)
    }

    /// Decides as the controller does.
    pub fn decide(&self, object: &OpenStackCluster, around: Around<'_>) -> Decision {
        let status = object.status.clone().unwrap_or_default();
        let owner = shapes::owner();
        let mut seen = self.cloud.holds.clone();
        seen.ports.extend_from_slice(around.ports);
        if self.is_going() {
            let machines = around.machines;
            seen = if machines > 0 {
                Seen {
                    machines,
                    ..Seen::default()
                }
            } else {
                seen
            };
            seen.status = status;
            return delete(&Gone::of(object, &owner), &seen, Timestamp::UNIX_EPOCH);
        }
        seen.status = status;
        let want = Want::of(object, &owner).expect("a valid cluster");
        plan(&want, &seen, Timestamp::UNIX_EPOCH)
    }

    /// Everything that can happen next.
    pub fn next(&self, around: Around<'_>) -> Vec<Next<Self>> {
        let mut next = match (&self.object, &self.flight) {
            (Some(object), None) => self.reconcile(object, around),
            (_, Some(flight)) => self.act(flight, around.troubles),
            (None, None) => Vec::new(),
        };
        next.extend(self.octavia(around.troubles));
        if let Some(action) = &self.late {
            let without = Self {
                late: None,
                ..self.clone()
            };
            let (done, _) = without.clone().apply(action, true);
            next.push(Next::fair(format!("late: {action}"), done));
            next.push(Next::fair(format!("never: {action}"), without));
        }
        next
    }

    fn reconcile(&self, object: &OpenStackCluster, around: Around<'_>) -> Vec<Next<Self>> {
        let mut to = self.clone();
        let changed = |object: &mut OpenStackCluster| {
            object.metadata.finalizers = Some(vec![CLUSTER_FINALIZER.into()])
        };
        if object.metadata.finalizers.is_none() {
            to.object.as_mut().map(changed);
            return vec![Next::fair("cluster: finalizer", to)];
        }
        let decision = self.decide(object, around);
        let label = match decision.step {
            Step::Do(actions) => {
                to.flight = Some(Flight {
                    actions,
                    publish: decision.status,
                });
                "cluster: decide"
            }
            // A call whose answer was lost is over before the last list that finds nothing.
            Step::Done if self.is_going() && self.late.is_some() => return Vec::new(),
            Step::Done if self.is_going() => {
                to.object = None;
                "cluster: gone"
            }
            Step::Done | Step::Wait(_) | Step::Blocked(_) => {
                to.publish(decision.status);
                "cluster: publish"
            }
        };
        vec![Next::fair(label, to)]
    }

    /// The calls run side by side, so any may be next. After the last one comes what is published.
    fn act(&self, flight: &Flight<Action, Published>, troubles: bool) -> Vec<Next<Self>> {
        let mut next = Vec::new();
        for (action, rest) in flight.calls() {
            let mut to = self.clone();
            if rest.is_none() {
                to.publish(flight.publish.clone());
            }
            to.flight = rest;
            if troubles && self.late.is_none() {
                let late = Some(action.clone());
                next.push(Next::trouble(
                    Trouble::LostAnswer,
                    action.to_string(),
                    Self { late, ..to.clone() },
                ));
            }
            let (to, refused) = to.apply(&action, false);
            next.push(Next::fair(
                format!("{action}{}", refused.unwrap_or_default()),
                to,
            ));
        }
        next
    }

    fn octavia(&self, troubles: bool) -> Vec<Next<Self>> {
        let own = || {
            self.cloud
                .holds
                .load_balancers
                .iter()
                .skip(OTHERS.load_balancers.len())
        };
        let mut next = Vec::new();
        if own().any(|balancer| balancer.state != State::Active) {
            let mut to = self.clone();
            to.tick();
            next.push(Next::fair("Octavia gets on", to));
        } else if troubles && own().next().is_some() {
            let mut to = self.clone();
            for balancer in to
                .cloud
                .holds
                .load_balancers
                .iter_mut()
                .skip(OTHERS.load_balancers.len())
            {
                balancer.state = State::Deleting;
            }
            to.tick();
            next.push(Next::trouble(Trouble::LoadBalancerLost, "in Octavia", to));
        }
        next
    }

    fn tick(&mut self) {
        self.cloud.tick();
        let pools = &self.cloud.holds.pools;
        self.members
            .retain(|member| pools.iter().any(|pool| pool.id == member.pool_id));
        for member in &mut self.members {
            member.state = State::Active;
        }
    }

    /// No plan reads a condition, so that they are left out.
    fn publish(&mut self, published: Published) {
        let Some(object) = &mut self.object else {
            return;
        };
        let mut status = published.status;
        status.conditions.clear();
        object.status = Some(status);
        if let Some((host, port)) = published.endpoint {
            object.spec.control_plane_endpoint =
                serde_json::from_value(json!({"host": host, "port": port})).expect("an endpoint");
        }
    }

    /// What comes of a call, and what the cloud answers when it refuses.
    fn apply(self, action: &Action, late: bool) -> (Self, Option<String>) {
        let text = action.to_string();
        let kind = u32::try_from(digest(&text) % 100_000).expect("small");
        let made = self.made.get(&kind).copied().unwrap_or_default();
        let mut to = self.clone();
        // Ids must not depend on the order of what is independent. Those of late ones sort first.
        let first = if late {
            480 - 20 * made
        } else {
            500 + 20 * made
        };
        let first = kind as usize * 1_000 + first;
        to.cloud.created = first;
        if let Err(refused) = to.cloud.apply(action) {
            return (self, Some(format!(" refused: {refused}")));
        }
        if to.cloud.created != first {
            to.made.insert(kind, made + 1);
        }
        to.cloud.created = 0;
        each_list!(to.cloud.holds, now, others => {
            assert_eq!(now.get(..others.len()), Some(others.as_slice()), "{text} touches what is not ours");
            now[others.len()..].sort_by(|a, b| a.id.cmp(&b.id));
        });
        for group in &mut to.cloud.holds.security_groups {
            group.rules.sort_by(|a, b| a.id.cmp(&b.id));
        }
        let finalized = |object: &OpenStackCluster| object.metadata.finalizers.is_some();
        assert!(
            to.object.as_ref().is_some_and(finalized),
            "{text} without a finalizer"
        );
        (to, None)
    }

    /// # Errors
    /// What Octavia refuses with.
    pub fn with_member(mut self, new: Member) -> Result<Self, String> {
        self.lock(&new.pool_id)?;
        self.members.push(new);
        self.members.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(self)
    }

    /// # Errors
    /// What Octavia refuses with.
    pub fn without_member(mut self, id: &str) -> Result<Self, String> {
        let member = self.members.iter().position(|member| member.id == id);
        let member = self
            .members
            .remove(member.ok_or_else(|| format!("no member {id}"))?);
        self.lock(&member.pool_id)?;
        Ok(self)
    }

    /// Octavia refuses a second change while it works on one.
    fn lock(&mut self, pool: &str) -> Result<(), String> {
        let holds = &mut self.cloud.holds;
        let pool = holds
            .pools
            .iter()
            .find(|have| have.id == pool)
            .ok_or_else(|| format!("no pool {pool}"))?;
        let mut balancers = holds.load_balancers.iter_mut();
        let balancer = balancers
            .find(|balancer| balancer.id == pool.load_balancer_id)
            .ok_or("no load balancer")?;
        if balancer.state != State::Active {
            return Err("the load balancer is immutable".into());
        }
        balancer.state = State::Pending;
        Ok(())
    }

    /// What there is, for messages.
    pub fn inventory(&self) -> Vec<String> {
        let mut inventory = self.cloud.inventory();
        inventory.extend(
            self.members
                .iter()
                .map(|member| format!("member {} {}", member.name, member.address)),
        );
        inventory
    }

    /// Whether no call is under way, and none may still take effect.
    pub fn is_quiet(&self) -> bool {
        self.flight.is_none() && self.late.is_none()
    }
}

/// What is left of a list without what other people have, which comes first.
fn own<'a, T>(have: &'a [T], others: &[T]) -> &'a [T] {
    have.get(others.len()..).unwrap_or_default()
}
