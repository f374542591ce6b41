//! Cinder.

use anyhow::Result;
use serde_json::json;

use super::{NOTHING, Probes};
use crate::wire::VOLUME;

impl Probes {
    pub(super) async fn volumes(&mut self) -> Result<()> {
        let wire = &mut self.wire;
        let volume =
            json!({"name": self.name, "description": "d", "size": 1, "metadata": {"a": "b"}});
        let id = wire
            .make("a volume", VOLUME, "/volumes", "volume", volume)
            .await?;
        let path = format!("/volumes/{id}");
        wire.reaches(VOLUME, &path, "volume", "status", "available")
            .await?;
        wire.get("a volume", VOLUME, &path, 200).await?;
        wire.get("volumes", VOLUME, "/volumes/detail", 200).await?;
        wire.get(
            "volumes by name",
            VOLUME,
            &format!("/volumes/detail?name={}", self.name),
            200,
        )
        .await?;
        wire.get(
            "no such volume",
            VOLUME,
            &format!("/volumes/{NOTHING}"),
            404,
        )
        .await?;
        for (what, body, status) in [
            ("a volume of no size", json!({"size": 0}), 400),
            (
                "no such type",
                json!({"size": 1, "volume_type": "no-such-type"}),
                404,
            ),
            (
                "no such image for a volume",
                json!({"size": 1, "imageRef": NOTHING}),
                400,
            ),
        ] {
            wire.post(what, VOLUME, "/volumes", json!({"volume": body}), status)
                .await?;
        }
        wire.delete("a volume", VOLUME, &path, 202).await?;
        wire.gone(VOLUME, &path).await?;
        wire.delete("a volume that is gone", VOLUME, &path, 404)
            .await?;
        Ok(())
    }
}
