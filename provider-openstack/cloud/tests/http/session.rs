use std::sync::Arc;
use std::time::Duration;

use cloud::network::{PortCreate, SecurityGroupRuleCreate};
use cloud::{Cloud, Credentials, ErrorKind, Metrics};
use serde_json::{Value, json};

use crate::fake::{Answer, Fake};

const PORTS: &str = "GET /network/v2.0/ports";
const LOGIN: &str = "POST /identity/v3/auth/tokens";

fn refusal(status: u16) -> Answer {
    (status, Vec::new(), json!({"error": {"message": "no"}}))
}

#[tokio::test]
async fn a_login_sends_the_credentials_and_requests_the_token() {
    let fake = Fake::start().await;
    let cloud = fake.connect().await;
    assert_eq!(cloud.project_id(), "p1");
    cloud.network().ports(&[("name", "a b")]).await.unwrap();
    let login = fake.last(LOGIN);
    assert_eq!(
        login.body["auth"]["identity"]["password"]["user"]["password"],
        "s3cret"
    );
    let request = fake.last(PORTS);
    assert_eq!(request.headers["x-auth-token"], "token-1");
    assert!(
        request.headers["user-agent"]
            .to_str()
            .unwrap()
            .starts_with("capstan/")
    );
    assert_eq!(request.query, "name=a+b");
    assert_eq!(fake.total(), 2, "no version document is read");
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_for_all() {
    let fake = Fake::start().await;
    let cloud = fake.connect().await;
    for _ in 0..4 {
        fake.script(PORTS, refusal(401));
    }
    let network = cloud.network();
    let four = (0..4).map(|_| network.ports(&[]));
    futures::future::try_join_all(four).await.unwrap();
    assert_eq!(fake.inner().logins, 2);
    assert_eq!(fake.last(PORTS).headers["x-auth-token"], "token-2");
    assert_eq!(fake.count(PORTS), 8);
}

#[tokio::test]
async fn credentials_that_stay_refused_are_an_error() {
    let fake = Fake::start().await;
    let cloud = fake.connect().await;
    fake.script(PORTS, refusal(401));
    fake.script(PORTS, refusal(401));
    let error = cloud.network().ports(&[]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorized);
    assert_eq!(fake.inner().logins, 2);

    fake.script(LOGIN, refusal(401));
    let error = Cloud::connect(fake.credentials(), Arc::default())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "Keystone POST token: credentials refused: no"
    );
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_are_tried_once_in_a_while_for_all() {
    let fake = Fake::start().await;
    let cloud = fake.connect().await;
    for refused in [PORTS, LOGIN, LOGIN] {
        fake.script(refused, refusal(401));
    }
    for _ in 0..10 {
        let error = cloud.network().ports(&[]).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unauthorized);
        cloud.check().await.unwrap_err();
    }
    assert_eq!(
        (fake.count(LOGIN), fake.total()),
        (2, 3),
        "one list, one more login"
    );
    tokio::time::sleep(Duration::from_secs(16)).await;
    cloud.check().await.unwrap_err();
    cloud.check().await.unwrap_err();
    assert_eq!(fake.count(LOGIN), 3);
    tokio::time::sleep(Duration::from_secs(16)).await;
    cloud.check().await.unwrap();
    cloud.network().ports(&[]).await.unwrap();
    assert_eq!(fake.count(LOGIN), 4);
}

#[tokio::test]
async fn an_application_credential_that_is_gone_is_refused() {
    let fake = Fake::start().await;
    let body = json!({"error": {"message": "Could not find Application Credential: a."}});
    fake.script(LOGIN, (404, vec![], body));
    let error = Cloud::connect(fake.credentials(), Arc::default()).await;
    assert_eq!(error.unwrap_err().kind, ErrorKind::Unauthorized);
}

#[tokio::test(start_paused = true)]
async fn what_is_safe_to_repeat_is_repeated_after_the_time_that_was_asked_for() {
    let fake = Fake::start().await;
    let cloud = fake.connect().await;
    let started = tokio::time::Instant::now();
    fake.script(PORTS, (503, vec![("Retry-After", "7".into())], Value::Null));
    fake.script(PORTS, refusal(429));
    cloud.network().ports(&[]).await.unwrap();
    assert!(started.elapsed().as_secs() >= 7, "{:?}", started.elapsed());
    assert_eq!(fake.count(PORTS), 3);

    for _ in 0..4 {
        fake.script(PORTS, refusal(502));
    }
    let error = cloud.network().ports(&[]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Server);
    assert!(error.is_transient());
    assert_eq!(fake.count(PORTS), 7, "and not for ever");
}

#[tokio::test(start_paused = true)]
async fn a_long_retry_after_is_given_to_the_caller() {
    let fake = Fake::start().await;
    let cloud = fake.connect().await;
    fake.script(
        PORTS,
        (429, vec![("Retry-After", "120".into())], Value::Null),
    );
    let error = cloud.network().ports(&[]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::RateLimited);
    assert_eq!(error.retry_after.unwrap().as_secs(), 120);

    let for_ever = vec![("Retry-After", u64::MAX.to_string())];
    fake.script(PORTS, (429, for_ever, Value::Null));
    let error = cloud.network().ports(&[]).await.unwrap_err();
    assert_eq!(error.retry_after.unwrap().as_secs(), 3600);
}

#[tokio::test(start_paused = true)]
async fn a_post_is_repeated_only_when_it_cannot_have_been_carried_out() {
    let fake = Fake::start().await;
    let cloud = fake.connect().await;
    let create = "POST /network/v2.0/ports";
    fake.script(create, refusal(504));
    let error = cloud
        .network()
        .create_port(&PortCreate::default())
        .await
        .unwrap_err();
    assert!(error.may_have_happened());
    assert_eq!(fake.count(create), 1);

    fake.script(create, refusal(429));
    fake.script(
        create,
        (
            201,
            Vec::new(),
            json!({"port": {"id": "1", "status": "N/A"}}),
        ),
    );
    let port = cloud
        .network()
        .create_port(&PortCreate::default())
        .await
        .unwrap();
    assert_eq!((port.id.as_str(), port.status.as_str()), ("1", "N/A"));
    assert_eq!(fake.count(create), 3);
}

#[tokio::test]
async fn a_list_is_read_to_its_last_page() {
    let fake = Fake::start().await;
    let cloud = fake.connect().await;
    let next = "http://inner.example.com:9696/v2.0/ports?marker=1";
    let page = json!({"ports": [{"id": "1"}], "ports_links": [{"rel": "next", "href": next}]});
    fake.script(PORTS, (200, Vec::new(), page));
    fake.set(
        "ports",
        json!([{"id": "2", "allowed_address_pairs": [{"ip_address": "10.0.0.0/8"}]}]),
    );
    let ports = cloud.network().ports(&[("project_id", "p")]).await;
    assert_eq!(
        ports
            .unwrap()
            .iter()
            .map(|port| port.id.as_str())
            .collect::<Vec<_>>(),
        ["1", "2"]
    );
    // The filter that the link forgets is kept.
    assert_eq!(fake.last(PORTS).query, "marker=1&project_id=p");
}

#[tokio::test]
async fn deleting_what_is_gone_succeeds() {
    let fake = Fake::start().await;
    let cloud = fake.connect().await;
    fake.script("DELETE /network/v2.0/ports/1", refusal(404));
    cloud.network().delete_port("1").await.unwrap();
    fake.script("DELETE /network/v2.0/security-groups/1", refusal(409));
    let error = cloud
        .network()
        .delete_security_group("1")
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
}

#[tokio::test]
async fn rules_are_created_in_one_request() {
    let fake = Fake::start().await;
    let cloud = fake.connect().await;
    let path = "POST /network/v2.0/security-group-rules";
    let answer = json!({"security_group_rules": [{"id": "1"}, {"id": "2"}]});
    fake.script(path, (201, Vec::new(), answer));
    let rule = SecurityGroupRuleCreate {
        direction: "ingress".into(),
        ..Default::default()
    };
    let created = cloud
        .network()
        .create_rules(&[rule.clone(), rule])
        .await
        .unwrap();
    assert_eq!(created.len(), 2);
    assert_eq!(
        fake.last(path).body["security_group_rules"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn an_id_cannot_lead_to_another_path() {
    let fake = Fake::start().await;
    let cloud = fake.connect().await;
    fake.script("GET /compute/v2.1/flavors/a%2F..%2Fb", refusal(404));
    assert_eq!(cloud.compute().flavor("a/../b").await.unwrap(), None);
}

#[tokio::test]
async fn every_request_is_counted() {
    let fake = Fake::start().await;
    let metrics = Arc::new(Metrics::default());
    let cloud = Cloud::connect(fake.credentials(), metrics.clone())
        .await
        .unwrap();
    fake.script(PORTS, refusal(401));
    cloud.network().ports(&[]).await.unwrap();
    let count = |service, operation: &str, outcome| {
        let labels = cloud::RequestLabels {
            service,
            operation: operation.to_owned(),
            outcome,
        };
        metrics
            .requests
            .get(&labels)
            .map_or(0, |counter| counter.get())
    };
    assert_eq!(count("identity", "POST token", "success"), 2);
    assert_eq!(count("network", "GET ports", "unauthorized"), 1);
    assert_eq!(count("network", "GET ports", "success"), 1);
    assert_eq!(fake.total(), 4);
}

/// A login whose token lives for this long.
fn short_login(fake: &Fake, token: &str, ends: &str) -> Answer {
    let (_, _, mut body) = fake.inner().login();
    body["token"]["issued_at"] = json!("2026-11-21T12:00:00.000000Z");
    body["token"]["expires_at"] = json!(ends);
    (201, vec![("X-Subject-Token", token.to_owned())], body)
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_before_its_end_and_not_for_each_request() {
    let fake = Fake::start().await;
    for (token, ends) in [("hour", "T13:00:00Z"), ("minute", "T12:01:00Z")] {
        let answer = short_login(&fake, token, &format!("2026-11-21{ends}"));
        fake.script(LOGIN, answer);
    }
    let cloud = fake.connect().await;
    let used = async |seconds: u64| {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        cloud.network().ports(&[]).await.unwrap();
        fake.last(PORTS).headers["x-auth-token"].clone()
    };
    assert_eq!(used(0).await, "hour");
    assert_eq!(used(54 * 60).await, "hour");
    assert_eq!(used(90).await, "minute", "five minutes before the end");
    assert_eq!(used(40).await, "minute");
    assert_eq!(fake.count(LOGIN), 2, "a token of a minute is used as well");
    assert!(used(10).await.to_str().unwrap().starts_with("token-"));
    assert_eq!(fake.count(LOGIN), 3);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_used_to_its_end_while_keystone_is_away() {
    let fake = Fake::start().await;
    let answer = short_login(&fake, "hour", "2026-11-21T13:00:00Z");
    fake.script(LOGIN, answer);
    let cloud = fake.connect().await;
    tokio::time::advance(Duration::from_secs(56 * 60)).await;
    for _ in 0..4 {
        fake.script(LOGIN, refusal(503));
    }
    for _ in 0..10 {
        cloud.network().ports(&[]).await.unwrap();
    }
    assert_eq!(fake.last(PORTS).headers["x-auth-token"], "hour");
    assert_eq!(fake.count(LOGIN), 5, "one renewal was tried, not ten");
    tokio::time::advance(Duration::from_secs(20)).await;
    cloud.network().ports(&[]).await.unwrap();
    assert_ne!(fake.last(PORTS).headers["x-auth-token"], "hour");
}

/// Keystone never answers, and the token is good for some minutes yet.
#[tokio::test]
async fn who_has_a_token_does_not_wait_for_the_next_one() {
    let fake = Fake::start().await;
    let answer = short_login(&fake, "hour", "2026-11-21T13:00:00Z");
    fake.script(LOGIN, answer);
    let cloud = fake.connect().await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(56 * 60)).await;
    tokio::time::resume();
    fake.hold(LOGIN);
    let renews = cloud.clone();
    let renews = tokio::spawn(async move { renews.network().ports(&[]).await.map(drop) });
    fake.until_held().await;
    for _ in 0..3 {
        let asked = async {
            cloud.check().await?;
            cloud.network().ports(&[]).await
        };
        let asked = tokio::time::timeout(Duration::from_secs(20), asked);
        asked.await.expect("waits for Keystone").unwrap();
    }
    assert_eq!(fake.last(PORTS).headers["x-auth-token"], "hour");
    assert!(!renews.is_finished());
    renews.abort();
}

#[tokio::test(start_paused = true)]
async fn only_a_refusal_ends_a_token_that_works() {
    let fake = Fake::start().await;
    let answer = short_login(&fake, "hour", "2026-11-21T13:00:00Z");
    fake.script(LOGIN, answer);
    let cloud = fake.connect().await;
    tokio::time::advance(Duration::from_secs(56 * 60)).await;
    fake.script(LOGIN, (404, Vec::new(), json!("<html>no such page</html>")));
    cloud.network().ports(&[]).await.unwrap();
    assert_eq!(fake.last(PORTS).headers["x-auth-token"], "hour");
    assert_eq!(fake.count(LOGIN), 2);
    tokio::time::advance(Duration::from_secs(20)).await;
    fake.script(LOGIN, refusal(401));
    let error = cloud.network().ports(&[]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorized);
}

#[tokio::test(start_paused = true)]
async fn a_page_instead_of_a_list_passes() {
    let fake = Fake::start().await;
    let cloud = fake.connect().await;
    let page = || (200, Vec::new(), json!("<html>back in a minute</html>"));
    fake.script(PORTS, page());
    cloud.network().ports(&[]).await.unwrap();
    assert_eq!(fake.count(PORTS), 2);
    for _ in 0..4 {
        fake.script(PORTS, page());
    }
    let error = cloud.network().ports(&[]).await.unwrap_err();
    assert!(error.kind == ErrorKind::Decode && error.is_transient());

    let create = "POST /network/v2.0/ports";
    fake.script(create, page());
    let created = cloud.network().create_port(&PortCreate::default()).await;
    assert!(created.unwrap_err().may_have_happened());
    assert_eq!(fake.count(create), 1, "it may have been carried out");
}

#[tokio::test]
async fn a_service_outside_the_region_is_named() {
    let fake = Fake::start().await;
    let mut credentials: Credentials = fake.credentials();
    credentials.region = Some("Mars".into());
    let cloud = Cloud::connect(credentials, Arc::default()).await.unwrap();
    let error = cloud.network().ports(&[]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NoService);
    assert!(
        error.message.contains("Mars") && error.message.contains("regions are R"),
        "{error}"
    );
}
