//! The access token of an account, renewed before it runs out and where it is refused.
//!
//! A refresh token works once, and a new access token kills the old one at once: so one renewal at
//! a time; that it begins is durable before the call, and the new pair before it is used. Where
//! nobody knows how one ended, the old pair is asked. Source: `channels.md`, 2.2.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{ids::Millis, schedule::ATTEMPT_MS_MAX};
use futures::future::{BoxFuture, FutureExt, Shared};
use tokio::time::{Instant, timeout_at};

use super::{
    api::{Alive, Api, Renewal},
    saved::{Found, Pair, Store},
};
use crate::secret::Secret;

/// Only the operator can help: both tokens of the pair are dead.
pub(super) const RECONNECT_REQUIRED: &str = "reconnect-required";
/// After a renewal failed while the old token works, the next one waits so long.
const RENEW_AGAIN_MS: i64 = 10 * 60 * 1_000;
/// While the old token works, an attempt waits only so long for the new one.
const RENEWAL_PATIENCE_MS: u64 = 2_000;
const NOT_SAVED: &str = "token-not-saved";
const IN_DOUBT: &str = "token-in-doubt";
const LATE: &str = "token-late";

/// A token to call with.
#[derive(Debug, Clone)]
pub(super) struct Access {
    pub(super) token: Secret,
    /// Which renewal it is of.
    serial: u64,
}

/// Why there is none. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoToken {
    /// Perhaps later.
    NotNow(&'static str),
    /// Not before the operator acts.
    Down(Cow<'static, str>),
}

/// The tokens of one account.
pub(super) struct Tokens {
    api: Api,
    account: String,
    store: Arc<Store>,
    inner: Mutex<Inner>,
}

struct Inner {
    pair: Pair,
    serial: u64,
    state: State,
    /// No renewal for age alone before this.
    not_before: Option<Millis>,
    /// Why the last renewal came to nothing.
    trouble: &'static str,
    flight: Option<Flight>,
}

#[derive(Clone)]
enum State {
    /// The pair is the newest there is.
    Sure,
    /// A renewal of the pair may have been done: neither of it is used before that is known.
    InDoubt,
    /// A renewal was done, and its pair is not on disk: it is not used before it is.
    NotSaved(Pair),
    /// The operator must act. Holds the code.
    Down(Cow<'static, str>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Age,
    Refused,
}

type Flight = Shared<BoxFuture<'static, ()>>;

impl Tokens {
    /// The tokens from what was found at the start.
    pub(super) fn new(api: Api, account: &str, store: Store, found: Found) -> Arc<Self> {
        let state = if found.in_doubt { State::InDoubt } else { State::Sure };
        let inner = Inner {
            pair: found.pair,
            serial: 0,
            state,
            not_before: None,
            trouble: IN_DOUBT,
            flight: None,
        };
        let (account, store) = (account.to_owned(), Arc::new(store));
        Arc::new(Self { api, account, store, inner: Mutex::new(inner) })
    }

    /// A token that works as far as anybody knows, renewed where it is old. `now` is `None` where
    /// there is no clock: nothing is old then.
    pub(super) async fn access(
        self: &Arc<Self>,
        now: Option<Millis>,
        by: Instant,
    ) -> Result<Access, NoToken> {
        // Twice, since a renewal for age may end in doubt, which is settled at once.
        for _ in 0..2 {
            let (flight, by, for_age) = {
                let mut inner = self.lock();
                let is_due = inner.is_due(now);
                match inner.state {
                    State::Down(_) => return inner.usable(),
                    State::Sure if !is_due => return inner.usable(),
                    State::Sure => {
                        let soon = Instant::now() + Duration::from_millis(RENEWAL_PATIENCE_MS);
                        (self.fly(&mut inner, Why::Age, now), by.min(soon), true)
                    }
                    State::InDoubt | State::NotSaved(_) => {
                        (self.fly(&mut inner, Why::Refused, now), by, false)
                    }
                }
            };
            if timeout_at(by, flight).await.is_err() || !for_age {
                break;
            }
        }
        self.lock().usable()
    }

    /// Another token than this one, which was refused: nothing was done with it.
    pub(super) async fn after_refusal(
        self: &Arc<Self>,
        refused: &Access,
        now: Option<Millis>,
        by: Instant,
    ) -> Result<Access, NoToken> {
        let flight = {
            let mut inner = self.lock();
            if inner.serial != refused.serial || matches!(inner.state, State::Down(_)) {
                return inner.usable();
            }
            self.fly(&mut inner, Why::Refused, now)
        };
        if timeout_at(by, flight).await.is_err() {
            return Err(NoToken::NotNow(LATE));
        }
        let inner = self.lock();
        match inner.usable() {
            Ok(access) if access.serial == refused.serial => Err(NoToken::NotNow(inner.trouble)),
            usable => usable,
        }
    }

    /// Joins the work that is under way, or begins it. It is a task of its own: an attempt that
    /// gives up must not lose the answer.
    fn fly(self: &Arc<Self>, inner: &mut Inner, why: Why, now: Option<Millis>) -> Flight {
        if let Some(flight) = &inner.flight {
            return flight.clone();
        }
        let this = Arc::clone(self);
        let work = tokio::spawn(async move {
            this.work(why, now).await;
            this.lock().flight = None;
        });
        let flight = work.map(drop).boxed().shared();
        inner.flight = Some(flight.clone());
        flight
    }

    async fn work(&self, why: Why, now: Option<Millis>) {
        let (state, pair) = {
            let inner = self.lock();
            (inner.state.clone(), inner.pair.clone())
        };
        match state {
            State::Sure => self.renew(pair, why, now).await,
            State::InDoubt => self.settle(pair, now).await,
            State::NotSaved(new) => self.adopt(new).await,
            State::Down(_) => {}
        }
    }

    async fn renew(&self, pair: Pair, why: Why, now: Option<Millis>) {
        if !self.keep(&pair, true).await {
            return self.put_off(now, NOT_SAVED);
        }
        match self.api.renew(&pair, in_time()).await {
            Renewal::Pair(new) => self.adopt(Pair { at: now, ..new }).await,
            Renewal::NotNow(why) => self.still_works(&pair, now, why).await,
            Renewal::InDoubt(why) => self.doubt(why),
            Renewal::Refused(code) if why == Why::Age => {
                match self.api.is_alive(&pair.access, in_time()).await {
                    Alive::Works => self.still_works(&pair, now, "renewal-refused").await,
                    Alive::Refused => self.give_up(code),
                    Alive::CannotTell => self.doubt(IN_DOUBT),
                }
            }
            Renewal::Refused(code) => self.give_up(code),
        }
    }

    /// The old access token tells whether a renewal was done: it is dead then. Where it is dead,
    /// the old refresh token is tried once: the access token may have died of age.
    async fn settle(&self, pair: Pair, now: Option<Millis>) {
        match self.api.is_alive(&pair.access, in_time()).await {
            Alive::Works => return self.still_works(&pair, now, IN_DOUBT).await,
            Alive::CannotTell => return self.doubt(IN_DOUBT),
            Alive::Refused => {}
        }
        match self.api.renew(&pair, in_time()).await {
            Renewal::Pair(new) => self.adopt(Pair { at: now, ..new }).await,
            Renewal::NotNow(why) | Renewal::InDoubt(why) => self.doubt(why),
            Renewal::Refused(code) => self.give_up(code),
        }
    }

    /// Uses a new pair, once it is on disk.
    async fn adopt(&self, new: Pair) {
        let is_kept = self.keep(&new, false).await;
        let mut inner = self.lock();
        if is_kept {
            inner.pair = new;
            inner.serial += 1;
            inner.state = State::Sure;
            tracing::info!(account = %self.account, "the Zalo tokens are renewed");
        } else {
            inner.state = State::NotSaved(new);
            inner.trouble = NOT_SAVED;
        }
    }

    /// The old pair is the newest. A mark that cannot be taken away does no harm: it makes the next
    /// start ask.
    async fn still_works(&self, pair: &Pair, now: Option<Millis>, why: &'static str) {
        self.keep(pair, false).await;
        self.put_off(now, why);
    }

    fn put_off(&self, now: Option<Millis>, why: &'static str) {
        let mut inner = self.lock();
        inner.state = State::Sure;
        inner.trouble = why;
        inner.not_before = now.map(|now| now.plus_ms(RENEW_AGAIN_MS));
        tracing::warn!(account = %self.account, why, "the Zalo tokens are not renewed");
    }

    fn doubt(&self, why: &'static str) {
        let mut inner = self.lock();
        inner.state = State::InDoubt;
        inner.trouble = why;
        tracing::warn!(account = %self.account, why, "whether the Zalo tokens are renewed is open");
    }

    fn give_up(&self, code: i64) {
        let down = match code {
            // The app's id, its redirect, its secret: the pair may yet be good.
            -14_004..=-14_002 => Cow::Owned(format!("oauth{code}")),
            _ => Cow::Borrowed(RECONNECT_REQUIRED),
        };
        tracing::error!(account = %self.account, code, %down, "the Zalo account needs its operator");
        self.lock().state = State::Down(down);
    }

    /// Whether the pair is durable now.
    async fn keep(&self, pair: &Pair, renewing: bool) -> bool {
        let (store, pair) = (Arc::clone(&self.store), pair.clone());
        let kept = tokio::task::spawn_blocking(move || store.keep(&pair, renewing)).await;
        match kept {
            Ok(Ok(())) => true,
            Ok(Err(cause)) => {
                tracing::error!(account = %self.account, %cause, "the Zalo tokens cannot be saved");
                false
            }
            Err(_) => false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// At four fifths of its life: 20 of 25 hours. A pair whose age nobody knows is taken for new,
    /// and is renewed when it is refused.
    fn is_due(&mut self, now: Option<Millis>) -> bool {
        let Some(now) = now else { return false };
        let at = *self.pair.at.get_or_insert(now);
        let is_old = now.since_ms(at) >= u64::from(self.pair.life_s) * 800;
        is_old && self.not_before.is_none_or(|not_before| now >= not_before)
    }

    fn usable(&self) -> Result<Access, NoToken> {
        match &self.state {
            State::Sure => Ok(Access { token: self.pair.access.clone(), serial: self.serial }),
            State::Down(code) => Err(NoToken::Down(code.clone())),
            State::InDoubt | State::NotSaved(_) => Err(NoToken::NotNow(self.trouble)),
        }
    }
}

/// Nobody waits longer for one call of a renewal.
fn in_time() -> Instant {
    Instant::now() + Duration::from_millis(ATTEMPT_MS_MAX)
}

#[cfg(test)]
#[path = "oauth_tests.rs"]
mod tests;
