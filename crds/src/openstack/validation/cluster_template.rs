//! OpenStackClusterTemplate: its spec is immutable, its metadata is not.
//!
//! Beyond CAPO: rules that contradict themselves are refused here, and not only in the clusters.

use super::{Rules, Violation, change, cluster};
use crate::openstack::v1beta2::OpenStackClusterTemplate;

const SPEC: &str = "spec.template.spec";

impl Rules for OpenStackClusterTemplate {
    fn on_create(&self) -> Vec<Violation> {
        cluster::of_spec(SPEC, &self.spec.template.spec)
    }

    fn on_update(&self, old: &Self) -> Vec<Violation> {
        let (old, new) = (&old.spec.template.spec, &self.spec.template.spec);
        change::refused(SPEC, old, new, |_| {
            "make another template and let the ClusterClass name it, or patch the clusters by a \
             variable of the class"
        })
    }
}
