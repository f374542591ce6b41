//! Over HTTP, through the provider's own client: logins, faults, the log, many servers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::Method;
use cloud::compute::{ServerCreate, ServerPort};
use cloud::network::{NetworkCreate, PortCreate, SubnetCreate};
use cloud::{Cloud, Credentials, ErrorKind, Kind, View};
use serde_json::{Value, json};
use simulator::{Chaos, Delays, Effect, Fault, Options, Resource, Seed, Service, Simulator, World};

const DEADLINE: Duration = Duration::from_secs(20);

async fn login(simulator: &Simulator, cloud: &str) -> Cloud {
    let yaml = simulator.clouds_yaml();
    let ca = simulator.ca_pem().map(str::as_bytes);
    let credentials = Credentials::parse(yaml.as_bytes(), cloud, None, ca).unwrap();
    Cloud::connect(credentials, Arc::default()).await.unwrap()
}

fn networks(simulator: &Simulator, name: &str) -> usize {
    simulator.world(|world| {
        world
            .all(Resource::Networks)
            .filter(|row| row["name"] == *name)
            .count()
    })
}

fn network(name: &str) -> NetworkCreate {
    NetworkCreate {
        name: name.to_owned(),
        admin_state_up: true,
        ..Default::default()
    }
}

#[tokio::test]
async fn two_clouds_with_tls_do_not_know_each_other() {
    let options = Options {
        tls: true,
        ..Options::default()
    };
    let (one, other) = (
        Simulator::start(options.clone()).await.unwrap(),
        Simulator::start(options).await.unwrap(),
    );
    let tenant = login(&one, "tenant").await;
    tenant
        .network()
        .create_network(&network("n"))
        .await
        .unwrap();
    assert_eq!((networks(&one, "n"), networks(&other, "n")), (1, 0));
    let yaml = other.clouds_yaml();
    let wrong_ca = one.ca_pem().map(str::as_bytes);
    let credentials = Credentials::parse(yaml.as_bytes(), "tenant", None, wrong_ca).unwrap();
    let error = Cloud::connect(credentials, Arc::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Certificate);
}

/// A floating IP that leads nowhere, and two ports that it can lead to.
fn floating_ip_and_ports(world: &mut World) -> (String, String, String) {
    let public = world.id_of(Resource::Networks, "public").unwrap();
    let mut ask = |method: Method, path: &str, body: Value| {
        let reply = world.request("tenant", Service::Network, method, path, body);
        assert!(reply.is_success(), "{reply:?}");
        reply.made().unwrap_or_default().to_owned()
    };
    let mut make =
        |path: &str, one: &str, body: Value| ask(Method::POST, path, json!({ one: body }));
    let net = make("/networks", "network", json!({"name": "n"}));
    let subnet = json!({"network_id": net, "cidr": "10.8.0.0/24", "ip_version": 4});
    let subnet = make("/subnets", "subnet", subnet);
    let port = json!({"network_id": net});
    let ours = make("/ports", "port", port.clone());
    let theirs = make("/ports", "port", port);
    let router = json!({"external_gateway_info": {"network_id": public}});
    let router = make("/routers", "router", router);
    let ip = json!({"floating_network_id": public});
    let ip = make("/floatingips", "floatingip", ip);
    let path = format!("/routers/{router}/add_router_interface");
    ask(Method::PUT, &path, json!({"subnet_id": subnet}));
    (ip, ours, theirs)
}

#[tokio::test]
async fn a_floating_ip_that_somebody_uses_by_now_is_not_taken_away() {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let (sender, _wakes) = cloud::wakes();
    let view = View::new(&login(&simulator, "tenant").await, sender);
    let network = view.cloud().network();
    let (ip, ours, theirs) = simulator.world(floating_ip_and_ports);
    let kinds = [Kind::FloatingIps];
    let before = view.snapshot(&kinds).await.unwrap();
    let taken = network.associate_floating_ip(&ip, Some(&theirs)).await;
    assert_eq!(taken.unwrap().revision_number, Some(1));
    let late = view.associate_floating_ip(&ip, Some(&ours), &before).await;
    let error = late.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert_eq!(error.message, "Constrained to 0, but current revision is 1");
    let seen = view.snapshot(&kinds).await.unwrap();
    assert_eq!(seen.floating_ips.get(&ip).unwrap().port_id, theirs);
    let free = view.associate_floating_ip(&ip, None, &seen).await;
    free.unwrap();
}

#[tokio::test]
async fn each_fault_does_what_it_says() {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let tenant = login(&simulator, "tenant").await;
    let create = "network POST /networks";
    for (name, effect, kind, made) in [
        (
            "refused",
            Effect::fail(409, "no"),
            Some(ErrorKind::Conflict),
            0,
        ),
        (
            "broken",
            Effect::fail(500, "no"),
            Some(ErrorKind::Server),
            0,
        ),
        ("lost", Effect::DropAfter, Some(ErrorKind::Transport), 1),
        ("unsent", Effect::DropBefore, Some(ErrorKind::Transport), 0),
        ("half", Effect::HalfAnswer, Some(ErrorKind::Transport), 1),
        ("page", Effect::NotJson, Some(ErrorKind::Decode), 1),
        ("twice", Effect::Duplicate, None, 2),
        ("late", Effect::Delay(Duration::from_millis(20)), None, 1),
        ("limited", Effect::too_many_requests(0), None, 1),
    ] {
        simulator.faults().add(Fault::new(create, effect));
        let result = tenant.network().create_network(&network(name)).await;
        assert_eq!(result.err().map(|error| error.kind), kind, "{name}");
        assert_eq!(networks(&simulator, name), made, "{name}");
    }
    let faults: Vec<_> = simulator
        .log()
        .all()
        .into_iter()
        .filter_map(|call| call.fault)
        .collect();
    assert_eq!(faults.len(), 9, "{faults:?}");
    assert_eq!(
        simulator.log().count(create),
        10,
        "429 was tried again: {:?}",
        simulator.log().counts()
    );
}

#[tokio::test]
async fn a_held_call_is_told_and_can_be_given_up() {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let tenant = login(&simulator, "tenant").await;
    for (name, effect, made) in [
        ("before", Effect::HoldBefore, 0),
        ("after", Effect::HoldAfter, 1),
    ] {
        let held = simulator.faults().held();
        simulator.faults().add(Fault::new("network POST *", effect));
        let client = tenant.clone();
        let call =
            tokio::spawn(async move { client.network().create_network(&network(name)).await });
        let told = tokio::time::timeout(DEADLINE, simulator.faults().wait_held(held + 1)).await;
        assert!(told.is_ok(), "{name}");
        assert_eq!(networks(&simulator, name), made, "{name}");
        assert!(!call.is_finished());
        call.abort();
    }
}

#[tokio::test]
async fn a_refused_token_is_renewed_and_a_new_password_is_needed() {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let tenant = login(&simulator, "tenant").await;
    simulator.world(|world| world.revoke_tokens());
    tenant.network().networks(&[]).await.unwrap();
    assert_eq!(simulator.log().count("identity POST /auth/tokens"), 2);
    simulator.world(|world| world.set_password("tenant", "new"));
    let error = tenant.network().networks(&[]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorized);
}

#[tokio::test]
async fn the_audit_has_what_tenants_left() {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    assert!(simulator.audit().is_empty(), "{}", simulator.audit());
    let tenant = login(&simulator, "tenant").await;
    let made = tenant
        .network()
        .create_network(&network("left"))
        .await
        .unwrap();
    tenant.network().security_groups(&[]).await.unwrap();
    let audit = simulator.audit();
    assert_eq!(audit.left("tenant", "networks"), ["left"]);
    assert_eq!(audit.to_string(), "tenant: 1 networks: left\n");
    tenant.network().delete_network(&made.id).await.unwrap();
    assert!(simulator.audit().is_empty(), "{}", simulator.audit());
}

#[tokio::test]
async fn chance_hits_the_same_calls_again() {
    let run = async |seed| {
        let simulator = Simulator::start(Options::default()).await.unwrap();
        let tenant = login(&simulator, "tenant").await;
        simulator.faults().set_chaos(Some(Chaos {
            seed,
            per_mille: 400,
            pattern: "network POST *".to_owned(),
            effects: vec![Effect::fail(500, "chance"), Effect::DropAfter],
        }));
        let mut outcomes = Vec::new();
        for _ in 0..20 {
            let made = tenant.network().create_network(&network("n")).await;
            outcomes.push(made.err().map(|error| error.kind));
        }
        outcomes
    };
    let first = run(3).await;
    assert_eq!(first, run(3).await);
    assert!(first.iter().any(Option::is_some) && first.iter().any(Option::is_none));
}

/// A thousand servers with a port each, seen in one list: far from quadratic.
#[tokio::test]
async fn a_thousand_servers_are_cheap() {
    let options = Options {
        delays: Delays {
            server_build: Duration::ZERO,
            ..Delays::default()
        },
        seed: Seed {
            external_network: None,
            ..Seed::default()
        },
        ..Options::default()
    };
    let simulator = Simulator::start(options).await.unwrap();
    let tenant = login(&simulator, "tenant").await;
    let net = tenant
        .network()
        .create_network(&network("n"))
        .await
        .unwrap();
    let subnet = SubnetCreate {
        network_id: net.id.clone(),
        ip_version: 4,
        cidr: "10.8.0.0/20".to_owned(),
        ..Default::default()
    };
    tenant.network().create_subnet(&subnet).await.unwrap();
    let flavor = tenant.compute().flavors().await.unwrap().remove(0).id;
    let image = tenant.image().images(None, &[]).await.unwrap().remove(0).id;
    let started = Instant::now();
    for number in 0..1000 {
        let name = format!("s-{number}");
        let port = PortCreate {
            name: name.clone(),
            network_id: net.id.clone(),
            ..Default::default()
        };
        let port = tenant.network().create_port(&port).await.unwrap().id;
        let server = ServerCreate {
            name,
            flavor_id: flavor.clone(),
            image_id: Some(image.clone()),
            networks: vec![ServerPort { port }],
            ..Default::default()
        };
        tenant.compute().create_server(&server).await.unwrap();
    }
    let made = started.elapsed();
    let servers = tenant.compute().servers().await.unwrap();
    let listed = started.elapsed() - made;
    assert_eq!(servers.len(), 1000);
    assert!(servers.iter().all(|server| !server.addresses.is_empty()));
    println!("made in {made:?}, listed in {listed:?}");
    assert!(
        made < 3 * DEADLINE && listed < DEADLINE,
        "made in {made:?}, listed in {listed:?}"
    );
}

#[tokio::test]
async fn foreign_things_can_be_made_and_taken_away() {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let body = json!({"network": {"name": "foreign"}});
    let reply = simulator
        .world(|world| world.request("tenant", Service::Network, Method::POST, "/networks", body));
    assert_eq!(reply.status, 201);
    let tenant = login(&simulator, "tenant").await;
    assert_eq!(
        tenant
            .network()
            .networks(&[("name", "foreign")])
            .await
            .unwrap()
            .len(),
        1
    );
    let calls = simulator.log().count("network *");
    assert_eq!(calls, 1, "what a test does is not in the log");
    simulator.world(|world| {
        let id = world.id_of(Resource::Networks, "foreign").unwrap();
        assert!(world.vanish(Resource::Networks, &id));
    });
    assert_eq!(networks(&simulator, "foreign"), 0);
}
