use std::sync::Arc;
use std::time::Duration;

use cloud::network::PortCreate;
use cloud::{Clouds, ErrorKind, Kind, Metrics, View, WakeReceiver, wakes};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::fake::Fake;

const PORTS: &str = "GET /network/v2.0/ports";
const SERVERS: &str = "GET /compute/v2.1/servers/detail";

async fn view(fake: &Fake) -> (View, WakeReceiver) {
    let (sender, receiver) = wakes();
    (View::new(&fake.connect().await, sender), receiver)
}

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

#[tokio::test]
async fn however_many_ask_one_list_runs_and_then_none() {
    let fake = Fake::start().await;
    fake.set("ports", json!([{"id": "1", "name": "a", "device_id": "s"}]));
    let (view, _wakes) = view(&fake).await;
    let all = (0..20).map(|_| view.snapshot(&[Kind::Ports, Kind::Servers]));
    let seen = futures::future::try_join_all(all).await.unwrap();
    assert_eq!(seen[0].ports.of("s").count(), 1);
    view.snapshot(&[Kind::Ports]).await.unwrap();
    assert_eq!((fake.count(PORTS), fake.count(SERVERS)), (1, 1));
    assert_eq!(fake.last(PORTS).query, "project_id=p1");
}

#[tokio::test]
async fn a_write_is_seen_at_once_and_a_lost_answer_makes_the_view_look() {
    let fake = Fake::start().await;
    let (view, _wakes) = view(&fake).await;
    view.snapshot(&[Kind::Ports]).await.unwrap();
    let create = "POST /network/v2.0/ports";
    fake.script(
        create,
        (201, Vec::new(), json!({"port": {"id": "1", "name": "a"}})),
    );
    view.cloud()
        .network()
        .create_port(&PortCreate::default())
        .await
        .unwrap();
    let seen = view.snapshot(&[Kind::Ports]).await.unwrap();
    assert_eq!(seen.ports.named("a").count(), 1);
    assert_eq!(fake.count(PORTS), 1);

    fake.script(create, (500, Vec::new(), json!({})));
    view.cloud()
        .network()
        .create_port(&PortCreate::default())
        .await
        .unwrap_err();
    fake.set(
        "ports",
        json!([{"id": "1", "name": "a"}, {"id": "2", "name": "b"}]),
    );
    let seen = view.snapshot(&[Kind::Ports]).await.unwrap();
    assert_eq!(
        seen.ports.named("b").count(),
        1,
        "it had been created after all"
    );
    assert_eq!(fake.count(PORTS), 2);
}

#[tokio::test]
async fn what_a_deletion_does_not_find_is_there_until_a_list_lacks_it() {
    let fake = Fake::start().await;
    fake.set("ports", json!([{"id": "1", "name": "a"}]));
    let (view, _wakes) = view(&fake).await;
    view.snapshot(&[Kind::Ports]).await.unwrap();
    let delete = "DELETE /network/v2.0/ports/1";
    for (rows, left) in [(json!([{"id": "1", "name": "a"}]), 1), (json!([]), 0)] {
        fake.set("ports", rows);
        fake.script(delete, (404, Vec::new(), json!({})));
        view.cloud().network().delete_port("1").await.unwrap();
        let seen = view.snapshot(&[Kind::Ports]).await.unwrap();
        assert_eq!(seen.ports.named("a").count(), left);
    }
}

/// An object that comes from elsewhere must not be decided by a list from before it came.
#[tokio::test]
async fn who_must_see_what_others_made_gets_a_list_from_after() {
    let fake = Fake::start().await;
    let (view, _wakes) = view(&fake).await;
    let before = Instant::now();
    view.snapshot(&[Kind::Ports]).await.unwrap();
    view.snapshot_since(&[Kind::Ports], Some(before))
        .await
        .unwrap();
    assert_eq!(fake.count(PORTS), 1);
    fake.set("ports", json!([{"id": "1", "name": "a"}]));
    let now = Some(Instant::now());
    let seen = view.snapshot_since(&[Kind::Ports], now).await.unwrap();
    view.snapshot_since(&[Kind::Ports], now).await.unwrap();
    assert_eq!((seen.ports.len(), fake.count(PORTS)), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn an_expected_change_is_seen_fast_and_wakes_who_follows() {
    let fake = Fake::start().await;
    fake.set(
        "servers",
        json!([{"id": "s", "name": "w", "status": "BUILD"}]),
    );
    let (view, mut wakes) = view(&fake).await;
    let seen = view.snapshot(&[Kind::Servers]).await.unwrap();
    view.follow("machine", ids(&["s"]), &seen);
    view.follow("other", ids(&["t"]), &seen);
    view.expect("machine", &[Kind::Servers]);
    sleep(Duration::from_secs(9)).await;
    assert_eq!(
        fake.count(SERVERS),
        5,
        "one at first, and one every two seconds"
    );
    assert!(fake.last(SERVERS).query.starts_with("changes-since="));
    assert!(wakes.try_recv().is_err(), "nothing has changed");

    let changed = Instant::now();
    fake.inner().changed_servers = vec![json!({"id": "s", "name": "w", "status": "ACTIVE"})];
    assert_eq!(wakes.recv().await.unwrap(), "machine");
    assert!(changed.elapsed() <= Duration::from_secs(2));

    view.settled("machine");
    let before = fake.count(SERVERS);
    sleep(Duration::from_secs(20)).await;
    assert_eq!(fake.count(SERVERS), before, "settled, so slow");
    fake.inner().changed_servers = vec![json!({"id": "s", "status": "DELETED"})];
    assert_eq!(wakes.recv().await.unwrap(), "machine");
    assert!(
        changed.elapsed() <= Duration::from_secs(32),
        "a lost server is noticed"
    );
    let seen = view.snapshot(&[Kind::Servers]).await.unwrap();
    assert!(seen.servers.is_empty());
    assert!(wakes.try_recv().is_err(), "the other was never woken");
}

#[tokio::test(start_paused = true)]
async fn a_load_balancer_is_looked_at_soon_then_less_often() {
    let fake = Fake::start().await;
    let (view, _wakes) = view(&fake).await;
    let lists = "GET /lb/v2.0/lbaas/loadbalancers";
    view.expect("cluster", &[Kind::LoadBalancers]);
    fake.set("loadbalancers", json!([{"id": "1"}]));
    sleep(Duration::from_secs(10)).await;
    // At 0, 0.5, 1.5, 3.5, 5.5, 7.5 and 9.5 s.
    assert_eq!(fake.count(lists), 7);
}

#[tokio::test]
async fn what_changed_between_the_snapshot_and_following_wakes_at_once() {
    let fake = Fake::start().await;
    fake.set("ports", json!([{"id": "1", "name": "a"}]));
    let (view, mut wakes) = view(&fake).await;
    let seen = view.snapshot(&[Kind::Ports]).await.unwrap();
    view.follow("same", ids(&["1"]), &seen);
    assert!(wakes.try_recv().is_err());
    view.cloud().network().delete_port("1").await.unwrap();
    assert_eq!(wakes.recv().await.unwrap(), "same");
    view.follow("late", ids(&["a"]), &seen);
    assert_eq!(wakes.recv().await.unwrap(), "late");
}

#[tokio::test]
async fn a_pool_that_goes_while_it_is_read_is_left_out() {
    let fake = Fake::start().await;
    let listed = json!([{"id": "gone", "members": [{"id": "m"}]}, {"id": "p", "members": []}]);
    fake.set("pools", listed);
    fake.script(
        "GET /lb/v2.0/lbaas/pools/gone/members",
        (404, vec![], json!({})),
    );
    let (view, _wakes) = view(&fake).await;
    let seen = view.snapshot(&[Kind::Pools]).await.unwrap();
    assert!(seen.pools.get("gone").is_none());
    assert!(seen.pools.get("p").is_some());
}

#[tokio::test(start_paused = true)]
async fn ten_idle_minutes_cost_at_most_forty_requests_and_nothing_without_interest() {
    let fake = Fake::start().await;
    fake.set("pools", json!([{"id": "p", "members": [{"id": "m"}]}]));
    fake.set(
        "members",
        json!([{"id": "m", "provisioning_status": "ACTIVE"}]),
    );
    let (view, _wakes) = view(&fake).await;
    let seen = view.snapshot(Kind::ALL).await.unwrap();
    assert_eq!(seen.pools.get("p").unwrap().members.len(), 1);
    for machine in 0..100 {
        view.follow(
            &format!("machine-{machine}"),
            ids(&[&format!("s{machine}")]),
            &seen,
        );
    }
    let mut busiest = 0;
    for _ in 0..6 {
        let before = fake.total();
        for _ in 0..10 {
            sleep(Duration::from_secs(60)).await;
            view.snapshot(Kind::ALL).await.unwrap();
        }
        busiest = busiest.max(fake.total() - before);
    }
    assert!(
        (21..=40).contains(&busiest),
        "{busiest} requests in ten minutes"
    );

    for machine in 0..100 {
        view.forget(&format!("machine-{machine}"));
    }
    sleep(Duration::from_secs(60)).await;
    let before = fake.total();
    sleep(Duration::from_secs(7200)).await;
    assert_eq!(fake.total(), before, "nobody is interested");
}

#[tokio::test(start_paused = true)]
async fn a_cloud_that_refuses_wakes_who_waits_and_is_left_alone() {
    let fake = Fake::start().await;
    let (view, mut wakes) = view(&fake).await;
    let seen = view.snapshot(&[Kind::Ports]).await.unwrap();
    view.follow("machine", ids(&["1"]), &seen);
    view.expect("machine", &[Kind::Ports]);
    for _ in 0..3 {
        fake.script(PORTS, (403, Vec::new(), json!({"message": "role revoked"})));
    }
    assert_eq!(wakes.recv().await.unwrap(), "machine");
    let before = fake.count(PORTS);
    let error = view.snapshot(&[Kind::Ports]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Forbidden);
    assert_eq!(
        fake.count(PORTS),
        before,
        "the failure is remembered for a moment"
    );
    sleep(Duration::from_secs(60)).await;
    view.snapshot(&[Kind::Ports]).await.unwrap();
}

#[tokio::test]
async fn credentials_share_a_view_and_new_ones_take_the_key_along() {
    let fake = Fake::start().await;
    let (sender, _receiver) = wakes();
    let clouds = Clouds::new(Arc::new(Metrics::default()), sender);
    let credentials = fake.credentials();
    let both = [clouds.view(&credentials), clouds.view(&credentials)];
    let old = futures::future::try_join_all(both).await.unwrap().remove(0);
    assert_eq!(fake.inner().logins, 1);
    let seen = old.snapshot(&[]).await.unwrap();
    old.follow("machine", ids(&["1"]), &seen);

    let mut renewed = credentials;
    renewed.region = None;
    let new = clouds.view(&renewed).await.unwrap();
    new.follow("machine", ids(&["1"]), &seen);
    assert!(old.is_idle() && !new.is_idle());
    clouds.forget("machine");
    assert!(new.is_idle());
}

#[tokio::test(start_paused = true)]
async fn a_refused_login_is_not_repeated_for_every_object() {
    let fake = Fake::start().await;
    let (sender, _receiver) = wakes();
    let clouds = Clouds::new(Arc::new(Metrics::default()), sender);
    let login = "POST /identity/v3/auth/tokens";
    fake.script(
        login,
        (
            401,
            Vec::new(),
            json!({"error": {"message": "wrong password"}}),
        ),
    );
    for _ in 0..10 {
        let error = clouds.view(&fake.credentials()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unauthorized);
    }
    assert_eq!(fake.count(login), 1);
    sleep(Duration::from_secs(20)).await;
    clouds.view(&fake.credentials()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn flavors_are_kept_until_one_is_missed() {
    let fake = Fake::start().await;
    fake.set("flavors", json!([{"id": "1", "name": "SCS-2V-8"}]));
    let (view, _wakes) = view(&fake).await;
    let flavors = "GET /compute/v2.1/flavors/detail";
    for _ in 0..3 {
        assert_eq!(view.flavor("SCS-2V-8").await.unwrap().unwrap().id, "1");
    }
    assert_eq!(view.flavor("new").await.unwrap(), None);
    assert_eq!(
        fake.count(flavors),
        1,
        "a moment old is new enough for a miss"
    );
    sleep(Duration::from_secs(11)).await;
    fake.set("flavors", json!([{"id": "2", "name": "new"}]));
    assert_eq!(view.flavor("new").await.unwrap().unwrap().id, "2");
    assert_eq!(fake.count(flavors), 2);
}

#[tokio::test(start_paused = true)]
async fn who_misses_something_sees_what_was_made_just_now() {
    let fake = Fake::start().await;
    let (view, _wakes) = view(&fake).await;
    view.snapshot(&[Kind::Ports]).await.unwrap();
    sleep(Duration::from_secs(11)).await;
    fake.set("ports", json!([{"id": "1", "name": "a"}]));
    for _ in 0..20 {
        let seen = view.snapshot_after_miss(&[Kind::Ports]).await.unwrap();
        assert_eq!(seen.ports.len(), 1);
    }
    assert_eq!(fake.count(PORTS), 2, "one list for all who miss something");
}

/// Nova leaves servers out of lists whose cell it cannot reach.
#[tokio::test(start_paused = true)]
async fn a_server_is_gone_when_nova_says_so_not_when_a_list_lacks_it() {
    let fake = Fake::start().await;
    let row = |id: &str, status: &str| json!({"id": id, "name": "w", "status": status});
    fake.set(
        "servers",
        json!([row("lost", "ACTIVE"), row("ended", "ACTIVE")]),
    );
    let (view, _wakes) = view(&fake).await;
    let seen = view.snapshot(&[Kind::Servers]).await.unwrap();
    view.follow("machine", ids(&["lost", "ended"]), &seen);
    let known = ["lost", "ended"];
    assert!(!view.find_unlisted(known).await.unwrap(), "both are listed");

    fake.inner().changed_servers = vec![row("ended", "DELETED")];
    fake.set("servers", json!([]));
    sleep(Duration::from_secs(800)).await;
    let asked = "GET /compute/v2.1/servers/lost";
    let alive = (200, Vec::new(), json!({"server": row("lost", "ACTIVE")}));
    fake.script(asked, alive);
    assert!(view.find_unlisted(known).await.unwrap());
    let seen = view.snapshot(&[Kind::Servers]).await.unwrap();
    assert!(seen.servers.get("lost").is_some() && seen.servers.get("ended").is_none());
    assert!(
        !view.find_unlisted(known).await.unwrap(),
        "it is known again"
    );
    assert_eq!(fake.count("GET /compute/v2.1/servers/ended"), 0);

    let missing = || (404, Vec::new(), json!({}));
    fake.script("DELETE /compute/v2.1/servers/lost", missing());
    view.cloud().compute().delete_server("lost").await.unwrap();
    fake.script("GET /compute/v2.1/servers/never", missing());
    for _ in 0..3 {
        let all = known.into_iter().chain(["never"]);
        assert!(!view.find_unlisted(all).await.unwrap());
    }
    assert_eq!(fake.count(asked), 1, "the refused deletion said it");
    assert_eq!(fake.count("GET /compute/v2.1/servers/never"), 1);
}

#[tokio::test(start_paused = true)]
async fn groups_of_another_project_are_kept_until_one_is_missed() {
    let fake = Fake::start().await;
    fake.set("security_groups", json!([{"id": "1", "name": "web"}]));
    let (view, _wakes) = view(&fake).await;
    let lists = "GET /network/v2.0/security-groups";
    for _ in 0..3 {
        let web = view.security_groups_of("p2", |group| group.name == "web");
        assert_eq!(web.await.unwrap().len(), 1);
    }
    assert_eq!(fake.last(lists).query, "project_id=p2");
    assert_eq!(fake.count(lists), 1);
    sleep(Duration::from_secs(11)).await;
    for _ in 0..3 {
        let other = view.security_groups_of("p2", |group| group.name == "other");
        assert_eq!(other.await.unwrap().len(), 1);
    }
    assert_eq!(fake.count(lists), 2);
}

/// However many servers name a group or a flavor, and whether or not it is there.
#[tokio::test(start_paused = true)]
async fn server_groups_and_flavors_cost_one_list_for_all_who_seek_or_miss_one() {
    let fake = Fake::start().await;
    let (view, _wakes) = view(&fake).await;
    let groups = "GET /compute/v2.1/os-server-groups";
    let answer = || {
        let one = json!({"id": "1", "name": "spread"});
        (200, Vec::new(), json!({"server_groups": [one]}))
    };
    fake.script(groups, answer());
    for sought in ["1", "spread"] {
        let found = view.server_group(sought).await.unwrap().unwrap();
        assert_eq!(found.name, "spread");
    }
    for _ in 0..3 {
        assert_eq!(view.server_group("other").await.unwrap(), None);
        assert_eq!(view.server_groups().await.unwrap().len(), 1);
    }
    assert_eq!(fake.count(groups), 1);
    sleep(Duration::from_secs(11)).await;
    fake.script(groups, answer());
    for _ in 0..3 {
        assert_eq!(view.server_group("other").await.unwrap(), None);
        assert_eq!(view.server_groups().await.unwrap().len(), 1);
        assert_eq!(view.flavor("other").await.unwrap(), None);
        assert_eq!(view.flavors().await.unwrap().len(), 0);
    }
    assert_eq!(fake.count(groups), 2);
    assert_eq!(fake.count("GET /compute/v2.1/flavors/detail"), 1);
}

#[tokio::test(start_paused = true)]
async fn the_age_of_a_view_and_the_requests_in_flight_are_seen() {
    let fake = Fake::start().await;
    let metrics = Arc::new(Metrics::default());
    let mut registry = prometheus_client::registry::Registry::default();
    metrics.register(&mut registry);
    let text = || {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    };
    let (sender, _receiver) = wakes();
    let clouds = Clouds::new(metrics, sender);
    let view = clouds.view(&fake.credentials()).await.unwrap();
    let seen = view.snapshot(&[Kind::Routers]).await.unwrap();
    assert!(
        !text().contains("view_age_seconds{"),
        "nobody is interested"
    );
    view.follow("key", ids(&["1"]), &seen);
    tokio::time::advance(Duration::from_secs(100)).await;
    let line = "openstack_view_age_seconds{kind=\"routers\"} 100";
    assert!(text().contains(line), "{}", text());
    let in_flight = "openstack_requests_in_flight{service=\"network\"} ";
    assert!(text().contains(&format!("{in_flight}0")), "{}", text());
    fake.hold("GET /network/v2.0/subnets");
    let asking = tokio::spawn(async move { view.snapshot(&[Kind::Subnets]).await.map(drop) });
    fake.until_held().await;
    assert!(text().contains(&format!("{in_flight}1")), "{}", text());
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    assert!(text().contains(&format!("{in_flight}0")), "{}", text());
}
