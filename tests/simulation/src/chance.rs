//! Chance: splitmix64 (Steele, Lea, Flood 2014), all of it from one seed.
//!
//! No other source of chance is used anywhere in this crate.

use std::sync::{Mutex, PoisonError};

/// A stream of numbers. The same seed gives the same stream. Any thread may draw, but a history
/// is one only where one thread does.
#[derive(Debug)]
pub struct Chance(Mutex<u64>);

impl Chance {
    /// A stream of its own for each seed and purpose.
    #[must_use]
    pub fn of(seed: u64, purpose: &str) -> Self {
        let mixed = purpose.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(Mutex::new(mixed))
    }

    /// The next number.
    pub fn draw(&self) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `below` - 1; 0 where `below` is 0.
    pub fn below(&self, below: u64) -> u64 {
        self.draw().checked_rem(below).unwrap_or(0)
    }

    /// A number within these bounds.
    pub fn between(&self, least: u64, most: u64) -> u64 {
        least.saturating_add(self.below(most.saturating_sub(least).saturating_add(1)))
    }

    /// True once in `many` times.
    pub fn once_in(&self, many: u64) -> bool {
        self.below(many) == 0
    }

    /// One of these; `None` where there is none.
    pub fn one_of<T: Copy>(&self, some: &[T]) -> Option<T> {
        let index = self.below(some.len() as u64);
        some.get(usize::try_from(index).unwrap_or(0)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_is_one_stream_and_purposes_differ() {
        let draw = |seed, purpose| {
            let chance = Chance::of(seed, purpose);
            [chance.draw(), chance.draw(), chance.draw()]
        };
        assert_eq!(draw(7, "log"), draw(7, "log"));
        assert_ne!(draw(7, "log"), draw(7, "targets"));
        assert_ne!(draw(7, "log"), draw(8, "log"));
        let chance = Chance::of(1, "bounds");
        assert!((0..1_000).all(|_| (3..=5).contains(&chance.between(3, 5))));
        assert_eq!(chance.below(0), 0);
    }
}
