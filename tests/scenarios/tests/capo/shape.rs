//! The clusters that change hands. `«8/id»` in one is a field of what the eighth of its `brought` made.

use scenarios::cluster_api::Machine;
use scenarios::recording::Write;
use serde_json::{Value, json};

/// Of floating IPs.
pub const POOL: &str = "public";

/// A cluster to be.
pub struct Shape {
    /// What its user has made in the cloud before.
    pub brought: Vec<Write>,
    /// Spec of the OpenStackCluster.
    pub cluster: Value,
    /// Spec of a pool of floating IPs.
    pub pool: Value,
    pub machines: Vec<Machine>,
    /// The machine that gets a floating IP.
    pub outside: &'static str,
}

impl Shape {
    pub fn has_bastion(&self) -> bool {
        self.cluster["bastion"]["enabled"] == true
    }

    /// Whether listeners let the bastion in by its addresses.
    pub fn bastion_is_on_lists(&self) -> bool {
        let balancer = &self.cluster["apiServer"]["managedLoadBalancer"];
        self.has_bastion() && balancer["allowedCIDRs"].is_array()
    }

    /// How many servers it has.
    pub fn servers(&self) -> usize {
        self.machines.len() + usize::from(self.has_bastion())
    }
}

/// Behind a load balancer, with most that can be asked for.
pub fn rich() -> Shape {
    let cluster = json!({
        "managedSubnets": [{
            "cidr": "10.6.0.0/24", "dnsNameservers": ["192.0.2.53"],
            "allocationPools": [{ "start": "10.6.0.20", "end": "10.6.0.200" }],
        }],
        "managedNetwork": { "mtu": 1400 },
        "managedSecurityGroups": {
            "allowAllInClusterTraffic": true,
            "clusterNodesSecurityGroupRules": [{
                "name": "bgp", "direction": "ingress", "etherType": "IPv4", "protocol": "tcp",
                "portRangeMin": 179, "portRangeMax": 179, "remoteManagedGroups": ["controlplane", "worker"],
            }],
        },
        "apiServer": { "managedLoadBalancer": {
            "enabled": true, "additionalPorts": [8132], "allowedCIDRs": ["203.0.113.0/24"],
        } },
        "tags": ["team-a"],
        "bastion": { "enabled": true, "spec": small() },
    });
    let mut worker = outside(small());
    for (field, value) in [
        ("flavor", json!({ "filter": { "name": "local-1V-2-10-5" } })),
        ("trunk", json!(true)),
        ("tags", json!(["blue"])),
        ("serverMetadata", json!([{ "key": "rack", "value": "7" }])),
        ("configDrive", json!(true)),
        (
            "additionalBlockDevices",
            json!([
                { "name": "data", "sizeGiB": 5, "storage": { "type": "Volume" } },
                { "name": "scratch", "sizeGiB": 3, "storage": { "type": "Local" } },
            ]),
        ),
        (
            "ports",
            json!([
                { "allowedAddressPairs": [{ "ipAddress": "10.244.0.0/16" }] },
                { "nameSuffix": "storage", "trunk": false, "enablePortSecurity": false, "description": "disks" },
            ]),
        ),
    ] {
        worker[field] = value;
    }
    Shape {
        brought: Vec::new(),
        cluster,
        pool: json!({ "reclaimPolicy": "Delete", "maxIPs": 2 }),
        machines: vec![control_plane("cp-0", small()), machine("worker-0", worker)],
        outside: "worker-0",
    }
}

/// Without a load balancer: the floating IP of the API is on the control plane machine.
pub fn bare() -> Shape {
    let cluster = json!({
        "managedSubnets": [{ "cidr": "10.6.0.0/24" }],
        "managedSecurityGroups": {},
        "bastion": { "enabled": true, "spec": small() },
    });
    Shape {
        brought: Vec::new(),
        cluster,
        pool: json!({ "reclaimPolicy": "Delete", "maxIPs": 1 }),
        machines: vec![control_plane("cp-0", small()), machine("worker-0", small())],
        outside: "cp-0",
    }
}

/// Behind a load balancer of OVN, with addresses of the user's choice.
pub fn ovn() -> Shape {
    let cluster = json!({
        "managedSubnets": [{ "cidr": "10.6.0.0/24" }],
        "managedSecurityGroups": { "allowAllInClusterTraffic": true },
        "apiServer": {
            "fixedIP": "10.6.0.5",
            "managedLoadBalancer": { "enabled": true, "provider": "ovn" },
        },
        "controlPlaneAvailabilityZones": ["az1", "az2"],
        "controlPlaneOmitAvailabilityZone": true,
    });
    let mut master = small();
    master["ports"] = json!([{ "fixedIPs": [{ "ipAddress": "10.6.0.11" }] }]);
    Shape {
        brought: Vec::new(),
        cluster,
        pool: json!({ "reclaimPolicy": "Delete" }),
        machines: vec![
            control_plane("cp-0", master),
            machine("worker-0", outside(small())),
        ],
        outside: "worker-0",
    }
}

/// On networks, a router, groups and floating IPs of the user, with load balancer in a network of its own.
pub fn brought() -> Shape {
    let cluster = json!({
        "network": { "filter": { "tags": ["office"] } },
        "subnets": [{ "filter": { "name": "nodes" } }, { "filter": { "cidr": "10.7.1.0/24" } }],
        "router": { "filter": { "name": "office" } },
        "externalNetwork": { "filter": { "name": "public" } },
        "managedSecurityGroups": {
            "controlPlaneNodesSecurityGroupRules": [{
                "name": "backup", "direction": "ingress", "etherType": "IPv4", "protocol": "tcp",
                "portRangeMin": 9000, "portRangeMax": 9001, "remoteIPPrefix": "10.9.0.0/16",
            }],
            "workerNodesSecurityGroupRules": [{
                "name": "scrape", "direction": "ingress", "etherType": "IPv4", "protocol": "tcp",
                "portRangeMin": 9100, "portRangeMax": 9100, "remoteGroupID": "«7/id»",
            }],
        },
        "apiServer": {
            "floatingIP": "«9/floating_ip_address»",
            "fixedIP": "10.8.0.10",
            "managedLoadBalancer": {
                "enabled": true, "additionalPorts": [8132, 9345], "provider": "octavia",
                "network": { "filter": { "name": "balancers" } },
                "monitor": { "delay": 7, "timeout": 4, "maxRetries": 3, "maxRetriesDown": 2 },
            },
        },
        "tags": ["team-b", "team-a"],
    });
    let mut master = small();
    for (field, value) in [
        ("sshKeyName", json!("capi")),
        ("serverGroup", json!({ "filter": { "name": "spread" } })),
        (
            "securityGroups",
            json!([{ "filter": { "name": "monitoring" } }]),
        ),
        (
            "rootVolume",
            json!({ "sizeGiB": 20, "type": "ssd", "availabilityZone": { "from": "Machine" } }),
        ),
    ] {
        master[field] = value;
    }
    Shape {
        brought: of_the_user(),
        cluster,
        pool: json!({
            "reclaimPolicy": "Retain", "preAllocatedFloatingIPs": ["«10/floating_ip_address»"],
            "floatingIPNetwork": { "filter": { "name": "public" } },
        }),
        machines: vec![
            control_plane("cp-0", master.clone()),
            control_plane("cp-1", master),
            machine("worker-0", of_two_networks()),
        ],
        outside: "worker-0",
    }
}

/// A worker that boots from the disk of its host and has a leg in each network.
fn of_two_networks() -> Value {
    let mut spec = outside(json!({
        "flavor": { "filter": { "name": "SCS-2V-4-20s" } },
        "image": { "id": "«image ubuntu-capi-image-v1.36.2»" },
    }));
    for (field, value) in [
        ("trunk", json!(true)),
        (
            "additionalBlockDevices",
            json!([{ "name": "data", "sizeGiB": 5, "storage": { "type": "Volume", "volume": {
                "type": "ssd", "availabilityZone": { "from": "Name", "name": "az1" },
            } } }]),
        ),
        (
            "schedulerHintAdditionalProperties",
            json!([{ "name": "rack", "value": { "type": "Number", "number": 7 } }]),
        ),
        (
            "ports",
            json!([
                {
                    "tags": ["front"], "vnicType": "normal", "macAddress": "fa:16:3e:00:00:07",
                    "securityGroups": [{ "id": "«7/id»" }],
                },
                {
                    "nameSuffix": "second", "trunk": false, "adminStateUp": true,
                    "network": { "filter": { "name": "balancers" } },
                    "fixedIPs": [{ "subnet": { "filter": { "name": "balancers" } }, "ipAddress": "10.8.0.50" }],
                },
            ]),
        ),
    ] {
        spec[field] = value;
    }
    spec
}

fn of_the_user() -> Vec<Write> {
    let subnet = |name: &str, network: &str, cidr: &str| json!({ "subnet": { "name": name, "network_id": network, "cidr": cidr, "ip_version": 4 } });
    let floating_ip = json!({ "floatingip": { "floating_network_id": "«network public»" } });
    let writes = [
        ("POST /networks", json!({ "network": { "name": "office" } })),
        ("PUT /networks/«1/id»/tags", json!({ "tags": ["office"] })),
        ("POST /subnets", subnet("nodes", "«1/id»", "10.7.0.0/24")),
        ("POST /subnets", subnet("more", "«1/id»", "10.7.1.0/24")),
        (
            "POST /networks",
            json!({ "network": { "name": "balancers" } }),
        ),
        (
            "POST /subnets",
            subnet("balancers", "«4/id»", "10.8.0.0/24"),
        ),
        (
            "POST /routers",
            json!({ "router": {
                "name": "office", "external_gateway_info": { "network_id": "«network public»" },
            } }),
        ),
        interface("«2/id»"),
        interface("«3/id»"),
        interface("«5/id»"),
        (
            "POST /security-groups",
            json!({ "security_group": { "name": "monitoring" } }),
        ),
    ];
    let group = json!({ "server_group": { "name": "spread", "policy": "soft-anti-affinity" } });
    let mut all: Vec<Write> = writes
        .map(|(call, body)| write("network", call, body))
        .into();
    all.push(write("compute", "POST /os-server-groups", group));
    all.extend([0; 2].map(|_| write("network", "POST /floatingips", floating_ip.clone())));
    all
}

fn interface(subnet: &str) -> (&'static str, Value) {
    let body = json!({ "subnet_id": subnet });
    ("PUT /routers/«6/id»/add_router_interface", body)
}

fn write(service: &str, call: &str, body: Value) -> Write {
    let operation = format!("{service} {call}");
    Write { operation, body }
}

fn small() -> Value {
    json!({
        "flavor": { "filter": { "name": "SCS-2V-4-20s" } },
        "image": { "filter": { "name": "ubuntu-capi-image-v1.36.2" } },
        "rootVolume": { "sizeGiB": 20 },
    })
}

/// With a floating IP of the pool.
fn outside(mut spec: Value) -> Value {
    spec["floatingIPPoolRef"] = json!({
        "apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "OpenStackFloatingIPPool", "name": POOL,
    });
    spec
}

fn control_plane(name: &str, spec: Value) -> Machine {
    Machine {
        control_plane: true,
        ..machine(name, spec)
    }
}

fn machine(name: &str, spec: Value) -> Machine {
    Machine {
        name: name.to_owned(),
        control_plane: false,
        failure_domain: Some("az1".to_owned()),
        spec,
    }
}
