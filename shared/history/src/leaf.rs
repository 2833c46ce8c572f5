//! A leaf of the signed log, read by itself: a command or a commit, and nothing says which but its
//! bytes.
//!
//! The class that a journal keeps beside a record is no part of what is signed, so that whoever
//! checks a log must not need it.

use bytes::Bytes;
use prost::Message;
use wire::v1::{Actor, Command, Commit, Entity};

const ID_BYTES: usize = 16;

/// What a leaf is.
#[derive(Debug, Clone, PartialEq)]
pub enum Leaf {
    /// Something that was asked for.
    Command(Box<Command>),
    /// What was decided, or observed.
    Commit(Box<Commit>),
}

/// Why bytes are no leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotALeaf {
    /// They can be read as neither.
    #[error("không phải lệnh, cũng không phải quyết định / neither a command nor a commit")]
    Neither,
    /// They can be read as either: nobody writes such a record by chance.
    #[error("đọc được theo hai nghĩa / it can be read as a command and as a commit")]
    Both,
}

impl Leaf {
    /// Reads a leaf. What is in it may be newer than this program; its envelope is not.
    ///
    /// # Errors
    /// It is not exactly one of the two.
    pub fn read(open: &Bytes) -> Result<Self, NotALeaf> {
        match (command(open), commit(open)) {
            (Some(command), None) => Ok(Self::Command(Box::new(command))),
            (None, Some(commit)) => Ok(Self::Commit(Box::new(commit))),
            (None, None) => Err(NotALeaf::Neither),
            // By chance the one envelope may pass for the other, but not to the last byte.
            (Some(command), Some(commit)) => match (is(&command, open), is(&commit, open)) {
                (true, false) => Ok(Self::Command(Box::new(command))),
                (false, true) => Ok(Self::Commit(Box::new(commit))),
                _ => Err(NotALeaf::Both),
            },
        }
    }

    /// The record's id: 16 bytes.
    #[must_use]
    pub fn id(&self) -> &Bytes {
        match self {
            Self::Command(command) => &command.id,
            Self::Commit(commit) => &commit.id,
        }
    }

    /// The name of the entity that it is of.
    #[must_use]
    pub fn entity(&self) -> &str {
        let entity = match self {
            Self::Command(command) => &command.entity,
            Self::Commit(commit) => &commit.entity,
        };
        entity.as_ref().map_or("", |entity| entity.name.as_str())
    }

    /// What stands for its sealed part; empty where it has none.
    #[must_use]
    pub fn commitment(&self) -> &Bytes {
        match self {
            Self::Command(command) => &command.commitment,
            Self::Commit(commit) => &commit.commitment,
        }
    }
}

fn command(open: &Bytes) -> Option<Command> {
    let command = Command::decode(open.clone()).ok()?;
    let causes = [0, ID_BYTES];
    let fits = is_envelope(&command.id, command.entity.as_ref(), command.actor.as_ref())
        && causes.contains(&command.causation.len());
    fits.then_some(command)
}

fn commit(open: &Bytes) -> Option<Commit> {
    let commit = Commit::decode(open.clone()).ok()?;
    let fits = is_envelope(&commit.id, commit.entity.as_ref(), commit.actor.as_ref())
        && commit.version > 0
        && commit.causation.len() == ID_BYTES;
    fits.then_some(commit)
}

fn is_envelope(id: &[u8], entity: Option<&Entity>, actor: Option<&Actor>) -> bool {
    id.len() == ID_BYTES
        && entity.is_some_and(|entity| !entity.name.is_empty())
        && actor.is_some_and(|actor| !actor.officer.is_empty())
}

fn is(message: &impl Message, open: &[u8]) -> bool {
    message.encode_to_vec() == open
}

#[cfg(test)]
mod tests {
    use domain::ids::EntityName;
    use event_log::Class;

    use super::*;
    use crate::testing::{alert, cancel, command, commit, true_already};

    #[test]
    fn a_command_and_a_commit_are_told_by_their_bytes() {
        let entity = EntityName::alert(alert("a"));
        let asked = command("c", &entity, 7, cancel()).open;
        let decided = commit(Class::Alert, &entity, 1, "c", 8, true_already()).open;
        let (asked, decided) = (Leaf::read(&asked).unwrap(), Leaf::read(&decided).unwrap());
        assert!(matches!(asked, Leaf::Command(_)) && asked.entity() == entity.as_str());
        assert!(matches!(decided, Leaf::Commit(_)) && decided.id().len() == ID_BYTES);
    }

    #[test]
    fn what_is_no_record_or_two_is_said_so() {
        for none in [&b""[..], b"\xff\xff", b"\x0a\x01x"] {
            assert_eq!(Leaf::read(&Bytes::from_static(none)), Err(NotALeaf::Neither));
        }
        // Somebody took pains: an actor of 16 bytes in the place of a cause, and the other way.
        let actor = |officer: &str| Actor { officer: officer.to_owned(), ..Actor::default() };
        let two = Command {
            id: Bytes::from_static(&[1; 16]),
            entity: Some(Entity { name: "alert-x".to_owned(), ..Entity::default() }),
            written_at_ms: 1,
            actor: Some(actor("an-of-fourteen")),
            causation: actor("bn-of-fourteen").encode_to_vec().into(),
            body: Some(cancel()),
            ..Command::default()
        };
        assert_eq!(Leaf::read(&two.encode_to_vec().into()), Err(NotALeaf::Both));
    }
}
