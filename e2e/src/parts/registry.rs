//! The registry: CNCF Distribution behind TLS, with a certificate authority that is nobody else's, and in it the images
//! that machines run.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result};

use crate::{
    image,
    lab::Lab,
    part::Part,
    pki::{Authority, Usage},
    process::{Daemon, wait_for},
    tools,
};

const NAME: &str = "registry";
/// On the external network, where machines reach it as well.
const HOST: &str = "172.29.0.1";
/// What it is called in references.
pub const ADDRESS: &str = "172.29.0.1:5443";

/// The part `registry`. Others find the certificate of its authority in `<dir>/registry/ca.pem`.
pub struct Registry;

impl Part for Registry {
    fn name(&self) -> &'static str {
        NAME
    }

    fn needs(&self) -> &'static [&'static str] {
        &[]
    }

    fn prepare(&self, lab: &Lab) -> Result<()> {
        tools::bin(lab, "registry")?;
        image::layout(lab).map(drop)
    }

    fn up(&self, lab: &Lab) -> Result<()> {
        let dir = lab.part_dir(NAME);
        let authority = Authority::open(&dir.join("pki"), "ca")?;
        let server = authority.sign("server", HOST, &Usage::Server(&[HOST]))?;
        let ca = certificate(lab);
        fs::copy(&authority.certificate, &ca).with_context(|| ca.display().to_string())?;
        let mut command = Command::new(tools::bin(lab, "registry")?);
        command
            .arg("serve")
            .arg(lab.repo.join("e2e/registry/config.yml"))
            .env("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", data(lab))
            .env("REGISTRY_HTTP_TLS_CERTIFICATE", server.certificate)
            .env("REGISTRY_HTTP_TLS_KEY", server.key)
            // Else it looks for a collector of traces on localhost for ever.
            .env("OTEL_TRACES_EXPORTER", "none");
        lab.start(Daemon {
            part: NAME,
            name: NAME.to_owned(),
            command,
        })?;
        wait_for("registry", Duration::from_secs(30), || self.check(lab))?;
        let layout = image::layout(lab)?;
        let pushed = client(lab)?.push(&layout)?;
        if !pushed.is_empty() {
            lab.say(format_args!("registry: pushed {}", pushed.join(", ")));
        }
        Ok(())
    }

    fn address(&self, _: &Lab) -> Option<String> {
        Some(format!("https://{ADDRESS}"))
    }

    fn check(&self, lab: &Lab) -> Result<()> {
        client(lab)?.check()
    }

    fn down(&self, lab: &Lab) -> Result<()> {
        lab.stop_all(NAME)
    }
}

/// Folder of its blobs and tags.
pub fn data(lab: &Lab) -> PathBuf {
    lab.part_dir(NAME).join("data")
}

/// PEM file with the certificate of the registry's authority.
pub fn certificate(lab: &Lab) -> PathBuf {
    lab.part_dir(NAME).join("ca.pem")
}

/// A client that trusts it.
fn client(lab: &Lab) -> Result<image::Registry> {
    image::Registry::new(ADDRESS, &certificate(lab))
}
