//! A breaker for each account: where nothing works any more, nothing is tried in vain, and one
//! question at a time asks whether it works again.
//!
//! It lives as long as the process: after a restart the account is tried anew. Targets that are
//! gone and messages that are refused say nothing about an account.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain::ids::Millis;
use tokio::sync::watch;

use crate::channels::{Health, Outcome};

/// So many failures in a row open it.
const FAILURES_MAX: u32 = 5;
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

/// A breaker.
pub(crate) struct Breaker {
    failures: Mutex<u32>,
    gate: watch::Sender<Gate>,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failures: Mutex::new(0), gate: watch::Sender::new(Gate::Closed) }
    }
}

impl Breaker {
    /// What it is now.
    pub(crate) fn gate(&self) -> Gate {
        self.gate.borrow().clone()
    }

    /// Waits until a message may leave.
    pub(crate) async fn pass(&self) {
        let mut gate = self.gate.subscribe();
        loop {
            match self.gate() {
                Gate::Closed => return,
                Gate::HalfOpen { since, why } => {
                    // The first that comes is the question.
                    let taken = self.gate.send_if_modified(|gate| {
                        let is_half_open = matches!(gate, Gate::HalfOpen { .. });
                        if is_half_open {
                            *gate = Gate::Open { since, why: why.clone() };
                        }
                        is_half_open
                    });
                    if taken {
                        return;
                    }
                }
                Gate::Open { .. } => {}
            }
            // The sender lives as long as this does.
            let _ = gate.changed().await;
        }
    }

    /// Takes in what an attempt came to. `true`: it has just opened, and somebody must ask.
    pub(crate) fn saw(&self, outcome: &Outcome, now: Millis) -> bool {
        let (failed, at_once, why) = match outcome {
            Outcome::ChannelDown { code } => (true, true, code.as_ref()),
            Outcome::Retry { why, .. } | Outcome::Unknown { why, .. } => (true, false, *why),
            Outcome::Delivered
            | Outcome::Accepted { .. }
            | Outcome::Duplicate { .. }
            | Outcome::HandedOver { .. } => (false, false, ""),
            Outcome::Defer { .. } | Outcome::TargetGone { .. } | Outcome::Permanent { .. } => {
                return false;
            }
        };
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if !failed {
            *failures = 0;
            self.gate
                .send_if_modified(|gate| std::mem::replace(gate, Gate::Closed) != Gate::Closed);
            return false;
        }
        *failures = failures.saturating_add(1);
        let opens = at_once || *failures >= FAILURES_MAX;
        opens
            && self.gate.send_if_modified(|gate| {
                let closed = *gate == Gate::Closed;
                if closed {
                    *gate = Gate::Open { since: now, why: why.to_owned() };
                }
                closed
            })
    }

    /// Takes in what the account itself says.
    pub(crate) fn asked(&self, health: &Health) {
        self.gate.send_if_modified(|gate| match (&*gate, health) {
            (Gate::Closed, _) | (_, Health::Down { .. }) => false,
            (_, Health::Works) => {
                *self.failures.lock().unwrap_or_else(PoisonError::into_inner) = 0;
                *gate = Gate::Closed;
                true
            }
            (Gate::Open { since, why }, Health::NotKnown { .. }) => {
                *gate = Gate::HalfOpen { since: *since, why: why.clone() };
                true
            }
            (Gate::HalfOpen { .. }, Health::NotKnown { .. }) => false,
        });
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

    fn failed() -> Outcome {
        Outcome::Unknown { after_s: None, why: "timeout" }
    }

    fn accepted() -> Outcome {
        Outcome::Accepted { provider_id: None }
    }

    fn may_pass(breaker: &Breaker) -> bool {
        breaker.pass().now_or_never().is_some()
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_an_answer_closes_it() {
        let breaker = Breaker::default();
        for _ in 0..4 {
            assert!(!breaker.saw(&failed(), NOW));
        }
        breaker.saw(&accepted(), NOW);
        let opened: Vec<bool> = (0..6).map(|_| breaker.saw(&failed(), NOW)).collect();
        assert_eq!(opened, [false, false, false, false, true, false]);
        assert!(!may_pass(&breaker));
        breaker.asked(&Health::Down { code: Cow::Borrowed("money") });
        assert!(!may_pass(&breaker));
        breaker.asked(&Health::Works);
        assert!(may_pass(&breaker));
    }

    #[test]
    fn an_account_that_is_down_opens_it_at_once_and_a_target_never_does() {
        let breaker = Breaker::default();
        let gone = Outcome::TargetGone { why: Cow::Borrowed("-213") };
        assert!((0..9).all(|_| !breaker.saw(&gone, NOW)));
        assert!(breaker.saw(&Outcome::ChannelDown { code: Cow::Borrowed("-216") }, NOW));
        assert_eq!(breaker.gate(), Gate::Open { since: NOW, why: "-216".to_owned() });
    }

    #[test]
    fn who_cannot_be_asked_is_tried_with_one_message() {
        let breaker = Breaker::default();
        breaker.saw(&Outcome::ChannelDown { code: Cow::Borrowed("x") }, NOW);
        breaker.asked(&Health::NotKnown { why: Cow::Borrowed("cannot-be-asked") });
        assert!(may_pass(&breaker));
        assert!(!may_pass(&breaker), "one is enough");
        breaker.saw(&accepted(), NOW);
        assert!(may_pass(&breaker));
    }

    #[test]
    fn questions_come_further_apart_and_never_together() {
        assert_eq!(ask_after(0, 0.5), Duration::from_secs(5));
        assert_eq!(ask_after(9, 0.5), Duration::from_secs(60));
        assert!(ask_after(1, 0.0) < ask_after(1, 1.0));
    }
}
