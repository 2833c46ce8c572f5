//! The events of a commit, as everybody reads them who only follows.

use prost::Message;

use crate::{
    NotDecodable,
    v1::{self, commit::Outcome, event::Event},
};

/// How deep a recovered commit may lie within recovered ones.
const RECOVERED_DEPTH_MAX: u32 = 4;

/// The events of a commit, in order; none where it refused or changed nothing. Those of a commit
/// that the broker lost, and that was appended again as `Recovered`, stand in its place.
///
/// # Errors
/// Something of it is newer than this program: its entity is to be held.
pub fn events_of(commit: v1::Commit) -> Result<Vec<Event>, NotDecodable> {
    let mut events = Vec::new();
    gather(commit, RECOVERED_DEPTH_MAX, &mut events)?;
    Ok(events)
}

fn gather(commit: v1::Commit, depth: u32, into: &mut Vec<Event>) -> Result<(), NotDecodable> {
    match commit.outcome {
        Some(Outcome::Events(events)) => {
            for event in events.events {
                match event.event.ok_or(NotDecodable("an event"))? {
                    Event::Recovered(recovered) if depth > 0 => {
                        let lost = v1::Commit::decode(recovered.original)
                            .map_err(|_| NotDecodable("a recovered commit"))?;
                        gather(lost, depth - 1, into)?;
                    }
                    Event::Recovered(_) => return Err(NotDecodable("a recovered commit")),
                    event => into.push(event),
                }
            }
            Ok(())
        }
        Some(Outcome::AlreadyTrue(_) | Outcome::Refused(_)) => Ok(()),
        None => Err(NotDecodable("a commit's outcome")),
    }
}
