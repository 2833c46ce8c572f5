//! A reactor's place at a broker: as a durable consumer of JetStream keeps it. What was handed
//! out and is not acknowledged comes again after a while, also while somebody still has it.

use std::{collections::BTreeMap, time::Duration};

use event_log::Position;
use tokio::time::Instant;

/// After this long what was not acknowledged comes again.
const ACK_WAIT: Duration = Duration::from_secs(10);
/// After this long what was given back comes again.
const GIVEN_BACK: Duration = Duration::from_secs(1);

/// One place, shared by the instances under one name.
#[derive(Debug, Default)]
pub struct Place {
    asked: Position,
    /// Handed out and not acknowledged: when each comes again.
    open: BTreeMap<Position, Instant>,
}

impl Place {
    /// Up to where records were handed out.
    #[must_use]
    pub fn asked(&self) -> Position {
        self.asked
    }

    /// Hands out the next record.
    pub fn take(&mut self, position: Position, now: Instant) {
        self.asked = self.asked.max(position);
        self.open.insert(position, now + ACK_WAIT);
    }

    /// Hands out a record that is due to come again.
    pub fn take_again(&mut self, now: Instant) -> Option<Position> {
        let (position, due) = self.open.iter_mut().find(|(_, due)| **due <= now)?;
        *due = now + ACK_WAIT;
        Some(*position)
    }

    /// When the first of what comes again is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.open.values().min().copied()
    }

    /// Done with.
    pub fn acknowledge(&mut self, position: Position) {
        self.open.remove(&position);
    }

    /// Not now.
    pub fn give_back(&mut self, position: Position, now: Instant) {
        if let Some(due) = self.open.get_mut(&position) {
            *due = now + GIVEN_BACK;
        }
    }

    /// The class has nothing behind `head` any more: what takes its place there is new.
    pub fn cut(&mut self, head: Position) {
        self.asked = self.asked.min(head);
        self.open.retain(|position, _| *position <= head);
    }

    /// The process that kept the place was killed: what was not acknowledged comes again at once,
    /// and up to `back` of what was, since that was not yet on disk.
    pub fn restart(&mut self, back: Position) {
        let done = self.open.keys().next().map_or(self.asked, |first| first - 1);
        self.asked = done.saturating_sub(back);
        self.open.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_acknowledged_comes_again() {
        let now = Instant::now();
        let mut place = Place::default();
        place.take(1, now);
        place.take(2, now);
        place.acknowledge(1);
        assert_eq!(place.take_again(now), None);
        assert_eq!(place.take_again(now + ACK_WAIT), Some(2));
        place.give_back(2, now + ACK_WAIT);
        assert_eq!(place.next_due(), Some(now + ACK_WAIT + GIVEN_BACK));
        place.take(3, now);
        place.cut(2);
        assert_eq!(place.asked(), 2);
        place.restart(5);
        assert_eq!((place.asked(), place.next_due()), (0, None));
    }
}
