//! Proof that the API server refuses in the provider's name what contradicts itself or cannot change, in
//! words that help, and accepts the rest. Objects without an owner are left alone by the controllers.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{management, manifests};
use crate::lab::Lab;

const GROUP: &str = "infrastructure.cluster.x-k8s.io";
const NAME: &str = "admission-probe";

/// A request, and what the answer must hold; empty: it is accepted. For what is invalid kubectl prints the causes
/// alone, and not that a webhook named them.
struct Case {
    kind: &'static str,
    /// The spec of a new object, or a merge patch of the spec of the one that is there.
    spec: Value,
    words: &'static [&'static str],
}

/// Asks for each kind what is accepted and what is not. The number of answers.
///
/// # Errors
/// All answers that were not as they must be.
pub fn prove(lab: &Lab) -> Result<usize> {
    let mut wrong = Vec::new();
    let (new, changes) = (new(), changes());
    for case in &new {
        judge(
            case,
            &manifests::dry_run(lab, &object(case.kind, &case.spec)),
            &mut wrong,
        );
    }
    let there: Vec<Value> = new
        .iter()
        // A server without an owner is made all the same.
        .filter(|case| case.words.is_empty() && case.kind != "OpenStackServer")
        .map(|case| object(case.kind, &case.spec))
        .collect();
    manifests::apply(lab, &there)?;
    for case in &changes {
        judge(case, &patch(lab, case), &mut wrong);
    }
    for object in &there {
        let kind = object["kind"].as_str().context("kind")?;
        management::ask(lab, &["delete", kind, NAME, "--namespace=default"])?;
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(new.len() + changes.len())
}

fn judge(case: &Case, answer: &Result<()>, wrong: &mut Vec<String>) {
    let said = match answer {
        Ok(()) => "accepted".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    let as_wished = match case.words {
        [] => answer.is_ok(),
        words => answer.is_err() && words.iter().all(|word| said.contains(word)),
    };
    if !as_wished {
        let Case { kind, spec, words } = case;
        wrong.push(format!("{kind} {spec}: not {words:?}, but {said}"));
    }
}

fn patch(lab: &Lab, case: &Case) -> Result<()> {
    let patch = json!({ "spec": case.spec }).to_string();
    let arguments = [
        "patch",
        case.kind,
        NAME,
        "--namespace=default",
        "--type=merge",
    ];
    let further = ["--dry-run=server", "--patch", &patch];
    management::ask(lab, &[&arguments[..], &further].concat()).map(drop)
}

fn object(kind: &str, spec: &Value) -> Value {
    let version = if kind == "OpenStackServer" {
        "v1alpha1"
    } else {
        "v1beta2"
    };
    json!({ "apiVersion": format!("{GROUP}/{version}"), "kind": kind,
            "metadata": { "name": NAME, "namespace": "default" }, "spec": spec })
}

fn case(kind: &'static str, spec: Value, words: &'static [&'static str]) -> Case {
    Case { kind, spec, words }
}

fn machine() -> Value {
    json!({ "flavor": { "id": "1" }, "image": { "filter": { "name": "i" } }, "ports": [{}] })
}

fn cluster() -> Value {
    json!({ "identityRef": { "name": "none", "cloudName": "none", "region": "R" }, "tags": ["a"],
            "managedSubnets": [{ "cidr": "10.6.0.0/24" }] })
}

fn server() -> Value {
    json!({ "identityRef": { "name": "none", "cloudName": "none" }, "flavor": "f", "sshKeyName": "",
            "image": { "filter": { "name": "i" } }, "ports": [{}] })
}

fn with(mut spec: Value, field: &str, value: Value) -> Value {
    spec[field] = value;
    spec
}

fn template(spec: Value) -> Value {
    json!({ "template": { "spec": spec } })
}

fn new() -> Vec<Case> {
    let open =
        json!([{ "enablePortSecurity": false, "securityGroups": [{ "filter": { "name": "g" } }] }]);
    let rule = json!({ "name": "r", "direction": "ingress", "remoteGroupID": "g", "remoteIPPrefix": "::/0" });
    let rules = json!({ "clusterNodesSecurityGroupRules": [rule] });
    let subnets = json!([{ "cidr": "10.6.0.0" }]);
    const OPEN: &[&str] = &["ports[0].securityGroups", "leave securityGroups out"];
    const RULE: &[&str] = &["SecurityGroupRules[0]", "remoteGroupID and remoteIPPrefix"];
    const CIDR: &[&str] = &["spec.managedSubnets[0].cidr", "such as 10.6.0.0/24"];
    const ID: &[&str] = &["spec.template.spec.providerID", "leave it out"];
    vec![
        case("OpenStackCluster", cluster(), &[]),
        case(
            "OpenStackCluster",
            with(cluster(), "managedSecurityGroups", rules.clone()),
            RULE,
        ),
        case(
            "OpenStackCluster",
            with(cluster(), "managedSubnets", subnets),
            CIDR,
        ),
        case(
            "OpenStackCluster",
            with(cluster(), "bastion", json!({})),
            &["spec must be set unless"],
        ),
        case("OpenStackClusterTemplate", template(cluster()), &[]),
        case(
            "OpenStackClusterTemplate",
            template(with(cluster(), "managedSecurityGroups", rules)),
            RULE,
        ),
        case("OpenStackMachine", machine(), &[]),
        case(
            "OpenStackMachine",
            with(machine(), "ports", open.clone()),
            OPEN,
        ),
        case("OpenStackMachineTemplate", template(machine()), &[]),
        case(
            "OpenStackMachineTemplate",
            template(with(machine(), "providerID", json!("x"))),
            ID,
        ),
        case("OpenStackServer", server(), &[]),
        case("OpenStackServer", with(server(), "ports", open), OPEN),
        case(
            "OpenStackServer",
            with(server(), "flavor", json!(null)),
            &["flavor or flavorID must be set"],
        ),
    ]
}

fn changes() -> Vec<Case> {
    const TAGS: &[&str] = &["spec.tags[0]", "cannot be changed from \"a\""];
    const FLAVOR: &[&str] = &["spec.flavor.id", "cannot be changed from \"1\""];
    const TEMPLATE: &[&str] = &["spec.template.spec.flavor.id", "change-machine-template"];
    const CLASS: &[&str] = &["spec.template.spec.tags", "ClusterClass"];
    let tags = json!({ "tags": ["b"] });
    let flavor = json!({ "flavor": { "id": "2" } });
    let pairs = json!({ "ports": [{ "allowedAddressPairs": [{ "ipAddress": "192.0.2.1" }] }] });
    let endpoint = json!({ "controlPlaneEndpoint": { "host": "192.0.2.1", "port": 6443 } });
    let region = json!({ "identityRef": { "region": "S" } });
    vec![
        case("OpenStackCluster", tags.clone(), TAGS),
        case("OpenStackCluster", endpoint, &[]),
        case("OpenStackCluster", region, &["region cannot be changed"]),
        case("OpenStackClusterTemplate", template(tags), CLASS),
        case("OpenStackMachine", flavor.clone(), FLAVOR),
        case(
            "OpenStackMachine",
            json!({ "providerID": "openstack:///1" }),
            &[],
        ),
        case("OpenStackMachine", pairs.clone(), &[]),
        case("OpenStackMachineTemplate", template(flavor), TEMPLATE),
        case("OpenStackMachineTemplate", template(pairs), &[]),
    ]
}
