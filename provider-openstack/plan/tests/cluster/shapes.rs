//! Clusters of all shapes, and the clouds they live in.

use crds::openstack::v1beta2::{OpenStackCluster, OpenStackClusterSpec};
use plan::cluster::{Gone, Owner, Want};
use plan::names::{ClusterNames, Role};
use plan::world::{
    AvailabilityZone, FloatingIp, LoadBalancer, Network, Port, Router, SecurityGroup, State, Subnet,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::cloud::{Cloud, PROJECT};

/// Network and router of another cluster, with a name that begins like ours.
const OTHER: &str = "k8s-clusterapi-cluster-default-demo2";

/// A cluster `demo` in namespace `default`, with this spec.
pub fn cluster(spec: Value) -> OpenStackCluster {
    let mut spec = spec;
    spec["identityRef"] = json!({"name": "cloud", "cloudName": "openstack"});
    let spec: OpenStackClusterSpec = serde_json::from_value(spec).expect("a valid spec");
    OpenStackCluster::new("demo", spec)
}

pub fn owner() -> Owner {
    Owner {
        namespace: "default".into(),
        name: "demo".into(),
    }
}

pub fn want(spec: Value) -> Want {
    Want::of(&cluster(spec), &owner()).expect("a valid cluster")
}

pub fn gone(spec: Value) -> Gone {
    Gone::of(&cluster(spec), &owner())
}

/// Every option that changes what is created.
pub fn any_spec() -> impl Strategy<Value = Value> {
    let switches = prop::array::uniform11(any::<bool>());
    (switches, prop::collection::btree_set(1000..1003, 0..3), 0..3usize).prop_map(
        |(switches, ports, cidrs)| {
            let [balanced, grouped, brought, floating, given_ip, tagged, routed, dual, bastion, reached, ovn] = switches;
            let mut spec = json!({});
            if brought {
                spec["subnets"] = json!([{"filter": {"name": "brought"}}]);
            } else {
                let ipv4 = json!({"cidr": "10.6.0.0/24", "dnsNameservers": ["192.0.2.53"]});
                let ipv6 = json!({"cidr": "fd00:6::/64", "dnsNameservers": ["2001:DB8:0::53"]});
                spec["managedSubnets"] = Value::from_iter([ipv4, ipv6].into_iter().take(1 + usize::from(dual)));
                if routed {
                    let subnet = json!({"id": "external"});
                    spec["managedRouter"] = json!({"externalIPs": [{"subnet": subnet, "fixedIP": "203.0.113.7"}]});
                }
            }
            let mut api = json!({"enableFloatingIP": floating, "fixedIP": "10.6.0.10", "port": 8443});
            if given_ip && floating && balanced {
                api["floatingIP"] = json!("203.0.113.200");
            }
            if balanced {
                let allowed = &["198.51.100.0/24", "198.51.100.7", "nonsense"][..cidrs];
                let provider = ovn.then_some("ovn");
                api["managedLoadBalancer"] =
                    json!({"additionalPorts": ports, "allowedCIDRs": allowed, "provider": provider});
            }
            spec["apiServer"] = api;
            if grouped {
                spec["managedSecurityGroups"] = json!({"clusterNodesSecurityGroupRules": [{
                    "name": "BGP", "direction": "ingress", "protocol": "TCP", "portRangeMin": 179, "portRangeMax": 179,
                    "remoteManagedGroups": ["controlplane", "worker", "bastion"],
                }]});
            }
            if bastion {
                spec["bastion"] = bastion_spec();
                if reached {
                    spec["bastion"]["floatingIP"] = json!("203.0.113.202");
                }
            }
            if tagged {
                spec["tags"] = json!(["ours", "too"]);
            }
            spec
        },
    )
}

/// A bastion of the smallest kind.
pub fn bastion_spec() -> Value {
    json!({"enabled": true, "spec": {
        "flavor": {"filter": {"name": "small"}}, "image": {"filter": {"name": "ubuntu"}}, "sshKeyName": "key",
    }})
}

/// A cloud with an external network, a network to bring, and things of other people that look
/// much like ours.
pub fn cloud() -> Cloud {
    let mut cloud = Cloud::default();
    let holds = &mut cloud.holds;
    holds.project_id = PROJECT.into();
    holds.tagging = true;
    holds.octavia.version = (2, 27);
    holds.octavia.providers = vec!["amphora".into()];
    holds.networks = vec![
        network("public", "public"),
        network("brought", "brought"),
        network("other", OTHER),
    ];
    holds.networks[0].external = true;
    let shared = network("shared", "k8s-clusterapi-cluster-default-demo");
    holds.networks.push(Network {
        project_id: "elsewhere".into(),
        ..shared
    });
    holds.subnets = vec![
        subnet("brought", "10.7.0.0/24"),
        subnet("other", "10.6.0.0/24"),
    ];
    let router = |id: &str, name: &str| Router {
        id: id.into(),
        name: name.into(),
        ..Router::default()
    };
    holds.routers = vec![router("r-brought", "brought"), router("r-other", OTHER)];
    let port = Port {
        id: "p-other".into(),
        name: "demo-0".into(),
        network_id: "other".into(),
        ..Port::default()
    };
    holds.ports = vec![interface("r-brought", "brought"), port];
    let group = |name: &str| SecurityGroup {
        id: name.into(),
        name: name.into(),
        ..SecurityGroup::default()
    };
    holds.security_groups = vec![
        group("default"),
        group("k8s-cluster-default-demo2-secgroup-worker"),
    ];
    let ip = |address: &str, description: &str| FloatingIp {
        id: address.into(),
        address: address.into(),
        description: description.into(),
        ..FloatingIp::default()
    };
    let others = "Created by cluster-api-provider-openstack cluster default-demo2";
    holds.floating_ips = vec![
        ip("203.0.113.200", ""),
        ip("203.0.113.201", others),
        ip("203.0.113.202", "for the bastion"),
    ];
    let (id, name) = ("lb-other".into(), format!("{OTHER}-kubeapi"));
    holds.load_balancers = vec![LoadBalancer {
        id,
        name,
        state: State::Active,
        ..LoadBalancer::default()
    }];
    let zone = |name: &str| AvailabilityZone {
        name: name.into(),
        available: true,
    };
    holds.availability_zones = ["az2", "az1"].map(zone).into();
    cloud
}

/// The same, and what somebody made in our project by the names that ours will have.
pub fn crowded_cloud() -> Cloud {
    let mut cloud = cloud();
    let holds = &mut cloud.holds;
    holds.octavia.providers.push("ovn".into());
    let name = "k8s-clusterapi-cluster-default-demo".to_string();
    let description = || "made by hand".to_string();
    let network = network("by-hand", &name);
    holds.networks.push(Network {
        description: description(),
        ..network
    });
    holds.subnets.push(subnet("by-hand", "10.6.0.0/24"));
    holds.routers.push(Router {
        id: "r-by-hand".into(),
        name: name.clone(),
        description: description(),
        project_id: PROJECT.into(),
        ..Router::default()
    });
    for role in Role::ALL {
        holds.security_groups.push(SecurityGroup {
            id: format!("{role:?}-by-hand"),
            name: ClusterNames::new("default", "demo").security_group(role),
            description: description(),
            project_id: PROJECT.into(),
            ..SecurityGroup::default()
        });
    }
    holds.load_balancers.push(LoadBalancer {
        id: "lb-by-hand".into(),
        name: format!("{name}-kubeapi"),
        description: description(),
        state: State::Active,
        ..LoadBalancer::default()
    });
    cloud
}

fn network(id: &str, name: &str) -> Network {
    Network {
        id: id.into(),
        name: name.into(),
        project_id: PROJECT.into(),
        ..Network::default()
    }
}

fn subnet(network: &str, cidr: &str) -> Subnet {
    Subnet {
        id: format!("s-{network}"),
        name: network.into(),
        description: String::new(),
        tags: Vec::new(),
        project_id: PROJECT.into(),
        network_id: network.into(),
        cidr: cidr.parse().expect("a CIDR"),
        gateway_ip: None,
        dns_nameservers: Vec::new(),
        ipv6_address_mode: None,
        ipv6_ra_mode: None,
    }
}

fn interface(router: &str, network: &str) -> Port {
    Port {
        id: format!("p-{router}"),
        network_id: network.into(),
        device_id: router.into(),
        device_owner: "network:router_interface".into(),
        fixed_ips: vec![plan::world::FixedIp {
            subnet_id: format!("s-{network}"),
            ip_address: String::new(),
        }],
        ..Port::default()
    }
}
