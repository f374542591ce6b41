//! From an `identityRef` to a session, against a small management cluster and small Keystones: who is
//! let in, what takes effect at once, and that clouds do not hold each other up.

mod keystone;
mod management;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloud::Clouds;
use crds::openstack::conditions::Reason;
use crds::openstack::v1alpha1::OpenStackServer;
use crds::openstack::v1beta2::OpenStackIdentityReference;
use provider_openstack::identity::changes::Changes;
use provider_openstack::identity::kept::Kept;
use provider_openstack::identity::refused::Refused;
use provider_openstack::identity::{self, IdentityError};
use provider_openstack::{Context, Error, cluster};
use runtime::events::Events;
use runtime::health::Health;
use runtime::metrics::Metrics;
use runtime::{Key, Kit, Loop, Requeue};
use serde_json::{Value, json};
use tokio::sync::watch;

use keystone::Keystone;
use management::Management;

const DEADLINE: Duration = Duration::from_secs(30);

fn context(management: &Management) -> Arc<Context> {
    let (wakes, _) = cloud::wakes();
    let client = management.client();
    Arc::new(Context {
        clouds: Clouds::new(Arc::default(), wakes),
        events: Events::new(client.clone(), "test"),
        changes: Changes::default(),
        kept: Kept::default(),
        refused: Refused::default(),
        ca: None,
        management: cluster::Management::default(),
        client,
    })
}

fn reference(identity: Value) -> OpenStackIdentityReference {
    serde_json::from_value(identity).expect("a reference")
}

fn own(name: &str) -> Value {
    json!({"name": name, "cloudName": "openstack"})
}

fn shared(name: &str) -> Value {
    json!({"type": "ClusterIdentity", "name": name, "cloudName": "openstack"})
}

fn certificate() -> String {
    let made = rcgen::generate_simple_self_signed(vec!["ca.example".to_owned()]);
    made.expect("a certificate").cert.pem()
}

#[tokio::test]
async fn what_changes_in_a_secret_takes_effect_at_once_and_only_for_who_uses_it() {
    let (management, keystone) = (Management::default(), Keystone::start("one").await);
    let (first_ca, second_ca) = (certificate(), certificate());
    let context = context(&management);
    let (a, b) = (reference(own("a")), reference(own("b")));
    management.put_secret("default/a", &keystone.clouds_yaml("one", "R"), "");
    management.put_secret("default/b", &keystone.clouds_yaml("one", "Q"), &first_ca);
    let of_b = context.view("default", &b, false).await.expect("b");
    let mut before = context.view("default", &a, false).await.expect("a");
    assert_eq!(keystone.logins().len(), 2);
    context.view("default", &a, false).await.expect("a");
    assert_eq!(
        keystone.logins().len(),
        2,
        "one session for the same credentials"
    );

    keystone.change_password("two");
    for (yaml, ca, logins) in [
        (keystone.clouds_yaml("two", "R"), "", 3),
        (keystone.clouds_yaml("two", "R"), first_ca.as_str(), 4),
        (keystone.clouds_yaml("two", "R"), second_ca.as_str(), 5),
        (keystone.clouds_yaml("two", "S"), second_ca.as_str(), 6),
    ] {
        management.put_secret("default/a", &yaml, ca);
        let after = context.view("default", &a, false).await.expect("a");
        assert_eq!(keystone.logins().len(), logins);
        let (old, new) = (before.cloud().credentials(), after.cloud().credentials());
        assert_ne!(old, new);
        assert_eq!(new.ca.as_deref().unwrap_or_default(), ca.as_bytes());
        before = after;
    }
    assert_eq!(before.cloud().region(), Some("S"));
    // Another region by the reference, with the same Secret.
    let other = reference(json!({"name": "a", "cloudName": "openstack", "region": "T"}));
    let view = context.view("default", &other, false).await.expect("a");
    assert_eq!(view.cloud().region(), Some("T"));
    let still = context.view("default", &b, false).await.expect("b");
    assert_eq!(still.cloud().credentials(), of_b.cloud().credentials());
    assert_eq!(keystone.logins().len(), 7, "the session of b goes on");
}

/// A namespace that is deleted loses its Secrets before what needs them.
#[tokio::test]
async fn what_goes_can_do_so_after_its_secret() {
    let (management, keystone) = (Management::default(), Keystone::start("one").await);
    let (context, a) = (context(&management), reference(own("a")));
    let lack = context.view("default", &a, true).await.err();
    assert!(matches!(lack, Some(IdentityError::NoSecret(_))), "{lack:?}");
    management.put_secret("default/a", &keystone.clouds_yaml("one", "R"), "");
    context.view("default", &a, false).await.expect("a");
    management.remove("secrets", "default/a");
    let lack = context.view("default", &a, false).await.err();
    assert!(matches!(lack, Some(IdentityError::NoSecret(_))), "{lack:?}");
    context.view("default", &a, true).await.expect("the last");
    let lack = context.view("elsewhere", &a, true).await.err();
    assert!(lack.is_some(), "it is for one namespace");
}

fn namespace(management: &Management, name: &str, labels: Value) {
    management.put(
        "namespaces",
        &format!("/{name}"),
        json!({"metadata": {"labels": labels}}),
    );
}

/// A cluster identity of the Secret `vault/shared`.
fn cluster_identity(management: &Management, selector: Value) {
    let spec = json!({"secretRef": {"name": "shared", "namespace": "vault"},
        "namespaceSelector": selector});
    management.put(
        "openstackclusteridentities",
        "/shared",
        json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1alpha1",
        "kind": "OpenStackClusterIdentity", "metadata": {}, "spec": spec}),
    );
}

fn expression(operator: &str, values: Value) -> Value {
    json!({"matchExpressions": [{"key": "env", "operator": operator, "values": values}]})
}

#[tokio::test]
async fn a_cluster_identity_serves_the_namespaces_that_its_selector_matches() {
    let (management, keystone) = (Management::default(), Keystone::start("one").await);
    let context = context(&management);
    management.put_secret("vault/shared", &keystone.clouds_yaml("one", "R"), "");
    namespace(&management, "blue", json!({"env": "prod", "team": "x"}));
    namespace(&management, "red", json!({"env": "test"}));
    for (selector, allowed) in [
        (Value::Null, vec!["blue", "red", "nowhere"]),
        (json!({}), vec!["blue", "red", "nowhere"]),
        (json!({"matchLabels": {"env": "prod"}}), vec!["blue"]),
        (
            expression("In", json!(["prod", "test"])),
            vec!["blue", "red"],
        ),
        (expression("NotIn", json!(["prod"])), vec!["red", "nowhere"]),
        (expression("Exists", Value::Null), vec!["blue", "red"]),
        (expression("DoesNotExist", Value::Null), vec!["nowhere"]),
    ] {
        cluster_identity(&management, selector.clone());
        for name in ["blue", "red", "nowhere"] {
            let result = context
                .view(name, &reference(shared("shared")), false)
                .await;
            assert_eq!(
                result.is_ok(),
                allowed.contains(&name),
                "{selector} {name}: {result:?}"
            );
        }
    }
}

#[tokio::test]
async fn who_may_not_use_a_cluster_identity_is_told_why() {
    let (management, keystone) = (Management::default(), Keystone::start("one").await);
    let context = context(&management);
    management.put_secret("vault/shared", &keystone.clouds_yaml("one", "R"), "");
    namespace(&management, "red", json!({"env": "test"}));
    cluster_identity(&management, json!({"matchLabels": {"env": "prod"}}));
    let error = context
        .view("red", &reference(shared("shared")), false)
        .await
        .expect_err("refused");
    assert_eq!(error.reason(), Reason::IdentityAccessDenied);
    assert_eq!(
        error.to_string(),
        "spec.identityRef.name: OpenStackClusterIdentity shared is not for namespace red, whose labels do not \
         match its spec.namespaceSelector \"env=prod\": label the namespace so, widen the selector, or name \
         another identity"
    );
    cluster_identity(&management, expression("Near", json!(["prod"])));
    let error = context
        .view("red", &reference(shared("shared")), false)
        .await
        .expect_err("no selector");
    assert!(matches!(error, IdentityError::Selector { .. }), "{error}");
    let error = context
        .view("red", &reference(shared("other")), false)
        .await
        .expect_err("not there");
    assert!(
        error
            .to_string()
            .contains("there is no OpenStackClusterIdentity other"),
        "{error}"
    );
}

/// When each object was last reconciled, and how it ended.
#[derive(Default)]
struct Seen {
    ended: Mutex<BTreeMap<String, Result<(), String>>>,
    reconciled: tokio::sync::Notify,
}

impl Seen {
    async fn until(&self, what: impl Fn(&BTreeMap<String, Result<(), String>>) -> bool) {
        let waiting = async {
            while !what(&self.ended.lock().expect("lock")) {
                self.reconciled.notified().await;
            }
        };
        let done = tokio::time::timeout(DEADLINE, waiting).await;
        assert!(
            done.is_ok(),
            "waited in vain: {:?}",
            self.ended.lock().expect("lock")
        );
    }
}

/// A controller of OpenStackServers that only logs in.
fn run(management: &Management, concurrency: u16) -> (Arc<Seen>, watch::Sender<bool>) {
    let (stop, shutdown) = watch::channel(false);
    let kit = Kit {
        client: management.client(),
        namespace: None,
        watch_filter: None,
        concurrency,
        shutdown,
        health: Health::default(),
        metrics: Metrics::default(),
    };
    let (context, seen) = (context(management), Arc::new(Seen::default()));
    let controller = Loop::<OpenStackServer>::new(&kit, "test");
    let controller = identity::depends(controller, &context, |server| {
        Some(&server.spec.identity_ref)
    });
    let watching = context.clone();
    tokio::spawn(async move { identity::watch(&watching, &kit).await });
    let reconciles = seen.clone();
    let reconcile = move |server: Arc<OpenStackServer>, context: Arc<Context>| {
        let seen = reconciles.clone();
        async move {
            let key = Key::of(&*server);
            let view = context
                .view(&key.namespace, &server.spec.identity_ref, false)
                .await;
            let ended = view.as_ref().map(drop).map_err(ToString::to_string);
            seen.ended
                .lock()
                .expect("lock")
                .insert(key.to_string(), ended);
            seen.reconciled.notify_one();
            view.map_err(Error::from)?;
            Ok::<_, Error>(Requeue::OnChange)
        }
    };
    tokio::spawn(controller.run(context, reconcile));
    (seen, stop)
}

#[tokio::test]
async fn a_cloud_that_does_not_answer_holds_up_only_its_own_objects() {
    let management = Management::default();
    let (slow, fast) = (Keystone::start("one").await, Keystone::start("one").await);
    slow.close();
    management.put_secret("default/slow", &slow.clouds_yaml("one", "R"), "");
    management.put_secret("default/fast", &fast.clouds_yaml("one", "R"), "");
    for number in 0..100 {
        management.put_server(&format!("default/a-{number}"), &own("slow"));
    }
    for number in 0..10 {
        management.put_server(&format!("default/z-{number}"), &own("fast"));
    }
    let (seen, _stop) = run(&management, 4);
    let all = |ended: &BTreeMap<String, Result<(), String>>, prefix: &str, count: usize| {
        let of_prefix = |(key, ended): &(&String, &Result<(), String>)| {
            key.starts_with(prefix) && ended.is_ok()
        };
        ended.iter().filter(of_prefix).count() == count
    };
    seen.until(|ended| all(ended, "default/z-", 10)).await;
    let slow_ones = seen.ended.lock().expect("lock").len() - 10;
    assert_eq!(slow_ones, 0, "that cloud has answered nobody");
    assert_eq!(slow.logins().len(), 1, "one login for all who wait");
    slow.open();
    seen.until(|ended| all(ended, "default/a-", 100)).await;
}

#[tokio::test]
async fn who_waits_for_credentials_is_woken_when_they_come() {
    let (management, keystone) = (Management::default(), Keystone::start("one").await);
    let secret = json!({"name": "shared", "namespace": "vault"});
    management.put(
        "openstackclusteridentities",
        "/shared",
        json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1alpha1",
        "kind": "OpenStackClusterIdentity", "metadata": {},
        "spec": {"secretRef": secret, "namespaceSelector": {"matchLabels": {"env": "prod"}}}}),
    );
    management.put("namespaces", "/default", json!({"metadata": {}}));
    management.put_secret("default/own", &keystone.clouds_yaml("wrong", "R"), "");
    management.put_server("default/a", &own("own"));
    management.put_server("default/b", &shared("shared"));
    let (seen, _stop) = run(&management, 4);
    let says = |key: &'static str, words: &'static str| {
        move |ended: &BTreeMap<String, Result<(), String>>| matches!(ended.get(key), Some(Err(error)) if error.contains(words))
    };
    let works = |key: &'static str| {
        move |ended: &BTreeMap<String, Result<(), String>>| ended.get(key) == Some(&Ok(()))
    };
    seen.until(says("default/a", "credentials refused")).await;
    seen.until(says("default/b", "is not for namespace default"))
        .await;
    // Each failure makes the wait longer than the deadline: only a wake comes in time.
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    tokio::time::resume();

    management.put_secret("default/own", &keystone.clouds_yaml("one", "R"), "");
    seen.until(works("default/a")).await;
    management.put(
        "namespaces",
        "/default",
        json!({"metadata": {"labels": {"env": "prod"}}}),
    );
    seen.until(says("default/b", "there is no Secret vault/shared"))
        .await;
    management.put_secret("vault/shared", &keystone.clouds_yaml("one", "R"), "");
    seen.until(works("default/b")).await;
}

/// Who put the password right did so in Keystone, so that no Secret has changed.
#[tokio::test]
async fn refused_credentials_are_tried_once_for_all_who_wait_and_wake_them_when_they_are_good() {
    let (management, keystone) = (Management::default(), Keystone::start("other").await);
    management.put_secret("default/own", &keystone.clouds_yaml("one", "R"), "");
    for number in 0..50 {
        management.put_server(&format!("default/a-{number}"), &own("own"));
    }
    let (seen, _stop) = run(&management, 4);
    let count = |ended: &BTreeMap<String, Result<(), String>>, well: bool| {
        ended.values().filter(|ended| ended.is_ok() == well).count()
    };
    seen.until(|ended| count(ended, false) == 50).await;
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(700)).await;
    let before = keystone.logins().len();
    tokio::time::sleep(Duration::from_secs(600)).await;
    let logins = keystone.logins().len() - before;
    assert!(
        (10..=40).contains(&logins),
        "{logins} logins in ten minutes"
    );

    keystone.change_password("one");
    // Each object by itself waits for four to six minutes by now.
    tokio::time::sleep(Duration::from_secs(100)).await;
    tokio::time::resume();
    seen.until(|ended| count(ended, true) == 50).await;
}
