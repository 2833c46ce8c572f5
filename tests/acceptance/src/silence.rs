//! Silence: which communes have yet to answer an alert, and when somebody else is to be asked.
//!
//! From the log alone, and reckoned anew at each look: nothing of the services is asked.

use std::collections::BTreeMap;

use domain::{
    alert::Alert,
    decider::Decider,
    ids::{AlertId, CommuneCode, Millis},
    relay::{
        escalation::{AnswerTimes, next_escalation},
        protocol::{RelayEvent, RelayProtocol},
    },
};

type BookId = (AlertId, CommuneCode);

/// Every relay, as the log has it.
#[derive(Default)]
pub struct Silences {
    relays: BTreeMap<BookId, RelayProtocol>,
    /// From when on an answer is waited for.
    since: BTreeMap<BookId, Millis>,
}

impl Silences {
    /// An event of the alert made it stand so.
    pub fn stands(&mut self, id: AlertId, before: &Alert, now: &Alert, at: Millis) {
        let is_active = |alert: &Alert| matches!(alert, Alert::Active { .. });
        let is_anew = is_active(now) && !is_active(before);
        for reached in now.communes() {
            let book = (id, reached.home.commune);
            if is_anew || !self.since.contains_key(&book) {
                self.since.insert(book, at);
            }
        }
    }

    /// An event of a relay.
    pub fn heard(&mut self, book: BookId, event: &RelayEvent) {
        let relay = self.relays.remove(&book).unwrap_or_default();
        self.relays.insert(book, relay.evolve(event));
    }

    /// When somebody is to be asked, and where; what is over is waited for by nobody.
    pub fn due<'a>(
        &'a self,
        alerts: &'a BTreeMap<AlertId, Alert>,
    ) -> impl Iterator<Item = (BookId, Millis)> {
        self.since.iter().filter_map(|(book, since)| {
            let alert =
                alerts.get(&book.0).filter(|alert| matches!(alert, Alert::Active { .. }))?;
            let facts = &alert.content()?.facts;
            if facts.home.commune == book.1 {
                return None;
            }
            let fresh = RelayProtocol::default();
            let relay = self.relays.get(book).unwrap_or(&fresh);
            let (at, _) = next_escalation(relay, *since, facts.kind, &AnswerTimes::default())?;
            Some((*book, at))
        })
    }
}
