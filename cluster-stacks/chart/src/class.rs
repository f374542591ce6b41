//! Renders a cluster-class chart: `.Values`, `.Release`, `.Chart`, partials with `include` and
//! `tpl`, and the functions of [`crate::functions`]. That is all that published cluster-class
//! charts use; a chart that wants more fails and says what.

use std::sync::{Arc, OnceLock, Weak};

use gotmpl::{Template, TemplateError, Value as Dot};
use serde_json::{Value, json};

use crate::archive::Files;
use crate::{functions, manifest, yaml};

/// Name and namespace that a chart is installed under.
#[derive(Clone, Copy, Debug)]
pub struct Release<'a> {
    /// `.Release.Name`.
    pub name: &'a str,
    /// `.Release.Namespace`.
    pub namespace: &'a str,
}

/// Why a chart cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A file that every chart has is missing.
    #[error("the archive holds no chart: {0} is missing")]
    Missing(&'static str),
    /// A file is no text.
    #[error("{0} is not UTF-8")]
    NotText(String),
    /// A file is no YAML.
    #[error("{file}: {error}")]
    Yaml { file: String, error: yaml::Error },
    /// A template fails.
    #[error("{file}: {reason}")]
    Template { file: String, reason: String },
    /// What it gave are no objects.
    #[error(transparent)]
    Manifest(#[from] manifest::Error),
}

/// Renders the chart in `files` (one folder, as `helm package` makes it) to objects in Helm's
/// order of installation.
///
/// # Errors
/// When a file is missing or wrong, naming it.
pub fn render(files: &Files, release: Release<'_>) -> Result<Vec<Value>, Error> {
    let root = files.keys().find_map(|path| {
        path.strip_suffix("/Chart.yaml")
            .filter(|root| !root.contains('/'))
    });
    let root = root.ok_or(Error::Missing("<chart>/Chart.yaml"))?;
    let data = data(files, root, release)?;
    let templates: Vec<(&str, &str)> = files
        .iter()
        .filter_map(|(path, content)| {
            Some((
                path.strip_prefix(root)?.strip_prefix("/templates/")?,
                path,
                content,
            ))
        })
        .filter(|(name, _, _)| !name.ends_with("NOTES.txt"))
        .map(|(_, path, content)| text(path, content).map(|text| (path.as_str(), text)))
        .collect::<Result<_, _>>()?;
    let is_partial = |path: &str| {
        path.rsplit('/')
            .next()
            .is_some_and(|name| name.starts_with('_'))
    };
    let partials: Vec<(&str, &str)> = templates
        .iter()
        .copied()
        .filter(|(path, _)| is_partial(path))
        .collect();
    let mut objects = Vec::new();
    for (path, text) in templates.into_iter().filter(|(path, _)| !is_partial(path)) {
        let rendered = template(path, text, &partials, &data)?;
        objects.extend(manifest::objects(path, &rendered)?);
    }
    manifest::sort(&mut objects);
    Ok(objects)
}

fn data(files: &Files, root: &str, release: Release<'_>) -> Result<Dot, Error> {
    let read = |name: &str| -> Result<Option<Value>, Error> {
        let path = format!("{root}/{name}");
        let Some(content) = files.get(&path) else {
            return Ok(None);
        };
        let value = yaml::read(text(&path, content)?).map_err(|error| Error::Yaml {
            file: path.clone(),
            error,
        })?;
        Ok(Some(value))
    };
    let chart = read("Chart.yaml")?.unwrap_or_default();
    let values = read("values.yaml")?
        .filter(|values| !values.is_null())
        .unwrap_or_else(|| json!({}));
    Ok(functions::from_json(&json!({
        "Values": values,
        "Chart": {
            "Name": chart["name"], "Version": chart["version"], "AppVersion": chart["appVersion"],
            "Description": chart["description"],
        },
        "Release": {
            "Name": release.name, "Namespace": release.namespace,
            "Service": "Helm", "IsInstall": true, "IsUpgrade": false, "Revision": 1,
        },
    })))
}

fn template(
    path: &str,
    text: &str,
    partials: &[(&str, &str)],
    data: &Dot,
) -> Result<String, Error> {
    let failed = |file: &str, error: &TemplateError| Error::Template {
        file: file.to_owned(),
        reason: error.to_string(),
    };
    // `include` needs the template that it is part of; a weak link keeps that from being a cycle.
    let this: Arc<OnceLock<Weak<Template>>> = Arc::default();
    let (including, templating) = (this.clone(), this.clone());
    let mut template = Template::new(path)
        .funcs(functions::all())
        .func("include", move |args| {
            let [name, dot] = args else {
                return Err(TemplateError::Exec(
                    "include wants a name and a value".into(),
                ));
            };
            let name = name.as_str().unwrap_or_default();
            current(&including)?
                .execute_template_to_string(name, dot)
                .map(|text| Dot::String(text.into()))
        })
        .func("tpl", move |args| {
            let [text, dot] = args else {
                return Err(TemplateError::Exec("tpl wants a text and a value".into()));
            };
            let whole = current(&templating)?;
            let nested = Template::clone(&whole).parse(text.as_str().unwrap_or_default())?;
            nested
                .execute_to_string(dot)
                .map(|text| Dot::String(text.into()))
        });
    for (path, text) in partials {
        template = template.parse(text).map_err(|error| failed(path, &error))?;
    }
    let template = Arc::new(template.parse(text).map_err(|error| failed(path, &error))?);
    this.get_or_init(|| Arc::downgrade(&template));
    template
        .execute_to_string(data)
        .map_err(|error| failed(path, &error))
}

fn current(this: &OnceLock<Weak<Template>>) -> gotmpl::Result<Arc<Template>> {
    this.get()
        .and_then(Weak::upgrade)
        .ok_or_else(|| TemplateError::Exec("called before the template was read".into()))
}

fn text<'a>(path: &str, content: &'a [u8]) -> Result<&'a str, Error> {
    std::str::from_utf8(content).map_err(|_| Error::NotText(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELEASE: Release<'_> = Release {
        name: "openstack-lab-1-36",
        namespace: "tenant",
    };

    fn files(template: &str) -> Files {
        let file =
            |path: &str, content: &str| (format!("class/{path}"), content.as_bytes().to_vec());
        Files::from([
            file(
                "Chart.yaml",
                "name: openstack-lab-1-36-cluster-class\nversion: v1\n",
            ),
            file("values.yaml", "mode: 0644\n"),
            file(
                "templates/_names.tpl",
                "{{ define \"suffix\" }}{{ .Chart.Version }}-x{{ end }}",
            ),
            file("templates/NOTES.txt", "{{ broken"),
            file("templates/class.yaml", template),
        ])
    }

    #[test]
    fn a_chart_is_rendered() {
        let template = "apiVersion: cluster.x-k8s.io/v1beta2
kind: ClusterClass
metadata:
  name: {{ .Release.Name }}-{{ .Chart.Version }}
  namespace: {{ .Release.Namespace }}
  labels: {a: {{ include \"suffix\" . | quote }}}
spec:
  mode: {{ .Values.mode }}
  raw: '{{`{{ .builtin.cluster.name }}`}}'
  tpl: {{ tpl \"{{ .Release.Name }}\" . }}
";
        let objects = render(&files(template), RELEASE).expect("rendered");
        let object = &objects[0];
        assert_eq!(object["metadata"]["name"], "openstack-lab-1-36-v1");
        assert_eq!(object["metadata"]["labels"]["a"], "v1-x");
        assert_eq!(
            object["spec"],
            json!({"mode": 420, "raw": "{{ .builtin.cluster.name }}", "tpl": "openstack-lab-1-36"})
        );
    }

    #[test]
    fn errors_name_the_file() {
        for template in [
            "{{ .Values",
            "{{ nofunc }}",
            "a: [",
            "{{ include \"no\" . }}",
        ] {
            let error = render(&files(template), RELEASE)
                .expect_err(template)
                .to_string();
            assert!(error.contains("templates/class.yaml"), "{error}");
        }
        assert!(render(&Files::new(), RELEASE).is_err());
    }
}
