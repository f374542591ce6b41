//! Neutron's trunks.

use anyhow::Result;
use serde_json::json;

use super::{NOTHING, Place, Probes};
use crate::wire::NETWORK;

impl Probes {
    pub(super) async fn trunks(&mut self, place: &Place) -> Result<()> {
        let (wire, name) = (&mut self.wire, &self.name);
        let port = json!({"name": name, "network_id": place.network});
        let parent = wire
            .make("a parent", NETWORK, "/ports", "port", port.clone())
            .await?;
        let child = wire
            .make("a child", NETWORK, "/ports", "port", port)
            .await?;
        let trunk = json!({"name": name, "description": "d", "port_id": parent});
        let trunk = wire
            .make("a trunk", NETWORK, "/trunks", "trunk", trunk)
            .await?;
        let path = format!("/trunks/{trunk}");
        wire.get("a trunk", NETWORK, &path, 200).await?;
        wire.get(
            "trunks by port",
            NETWORK,
            &format!("/trunks?port_id={parent}"),
            200,
        )
        .await?;
        wire.get(
            "the parent of a trunk",
            NETWORK,
            &format!("/ports/{parent}"),
            200,
        )
        .await?;
        let second = json!({"trunk": {"port_id": parent}});
        wire.post("a second trunk of a port", NETWORK, "/trunks", second, 409)
            .await?;
        wire.post(
            "a trunk of nothing",
            NETWORK,
            "/trunks",
            json!({"trunk": {"port_id": NOTHING}}),
            404,
        )
        .await?;
        self.subports(&path, &parent, &child).await
    }

    async fn subports(&mut self, path: &str, parent: &str, child: &str) -> Result<()> {
        let wire = &mut self.wire;
        let subs = json!({"sub_ports": [{"port_id": child, "segmentation_type": "vlan", "segmentation_id": 7}]});
        wire.put(
            "a subport",
            NETWORK,
            &format!("{path}/add_subports"),
            subs,
            200,
        )
        .await?;
        wire.get("subports", NETWORK, &format!("{path}/get_subports"), 200)
            .await?;
        wire.get(
            "the subport of a trunk",
            NETWORK,
            &format!("/ports/{child}"),
            200,
        )
        .await?;
        wire.delete(
            "the parent of a trunk",
            NETWORK,
            &format!("/ports/{parent}"),
            409,
        )
        .await?;
        wire.delete(
            "the subport of a trunk",
            NETWORK,
            &format!("/ports/{child}"),
            409,
        )
        .await?;
        wire.put(
            "tags of a trunk",
            NETWORK,
            &format!("{path}/tags"),
            json!({"tags": ["a"]}),
            200,
        )
        .await?;
        let subs = json!({"sub_ports": [{"port_id": child}]});
        let remove = format!("{path}/remove_subports");
        wire.put("no more subport", NETWORK, &remove, subs.clone(), 200)
            .await?;
        wire.put("no more subport again", NETWORK, &remove, subs, 404)
            .await?;
        wire.delete("a trunk", NETWORK, path, 204).await?;
        wire.delete("a trunk that is gone", NETWORK, path, 404)
            .await?;
        for port in [parent, child] {
            wire.remove(NETWORK, &format!("/ports/{port}")).await?;
        }
        Ok(())
    }
}
