//! The part `management`: etcd, kube-apiserver and kube-controller-manager, the real ones, with TLS and RBAC.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    lab::Lab,
    part::Part,
    pki::{self, Authority, Pair, Usage},
    probe,
    process::Daemon,
    tools,
};

const NAME: &str = "management";
const SERVER: &str = "https://127.0.0.1:16443";
const CONTROLLER_MANAGER: &str = "https://127.0.0.1:12570";
const ETCD: u16 = 12379;
const DEADLINE: Duration = Duration::from_secs(90);

/// The part.
pub struct Management;

impl Part for Management {
    fn name(&self) -> &'static str {
        NAME
    }

    fn needs(&self) -> &'static [&'static str] {
        &[]
    }

    fn prepare(&self, lab: &Lab) -> Result<()> {
        for tool in [
            "etcd",
            "kube-apiserver",
            "kube-controller-manager",
            "kubectl",
        ] {
            tools::bin(lab, tool)?;
        }
        Ok(())
    }

    fn up(&self, lab: &Lab) -> Result<()> {
        let files = Files::make(lab)?;
        files.start(lab, "etcd", etcd(lab)?)?;
        lab.wait_for(NAME, "etcd", DEADLINE, || probe::http(ETCD, "/health"))?;
        files.start(lab, "kube-apiserver", kube_apiserver(lab, &files)?)?;
        lab.wait_for(NAME, "kube-apiserver", DEADLINE, || ready(lab, "/readyz"))?;
        let name = "kube-controller-manager";
        files.start(lab, name, kube_controller_manager(lab, &files)?)?;
        lab.wait_for(NAME, name, DEADLINE, || controller_manager(lab))
    }

    fn address(&self, _: &Lab) -> Option<String> {
        Some(SERVER.to_owned())
    }

    fn check(&self, lab: &Lab) -> Result<()> {
        probe::http(ETCD, "/health")?;
        ready(lab, "/readyz")?;
        controller_manager(lab)
    }

    fn down(&self, lab: &Lab) -> Result<()> {
        lab.stop(NAME, "kube-controller-manager")?;
        // Its graceful end waits a minute for watches to go; all its state is in etcd.
        if lab.alive(NAME, "kube-apiserver") {
            lab.kill(NAME, "kube-apiserver")?;
        }
        lab.stop_all(NAME)
    }
}

/// Kubeconfig of a cluster administrator.
pub fn admin(lab: &Lab) -> PathBuf {
    lab.part_dir("management/kube").join("admin.conf")
}

/// kubectl as administrator.
///
/// # Errors
/// It cannot be built.
pub fn kubectl(lab: &Lab) -> Result<Command> {
    let mut command = Command::new(tools::bin(lab, "kubectl")?);
    command.env("KUBECONFIG", admin(lab));
    Ok(command)
}

/// What kubectl prints.
///
/// # Errors
/// What it says when it fails.
pub fn ask(lab: &Lab, arguments: &[&str]) -> Result<String> {
    let out = kubectl(lab)?.args(arguments).output()?;
    if !out.status.success() {
        bail!(
            "kubectl {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&out.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

/// Authority of everything in this part, and of the webhooks and hooks that the API server calls.
pub fn authority(lab: &Lab) -> Result<Authority> {
    Authority::open(&lab.part_dir("management/pki"), "ca")
}

/// A folder with `tls.crt` and `tls.key` for a server on 127.0.0.1, as webhook servers want it.
pub fn serving_certificate(lab: &Lab, name: &str) -> Result<PathBuf> {
    let pair = authority(lab)?.sign(name, name, &Usage::Server(&["127.0.0.1", "localhost"]))?;
    let dir = lab.part_dir(&format!("management/certs/{name}"));
    // Servers watch these files: they are written once.
    for (from, to) in [(pair.certificate, "tls.crt"), (pair.key, "tls.key")] {
        let to = dir.join(to);
        if !to.exists() {
            fs::copy(&from, &to).with_context(|| to.display().to_string())?;
        }
    }
    Ok(dir)
}

/// A kubeconfig that may exactly what RBAC grants this ServiceAccount, by a token bound to it.
/// (Not by a certificate: names of ServiceAccounts are longer than the 64 characters of a common name.)
pub fn kubeconfig_of(lab: &Lab, namespace: &str, account: &str) -> Result<PathBuf> {
    let token = ask(
        lab,
        &[
            "create",
            "token",
            account,
            "--namespace",
            namespace,
            "--duration",
            "8760h",
        ],
    )?;
    let kube = lab.part_dir("management/kube");
    let file = kube.join(format!("{account}.token"));
    pki::write_private(&file, &token)?;
    kubeconfig(
        &authority(lab)?,
        &kube,
        account,
        json!({ "tokenFile": file }),
    )
}

/// Certificates and kubeconfigs.
struct Files {
    kube: PathBuf,
    ca: PathBuf,
    server: Pair,
    /// Keys of ServiceAccount tokens.
    signing: PathBuf,
    verifying: PathBuf,
}

impl Files {
    fn make(lab: &Lab) -> Result<Self> {
        let authority = authority(lab)?;
        let names = [
            "127.0.0.1",
            "10.250.0.1",
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
        ];
        let server = authority.sign("kube-apiserver", "kube-apiserver", &Usage::Server(&names))?;
        let (signing, verifying) = pki::keys(&lab.part_dir("management/pki"), "service-accounts")?;
        let kube = lab.part_dir("management/kube");
        let groups = [
            ("admin", "admin", &["system:masters"][..]),
            ("controller-manager", "system:kube-controller-manager", &[]),
        ];
        for (name, user, groups) in groups {
            let pair = authority.sign(name, user, &Usage::Client(groups))?;
            let credentials =
                json!({ "client-certificate": pair.certificate, "client-key": pair.key });
            kubeconfig(&authority, &kube, name, credentials)?;
        }
        Ok(Self {
            kube,
            ca: authority.certificate,
            server,
            signing,
            verifying,
        })
    }

    fn start(&self, lab: &Lab, name: &str, command: Command) -> Result<()> {
        lab.start(Daemon {
            part: NAME,
            name: name.to_owned(),
            command,
        })
    }
}

fn kubeconfig(authority: &Authority, dir: &Path, name: &str, user: Value) -> Result<PathBuf> {
    let ca = fs::read(&authority.certificate)
        .with_context(|| authority.certificate.display().to_string())?;
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "lab",
        "clusters": [{ "name": "lab", "cluster": { "server": SERVER, "certificate-authority-data": BASE64_STANDARD.encode(ca) } }],
        "users": [{ "name": name, "user": user }],
        "contexts": [{ "name": "lab", "context": { "cluster": "lab", "user": name } }],
    });
    let path = dir.join(format!("{name}.conf"));
    pki::write_private(&path, &serde_json::to_string_pretty(&config)?)?;
    Ok(path)
}

fn etcd(lab: &Lab) -> Result<Command> {
    let mut command = Command::new(tools::bin(lab, "etcd")?);
    command
        .arg("--data-dir")
        .arg(lab.part_dir("management/etcd"))
        .args([
            "--name=lab",
            "--listen-client-urls=http://127.0.0.1:12379",
            "--advertise-client-urls=http://127.0.0.1:12379",
            "--listen-peer-urls=http://127.0.0.1:12380",
            "--initial-advertise-peer-urls=http://127.0.0.1:12380",
            "--initial-cluster=lab=http://127.0.0.1:12380",
            "--quota-backend-bytes=4294967296",
            "--auto-compaction-mode=periodic",
            "--auto-compaction-retention=5m",
            "--log-level=warn",
            // A lab that a power cut ends may start anew.
            "--unsafe-no-fsync",
        ]);
    Ok(command)
}

fn kube_apiserver(lab: &Lab, files: &Files) -> Result<Command> {
    let mut command = Command::new(tools::bin(lab, "kube-apiserver")?);
    for (flag, file) in [
        ("--tls-cert-file", &files.server.certificate),
        ("--tls-private-key-file", &files.server.key),
        ("--client-ca-file", &files.ca),
        ("--service-account-key-file", &files.verifying),
        ("--service-account-signing-key-file", &files.signing),
    ] {
        command.arg(flag).arg(file);
    }
    command.args([
        "--etcd-servers=http://127.0.0.1:12379",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        "--secure-port=16443",
        // A loopback address is no valid endpoint of the Service `kubernetes`.
        "--endpoint-reconciler-type=none",
        "--service-cluster-ip-range=10.250.0.0/24",
        "--authorization-mode=RBAC",
        "--allow-privileged",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--event-ttl=2h",
        "--profiling=false",
    ]);
    Ok(command)
}

fn kube_controller_manager(lab: &Lab, files: &Files) -> Result<Command> {
    let mut command = Command::new(tools::bin(lab, "kube-controller-manager")?);
    command
        .arg("--kubeconfig")
        .arg(files.kube.join("controller-manager.conf"));
    command
        .arg("--service-account-private-key-file")
        .arg(&files.signing);
    command.arg("--root-ca-file").arg(&files.ca);
    command.args([
        "--bind-address=127.0.0.1",
        "--secure-port=12570",
        "--leader-elect=false",
        // Without it the aggregated roles of Cluster API stay empty, and its managers wait for ever.
        "--use-service-account-credentials",
        "--controllers=namespace-controller,garbage-collector-controller,clusterrole-aggregation-controller,\
         serviceaccount-controller,serviceaccount-token-controller,root-ca-certificate-publisher-controller,\
         resourcequota-controller",
        "--profiling=false",
    ]);
    Ok(command)
}

fn ready(lab: &Lab, path: &str) -> Result<()> {
    ask(lab, &["get", "--raw", path]).map(|_| ())
}

fn controller_manager(lab: &Lab) -> Result<()> {
    ask(
        lab,
        &[
            "--server",
            CONTROLLER_MANAGER,
            "--insecure-skip-tls-verify",
            "get",
            "--raw",
            "/healthz",
        ],
    )
    .map(|_| ())
}
