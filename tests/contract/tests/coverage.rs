//! The contract leaves out nothing that the client can ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;
use cloud::Credentials;
use cloud::block_storage::VolumeCreate;
use cloud::compute::{BlockDevice, ServerCreate, ServerPort};
use cloud::loadbalancer::{
    AdditionalVip, ListenerCreate, LoadBalancerCreate, MemberCreate, MonitorCreate, PoolCreate,
};
use cloud::network::{
    AddressPair, AllocationPool, FixedIp, FloatingIpCreate, Gateway, NetworkCreate, PortCreate,
    RouterCreate, SecurityGroupRuleCreate, SubnetCreate, TrunkCreate,
};
use serde_json::{Value, json};
use simulator::{Options, Simulator};

/// Fields that the clouds of the contract refuse: they lack two extensions, and profiles are for other services.
const REFUSED: [&str; 3] = [
    "port.trusted",
    "port.propagate_uplink_status",
    "port.binding:profile",
];

const CLIENT: [&str; 5] = [
    include_str!("../../../provider-openstack/cloud/src/block_storage.rs"),
    include_str!("../../../provider-openstack/cloud/src/compute/mod.rs"),
    include_str!("../../../provider-openstack/cloud/src/image.rs"),
    include_str!("../../../provider-openstack/cloud/src/loadbalancer/mod.rs"),
    include_str!("../../../provider-openstack/cloud/src/network/mod.rs"),
];
const CONTRACT: [&str; 5] = [
    include_str!("../src/balancer.rs"),
    include_str!("../src/lib.rs"),
    include_str!("../src/lists.rs"),
    include_str!("../src/network.rs"),
    include_str!("../src/server.rs"),
];

#[test]
fn every_call_of_the_client_is_in_the_contract() {
    let of_line = |line: &'static str| line.trim_start().strip_prefix("pub async fn ");
    let calls = CLIENT.iter().flat_map(|source| source.lines());
    let calls: Vec<&str> = calls
        .filter_map(of_line)
        .filter_map(|line| line.split(['(', '<']).next())
        .collect();
    assert!(calls.len() > 40, "{calls:?}");
    let is_made = |call: &&str| {
        let call = format!(".{call}(");
        CONTRACT.iter().any(|source| source.contains(&call))
    };
    let missing: Vec<_> = calls.into_iter().filter(|call| !is_made(call)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// What was asked of a cloud: the fields of bodies by operation, with and without the names of query parameters.
#[derive(Default)]
struct Asked(BTreeMap<String, BTreeSet<String>>);

impl Asked {
    fn of(cloud: &Simulator, accepted: bool) -> Self {
        let mut asked = Self::default();
        for call in cloud.log().all() {
            if call.status.is_some_and(|status| status < 400) == accepted {
                let path = contract::transcript::path_of(&format!("/?{}", call.query));
                let known = asked.0.entry(call.operation.clone()).or_default();
                fields("", &call.body, known);
                asked
                    .0
                    .entry(format!("{} {path}", call.operation))
                    .or_default();
            }
        }
        asked
    }

    fn missing<'a>(
        &self,
        operation: &str,
        wanted: impl Iterator<Item = &'a String>,
    ) -> Vec<String> {
        let known = self.0.get(operation);
        let is_new = |field: &&String| !known.is_some_and(|known| known.contains(*field));
        let name = |field: &String| format!("{operation}: {field}");
        let mut missing: Vec<String> = wanted.filter(is_new).map(name).collect();
        if known.is_none() {
            missing.push(operation.to_owned());
        }
        missing
    }
}

/// The paths of the fields of a body: `port.fixed_ips[].subnet_id`. Below some, keys are data.
fn fields(path: &str, value: &Value, into: &mut BTreeSet<String>) {
    match value {
        _ if path.ends_with("metadata") || path.ends_with("binding:profile") => {}
        Value::Object(object) => {
            for (name, field) in object {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                into.insert(path.clone());
                fields(&path, field, into);
            }
        }
        Value::Array(items) => {
            for item in items {
                fields(&format!("{path}[]"), item, into);
            }
        }
        _ => {}
    }
}

async fn probed() -> Result<Simulator> {
    let cloud = Simulator::start(options()).await?;
    let yaml = cloud.clouds_yaml();
    let [tenant, admin] =
        ["tenant", "admin"].map(|name| Credentials::parse(yaml.as_bytes(), name, None, None));
    contract::probes::run(&tenant?, Some(&admin?)).await?;
    Ok(cloud)
}

#[tokio::test]
async fn what_the_client_can_send_is_probed() -> Result<()> {
    let client = Simulator::start(options()).await?;
    let yaml = client.clouds_yaml();
    contract::run(Credentials::parse(yaml.as_bytes(), "tenant", None, None)?).await?;
    let sent = Asked::of(&client, true);
    assert!(sent.0.len() > 80, "{:?}", sent.0.keys());
    let probed = probed().await?;
    let (accepted, refused) = (Asked::of(&probed, true), Asked::of(&probed, false));
    let sent = sent.0.iter();
    let mut missing: Vec<String> = sent
        .flat_map(|(operation, fields)| accepted.missing(operation, fields.iter()))
        .collect();
    for (operation, body) in everything() {
        let mut all = BTreeSet::new();
        fields("", &body, &mut all);
        let is_refused = |field: &&String| REFUSED.contains(&field.as_str());
        let (others, taken): (Vec<_>, Vec<_>) = all.iter().partition(is_refused);
        missing.extend(accepted.missing(operation, taken.into_iter()));
        if !others.is_empty() {
            missing.extend(refused.missing(operation, others.into_iter()));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    Ok(())
}

/// What the client creates and changes, with every field. No `..Default::default()` in here: a new field does not
/// compile before it stands here, and then has to be probed.
fn everything() -> Vec<(&'static str, Value)> {
    let mut all = network();
    all.extend(balancer());
    let device = BlockDevice {
        source_type: text(),
        destination_type: text(),
        uuid: Some(text()),
        boot_index: 0,
        delete_on_termination: true,
        volume_size: Some(1),
        tag: Some(text()),
        disk_bus: Some(text()),
    };
    let server = ServerCreate {
        name: text(),
        flavor_id: text(),
        image_id: Some(text()),
        networks: vec![ServerPort { port: text() }],
        key_name: Some(text()),
        user_data: Some(cloud::Redacted(text())),
        config_drive: Some(true),
        availability_zone: Some(text()),
        metadata: data(),
        tags: vec![text()],
        block_devices: vec![device],
        scheduler_hints: serde_json::Map::new(),
        multiattach: true,
    };
    let server = json!({"server": server, "os:scheduler_hints": {"group": ""}});
    let volume = VolumeCreate {
        name: text(),
        description: text(),
        size: 1,
        availability_zone: Some(text()),
        volume_type: Some(text()),
        image_id: Some(text()),
        metadata: data(),
    };
    all.push(("compute POST /servers", server));
    all.push(("volume POST /volumes", json!({"volume": volume})));
    all
}

fn text() -> String {
    "a".to_owned()
}

fn data() -> BTreeMap<String, String> {
    [(text(), text())].into()
}

fn gateway() -> Gateway {
    let external_fixed_ips = vec![FixedIp {
        subnet_id: text(),
        ip_address: text(),
    }];
    Gateway {
        network_id: text(),
        external_fixed_ips,
        enable_snat: Some(true),
    }
}

fn network() -> Vec<(&'static str, Value)> {
    let network = NetworkCreate {
        name: text(),
        description: text(),
        admin_state_up: true,
        mtu: Some(1),
        port_security_enabled: Some(true),
    };
    let subnet = SubnetCreate {
        name: text(),
        description: text(),
        network_id: text(),
        ip_version: 6,
        cidr: text(),
        dns_nameservers: vec![text()],
        allocation_pools: vec![AllocationPool {
            start: text(),
            end: text(),
        }],
        enable_dhcp: Some(true),
        ipv6_address_mode: Some("slaac"),
        ipv6_ra_mode: Some("slaac"),
    };
    let router = RouterCreate {
        name: text(),
        description: text(),
        external_gateway_info: Some(gateway()),
    };
    let gateway = json!({"router": {"external_gateway_info": gateway()}});
    vec![
        ("network POST /networks", json!({"network": network})),
        ("network POST /subnets", json!({"subnet": subnet})),
        (
            "network PUT /subnets/{id}",
            json!({"subnet": {"dns_nameservers": []}}),
        ),
        ("network POST /routers", json!({"router": router})),
        ("network PUT /routers/{id}", gateway),
    ]
    .into_iter()
    .chain(groups())
    .chain(ports())
    .collect()
}

fn groups() -> Vec<(&'static str, Value)> {
    let rule = SecurityGroupRuleCreate {
        security_group_id: text(),
        direction: text(),
        ethertype: text(),
        protocol: Some(text()),
        port_range_min: Some(1),
        port_range_max: Some(1),
        remote_group_id: Some(text()),
        remote_ip_prefix: Some(text()),
        description: text(),
    };
    let trunk = TrunkCreate {
        name: text(),
        description: text(),
        port_id: text(),
    };
    let group = json!({"security_group": {"name": "", "description": ""}});
    vec![
        ("network POST /security-groups", group),
        (
            "network POST /security-group-rules",
            json!({"security_group_rules": [rule]}),
        ),
        ("network POST /trunks", json!({"trunk": trunk})),
    ]
}

fn ports() -> Vec<(&'static str, Value)> {
    let pair = AddressPair {
        ip_address: text(),
        mac_address: Some(text()),
    };
    let changed =
        json!({"port": {"name": "", "description": "", "allowed_address_pairs": [&pair]}});
    let port = PortCreate {
        name: text(),
        description: text(),
        network_id: text(),
        admin_state_up: Some(true),
        fixed_ips: vec![FixedIp {
            subnet_id: text(),
            ip_address: text(),
        }],
        security_groups: Some(vec![text()]),
        allowed_address_pairs: vec![pair],
        mac_address: Some(text()),
        port_security_enabled: Some(true),
        propagate_uplink_status: Some(true),
        vnic_type: Some(text()),
        host_id: Some(text()),
        profile: Some(json!({})),
        tags: vec![text()],
        trusted: Some(true),
        value_specs: serde_json::Map::new(),
    };
    let several = PortCreate {
        propagate_uplink_status: None,
        host_id: None,
        profile: None,
        trusted: None,
        ..port.clone()
    };
    let ip = FloatingIpCreate {
        floating_network_id: text(),
        description: text(),
        floating_ip_address: Some(text()),
        port_id: Some(text()),
    };
    vec![
        ("network POST /ports", json!({"ports": [several]})),
        ("network POST /ports", json!({"port": port})),
        ("network PUT /ports/{id}", changed),
        ("network POST /floatingips", json!({"floatingip": ip})),
        (
            "network PUT /floatingips/{id}",
            json!({"floatingip": {"port_id": ""}}),
        ),
    ]
    .into_iter()
    .chain(tags())
    .collect()
}

/// Of every kind that has them.
fn tags() -> impl Iterator<Item = (&'static str, Value)> {
    [
        "network PUT /networks/{id}/tags",
        "network PUT /subnets/{id}/tags",
        "network PUT /routers/{id}/tags",
        "network PUT /ports/{id}/tags",
        "network PUT /security-groups/{id}/tags",
        "network PUT /floatingips/{id}/tags",
        "network PUT /trunks/{id}/tags",
    ]
    .into_iter()
    .map(|operation| (operation, json!({"tags": []})))
}

fn balancer() -> Vec<(&'static str, Value)> {
    let balancer = LoadBalancerCreate {
        name: text(),
        description: text(),
        vip_network_id: text(),
        vip_subnet_id: Some(text()),
        vip_address: Some(text()),
        additional_vips: vec![AdditionalVip {
            subnet_id: text(),
            ip_address: Some(text()),
        }],
        provider: Some(text()),
        flavor_id: Some(text()),
        availability_zone: Some(text()),
        tags: vec![text()],
    };
    vec![(
        "load-balancer POST /lbaas/loadbalancers",
        json!({"loadbalancer": balancer}),
    )]
    .into_iter()
    .chain(children())
    .collect()
}

fn children() -> Vec<(&'static str, Value)> {
    let listener = ListenerCreate {
        name: text(),
        description: text(),
        loadbalancer_id: text(),
        protocol: text(),
        protocol_port: 1,
        default_pool_id: Some(text()),
        allowed_cidrs: Some(vec![text()]),
        tags: vec![text()],
    };
    let pool = PoolCreate {
        name: text(),
        description: text(),
        listener_id: text(),
        protocol: text(),
        lb_algorithm: text(),
        tags: vec![text()],
    };
    let member = MemberCreate {
        name: text(),
        address: text(),
        protocol_port: 1,
        subnet_id: Some(text()),
        tags: vec![text()],
    };
    let monitor = MonitorCreate {
        name: text(),
        pool_id: text(),
        kind: text(),
        delay: 1,
        timeout: 1,
        max_retries: 1,
        max_retries_down: 1,
        tags: vec![text()],
    };
    let probe = json!({"healthmonitor": {"delay": 1, "timeout": 1, "max_retries": 1, "max_retries_down": 1}});
    vec![
        (
            "load-balancer POST /lbaas/listeners",
            json!({"listener": listener}),
        ),
        (
            "load-balancer PUT /lbaas/listeners/{id}",
            json!({"listener": {"allowed_cidrs": []}}),
        ),
        ("load-balancer POST /lbaas/pools", json!({"pool": pool})),
        (
            "load-balancer POST /lbaas/pools/{id}/members",
            json!({"member": member}),
        ),
        (
            "load-balancer POST /lbaas/healthmonitors",
            json!({"healthmonitor": monitor}),
        ),
        ("load-balancer PUT /lbaas/healthmonitors/{id}", probe),
    ]
}

/// What is refused while a load balancer is pending has to come in time, however busy the machine is.
fn options() -> Options {
    let mut options = Options::default();
    options.delays.balancer = Duration::from_millis(300);
    options
}
