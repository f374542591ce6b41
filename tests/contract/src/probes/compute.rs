//! Nova: servers, flavors, zones, server groups, microversions.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{NOTHING, Place, Probes};
use crate::wire::{COMPUTE, NETWORK, text};

impl Probes {
    pub(super) async fn compute(&mut self, place: &Place) -> Result<()> {
        self.facts().await?;
        self.server_groups().await?;
        let (flavor, image) = (self.flavor().await?, self.image().await?);
        let wire = &mut self.wire;
        let port = json!({"name": self.name, "network_id": place.network});
        let port = wire
            .make("a port for a server", NETWORK, "/ports", "port", port)
            .await?;
        let server = json!({"name": self.name, "flavorRef": flavor, "imageRef": image, "networks": [{"port": port}],
            "config_drive": true, "metadata": {"a": "b"}, "tags": ["a"], "user_data": "I2Nsb3VkLWNvbmZpZwo="});
        self.refusals(&server).await?;
        let wire = &mut self.wire;
        let id = wire
            .make("a server", COMPUTE, "/servers", "server", server.clone())
            .await?;
        let path = format!("/servers/{id}");
        self.reads(&path, &port).await?;
        let wire = &mut self.wire;
        wire.post(
            "a port in use",
            COMPUTE,
            "/servers",
            json!({"server": server}),
            409,
        )
        .await?;
        self.versions(&path).await?;
        self.ends(&path, &port, &id).await
    }

    /// A server from BUILD to ACTIVE, its port, and lists of servers.
    async fn reads(&mut self, path: &str, port: &str) -> Result<()> {
        let wire = &mut self.wire;
        wire.get("a server that is built", COMPUTE, path, 200)
            .await?;
        wire.reaches(COMPUTE, path, "server", "status", "ACTIVE")
            .await?;
        wire.reaches(
            NETWORK,
            &format!("/ports/{port}"),
            "port",
            "status",
            "ACTIVE",
        )
        .await?;
        wire.get("a server", COMPUTE, path, 200).await?;
        wire.get(
            "the port of a server",
            NETWORK,
            &format!("/ports/{port}"),
            200,
        )
        .await?;
        wire.get("servers", COMPUTE, "/servers/detail", 200).await?;
        wire.get(
            "servers by name",
            COMPUTE,
            &format!("/servers/detail?name=^{}$", self.name),
            200,
        )
        .await?;
        wire.get("servers without details", COMPUTE, "/servers", 200)
            .await?;
        wire.get(
            "changes since no time",
            COMPUTE,
            "/servers/detail?changes-since=x",
            400,
        )
        .await?;
        Ok(())
    }

    async fn facts(&mut self) -> Result<()> {
        let flavor = self.flavor().await?;
        let wire = &mut self.wire;
        wire.get("flavors", COMPUTE, "/flavors/detail", 200).await?;
        wire.get("a flavor", COMPUTE, &format!("/flavors/{flavor}"), 200)
            .await?;
        wire.get("no such flavor", COMPUTE, "/flavors/no-such-flavor", 404)
            .await?;
        wire.get("zones", COMPUTE, "/os-availability-zone", 200)
            .await?;
        wire.get(
            "no such server",
            COMPUTE,
            &format!("/servers/{NOTHING}"),
            404,
        )
        .await?;
        wire.delete(
            "no such server",
            COMPUTE,
            &format!("/servers/{NOTHING}"),
            404,
        )
        .await?;
        Ok(())
    }

    async fn server_groups(&mut self) -> Result<()> {
        let wire = &mut self.wire;
        let group = json!({"server_group": {"name": self.name, "policies": ["anti-affinity"]}});
        let made = wire
            .post("a server group", COMPUTE, "/os-server-groups", group, 200)
            .await?;
        let path = format!("/os-server-groups/{}", text(&made["server_group"], "id"));
        wire.get("server groups", COMPUTE, "/os-server-groups", 200)
            .await?;
        wire.get("a server group", COMPUTE, &path, 200).await?;
        wire.delete("a server group", COMPUTE, &path, 204).await?;
        wire.get("a server group that is gone", COMPUTE, &path, 404)
            .await?;
        Ok(())
    }

    async fn refusals(&mut self, server: &Value) -> Result<()> {
        let wire = &mut self.wire;
        for (what, field, value) in [
            (
                "no such flavor for a server",
                "flavorRef",
                json!("no-such-flavor"),
            ),
            ("no such image for a server", "imageRef", json!(NOTHING)),
            ("no such zone", "availability_zone", json!("no-such-zone")),
            ("no such key", "key_name", json!("no-such-key")),
            ("no such port", "networks", json!([{"port": NOTHING}])),
            (
                "no such network for a server",
                "networks",
                json!([{"uuid": NOTHING}]),
            ),
            (
                "too much user data",
                "user_data",
                json!("QUFB".repeat(16_500)),
            ),
            ("no name", "name", json!("")),
            ("nothing to boot from", "imageRef", json!("")),
            (
                "no such volume",
                "block_device_mapping_v2",
                json!([
                {"source_type": "volume", "destination_type": "volume", "uuid": NOTHING, "boot_index": 0}]),
            ),
        ] {
            let mut wrong = server.clone();
            wrong[field] = value;
            if field == "block_device_mapping_v2" {
                wrong["imageRef"] = json!("");
            }
            wire.post(what, COMPUTE, "/servers", json!({"server": wrong}), 400)
                .await?;
        }
        let hint = json!({"server": server, "os:scheduler_hints": {"group": NOTHING}});
        wire.post("no such server group", COMPUTE, "/servers", hint, 400)
            .await?;
        wire.set_microversion(Some("2.1"));
        wire.post(
            "tags before their time",
            COMPUTE,
            "/servers",
            json!({"server": server}),
            400,
        )
        .await?;
        wire.set_microversion(None);
        Ok(())
    }

    async fn versions(&mut self, path: &str) -> Result<()> {
        let wire = &mut self.wire;
        for (version, status) in [
            ("2.1", 200),
            ("2.60", 200),
            ("2.9999", 406),
            ("nonsense", 400),
        ] {
            wire.set_microversion(Some(version));
            wire.get(&format!("microversion {version}"), COMPUTE, path, status)
                .await?;
        }
        wire.set_microversion(None);
        Ok(())
    }

    async fn ends(&mut self, path: &str, port: &str, id: &str) -> Result<()> {
        let wire = &mut self.wire;
        wire.post(
            "stopping",
            COMPUTE,
            &format!("{path}/action"),
            json!({"os-stop": null}),
            202,
        )
        .await?;
        wire.reaches(COMPUTE, path, "server", "status", "SHUTOFF")
            .await?;
        wire.post(
            "starting",
            COMPUTE,
            &format!("{path}/action"),
            json!({"os-start": null}),
            202,
        )
        .await?;
        wire.reaches(COMPUTE, path, "server", "status", "ACTIVE")
            .await?;
        wire.delete("a server", COMPUTE, path, 204).await?;
        wire.gone(COMPUTE, path).await?;
        wire.delete("a server that is gone", COMPUTE, path, 404)
            .await?;
        let changes = wire
            .get(
                "what has changed",
                COMPUTE,
                "/servers/detail?changes-since=2020-01-01T00:00:00Z",
                200,
            )
            .await?;
        let gone = changes["servers"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|row| row["id"] == id);
        ensure!(
            gone.is_some_and(|row| row["status"] == "DELETED"),
            "a list of changes lacks {id}"
        );
        let path = format!("/ports/{port}");
        let free = wire
            .reaches(NETWORK, &path, "port", "device_id", "")
            .await?;
        ensure!(free["port"]["device_owner"] == "", "{free}");
        wire.get("a port whose server is gone", NETWORK, &path, 200)
            .await?;
        wire.delete("a port whose server is gone", NETWORK, &path, 204)
            .await?;
        Ok(())
    }
}
