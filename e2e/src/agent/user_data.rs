//! What a machine is told to do, read from its user data as cloud-init would. Real machines need none of this: they
//! have cloud-init.

use std::{fmt::Write as _, io::Read};

use anyhow::{Context, Result, anyhow, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::Value;

/// Files to write, and what kubeadm is to do with them.
pub struct UserData {
    pub files: Vec<File>,
    pub bootstrap: Bootstrap,
}

/// A file of `write_files`.
pub struct File {
    pub path: String,
    pub content: Vec<u8>,
    pub mode: u32,
}

/// The configuration that kubeadm is called with.
#[derive(Debug, PartialEq)]
pub enum Bootstrap {
    /// The first control plane machine: ClusterConfiguration and InitConfiguration.
    Init { cluster: Value, init: Value },
    /// A further machine: JoinConfiguration.
    Join(Value),
    /// No node of a cluster.
    None,
}

/// Where the bootstrap provider puts kubeadm's configuration.
const INIT: &str = "/run/kubeadm/kubeadm.yaml";
const JOIN: &str = "/run/kubeadm/kubeadm-join-config.yaml";

/// Decodes user data as Nova keeps it. `name` and `id` are the server's: the values that the template may name.
///
/// # Errors
/// Something that is no cloud-config; which part of it, but never its content, because that holds keys.
pub fn parse(user_data: &str, name: &str, id: &str) -> Result<UserData> {
    #[derive(Deserialize)]
    struct CloudConfig {
        #[serde(default)]
        write_files: Vec<WriteFile>,
    }
    #[derive(Deserialize)]
    struct WriteFile {
        path: String,
        #[serde(default)]
        content: String,
        #[serde(default)]
        encoding: String,
        #[serde(default)]
        permissions: String,
    }
    let bytes = unzipped(
        STANDARD
            .decode(user_data)
            .context("user data is no base64")?,
    )?;
    let text = String::from_utf8(bytes).map_err(|_| anyhow!("user data is no text"))?;
    let text = if text.starts_with("## template: jinja") {
        rendered(&text, name, id)?
    } else {
        text
    };
    if text.trim().is_empty() {
        return Ok(UserData {
            files: vec![],
            bootstrap: Bootstrap::None,
        });
    }
    let config: CloudConfig = serde_saphyr::from_str(&text)
        .map_err(|_| anyhow!("user data is no cloud-config in YAML"))?;
    let mut files = vec![];
    for file in config.write_files {
        let mut content = file.content.into_bytes();
        if file.encoding.contains("b64") || file.encoding.contains("base64") {
            content = STANDARD
                .decode(content)
                .with_context(|| format!("write_files {}: content", file.path))?;
        }
        if file.encoding.starts_with("gz") {
            content = unzipped(content)?;
        }
        let mode =
            u32::from_str_radix(file.permissions.trim_start_matches("0o"), 8).unwrap_or(0o644);
        files.push(File {
            path: file.path,
            content,
            mode,
        });
    }
    let bootstrap = bootstrap(&files)?;
    Ok(UserData { files, bootstrap })
}

fn unzipped(bytes: Vec<u8>) -> Result<Vec<u8>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut out = vec![];
    GzDecoder::new(&bytes[..])
        .read_to_end(&mut out)
        .context("user data: gzip")?;
    Ok(out)
}

/// Fills in `{{ instance_id }}` and `{{ local_hostname }}`, with or without `ds.meta_data.`: the two that the
/// bootstrap provider's templates use.
fn rendered(text: &str, name: &str, id: &str) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (variable, after) = after.split_once("}}").context("user data: {{ without }}")?;
        let value = match variable.trim().trim_start_matches("ds.meta_data.") {
            "instance_id" => id,
            "local_hostname" | "hostname" => name,
            other => bail!("user data: unknown variable {other} in its template"),
        };
        write!(out, "{before}{value}")?;
        rest = after;
    }
    Ok(out + rest)
}

fn bootstrap(files: &[File]) -> Result<Bootstrap> {
    let Some(file) = files.iter().find(|f| f.path == INIT || f.path == JOIN) else {
        return Ok(Bootstrap::None);
    };
    let text = std::str::from_utf8(&file.content).with_context(|| file.path.clone())?;
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(text).map_err(|_| anyhow!("{}: no YAML", file.path))?;
    let kind = |kind: &str| documents.iter().find(|d| d["kind"] == kind).cloned();
    if let Some(join) = kind("JoinConfiguration") {
        return Ok(Bootstrap::Join(join));
    }
    match (kind("ClusterConfiguration"), kind("InitConfiguration")) {
        (Some(cluster), Some(init)) => Ok(Bootstrap::Init { cluster, init }),
        _ => bail!(
            "{}: neither Cluster- and InitConfiguration nor a JoinConfiguration",
            file.path
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOINING: &str = r"## template: jinja
#cloud-config

write_files:
-   path: /run/kubeadm/kubeadm-join-config.yaml
    owner: root:root
    permissions: '0640'
    content: |
      ---
      apiVersion: kubeadm.k8s.io/v1beta4
      kind: JoinConfiguration
      discovery:
        bootstrapToken:
          apiServerEndpoint: 172.29.0.10:6443
      nodeRegistration:
        kubeletExtraArgs:
        - name: provider-id
          value: openstack:///{{ instance_id }}
        name: '{{ ds.meta_data.local_hostname }}'
-   path: /etc/binary
    encoding: base64
    content: aGVsbG8=
runcmd:
  - 'hostname {{ local_hostname }}'
";

    fn parsed(text: &str) -> Result<UserData> {
        parse(&STANDARD.encode(text), "worker-0", "6b86")
    }

    #[test]
    fn a_join_names_the_server() {
        let data = parsed(JOINING).unwrap();
        let Bootstrap::Join(join) = data.bootstrap else {
            panic!("{:?}", data.bootstrap)
        };
        assert_eq!(join["nodeRegistration"]["name"], "worker-0");
        assert_eq!(
            join["nodeRegistration"]["kubeletExtraArgs"][0]["value"],
            "openstack:///6b86"
        );
        assert_eq!(data.files[0].mode, 0o640);
        assert_eq!(data.files[1].content, b"hello");
    }

    #[test]
    fn anything_else_is_no_node() {
        assert_eq!(parsed("").unwrap().bootstrap, Bootstrap::None);
        assert_eq!(
            parsed("#cloud-config\nruncmd: [ls]\n").unwrap().bootstrap,
            Bootstrap::None
        );
    }

    #[test]
    fn an_unknown_variable_is_named() {
        let error = parsed("## template: jinja\n#cloud-config\nx: {{ secret }}\n")
            .err()
            .unwrap();
        assert!(error.to_string().contains("secret"));
    }
}
