//! Servers with everything that the provider can ask for: on volumes, with local and shared disks, in a group.

use anyhow::{Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::{NOTHING, Place, Probes};
use crate::wire::{COMPUTE, NETWORK, VOLUME, text};

/// The first microversion that attaches volumes which several servers can share.
const MULTIATTACH: &str = "2.60";

/// What servers are made of.
struct Parts {
    image: String,
    /// Filled from the image.
    root: String,
    data: String,
    shared: String,
    group: String,
    ports: Vec<String>,
}

impl Probes {
    pub(super) async fn disks(&mut self, place: &Place) -> Result<()> {
        let parts = self.parts(place).await?;
        self.disk_refusals(&parts).await?;
        let booted = self.booted(&parts).await?;
        let [second, third] = self.sharing(&parts).await?;
        self.on_disks(&parts, [&booted, &second, &third]).await?;
        let paths = [booted, second, third].map(|id| format!("/servers/{id}"));
        for path in &paths {
            self.wire.remove(COMPUTE, path).await?;
        }
        for path in &paths {
            self.wire.gone(COMPUTE, path).await?;
        }
        self.off_disks(&parts).await
    }

    async fn parts(&mut self, place: &Place) -> Result<Parts> {
        let image = self.image().await?;
        let (wire, name) = (&mut self.wire, &self.name);
        let root = json!({"name": name, "description": "d", "size": 1, "imageRef": image, "volume_type": "ssd",
            "availability_zone": "az1", "metadata": {"a": "b"}});
        let shared = json!({"name": name, "size": 1, "volume_type": "multiattach"});
        let data = json!({"name": name, "size": 1});
        let mut volumes = Vec::new();
        for (what, body) in [
            ("a volume filled from an image", root),
            ("a volume that can be shared", shared),
            ("a volume for data", data),
        ] {
            let id = wire.make(what, VOLUME, "/volumes", "volume", body).await?;
            volumes.push((what, id));
        }
        for (what, id) in &volumes {
            let path = format!("/volumes/{id}");
            wire.reaches(VOLUME, &path, "volume", "status", "available")
                .await?;
            wire.get(what, VOLUME, &path, 200).await?;
        }
        wire.listed("several volumes", VOLUME, "/volumes/detail", "volumes")
            .await?;
        let key = json!({"keypair": {"name": name}});
        wire.post("a key", COMPUTE, "/os-keypairs", key, 201)
            .await?;
        let group = json!({"server_group": {"name": name, "policies": ["anti-affinity"]}});
        let group = wire
            .post(
                "a group for servers",
                COMPUTE,
                "/os-server-groups",
                group,
                200,
            )
            .await?;
        let ports = vec![json!({"network_id": place.network}); 3];
        let ports = wire
            .ask(Method::POST, NETWORK, "/ports", &json!({"ports": ports}))
            .await?
            .is(201)?;
        let ports = ports["ports"].as_array().into_iter().flatten();
        let mut volumes = volumes.into_iter().map(|(_, id)| id);
        let mut volume = || volumes.next().unwrap_or_default();
        Ok(Parts {
            image,
            root: volume(),
            shared: volume(),
            data: volume(),
            group: text(&group["server_group"], "id"),
            ports: ports.map(|port| text(port, "id")).collect(),
        })
    }

    async fn disk_refusals(&mut self, parts: &Parts) -> Result<()> {
        let flavor = self.flavor().await?;
        let boot = json!({"source_type": "image", "destination_type": "local", "uuid": parts.image, "boot_index": 0});
        let local = json!({"source_type": "blank", "destination_type": "local", "volume_size": 1, "boot_index": -1});
        let sizeless = json!({"source_type": "image", "destination_type": "volume", "uuid": parts.image, "boot_index": 0});
        let shared = json!({"source_type": "volume", "destination_type": "volume", "uuid": parts.shared, "boot_index": -1});
        for (what, image, devices) in [
            (
                "a local disk that the flavor lacks",
                true,
                json!([boot, local]),
            ),
            (
                "a volume of no size from an image",
                false,
                json!([sizeless]),
            ),
            ("nothing that boots", false, json!([shared])),
            (
                "a shared volume before its time",
                true,
                json!([boot, shared]),
            ),
        ] {
            let mut server = json!({"name": self.name, "flavorRef": flavor, "networks": [{"port": parts.ports[0]}],
                "block_device_mapping_v2": devices});
            if image {
                server["imageRef"] = json!(parts.image);
            }
            self.wire
                .post(what, COMPUTE, "/servers", json!({"server": server}), 400)
                .await?;
        }
        Ok(())
    }

    /// A server with every field; its id. All but its shared disk.
    async fn booted(&mut self, parts: &Parts) -> Result<String> {
        let flavor = self.flavor_with_local_disk().await?;
        let devices = json!([
            {"source_type": "volume", "destination_type": "volume", "uuid": parts.root, "boot_index": 0,
                "delete_on_termination": true},
            {"source_type": "blank", "destination_type": "local", "volume_size": 1, "boot_index": -1,
                "delete_on_termination": true, "tag": "scratch", "disk_bus": "virtio"},
            {"source_type": "volume", "destination_type": "volume", "uuid": parts.data, "boot_index": -1,
                "delete_on_termination": false, "tag": "data"},
        ]);
        let server = json!({"name": self.name, "flavorRef": flavor, "networks": [{"port": parts.ports[0]}],
            "key_name": self.name, "user_data": "I2Nsb3VkLWNvbmZpZwo=", "config_drive": true, "availability_zone": "az2",
            "metadata": {"a": "b"}, "tags": ["a"], "block_device_mapping_v2": devices});
        let asked = json!({"server": server, "os:scheduler_hints": {"group": parts.group}});
        let made = self
            .wire
            .post(
                "a server on volumes in a group",
                COMPUTE,
                "/servers",
                asked,
                202,
            )
            .await?;
        Ok(text(&made["server"], "id"))
    }

    /// Two servers with a disk in common; their ids.
    async fn sharing(&mut self, parts: &Parts) -> Result<[String; 2]> {
        let flavor = self.flavor().await?;
        let wire = &mut self.wire;
        let shared = json!({"source_type": "volume", "destination_type": "volume", "uuid": parts.shared,
            "boot_index": -1, "delete_on_termination": false, "tag": "shared"});
        let local = json!({"source_type": "image", "destination_type": "local", "uuid": parts.image, "boot_index": 0,
            "delete_on_termination": true});
        let volume = json!({"source_type": "image", "destination_type": "volume", "uuid": parts.image,
            "boot_index": 0, "volume_size": 1, "delete_on_termination": true});
        let second = json!({"name": self.name, "flavorRef": flavor, "imageRef": parts.image,
            "networks": [{"port": parts.ports[1]}], "block_device_mapping_v2": [local, shared]});
        let third = json!({"name": self.name, "flavorRef": flavor, "networks": [{"port": parts.ports[2]}],
            "block_device_mapping_v2": [volume, shared]});
        wire.set_microversion(Some(MULTIATTACH));
        let what = "a server with a shared volume";
        let second = wire
            .make(what, COMPUTE, "/servers", "server", second)
            .await?;
        // The first has to be there: Nova lets no two of them take the volume at the same moment.
        let path = format!("/servers/{second}");
        wire.reaches(COMPUTE, &path, "server", "status", "ACTIVE")
            .await?;
        let what = "a server that shares it, on a volume that Nova makes";
        let third = wire
            .make(what, COMPUTE, "/servers", "server", third)
            .await?;
        wire.set_microversion(None);
        Ok([second, third])
    }

    /// The servers, their group and their volumes once they run.
    async fn on_disks(&mut self, parts: &Parts, servers: [&String; 3]) -> Result<()> {
        let [booted, second, third] = servers;
        let wire = &mut self.wire;
        for (what, id) in [
            ("the server on volumes", booted),
            ("the server with a shared volume", second),
            ("the server on a volume that Nova made", third),
        ] {
            let path = format!("/servers/{id}");
            wire.reaches(COMPUTE, &path, "server", "status", "ACTIVE")
                .await?;
            let seen = wire.get(what, COMPUTE, &path, 200).await?;
            let volumes = &seen["server"]["os-extended-volumes:volumes_attached"];
            let wanted = if id == second { 1 } else { 2 };
            ensure!(
                volumes.as_array().is_some_and(|all| all.len() == wanted),
                "{seen}"
            );
        }
        for (what, id, by) in [
            ("the volume of a server", &parts.root, vec![booted]),
            (
                "the volume of two servers",
                &parts.shared,
                vec![second, third],
            ),
        ] {
            let path = format!("/volumes/{id}");
            let seen = wire.get(what, VOLUME, &path, 200).await?;
            ensure!(seen["volume"]["status"] == "in-use", "{seen}");
            let users = seen["volume"]["attachments"]
                .as_array()
                .into_iter()
                .flatten();
            let mut users: Vec<String> = users.map(|one| text(one, "server_id")).collect();
            let mut by: Vec<String> = by.into_iter().cloned().collect();
            users.sort();
            by.sort();
            ensure!(users == by, "{seen}");
            wire.delete(what, VOLUME, &path, 400).await?;
        }
        let group = format!("/os-server-groups/{}", parts.group);
        let group = wire
            .get("a group with a server", COMPUTE, &group, 200)
            .await?;
        ensure!(
            group["server_group"]["members"] == json!([booted]),
            "{group}"
        );
        self.volumes_in_use(parts).await?;
        let wire = &mut self.wire;
        wire.listed("several servers", COMPUTE, "/servers/detail", "servers")
            .await?;
        let changes = "/servers/detail?changes-since=2020-01-01T00:00:00Z";
        wire.pages("changed servers", COMPUTE, changes, "servers")
            .await?;
        wire.listed("all flavors", COMPUTE, "/flavors/detail", "flavors")
            .await
    }

    /// What is attached is refused to others.
    async fn volumes_in_use(&mut self, parts: &Parts) -> Result<()> {
        let flavor = self.flavor().await?;
        let device = json!({"source_type": "volume", "destination_type": "volume", "uuid": parts.root, "boot_index": 0});
        let server = json!({"name": self.name, "flavorRef": flavor, "networks": [],
            "block_device_mapping_v2": [device]});
        self.wire
            .post(
                "a volume in use",
                COMPUTE,
                "/servers",
                json!({"server": server}),
                400,
            )
            .await?;
        Ok(())
    }

    /// What becomes of volumes, ports and groups after the servers.
    async fn off_disks(&mut self, parts: &Parts) -> Result<()> {
        let (wire, name) = (&mut self.wire, &self.name);
        wire.gone(VOLUME, &format!("/volumes/{}", parts.root))
            .await?;
        for id in [&parts.data, &parts.shared] {
            let path = format!("/volumes/{id}");
            let free = wire
                .reaches(VOLUME, &path, "volume", "status", "available")
                .await?;
            ensure!(free["volume"]["attachments"] == json!([]), "{free}");
            wire.ask(Method::DELETE, VOLUME, &path, &Value::Null)
                .await?
                .is(202)?;
            wire.gone(VOLUME, &path).await?;
        }
        let left = wire
            .ask(Method::GET, VOLUME, "/volumes", &Value::Null)
            .await?;
        wire.until(VOLUME, "/volumes", |body| {
            body.is_some_and(|body| body["volumes"] == json!([]))
        })
        .await
        .map_err(|error| error.context(format!("what Nova made stays: {}", left.body)))?;
        for port in &parts.ports {
            wire.remove(NETWORK, &format!("/ports/{port}")).await?;
        }
        wire.remove(COMPUTE, &format!("/os-server-groups/{}", parts.group))
            .await?;
        let key = format!("/os-keypairs/{name}");
        wire.remove(COMPUTE, &key).await?;
        wire.get(
            "no such group",
            COMPUTE,
            &format!("/os-server-groups/{NOTHING}"),
            404,
        )
        .await?;
        Ok(())
    }
}
