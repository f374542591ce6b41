//! Proof that every webhook and conversion which the API server would call answers.

use std::{fs, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde_json::{Value, json};

use super::{admission, management, manifests};
use crate::lab::Lab;

/// Asks each webhook by its URL, reads every kind in every version, and has objects refused.
///
/// # Errors
/// All that did not answer, or was not refused.
pub fn prove(lab: &Lab) -> Result<()> {
    let client = client(lab)?;
    let mut wrong = Vec::new();
    let mut answered = 0;
    for webhook in webhooks(lab)? {
        match ask(&client, &webhook) {
            Ok(()) => answered += 1,
            Err(e) => wrong.push(format!("{}: {e:#}", webhook["name"])),
        }
    }
    let mut converted = 0;
    for path in versions(lab)? {
        match management::ask(lab, &["get", "--raw", &path]) {
            Ok(_) => converted += 1,
            Err(e) => wrong.push(format!("{path}: {e:#}")),
        }
    }
    for (what, object) in refused() {
        if let Err(e) = refuse(lab, &object) {
            wrong.push(format!("{what}: {e:#}"));
        }
    }
    let judged = admission::prove(lab).unwrap_or_else(|e| {
        wrong.push(format!("{e:#}"));
        0
    });
    ensure!(
        answered >= 30 && converted >= 20,
        "only {answered} webhooks and {converted} versions: are all registered?"
    );
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    lab.say(format_args!(
        "{answered} webhooks answer, {converted} versions are read, {} objects refused, {judged} requests about the \
         provider's kinds judged as they must be",
        refused().len()
    ));
    Ok(())
}

/// A client that trusts what the API server trusts.
fn client(lab: &Lab) -> Result<reqwest::blocking::Client> {
    let ca = fs::read(management::authority(lab)?.certificate)?;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&ca)?)?;
    let tls = rustls::ClientConfig::builder_with_provider(
        rustls::crypto::ring::default_provider().into(),
    )
    .with_safe_default_protocol_versions()?
    .with_root_certificates(roots)
    .with_no_client_auth();
    let builder = reqwest::blocking::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy();
    Ok(builder.timeout(Duration::from_secs(15)).build()?)
}

fn webhooks(lab: &Lab) -> Result<Vec<Value>> {
    let kinds = "validatingwebhookconfigurations,mutatingwebhookconfigurations";
    let list: Value = serde_json::from_str(&management::ask(lab, &["get", kinds, "-o", "json"])?)?;
    let configurations = list["items"].as_array().into_iter().flatten();
    Ok(configurations
        .flat_map(|c| c["webhooks"].as_array().into_iter().flatten())
        .cloned()
        .collect())
}

fn ask(client: &reqwest::blocking::Client, webhook: &Value) -> Result<()> {
    let rule = &webhook["rules"][0];
    let (group, version, resource) = (
        &rule["apiGroups"][0],
        &rule["apiVersions"][0],
        &rule["resources"][0],
    );
    let scale = resource.as_str().is_some_and(|r| r.ends_with("/scale"));
    let scale = scale.then(
        || json!({ "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": { "name": "x" } }),
    );
    let review = json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "probe", "operation": "CREATE", "name": "x", "namespace": "default", "userInfo": {},
        "kind": { "group": group, "version": version, "kind": "X" },
        "resource": { "group": group, "version": version, "resource": resource },
        "object": scale.unwrap_or_else(|| json!({})),
    }});
    let url = webhook["clientConfig"]["url"].as_str().context("no URL")?;
    let answer: Value = client
        .post(url)
        .json(&review)
        .send()?
        .error_for_status()?
        .json()?;
    ensure!(
        answer["response"]["uid"] == "probe",
        "{url} answers {answer}"
    );
    Ok(())
}

/// Paths that list each kind with conversion in each version that is served.
fn versions(lab: &Lab) -> Result<Vec<String>> {
    let list: Value = serde_json::from_str(&management::ask(
        lab,
        &["get", "customresourcedefinitions", "-o", "json"],
    )?)?;
    let mut paths = Vec::new();
    for definition in list["items"].as_array().into_iter().flatten() {
        let spec = &definition["spec"];
        let converts = spec["conversion"]["strategy"] == "Webhook";
        for version in spec["versions"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|v| converts && v["served"] == true)
        {
            let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
            let (group, plural) = (text(&spec["group"]), text(&spec["names"]["plural"]));
            paths.push(format!(
                "/apis/{group}/{}/{plural}?limit=1",
                text(&version["name"])
            ));
        }
    }
    Ok(paths)
}

/// Objects that pass their schemas and that a webhook must refuse.
fn refused() -> Vec<(&'static str, Value)> {
    let object = |kind: &str, group: &str, spec: Value| {
        json!({ "apiVersion": format!("{group}/v1beta2"), "kind": kind,
                "metadata": { "name": "probe", "namespace": "default" }, "spec": spec })
    };
    let template = json!({ "apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "OpenStackMachineTemplate", "name": "x" });
    vec![
        (
            "Cluster with a version that is none",
            object(
                "Cluster",
                "cluster.x-k8s.io",
                json!({ "topology": { "classRef": { "name": "x" }, "version": "one" } }),
            ),
        ),
        (
            "KubeadmConfig with a file of two contents",
            object(
                "KubeadmConfig",
                "bootstrap.cluster.x-k8s.io",
                json!({ "files": [
                { "path": "/x", "content": "a", "contentFrom": { "secret": { "name": "s", "key": "k" } } }] }),
            ),
        ),
        (
            "KubeadmControlPlane of two",
            object(
                "KubeadmControlPlane",
                "controlplane.cluster.x-k8s.io",
                json!({
                "replicas": 2, "version": "v1.36.3",
                "machineTemplate": { "spec": { "infrastructureRef": template } } }),
            ),
        ),
    ]
}

fn refuse(lab: &Lab, object: &Value) -> Result<()> {
    match manifests::dry_run(lab, object) {
        Ok(()) => bail!("not refused"),
        Err(e) => {
            let said = format!("{e:#}");
            let webhook = said.contains("denied the request") || said.contains("is invalid");
            ensure!(webhook, "refused, but not by a webhook: {said}");
            Ok(())
        }
    }
}
