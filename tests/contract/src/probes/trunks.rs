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
        wire.get("a trunk", NETWORK, &path).await?.is(200)?;
        wire.get(
            "trunks by port",
            NETWORK,
            &format!("/trunks?port_id={parent}"),
        )
        .await?
        .is(200)?;
        wire.get(
            "the parent of a trunk",
            NETWORK,
            &format!("/ports/{parent}"),
        )
        .await?
        .is(200)?;
        let second = json!({"trunk": {"port_id": parent}});
        wire.post("a second trunk of a port", NETWORK, "/trunks", second)
            .await?
            .is(409)?;
        wire.post(
            "a trunk of nothing",
            NETWORK,
            "/trunks",
            json!({"trunk": {"port_id": NOTHING}}),
        )
        .await?
        .is(404)?;
        let subs = json!({"sub_ports": [{"port_id": child, "segmentation_type": "vlan", "segmentation_id": 7}]});
        wire.put("a subport", NETWORK, &format!("{path}/add_subports"), subs)
            .await?
            .is(200)?;
        wire.get("subports", NETWORK, &format!("{path}/get_subports"))
            .await?
            .is(200)?;
        wire.get(
            "the subport of a trunk",
            NETWORK,
            &format!("/ports/{child}"),
        )
        .await?
        .is(200)?;
        wire.delete(
            "the parent of a trunk",
            NETWORK,
            &format!("/ports/{parent}"),
        )
        .await?
        .is(409)?;
        wire.delete(
            "the subport of a trunk",
            NETWORK,
            &format!("/ports/{child}"),
        )
        .await?
        .is(409)?;
        wire.put(
            "tags of a trunk",
            NETWORK,
            &format!("{path}/tags"),
            json!({"tags": ["a"]}),
        )
        .await?
        .is(200)?;
        let subs = json!({"sub_ports": [{"port_id": child}]});
        let remove = format!("{path}/remove_subports");
        wire.put("no more subport", NETWORK, &remove, subs.clone())
            .await?
            .is(200)?;
        wire.put("no more subport again", NETWORK, &remove, subs)
            .await?
            .is(404)?;
        wire.delete("a trunk", NETWORK, &path).await?.is(204)?;
        wire.delete("a trunk that is gone", NETWORK, &path)
            .await?
            .is(404)?;
        for port in [parent, child] {
            wire.ask(
                reqwest::Method::DELETE,
                NETWORK,
                &format!("/ports/{port}"),
                &json!(null),
            )
            .await?
            .is(204)?;
        }
        Ok(())
    }
}
