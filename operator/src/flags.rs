//! The flags and the environment of the operator. `--help` is their reference.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser};
use provider_openstack::cluster::{self, Source as CidrSource};
use registry::Source;
use registry::folder::Folder;
use registry::oci::{Oci, Settings};
use runtime::logs;

const EXAMPLES: &str = "\
Examples:
  A try outside a cluster; the folder holds tls.crt and tls.key:
    capstan-operator --kubeconfig=admin.conf --leader-elect=false --log-format=human \\
      --webhook-cert-dir=certs --hook-cert-dir=certs --release-dir=releases
  Beside another one, for the objects that are labelled so:
    capstan-operator --watch-filter=blue --lease-name=capstan-blue
  Every request to a cloud, and why an object is tried again:
    capstan-operator --log-level=info,cloud=debug,runtime=debug

What became of the flags of Cluster API Provider OpenStack is in docs/provider.md.";

/// The operator of Capstan: Cluster API's infrastructure provider for OpenStack, and cluster
/// stacks.
///
/// Run it in the management cluster, or elsewhere with --kubeconfig. One process works at a time;
/// others with the same --lease-name stand by. It is asked to stop by SIGTERM or SIGINT, and
/// finishes what it is doing.
#[derive(Parser)]
#[command(name = "capstan-operator", version, after_help = EXAMPLES)]
pub struct Flags {
    /// Kubeconfig of the management cluster [default: that of the Pod, or $KUBECONFIG]
    #[arg(long, value_name = "FILE", help_heading = "Kubernetes")]
    pub kubeconfig: Option<PathBuf>,
    /// Handle only objects of this namespace [default: all]. Credentials and what a cluster identity
    /// refers to may be elsewhere
    #[arg(long, value_name = "NAME", help_heading = "Kubernetes")]
    pub namespace: Option<String>,
    /// Handle only objects whose label cluster.x-k8s.io/watch-filter has this value [default: all].
    /// Two processes with different values need a Lease each
    #[arg(long, value_name = "VALUE", help_heading = "Kubernetes")]
    pub watch_filter: Option<String>,
    /// Reconciles at a time, for each kind and each set of credentials; 0 is no limit. A cloud that
    /// answers slowly holds up only what uses its credentials
    #[arg(
        long,
        value_name = "N",
        default_value_t = 32,
        help_heading = "Kubernetes"
    )]
    pub concurrency: u16,

    /// Wait for the Lease before working; --leader-elect=false for a single process outside a cluster
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set, help_heading = "Leader election")]
    pub leader_elect: bool,
    /// Name of the Lease, which is renewed every 10 s and free 15 s after its holder is gone
    #[arg(
        long,
        value_name = "NAME",
        default_value = "capstan-operator",
        help_heading = "Leader election"
    )]
    pub lease_name: String,
    /// Namespace of the Lease
    #[arg(
        long,
        value_name = "NAME",
        env = "POD_NAMESPACE",
        default_value = "capstan-system",
        help_heading = "Leader election"
    )]
    pub lease_namespace: String,
    /// Who we are; who starts again under the same name goes on with its Lease at once
    #[arg(
        long,
        value_name = "NAME",
        env = "POD_NAME",
        default_value = "capstan-operator",
        help_heading = "Leader election"
    )]
    pub lease_identity: String,

    /// Address of /healthz and /readyz; /readyz says what is awaited. `:9440` is every address
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "0.0.0.0:9440",
        value_parser = address,
        help_heading = "Servers"
    )]
    pub health_addr: SocketAddr,
    /// Address of /metrics, in plain HTTP
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "0.0.0.0:8080",
        value_parser = address,
        help_heading = "Servers"
    )]
    pub metrics_addr: SocketAddr,
    /// Port of the validating webhooks
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 9443,
        help_heading = "Servers"
    )]
    pub webhook_port: u16,
    /// Folder with tls.crt and tls.key of the webhooks
    #[arg(
        long,
        value_name = "DIR",
        default_value = "/etc/capstan/webhook",
        help_heading = "Servers"
    )]
    pub webhook_cert_dir: PathBuf,
    /// Port of the runtime hooks
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 9442,
        help_heading = "Servers"
    )]
    pub hook_port: u16,
    /// Folder with tls.crt and tls.key of the runtime hooks
    #[arg(
        long,
        value_name = "DIR",
        default_value = "/etc/capstan/hooks",
        help_heading = "Servers"
    )]
    pub hook_cert_dir: PathBuf,

    /// PEM file of CAs for clouds whose Secret has no cacert [default: those of the system]
    #[arg(long, value_name = "FILE", help_heading = "OpenStack")]
    pub ca_certs: Option<PathBuf>,
    #[command(flatten)]
    pub management: Management,

    #[command(flatten)]
    pub stacks: Stacks,

    /// How log lines look
    #[arg(long, value_enum, default_value = "json", help_heading = "Logs")]
    pub log_format: logs::Format,
    /// What is logged, as in `info,cloud=debug`
    #[arg(
        long,
        value_name = "FILTER",
        env = "RUST_LOG",
        default_value = "info,kube_client::client::builder=off",
        help_heading = "Logs"
    )]
    pub log_level: String,
}

/// `address:port`, or `:port` for every address.
fn address(text: &str) -> Result<SocketAddr, String> {
    let any = || {
        let port = text.strip_prefix(':')?.parse().ok()?;
        Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
    };
    (text.parse().ok().or_else(any)).ok_or_else(|| {
        "it must be an address and a port, such as 127.0.0.1:9440 or :9440".to_owned()
    })
}

/// Flags about the way from the management cluster to the APIs of workload clusters.
#[derive(Args)]
#[command(next_help_heading = "OpenStack")]
pub struct Management {
    /// Where workload clusters see us come from: addresses, CIDRs, or `auto` for the address of
    /// this process, which is right only where nothing on the way changes it [default: not known]
    #[arg(long, value_name = "CIDR,...", value_delimiter = ',')]
    management_cidrs: Vec<CidrSource>,
    /// Add --management-cidrs to every list of allowedCIDRs; otherwise a list that shuts them out is
    /// refused
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    allow_management_cidrs: bool,
}

impl Management {
    /// What the provider needs.
    pub fn sources(&self) -> cluster::Management {
        cluster::Management {
            sources: self.management_cidrs.clone(),
            let_in: self.allow_management_cidrs,
        }
    }
}

/// Flags of cluster stacks.
#[derive(Args)]
#[command(next_help_heading = "Cluster stacks")]
pub struct Stacks {
    /// Folder of the local store of releases
    #[arg(long, value_name = "DIR", default_value = "/var/lib/capstan/releases")]
    release_dir: PathBuf,
    /// The helm binary, version 3
    #[arg(long, value_name = "FILE", default_value = "helm")]
    helm: PathBuf,
    /// Seconds between two looks for new releases
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    poll_interval: u64,
    /// Take releases from this folder instead of a registry: a sub-folder for each
    #[arg(long, value_name = "DIR", conflicts_with = "oci_repository")]
    source_dir: Option<PathBuf>,
    /// Repository of the releases, with or without its registry
    #[arg(long, value_name = "REPOSITORY", env = "OCI_REPOSITORY")]
    oci_repository: Option<String>,
    /// Registry of the releases
    #[arg(long, value_name = "HOST", env = "OCI_REGISTRY")]
    oci_registry: Option<String>,
    /// User name for the registry
    #[arg(
        long,
        value_name = "NAME",
        env = "OCI_USERNAME",
        requires = "oci_password"
    )]
    oci_username: Option<String>,
    /// Password for the registry; use the environment
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "OCI_PASSWORD",
        hide_env_values = true
    )]
    oci_password: Option<String>,
    /// Token for the registry; use the environment
    #[arg(
        long,
        value_name = "TOKEN",
        env = "OCI_ACCESS_TOKEN",
        hide_env_values = true
    )]
    oci_access_token: Option<String>,
    /// PEM file of CAs for the registry, besides those of the system
    #[arg(long, value_name = "FILE")]
    registry_ca: Option<PathBuf>,
}

impl Stacks {
    /// What the controllers need. A source that cannot be set up is no reason not to start: the
    /// conditions of each ClusterStack say so.
    pub fn options(&self) -> cluster_stacks::Options {
        cluster_stacks::Options {
            source: self.source(),
            store: self.release_dir.clone(),
            helm: self.helm.clone(),
            poll: Duration::from_secs(self.poll_interval),
        }
    }

    fn source(&self) -> Result<Source, String> {
        if let Some(folder) = &self.source_dir {
            return Ok(Source::Folder(Folder::new(folder)));
        }
        let repository = self
            .oci_repository
            .as_ref()
            .ok_or("set OCI_REPOSITORY (and OCI_REGISTRY) or --source-dir")?;
        // The original's OCI_REPOSITORY holds the registry as well.
        let repository = match &self.oci_registry {
            Some(registry) if !repository.starts_with(&format!("{registry}/")) => {
                format!("{registry}/{repository}")
            }
            _ => repository.clone(),
        };
        let ca = match &self.registry_ca {
            Some(path) => Some(
                std::fs::read(path)
                    .map_err(|error| format!("--registry-ca {}: {error}", path.display()))?,
            ),
            None => None,
        };
        let settings = Settings {
            repository,
            basic: self.oci_username.clone().zip(self.oci_password.clone()),
            token: self.oci_access_token.clone(),
            ca,
            plain_http: false,
        };
        Oci::new(&settings)
            .map(Source::Oci)
            .map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_flags_are_consistent() {
        Flags::command().debug_assert();
    }

    #[test]
    fn flags_are_written_as_others_write_them() {
        let parse = |args: &[&str]| Flags::try_parse_from([&["capstan-operator"], args].concat());
        let flags = parse(&["--leader-elect", "--health-addr=:9440"]).expect("understood");
        assert!(flags.leader_elect);
        assert_eq!(flags.health_addr.to_string(), "0.0.0.0:9440");
        let flags = parse(&["--leader-elect=false", "--metrics-addr=[::1]:1"]).expect("understood");
        assert!(!flags.leader_elect);
        assert_eq!(flags.metrics_addr.port(), 1);
        let refused = parse(&["--health-addr=9440"])
            .err()
            .expect("refused")
            .to_string();
        assert!(refused.contains(":9440"), "{refused}");
    }

    #[test]
    fn the_registry_is_put_before_the_repository_once() {
        // As in `main`; a test before may have done it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let place = |args: &[&str]| {
            let flags = Flags::parse_from([&["capstan-operator"], args].concat());
            flags.stacks.source().map(|source| source.place())
        };
        let both = ["--oci-registry", "r.example:5000", "--oci-repository"];
        for repository in ["stacks", "r.example:5000/stacks"] {
            let args = [&both[..], &[repository]].concat();
            assert_eq!(place(&args), Ok("r.example:5000/stacks".to_owned()));
        }
        assert!(place(&["--source-dir", "/releases"]).is_ok());
    }
}
