//! What communes did that changes the alert itself: they relayed it onward, or instructed their
//! own groups. The alert is asked to take it in, once, whichever instance asks.

use std::collections::BTreeMap;

use domain::{
    alert::Alert,
    ids::{AlertId, CommuneCode, EntityName, Home, Millis, RecordId},
    relay::protocol::{RelayEvent, RelayProtocol},
};
use event_log::command::Draft;
use wire::{
    Spoken,
    spoken::{home_said, id_bytes},
    v1::{self, command::Body},
};

use crate::asking::{COMMANDS_MAX, Commit, Due, draft};

/// What is not taken in yet: by alert, and by the command that asks for it.
#[derive(Default)]
pub(crate) struct Taking {
    homes: BTreeMap<AlertId, Home>,
    pending: BTreeMap<(AlertId, RecordId), Done>,
}

/// What a commune did.
enum Done {
    /// It relayed the alert to these.
    Onward(Vec<Home>),
    /// It instructed its own groups; the command holds the words.
    Instructed(CommuneCode, RecordId),
}

impl Done {
    fn of(event: RelayEvent, by: CommuneCode) -> Option<Self> {
        match event {
            RelayEvent::RelayedOnward(onward) => Some(Self::Onward(onward.to)),
            RelayEvent::Instructed(instructed) => Some(Self::Instructed(by, instructed.content)),
            RelayEvent::Answered(_) | RelayEvent::Escalated(_) => None,
        }
    }

    /// Whether the alert says so already.
    fn is_in(&self, alert: &Alert) -> bool {
        match self {
            Self::Onward(to) => {
                let is_named = |home: &Home| alert.communes().iter().any(|it| it.home == *home);
                to.iter().all(is_named)
            }
            Self::Instructed(by, content) => {
                let newest = alert.live().and_then(|live| live.instructions.get(by));
                newest.is_some_and(|(_, newest)| newest == content)
            }
        }
    }

    fn body(&self) -> Body {
        match self {
            Self::Onward(to) => {
                let to = to.iter().copied().map(home_said).collect();
                Body::TakeAlertOnward(v1::TakeAlertOnward { to })
            }
            Self::Instructed(by, content) => Body::TakeAlertInstruction(v1::TakeAlertInstruction {
                commune: by.to_string(),
                content: id_bytes(content.0),
            }),
        }
    }
}

impl Due for Taking {
    const TASK: &'static str = "alerting-taking";
    const LATE: &'static str = "an alert cannot take in yet what a commune did";

    fn take_in(&mut self, commit: &Commit<'_>) {
        if let Some((id, alert)) = commit.alert {
            self.homes.insert(id, commit.home);
            // Decided upon, whatever was decided.
            self.pending.remove(&(id, commit.cause));
            self.pending.retain(|(of, _), done| *of != id || !done.is_in(alert));
            return;
        }
        let Some(alert) = commit.entity.alert_id() else { return };
        let by = commit.home.commune;
        if *commit.entity != EntityName::relay(alert, by) {
            return;
        }
        let events = commit.events.iter().filter_map(|event| RelayProtocol::recall(event).ok());
        for done in events.filter_map(|event| Done::of(event, by)) {
            // One command to a relay does one thing.
            let id = RecordId::of_purpose(&format!("taken/{alert}/{by}/{}", commit.cause));
            self.pending.insert((alert, id), done);
        }
    }

    fn forget(&mut self, alert: AlertId) {
        self.homes.remove(&alert);
        self.pending.retain(|(of, _), _| *of != alert);
    }

    fn begin_anew(&mut self) {
        *self = Self::default();
    }

    /// At once, and again until the log says that it was decided upon.
    fn next(&self) -> Option<Millis> {
        None
    }

    fn commands(&mut self, now: Millis) -> Vec<Draft> {
        let pending = self.pending.iter().filter_map(|((alert, id), done)| {
            let of = (EntityName::alert(*alert), *self.homes.get(alert)?);
            Some(draft(*id, of, alert.0.as_bytes(), now, done.body()))
        });
        pending.take(COMMANDS_MAX).collect()
    }
}

#[cfg(test)]
#[path = "taking_tests.rs"]
mod tests;
