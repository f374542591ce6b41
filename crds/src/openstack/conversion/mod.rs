//! Conversion between `v1beta1` and `v1beta2`.
//!
//! Works on JSON, not on the types: the API server also has parts of objects converted, to find
//! out who owns a field in which version, and there what is absent must stay absent.
//!
//! What one version has and the other cannot express is kept in the annotation
//! [`CONVERSION_DATA_ANNOTATION`], as a sparse object of the version that has it. The rule that
//! keeps old data from coming back: **a kept value is restored only where all that the other
//! version can say about it is still the same**. Everything else is always converted from what
//! is there. CAPO keeps whole objects under the same annotation and restores them whole, so that
//! a write through `v1beta1` undoes what was written through `v1beta2` in between; of its
//! annotations the same few fields are read, by the same rule.
//!
//! Three things are said in one way only after conversion, because both ways mean the same: an
//! absent `status.ready` is false, an empty `spec.externalRouterIPs` and an empty description of
//! a port in the status are absent.

mod condition;
mod failure_domain;
mod fields;
mod kept;
mod status;

use serde_json::{Map, Value};

use super::names::{CONVERSION_DATA_ANNOTATION, GROUP};

/// Path of the webhook.
pub const PATH: &str = "/convert";

type Object = Map<String, Value>;

/// Why an object cannot be converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    object: String,
    field: String,
    value: String,
    problem: String,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            object,
            field,
            value,
            problem,
        } = self;
        write!(f, "{object}: {field} is {value}: {problem}")
    }
}

impl std::error::Error for Error {}

/// The value of a field that the other version cannot have.
struct Misfit {
    field: String,
    value: Value,
    problem: &'static str,
}

/// Converts an object, or a part of one, to the version that `api_version` names.
///
/// # Errors
/// When kind or version is not one of those that are converted, or a number or flag cannot be
/// said in the other version. The object is then named with the field and its value.
pub fn convert(object: Value, api_version: &str) -> Result<Value, Error> {
    let error = |field: &str, value: &Value, problem: &str| Error {
        object: name(&object),
        field: field.to_owned(),
        value: value.to_string(),
        problem: problem.to_owned(),
    };
    let versions = "only v1beta1 and v1beta2 of infrastructure.cluster.x-k8s.io are converted";
    let to = Version::of(api_version)
        .ok_or_else(|| error("desiredAPIVersion", &api_version.into(), versions))?;
    let from = object["apiVersion"]
        .as_str()
        .and_then(Version::of)
        .ok_or_else(|| error("apiVersion", &object["apiVersion"], versions))?;
    let kind = object["kind"].as_str().and_then(Kind::of).ok_or_else(|| {
        let problem = "only clusters, machines and their templates are converted";
        error("kind", &object["kind"], problem)
    })?;
    if from == to {
        return Ok(object);
    }
    let converted = match to {
        Version::V1beta1 => older(kind, &object),
        Version::V1beta2 => newer(kind, &object),
    };
    let mut converted = converted.map_err(|misfit| {
        let Misfit {
            field,
            value,
            problem,
        } = misfit;
        error(&field, &value, problem)
    })?;
    converted["apiVersion"] = api_version.into();
    Ok(converted)
}

/// `v1beta1` to `v1beta2`.
fn newer(kind: Kind, old: &Value) -> Result<Value, Misfit> {
    let mut new = old.clone();
    let kept = kept::take(&mut new, kind, Version::V1beta2);
    plain_newer(kind, &mut new)?;
    kept::restore_newer(kind, &kept, old, &mut new);
    kept::put(
        &mut new,
        kind,
        Version::V1beta1,
        kept::only_older(kind, old),
    );
    Ok(new)
}

/// `v1beta2` to `v1beta1`.
fn older(kind: Kind, new: &Value) -> Result<Value, Misfit> {
    let mut old = new.clone();
    let kept = kept::take(&mut old, kind, Version::V1beta1);
    plain_older(kind, &mut old)?;
    kept::restore_older(kind, &kept, new, &mut old);
    kept::put(
        &mut old,
        kind,
        Version::V1beta2,
        kept::only_newer(kind, new),
    );
    Ok(old)
}

/// Without what has been kept.
fn plain_newer(kind: Kind, object: &mut Value) -> Result<(), Misfit> {
    if let Some(spec) = object.get("spec") {
        fields::fit_int32(spec, "spec")?;
    }
    for (path, convert) in [
        (
            kind.cluster_spec(),
            fields::cluster_newer as fields::Convert,
        ),
        (kind.machine_spec(), fields::machine_newer),
        (kind.status(), status::newer),
    ] {
        on(object, path, convert)?;
    }
    Ok(())
}

/// Without what has been kept.
fn plain_older(kind: Kind, object: &mut Value) -> Result<(), Misfit> {
    for (path, convert) in [
        (
            kind.cluster_spec(),
            fields::cluster_older as fields::Convert,
        ),
        (kind.machine_spec(), fields::machine_older),
        (kind.cluster_template(), fields::template_older),
        (kind.status(), status::older),
    ] {
        on(object, path, convert)?;
    }
    Ok(())
}

fn on(object: &mut Value, path: Option<&str>, convert: fields::Convert) -> Result<(), Misfit> {
    let Some(path) = path else { return Ok(()) };
    match object.pointer_mut(path) {
        Some(Value::Object(part)) => convert(part, path.trim_start_matches('/')),
        _ => Ok(()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1beta1,
    V1beta2,
}

impl Version {
    fn of(api_version: &str) -> Option<Self> {
        match api_version.split_once('/')? {
            (GROUP, "v1beta1") => Some(Self::V1beta1),
            (GROUP, "v1beta2") => Some(Self::V1beta2),
            _ => None,
        }
    }

    fn api_version(self) -> String {
        let version = match self {
            Self::V1beta1 => "v1beta1",
            Self::V1beta2 => "v1beta2",
        };
        format!("{GROUP}/{version}")
    }
}

/// The kinds with two versions, and where their parts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Cluster,
    ClusterTemplate,
    Machine,
    MachineTemplate,
}

impl Kind {
    fn of(kind: &str) -> Option<Self> {
        match kind {
            "OpenStackCluster" => Some(Self::Cluster),
            "OpenStackClusterTemplate" => Some(Self::ClusterTemplate),
            "OpenStackMachine" => Some(Self::Machine),
            "OpenStackMachineTemplate" => Some(Self::MachineTemplate),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "OpenStackCluster",
            Self::ClusterTemplate => "OpenStackClusterTemplate",
            Self::Machine => "OpenStackMachine",
            Self::MachineTemplate => "OpenStackMachineTemplate",
        }
    }

    fn cluster_spec(self) -> Option<&'static str> {
        match self {
            Self::Cluster => Some("/spec"),
            Self::ClusterTemplate => Some("/spec/template/spec"),
            Self::Machine | Self::MachineTemplate => None,
        }
    }

    /// The spec of the machine, or of the bastion.
    fn machine_spec(self) -> Option<&'static str> {
        Some(match self {
            Self::Cluster => "/spec/bastion/spec",
            Self::ClusterTemplate => "/spec/template/spec/bastion/spec",
            Self::Machine => "/spec",
            Self::MachineTemplate => "/spec/template/spec",
        })
    }

    fn cluster_template(self) -> Option<&'static str> {
        (self == Self::ClusterTemplate).then_some("/spec/template")
    }

    fn status(self) -> Option<&'static str> {
        (self != Self::ClusterTemplate).then_some("/status")
    }

    /// The status says in `ready` whether the condition `Ready` is True.
    fn has_ready(self) -> bool {
        matches!(self, Self::Cluster | Self::Machine)
    }
}

/// Kind, namespace and name.
fn name(object: &Value) -> String {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str);
    let kind = text("/kind").unwrap_or("object");
    let name = text("/metadata/name").unwrap_or("without a name");
    match text("/metadata/namespace") {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}
