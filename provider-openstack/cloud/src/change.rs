//! The kinds of resources that a view keeps, and what calls tell it.

use serde::de::DeserializeOwned;

use crate::block_storage::Volume;
use crate::compute::Server;
use crate::loadbalancer::{Listener, LoadBalancer, Member, Monitor, Pool};
use crate::network::{
    FloatingIp, Network, Port, Router, SecurityGroup, SecurityGroupRule, Subnet, Trunk,
};

/// A resource that a view keeps in a table.
pub trait Row: Clone + PartialEq + DeserializeOwned + Send + Sync + 'static {
    /// Its kind.
    const KIND: Kind;
    /// Its name in an answer for one, for example `port`.
    const ONE: &'static str;
    /// Its name in an answer for many, for example `ports`.
    const MANY: &'static str;
    /// Its id.
    fn id(&self) -> &str;
    /// Its name; names need not be unique.
    fn name(&self) -> &str;
    /// What it belongs to: the device of a port, the network of a subnet, the port of a floating IP;
    /// empty when nothing.
    fn belongs_to(&self) -> &str {
        ""
    }
    /// It as one of all kinds.
    fn into_item(self) -> Item;
}

/// Declares [`Kind`], [`Item`] and the rows.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident: $row:ident = $one:literal, $many:literal $(, $owner:ident)? $(, by $name:ident)?;)*) => {
        /// A kind of resource that a view keeps.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// For messages and logs.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $many,)*
                }
            }
        }

        /// A resource of any kind.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Item {
            $($(#[$doc])* $kind($row),)*
        }

        $(impl Row for $row {
            const KIND: Kind = Kind::$kind;
            const ONE: &'static str = $one;
            const MANY: &'static str = $many;
            fn id(&self) -> &str {
                &self.id
            }
            fn name(&self) -> &str {
                kinds!(@name self $($name)?)
            }
            $(fn belongs_to(&self) -> &str {
                &self.$owner
            })?
            fn into_item(self) -> Item {
                Item::$kind(self)
            }
        })*
    };
    (@name $row:ident) => { &$row.name };
    (@name $row:ident $name:ident) => { &$row.$name };
}

kinds! {
    /// Neutron networks that the project can see, external and shared ones included.
    Networks: Network = "network", "networks";
    /// Neutron subnets that the project can see.
    Subnets: Subnet = "subnet", "subnets", network_id;
    /// Neutron routers of the project.
    Routers: Router = "router", "routers";
    /// Neutron ports of the project.
    Ports: Port = "port", "ports", device_id;
    /// Neutron trunks of the project; a cloud may lack them.
    Trunks: Trunk = "trunk", "trunks", port_id;
    /// Neutron security groups of the project, with their rules.
    SecurityGroups: SecurityGroup = "security_group", "security_groups";
    /// Neutron floating IPs of the project, which have no name: they are found by their description.
    FloatingIps: FloatingIp = "floatingip", "floatingips", port_id, by description;
    /// Nova servers of the project.
    Servers: Server = "server", "servers";
    /// Cinder volumes of the project.
    Volumes: Volume = "volume", "volumes";
    /// Octavia load balancers of the project.
    LoadBalancers: LoadBalancer = "loadbalancer", "loadbalancers";
    /// Octavia listeners of the project.
    Listeners: Listener = "listener", "listeners";
    /// Octavia pools of the project, with their members.
    Pools: Pool = "pool", "pools";
    /// Octavia health monitors of the project.
    Monitors: Monitor = "healthmonitor", "healthmonitors";
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a call has done to the project.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Created or updated.
    Wrote(Box<Item>),
    /// Deleted, or found to be gone.
    Gone(Kind, String),
    /// Its deletion has begun; the service will finish it.
    Ending(Kind, String),
    /// New tags.
    Tags(Kind, String, Vec<String>),
    /// New rules of existing security groups.
    Rules(Vec<SecurityGroupRule>),
    /// A rule is gone.
    RuleGone(String),
    /// A member was added or changed.
    Member(String, Box<Member>),
    /// The end of a member has begun: pool, member.
    MemberEnding(String, String),
    /// The next reader has to look: an answer was lost, or a call has side effects there.
    Unsure(Kind),
}

/// Who is told of changes.
pub(crate) trait Feed: Send + Sync {
    fn apply(&self, change: Change);
}
