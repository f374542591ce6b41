//! A floating IP leads where it was seen to lead, or is left alone.

use cloud::{ErrorKind, Kind, View, wakes};
use serde_json::{Value, json};

use crate::fake::Fake;

const LISTS: &str = "GET /network/v2.0/floatingips";
const PUT: &str = "PUT /network/v2.0/floatingips/1";

fn row(port: Value, revision: Value) -> Value {
    json!({"id": "1", "port_id": port, "revision_number": revision})
}

#[tokio::test]
async fn what_has_changed_since_it_was_seen_is_not_moved() {
    let fake = Fake::start().await;
    fake.set("floatingips", json!([row(Value::Null, json!(3))]));
    let (sender, _wakes) = wakes();
    let view = View::new(&fake.connect().await, sender);
    let kinds = [Kind::FloatingIps];
    let seen = view.snapshot(&kinds).await.unwrap();

    let refused = json!({"NeutronError": {"type": "RevisionNumberConstraintFailed",
        "message": "Constrained to 3, but current revision is 4", "detail": ""}});
    fake.script(PUT, (412, Vec::new(), refused));
    fake.set("floatingips", json!([row(json!("of-somebody"), json!(4))]));
    let error = view.associate_floating_ip("1", Some("p"), &seen).await;
    let error = error.unwrap_err();
    assert!(error.kind == ErrorKind::Conflict && error.is_transient());
    assert_eq!(fake.last(PUT).headers["if-match"], "revision_number=3");
    let seen = view.snapshot(&kinds).await.unwrap();
    assert_eq!(seen.floating_ips.of("of-somebody").count(), 1);
    assert_eq!(fake.count(LISTS), 2, "what it knew was too old");

    let moved = json!({"floatingip": row(json!("p"), json!(5))});
    fake.script(PUT, (200, Vec::new(), moved));
    view.associate_floating_ip("1", Some("p"), &seen)
        .await
        .unwrap();
    assert_eq!(fake.last(PUT).headers["if-match"], "revision_number=4");
    let seen = view.snapshot(&kinds).await.unwrap();
    assert_eq!(seen.floating_ips.of("p").count(), 1);
    assert_eq!(fake.count(LISTS), 2);
}

/// Some clouds do not count changes; and how far tags have counted is not known.
#[tokio::test]
async fn without_a_known_revision_there_is_no_condition() {
    let fake = Fake::start().await;
    fake.set("floatingips", json!([{"id": "1"}]));
    let (sender, _wakes) = wakes();
    let view = View::new(&fake.connect().await, sender);
    let kinds = [Kind::FloatingIps];
    let lead = async || {
        let seen = view.snapshot(&kinds).await.unwrap();
        let answer = json!({"floatingip": row(json!("p"), json!(7))});
        fake.script(PUT, (200, Vec::new(), answer));
        let done = view.associate_floating_ip("1", Some("p"), &seen).await;
        done.unwrap();
        fake.last(PUT).headers.get("if-match").cloned()
    };
    assert_eq!(lead().await, None);
    assert_eq!(lead().await.unwrap(), "revision_number=7");
    let tags = "PUT /network/v2.0/floatingips/1/tags";
    fake.script(tags, (200, Vec::new(), json!({"tags": ["a"]})));
    let (network, tags) = (view.cloud().network(), ["a".to_owned()]);
    let tagged = network.set_tags(Kind::FloatingIps, "1", &tags).await;
    tagged.unwrap();
    assert_eq!(lead().await, None);
}
