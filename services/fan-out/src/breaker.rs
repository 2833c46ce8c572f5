//! A breaker for each account: where nothing works any more, nothing is tried in vain, and one
//! question at a time asks whether it works again.
//!
//! It lives as long as the process: after a restart the account is tried anew. Failures count by
//! target, since one that fails for ever says nothing of the others; targets that are gone and
//! messages that are refused say nothing at all.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{delivery::Target, ids::Millis};
use tokio::sync::Notify;

use crate::channels::{Health, Outcome, TARGET_TROUBLES};

/// So many targets that fail in a row open it.
const TARGETS_MAX: usize = 5;
/// So many, where each may have a trouble of its own.
const OWN_TROUBLES_MAX: usize = 50;
/// Between the first questions, and at most.
const ASK_MS_MIN: u64 = 5_000;
const ASK_MS_MAX: u64 = 60_000;

/// What it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Messages leave.
    Closed,
    /// Nothing leaves.
    Open {
        /// Since when.
        since: Millis,
        /// The code of what opened it.
        why: String,
    },
    /// One message leaves, as a question: the account cannot be asked otherwise.
    HalfOpen {
        /// Since when it was open.
        since: Millis,
        /// The code of what opened it.
        why: String,
    },
}

struct State {
    gate: Gate,
    /// Targets that failed since something worked.
    failing: BTreeSet<Target>,
    own_troubles: BTreeSet<Target>,
    /// A message is under way as the question, and nothing is known of it yet.
    questioned: bool,
    /// Somebody asks the account itself.
    asking: bool,
}

/// A breaker.
pub(crate) struct Breaker {
    state: Mutex<State>,
    changed: Notify,
}

/// The right to make one attempt. Where it was the question and is dropped without an answer, the
/// next attempt is.
pub(crate) struct Pass<'a>(Option<&'a Breaker>);

impl Pass<'_> {
    /// The right to an attempt on a channel whose targets share no account.
    pub(crate) fn free() -> Self {
        Self(None)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let Some(breaker) = self.0 else { return };
        let mut state = breaker.lock();
        if std::mem::take(&mut state.questioned)
            && let Gate::Open { since, why } = state.gate.clone()
        {
            state.gate = Gate::HalfOpen { since, why };
            breaker.changed.notify_waiters();
        }
    }
}

impl Default for Breaker {
    fn default() -> Self {
        let state = State {
            gate: Gate::Closed,
            failing: BTreeSet::new(),
            own_troubles: BTreeSet::new(),
            questioned: false,
            asking: false,
        };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }
}

impl State {
    fn close(&mut self) {
        self.gate = Gate::Closed;
        self.failing.clear();
        self.own_troubles.clear();
        self.questioned = false;
    }
}

impl Breaker {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it is now.
    pub(crate) fn gate(&self) -> Gate {
        self.lock().gate.clone()
    }

    /// Since when it is not closed; `None` where it is.
    pub(crate) fn down_since(&self) -> Option<Millis> {
        match self.lock().gate {
            Gate::Closed => None,
            Gate::Open { since, .. } | Gate::HalfOpen { since, .. } => Some(since),
        }
    }

    /// Waits until a message may leave.
    pub(crate) async fn pass(&self) -> Pass<'_> {
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.lock();
                match state.gate.clone() {
                    Gate::Closed => return Pass(None),
                    // The first that comes is the question.
                    Gate::HalfOpen { since, why } => {
                        state.gate = Gate::Open { since, why };
                        state.questioned = true;
                        return Pass(Some(self));
                    }
                    Gate::Open { .. } => {}
                }
            }
            changed.await;
        }
    }

    /// Takes in what an attempt came to. `true`: it has just opened, and somebody must ask.
    pub(crate) fn saw(&self, target: &Target, outcome: &Outcome, now: Millis) -> bool {
        let mut state = self.lock();
        let (why, opens) = match outcome {
            Outcome::ChannelDown { code } => (code.as_ref(), true),
            Outcome::Retry { why, .. } | Outcome::Unknown { why, .. } => {
                let is_own = TARGET_TROUBLES.contains(why);
                let (most, failing) = match is_own {
                    true => (OWN_TROUBLES_MAX, &mut state.own_troubles),
                    false => (TARGETS_MAX, &mut state.failing),
                };
                failing.insert(target.clone());
                let opens = failing.len() >= most;
                // As an answer to the question it says that somebody answers.
                if is_own && state.questioned && !opens {
                    state.close();
                    self.changed.notify_waiters();
                    return false;
                }
                (*why, opens)
            }
            // The account works, whatever it says of this target or message.
            Outcome::Defer { .. } | Outcome::TargetGone { .. } | Outcome::Permanent { .. } => {
                if state.questioned {
                    state.close();
                    self.changed.notify_waiters();
                }
                return false;
            }
            Outcome::Delivered
            | Outcome::Accepted { .. }
            | Outcome::Duplicate { .. }
            | Outcome::HandedOver { .. } => {
                let was_closed = state.gate == Gate::Closed;
                state.close();
                if !was_closed {
                    self.changed.notify_waiters();
                }
                return false;
            }
        };
        // The question has its answer: it does not work yet.
        state.questioned = false;
        if !opens || state.gate != Gate::Closed {
            return false;
        }
        state.gate = Gate::Open { since: now, why: why.to_owned() };
        !std::mem::replace(&mut state.asking, true)
    }

    /// Takes in what the account itself says.
    pub(crate) fn asked(&self, health: &Health) {
        let mut state = self.lock();
        match (state.gate.clone(), health) {
            (Gate::Closed | Gate::HalfOpen { .. }, Health::NotKnown { .. })
            | (Gate::Closed, _)
            | (_, Health::Down { .. }) => return,
            (_, Health::Works) => state.close(),
            (Gate::Open { since, why }, Health::NotKnown { .. }) => {
                if state.questioned {
                    return;
                }
                state.gate = Gate::HalfOpen { since, why };
            }
        }
        self.changed.notify_waiters();
    }

    /// Whether nobody has to ask any more; whoever does stops then.
    pub(crate) fn is_asked_enough(&self) -> bool {
        let mut state = self.lock();
        let is_closed = state.gate == Gate::Closed;
        if is_closed {
            state.asking = false;
        }
        is_closed
    }
}

/// How long to wait before question `asked` (from 0): doubling, and a fifth more or less by
/// `chance` (0 to 1), so that a thousand installations do not ask a provider at once.
pub(crate) fn ask_after(asked: u32, chance: f64) -> Duration {
    let usual = ASK_MS_MIN.saturating_mul(1 << asked.min(8)).min(ASK_MS_MAX);
    let usual = Duration::from_millis(usual);
    usual.mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0))
}

/// A number from 0 to 1, for spreading what would come together.
pub(crate) fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |bits| f64::from(bits) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use futures::FutureExt;

    use super::*;

    const NOW: Millis = Millis(7);

    fn target(n: u32) -> Target {
        Target {
            group: format!("g-{n}").parse().unwrap(),
            channel: "sms-1".parse().unwrap(),
            channel_type: "sms".into(),
        }
    }

    fn failed() -> Outcome {
        Outcome::Unknown { after_s: None, why: "timeout" }
    }

    fn accepted() -> Outcome {
        Outcome::Accepted { provider_id: None }
    }

    fn down() -> Outcome {
        Outcome::ChannelDown { code: Cow::Borrowed("-216") }
    }

    fn unasked() -> Health {
        Health::NotKnown { why: Cow::Borrowed("cannot-be-asked") }
    }

    fn is_open(breaker: &Breaker) -> bool {
        breaker.gate() != Gate::Closed
    }

    #[test]
    fn five_targets_that_fail_open_it_and_an_answer_closes_it() {
        let breaker = Breaker::default();
        (0..4).for_each(|n| assert!(!breaker.saw(&target(n), &failed(), NOW)));
        breaker.saw(&target(9), &accepted(), NOW);
        let opened: Vec<bool> = (0..6).map(|n| breaker.saw(&target(n), &failed(), NOW)).collect();
        assert_eq!(opened, [false, false, false, false, true, false]);
        assert!(breaker.pass().now_or_never().is_none());
        breaker.asked(&Health::Down { code: Cow::Borrowed("money") });
        assert!(is_open(&breaker) && !breaker.is_asked_enough());
        breaker.asked(&Health::Works);
        assert!(breaker.pass().now_or_never().is_some() && breaker.is_asked_enough());
    }

    #[test]
    fn one_that_fails_for_ever_opens_nothing_and_loudspeakers_without_power_neither() {
        let breaker = Breaker::default();
        (0..99).for_each(|_| assert!(!breaker.saw(&target(1), &failed(), NOW)));
        let silent = Outcome::Retry { after_s: None, why: "no-subscriber" };
        (0..40).for_each(|n| assert!(!breaker.saw(&target(n), &silent, NOW)));
        let gone = Outcome::TargetGone { why: Cow::Borrowed("-213") };
        (0..40).for_each(|n| assert!(!breaker.saw(&target(n), &gone, NOW)));
        assert!(!is_open(&breaker));
    }

    #[test]
    fn who_cannot_be_asked_is_tried_with_one_message_and_with_another_where_that_never_left() {
        let breaker = Breaker::default();
        assert!(breaker.saw(&target(1), &down(), NOW));
        breaker.asked(&unasked());
        let question = breaker.pass().now_or_never().unwrap();
        assert!(breaker.pass().now_or_never().is_none(), "one is enough");
        drop(question);
        let question = breaker.pass().now_or_never().unwrap();
        breaker.saw(&target(1), &failed(), NOW);
        drop(question);
        assert!(breaker.pass().now_or_never().is_none(), "it does not work yet");
        breaker.asked(&unasked());
        let question = breaker.pass().now_or_never().unwrap();
        let gone = Outcome::TargetGone { why: Cow::Borrowed("gone") };
        breaker.saw(&target(1), &gone, NOW);
        drop(question);
        assert!(!is_open(&breaker), "somebody answered");
    }

    #[test]
    fn one_asks_however_often_it_opens() {
        let breaker = Breaker::default();
        assert!(breaker.saw(&target(1), &down(), NOW));
        breaker.asked(&Health::Works);
        assert!(!breaker.saw(&target(1), &down(), NOW), "whoever asks has not stopped yet");
        breaker.asked(&Health::Works);
        assert!(breaker.is_asked_enough());
        assert!(breaker.saw(&target(1), &down(), NOW));
    }

    #[test]
    fn questions_come_further_apart_and_never_together() {
        assert_eq!(ask_after(0, 0.5), Duration::from_secs(5));
        assert_eq!(ask_after(9, 0.5), Duration::from_secs(60));
        assert!(ask_after(1, 0.0) < ask_after(1, 1.0));
    }
}
