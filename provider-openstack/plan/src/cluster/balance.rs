//! What can be done to a load balancer, as data.

use std::fmt;

use super::want::Probe;

#[derive(Clone, Debug, PartialEq)]
pub struct NewLoadBalancer {
    pub name: String,
    pub description: String,
    pub vip_network: String,
    pub vip_subnet: Option<String>,
    pub vip_address: Option<String>,
    /// Subnets of further addresses.
    pub additional_vip_subnets: Vec<String>,
    pub provider: Option<String>,
    /// Id of an Octavia flavor.
    pub flavor: Option<String>,
    pub availability_zone: Option<String>,
    pub tags: Vec<String>,
}

/// A change of a load balancer.
#[derive(Clone, Debug, PartialEq)]
pub enum Balance {
    CreateListener(NewListener),
    UpdateAllowedCidrs {
        listener: String,
        allowed_cidrs: Vec<String>,
    },
    CreatePool(NewPool),
    CreateMonitor {
        pool: String,
        name: String,
        probe: Probe,
    },
    UpdateMonitor {
        monitor: String,
        probe: Probe,
    },
    DeleteMonitor {
        monitor: String,
    },
    /// With listeners, pools, members and monitors.
    Delete,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NewListener {
    pub name: String,
    pub port: u16,
    /// `None` where the provider cannot limit who connects.
    pub allowed_cidrs: Option<Vec<String>>,
    pub tags: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NewPool {
    pub listener: String,
    pub name: String,
    pub method: Balancing,
    pub tags: Vec<String>,
}

/// How a pool spreads connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balancing {
    RoundRobin,
    /// The only one that OVN knows.
    SourceIpPort,
}

impl Balance {
    /// See [`super::Action::name`].
    pub(super) fn name(&self) -> &'static str {
        match self {
            Balance::CreateListener(_) => "CreateListener",
            Balance::UpdateAllowedCidrs { .. } => "UpdateListener",
            Balance::CreatePool(_) => "CreatePool",
            Balance::CreateMonitor { .. } => "CreateMonitor",
            Balance::UpdateMonitor { .. } => "UpdateMonitor",
            Balance::DeleteMonitor { .. } => "DeleteMonitor",
            Balance::Delete => "DeleteLoadBalancer",
        }
    }

    pub(super) fn describe(&self, f: &mut fmt::Formatter<'_>, load_balancer: &str) -> fmt::Result {
        match self {
            Balance::CreateListener(new) => write!(f, "create listener {}", new.name),
            Balance::UpdateAllowedCidrs {
                listener,
                allowed_cidrs,
            } => {
                write!(
                    f,
                    "set allowed_cidrs of listener {listener} to {allowed_cidrs:?}"
                )
            }
            Balance::CreatePool(new) => write!(f, "create pool {}", new.name),
            Balance::CreateMonitor { name, .. } => write!(f, "create monitor {name}"),
            Balance::UpdateMonitor { monitor, .. } => write!(f, "update monitor {monitor}"),
            Balance::DeleteMonitor { monitor } => write!(f, "delete monitor {monitor}"),
            Balance::Delete => write!(f, "delete load balancer {load_balancer}"),
        }
    }
}
