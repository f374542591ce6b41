//! The IPAddressClaim of a server that gets a floating IP from a pool.

use crds::capi::{IPAddress, IPAddressClaim};
use crds::openstack::names::IP_CLAIM_FINALIZER;
use crds::openstack::v1alpha1::OpenStackServer;
use kube::{Api, ResourceExt};
use plan::server::{Claim, Want};
use runtime::controller::Cached;
use runtime::{Key, finalizer};

use crate::Context;

/// The claim as it is, with the address that the pool has given. What the watch has not seen is
/// asked for: it may only not have got that far.
pub async fn observe(
    context: &Context,
    claims: &Cached<IPAddressClaim>,
    want: &Want,
) -> Result<Option<Claim>, kube::Error> {
    let Some(name) = want.claim() else {
        return Ok(None);
    };
    let claim = match claims.get(&Key::new(&want.namespace, &name)) {
        Some(claim) => Some(claim),
        None => {
            api::<IPAddressClaim>(context, &want.namespace)
                .get_opt(&name)
                .await?
        }
    };
    let Some(claim) = claim else {
        return Ok(None);
    };
    let answer = claim.status.address_ref.as_ref();
    let address = match answer.filter(|answer| !answer.name.is_empty()) {
        Some(answer) => api::<IPAddress>(context, &want.namespace)
            .get_opt(&answer.name)
            .await?
            .map(|address| address.spec.address),
        None => None,
    };
    Ok(Some(Claim {
        held: claim
            .finalizers()
            .iter()
            .any(|one| one == IP_CLAIM_FINALIZER),
        address,
    }))
}

/// Lets the claim go with its owner.
pub async fn release(
    context: &Context,
    server: &OpenStackServer,
    name: &str,
) -> Result<(), kube::Error> {
    let claims = api::<IPAddressClaim>(context, &server.namespace().unwrap_or_default());
    match claims.get_opt(name).await? {
        Some(claim) => finalizer::remove(&claims, &claim, IP_CLAIM_FINALIZER).await,
        None => Ok(()),
    }
}

fn api<K>(context: &Context, namespace: &str) -> Api<K>
where
    K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
{
    Api::namespaced(context.client.clone(), namespace)
}
