//! What a plan asks for, done.

use cloud::network::{FloatingIpCreate, TAGS};
use cloud::{Kind, View};
use crds::capi::{IPAddress, IPAddressClaim};
use crds::openstack::names::DELETE_FLOATING_IP_FINALIZER;
use crds::openstack::v1alpha1::OpenStackFloatingIPPool;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use plan::floating_ip_pool::{Action, NewFloatingIp};
use runtime::apply::FIELD_MANAGER;
use runtime::finalizer;
use serde_json::json;

use crate::side_by_side::{self, Refused};
use crate::told::Told;
use crate::{Context, Error, ipam};

/// Does all of `actions`, also when some fail, and tells of each in the cloud with an event.
///
/// # Errors
/// The first action that was refused.
pub async fn all(
    context: &Context,
    pool: &OpenStackFloatingIPPool,
    view: &View,
    actions: &[Action],
) -> Result<(), Box<Refused<Action>>> {
    side_by_side::all(actions, |action| async move {
        let result = one(context, pool, view, action).await;
        let told = Told {
            verb: action.name(),
            action: action.to_string(),
        };
        let inside = matches!(action, Action::Answer(_) | Action::ReleaseAddress(_));
        if !inside || result.is_err() {
            told.on(context, pool, result.as_ref().err()).await;
        }
        result
    })
    .await
}

async fn one(
    context: &Context,
    pool: &OpenStackFloatingIPPool,
    view: &View,
    action: &Action,
) -> Result<(), Error> {
    let namespace = pool.namespace().unwrap_or_default();
    let addresses = || Api::<IPAddress>::namespaced(context.client.clone(), &namespace);
    let network = view.cloud().network();
    let result = match action {
        Action::CreateFloatingIp(new) => create_floating_ip(view, new).await,
        Action::TagFloatingIp { id, tags } => network.set_tags(Kind::FloatingIps, id, tags).await,
        Action::DeleteFloatingIp { id, .. } => network.delete_floating_ip(id).await,
        Action::CreateAddress(new) => return Ok(ipam::create(&context.client, &**new).await?),
        Action::Answer(claim) => {
            let claims = Api::<IPAddressClaim>::namespaced(context.client.clone(), &namespace);
            return Ok(answer(&claims, claim).await?);
        }
        Action::ReleaseAddress(name) => return Ok(release(&addresses(), name).await?),
    };
    result.map_err(|source| Error::Execute {
        action: action.to_string(),
        source,
    })
}

/// Whose it is, the description says at once; a crash before the tag is found by the next plan.
async fn create_floating_ip(view: &View, new: &NewFloatingIp) -> cloud::Result<()> {
    let network = view.cloud().network();
    let create = FloatingIpCreate {
        floating_network_id: new.network_id.clone(),
        description: new.description.clone(),
        ..FloatingIpCreate::default()
    };
    let created = network.create_floating_ip(&create).await?;
    if view.has_extension(TAGS).await? {
        network
            .set_tags(Kind::FloatingIps, &created.id, &new.tags)
            .await?;
    }
    Ok(())
}

async fn answer(claims: &Api<IPAddressClaim>, name: &str) -> Result<(), kube::Error> {
    let status = json!({"status": {"addressRef": {"name": name}}});
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    match claims
        .patch_status(name, &params, &Patch::Merge(status))
        .await
    {
        Err(kube::Error::Api(refused)) if refused.code == 404 => Ok(()),
        result => result.map(drop),
    }
}

async fn release(addresses: &Api<IPAddress>, name: &str) -> Result<(), kube::Error> {
    match addresses.get_opt(name).await? {
        Some(address) => finalizer::remove(addresses, &address, DELETE_FLOATING_IP_FINALIZER).await,
        None => Ok(()),
    }
}
