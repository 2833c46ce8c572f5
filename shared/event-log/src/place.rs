//! A reactor's place, shared by its instances: what was handed out, to whom, and what comes again.
//!
//! Pure: time is an argument. For logs that keep places themselves; a broker keeps its own.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::record::Position;

/// One place. Each position up to [`Place::asked`] is handed out to an instance, waits to be
/// handed out again, or is done with; so what was acknowledged out of order needs no list.
#[derive(Debug, Default)]
pub struct Place {
    asked: Position,
    /// Handed out and not acknowledged: to which instance.
    handed_out: BTreeMap<Position, u64>,
    /// To be handed out again: not before when.
    again: BTreeMap<Position, Instant>,
}

impl Place {
    /// The place of a reactor that is done with everything up to `position`.
    #[must_use]
    pub fn behind(position: Position) -> Self {
        Self { asked: position, ..Self::default() }
    }

    /// Up to where the instances have asked.
    #[must_use]
    pub fn asked(&self) -> Position {
        self.asked
    }

    /// Up to where nothing needs to be seen again, were all instances gone now.
    #[must_use]
    pub fn done(&self) -> Position {
        let open = [self.handed_out.keys().next(), self.again.keys().next()];
        open.into_iter().flatten().map(|position| position - 1).fold(self.asked, Position::min)
    }

    /// When the first of what comes again is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.again.values().min().copied()
    }

    /// Hands out to `instance` the first record that comes again and is due.
    pub fn take_again(&mut self, instance: u64, now: Instant) -> Option<Position> {
        let due = self.again.iter().find(|(_, due)| **due <= now).map(|(position, _)| *position)?;
        self.again.remove(&due);
        self.handed_out.insert(due, instance);
        Some(due)
    }

    /// Hands out to `instance` the next record, and passes what lies before it.
    pub fn take(&mut self, instance: u64, position: Position) {
        self.pass(position);
        self.handed_out.insert(position, instance);
    }

    /// Nothing up to `position` is for this reactor, beside what was handed out.
    pub fn pass(&mut self, position: Position) {
        self.asked = self.asked.max(position);
    }

    /// Done with, whoever had it.
    pub fn acknowledge(&mut self, position: Position) {
        self.handed_out.remove(&position);
        self.again.remove(&position);
    }

    /// `instance` could not handle it: comes again at `due`. Says whether `instance` had it.
    pub fn give_back(&mut self, instance: u64, position: Position, due: Instant) -> bool {
        let had = self.handed_out.get(&position) == Some(&instance);
        if had {
            self.handed_out.remove(&position);
            self.again.insert(position, due);
        }
        had
    }

    /// `instance` is gone: what it had comes again at once. Says whether it had something.
    pub fn leave(&mut self, instance: u64, now: Instant) -> bool {
        let had = self.handed_out.extract_if(.., |_, holder| *holder == instance);
        let left: Vec<_> = had.map(|(position, _)| (position, now)).collect();
        let some = !left.is_empty();
        self.again.extend(left);
        some
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_place_never_passes_what_is_open() {
        let now = Instant::now();
        let mut place = Place::behind(3);
        for position in [4, 6, 7] {
            place.take(1, position);
        }
        place.pass(9);
        assert_eq!((place.asked(), place.done()), (9, 3));
        place.acknowledge(6);
        assert_eq!(place.done(), 3, "4 is still out");
        place.acknowledge(4);
        assert_eq!(place.done(), 6, "7 is still out");
        assert!(place.leave(1, now));
        assert_eq!(place.done(), 6, "7 comes again");
        assert_eq!(place.take_again(2, now), Some(7));
        place.acknowledge(7);
        assert_eq!(place.done(), 9);
    }

    #[test]
    fn what_was_given_back_waits_until_it_is_due() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let mut place = Place::default();
        place.take(1, 1);
        assert!(!place.give_back(2, 1, later), "another instance has it");
        assert!(place.give_back(1, 1, later));
        assert_eq!(place.take_again(2, now), None);
        assert_eq!(place.next_due(), Some(later));
        assert_eq!(place.take_again(2, later), Some(1));
        assert_eq!(place.take_again(2, later), None, "handed out once");
    }
}
