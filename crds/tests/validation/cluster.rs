//! Rules of clusters, and changes that depend on more than the field.

use crds::openstack::v1beta2::{OpenStackCluster, OpenStackClusterTemplate};
use crds::openstack::validation::{Rules, Violation};
use serde_json::{Value, json};

use crate::{accepted, object, patched, refused, with_status};

const KIND: &str = "OpenStackCluster";
const NET: &str = "0d5ea1e0-0000-4000-8000-000000000001";
const SUBNET: &str = "0d5ea1e0-0000-4000-8000-000000000002";
const OTHER: &str = "0d5ea1e0-0000-4000-8000-000000000003";

/// A cluster whose infrastructure is there.
fn spec(patch: &Value) -> Value {
    let base = json!({
        "identityRef": { "name": "cloud", "cloudName": "openstack" },
        "controlPlaneEndpoint": { "host": "192.0.2.10", "port": 6443 },
    });
    patched(&base, patch)
}

fn created(patch: &Value) -> Vec<Violation> {
    object::<OpenStackCluster>(KIND, &spec(patch)).on_create()
}

fn changed(old: &Value, new: &Value) -> Vec<Violation> {
    changed_with(&json!(null), old, new)
}

fn changed_with(status: &Value, old: &Value, new: &Value) -> Vec<Violation> {
    let old: OpenStackCluster = with_status(KIND, &spec(old), status);
    let new: OpenStackCluster = with_status(KIND, &spec(new), status);
    new.on_update(&old)
}

fn rule(remote: &Value) -> Value {
    patched(&json!({ "name": "web", "direction": "ingress" }), remote)
}

#[test]
fn a_rule_has_one_other_side() {
    let two = rule(&json!({ "remoteGroupID": NET, "remoteIPPrefix": "10.0.0.0/8" }));
    let three = patched(&two, &json!({ "remoteManagedGroups": ["worker"] }));
    for list in ["clusterNodes", "controlPlaneNodes", "workerNodes"] {
        let groups = |rule: &Value| json!({ "managedSecurityGroups": { format!("{list}SecurityGroupRules"): [rule] } });
        let field = format!("spec.managedSecurityGroups.{list}SecurityGroupRules[0]");
        let words = ["\"web\"", "remoteGroupID and remoteIPPrefix", "keep one"];
        refused(&created(&groups(&two)), &field, &words);
        refused(
            &changed(&json!({}), &groups(&three)),
            &field,
            &["remoteManagedGroups and"],
        );
        let template = json!({ "template": { "spec": spec(&groups(&two)) } });
        let template = object::<OpenStackClusterTemplate>("OpenStackClusterTemplate", &template);
        let at = field.replace("spec.", "spec.template.spec.");
        refused(&template.on_create(), &at, &words);
        for one in [
            json!({ "remoteGroupID": NET }),
            json!({ "remoteIPPrefix": "10.0.0.0/8" }),
            json!({ "remoteManagedGroups": ["worker", "controlplane"] }),
            json!({}),
        ] {
            accepted(&created(&groups(&rule(&one))));
        }
    }
}

#[test]
fn subnets_to_make_have_addresses() {
    let subnet = |field: &str, value: Value| {
        let mut subnet = json!({ "cidr": "10.6.0.0/24" });
        subnet[field] = value;
        json!({ "managedSubnets": [subnet] })
    };
    for wrong in ["10.6.0.0", "10.6.0/24", "10.6.0.0/33", "fd00::/129", "x/y"] {
        let words = [wrong, "such as 10.6.0.0/24"];
        let found = created(&subnet("cidr", json!(wrong)));
        refused(&found, "spec.managedSubnets[0].cidr", &words);
    }
    accepted(&created(&subnet("cidr", json!("fd00::/64"))));
    let two =
        |one: &str, two: &str| json!({ "managedSubnets": [{ "cidr": one }, { "cidr": two }] });
    accepted(&created(&two("10.6.0.0/24", "fd00::/64")));
    for (one, other) in [("10.6.0.0/24", "10.7.0.0/24"), ("fd00::/64", "fd01::/64")] {
        let found = created(&two(one, other));
        refused(
            &found,
            "spec.managedSubnets[1].cidr",
            &[other, "one subnet of each IP version"],
        );
    }
    let found = created(&subnet("dnsNameservers", json!(["9.9.9.9", "dns.example"])));
    refused(
        &found,
        "spec.managedSubnets[0].dnsNameservers[1]",
        &["dns.example"],
    );
    let pools = json!([{ "start": "10.6.0.10", "end": "10.6.0.300" }]);
    let found = created(&subnet("allocationPools", pools));
    refused(
        &found,
        "spec.managedSubnets[0].allocationPools[0].end",
        &["10.6.0.300"],
    );
}

#[test]
fn a_bastion_is_checked_as_machines_are() {
    let ports = json!([{ "enablePortSecurity": false, "securityGroups": [{ "id": NET }] }]);
    let bastion = json!({ "bastion": { "spec": { "flavor": {}, "image": {}, "ports": ports } } });
    let field = "spec.bastion.spec.ports[0].securityGroups";
    refused(&created(&bastion), field, &["enablePortSecurity"]);
    refused(
        &changed(&json!({}), &bastion),
        field,
        &["enablePortSecurity"],
    );
    // It was so before: something else can still be changed.
    let zones = patched(
        &bastion,
        &json!({ "controlPlaneAvailabilityZones": ["az1"] }),
    );
    accepted(&changed(&bastion, &zones));
}

#[test]
fn a_bastion_is_disabled_before_it_is_removed() {
    let bastion = |enabled: Value| json!({ "bastion": { "enabled": enabled, "spec": { "flavor": {}, "image": {} } } });
    let (on, off, unsaid) = (
        bastion(json!(true)),
        bastion(json!(false)),
        bastion(json!(null)),
    );
    let none = json!({});
    for on in [&on, &unsaid] {
        refused(
            &changed(on, &none),
            "spec.bastion",
            &["while it is enabled", "enabled to false first"],
        );
        accepted(&changed(on, &off));
        accepted(&changed(&none, on));
    }
    accepted(&changed(&off, &none));
}

#[test]
fn an_endpoint_is_set_once() {
    let host = |host: Value| json!({ "controlPlaneEndpoint": host });
    let (none, port) = (
        host(json!(null)),
        host(json!({ "host": null, "port": 443 })),
    );
    let set = host(json!({ "host": "192.0.2.10", "port": 443 }));
    accepted(&changed(&none, &set));
    accepted(&changed(&port, &set));
    let other = host(json!({ "host": "192.0.2.11", "port": 443 }));
    refused(
        &changed(&set, &other),
        "spec.controlPlaneEndpoint.host",
        &["192.0.2.11", "192.0.2.10", "kubeconfigs"],
    );
    refused(
        &changed(&set, &none),
        "spec.controlPlaneEndpoint",
        &["cannot be removed"],
    );
}

#[test]
fn whoever_runs_the_api_elsewhere_says_later_where() {
    let api = |api: Value| json!({ "apiServer": api });
    let hosted = api(json!({ "enableFloatingIP": false }));
    let there = json!({ "enableFloatingIP": false, "fixedIP": "10.6.0.5", "port": 443 });
    let there = api(there);
    accepted(&changed(&hosted, &there));
    let moved = patched(&there, &api(json!({ "fixedIP": "10.6.0.6" })));
    refused(
        &changed(&there, &moved),
        "spec.apiServer.fixedIP",
        &["10.6.0.6", "10.6.0.5", "set once"],
    );
    let other_port = patched(&there, &api(json!({ "port": 444 })));
    refused(
        &changed(&there, &other_port),
        "spec.apiServer.port",
        &["444", "443"],
    );

    let floating = api(json!({ "enableFloatingIP": true }));
    for field in [json!({ "fixedIP": "10.6.0.5" }), json!({ "port": 443 })] {
        assert_eq!(
            changed(&floating, &patched(&floating, &api(field))).len(),
            1
        );
    }
}

#[test]
fn a_floating_ip_in_use_can_be_written_down() {
    let status = json!({ "apiServerManagedLoadBalancer":
        { "name": "lb", "id": "1", "ip": "192.0.2.20", "internalIP": "10.6.0.9" } });
    let given = |ip: &str| json!({ "apiServer": { "floatingIP": ip } });
    let (none, empty) = (json!({}), json!({ "apiServer": {} }));
    for old in [&none, &empty] {
        accepted(&changed_with(&status, old, &given("192.0.2.20")));
        accepted(&changed_with(&json!(null), old, &given("192.0.2.10")));
        refused(
            &changed_with(&status, old, &given("192.0.2.30")),
            "spec.apiServer.floatingIP",
            &["192.0.2.30", "in use already"],
        );
    }
    let found = changed_with(&status, &given("192.0.2.20"), &empty);
    refused(&found, "spec.apiServer.floatingIP", &["cannot be removed"]);
}

#[test]
fn managed_groups_can_be_turned_on_but_not_off() {
    let groups = json!({ "managedSecurityGroups": { "allowAllInClusterTraffic": true } });
    accepted(&changed(&json!({}), &groups));
    let found = changed(&groups, &json!({}));
    refused(
        &found,
        "spec.managedSecurityGroups",
        &["cannot be removed", "empty the lists"],
    );
}

#[test]
fn managed_subnets_get_name_servers_and_an_ipv6_subnet() {
    let subnets = |subnets: Value| json!({ "managedSubnets": subnets });
    let old = subnets(json!([{ "cidr": "10.6.0.0/24" }]));
    let dns = subnets(json!([{ "cidr": "10.6.0.0/24", "dnsNameservers": ["9.9.9.9"] }]));
    accepted(&changed(&old, &dns));
    accepted(&changed(&dns, &old));
    let dual = subnets(json!([{ "cidr": "10.6.0.0/24" }, { "cidr": "fd00::/64" }]));
    accepted(&changed(&old, &dual));
    refused(
        &changed(&dual, &old),
        "spec.managedSubnets",
        &["IPv6 subnet can be added"],
    );
    let wider = subnets(json!([{ "cidr": "10.6.0.0/23" }]));
    refused(
        &changed(&old, &wider),
        "spec.managedSubnets[0].cidr",
        &["10.6.0.0/23", "10.6.0.0/24"],
    );
    let second = subnets(json!([{ "cidr": "10.6.0.0/24" }, { "cidr": "10.7.0.0/24" }]));
    let found = changed(&old, &second);
    let fields: Vec<&str> = found.iter().map(|v| v.field.as_str()).collect();
    assert_eq!(
        fields,
        ["spec.managedSubnets[1].cidr", "spec.managedSubnets"]
    );
    refused(
        &changed(&old, &json!({})),
        "spec.managedSubnets",
        &["cannot be removed"],
    );
}

#[test]
fn the_router_that_we_make_can_move_its_gateway() {
    let router = |ip: &str| {
        json!({ "managedSubnets": [{ "cidr": "10.6.0.0/24" }],
                "managedRouter": { "externalIPs": [{ "fixedIP": ip, "subnet": { "id": SUBNET } }] } })
    };
    accepted(&changed(&router("192.0.2.2"), &router("192.0.2.3")));
    let brought = json!({ "router": { "id": NET } });
    let (old, new) = (
        patched(&router("192.0.2.2"), &brought),
        patched(&router("192.0.2.3"), &brought),
    );
    refused(
        &changed(&old, &new),
        "spec.managedRouter.externalIPs[0].fixedIP",
        &["192.0.2.3", "spec.router"],
    );
}

#[test]
fn a_filter_can_be_replaced_by_the_id_of_what_it_found() {
    let status = json!({
        "network": { "name": "net", "id": NET, "subnets": [
            { "name": "one", "id": SUBNET, "cidr": "10.6.0.0/24" },
            { "name": "two", "id": NET, "cidr": "10.7.0.0/24" },
        ] },
        "externalNetwork": { "name": "public", "id": NET },
        "router": { "name": "router", "id": SUBNET },
    });
    let by_name = |field: &str| json!({ field: { "filter": { "name": "x" } } });
    let by_id = |field: &str, id: &str| json!({ field: { "filter": null, "id": id } });
    for (field, id) in [
        ("network", NET),
        ("externalNetwork", NET),
        ("router", SUBNET),
    ] {
        accepted(&changed_with(&status, &by_name(field), &by_id(field, id)));
        let wrong = changed_with(&status, &by_name(field), &by_id(field, OTHER));
        assert!(
            wrong.iter().any(|v| v.field == format!("spec.{field}.id")),
            "{wrong:?}"
        );
        let back = changed_with(&status, &by_id(field, id), &by_name(field));
        assert_eq!(back.len(), 2, "{back:?}");
    }
    let subnets = |subnet: Value| json!({ "subnets": [subnet] });
    for (filter, id, good) in [
        (json!({ "name": "one" }), SUBNET, true),
        (json!({ "cidr": "10.7.0.0/24" }), NET, true),
        (json!({ "name": "one" }), NET, false),
        (json!({ "ipVersion": 4 }), SUBNET, false), // either could be meant
    ] {
        let (old, new) = (
            subnets(json!({ "filter": filter })),
            subnets(json!({ "id": id })),
        );
        let found = changed_with(&status, &old, &new);
        assert_eq!(found.is_empty(), good, "{filter} {id} {found:?}");
    }
}

#[test]
fn a_name_that_led_to_nothing_can_be_corrected() {
    let not_made = |patch: Value| patched(&json!({ "controlPlaneEndpoint": null }), &patch);
    let named = |name: &str| {
        let param = json!({ "filter": { "name": name } });
        let balancer = json!({ "network": param, "subnets": [param] });
        not_made(
            json!({ "network": param, "subnets": [param], "router": param,
                "externalNetwork": param, "apiServer": { "managedLoadBalancer": balancer } }),
        )
    };
    let (wrong, right) = (named("wrong"), named("right"));
    accepted(&changed(&wrong, &right));
    accepted(&changed(
        &not_made(json!({})),
        &not_made(json!({ "externalNetwork": { "id": NET } })),
    ));
    let made = json!({ "network": { "name": "net", "id": NET } });
    assert_eq!(changed_with(&made, &wrong, &right).len(), 6);
    // The status is lost when an object moves; the endpoint is not.
    let endpoint = json!({ "controlPlaneEndpoint": { "host": "192.0.2.10" } });
    let moved = changed(&patched(&wrong, &endpoint), &patched(&right, &endpoint));
    assert_eq!(moved.len(), 6);
    // A managed network does not become a brought one.
    let managed = not_made(json!({ "managedSubnets": [{ "cidr": "10.6.0.0/24" }] }));
    let brought = not_made(json!({ "network": { "id": NET } }));
    assert_eq!(changed(&managed, &brought).len(), 2);
}

#[test]
fn a_subnet_that_neutron_refused_can_be_corrected() {
    let subnet =
        |cidr: &str| json!({ "controlPlaneEndpoint": null, "managedSubnets": [{ "cidr": cidr }] });
    let status = |reason: &str| {
        json!({ "conditions": [{ "type": "NetworkReady", "status": "False", "reason": reason,
                "message": "", "lastTransitionTime": "2026-11-21T12:00:00Z" }] })
    };
    let (old, new) = (subnet("10.6.0.0/31"), subnet("10.6.0.0/24"));
    accepted(&changed_with(&status("SubnetCreateFailed"), &old, &new));
    let field = "spec.managedSubnets[0].cidr";
    refused(
        &changed_with(&status("Progressing"), &old, &new),
        field,
        &["10.6.0.0/31"],
    );
}

#[test]
fn the_order_of_a_set_means_nothing() {
    let tags = |tags: &[&str]| json!({ "tags": tags });
    accepted(&changed(&tags(&["a", "b"]), &tags(&["b", "a"])));
    for other in [&["a"][..], &["a", "b", "c"], &["a", "c"]] {
        assert_eq!(changed(&tags(&["a", "b"]), &tags(other)).len(), 1);
    }
}
