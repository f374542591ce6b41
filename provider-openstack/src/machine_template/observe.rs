//! What exists around a template: its flavor and image, and the workers that were made from it.

use cloud::View;
use crds::capi;
use crds::capi::names::CLUSTER_NAME_LABEL;
use crds::openstack::names::{ALLOWED_ADDRESS_PAIRS_ANNOTATION, GROUP};
use crds::openstack::v1alpha1::OpenStackServer;
use crds::openstack::v1beta2::{ImageParam, OpenStackCluster, OpenStackMachine};
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use plan::machine_template::{Machine, Seen, Want};
use plan::server::ImageObject;

use crate::{Context, Error, catalog};

/// Cluster API writes into a copy which template it is of.
const CLONED_FROM_NAME: &str = "cluster.x-k8s.io/cloned-from-name";
/// And of which kind.
const CLONED_FROM_GROUP_KIND: &str = "cluster.x-k8s.io/cloned-from-groupkind";

/// What was observed.
pub struct Observed {
    pub view: View,
    pub plan: Seen,
}

/// The Cluster that owns a template, and its infrastructure.
pub async fn owners(
    context: &Context,
    namespace: &str,
    name: &str,
) -> Result<(Option<capi::Cluster>, Option<OpenStackCluster>), kube::Error> {
    let clusters = Api::<capi::Cluster>::namespaced(context.client.clone(), namespace);
    let cluster = clusters.get_opt(name).await?;
    let reference = cluster
        .as_ref()
        .and_then(|cluster| cluster.spec.infrastructure_ref.as_ref());
    let infrastructure = match reference {
        Some(reference) => {
            let api = Api::<OpenStackCluster>::namespaced(context.client.clone(), namespace);
            api.get_opt(&reference.name).await?
        }
        None => None,
    };
    Ok((cluster, infrastructure))
}

/// Looks at what the template means. Flavors and images cost no call while the view keeps them.
pub async fn observe(
    context: &Context,
    want: &Want,
    cluster: &str,
    infrastructure: &OpenStackCluster,
) -> Result<Observed, Error> {
    let identity = want.spec.identity_ref.as_ref();
    let identity = identity.unwrap_or(&infrastructure.spec.identity_ref);
    let view = context.view(&want.namespace, identity, false).await?;
    let image = &want.spec.image;
    let image_object = catalog::image_object(context, &want.namespace, image).await?;
    let meant = match &image_object {
        ImageObject::Available(id) => &ImageParam {
            id: Some(id.clone()),
            ..ImageParam::default()
        },
        _ => image,
    };
    let plan = Seen {
        flavors: match want.flavor() {
            Some(flavor) => catalog::flavors(&view, flavor).await?,
            None => Vec::new(),
        },
        images: catalog::images(&view, meant).await?,
        image_object,
        machines: match want.needs_machines() {
            true => machines(context, want, cluster).await?,
            false => Vec::new(),
        },
    };
    Ok(Observed { view, plan })
}

/// The workers that were made from the template, as they are now. They are not watched: a machine
/// is made with the template's pairs, so that only a change of the template concerns it.
async fn machines(
    context: &Context,
    want: &Want,
    cluster: &str,
) -> Result<Vec<Machine>, kube::Error> {
    let client = &context.client;
    let objects = Api::<OpenStackMachine>::namespaced(client.clone(), &want.namespace);
    let servers = Api::<OpenStackServer>::namespaced(client.clone(), &want.namespace);
    let params = ListParams::default().labels(&format!("{CLUSTER_NAME_LABEL}={cluster}"));
    let all = objects.list(&params).await?;
    let mut machines = Vec::new();
    for object in all.items.iter().filter(|object| is_worker(object, want)) {
        let mut machine = machine(object);
        if want.is_behind(&machine) {
            let server = servers.get_opt(&machine.name).await?;
            machine.port_ids = server.map(port_ids).unwrap_or_default();
        }
        machines.push(machine);
    }
    Ok(machines)
}

/// CAPO leaves the machines of the control plane alone too.
fn is_worker(object: &OpenStackMachine, want: &Want) -> bool {
    let annotation = |key: &str| object.annotations().get(key).map(String::as_str);
    let kind = format!("OpenStackMachineTemplate.{GROUP}");
    annotation(CLONED_FROM_NAME) == Some(want.name.as_str())
        && annotation(CLONED_FROM_GROUP_KIND) == Some(kind.as_str())
        && !capi::is_control_plane(&object.metadata)
        && object.metadata.deletion_timestamp.is_none()
}

fn machine(object: &OpenStackMachine) -> Machine {
    let ports = object.spec.ports.iter();
    Machine {
        name: object.name_any(),
        pushed: object
            .annotations()
            .get(ALLOWED_ADDRESS_PAIRS_ANNOTATION)
            .cloned(),
        made_with: ports
            .map(|port| port.allowed_address_pairs.clone())
            .collect(),
        port_ids: Vec::new(),
    }
}

fn port_ids(server: OpenStackServer) -> Vec<String> {
    let resources = server.status.and_then(|status| status.resources);
    let ports = resources
        .map(|resources| resources.ports)
        .unwrap_or_default();
    ports.into_iter().map(|port| port.id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_workers_of_the_template_are_its_machines() {
        let object = |template: &str, kind: &str, labels: serde_json::Value| -> OpenStackMachine {
            serde_json::from_value(serde_json::json!({
                "metadata": {
                    "name": "m",
                    "labels": labels,
                    "annotations": {
                        "cluster.x-k8s.io/cloned-from-name": template,
                        "cluster.x-k8s.io/cloned-from-groupkind": kind,
                    },
                },
                "spec": {"flavor": {"id": "f"}, "image": {"id": "i"}},
            }))
            .expect("decodes")
        };
        let want = Want {
            name: "workers".into(),
            ..Want::default()
        };
        let kind = "OpenStackMachineTemplate.infrastructure.cluster.x-k8s.io";
        let none = serde_json::json!({});
        let control_plane = serde_json::json!({"cluster.x-k8s.io/control-plane": ""});
        assert!(is_worker(&object("workers", kind, none.clone()), &want));
        assert!(!is_worker(&object("others", kind, none.clone()), &want));
        assert!(!is_worker(
            &object("workers", "Other.example.org", none),
            &want
        ));
        assert!(!is_worker(&object("workers", kind, control_plane), &want));
    }
}
