//! What clusterctl makes of our release.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::release::{Clusterctl, IMAGE, PROVIDER, VERSION};

/// Where it is asked to install.
const NAMESPACE: &str = "openstack-here";

#[tokio::test]
async fn clusterctl_takes_our_release_and_puts_it_where_it_is_asked_to() -> Result<()> {
    let clusterctl = Clusterctl::new()?;
    let release = format!("openstack:{VERSION}");
    let generate = ["generate", "provider", "--infrastructure", &release];

    let described = clusterctl
        .run(&[&generate[..], &["--describe"]].concat())
        .await?;
    for line in [
        "Name:               openstack",
        "Type:               InfrastructureProvider",
        &format!("Version:            {VERSION}"),
        "TargetNamespace:    capstan-system",
    ] {
        assert!(described.contains(line), "no {line:?} in\n{described}");
    }
    let lines: Vec<&str> = described.lines().map(str::trim).collect();
    let after = |title: &str| lines.iter().skip_while(|line| **line != title).nth(1);
    assert!(!described.contains("Variables:"), "{described}");
    let image = format!("- {IMAGE}");
    assert_eq!(after("Images:"), Some(&image.as_str()), "{described}");

    let here = ["--target-namespace", NAMESPACE];
    let text = clusterctl.run(&[&generate[..], &here].concat()).await?;
    assert!(!text.contains("capstan-system"), "{text}");
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text)?;
    assert_eq!(objects.len(), generate_count()?);
    for object in &objects {
        let meta = &object["metadata"];
        let labels = &meta["labels"];
        let name = format!("{} {}", object["kind"], meta["name"]);
        assert_eq!(labels["cluster.x-k8s.io/provider"], PROVIDER, "{name}");
        assert_eq!(labels["clusterctl.cluster.x-k8s.io"], "", "{name}");
        let namespace = &meta["namespace"];
        assert!(namespace.is_null() || namespace == NAMESPACE, "{name}");
    }
    let certificate = objects.iter().find(|one| one["kind"] == "Certificate");
    let host = certificate.context("no Certificate")?["spec"]["dnsNames"][0].as_str();
    assert_eq!(
        host,
        Some("capstan-webhook-service.openstack-here.svc"),
        "the API server calls it so"
    );
    Ok(())
}

/// As many as we ship.
fn generate_count() -> Result<usize> {
    Ok(serde_saphyr::from_multiple::<Value>(&generate::components(IMAGE)?)?.len())
}
