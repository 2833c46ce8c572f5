//! Recovery: how a commit comes back that a log lost after it had acknowledged it. Pure; which
//! log loses, and who says things again, is the adapter's.
//!
//! As it was, where its version is free and its command was not decided anew; otherwise within a
//! commit that recovers it, at the next version. What is lost again is recovered again, as itself:
//! a recovery is never recovered.

use bytes::Bytes;
use domain::ids::RecordId;
use prost::Message;
use wire::{
    spoken::id_bytes,
    v1::{Commit, Event, Events, Recovered, commit::Outcome, event},
};

use crate::{
    record::{Class, Kind, Record},
    shell::entity_said,
};

/// How a lost commit comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Back {
    /// The history has it, as it was or recovered: the index within the history.
    Stands(usize),
    /// It is appended as it was.
    AsItWas,
    /// It is appended within this commit.
    Recovered(Box<Record>),
    /// Not yet: commits before it are missing, which others said.
    Gap,
}

/// How this commit comes back into the history of its entity: the ids and open parts of the
/// entity's commits, which end at version `last`. With `through_gaps` it waits for no other.
#[must_use]
pub fn back<'a>(
    lost: &Record,
    version: u64,
    history: impl IntoIterator<Item = (RecordId, &'a Bytes)>,
    (last, through_gaps): (u64, bool),
) -> Back {
    let own = Origin::of(lost.id, &lost.open);
    let mut decided_anew = false;
    for (index, (id, open)) in history.into_iter().enumerate() {
        let other = Origin::of(id, open);
        if other.id == own.id {
            return Back::Stands(index);
        }
        // Observations have no command: many may have one cause.
        decided_anew |= lost.key.class == Class::Alert
            && !own.command.is_empty()
            && own.command == other.command;
    }
    let next = last + 1;
    if next < version && !through_gaps {
        return Back::Gap;
    }
    if next == version && !decided_anew {
        return Back::AsItWas;
    }
    Back::Recovered(Box::new(recovered(&own, lost, next)))
}

/// Whether this is the open part of a commit that recovers another.
#[must_use]
pub fn is_recovery(open: &Bytes) -> bool {
    // What a commit recovers is a part of it.
    Origin::of(RecordId::of_purpose("any"), open).open.len() < open.len()
}

/// The commit that was decided, of itself or of one that recovers it.
struct Origin {
    id: RecordId,
    open: Bytes,
    /// What it answers; empty where it cannot be read.
    command: Bytes,
}

impl Origin {
    fn of(id: RecordId, open: &Bytes) -> Self {
        let mut origin = Self { id, open: open.clone(), command: Bytes::new() };
        // Each is shorter than the one around it, so that this ends.
        while let Ok(commit) = Commit::decode(origin.open.clone()) {
            let lost = RecordId::from_slice(&commit.causation);
            origin.command = commit.causation;
            let Some(Outcome::Events(events)) = commit.outcome else { break };
            let first = events.events.into_iter().next().and_then(|event| event.event);
            let (Some(event::Event::Recovered(recovered)), Some(lost)) = (first, lost) else {
                break;
            };
            (origin.id, origin.open) = (lost, recovered.original);
            origin.command.clear();
        }
        origin
    }
}

/// The commit that carries a lost one at a version that is free. Its bytes and its id depend on
/// the lost one and the version only: where it is lost in its turn and comes back at another
/// version, it is another record, since an id never names two.
fn recovered(origin: &Origin, lost: &Record, version: u64) -> Record {
    let id = RecordId::of_purpose(&format!("recover/{}/{version}", origin.id));
    let original = Commit::decode(origin.open.clone()).unwrap_or_default();
    let fact = Recovered { original: origin.open.clone() };
    let event = Event { event: Some(event::Event::Recovered(fact)) };
    let commit = Commit {
        id: id_bytes(id.0),
        entity: Some(entity_said(&lost.key)),
        version,
        causation: id_bytes(origin.id.0),
        correlation: original.correlation,
        actor: original.actor,
        decided_at_ms: original.decided_at_ms,
        outcome: Some(Outcome::Events(Events { events: vec![event] })),
        ..Commit::default()
    };
    Record {
        id,
        key: lost.key.clone(),
        kind: Kind::Commit { version },
        open: commit.encode_to_vec().into(),
        sealed: None,
        signature: None,
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::Home;
    use wire::v1::AlreadyTrue;

    use super::*;
    use crate::record::Key;

    fn commit(name: &str, command: &str, version: u64) -> Record {
        let id = RecordId::of_purpose(name);
        let commit = Commit {
            id: id_bytes(id.0),
            version,
            causation: id_bytes(RecordId::of_purpose(command).0),
            outcome: Some(Outcome::AlreadyTrue(AlreadyTrue {})),
            ..Commit::default()
        };
        let entity = "alert-a".parse().unwrap();
        Record {
            id,
            key: Key { class: Class::Alert, home: Home::NATION, entity },
            kind: Kind::Commit { version },
            open: commit.encode_to_vec().into(),
            sealed: None,
            signature: None,
        }
    }

    fn comes_back(lost: &Record, history: &[&Record]) -> Back {
        let Kind::Commit { version } = lost.kind else { panic!() };
        let last = history.len() as u64;
        back(lost, version, history.iter().map(|record| (record.id, &record.open)), (last, false))
    }

    fn recovery(lost: &Record, history: &[&Record]) -> Record {
        match comes_back(lost, history) {
            Back::Recovered(record) => *record,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_lost_commit_comes_back_as_it_was_where_its_version_is_free() {
        let (first, lost) = (commit("first", "raise", 1), commit("lost", "cancel", 2));
        assert_eq!(comes_back(&lost, &[&first]), Back::AsItWas);
        assert_eq!(comes_back(&lost, &[&first, &lost]), Back::Stands(1));
        assert_eq!(comes_back(&lost, &[]), Back::Gap);
    }

    #[test]
    fn a_lost_commit_whose_version_was_taken_is_recovered_once() {
        let (taker, lost) = (commit("taker", "resolve", 1), commit("lost", "cancel", 1));
        let again = recovery(&lost, &[&taker]);
        assert_eq!(again.kind, Kind::Commit { version: 2 });
        assert_eq!(comes_back(&lost, &[&taker, &again]), Back::Stands(1));
        assert_eq!(comes_back(&again, &[&taker, &again]), Back::Stands(1));
        assert_eq!((is_recovery(&again.open), is_recovery(&lost.open)), (true, false));
    }

    #[test]
    fn a_recovery_that_is_lost_comes_back_as_another_record() {
        let (one, two) = (commit("one", "resolve", 1), commit("two", "near", 2));
        let lost = commit("lost", "cancel", 1);
        let first = recovery(&lost, &[&one]);
        // Whoever heals first, from the lost one or from its recovery.
        for said in [&lost, &first] {
            let second = recovery(said, &[&one, &two]);
            assert_eq!(second.kind, Kind::Commit { version: 3 });
            assert_ne!(second.id, first.id);
            assert_eq!(second.open, recovery(&lost, &[&one, &two]).open);
            assert_eq!(comes_back(&lost, &[&one, &two, &second]), Back::Stands(2));
            assert_eq!(comes_back(&first, &[&one, &two, &second]), Back::Stands(2));
        }
    }

    #[test]
    fn a_commit_whose_command_was_decided_anew_is_recovered() {
        let (anew, lost) = (commit("anew", "cancel", 1), commit("lost", "cancel", 2));
        assert_eq!(recovery(&lost, &[&anew]).kind, Kind::Commit { version: 2 });
    }

    #[test]
    fn what_cannot_be_read_comes_back_all_the_same() {
        let foreign = Record { open: Bytes::from_static(b"open"), ..commit("x", "y", 1) };
        let taker = commit("taker", "resolve", 1);
        let again = recovery(&foreign, &[&taker]);
        assert_eq!(comes_back(&foreign, &[&taker, &again]), Back::Stands(1));
    }
}
