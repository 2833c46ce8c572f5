//! What this process said and no proof covers yet. By the index of its entry in the outbox: what
//! a leaf looks like is worked out when proofs are looked at, off the way of an alert.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

/// Half of a leaf's hash: nobody finds another leaf with the same.
pub(crate) type Leaf = [u8; 16];

/// One entry that waits.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    leaf: Option<Leaf>,
    is_command: bool,
    since: Instant,
    /// Since when the broker says that it stands in the log.
    stands: Option<Instant>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Owed(BTreeMap<u64, Waiting>);

impl Owed {
    /// It was said.
    pub(crate) fn said(&mut self, entry: u64, is_command: bool) {
        let since = Instant::now();
        self.0.insert(entry, Waiting { leaf: None, is_command, since, stands: None });
    }

    /// The broker says that it stands in the log.
    pub(crate) fn stands(&mut self, entry: u64) {
        if let Some(waiting) = self.0.get_mut(&entry) {
            waiting.stands.get_or_insert_with(Instant::now);
        }
    }

    /// It is not in the log and need not be, or a proof covers it.
    pub(crate) fn settled(&mut self, entry: u64) {
        self.0.remove(&entry);
    }

    /// A proof covers everything before `below`, and these.
    pub(crate) fn proven(&mut self, below: u64, beyond: &[u64]) {
        self.0 = self.0.split_off(&below);
        beyond.iter().for_each(|entry| self.settled(*entry));
    }

    /// Commits that were said so long ago and of which nobody has heard, the oldest first: at most
    /// so many. A command is sent until the broker has it.
    pub(crate) fn unheard(&self, after: Duration, most: usize) -> Vec<u64> {
        let is_unheard = |waiting: &Waiting| {
            !waiting.is_command && waiting.stands.is_none() && waiting.since.elapsed() >= after
        };
        let unheard = self.0.iter().filter(|(_, waiting)| is_unheard(waiting));
        unheard.map(|(entry, _)| *entry).take(most).collect()
    }

    /// The first entry that waits; `None` where none does.
    pub(crate) fn first(&self) -> Option<u64> {
        self.0.keys().next().copied()
    }

    /// How many wait that stand in the log, and since when the oldest does.
    pub(crate) fn waiting(&self) -> (u64, Option<Instant>) {
        let stands = || self.0.values().filter_map(|waiting| waiting.stands);
        (stands().count() as u64, stands().min())
    }

    /// Those that stand in the log for so long, and no proof has come.
    pub(crate) fn overdue(&self, patience: Duration) -> Vec<u64> {
        let is_late = |waiting: &Waiting| waiting.stands.is_some_and(|at| at.elapsed() >= patience);
        self.0.iter().filter(|(_, waiting)| is_late(waiting)).map(|(entry, _)| *entry).collect()
    }

    /// Those whose leaf is not worked out yet.
    pub(crate) fn unhashed(&self) -> Vec<u64> {
        self.0.iter().filter(|(_, waiting)| waiting.leaf.is_none()).map(|(at, _)| *at).collect()
    }

    /// What the leaf of an entry is.
    pub(crate) fn hashed(&mut self, entry: u64, leaf: Leaf) {
        if let Some(waiting) = self.0.get_mut(&entry) {
            waiting.leaf = Some(leaf);
        }
    }

    /// The leaves that wait, each with its entry.
    pub(crate) fn leaves(&self) -> Vec<(Leaf, u64)> {
        let leaf = |(entry, waiting): (&u64, &Waiting)| Some((waiting.leaf?, *entry));
        self.0.iter().filter_map(leaf).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn what_stands_is_owed_until_it_is_proven() {
        let mut owed = Owed::default();
        (0..4).for_each(|entry| owed.said(entry, entry == 0));
        owed.settled(1);
        [2, 3].into_iter().for_each(|entry| owed.stands(entry));
        assert_eq!((owed.first(), owed.waiting().0), (Some(0), 2));
        assert!(owed.overdue(MINUTE).is_empty());

        tokio::time::advance(MINUTE).await;
        owed.stands(2);
        assert_eq!(owed.overdue(MINUTE), [2, 3], "said twice, it stands since the first time");
        owed.proven(0, &[2]);
        assert_eq!((owed.overdue(MINUTE), owed.first()), (vec![3], Some(0)));
        owed.proven(4, &[]);
        assert_eq!((owed.waiting(), owed.first()), ((0, None), None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_commit_of_which_nobody_heard_is_looked_for_after_a_while() {
        let mut owed = Owed::default();
        owed.said(7, false);
        owed.said(8, true);
        owed.said(9, false);
        owed.said(10, false);
        owed.stands(10);
        assert!(owed.unheard(MINUTE, 9).is_empty());
        tokio::time::advance(MINUTE).await;
        assert_eq!(owed.unheard(MINUTE, 9), [7, 9], "a command is sent until the broker has it");
        assert_eq!(owed.unheard(MINUTE, 1), [7]);
        owed.settled(7);
        owed.stands(9);
        assert!(owed.unheard(MINUTE, 9).is_empty());
        assert_eq!(owed.first(), Some(8), "and what stands is owed");
    }

    #[tokio::test(start_paused = true)]
    async fn leaves_are_found_by_their_hash() {
        let mut owed = Owed::default();
        (0..3).for_each(|entry| owed.said(entry, false));
        assert_eq!(owed.unhashed(), [0, 1, 2]);
        owed.hashed(0, [9; 16]);
        owed.hashed(2, [1; 16]);
        assert_eq!(owed.leaves(), [([9; 16], 0), ([1; 16], 2)]);
        assert_eq!(owed.unhashed(), [1]);
    }
}
