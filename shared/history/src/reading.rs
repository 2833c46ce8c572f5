//! What the order needs to know of a record: when it was made, and what it waits for.

use std::sync::Arc;

use domain::ids::{EntityName, Millis, RecordId};
use event_log::{Class, Kind, Recorded};
use prost::Message;
use wire::v1::{Command, Commit, commit::Outcome, event::Event};

/// A record, read as far as its order needs it.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The record.
    pub recorded: Arc<Recorded>,
    /// When it was written down or decided, by the clock of whoever did, or when it came, where a
    /// person signed it; `None` where its bytes
    /// are none that this program can read. Such a record waits for nothing but its version.
    pub at: Option<Millis>,
    /// The command that this commit answers. Observations have none: their cause may be anything.
    pub awaits: Option<RecordId>,
    /// The key that a person signed this command by, and the version of its history that makes it
    /// good: the command has its place behind it.
    pub behind: Option<(EntityName, u64)>,
}

impl Reading {
    /// Reads a record.
    #[must_use]
    pub fn of(recorded: Arc<Recorded>) -> Self {
        let signature = recorded.signature.as_ref();
        let received = signature.and_then(|by| Some((EntityName::key(by.key), by.received?)));
        let (at, awaits) = match recorded.kind {
            Kind::Command => {
                let command = Command::decode(recorded.open.clone());
                let at = command.ok().map(|command| Millis(command.written_at_ms));
                (at.map(|at| received.as_ref().map_or(at, |(_, received)| received.at)), None)
            }
            Kind::Commit { .. } => match Commit::decode(recorded.open.clone()) {
                Ok(commit) => (Some(Millis(commit.decided_at_ms)), awaited(&recorded, &commit)),
                Err(_) => (None, None),
            },
        };
        let behind = received.map(|(key, received)| (key, received.key_version));
        Self { recorded, at, awaits, behind }
    }

    /// How many bytes it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.recorded.open.len().saturating_add(self.recorded.seal.bytes().map_or(0, |b| b.len()))
    }
}

/// Commits of class `Alert` answer commands; those of other classes are observations.
fn awaited(recorded: &Recorded, commit: &Commit) -> Option<RecordId> {
    if recorded.key.class != Class::Alert {
        return None;
    }
    // A commit that brings a lost one back names that as its cause; the command is the lost
    // one's. Each is shorter than the one around it, so that this ends.
    let mut causation = commit.causation.clone();
    let mut inner = recovered(commit);
    while let Some(original) = inner {
        causation = original.causation.clone();
        inner = recovered(&original);
    }
    RecordId::from_slice(&causation)
}

/// The lost commit that this one brings back.
fn recovered(commit: &Commit) -> Option<Commit> {
    let Some(Outcome::Events(events)) = &commit.outcome else { return None };
    match events.events.first()?.event.as_ref()? {
        Event::Recovered(recovered) => Some(
            // What cannot be read names no command, and waits for none.
            Commit::decode(recovered.original.clone()).unwrap_or_default(),
        ),
        _ => None,
    }
}
