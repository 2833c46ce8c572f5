//! Channels whose targets were found gone, and not delivered to since: they do not work, as far
//! as is known. Folded from receipts; read again from the log at each start.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use domain::ids::{ChannelId, GroupId};
use event_log::Recorded;
use prost::Message;
use wire::{
    commit::events_of,
    v1::{Commit, Outcome, event::Event},
};

/// The channels.
#[derive(Default)]
pub(crate) struct Gone(Mutex<BTreeSet<(GroupId, ChannelId)>>);

impl Gone {
    /// The channels as they stand.
    pub(crate) fn channels(&self) -> BTreeSet<(GroupId, ChannelId)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes in a record of receipts.
    pub(crate) fn saw(&self, recorded: &Recorded) {
        // What cannot be decoded is alarmed by whoever decides on it.
        let Ok(commit) = Commit::decode(recorded.open.clone()) else { return };
        for event in events_of(commit).unwrap_or_default() {
            let Event::ReceiptsRecorded(recorded) = event else { continue };
            for receipt in recorded.receipts {
                let Some(target) = receipt.target else { continue };
                let (Ok(group), Ok(channel)) = (target.group.parse(), target.channel.parse())
                else {
                    continue;
                };
                self.note((group, channel), Outcome::try_from(receipt.outcome).ok());
            }
        }
    }

    fn note(&self, channel: (GroupId, ChannelId), outcome: Option<Outcome>) {
        let mut gone = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Some(Outcome::Gone) => {
                gone.insert(channel);
            }
            Some(Outcome::Delivered) => {
                gone.remove(&channel);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_works_again_once_it_took_something() {
        let gone = Gone::default();
        let channel = |group: &str| (group.parse().unwrap(), "webhook-1".parse().unwrap());
        gone.note(channel("a"), Some(Outcome::Gone));
        gone.note(channel("b"), Some(Outcome::NotReached));
        gone.note(channel("a"), Some(Outcome::Unknown));
        assert_eq!(gone.channels(), BTreeSet::from([channel("a")]));
        gone.note(channel("a"), Some(Outcome::Delivered));
        assert!(gone.channels().is_empty());
    }
}
