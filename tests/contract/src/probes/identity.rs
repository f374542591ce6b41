//! Keystone: tokens and application credentials.

use anyhow::Result;
use serde_json::{Value, json};

use super::Probes;
use crate::wire::{COMPUTE, IDENTITY, NETWORK, VOLUME, text};

impl Probes {
    pub(super) async fn identity(&mut self) -> Result<()> {
        let wire = &mut self.wire;
        let path = format!("/users/{}/application_credentials", wire.user_id);
        let made = json!({"application_credential": {"name": self.name}});
        let made = wire
            .post("an application credential", IDENTITY, &path, made)
            .await?
            .is(201)?;
        let id = text(&made["application_credential"], "id");
        let secret = &made["application_credential"]["secret"];
        let login = |secret: &Value| {
            json!({"auth": {"identity": {"methods": ["application_credential"],
                "application_credential": {"id": id, "secret": secret}}}})
        };
        let refused = wire
            .post(
                "a wrong secret",
                IDENTITY,
                "/auth/tokens",
                login(&json!("wrong")),
            )
            .await?;
        refused.is(401)?;
        wire.ask(
            reqwest::Method::POST,
            IDENTITY,
            "/auth/tokens",
            &login(secret),
        )
        .await?
        .is(201)?;
        wire.delete(
            "an application credential",
            IDENTITY,
            &format!("{path}/{id}"),
        )
        .await?
        .is(204)?;
        wire.post(
            "a credential that is gone",
            IDENTITY,
            "/auth/tokens",
            login(secret),
        )
        .await?
        .is(401)?;
        let token = wire.set_token("nonsense");
        for (service, path) in [
            (COMPUTE, "/servers"),
            (NETWORK, "/ports"),
            (VOLUME, "/volumes"),
        ] {
            wire.get("a bad token", service, path).await?.is(401)?;
        }
        wire.set_token(&token);
        Ok(())
    }
}
