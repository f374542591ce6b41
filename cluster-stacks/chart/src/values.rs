//! Values of an add-on: `overwrite.yaml` of a multi-stage release, `cluster-addon-values.yaml` of
//! a single-stage one. Both are Go templates over the Cluster, its control plane and its
//! infrastructure, as they are in the management cluster.

use gotmpl::Template;
use serde_json::{Value, json};

use crate::{functions, yaml};

/// What a template of values may read.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// `.Cluster`.
    pub cluster: Value,
    /// `.ControlPlane`.
    pub control_plane: Value,
    /// `.InfraCluster`.
    pub infra_cluster: Value,
}

/// Why there are no values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The template is wrong, or asks for what is not there.
    #[error("{file}: {reason}")]
    Template { file: String, reason: String },
    /// It gave no YAML.
    #[error("{file}: after rendering: {error}")]
    Yaml { file: String, error: yaml::Error },
    /// It gave something else than a map.
    #[error("{file}: after rendering: a map of values is wanted, this is {given}")]
    NotAMap { file: String, given: &'static str },
}

/// Renders the template `text` of `file` to a file of Helm values. If its only purpose is to hold
/// a text under the key `values`, that text is the file, as in the original. An empty file is no
/// values at all.
///
/// # Errors
/// When it cannot be rendered, naming the file.
pub fn render(file: &str, text: &str, objects: &Objects) -> Result<String, Error> {
    let data = json!({
        "Cluster": objects.cluster,
        "ControlPlane": objects.control_plane,
        "InfraCluster": objects.infra_cluster,
    });
    let failed = |error: gotmpl::TemplateError| Error::Template {
        file: file.to_owned(),
        reason: error.to_string(),
    };
    let template = Template::new(file)
        .funcs(functions::all())
        .parse(text)
        .map_err(failed)?;
    let rendered = template
        .execute_to_string(&functions::from_json(&data))
        .map_err(failed)?;
    if rendered.trim().is_empty() {
        return Ok(String::new());
    }
    let value: Value = yaml::read(&rendered).map_err(|error| Error::Yaml {
        file: file.to_owned(),
        error,
    })?;
    let given = match &value {
        Value::Object(map) => {
            return Ok(map
                .get("values")
                .and_then(Value::as_str)
                .map_or(rendered, str::to_owned));
        }
        Value::Null => return Ok(String::new()),
        Value::Array(_) => "a list",
        _ => "a single value",
    };
    Err(Error::NotAMap {
        file: file.to_owned(),
        given,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Result<String, Error> {
        let cluster = json!({"metadata": {"name": "c1"}, "spec": {"controlPlaneEndpoint": {"host": "172.29.16.5"}}});
        render(
            "cni/overwrite.yaml",
            text,
            &Objects {
                cluster,
                ..Objects::default()
            },
        )
    }

    #[test]
    fn both_forms_give_values() {
        let host = "host: {{ .Cluster.spec.controlPlaneEndpoint.host }}\n";
        assert_eq!(values(host).expect("plain"), "host: 172.29.16.5\n");
        let nested = "values: |\n  name: {{ .Cluster.metadata.name }}\n";
        assert_eq!(values(nested).expect("nested"), "name: c1\n");
        assert_eq!(values("# nothing\n").expect("empty").trim(), "");
    }

    #[test]
    fn errors_name_the_file() {
        for text in ["{{ .Cluster", "- a", "a: [", "{{ nofunc 1 }}"] {
            let error = values(text).expect_err(text).to_string();
            assert!(error.contains("cni/overwrite.yaml"), "{error}");
        }
    }
}
