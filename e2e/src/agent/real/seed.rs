//! What a machine finds on its disk at its first boot: the config drive, its names, the registry's CA.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    agent::plan::{Boot, Link},
    lab::Lab,
};

/// Folder form of a config drive, which cloud-init's ConfigDrive datasource reads before it looks at devices.
const CONFIG_DRIVE: &str = "var/lib/cloud/seed/config_drive/openstack/latest";

/// Writes the config drive and the files of a machine's identity below `root`.
pub fn write(root: &Path, boot: &Boot) -> Result<()> {
    let user_data = STANDARD
        .decode(&boot.user_data)
        .with_context(|| format!("{}: user data is no base64", boot.name))?;
    let drive = root.join(CONFIG_DRIVE);
    put(
        &drive.join("meta_data.json"),
        serde_json::to_vec(&meta_data(boot))?,
    )?;
    put(
        &drive.join("network_data.json"),
        serde_json::to_vec(&network_data(&boot.links))?,
    )?;
    put(&drive.join("user_data"), user_data)?;
    // Certificates and tokens of a cluster are in it.
    let seed = root.join("var/lib/cloud/seed");
    fs::set_permissions(&seed, fs::Permissions::from_mode(0o700))?;
    put(&root.join("etc/hostname"), format!("{}\n", boot.name))?;
    put(
        &root.join("etc/machine-id"),
        format!("{}\n", boot.id.replace('-', "")),
    )?;
    let mut hosts = String::from("127.0.0.1 localhost\n::1 localhost\n");
    for address in boot.links.iter().flat_map(|l| &l.addresses).take(1) {
        hosts += &format!("{} {}\n", address.addr(), boot.name);
    }
    put(&root.join("etc/hosts"), hosts)?;
    put(&root.join("etc/resolv.conf"), resolv_conf(&boot.links))
}

/// Puts the CA of the lab's registry where the image's containerd looks for it. A lab without registry has none.
pub fn registry(lab: &Lab, root: &Path) -> Result<()> {
    let ca: PathBuf = lab.dir.join("registry/ca.pem");
    match fs::read(&ca) {
        Ok(pem) => put(&root.join("etc/containerd/certs.d/ca.crt"), pem),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e).with_context(|| ca.display().to_string()),
    }
}

fn meta_data(boot: &Boot) -> Value {
    json!({
        "uuid": boot.id,
        "name": boot.name,
        "hostname": boot.name,
        "launch_index": 0,
        "availability_zone": boot.availability_zone,
        "meta": boot.metadata,
        "public_keys": {},
    })
}

fn network_data(links: &[Link]) -> Value {
    let id = |link: &Link| format!("tap{}", link.port.get(..11).unwrap_or(&link.port));
    let networks = links.iter().flat_map(|link| {
        link.addresses.iter().map(move |address| {
            let routes: Vec<_> = link
                .gateway
                .iter()
                .map(|gateway| json!({"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": gateway}))
                .collect();
            json!({
                "link": id(link),
                "network_id": link.network,
                "type": "ipv4",
                "ip_address": address.addr(),
                "netmask": address.netmask(),
                "routes": routes,
            })
        })
    });
    let networks: Vec<_> = networks
        .enumerate()
        .map(|(number, mut network)| {
            network["id"] = json!(format!("network{number}"));
            network
        })
        .collect();
    let nameservers = links.iter().flat_map(|l| &l.nameservers);
    json!({
        "links": links.iter().map(|l| json!({
            "id": id(l), "vif_id": l.port, "type": "ovs", "mtu": 1500, "ethernet_mac_address": l.mac,
        })).collect::<Vec<_>>(),
        "networks": networks,
        "services": nameservers.map(|address| json!({"type": "dns", "address": address})).collect::<Vec<_>>(),
    })
}

/// Name servers of the subnets. Without any, the lab's own address: nobody answers there, but it refuses at once
/// instead of letting everybody wait.
fn resolv_conf(links: &[Link]) -> String {
    let mut servers: Vec<_> = links
        .iter()
        .flat_map(|l| l.nameservers.iter().cloned())
        .collect();
    if servers.is_empty() {
        servers.push("172.29.0.1".to_owned());
    }
    servers
        .iter()
        .map(|s| format!("nameserver {s}\n"))
        .collect()
}

fn put(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::write(path, content).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::world::Kind;

    #[test]
    fn the_config_drive_names_the_server() {
        let dir = tempfile::tempdir().unwrap();
        let boot = Boot {
            id: "6b86b273-ff34-4fce-8d6b-804eff5a3f57".into(),
            name: "cp-0".into(),
            kind: Kind::Real,
            user_data: STANDARD.encode("#cloud-config\n"),
            availability_zone: "az1".into(),
            metadata: [].into(),
            image_name: None,
            restarted: None,
            links: vec![Link {
                port: "aaaaaaaa-bbbb".into(),
                router: "r".into(),
                network: "n".into(),
                mac: "fa:16:3e:00:00:01".into(),
                addresses: vec!["10.8.0.5/24".parse().unwrap()],
                gateway: Some("10.8.0.1".parse().unwrap()),
                nameservers: vec![],
            }],
        };
        write(dir.path(), &boot).unwrap();
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        let meta: Value =
            serde_json::from_str(&read(&format!("{CONFIG_DRIVE}/meta_data.json"))).unwrap();
        assert_eq!(meta["uuid"], boot.id);
        let network: Value =
            serde_json::from_str(&read(&format!("{CONFIG_DRIVE}/network_data.json"))).unwrap();
        assert_eq!(network["networks"][0]["ip_address"], "10.8.0.5");
        assert_eq!(network["networks"][0]["netmask"], "255.255.255.0");
        assert_eq!(
            read(&format!("{CONFIG_DRIVE}/user_data")),
            "#cloud-config\n"
        );
        assert!(read("etc/hosts").contains("10.8.0.5 cp-0"));
        assert_eq!(read("etc/resolv.conf"), "nameserver 172.29.0.1\n");
    }
}
