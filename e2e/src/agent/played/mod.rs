//! Machines that are played: no kernel, systemd, kubelet or containers of their own.
//!
//! A control plane machine is a network namespace with what kubeadm would run in it: the real etcd, API server,
//! controller manager and scheduler with the command lines that kubeadm writes, and kwok, which is the kubelet of all
//! played machines of its cluster. A worker is a network namespace and a Node: cheap enough for a hundred.

mod cluster;
mod kubeadm;
mod node;
mod programs;
mod proof;

use std::{
    fs,
    net::Ipv4Addr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use self::{cluster::Access, programs::Program};
use super::{
    machine,
    plan::Boot,
    user_data::{self, Bootstrap, UserData},
    world::Machine,
};
use crate::{lab::Lab, netns, process::wait_for, tools};

/// What is built for them: kubeadm writes how to run the next four.
const PROGRAMS: [&str; 6] = [
    "kubeadm",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kwok",
];

/// What a played machine is, while it is made.
struct Played<'a> {
    lab: &'a Lab,
    boot: &'a Boot,
    dir: PathBuf,
    /// Its own files, which its programs see as `/`.
    root: PathBuf,
    netns: String,
    address: Ipv4Addr,
}

/// Builds and downloads what played machines run, while there is a network: where they run there is none.
pub fn prepare(lab: &Lab) -> Result<()> {
    for name in PROGRAMS {
        tools::bin(lab, name)?;
    }
    tools::module_dir(lab, kubeadm::KWOK).map(drop)
}

/// Powers a machine on: its programs start, and its Node is there. What runs already stays.
pub fn boot(lab: &Lab, boot: &Boot) -> Result<()> {
    let dir = machine::folder(lab, &boot.id);
    let mut machine = match Machine::read(&dir) {
        Ok(kept) => kept,
        Err(_) => create(lab, &dir, boot)?,
    };
    if !netns::named(lab).contains(&machine.netns) || machine.links.len() != boot.links.len() {
        clear(lab, &machine)?;
        machine::wire(lab, &mut machine, &boot.links)?;
    }
    let address = boot
        .links
        .iter()
        .flat_map(|l| &l.addresses)
        .next()
        .map(|a| a.addr());
    let played = Played {
        lab,
        boot,
        root: machine::root(&dir),
        netns: machine.netns.clone(),
        address: address.with_context(|| format!("server {} has no IPv4 address", boot.name))?,
        dir,
    };
    let data = user_data::parse(&boot.user_data, &boot.name, &boot.id)?;
    match &data.bootstrap {
        Bootstrap::Init { cluster, init } => {
            let endpoint = cluster["controlPlaneEndpoint"].as_str().unwrap_or_default();
            fs::write(played.dir.join("endpoint"), endpoint)?;
            played.control_plane(
                &mut machine,
                &data,
                cluster,
                &init["nodeRegistration"],
                None,
            )?;
        }
        Bootstrap::Join(join) => played.join(&mut machine, &data, join)?,
        Bootstrap::None => {}
    }
    machine.restarted.clone_from(&boot.restarted);
    machine.since = jiff::Timestamp::now();
    machine.on = true;
    machine.write(&played.dir)
}

/// Power is cut. kwok no longer speaks for a Node whose machine is off.
pub fn clear(lab: &Lab, machine: &Machine) -> Result<()> {
    machine::kill_all(machine)?;
    // Nobody may answer any more: the whole cluster may be going.
    if machine.on
        && let Err(e) = node::abandon(lab, machine)
    {
        super::log(format_args!("{}: {e:#}", machine.name));
    }
    machine::unwire(lab, machine)
}

fn create(lab: &Lab, dir: &Path, boot: &Boot) -> Result<Machine> {
    let root = machine::root(dir);
    for folder in [
        "tmp",
        "etc/kubernetes",
        "usr/bin",
        "var/lib/etcd",
        "var/log",
    ] {
        fs::create_dir_all(root.join(folder)).with_context(|| root.display().to_string())?;
    }
    // User data and kubeconfigs of a cluster are in it.
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    fs::write(root.join("etc/hosts"), "127.0.0.1 localhost\n")?;
    let machine = machine::new(lab, boot);
    machine.write(dir)?;
    Ok(machine)
}

impl Played<'_> {
    /// A further machine: a control plane or a worker.
    fn join(&self, machine: &mut Machine, data: &UserData, join: &Value) -> Result<()> {
        let token = &join["discovery"]["bootstrapToken"];
        let endpoint = token["apiServerEndpoint"]
            .as_str()
            .context("JoinConfiguration: no apiServerEndpoint")?;
        let Some(donor) = cluster::donors(self.lab, endpoint, &self.boot.id)
            .into_iter()
            .next()
        else {
            bail!("no machine of the cluster at {endpoint} runs");
        };
        // By the endpoint and from inside the machine: what a kubelet could not reach, it cannot either.
        let donor = donor.from(&self.netns);
        fs::write(self.dir.join("endpoint"), endpoint)?;
        if !machine.on {
            proof::prove(&donor, token, &self.netns).context("bootstrap token")?;
        }
        let configuration = cluster::configuration(&donor)?;
        if !join["controlPlane"].is_null() {
            return self.control_plane(
                machine,
                data,
                &configuration,
                &join["nodeRegistration"],
                Some(&donor),
            );
        }
        let version = self.version(&configuration)?;
        node::register(self, &donor, &join["nodeRegistration"], &version, &[])
    }

    /// A control plane machine; `donor` is one whose etcd it joins.
    fn control_plane(
        &self,
        machine: &mut Machine,
        data: &UserData,
        cluster: &Value,
        registration: &Value,
        donor: Option<&Access>,
    ) -> Result<()> {
        let programs = match programs::read(&self.dir) {
            Some(known) => known,
            None => self.first_boot(data, cluster, registration, donor)?,
        };
        let (kwok, kubernetes): (Vec<_>, Vec<_>) = programs.iter().partition(|p| p.name == "kwok");
        self.start(machine, &kubernetes)?;
        let own = Access::local(&self.root, &self.netns);
        wait_for(
            "API server of a played machine",
            Duration::from_secs(120),
            || cluster::ready(&own),
        )?;
        cluster::initialize(&own, cluster)?;
        let pods = kubeadm::static_pods(&self.root)?;
        node::register(self, &own, registration, &self.version(cluster)?, &pods)?;
        self.start(machine, &kwok)
    }

    /// What kubeadm does before anything runs; ends with the record of what is to run.
    fn first_boot(
        &self,
        data: &UserData,
        cluster: &Value,
        registration: &Value,
        donor: Option<&Access>,
    ) -> Result<Vec<Program>> {
        for file in &data.files {
            let path = self.root.join(file.path.trim_start_matches('/'));
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
            }
            fs::write(&path, &file.content).with_context(|| path.display().to_string())?;
            fs::set_permissions(&path, fs::Permissions::from_mode(file.mode))?;
        }
        kubeadm::prepare(self, cluster, registration)?;
        let mut programs = kubeadm::programs(&self.root)?;
        if let Some(donor) = donor {
            let members = cluster::add_member(self, donor)?;
            let etcd = programs
                .iter_mut()
                .find(|p| p.name == "etcd")
                .context("kubeadm wrote no manifest of etcd")?;
            etcd.arguments
                .retain(|a| !a.starts_with("--initial-cluster"));
            etcd.arguments.push(format!("--initial-cluster={members}"));
            etcd.arguments
                .push("--initial-cluster-state=existing".to_owned());
        }
        programs.push(kubeadm::kwok(self)?);
        programs::write(&self.dir, &programs)?;
        Ok(programs)
    }

    fn start(&self, machine: &mut Machine, programs: &[&Program]) -> Result<()> {
        for program in programs {
            if machine
                .processes
                .get(&program.name)
                .is_some_and(|p| p.alive())
            {
                continue;
            }
            let process = programs::start(self, program)?;
            machine.processes.insert(program.name.clone(), process);
            machine.write(&self.dir)?;
        }
        Ok(())
    }

    /// The version that the machine's image has, which its name says; of an image that does not, the cluster's.
    fn version(&self, cluster: &Value) -> Result<String> {
        let of_image = self.boot.image_name.as_deref().and_then(version_in);
        let of_cluster = || cluster["kubernetesVersion"].as_str().map(str::to_owned);
        match of_image.or_else(of_cluster) {
            Some(version) => Ok(version),
            None => bail!(
                "{}: neither its image nor ClusterConfiguration says a Kubernetes version",
                self.boot.name
            ),
        }
    }
}

/// `v1.36.3` from `ubuntu-capi-image-v1.36.3` or `ubuntu-capi-image-1.36.3`.
fn version_in(image: &str) -> Option<String> {
    image.split(['-', '_', ' ']).rev().find_map(|word| {
        let digits = word.strip_prefix('v').unwrap_or(word);
        let three = digits
            .split('.')
            .filter(|n| n.parse::<u32>().is_ok())
            .count()
            == 3;
        three.then(|| format!("v{digits}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_says_its_version() {
        assert_eq!(
            version_in("ubuntu-capi-image-v1.36.3").as_deref(),
            Some("v1.36.3")
        );
        assert_eq!(
            version_in("ubuntu-capi-image-1.37.0").as_deref(),
            Some("v1.37.0")
        );
        assert_eq!(version_in("Debian 12"), None);
    }
}
