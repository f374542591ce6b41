//! What can be built, and of what.

/// A folder of `e2e/tools/`: one go.mod, one graph of dependencies.
pub struct Module {
    /// Name of the folder.
    pub folder: &'static str,
    /// The upstream module; its version in go.mod is the version of the tools.
    pub upstream: &'static str,
    /// Variables that the linker fills in. In the values `{version}`, `{major}` and `{minor}` are replaced.
    pub stamps: &'static [(&'static str, &'static str)],
    /// Its tools.
    pub tools: &'static [Tool],
}

/// A program.
pub struct Tool {
    /// As in `bin(lab, name)`.
    pub name: &'static str,
    /// Where its source is.
    pub source: Source,
}

/// Where the source of a tool is.
pub enum Source {
    /// A Go package with a main function.
    Go(&'static str),
    /// A C file in the upstream module.
    C(&'static str),
}

const fn go(name: &'static str, package: &'static str) -> Tool {
    Tool {
        name,
        source: Source::Go(package),
    }
}

/// All modules.
pub const MODULES: &[Module] = &[
    Module {
        folder: "etcd",
        upstream: "go.etcd.io/etcd/server/v3",
        stamps: &[],
        tools: &[go("etcd", "go.etcd.io/etcd/server/v3")],
    },
    Module {
        folder: "kubernetes",
        upstream: "k8s.io/kubernetes",
        stamps: &[
            ("k8s.io/component-base/version.gitVersion", "{version}"),
            ("k8s.io/component-base/version.gitMajor", "{major}"),
            ("k8s.io/component-base/version.gitMinor", "{minor}"),
            ("k8s.io/component-base/version.gitTreeState", "clean"),
            ("k8s.io/client-go/pkg/version.gitVersion", "{version}"),
            ("k8s.io/client-go/pkg/version.gitMajor", "{major}"),
            ("k8s.io/client-go/pkg/version.gitMinor", "{minor}"),
            ("k8s.io/client-go/pkg/version.gitTreeState", "clean"),
        ],
        tools: &[
            go("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
            go(
                "kube-controller-manager",
                "k8s.io/kubernetes/cmd/kube-controller-manager",
            ),
            go("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
            go("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
            go("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
            go("kubeadm", "k8s.io/kubernetes/cmd/kubeadm"),
            go("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
            Tool {
                name: "pause",
                source: Source::C("build/pause/linux/pause.c"),
            },
        ],
    },
    Module {
        folder: "cluster-api",
        upstream: "sigs.k8s.io/cluster-api",
        stamps: &[
            ("sigs.k8s.io/cluster-api/version.gitVersion", "{version}"),
            ("sigs.k8s.io/cluster-api/version.gitMajor", "{major}"),
            ("sigs.k8s.io/cluster-api/version.gitMinor", "{minor}"),
            ("sigs.k8s.io/cluster-api/version.gitTreeState", "clean"),
        ],
        tools: &[
            go("capi-core", "sigs.k8s.io/cluster-api/core"),
            go(
                "capi-kubeadm-bootstrap",
                "sigs.k8s.io/cluster-api/bootstrap/kubeadm",
            ),
            go(
                "capi-kubeadm-control-plane",
                "sigs.k8s.io/cluster-api/controlplane/kubeadm",
            ),
            go("clusterctl", "sigs.k8s.io/cluster-api/cmd/clusterctl"),
        ],
    },
    Module {
        folder: "helm",
        upstream: "helm.sh/helm/v3",
        stamps: &[("helm.sh/helm/v3/internal/version.version", "{version}")],
        tools: &[go("helm", "helm.sh/helm/v3/cmd/helm")],
    },
    Module {
        folder: "distribution",
        upstream: "github.com/distribution/distribution/v3",
        stamps: &[(
            "github.com/distribution/distribution/v3/version.version",
            "{version}",
        )],
        tools: &[go(
            "registry",
            "github.com/distribution/distribution/v3/cmd/registry",
        )],
    },
    Module {
        folder: "containerd",
        upstream: "github.com/containerd/containerd/v2",
        stamps: &[(
            "github.com/containerd/containerd/v2/version.Version",
            "{version}",
        )],
        tools: &[
            go(
                "containerd",
                "github.com/containerd/containerd/v2/cmd/containerd",
            ),
            go(
                "containerd-shim-runc-v2",
                "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
            ),
            go("ctr", "github.com/containerd/containerd/v2/cmd/ctr"),
        ],
    },
    Module {
        folder: "cni",
        upstream: "github.com/containernetworking/plugins",
        stamps: &[(
            "github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion",
            "{version}",
        )],
        tools: &[
            go(
                "bridge",
                "github.com/containernetworking/plugins/plugins/main/bridge",
            ),
            go(
                "ptp",
                "github.com/containernetworking/plugins/plugins/main/ptp",
            ),
            go(
                "loopback",
                "github.com/containernetworking/plugins/plugins/main/loopback",
            ),
            go(
                "host-local",
                "github.com/containernetworking/plugins/plugins/ipam/host-local",
            ),
            go(
                "portmap",
                "github.com/containernetworking/plugins/plugins/meta/portmap",
            ),
        ],
    },
    Module {
        folder: "coredns",
        upstream: "github.com/coredns/coredns",
        stamps: &[],
        tools: &[go("coredns", "github.com/coredns/coredns")],
    },
    Module {
        folder: "kwok",
        upstream: "sigs.k8s.io/kwok",
        stamps: &[],
        tools: &[go("kwok", "sigs.k8s.io/kwok/cmd/kwok")],
    },
];

/// The CNI plugins, as they lie in /opt/cni/bin.
pub const CNI_PLUGINS: &[&str] = &["bridge", "ptp", "loopback", "host-local", "portmap"];

/// A tool by its name, with the module that it is in.
pub fn find(name: &str) -> Option<(&'static Module, &'static Tool)> {
    MODULES
        .iter()
        .find_map(|m| Some((m, m.tools.iter().find(|t| t.name == name)?)))
}

/// The folder whose go.mod knows a Go module: the one with the longest upstream path that `path` is or lies under.
pub fn of_module(path: &str) -> Option<&'static Module> {
    let below = |m: &&Module| {
        path.strip_prefix(m.upstream)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    MODULES
        .iter()
        .filter(below)
        .max_by_key(|m| m.upstream.len())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    /// go.mod of a folder.
    fn go_mod(folder: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tools")
            .join(folder)
            .join("go.mod");
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    #[test]
    fn every_go_tool_is_a_tool_of_its_go_mod_and_the_other_way_round() {
        for module in MODULES {
            let text = go_mod(module.folder);
            let block = text
                .split_once("\ntool (")
                .and_then(|(_, rest)| rest.split_once(')'));
            let written: BTreeSet<&str> = match block {
                Some((block, _)) => block.split_whitespace().collect(),
                None => text
                    .lines()
                    .filter_map(|l| l.strip_prefix("tool "))
                    .collect(),
            };
            let known: BTreeSet<&str> = module
                .tools
                .iter()
                .filter_map(|t| {
                    if let Source::Go(p) = t.source {
                        Some(p)
                    } else {
                        None
                    }
                })
                .collect();
            assert_eq!(written, known, "e2e/tools/{}/go.mod", module.folder);
        }
    }

    #[test]
    fn names_are_unique() {
        let names: Vec<_> = MODULES
            .iter()
            .flat_map(|m| m.tools)
            .map(|t| t.name)
            .collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        assert!(
            CNI_PLUGINS
                .iter()
                .all(|p| find(p).is_some_and(|(m, _)| m.folder == "cni"))
        );
    }

    #[test]
    fn modules_below_an_upstream_are_found() {
        let folder = |path| of_module(path).map(|m| m.folder);
        assert_eq!(folder("sigs.k8s.io/cluster-api/api"), Some("cluster-api"));
        assert_eq!(folder("sigs.k8s.io/cluster-api"), Some("cluster-api"));
        assert_eq!(folder("sigs.k8s.io/cluster-apis"), None);
    }
}
