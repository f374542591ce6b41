//! What is known of the login of a session.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::identity::Token;
use crate::{Error, Result};

/// How long a token that still works is used after its renewal failed, before the next try; and how
/// long refused credentials are, for all who use the session.
const RENEWAL_PAUSE: Duration = Duration::from_secs(15);

/// The token, and the login that gave it.
pub(crate) struct Login {
    pub token: Arc<Token>,
    /// When a renewal failed last, although the token still works.
    pub failed: Option<Instant>,
    /// When and why the credentials themselves were refused, after the token was.
    pub refused: Option<(Instant, Error)>,
}

/// What a token is good for.
pub(crate) enum Held {
    Good(Arc<Token>),
    /// It still works, and should be renewed.
    Usable(Arc<Token>),
    /// It has ended, or was refused.
    Spent,
}

impl Login {
    pub fn new(token: Arc<Token>) -> Self {
        Self {
            token,
            failed: None,
            refused: None,
        }
    }

    /// # Errors
    /// The credentials were refused a moment ago.
    pub fn held(&self, refused: Option<&Token>) -> Result<Held> {
        let paused = |at: Instant| at.elapsed() < RENEWAL_PAUSE;
        if let Some((at, error)) = &self.refused
            && paused(*at)
        {
            return Err(error.clone());
        }
        let is_refused = refused.is_some_and(|old| old.value == self.token.value);
        if is_refused || self.refused.is_some() || self.token.has_ended() {
            return Ok(Held::Spent);
        }
        let token = self.token.clone();
        Ok(if !token.ends_soon() || self.failed.is_some_and(paused) {
            Held::Good(token)
        } else {
            Held::Usable(token)
        })
    }
}
