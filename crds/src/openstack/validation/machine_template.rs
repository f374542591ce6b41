//! OpenStackMachineTemplate: immutable but for the address pairs of its ports.
//!
//! Beyond CAPO: what contradicts itself is refused here, and not only when the first machine is made.

use serde_json::json;

use super::{Rules, Violation, change, machine};
use crate::openstack::v1beta2::OpenStackMachineTemplate;

const SPEC: &str = "spec.template.spec";

impl Rules for OpenStackMachineTemplate {
    const FREE_IN_TOPOLOGY_DRY_RUN: bool = true;

    fn on_create(&self) -> Vec<Violation> {
        let spec = &self.spec.template.spec;
        let mut found = machine::of_spec(SPEC, spec);
        found.extend(spec.provider_id.as_ref().map(|id| Violation {
            field: format!("{SPEC}.providerID"),
            value: Some(json!(id)),
            problem: "names one server, and a template is for many".into(),
            way_out: "leave it out; the provider writes it into each machine".into(),
        }));
        found
    }

    fn on_update(&self, old: &Self) -> Vec<Violation> {
        let new = &self.spec.template.spec;
        let mut allowed = old.spec.template.spec.clone();
        change::allow_address_pairs(&mut allowed.ports, &new.ports);
        change::refused(SPEC, &allowed, new, |_| {
            "make another template and let the KubeadmControlPlane or MachineDeployment name it: \
             https://cluster-api.sigs.k8s.io/tasks/change-machine-template"
        })
    }
}
