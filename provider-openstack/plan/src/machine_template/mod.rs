//! One machine template: what its machines will have, which the cluster autoscaler needs to scale
//! from zero, and the allowed address pairs that changed since its machines were made.

mod capacity;
mod pairs;
#[cfg(test)]
mod tests;

use std::fmt;

use crds::openstack::conditions::{ConditionType, Reason};
use crds::openstack::v1beta2::{
    AddressPair, NodeInfo, OpenStackMachineSpec, OpenStackMachineTemplate,
    OpenStackMachineTemplateStatus,
};
use jiff::Timestamp;

use crate::conditions::{self, New};
use crate::server::ImageObject;
use crate::step::{Decision, Problem, Step};
use crate::world::{Flavor, Image};
use crate::{filter, near};

const READY: &str = ConditionType::Ready.as_str();

/// The template.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Want {
    pub namespace: String,
    pub name: String,
    pub generation: Option<i64>,
    /// What machines get.
    pub spec: OpenStackMachineSpec,
    /// What was published last.
    pub status: OpenStackMachineTemplateStatus,
}

impl From<&OpenStackMachineTemplate> for Want {
    fn from(object: &OpenStackMachineTemplate) -> Self {
        let meta = &object.metadata;
        Self {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            generation: meta.generation,
            spec: object.spec.template.spec.clone(),
            status: object.status.clone().unwrap_or_default(),
        }
    }
}

impl Want {
    /// Whether [`Seen::machines`] is needed: only ports that the template names have pairs to push.
    pub fn needs_machines(&self) -> bool {
        !self.spec.ports.is_empty()
    }

    /// Id or name of the flavor.
    pub fn flavor(&self) -> Option<&str> {
        let flavor = &self.spec.flavor;
        let name = flavor
            .filter
            .as_ref()
            .and_then(|filter| filter.name.as_deref());
        flavor.id.as_deref().or(name)
    }

    /// Whether the machine still has other pairs than the template.
    pub fn is_behind(&self, machine: &Machine) -> bool {
        pairs::is_behind(self, machine)
    }

    fn object(&self) -> String {
        format!("OpenStackMachineTemplate {}/{}", self.namespace, self.name)
    }
}

/// What exists now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// The flavor, or all of them when there is none of that name.
    pub flavors: Vec<Flavor>,
    /// The images that the spec means, or all of them when it means none.
    pub images: Vec<Image>,
    pub image_object: ImageObject,
    /// The workers that were made from the template.
    pub machines: Vec<Machine>,
}

/// A machine that was made from the template.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Machine {
    pub name: String,
    /// The pairs of each port that were pushed last (JSON), from its annotation.
    pub pushed: Option<String>,
    /// The pairs of each port that it was made with.
    pub made_with: Vec<Vec<AddressPair>>,
    /// Ids of its ports, in the order of the spec; empty until they are there.
    pub port_ids: Vec<String>,
}

/// One change of a machine.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Sets the pairs of ports, and then says so in the machine's annotation.
    PushAddressPairs {
        machine: String,
        /// Id of a port, and its pairs.
        ports: Vec<(String, Vec<AddressPair>)>,
        /// The annotation.
        record: String,
    },
}

impl Action {
    /// Verb and resource: what events and metrics call it.
    pub fn name(&self) -> &'static str {
        "UpdatePort"
    }
}

/// What people read in conditions and events.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Action::PushAddressPairs { machine, .. } = self;
        write!(f, "set allowed address pairs of OpenStackMachine {machine}")
    }
}

/// Decides the next step of a template, and its status.
pub fn plan(
    want: &Want,
    seen: &Seen,
    now: Timestamp,
) -> Decision<Action, OpenStackMachineTemplateStatus> {
    let mut status = want.status.clone();
    let problem = describe(want, seen, &mut status).err();
    let said = match &problem {
        None => New::ready(READY),
        Some(problem) => New::not(READY, &problem.reason, problem.to_string()),
    };
    conditions::set(&mut status.conditions, said, want.generation, now);
    let step = Step::of(pairs::actions(want, &seen.machines), || match problem {
        None => Step::Done,
        Some(problem) => Step::Blocked(problem),
    });
    Decision { step, status }
}

/// What machines will have. Flavor and image are looked up apart from each other, so that one that
/// is missing hides nothing of the other.
fn describe(
    want: &Want,
    seen: &Seen,
    status: &mut OpenStackMachineTemplateStatus,
) -> Result<(), Problem> {
    let flavor = flavor(want, seen);
    if let Ok(flavor) = flavor {
        status.capacity = capacity::of(&want.spec, flavor);
    }
    let image = image(want, seen);
    if let Ok(Some(Image {
        os_type: Some(os_type),
        ..
    })) = image
    {
        status.node_info = Some(NodeInfo {
            operating_system: Some(os_type.clone()),
        });
    }
    flavor?;
    image.map(drop)
}

fn flavor<'a>(want: &Want, seen: &'a Seen) -> Result<&'a Flavor, Problem> {
    let wanted = want.flavor().unwrap_or_default();
    let by_id = want.spec.flavor.id.is_some();
    let found = seen.flavors.iter().find(|flavor| match by_id {
        true => flavor.id == wanted,
        false => flavor.name == wanted,
    });
    found.ok_or_else(|| {
        let names = seen.flavors.iter().map(|flavor| flavor.name.as_str());
        let hint = near::hint(wanted, "flavor", names);
        problem(want, "flavor", wanted, format!("no such flavor: {hint}"))
    })
}

/// `None` while an Image object is not ready, which is no fault of the template.
fn image<'a>(want: &Want, seen: &'a Seen) -> Result<Option<&'a Image>, Problem> {
    let image = &want.spec.image;
    let means = |found: &&Image| match (&image.id, &image.filter, &seen.image_object) {
        (Some(id), _, _) | (None, None, ImageObject::Available(id)) => found.id == *id,
        (None, Some(wanted), _) => filter::image(wanted, found),
        (None, None, _) => false,
    };
    let found: Vec<&Image> = seen.images.iter().filter(means).collect();
    match found.as_slice() {
        [one] => Ok(Some(one)),
        [] if image.image_ref.is_some() => Ok(None),
        many => {
            let filter = image.filter.as_ref();
            let name = filter.and_then(|filter| filter.name.as_deref());
            let name = name.or(image.id.as_deref()).unwrap_or_default();
            let names = seen.images.iter().map(|image| image.name.as_str());
            let way_out = match many.len() {
                0 => format!("no such image: {}", near::hint(name, "image", names)),
                count => format!("{count} images match; narrow the filter down, or give the id"),
            };
            Err(problem(want, "image", name, way_out))
        }
    }
}

fn problem(want: &Want, field: &str, value: &str, way_out: String) -> Problem {
    Problem {
        reason: Reason::DependencyFailed.into(),
        object: want.object(),
        field: format!("spec.template.spec.{field}"),
        value: value.to_string(),
        way_out,
    }
}
