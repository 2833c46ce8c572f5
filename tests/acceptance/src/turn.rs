//! Turns: which communes are told of an alert only when they have acknowledged it.
//!
//! From the log and the policies alone: nothing of fan-out is asked.

use std::{collections::BTreeSet, sync::Arc};

use domain::{
    alert::Alert,
    ids::{AlertId, CommuneCode},
    relay::{Answer, protocol::RelayEvent},
};
use registry::Policies;

type BookId = (AlertId, CommuneCode);

/// Who has acknowledged what, and the policies.
#[derive(Default)]
pub struct Turns {
    policies: Arc<Policies>,
    acknowledged: BTreeSet<BookId>,
}

impl Turns {
    /// By these policies.
    #[must_use]
    pub fn of(policies: Arc<Policies>) -> Self {
        Self { policies, acknowledged: BTreeSet::new() }
    }

    /// Takes an event of a relay in; answers whether it is an acknowledgement.
    pub fn heard(&mut self, book: BookId, event: &RelayEvent) -> bool {
        let acknowledges =
            matches!(event, RelayEvent::Answered(is) if is.answer == Answer::Acknowledge);
        if acknowledges {
            self.acknowledged.insert(book);
        }
        acknowledges
    }

    /// Whether the commune is not told of the alert before it acknowledges.
    #[must_use]
    pub fn waits(&self, book: BookId, alert: &Alert) -> bool {
        let Some(content) = alert.content() else { return false };
        let (kind, home) = (content.facts.kind, content.facts.home);
        book.1 != home.commune
            && self.policies.of(book.1).waits_for_answer(kind, home)
            && !self.acknowledged.contains(&book)
    }
}
