//! One project as all objects see it: shared lists, refreshed for everybody at once.
//!
//! - [`View::snapshot`] gives the tables of some kinds. It calls the cloud only for a kind that was
//!   never fetched, is overdue, or was made doubtful by a call; however many ask, one list runs.
//! - [`View::follow`] and [`View::expect`] say what a key (an opaque string, one for each object of the
//!   caller) waits for. A kind that somebody expects to change is refreshed every [`FAST`], else
//!   servers every [`SERVERS`] and the rest every [`SLOW`].
//! - When a followed row changes or vanishes, its keys come out of the receiver of [`wakes`].
//! - Calls through [`View::cloud`] feed the tables at once.
//!
//! The background task of a view lives while a key is interested: afterwards the credentials cause no
//! more calls.

mod ages;
mod clouds;
mod facts;
mod interest;
mod refresh;
mod state;
mod tables;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::change::{Change, Feed, Row};
use crate::{Cloud, Kind, Result};

pub(crate) use ages::Ages;
pub use clouds::Clouds;
pub use tables::{Changed, Stamp, Table, Tabled, Tables};

use facts::Facts;
use state::State;

/// How often an expected kind is refreshed; less often when its list takes long.
pub const FAST: Duration = Duration::from_secs(2);
/// How often servers are refreshed while nobody expects them to change, so that a lost one is noticed
/// within 30 s; up to a tenth more or less, at random. Only changes are listed.
pub const SERVERS: Duration = Duration::from_secs(27);
/// How often all else is refreshed while nobody expects it to change; up to a fifth more, at random.
pub const SLOW: Duration = Duration::from_secs(600);

/// Where the keys come out whose rows have changed. A key may come more than once.
pub type WakeReceiver = mpsc::UnboundedReceiver<String>;

/// Where views put the keys whose rows have changed; one for a process.
#[derive(Clone, Debug)]
pub struct Wakes(Arc<WakesInner>);

#[derive(Debug)]
struct WakesInner {
    sender: mpsc::UnboundedSender<String>,
    /// The view that a key is interested in. A key has one: when its credentials change it moves.
    homes: Mutex<HashMap<String, Weak<Shared>>>,
}

/// Makes the stream of keys to wake.
pub fn wakes() -> (Wakes, WakeReceiver) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (
        Wakes(Arc::new(WakesInner {
            sender,
            homes: Mutex::default(),
        })),
        receiver,
    )
}

impl Wakes {
    fn send(&self, keys: impl IntoIterator<Item = String>) {
        for key in keys {
            // Nobody listens any more when the process ends.
            let _ = self.0.sender.send(key);
        }
    }

    /// Forgets a key wherever it is, because its object is gone.
    pub fn forget(&self, key: &str) {
        let home = locked(&self.0.homes).remove(key);
        if let Some(view) = home.and_then(|home| home.upgrade()) {
            view.state().interest.forget(key);
        }
    }

    fn move_in(&self, key: &str, view: &Arc<Shared>) {
        let home = Arc::downgrade(view);
        let old = locked(&self.0.homes).insert(key.to_owned(), home);
        if let Some(old) = old.and_then(|old| old.upgrade())
            && !Arc::ptr_eq(&old, view)
        {
            old.state().interest.forget(key);
        }
    }
}

/// A view of one project. Clones are cheap and share everything.
#[derive(Clone, Debug)]
pub struct View(Arc<Shared>);

struct Shared {
    /// Feeds this view.
    cloud: Cloud,
    wakes: Wakes,
    state: Mutex<State>,
    /// One list of each kind at a time.
    flights: HashMap<Kind, tokio::sync::Mutex<()>>,
    /// Somebody's interest has changed.
    poke: Notify,
    facts: Facts,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View")
            .field("cloud", &self.cloud)
            .finish_non_exhaustive()
    }
}

/// Feeds what calls have done into a view, unless it is gone.
struct Feeder(Weak<Shared>);

impl Feed for Feeder {
    fn apply(&self, change: Change) {
        if let Some(shared) = self.0.upgrade() {
            shared.apply(change);
        }
    }
}

impl View {
    /// A view through a session. [`Clouds::view`] shares them.
    pub fn new(cloud: &Cloud, wakes: Wakes) -> Self {
        let shared = Arc::new_cyclic(|weak| Shared {
            cloud: cloud.with_feed(Arc::new(Feeder(weak.clone()))),
            wakes,
            state: Mutex::default(),
            flights: Kind::ALL
                .iter()
                .map(|&kind| (kind, tokio::sync::Mutex::default()))
                .collect(),
            poke: Notify::new(),
            facts: Facts::default(),
        });
        cloud.metrics().ages.add(&shared);
        Self(shared)
    }

    /// The session; what is changed through it is in the tables at once.
    pub fn cloud(&self) -> &Cloud {
        &self.0.cloud
    }

    /// The tables, of which these kinds are fresh and the others may be empty.
    ///
    /// # Errors
    /// The list of one of the kinds failed, now or a moment ago.
    pub async fn snapshot(&self, kinds: &[Kind]) -> Result<Arc<Tables>> {
        self.snapshot_since(kinds, None).await
    }

    /// As [`View::snapshot`], from lists that began at `since` or later: for who must not miss what
    /// somebody else made before.
    ///
    /// # Errors
    /// As for [`View::snapshot`].
    pub async fn snapshot_since(
        &self,
        kinds: &[Kind],
        since: Option<Instant>,
    ) -> Result<Arc<Tables>> {
        let refreshed = kinds.iter().map(|&kind| self.0.ensure(kind, since));
        futures::future::try_join_all(refreshed).await?;
        Ok(Arc::new(self.0.state().tables.clone()))
    }

    /// As [`View::snapshot`], from lists that are at most ten seconds old: for who misses something, as
    /// it may have been made just now. However many miss something, one list of a kind runs in that time.
    ///
    /// # Errors
    /// As for [`View::snapshot`].
    pub async fn snapshot_after_miss(&self, kinds: &[Kind]) -> Result<Arc<Tables>> {
        let since = Instant::now().checked_sub(facts::KEPT_AFTER_MISS);
        self.snapshot_since(kinds, since).await
    }

    /// Asks for each of these servers that the tables lack, unless Nova has said that it is gone: a list
    /// leaves out, without a word, the servers of a cell that Nova cannot reach. Whether one was found,
    /// which is in the tables from now on.
    ///
    /// # Errors
    /// Nova cannot tell.
    pub async fn find_unlisted<'a>(
        &self,
        servers: impl IntoIterator<Item = &'a str>,
    ) -> Result<bool> {
        let unlisted: Vec<&str> = {
            let state = self.0.state();
            let lacks = |id: &&str| state.lacks_server(id);
            servers.into_iter().filter(lacks).collect()
        };
        let mut found = false;
        for id in unlisted {
            let server = self.cloud().compute().server(id).await?;
            let server = server.filter(|server| !server.is_gone());
            found |= server.is_some();
            self.0.apply(match server {
                Some(server) => Change::Wrote(Box::new(server.into_item())),
                None => Change::Gone(Kind::Servers, id.to_owned()),
            });
        }
        Ok(found)
    }

    /// Leads a floating IP to a port, or nowhere, if it is still as in `seen`, the snapshot that this was
    /// decided by. Neutron itself would take it away from whoever uses it by now.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Conflict`] when it has changed; the next snapshot shows how.
    pub async fn associate_floating_ip(
        &self,
        id: &str,
        port_id: Option<&str>,
        seen: &Tables,
    ) -> Result<()> {
        let known = seen.floating_ips.get(id);
        let revision = known.and_then(|ip| ip.revision_number);
        let network = self.cloud().network();
        let done = network.associate_as_of(id, port_id, revision).await;
        done.map(drop)
    }

    /// `key` wants to be woken when one of these changes, appears or vanishes: ids, or names of rows
    /// that need not exist yet. Replaces what it followed. `seen` is the snapshot that it has decided
    /// by: what has changed since then wakes it at once, so that nothing is missed in between.
    pub fn follow(&self, key: &str, ids: impl IntoIterator<Item = String>, seen: &Tables) {
        let ids: Vec<String> = ids.into_iter().collect();
        self.0.wakes.move_in(key, &self.0);
        let missed = {
            let mut state = self.0.state();
            let missed = ids.iter().any(|id| !state.tables.is_same(seen, id));
            state.interest.follow(key, ids);
            missed
        };
        if missed {
            self.0.wakes.send([key.to_owned()]);
        }
        self.keep_running();
    }

    /// `key` expects rows of these kinds to change soon. Replaces what it expected.
    pub fn expect(&self, key: &str, kinds: &[Kind]) {
        self.0.wakes.move_in(key, &self.0);
        self.0.state().expect(key, kinds);
        self.keep_running();
    }

    /// `key` expects nothing any more; it still follows what it follows.
    pub fn settled(&self, key: &str) {
        self.0.state().interest.settled(key);
    }

    /// `key` is gone.
    pub fn forget(&self, key: &str) {
        self.0.wakes.forget(key);
    }

    /// The next snapshot of these kinds asks the cloud, whatever their age.
    pub fn doubt(&self, kinds: &[Kind]) {
        for &kind in kinds {
            self.0.apply(Change::Unsure(kind));
        }
    }

    /// Whether no key is interested in it.
    pub fn is_idle(&self) -> bool {
        self.0.state().interest.is_empty()
    }

    fn keep_running(&self) {
        let start = {
            let mut state = self.0.state();
            let start = !state.running && !state.interest.is_empty();
            state.running |= start;
            start
        };
        if start {
            tokio::spawn(run(self.0.clone()));
        } else {
            self.0.poke.notify_one();
        }
    }
}

/// Refreshes what is due, until nobody is interested any more.
async fn run(view: Arc<Shared>) {
    loop {
        let next = {
            let mut state = view.state();
            if state.interest.is_empty() {
                state.running = false;
                return;
            }
            state.next_due()
        };
        let sleep = async {
            match next {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = sleep => {}
            () = view.poke.notified() => continue,
        }
        let due = view.state().due(Instant::now());
        futures::future::join_all(due.into_iter().map(|kind| view.refresh_due(kind))).await;
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    fn apply(&self, change: Change) {
        let woken = {
            let mut state = self.state();
            if let Change::Unsure(kind) = change {
                state.doubt(kind);
            }
            if let Change::Gone(Kind::Servers, id) = &change {
                state.server_gone(id);
            }
            let changed = state.tables.apply(change);
            state.interest.woken_by(&changed)
        };
        self.wakes.send(woken);
    }
}

/// A panic elsewhere does not make the data worse.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
