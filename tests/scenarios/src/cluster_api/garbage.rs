//! The garbage collector of Kubernetes, which runs in kube-controller-manager, for what servers own.

use std::collections::BTreeSet;

use anyhow::Result;
use futures::future::try_join_all;
use kube::ResourceExt;
use kube::api::{DynamicObject, ListParams};

use super::Cluster;

/// A kind, and the kind that owns it; owners first.
const OWNED: [(&str, &str); 2] = [
    ("IPAddressClaim", "OpenStackServer"),
    ("IPAddress", "IPAddressClaim"),
];

impl Cluster {
    /// Deletes what has lost its owner, and waits until it is gone.
    pub(super) async fn collect_garbage(&self) -> Result<()> {
        for (kind, owner) in OWNED {
            let owners = self.api(owner).list(&ListParams::default()).await?;
            let owners: BTreeSet<String> = owners.iter().filter_map(ResourceExt::uid).collect();
            let owned = self.api(kind).list(&ListParams::default()).await?;
            let orphans = owned.iter().filter(|object| is_orphan(object, &owners));
            try_join_all(orphans.map(async |orphan| self.delete(kind, &orphan.name_any()).await))
                .await?;
        }
        Ok(())
    }
}

/// What never had an owner is nobody's garbage.
fn is_orphan(object: &DynamicObject, owners: &BTreeSet<String>) -> bool {
    let references = object.owner_references();
    !references.is_empty()
        && references
            .iter()
            .all(|reference| !owners.contains(&reference.uid))
}
