//! `cargo lab shell`: a process in the lab's namespace that finds everything.

use std::{env, os::unix::process::CommandExt, path::PathBuf, process::Command};

use anyhow::{Context, Result};

use crate::{lab::Lab, netns, openstack, parts::management, tools};

/// Becomes `command`, or `$SHELL`, in the lab's network namespace.
///
/// # Errors
/// The lab is not up, or the program does not exist.
pub fn run(lab: &Lab, command: &[String]) -> Result<()> {
    netns::enter(lab)?;
    let mut program = match command {
        [] => Command::new(env::var_os("SHELL").unwrap_or_else(|| "/bin/bash".into())),
        [name, arguments @ ..] => {
            let mut program = Command::new(name);
            program.args(arguments);
            program
        }
    };
    surroundings(lab, &mut program)?;
    if command.is_empty() {
        lab.say(format_args!(
            "In {}: kubectl, helm and openstack (clouds admin, tenant) know where to go; exit leaves.",
            lab.netns()
        ));
    }
    Err(program.exec()).context("run the command")
}

/// Sets KUBECONFIG, OS_CLIENT_CONFIG_FILE, OS_CLOUD and PATH.
pub fn surroundings(lab: &Lab, command: &mut Command) -> Result<()> {
    let mut folders: Vec<PathBuf> = Vec::new();
    for tool in ["kubectl", "helm", "etcd"] {
        // Parts that were not prepared have no tools yet; the others still work.
        if let Some(folder) = tools::bin(lab, tool)
            .ok()
            .and_then(|p| Some(p.parent()?.to_owned()))
        {
            folders.push(folder);
        }
    }
    folders.extend(openstack::commands(lab));
    folders.push(lab.programs()?);
    folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    folders.dedup();
    command
        .env("PATH", env::join_paths(folders)?)
        .env("KUBECONFIG", management::admin(lab))
        .env("OS_CLIENT_CONFIG_FILE", openstack::clouds_yaml(lab))
        .env("OS_CLOUD", "tenant")
        .env("CAPSTAN_LAB", &lab.name);
    // They would make clients trust other authorities than the lab's.
    for bundle in ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"] {
        command.env_remove(bundle);
    }
    Ok(())
}
