//! Channels whose targets were found gone, or for which no account was there, and that took
//! nothing since: they do not work, as far as is known. Folded from receipts; read again from the
//! log at each start.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use domain::ids::{ChannelId, GroupId};
use event_log::Recorded;
use prost::Message;
use wire::{
    commit::events_of,
    v1::{Commit, Outcome, event::Event},
};

/// What fan-out says of an attempt for which it has no account.
const NO_ACCOUNT: &str = "no-account";

/// Why a channel does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Its target is gone, until it takes something.
    TargetGone,
    /// Whoever tried last had no account for it, until somebody tries who has.
    NoAccount,
}

/// The channels.
#[derive(Default)]
pub(crate) struct Gone(Mutex<BTreeMap<(GroupId, ChannelId), Why>>);

impl Gone {
    /// The channels as they stand.
    pub(crate) fn channels(&self) -> BTreeSet<(GroupId, ChannelId)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
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
                let Ok(outcome) = Outcome::try_from(receipt.outcome) else { continue };
                self.note((group, channel), outcome, &receipt.trouble);
            }
        }
    }

    fn note(&self, channel: (GroupId, ChannelId), outcome: Outcome, trouble: &str) {
        let mut gone = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = gone.get(&channel).copied();
        let now = match outcome {
            Outcome::Gone => Some(Why::TargetGone),
            // What can be known to have been done on its channel; some never tell more.
            Outcome::Delivered | Outcome::Accepted | Outcome::HandedOver | Outcome::Read => None,
            _ if before == Some(Why::TargetGone) => before,
            _ if trouble == NO_ACCOUNT => Some(Why::NoAccount),
            _ => None,
        };
        match now {
            Some(why) => gone.insert(channel, why),
            None => gone.remove(&channel),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(group: &str) -> (GroupId, ChannelId) {
        (group.parse().unwrap(), "webhook-1".parse().unwrap())
    }

    #[test]
    fn what_is_gone_works_again_once_it_took_something() {
        for taken in [Outcome::Delivered, Outcome::Accepted, Outcome::HandedOver, Outcome::Read] {
            let gone = Gone::default();
            gone.note(channel("a"), Outcome::Gone, "status");
            gone.note(channel("b"), Outcome::NotReached, "connect");
            gone.note(channel("a"), Outcome::Unknown, "timeout");
            gone.note(channel("a"), Outcome::NotReached, NO_ACCOUNT);
            gone.note(channel("a"), Outcome::NotReached, "connect");
            assert_eq!(gone.channels(), BTreeSet::from([channel("a")]));
            gone.note(channel("a"), taken, "");
            assert!(gone.channels().is_empty(), "{taken:?}");
        }
    }

    #[test]
    fn a_channel_without_an_account_works_again_once_somebody_has_one() {
        let gone = Gone::default();
        gone.note(channel("a"), Outcome::NotReached, NO_ACCOUNT);
        assert_eq!(gone.channels(), BTreeSet::from([channel("a")]));
        gone.note(channel("a"), Outcome::NotReached, "connect");
        assert!(gone.channels().is_empty());
    }
}
