//! Manifests made for Pods behind Services, rewritten for processes on loopback.

use std::{io::Write, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result, bail};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::management;
use crate::{lab::Lab, process::wait_for};

/// What a Pod, its Service and cert-manager would do is done by the lab.
const DROPPED: [&str; 4] = ["Deployment", "Service", "Certificate", "Issuer"];

/// Annotations that have others write the authority into a manifest.
const CA_INJECTIONS: [&str; 2] = [
    "cert-manager.io/inject-ca-from",
    "runtime.cluster.x-k8s.io/inject-ca-from-secret",
];

/// All documents of a YAML file.
///
/// # Errors
/// It is missing or no YAML.
pub fn read(path: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    parse(&text).with_context(|| path.display().to_string())
}

/// All documents of a YAML stream.
pub fn parse(text: &str) -> Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)?;
    Ok(documents.into_iter().filter(|d| !d.is_null()).collect())
}

/// Drops what processes do not need and points webhooks, conversions and extension configs
/// that name a Service at `https://127.0.0.1:<port>`, trusted by `ca` (PEM).
pub fn localise(documents: Vec<Value>, port: u16, ca: &[u8]) -> Vec<Value> {
    let bundle = BASE64_STANDARD.encode(ca);
    let mut kept: Vec<Value> = documents
        .into_iter()
        .filter(|d| !DROPPED.contains(&d["kind"].as_str().unwrap_or_default()))
        .collect();
    for document in &mut kept {
        if let Some(annotations) = document
            .pointer_mut("/metadata/annotations")
            .and_then(Value::as_object_mut)
        {
            for injection in CA_INJECTIONS {
                annotations.remove(injection);
            }
        }
        if let Some(config) = document.pointer_mut("/spec/conversion/webhook/clientConfig") {
            by_url(config, port, &bundle);
        }
        if document["kind"] == "ExtensionConfig"
            && let Some(config) = document.pointer_mut("/spec/clientConfig")
        {
            by_url(config, port, &bundle);
        }
        for webhook in document
            .get_mut("webhooks")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            by_url(&mut webhook["clientConfig"], port, &bundle);
        }
    }
    kept.sort_by_key(|d| match d["kind"].as_str() {
        Some("Namespace") => 0,
        Some("CustomResourceDefinition") => 1,
        Some("MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration") => 3,
        _ => 2,
    });
    kept
}

fn by_url(config: &mut Value, port: u16, bundle: &str) {
    let path = config
        .pointer("/service/path")
        .and_then(Value::as_str)
        .unwrap_or("/");
    *config = json!({ "url": format!("https://127.0.0.1:{port}{path}"), "caBundle": bundle });
}

/// Applies them by server-side apply as the field manager `lab`.
///
/// # Errors
/// What kubectl says in the end; a kind that its CRD has only just brought is waited for.
pub fn apply(lab: &Lab, documents: &[Value]) -> Result<()> {
    if documents.is_empty() {
        return Ok(());
    }
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": documents });
    // The managers migrate their CRDs while they run, hence the conflicts.
    let arguments = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=lab",
    ];
    wait_for("apply of manifests", Duration::from_secs(20), || {
        feed(lab, &arguments, &list)
    })
}

/// What would come of creating it.
///
/// # Errors
/// What kubectl says when the API server refuses it.
pub fn dry_run(lab: &Lab, object: &Value) -> Result<()> {
    feed(lab, &["create", "--dry-run=server"], object)
}

fn feed(lab: &Lab, arguments: &[&str], object: &Value) -> Result<()> {
    let mut child = management::kubectl(lab)?
        .args(arguments)
        .arg("--filename=-")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut input = child
        .stdin
        .take()
        .context("kubectl without standard input")?;
    input.write_all(&serde_json::to_vec(object)?)?;
    drop(input);
    let out = child.wait_with_output()?;
    if out.status.success() {
        Ok(())
    } else {
        bail!("{}", String::from_utf8_lossy(&out.stderr).trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_become_urls() {
        let documents = parse(
            "kind: ValidatingWebhookConfiguration
metadata: {annotations: {cert-manager.io/inject-ca-from: x/y}}
webhooks: [{name: a, clientConfig: {service: {name: s, path: /validate}}}]
---
kind: Deployment
---
kind: CustomResourceDefinition
spec: {conversion: {strategy: Webhook, webhook: {clientConfig: {service: {path: /convert}}}}}
---
kind: CustomResourceDefinition
spec: {conversion: {strategy: None}}
",
        )
        .unwrap();
        let out = localise(documents, 9443, b"pem");
        assert_eq!(out.len(), 3);
        assert_eq!(
            out[0]["spec"]["conversion"]["webhook"]["clientConfig"]["url"],
            "https://127.0.0.1:9443/convert"
        );
        assert_eq!(out[1]["spec"]["conversion"], json!({"strategy": "None"}));
        assert_eq!(
            out[2]["webhooks"][0]["clientConfig"],
            json!({"url": "https://127.0.0.1:9443/validate", "caBundle": "cGVt"})
        );
        assert_eq!(out[2]["metadata"]["annotations"], json!({}));
    }
}
