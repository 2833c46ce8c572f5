//! Limits of asking: how many alerts an officer and a commune may raise in a minute (S8).
//!
//! In memory and per process: it stops a flood, not a crime; that is `freeze`'s. What takes back
//! or answers is never limited.

use std::collections::{BTreeMap, VecDeque};

use crate::ids::{CommuneCode, Millis, OfficerId};

/// Raises a minute, of one officer and of one commune, where no policy says otherwise.
pub const RAISES_PER_MINUTE_DEFAULT: u32 = 60;
/// The most raises a minute that a policy may allow; it bounds what is remembered.
pub const RAISES_PER_MINUTE_MAX: u32 = 1_000;
/// Officers and communes remembered at a time.
const REMEMBERED_MAX: usize = 10_000;
const WINDOW_MS: i64 = 60_000;

/// What somebody does, as far as limits and freezes tell one from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// A new alert.
    Raise,
    /// More, or others, are told: update, widen, release, reopen, approve.
    Extend,
    /// Takes back or ends: correct, cancel, resolve, hold, decline.
    TakeBack,
    /// Answers: acknowledge, refuse, instructions, a sighting.
    Answer,
}

impl Act {
    /// Whether it counts towards the limit, and is refused above it.
    #[must_use]
    pub fn is_limited(self) -> bool {
        matches!(self, Self::Raise)
    }

    /// Whether a freeze stops it. Never a correction, and never an answer.
    #[must_use]
    pub fn stops_when_frozen(self) -> bool {
        matches!(self, Self::Raise | Self::Extend)
    }
}

/// Too many. The caller asks again later; over HTTP this is 429.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many alerts a minute; again in {retry_after_ms} ms")]
pub struct TooMany {
    /// Whether the officer alone was too many; else it was the commune.
    pub is_of_officer: bool,
    /// When there is room again, in milliseconds from now; at least 1.
    pub retry_after_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Officer(OfficerId),
    Commune(CommuneCode),
}

/// A window that slides: in no minute are there more than the limit.
#[derive(Debug, Clone)]
pub struct RateLimit {
    raises_per_minute_max: u32,
    raised: BTreeMap<Who, VecDeque<Millis>>,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self::new(RAISES_PER_MINUTE_DEFAULT)
    }
}

impl RateLimit {
    /// A limit of at least 1 and at most [`RAISES_PER_MINUTE_MAX`].
    #[must_use]
    pub fn new(raises_per_minute_max: u32) -> Self {
        let raises_per_minute_max = raises_per_minute_max.clamp(1, RAISES_PER_MINUTE_MAX);
        Self { raises_per_minute_max, raised: BTreeMap::new() }
    }

    /// Another limit from now on; what was counted stays counted.
    pub fn limit_to(&mut self, raises_per_minute_max: u32) {
        self.raises_per_minute_max = raises_per_minute_max.max(1);
    }

    /// Counts an act of an officer for a commune. What is refused counts for neither.
    ///
    /// # Errors
    /// [`TooMany`]; never where the act is not limited.
    pub fn take(
        &mut self,
        act: Act,
        officer: &OfficerId,
        commune: CommuneCode,
        now: Millis,
    ) -> Result<(), TooMany> {
        if !act.is_limited() {
            return Ok(());
        }
        let both = [Who::Officer(officer.clone()), Who::Commune(commune)];
        for who in &both {
            if let Some(retry_after_ms) = self.wait_ms(who, now) {
                let is_of_officer = matches!(who, Who::Officer(_));
                return Err(TooMany { is_of_officer, retry_after_ms });
            }
        }
        for who in both {
            self.make_room(now);
            self.raised.entry(who).or_default().push_back(now);
        }
        Ok(())
    }

    /// How long until there is room; `None` where there is room now.
    fn wait_ms(&mut self, who: &Who, now: Millis) -> Option<u64> {
        let max = usize::try_from(self.raises_per_minute_max).unwrap_or(usize::MAX);
        let raised = self.raised.get_mut(who)?;
        // A clock that was set back must not shut a commune out: what lies ahead is forgotten.
        raised.retain(|at| *at <= now && is_within(*at, now));
        let oldest = raised.len().checked_sub(max).and_then(|over| raised.get(over))?;
        Some(oldest.plus_ms(WINDOW_MS).since_ms(now).max(1))
    }

    /// Forgets who is idle; where too few are, the half that raised longest ago, so that this is
    /// seldom done. Memory is bounded, and nobody is refused for it.
    fn make_room(&mut self, now: Millis) {
        if self.raised.len() < REMEMBERED_MAX {
            return;
        }
        self.raised.retain(|_, raised| raised.back().is_some_and(|at| is_within(*at, now)));
        if self.raised.len() < REMEMBERED_MAX / 2 {
            return;
        }
        let mut longest_ago: Vec<(Option<Millis>, Who)> =
            self.raised.iter().map(|(who, raised)| (raised.back().copied(), who.clone())).collect();
        longest_ago.sort_unstable();
        for (_, who) in longest_ago.iter().take(REMEMBERED_MAX / 2) {
            self.raised.remove(who);
        }
    }
}

fn is_within(at: Millis, now: Millis) -> bool {
    now.since_ms(at) < WINDOW_MS.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn officer(n: usize) -> OfficerId {
        format!("o{n}").parse().unwrap()
    }

    fn commune(n: usize) -> CommuneCode {
        format!("{n:05}").parse().unwrap()
    }

    fn raise(limit: &mut RateLimit, (by, of): (usize, usize), at: i64) -> Result<(), (bool, u64)> {
        limit
            .take(Act::Raise, &officer(by), commune(of), Millis(at))
            .map_err(|many| (many.is_of_officer, many.retry_after_ms))
    }

    #[test]
    fn the_window_slides() {
        let mut limit = RateLimit::new(2);
        for (who, at, then) in [
            ((1, 1), 0, Ok(())),
            ((1, 1), 10_000, Ok(())),
            ((1, 1), 20_000, Err((true, 40_000))),
            // Another officer, the same commune.
            ((2, 1), 20_000, Err((false, 40_000))),
            ((2, 2), 20_000, Ok(())),
            // The same officer, another commune.
            ((1, 2), 59_999, Err((true, 1))),
            ((1, 1), 60_000, Ok(())),
            ((1, 1), 60_000, Err((true, 10_000))),
            // The clock is set back: nobody is shut out.
            ((1, 1), 5, Ok(())),
        ] {
            assert_eq!(raise(&mut limit, who, at), then, "{who:?} at {at}");
        }
    }

    #[test]
    fn what_takes_back_or_answers_is_neither_limited_nor_frozen() {
        let mut limit = RateLimit::new(1);
        assert_eq!(raise(&mut limit, (1, 1), 0), Ok(()));
        assert!(raise(&mut limit, (1, 1), 0).is_err());
        for act in [Act::TakeBack, Act::Answer] {
            assert!(!act.is_limited() && !act.stops_when_frozen());
            for _ in 0..1_000 {
                assert_eq!(limit.take(act, &officer(1), commune(1), Millis(0)), Ok(()));
            }
        }
        assert!(Act::Raise.stops_when_frozen() && Act::Extend.stops_when_frozen());
    }

    #[test]
    fn memory_is_bounded_and_nobody_is_refused_for_it() {
        let mut limit = RateLimit::new(1);
        for n in 0..REMEMBERED_MAX {
            assert_eq!(raise(&mut limit, (n, n), 0), Ok(()));
            assert!(limit.raised.len() <= REMEMBERED_MAX);
        }
        // Who raised last is remembered still, and everybody idle is forgotten when room is short.
        assert!(raise(&mut limit, (REMEMBERED_MAX - 1, 0), 1).is_err());
        let mut n = REMEMBERED_MAX;
        while limit.raised.len() < REMEMBERED_MAX {
            assert_eq!(raise(&mut limit, (n, n), 2), Ok(()));
            n += 1;
        }
        limit.make_room(Millis(70_000));
        assert!(limit.raised.is_empty());
    }

    proptest! {
        #[test]
        fn no_minute_has_more_than_the_limit_and_who_waits_gets_in(
            max in 1u32..5,
            steps in proptest::collection::vec((0usize..3, 0usize..2, 0i64..40_000), 0..60),
        ) {
            let mut limit = RateLimit::new(max);
            let mut now = 0;
            let mut taken: Vec<(usize, usize, i64)> = vec![];
            for (by, of, later) in steps {
                now += later;
                let within = |one: &&(usize, usize, i64)| now - one.2 < 60_000;
                let of_officer = taken.iter().filter(within).filter(|one| one.0 == by).count();
                let of_commune = taken.iter().filter(within).filter(|one| one.1 == of).count();
                let has_room = of_officer.max(of_commune) < max as usize;
                match raise(&mut limit, (by, of), now) {
                    Ok(()) => {
                        prop_assert!(has_room);
                        taken.push((by, of, now));
                    }
                    Err((_, retry_after_ms)) => {
                        prop_assert!(!has_room);
                        prop_assert!((1..=60_000).contains(&retry_after_ms));
                    }
                }
            }
        }
    }
}
