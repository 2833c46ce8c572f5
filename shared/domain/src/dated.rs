//! What is in force from one instant to another, and versions of the directory; for the map see
//! [`crate::maps`].
//!
//! Adopting a version is an event with its hash, so that the replay of an old alert finds the staff
//! of its day. Two versions are never in force at once, and no past is rewritten.

use crate::{
    decider::{Decider, Refusal},
    ids::Millis,
};

/// The most versions of one thing: a new one every week for twenty years.
pub const VERSIONS_MAX: usize = 1_024;

/// From when until when something holds: the beginning counts, the end does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Validity {
    from: Option<Millis>,
    to: Option<Millis>,
}

impl Validity {
    /// Holds always.
    pub const ALWAYS: Self = Self { from: None, to: None };

    /// From when, until when; `None` is without a bound. `None` where it would never hold.
    #[must_use]
    pub fn of(from: Option<Millis>, to: Option<Millis>) -> Option<Self> {
        let is_empty = from.zip(to).is_some_and(|(from, to)| to <= from);
        (!is_empty).then_some(Self { from, to })
    }

    /// From when; `None`: always before, too.
    #[must_use]
    pub fn from(self) -> Option<Millis> {
        self.from
    }

    /// Until when; `None`: without an end.
    #[must_use]
    pub fn to(self) -> Option<Millis> {
        self.to
    }

    /// The same, with an end no later than `end`.
    #[must_use]
    pub fn until(self, end: Millis) -> Self {
        Self { to: Some(self.to.map_or(end, |to| to.min(end))), ..self }
    }

    /// Whether it holds at `at`.
    #[must_use]
    pub fn holds(self, at: Millis) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at < to)
    }

    /// Whether there is an instant at which both hold.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        let begins_in_time = |a: Self, b: Self| match (a.from, b.to) {
            (Some(from), Some(to)) => from < to,
            _ => true,
        };
        begins_in_time(self, other) && begins_in_time(other, self)
    }
}

/// One version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version {
    /// 1 for the first that was adopted.
    pub number: u32,
    /// SHA-256 of its lines, sorted by key, each in RFC 8785 form.
    pub sha256: [u8; 32],
    /// How many lines it has.
    pub lines: u32,
    /// When it holds.
    pub valid: Validity,
}

/// Asks for a version to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adopt {
    /// SHA-256 of its lines, sorted by key, each in RFC 8785 form.
    pub sha256: [u8; 32],
    /// How many lines it has.
    pub lines: u32,
    /// When it holds. One without an end gives way to the next.
    pub valid: Validity,
}

/// A version was adopted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adopted {
    /// Which.
    pub version: Version,
    /// The version without an end that ends where this one begins; 0 for none.
    pub ends: u32,
}

/// Why a version is not adopted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAdopted {
    /// Another version holds at the same time.
    #[error("version {number} holds at the same time")]
    Overlaps {
        /// Which.
        number: u32,
    },
    /// It would hold before now, when alerts were decided by another.
    #[error("a later version cannot begin in the past")]
    InThePast,
    /// There are too many.
    #[error("at most {VERSIONS_MAX} versions")]
    TooMany,
}

impl From<NotAdopted> for Refusal {
    fn from(not: NotAdopted) -> Self {
        match not {
            NotAdopted::Overlaps { .. } => Self { code: "overlaps", field: "valid_from" },
            NotAdopted::InThePast => Self { code: "in-the-past", field: "valid_from" },
            NotAdopted::TooMany => Self { code: "over-limit", field: "" },
        }
    }
}

/// All versions of one thing, in the order of their adoption.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Versions {
    versions: Vec<Version>,
}

impl Versions {
    /// The version in force at `at`. Where a lost record came back and two would hold, the one
    /// that was adopted later counts.
    #[must_use]
    pub fn at(&self, at: Millis) -> Option<&Version> {
        self.versions.iter().rev().find(|version| version.valid.holds(at))
    }

    /// All, in the order of their adoption.
    #[must_use]
    pub fn all(&self) -> &[Version] {
        &self.versions
    }

    fn adopt(&self, adopt: &Adopt, now: Millis) -> Result<Vec<Adopted>, NotAdopted> {
        let same = |version: &Version| {
            version.sha256 == adopt.sha256 && version.valid.from == adopt.valid.from
        };
        if self.versions.iter().any(same) {
            return Ok(vec![]);
        }
        if self.versions.len() >= VERSIONS_MAX {
            return Err(NotAdopted::TooMany);
        }
        if !self.versions.is_empty() && adopt.valid.from.is_none_or(|from| from < now) {
            return Err(NotAdopted::InThePast);
        }
        let gives_way =
            |before: &&Version| before.valid.to.is_none() && before.valid.from < adopt.valid.from;
        let ends = self.versions.iter().find(gives_way).map_or(0, |before| before.number);
        let holds_too =
            |before: &&Version| before.number != ends && before.valid.overlaps(adopt.valid);
        if let Some(other) = self.versions.iter().find(holds_too) {
            return Err(NotAdopted::Overlaps { number: other.number });
        }
        let last = self.versions.iter().map(|version| version.number).max().unwrap_or(0);
        let Adopt { sha256, lines, valid } = *adopt;
        let version = Version { number: last.saturating_add(1), sha256, lines, valid };
        Ok(vec![Adopted { version, ends }])
    }
}

impl Decider for Versions {
    type Command = Adopt;
    type Event = Adopted;
    type Rejection = NotAdopted;
    /// Now.
    type Facts = Millis;

    fn decide(&self, adopt: &Adopt, now: &Millis) -> Result<Vec<Adopted>, NotAdopted> {
        self.adopt(adopt, *now)
    }

    fn evolve(mut self, event: &Adopted) -> Self {
        if self.versions.iter().any(|version| version.number == event.version.number) {
            return self;
        }
        for before in &mut self.versions {
            if before.number == event.ends {
                before.valid.to = event.version.valid.from;
            }
        }
        self.versions.push(event.version);
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn adopt(hash: u8, from: Option<i64>, to: Option<i64>) -> Adopt {
        let valid = Validity::of(from.map(Millis), to.map(Millis)).unwrap();
        Adopt { sha256: [hash; 32], lines: 1, valid }
    }

    fn given(adopts: &[Adopt]) -> Versions {
        adopts.iter().fold(Versions::default(), |versions, adopt| {
            let events = versions.decide(adopt, &Millis(0)).unwrap();
            events.iter().fold(versions, Versions::evolve)
        })
    }

    /// Given these, when this is adopted at this time, then so many events or a refusal.
    fn check(adopts: &[Adopt], when: Adopt, now: i64, then: Result<usize, NotAdopted>) {
        let decided = given(adopts).decide(&when, &Millis(now)).map(|events| events.len());
        assert_eq!(decided, then, "given {adopts:?} when {when:?}");
    }

    #[test]
    fn one_version_holds_at_a_time() {
        let first = adopt(1, None, None);
        let second = adopt(2, Some(100), None);
        check(&[], first, 50, Ok(1));
        check(&[first], first, 50, Ok(0));
        check(&[first], second, 50, Ok(1));
        check(&[first, second], second, 500, Ok(0));
        check(&[first], adopt(2, None, Some(9)), 0, Err(NotAdopted::InThePast));
        check(&[first], second, 101, Err(NotAdopted::InThePast));
        let over = |number| Err(NotAdopted::Overlaps { number });
        check(&[first, second], adopt(3, Some(100), None), 0, over(2));
        check(&[first, second], adopt(3, Some(50), Some(101)), 0, over(1));
        check(&[first, adopt(2, Some(100), Some(200))], adopt(3, Some(150), None), 0, over(2));
        check(&[first, adopt(2, Some(100), Some(200))], adopt(3, Some(200), None), 0, Ok(1));
    }

    #[test]
    fn an_old_alert_finds_the_version_of_its_day() {
        let versions = given(&[
            adopt(1, None, None),
            adopt(2, Some(100), None),
            adopt(3, Some(200), Some(300)),
        ]);
        let number = |at| versions.at(Millis(at)).map(|version| version.number);
        assert_eq!(number(i64::MIN), Some(1));
        assert_eq!(number(99), Some(1));
        assert_eq!(number(100), Some(2));
        assert_eq!(number(200), Some(3));
        assert_eq!(number(300), None);
    }

    #[test]
    fn a_validity_that_never_holds_is_none() {
        assert_eq!(Validity::of(Some(Millis(5)), Some(Millis(5))), None);
        assert!(Validity::ALWAYS.holds(Millis(i64::MAX)));
    }

    fn any_validity() -> impl Strategy<Value = Validity> {
        let bound = || prop::option::weighted(0.7, -5i64..30);
        (bound(), bound()).prop_filter_map("never holds", |(from, to)| {
            Validity::of(from.map(Millis), to.map(Millis))
        })
    }

    proptest! {
        #[test]
        fn overlapping_means_that_both_hold_at_once(a in any_validity(), b in any_validity()) {
            let both = (-10i64..40).any(|at| a.holds(Millis(at)) && b.holds(Millis(at)));
            prop_assert_eq!(a.overlaps(b), both);
            prop_assert_eq!(b.overlaps(a), both);
        }

        #[test]
        fn no_past_is_rewritten_and_no_two_hold(
            history in prop::collection::vec((0u8..5, any_validity(), 0i64..4), 0..16),
        ) {
            let (mut versions, mut now) = (Versions::default(), 0);
            for (hash, valid, later) in history {
                now += later;
                let before = versions.clone();
                let adopt = Adopt { sha256: [hash; 32], lines: 1, valid };
                let Ok(events) = versions.decide(&adopt, &Millis(now)) else { continue };
                versions = events.iter().chain(&events).fold(versions, Versions::evolve);
                prop_assert_eq!(versions.decide(&adopt, &Millis(now)), Ok(vec![]));
                for at in -10..40 {
                    let holding =
                        versions.all().iter().filter(|version| version.valid.holds(Millis(at)));
                    prop_assert!(holding.count() <= 1);
                    if at < now && !before.all().is_empty() {
                        let number = |of: &Versions| of.at(Millis(at)).map(|v| v.number);
                        prop_assert_eq!(number(&before), number(&versions));
                    }
                }
            }
        }
    }
}
