//! What a plan asks for, done.

use cloud::View;
use crds::openstack::names::ALLOWED_ADDRESS_PAIRS_ANNOTATION;
use crds::openstack::v1beta2::{OpenStackMachine, OpenStackMachineTemplate};
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use plan::machine_template::Action;
use serde_json::json;

use crate::server::address_pairs;
use crate::told::Told;
use crate::{Context, Error};

/// Does `actions` one after the other: a template may have a thousand machines.
///
/// # Errors
/// The first action that was refused; those after it are not tried.
pub async fn all(
    context: &Context,
    template: &OpenStackMachineTemplate,
    view: &View,
    actions: &[Action],
) -> Result<(), Error> {
    for action in actions {
        let result = one(context, template, view, action).await;
        let told = Told {
            verb: action.name(),
            action: action.to_string(),
        };
        told.on(context, template, result.as_ref().err()).await;
        result?;
    }
    Ok(())
}

async fn one(
    context: &Context,
    template: &OpenStackMachineTemplate,
    view: &View,
    action: &Action,
) -> Result<(), Error> {
    let Action::PushAddressPairs {
        machine,
        ports,
        record,
    } = action;
    for (id, pairs) in ports {
        let fields = json!({"allowed_address_pairs": address_pairs(pairs)});
        let updated = view.cloud().network().update_port(id, &fields).await;
        updated.map_err(|source| Error::Execute {
            action: action.to_string(),
            source,
        })?;
    }
    let namespace = template.namespace().unwrap_or_default();
    let machines = Api::<OpenStackMachine>::namespaced(context.client.clone(), &namespace);
    let annotation = json!({ALLOWED_ADDRESS_PAIRS_ANNOTATION: record});
    let patch = Patch::Merge(json!({"metadata": {"annotations": annotation}}));
    machines
        .patch_metadata(machine, &PatchParams::default(), &patch)
        .await?;
    Ok(())
}
