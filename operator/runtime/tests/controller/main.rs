//! The loop around a `reconcile`, on a clock that tests move: what is slow or fails holds up
//! nothing else.

mod api;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use runtime::health::Health;
use runtime::metrics::Metrics;
use runtime::{Key, Kit, Loop, Requeue, Retry};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use api::Api;

/// A test that needs longer, on its own clock, waits for what will never come.
const DEADLINE: Duration = Duration::from_secs(48 * 3600);
const CONCURRENCY: u16 = 8;

#[derive(Debug)]
enum Failed {
    Cloud,
    Busy,
    Conflict,
    /// Somebody asks to be left alone for so many seconds.
    Asked(u64),
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Failed {}

impl Retry for Failed {
    fn is_normal(&self) -> bool {
        matches!(self, Self::Conflict)
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Asked(seconds) => Some(Duration::from_secs(*seconds)),
            _ => None,
        }
    }

    fn longest_wait(&self) -> Duration {
        match self {
            Self::Busy => Duration::from_secs(30),
            _ => Duration::MAX,
        }
    }
}

/// What reconciles did: when each object was finished.
#[derive(Default)]
struct Seen {
    finished: Mutex<HashMap<String, Vec<Instant>>>,
    running: Mutex<(u16, u16)>,
    finish: tokio::sync::Notify,
}

impl Seen {
    fn times(&self, name: &str) -> Vec<Instant> {
        let finished = self.finished.lock().expect("lock");
        finished.get(name).cloned().unwrap_or_default()
    }

    async fn until(&self, what: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !what(self) {
                self.finish.notified().await;
            }
        };
        timeout(DEADLINE, waiting).await.expect("it happens");
    }
}

/// The name of the cloud says how it behaves: how long it takes, and whether it fails.
async fn reconcile(object: Arc<ConfigMap>, seen: Arc<Seen>) -> Result<Requeue, Failed> {
    let cloud = object.data.as_ref().expect("data")["cloud"].clone();
    let (behaviour, seconds) = cloud.split_once(' ').unwrap_or((&cloud, "0"));
    if behaviour == "slow" {
        let mut running = seen.running.lock().expect("lock");
        running.0 += 1;
        running.1 = running.1.max(running.0);
    }
    sleep(Duration::from_secs(seconds.parse().expect("seconds"))).await;
    if behaviour == "slow" {
        seen.running.lock().expect("lock").0 -= 1;
    }
    let mut finished = seen.finished.lock().expect("lock");
    let times = finished.entry(object.name_any()).or_default();
    times.push(Instant::now());
    let first = times.len() == 1;
    seen.finish.notify_one();
    match behaviour {
        "asked-0" => Err(Failed::Asked(0)),
        "asked-1" => Err(Failed::Asked(1)),
        "asked-100" => Err(Failed::Asked(100)),
        "failing" => Err(Failed::Cloud),
        "busy" => Err(Failed::Busy),
        "conflict" if first => Err(Failed::Conflict),
        _ => Ok(Requeue::OnChange),
    }
}

struct Running {
    seen: Arc<Seen>,
    metrics: Metrics,
    _stop: watch::Sender<bool>,
}

fn run(api: &Api) -> Running {
    run_with(api, None)
}

fn run_with(api: &Api, watch_filter: Option<&str>) -> Running {
    let (stop, shutdown) = watch::channel(false);
    let (seen, metrics) = (Arc::new(Seen::default()), Metrics::default());
    let kit = Kit {
        client: api.client(),
        namespace: None,
        watch_filter: watch_filter.map(str::to_owned),
        concurrency: CONCURRENCY,
        shutdown,
        health: Health::default(),
        metrics: metrics.clone(),
    };
    let cloud = |object: &ConfigMap| object.data.as_ref().expect("data")["cloud"].clone();
    let controller = Loop::<ConfigMap>::new(&kit, "test").lanes(cloud);
    tokio::spawn(controller.run(seen.clone(), reconcile));
    Running {
        seen,
        metrics,
        _stop: stop,
    }
}

/// The value of a line of `/metrics`.
fn value(metrics: &Metrics, line: &str) -> Option<String> {
    let text = metrics.text().expect("text");
    text.lines()
        .find_map(|found| found.strip_prefix(line))
        .map(|value| value.trim().to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_cloud_that_takes_30_s_does_not_slow_another() {
    let (api, started) = (Api::default(), Instant::now());
    for number in 0..400 {
        api.put(&format!("slow-{number}"), "slow 30");
    }
    for number in 0..50 {
        api.put(&format!("z-{number}"), "fast");
    }
    let test = run(&api);
    let fast = |seen: &Seen| (0..50).all(|number| !seen.times(&format!("z-{number}")).is_empty());
    test.seen.until(fast).await;
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );

    // A change is not slowed either while the queue of the other cloud is full.
    sleep(Duration::from_secs(100)).await;
    let changed = Instant::now();
    api.put("z-0", "fast");
    test.seen.until(|seen| seen.times("z-0").len() == 2).await;
    assert!(
        changed.elapsed() < Duration::from_secs(1),
        "{:?}",
        changed.elapsed()
    );
    let waiting = value(
        &test.metrics,
        "capstan_reconciles_waiting{controller=\"test\"}",
    );
    assert!(waiting.is_some_and(|waiting| waiting != "0"));

    let slow =
        |seen: &Seen| (0..400).all(|number| !seen.times(&format!("slow-{number}")).is_empty());
    test.seen.until(slow).await;
    let rounds = started.elapsed().as_secs() / 30;
    assert_eq!(
        rounds,
        400 / u64::from(CONCURRENCY),
        "each once, all turns used"
    );
    assert_eq!(test.seen.running.lock().expect("lock").1, CONCURRENCY);
}

#[tokio::test(start_paused = true)]
async fn thousands_of_failing_objects_do_not_starve_a_healthy_one() {
    let api = Api::default();
    for number in 0..3000 {
        api.put(&format!("failing-{number}"), "failing 10");
    }
    let test = run(&api);
    let all = |seen: &Seen| seen.finished.lock().expect("lock").len() == 3000;
    test.seen.until(all).await;
    for number in 0..20 {
        let changed = Instant::now();
        let name = format!("healthy-{number}");
        // The same lane: it is the same cloud.
        api.put(&name, "failing 10");
        test.seen.until(|seen| !seen.times(&name).is_empty()).await;
        assert!(
            changed.elapsed() < Duration::from_secs(11),
            "{:?}",
            changed.elapsed()
        );
        sleep(Duration::from_secs(61)).await;
    }
    let failing = value(
        &test.metrics,
        "capstan_reconciles_failing{controller=\"test\"}",
    );
    assert!(failing.is_some_and(|failing| failing.parse::<u32>().expect("a number") > 3000));
}

#[tokio::test(start_paused = true)]
async fn the_wait_of_a_failing_object_grows_from_a_second_to_five_minutes() {
    let api = Api::default();
    api.put("a", "failing");
    let test = run(&api);
    test.seen.until(|seen| seen.times("a").len() == 14).await;
    let times = test.seen.times("a");
    let waits = times
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs_f64());
    for (number, wait) in waits.enumerate() {
        let exact = 2f64.powi(i32::try_from(number).expect("small")).min(300.0);
        assert!(
            wait >= exact * 0.79 && wait <= exact * 1.21,
            "wait {number}: {wait} s"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_passes_soon_is_looked_at_sooner() {
    let api = Api::default();
    api.put("a", "busy");
    let test = run(&api);
    test.seen.until(|seen| seen.times("a").len() == 12).await;
    let times = test.seen.times("a");
    for (number, pair) in times.windows(2).enumerate() {
        let wait = (pair[1] - pair[0]).as_secs_f64();
        let exact = 2f64.powi(i32::try_from(number).expect("small"));
        let exact = exact.min(30.0);
        assert!(
            wait >= exact * 0.79 && wait <= (exact * 1.21).min(30.1),
            "wait {number}: {wait} s"
        );
    }
}

/// Cinder asks for no time at all, whatever it refuses.
#[tokio::test(start_paused = true)]
async fn what_somebody_asks_for_makes_a_wait_longer_never_shorter() {
    let api = Api::default();
    for seconds in [0, 1, 100] {
        api.put(&format!("asked-{seconds}"), &format!("asked-{seconds}"));
    }
    let test = run(&api);
    for seconds in [0, 1, 100] {
        let name = format!("asked-{seconds}");
        test.seen.until(|seen| seen.times(&name).len() == 11).await;
        let times = test.seen.times(&name);
        for (number, pair) in times.windows(2).enumerate() {
            let wait = (pair[1] - pair[0]).as_secs_f64();
            let backoff = 2f64.powi(i32::try_from(number).expect("small")).min(300.0);
            let asked = f64::from(seconds);
            assert!(
                wait >= asked.max(backoff * 0.79) && wait <= asked.max(backoff) * 1.21,
                "asked for {seconds} s, wait {number}: {wait} s"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_race_is_repeated_and_is_no_failure() {
    let api = Api::default();
    api.put("a", "conflict");
    let test = run(&api);
    test.seen.until(|seen| seen.times("a").len() == 2).await;
    let times = test.seen.times("a");
    assert!(times[1] - times[0] <= Duration::from_millis(1100));
    sleep(Duration::from_secs(1)).await;
    let count = |outcome: &str| {
        let labels = format!("controller=\"test\",outcome=\"{outcome}\"");
        value(
            &test.metrics,
            &format!("capstan_reconciles_total{{{labels}}}"),
        )
    };
    assert_eq!(count("conflict").as_deref(), Some("1"));
    assert_eq!(count("success").as_deref(), Some("1"));
    assert_eq!(count("error"), None);
}

#[tokio::test(start_paused = true)]
async fn objects_that_vanish_while_they_wait_leave_no_gap() {
    let api = Api::default();
    for number in 0..100 {
        api.put(&format!("slow-{number}"), "slow 30");
    }
    let test = run(&api);
    sleep(Duration::from_secs(1)).await;
    for number in 0..100 {
        // All but the last; those that run go on.
        if number != 99 {
            api.delete(&format!("slow-{number}"));
        }
    }
    let key = Key::new("default", "slow-99");
    test.seen
        .until(|seen| !seen.times(&key.name).is_empty())
        .await;
    sleep(Duration::from_secs(60)).await;
    let waiting = value(
        &test.metrics,
        "capstan_reconciles_waiting{controller=\"test\"}",
    );
    assert_eq!(waiting.as_deref(), Some("0"));
}

#[tokio::test(start_paused = true)]
async fn only_objects_with_the_label_of_the_filter_are_asked_for() {
    let api = Api::default();
    api.put("a", "fast");
    let test = run_with(&api, Some("mine"));
    test.seen.until(|seen| !seen.times("a").is_empty()).await;
    sleep(Duration::from_secs(1)).await;
    let want = Some("cluster.x-k8s.io/watch-filter=mine".to_owned());
    assert_eq!(api.selectors(), [want.clone(), want], "a list and a watch");
}
