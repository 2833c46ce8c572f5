//! Settling: what is done where nobody knows whether an attempt arrived.
//!
//! Where a repeat shows nothing twice it is repeated. Elsewhere the channel is asked; and where it
//! cannot tell, the policy of the kind decides: again, or a person. Never success, and never in
//! silence twice.

use std::sync::Arc;

use domain::{
    channel::{WhenUnknown, when_unknown},
    ids::Millis,
    lane::{Outcome as Known, Receipt},
    schedule::settle_ms,
};
use registry::Address;

use crate::{
    book::Mark,
    breaker::chance,
    channels::{Intent, Reconciled, Rendered, Repeats},
    outlets::Outlet,
    send::{Attempt, Desk},
};

/// Twice may be told what nobody knows to have arrived, and not a hundred times.
const UNKNOWNS_MAX: u32 = 2;

/// What is to be done about an attempt whose end was unknown.
pub(crate) enum Settled {
    /// Make it again.
    Repeat,
    /// It ended so after all.
    As(Ended),
}

/// How an attempt ended, whose end was unknown.
pub(crate) enum Ended {
    /// The channel has it.
    Arrived {
        /// The provider's name for it.
        provider_id: String,
    },
    /// A person must look.
    NeedsPerson,
}

impl Desk {
    /// Finds out what became of the attempt before this one.
    pub(crate) async fn settle(
        &self,
        outlet: &Outlet,
        attempt: &Attempt,
        (message, to, intent): (&Rendered, &Address, Intent<'_>),
    ) -> Settled {
        let channel = &outlet.way.channel;
        if channel.caps().repeats == Repeats::Harmless {
            return Settled::Repeat;
        }
        let before = Intent {
            attempt: attempt.number.saturating_sub(1),
            now: attempt.begun_at.unwrap_or(attempt.planned_at),
            ..intent
        };
        match channel.reconcile(message, to, before).await {
            Reconciled::Arrived { provider_id } => {
                let provider_id = provider_id.unwrap_or_default();
                Settled::As(Ended::Arrived { provider_id })
            }
            Reconciled::NotArrived => Settled::Repeat,
            Reconciled::CannotTell => match when_unknown(attempt.taken.ready.kind, attempt.news) {
                WhenUnknown::TellAgain if attempt.unknowns < UNKNOWNS_MAX => Settled::Repeat,
                _ => Settled::As(Ended::NeedsPerson),
            },
        }
    }

    /// Records how the attempt before this one ended.
    pub(crate) async fn settled(&self, attempt: Attempt, ended: Ended) {
        let (outcome, trouble, provider_id) = match ended {
            Ended::Arrived { provider_id } => (Known::Accepted, "", provider_id),
            Ended::NeedsPerson => (Known::NeedsPerson, "unknown", String::new()),
        };
        let number = attempt.number.saturating_sub(1);
        // Nothing more is under way here than that receipt, which ends it.
        if let Some(book) = self.books.lock().get_mut(&attempt.taken.book) {
            let mark = Mark { revision: attempt.revision, number, running: true };
            book.in_flight.insert(attempt.target.clone(), mark);
        }
        let receipt = self.word(&attempt, number, (outcome, trouble), None);
        self.hand_over(&attempt.taken, Receipt { provider_id, ..receipt }).await;
    }

    /// The attempt of this number was begun, and whoever made it is no more: it may have arrived.
    pub(crate) async fn interrupted(&self, outlet: &Arc<Outlet>, attempt: Attempt) {
        let now = self.host.clock.now();
        let next = match outlet.way.channel.caps().repeats {
            Repeats::Harmless => now,
            Repeats::ShownTwice => now.plus_ms(settle_ms(chance())),
        };
        let next = Some(next).filter(|at| *at < attempt.give_up_at);
        let ended = (Known::Unknown, "interrupted");
        let receipt = self.word(&attempt, attempt.number, ended, next);
        self.hand_over(&attempt.taken, receipt).await;
    }

    fn word(
        &self,
        attempt: &Attempt,
        number: u32,
        (outcome, trouble): (Known, &str),
        next_attempt_at: Option<Millis>,
    ) -> Receipt {
        Receipt {
            target: attempt.target.clone(),
            revision: attempt.revision,
            attempt: number,
            outcome,
            at: self.host.clock.now(),
            took_ms: 0,
            status: 0,
            trouble: trouble.to_owned(),
            next_attempt_at,
            provider_id: String::new(),
        }
    }
}
