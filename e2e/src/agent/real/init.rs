//! From this program to a machine's pid 1, in two steps: `launch` leaves the host (session, network namespace, control
//! groups, further namespaces) and starts `init` as the first process of the new PID namespace, which builds the
//! machine's root and becomes systemd.

use std::{
    fs,
    os::unix::{fs::symlink, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Error, Result};
use clap::Args;
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
    sys::stat::{Mode, SFlag, makedev, mknod, umask},
    unistd::{pivot_root, setsid},
};

use super::{STATE, cgroups};
use crate::netns;

/// What both steps are told.
#[derive(Clone, Debug, Args)]
pub struct Spec {
    /// Host name.
    #[arg(long)]
    host: String,
    /// Network namespace that the machine owns.
    #[arg(long)]
    netns: String,
    /// Control group below every hierarchy's root.
    #[arg(long)]
    cgroup: String,
    /// Folder with upper, work, root and var.
    #[arg(long)]
    disk: PathBuf,
    /// Lower layer of the root.
    #[arg(long)]
    rootfs: PathBuf,
}

/// First step. Prints the PID that the machine's pid 1 has on the host.
pub fn launch(spec: &Spec) -> Result<()> {
    setsid().context("setsid")?;
    netns::enter_named(&spec.netns)?;
    // Before the cgroup namespace, whose root is the group of who makes it.
    cgroups::join(&spec.cgroup)?;
    let new = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWCGROUP;
    unshare(new).context("unshare namespaces (needs root)")?;
    propagate("/", MsFlags::MS_PRIVATE | MsFlags::MS_REC)?;
    let console = spec.disk.with_file_name("console.log");
    let console = fs::File::options()
        .create(true)
        .append(true)
        .open(&console)?;
    let init = Command::new("/proc/self/exe")
        .args([
            "agent",
            "init",
            "--host",
            &spec.host,
            "--netns",
            &spec.netns,
            "--cgroup",
            &spec.cgroup,
        ])
        .arg("--disk")
        .arg(&spec.disk)
        .arg("--rootfs")
        .arg(&spec.rootfs)
        .stdin(Stdio::null())
        .stdout(console.try_clone()?)
        .stderr(console)
        .spawn()
        .context("start pid 1")?;
    println!("{}", init.id());
    Ok(())
}

/// Second step. Returns only if something failed.
pub fn init(spec: &Spec) -> Result<()> {
    let root = spec.disk.join("root");
    umask(Mode::empty());
    fs::write("/proc/sys/kernel/hostname", &spec.host).context("set the host name")?;
    network_settings()?;
    mount_root(spec, &root)?;
    shadow_machine_settings(&root)?;
    let unified = mount_cgroups(&root)?;
    make_devices(&root)?;
    enter_root(&root)?;
    umask(Mode::from_bits_truncate(0o022));
    let mut systemd = Command::new("/lib/systemd/systemd");
    systemd
        .args([
            "--log-target=console",
            "--log-level=notice",
            "--show-status=0",
        ])
        .env_clear()
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .env("container", "capstan")
        .env("TERM", "linux")
        .env("LANG", "C.UTF-8");
    if !unified {
        // Debian's systemd would build a hybrid tree with a cgroup2 mount of its own, and the kubelet then misses
        // its slices in the one it uses.
        systemd.env(
            "SYSTEMD_PROC_CMDLINE",
            "systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=1",
        );
    }
    Err(Error::new(systemd.exec()).context("exec /lib/systemd/systemd"))
}

/// What a machine image sets by sysctl.d; these belong to the network namespace.
fn network_settings() -> Result<()> {
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("net.ipv4.ip_forward")?;
    for name in ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables"] {
        // There only if the host has loaded br_netfilter; kubeadm says so where it misses it.
        let _ = fs::write(format!("/proc/sys/net/bridge/{name}"), "1");
    }
    Ok(())
}

/// The overlay, state on the host's file system, and the file systems of the kernel.
fn mount_root(spec: &Spec, root: &Path) -> Result<()> {
    let layer = |name: &str| spec.disk.join(name).display().to_string();
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        spec.rootfs.display(),
        layer("upper"),
        layer("work")
    );
    filesystem("overlay", root, &options)?;
    for name in STATE {
        let to = if name == "log" {
            "var/log".to_owned()
        } else {
            format!("var/lib/{name}")
        };
        bind(&spec.disk.join("var").join(name), &root.join(to))?;
    }
    propagate(root.join("var/lib/kubelet"), MsFlags::MS_SHARED)?;
    filesystem("tmpfs", &root.join("run"), "mode=755,size=512m")?;
    filesystem("tmpfs", &root.join("tmp"), "mode=1777")?;
    filesystem("proc", &root.join("proc"), "")?;
    filesystem("sysfs", &root.join("sys"), "")
}

/// Settings that the kubelet and systemd write but which belong to the whole host: shadowed by files of the machine.
fn shadow_machine_settings(root: &Path) -> Result<()> {
    let inotify = fs::read_to_string("/proc/sys/fs/inotify/max_user_instances").unwrap_or_default();
    let settings = [
        ("vm/overcommit_memory", "1"),
        ("kernel/panic", "10"),
        ("kernel/panic_on_oops", "1"),
        ("kernel/keys/root_maxkeys", "1000000"),
        ("kernel/keys/root_maxbytes", "25000000"),
        ("kernel/core_pattern", "core"),
        ("fs/inotify/max_user_instances", inotify.trim()),
    ];
    let files = root.join("run/settings");
    fs::create_dir_all(&files)?;
    for (name, value) in settings {
        let shadowed = root.join("proc/sys").join(name);
        if shadowed.exists() {
            let file = files.join(name.replace('/', "."));
            fs::write(&file, format!("{value}\n"))?;
            bind(&file, &shadowed)?;
        }
    }
    let sysrq = root.join("proc/sysrq-trigger");
    if sysrq.exists() {
        bind(Path::new("/dev/null"), &sysrq)?;
    }
    Ok(())
}

/// The machine's view of its control groups. Says whether it is cgroup2 alone.
fn mount_cgroups(root: &Path) -> Result<bool> {
    let hierarchies = cgroups::hierarchies()?;
    let target = root.join("sys/fs/cgroup");
    if hierarchies.iter().all(|h| h.v1.is_none()) {
        filesystem("cgroup2", &target, "")?;
        return Ok(true);
    }
    filesystem("tmpfs", &target, "mode=755")?;
    for hierarchy in &hierarchies {
        // Beside v1 hierarchies cgroup2 has no controllers that a machine could use.
        if let (Some(controllers), Some(name)) = (&hierarchy.v1, hierarchy.mounted.file_name()) {
            let path = target.join(name);
            fs::create_dir(&path)?;
            filesystem("cgroup", &path, controllers)?;
        }
    }
    Ok(false)
}

/// A small /dev.
fn make_devices(root: &Path) -> Result<()> {
    let dev = root.join("dev");
    filesystem("tmpfs", &dev, "mode=755,size=1m")?;
    for folder in ["pts", "shm", "mqueue", "net"] {
        fs::create_dir(dev.join(folder))?;
    }
    let devices = [
        ("null", 1, 3, 0o666),
        ("zero", 1, 5, 0o666),
        ("full", 1, 7, 0o666),
        ("random", 1, 8, 0o666),
        ("urandom", 1, 9, 0o666),
        ("tty", 5, 0, 0o666),
        ("fuse", 10, 229, 0o666),
        ("net/tun", 10, 200, 0o666),
        ("kmsg", 1, 11, 0o600),
    ];
    for (name, major, minor, mode) in devices {
        mknod(
            &dev.join(name),
            SFlag::S_IFCHR,
            Mode::from_bits_truncate(mode),
            makedev(major, minor),
        )
        .with_context(|| format!("/dev/{name}"))?;
    }
    filesystem(
        "devpts",
        &dev.join("pts"),
        "newinstance,ptmxmode=0666,mode=0620,gid=5",
    )?;
    filesystem("tmpfs", &dev.join("shm"), "mode=1777,size=64m")?;
    filesystem("mqueue", &dev.join("mqueue"), "")?;
    let links = [
        ("pts/ptmx", "ptmx"),
        ("/proc/self/fd", "fd"),
        ("/proc/self/fd/0", "stdin"),
        ("/proc/self/fd/1", "stdout"),
        ("/proc/self/fd/2", "stderr"),
    ];
    links
        .iter()
        .try_for_each(|(to, name)| symlink(to, dev.join(name)))
        .context("links in /dev")
}

/// Leaves the host's file systems behind.
fn enter_root(root: &Path) -> Result<()> {
    std::env::set_current_dir(root)?;
    fs::create_dir_all(".old")?;
    pivot_root(".", ".old").context("pivot_root")?;
    umount2("/.old", MntFlags::MNT_DETACH).context("leave the host's root")?;
    // It stays as an empty folder where the overlay cannot remove it.
    let _ = fs::remove_dir("/.old");
    // kubelet and containerd want mounts of pods to propagate.
    propagate("/", MsFlags::MS_SHARED | MsFlags::MS_REC)
}

fn filesystem(kind: &str, target: &Path, options: &str) -> Result<()> {
    fs::create_dir_all(target).with_context(|| target.display().to_string())?;
    mount(
        Some(kind),
        target,
        Some(kind),
        MsFlags::empty(),
        Some(options),
    )
    .with_context(|| format!("mount {kind} ({options}) at {}", target.display()))
}

fn bind(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() {
        fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    }
    mount(Some(from), to, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .with_context(|| format!("bind {} to {}", from.display(), to.display()))
}

fn propagate(target: impl AsRef<Path>, how: MsFlags) -> Result<()> {
    let target = target.as_ref();
    mount(None::<&str>, target, None::<&str>, how, None::<&str>)
        .with_context(|| format!("propagation of {}", target.display()))
}
