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
            .post("an application credential", IDENTITY, &path, made, 201)
            .await?;
        let id = text(&made["application_credential"], "id");
        let secret = &made["application_credential"]["secret"];
        let login = |secret: &Value| {
            json!({"auth": {"identity": {"methods": ["application_credential"],
                "application_credential": {"id": id, "secret": secret}}}})
        };
        wire.post(
            "a wrong secret",
            IDENTITY,
            "/auth/tokens",
            login(&json!("wrong")),
            401,
        )
        .await?;
        let user = json!({"id": wire.user_id});
        let by_name = json!({"auth": {"identity": {"methods": ["application_credential"],
            "application_credential": {"name": self.name, "user": user, "secret": secret}}}});
        let by_token = json!({"auth": {"identity": {"methods": ["token"], "token": {"id": wire.token()}},
            "scope": {"project": {"id": wire.project_id}}}});
        for (what, body) in [
            ("a login with a credential", login(secret)),
            ("a login with a credential by name", by_name),
            ("a login with a token", by_token),
        ] {
            wire.post(what, IDENTITY, "/auth/tokens", body, 201).await?;
        }
        wire.delete(
            "an application credential",
            IDENTITY,
            &format!("{path}/{id}"),
            204,
        )
        .await?;
        wire.post(
            "a credential that is gone",
            IDENTITY,
            "/auth/tokens",
            login(secret),
            404,
        )
        .await?;
        let token = wire.set_token("nonsense");
        for (service, path) in [
            (COMPUTE, "/servers"),
            (NETWORK, "/ports"),
            (VOLUME, "/volumes"),
        ] {
            wire.get("a bad token", service, path, 401).await?;
        }
        wire.set_token(&token);
        Ok(())
    }
}
