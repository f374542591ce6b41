//! Small worlds, explored whole: one cluster with everything that can happen to it, in every order.
//!
//! `plan` is pure, so a world is a value and a search can walk through all of its states. Each
//! reconcile is taken apart: to decide, every call that follows, and to publish are steps of their
//! own, and the steps of all controllers, of the cloud, of Cluster API, of users and of misfortune
//! interleave in all ways. `docs/worlds.md` says what is found.

// The small cloud of the tests of a cluster; not all of it is needed here.
#[allow(dead_code)]
#[path = "../cluster/cloud.rs"]
mod cloud;
mod infrastructure;
mod machine;
#[path = "../cluster/octavia.rs"]
mod octavia;
mod part;
mod search;
mod server;
#[allow(dead_code)]
#[path = "../cluster/servers.rs"]
mod servers;
#[allow(dead_code)]
#[path = "../cluster/shapes.rs"]
mod shapes;
mod world;

use search::explore;
use world::{Bounds, World};

/// Explores a world, of which there must be at least so many states and transitions.
fn explored(bounds: Bounds, states: usize, transitions: usize) {
    let started = std::time::Instant::now();
    let found = explore(&mut World::new(bounds));
    let seconds = started.elapsed().as_secs_f32();
    println!("{bounds:?}: {found}, {seconds:.1} s");
    assert!(found.states >= states, "{found}");
    assert!(found.transitions >= transitions, "{found}");
    assert!(found.ends > 0, "{found}");
}

/// A control plane node and two workers.
const WHOLE: Bounds = Bounds {
    control_plane: true,
    workers: 2,
    troubles: 0,
    deletion: true,
    blind: false,
};

#[test]
fn a_whole_cluster_comes_and_goes() {
    explored(WHOLE, 1_000_000, 4_000_000);
}

#[test]
fn a_whole_cluster_survives_trouble() {
    let bounds = Bounds {
        troubles: 1,
        deletion: false,
        ..WHOLE
    };
    explored(bounds, 550_000, 2_200_000);
}

#[test]
fn a_control_plane_and_a_worker_come_and_go_in_trouble() {
    let bounds = Bounds {
        workers: 1,
        troubles: 1,
        ..WHOLE
    };
    explored(bounds, 2_500_000, 8_500_000);
}

#[test]
fn an_infrastructure_survives_two_troubles() {
    let bounds = Bounds {
        control_plane: false,
        workers: 0,
        troubles: 2,
        deletion: false,
        ..WHOLE
    };
    explored(bounds, 60_000, 150_000);
}

/// The search finds what it is there to find: this provider forgets a port when it stops.
#[test]
#[should_panic(expected = "leaves something")]
fn a_provider_that_trusts_its_memory_is_found_out() {
    let bounds = Bounds {
        workers: 0,
        troubles: 1,
        blind: true,
        ..WHOLE
    };
    explored(bounds, 0, 0);
}
