//! Credentials that a cloud refuses: they are tried again once for all who use them, who hear when
//! they are good again. Whoever waits for itself would notice only minutes later that somebody put it
//! right in Keystone.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crds::openstack::v1beta2::OpenStackIdentityReference;
use futures::future::join_all;
use runtime::Key;
use runtime::backoff::jittered;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::IdentityError;
use crate::Context;

/// How often they are tried.
const AGAIN: Duration = Duration::from_secs(40);
/// An object that needs them tries at least this often, or it is gone.
const WANTED_FOR: Duration = Duration::from_secs(600);

/// The logins that are refused.
#[derive(Debug, Default)]
pub struct Refused {
    /// By Secret, entry and region.
    logins: Mutex<BTreeMap<String, Login>>,
    added: Notify,
}

/// A login that was refused, as an object wanted it.
#[derive(Clone, Debug)]
struct Login {
    namespace: String,
    identity: OpenStackIdentityReference,
    wanted: Instant,
}

impl Refused {
    /// The login with this Secret was refused to an object in `namespace`.
    pub(super) fn note(
        &self,
        secret: &str,
        namespace: &str,
        identity: &OpenStackIdentityReference,
    ) {
        let region = identity.region.as_deref().unwrap_or_default();
        let key = format!("{secret} {} {region}", identity.cloud_name);
        let login = Login {
            namespace: namespace.to_owned(),
            identity: identity.clone(),
            wanted: Instant::now(),
        };
        self.logins().insert(key, login);
        self.added.notify_one();
    }

    fn logins(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Login>> {
        // A panic elsewhere does not make what is remembered worse.
        self.logins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that are still wanted, once there are any.
    async fn wanted(&self) -> Vec<(String, Login)> {
        loop {
            let logins = {
                let mut logins = self.logins();
                logins.retain(|_, login| login.wanted.elapsed() < WANTED_FOR);
                logins.clone()
            };
            if !logins.is_empty() {
                return logins.into_iter().collect();
            }
            self.added.notified().await;
        }
    }
}

/// Tries refused logins again for as long as somebody wants them.
pub(super) async fn try_again(context: &Context) {
    loop {
        context.refused.wanted().await;
        sleep(jittered(AGAIN)).await;
        let logins = context.refused.wanted().await;
        join_all(logins.iter().map(|(key, login)| one(context, key, login))).await;
    }
}

async fn one(context: &Context, key: &str, login: &Login) {
    let result = context.log_in(&login.namespace, &login.identity).await;
    if matches!(result, Err(IdentityError::Login { .. })) {
        return;
    }
    // What else is wrong with them is seen by a watch.
    context.refused.logins().remove(key);
    let secret = key.split(' ').next().and_then(Key::parse);
    if let (Ok(_), Some(secret)) = (result, secret) {
        context.changes.regained(secret);
    }
}
