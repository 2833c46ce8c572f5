//! What this process said and no proof covers yet. By the index of its entry in the outbox: what
//! a leaf looks like is worked out when proofs are looked at, off the way of an alert.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

/// Half of a leaf's hash: nobody finds another leaf with the same.
pub(crate) type Leaf = [u8; 16];

/// What became of a commit, where nobody was told, is known after this, or never.
const UNDECIDED_MAX: Duration = Duration::from_secs(600);

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
    /// It was said. A commit whose fate stays unknown is not owed: nobody was told of it.
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

    /// After reading the outbox: what the last run said and never heard of is only owed where it
    /// is a command, which is sent again.
    pub(crate) fn forget_undecided(&mut self) {
        self.forget(|_| true);
    }

    /// What was said too long ago, and never heard of.
    pub(crate) fn forget_old_undecided(&mut self) {
        self.forget(|waiting| waiting.since.elapsed() >= UNDECIDED_MAX);
    }

    fn forget(&mut self, is_old: impl Fn(&Waiting) -> bool) {
        self.0.retain(|_, waiting| {
            waiting.is_command || waiting.stands.is_some() || !is_old(waiting)
        });
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

    /// The leaves that wait, in their order, each with its entry.
    pub(crate) fn leaves(&self) -> Vec<(Leaf, u64)> {
        let leaf = |(entry, waiting): (&u64, &Waiting)| Some((waiting.leaf?, *entry));
        let mut leaves: Vec<_> = self.0.iter().filter_map(leaf).collect();
        leaves.sort_unstable();
        leaves
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
    async fn a_commit_of_which_nobody_heard_is_not_owed_for_ever() {
        let mut owed = Owed::default();
        owed.said(7, false);
        owed.said(8, true);
        owed.forget_old_undecided();
        assert_eq!(owed.first(), Some(7));
        tokio::time::advance(UNDECIDED_MAX).await;
        owed.forget_old_undecided();
        assert_eq!(owed.first(), Some(8), "a command is sent until the broker has it");
        owed.said(9, false);
        owed.forget_undecided();
        assert_eq!(owed.unhashed(), [8]);
    }

    #[tokio::test(start_paused = true)]
    async fn leaves_are_found_by_their_hash() {
        let mut owed = Owed::default();
        (0..3).for_each(|entry| owed.said(entry, false));
        assert_eq!(owed.unhashed(), [0, 1, 2]);
        owed.hashed(0, [9; 16]);
        owed.hashed(2, [1; 16]);
        assert_eq!(owed.leaves(), [([1; 16], 2), ([9; 16], 0)]);
        assert_eq!(owed.unhashed(), [1]);
    }
}
