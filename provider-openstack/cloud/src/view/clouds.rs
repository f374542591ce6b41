//! The views of a process, one for each set of credentials.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::{View, Wakes, locked};
use crate::{Cloud, Credentials, Error, Metrics, Result};

/// A refused login is not repeated sooner, however many objects use the credentials: clouds lock
/// accounts.
const REFUSED_FOR: Duration = Duration::from_secs(15);
/// A view that nobody is interested in is dropped after this.
const UNUSED_FOR: Duration = Duration::from_secs(900);
/// How often such views are looked for.
const SWEEP: Duration = Duration::from_secs(60);

/// All views, shared by all controllers. Other credentials, another region or another CA are another
/// view at once.
#[derive(Debug)]
pub struct Clouds {
    metrics: Arc<Metrics>,
    wakes: Wakes,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
    swept: Mutex<Instant>,
}

#[derive(Debug)]
struct Slot {
    used: Mutex<Instant>,
    entry: tokio::sync::Mutex<Entry>,
}

#[derive(Debug)]
enum Entry {
    Empty,
    Ready(View),
    Refused(Instant, Error),
}

impl Clouds {
    /// No views yet.
    pub fn new(metrics: Arc<Metrics>, wakes: Wakes) -> Self {
        Self {
            metrics,
            wakes,
            slots: Mutex::default(),
            swept: Mutex::new(Instant::now()),
        }
    }

    /// The view of these credentials. Logs in when there is none; one login for all who wait.
    ///
    /// # Errors
    /// The login failed, now or a moment ago; or the credentials were good once, and are refused now.
    pub async fn view(&self, credentials: &Credentials) -> Result<View> {
        self.drop_unused();
        let slot = {
            let mut slots = locked(&self.slots);
            slots
                .entry(credentials.fingerprint())
                .or_insert_with(Slot::new)
                .clone()
        };
        *locked(&slot.used) = Instant::now();
        let mut entry = slot.entry.lock().await;
        match &*entry {
            Entry::Ready(view) => {
                let view = view.clone();
                // Who waits for others must not wait for a login too.
                drop(entry);
                return view.cloud().check().await.map(|()| view);
            }
            Entry::Refused(at, error) if at.elapsed() < REFUSED_FOR => return Err(error.clone()),
            Entry::Refused(..) | Entry::Empty => {}
        }
        match Cloud::connect(credentials.clone(), self.metrics.clone()).await {
            Ok(cloud) => {
                let view = View::new(&cloud, self.wakes.clone());
                *entry = Entry::Ready(view.clone());
                Ok(view)
            }
            Err(error) => {
                *entry = Entry::Refused(Instant::now(), error.clone());
                Err(error)
            }
        }
    }

    /// Forgets a key in whatever view it is, because its object is gone.
    pub fn forget(&self, key: &str) {
        self.wakes.forget(key);
    }

    fn drop_unused(&self) {
        let mut swept = locked(&self.swept);
        if swept.elapsed() < SWEEP {
            return;
        }
        *swept = Instant::now();
        drop(swept);
        locked(&self.slots).retain(|_, slot| !slot.is_unused());
    }
}

impl Slot {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            used: Mutex::new(Instant::now()),
            entry: tokio::sync::Mutex::new(Entry::Empty),
        })
    }

    fn is_unused(&self) -> bool {
        let idle = self.entry.try_lock().is_ok_and(|entry| match &*entry {
            Entry::Ready(view) => view.is_idle(),
            Entry::Empty | Entry::Refused(..) => true,
        });
        idle && locked(&self.used).elapsed() > UNUSED_FOR
    }
}
