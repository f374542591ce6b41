//! Events on objects, through `events.k8s.io`. Equal events of one object become one series, so a
//! failure that repeats does not flood the API server. An event that cannot be written is logged
//! and forgotten: it must never fail a reconcile.

use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};

/// Writes events in the name of one controller.
#[derive(Clone)]
pub struct Events {
    recorder: Recorder,
}

impl Events {
    /// `controller` is the `reportingController` of the events.
    #[must_use]
    pub fn new(client: Client, controller: &str) -> Self {
        let reporter = Reporter {
            controller: controller.to_owned(),
            instance: None,
        };
        Self {
            recorder: Recorder::new(client, reporter),
        }
    }

    /// Something happened as it should.
    pub async fn normal<K>(&self, object: &K, reason: &str, note: impl Into<String>)
    where
        K: Resource<DynamicType = ()>,
    {
        self.publish(object, EventType::Normal, reason, note.into())
            .await;
    }

    /// Something went wrong that a user should know.
    pub async fn warning<K>(&self, object: &K, reason: &str, note: impl Into<String>)
    where
        K: Resource<DynamicType = ()>,
    {
        self.publish(object, EventType::Warning, reason, note.into())
            .await;
    }

    async fn publish<K>(&self, object: &K, type_: EventType, reason: &str, mut note: String)
    where
        K: Resource<DynamicType = ()>,
    {
        truncate(&mut note, 1024); // the API server refuses longer notes
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(note),
            action: reason.to_owned(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, &object.object_ref(&())).await {
            tracing::warn!(%error, reason, "event not written");
        }
    }
}

fn truncate(text: &mut String, bytes: usize) {
    if text.len() > bytes {
        let end = (0..=bytes)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::{Json, Router, routing};
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::Value;

    use super::*;

    #[tokio::test]
    async fn an_event_is_written_to_the_group_of_events() {
        let written = Arc::new(Mutex::new(Vec::<Value>::new()));
        let keep = written.clone();
        let answer = move |Json(body): Json<Value>| {
            keep.lock().expect("lock").push(body.clone());
            std::future::ready(Json(body))
        };
        let path = "/apis/events.k8s.io/v1/namespaces/default/events";
        let routes = Router::new().route(path, routing::post(answer));
        let events = Events::new(Client::new(routes, "default"), "openstackserver");
        let mut pod = Pod::default();
        pod.metadata.name = Some("a".to_owned());
        pod.metadata.namespace = Some("default".to_owned());
        let reason = "Successfulcreateserver";
        events.normal(&pod, reason, "create server a").await;
        let written = written.lock().expect("lock");
        assert_eq!(written.len(), 1);
        assert_eq!(
            (
                &written[0]["reason"],
                &written[0]["note"],
                &written[0]["type"]
            ),
            (&reason.into(), &"create server a".into(), &"Normal".into())
        );
    }

    #[test]
    fn a_long_note_is_cut_between_characters() {
        let mut note = "ä".repeat(600);
        super::truncate(&mut note, 1023);
        assert_eq!(note.len(), 1022);
    }
}
