//! Maps with their dates: which one is in force, which ones were, and which may follow.
//!
//! An installation has one map at a time. Its dates are those of the arrangement that it shows;
//! by which map an alert was decided stands in that alert's own commits, and nothing here
//! changes that.

use std::sync::Arc;

use crate::{
    dated::Validity,
    hex::hex,
    ids::{MapVersion, Millis},
};

/// So many digits of the hash are the name of a map whose file names none.
const NAME_DIGITS: usize = 12;

/// Which map, and when it holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MapFacts {
    /// SHA-256 of its communes' lines, sorted by code, each in RFC 8785 form.
    pub sha256: [u8; 32],
    /// How many communes it has.
    pub communes: u32,
    /// As its file names it.
    version: Option<MapVersion>,
    /// When it holds.
    pub valid: Validity,
}

impl MapFacts {
    /// A map; `version` is `None` where its file has neither version nor dates. A version that is
    /// the beginning of the hash says no more than none.
    #[must_use]
    pub fn of(
        sha256: [u8; 32],
        communes: u32,
        version: Option<MapVersion>,
        valid: Validity,
    ) -> Self {
        let version = version.filter(|version| version.as_str() != hash_name(&sha256));
        Self { sha256, communes, version, valid }
    }

    /// Its version, as its file names it; otherwise the first 12 hex digits of its hash.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        match &self.version {
            Some(version) => version.as_str().into(),
            None => hash_name(&self.sha256).into(),
        }
    }

    /// Whether its file names version and dates.
    #[must_use]
    pub fn is_dated(&self) -> bool {
        self.version.is_some()
    }

    /// Whether adopting `next` would say nothing new: the same communes, unless `next` is the
    /// first to say their version and dates.
    #[must_use]
    pub fn says(&self, next: &Self) -> bool {
        self.sha256 == next.sha256 && (self.is_dated() || !next.is_dated())
    }

    /// Whether `next` may take its place. Only a map that says from when on it holds, and later
    /// than this one: a file that was mistaken for another one takes nobody's place.
    #[must_use]
    pub fn gives_way_to(&self, next: &Self) -> bool {
        let is_later = match (self.valid.from(), next.valid.from()) {
            (Some(before), Some(after)) => before < after,
            _ => false,
        };
        next.is_dated() && self.sha256 != next.sha256 && is_later
    }
}

fn hash_name(sha256: &[u8; 32]) -> String {
    hex(sha256).chars().take(NAME_DIGITS).collect()
}

/// All maps that were adopted, in the order of their adoption.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Maps(Vec<MapFacts>);

impl Maps {
    /// The one in force.
    #[must_use]
    pub fn last(&self) -> Option<&MapFacts> {
        self.0.last()
    }

    /// Those that were in force before it; each ends where the next one begins.
    #[must_use]
    pub fn before(&self) -> &[MapFacts] {
        self.0.split_last().map_or(&[], |(_, before)| before)
    }

    /// Takes in that a map was adopted; the same communes again say their dates.
    pub fn adopt(&mut self, map: &MapFacts) {
        match self.0.last_mut() {
            Some(last) if last.sha256 == map.sha256 => *last = map.clone(),
            Some(last) => {
                last.valid = map.valid.from().map_or(last.valid, |from| last.valid.until(from));
                self.0.push(map.clone());
            }
            None => self.0.push(map.clone()),
        }
    }
}

/// The dates of a map, held against a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotInForce {
    /// It begins later.
    NotYet(Millis),
    /// It has ended.
    NoLonger(Millis),
}

impl NotInForce {
    /// Why a map of this validity is not in force; `None` where it is, and where the clock shows a
    /// time before `clock_from`, at which it cannot be: then nothing can be told.
    #[must_use]
    pub fn at(now: Millis, valid: Validity, clock_from: Millis) -> Option<Self> {
        if now < clock_from {
            return None;
        }
        let not_yet = valid.from().filter(|from| now < *from).map(Self::NotYet);
        not_yet.or(valid.to().filter(|to| *to <= now).map(Self::NoLonger))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(hash: u8, version: Option<&str>, from: Option<i64>, to: Option<i64>) -> MapFacts {
        let valid = Validity::of(from.map(Millis), to.map(Millis)).unwrap();
        MapFacts::of([hash; 32], 1, version.map(|text| text.parse().unwrap()), valid)
    }

    #[test]
    fn a_map_that_names_no_version_has_the_first_digits_of_its_hash() {
        assert_eq!(&*map(0xab, None, None, None).name(), "abababababab");
        assert_eq!(&*map(0xab, Some("2025-07-01"), Some(5), None).name(), "2025-07-01");
        let named = map(0xab, Some("abababababab"), Some(5), None);
        assert_eq!((named.is_dated(), &*named.name()), (false, "abababababab"));
    }

    #[test]
    fn each_map_ends_where_the_next_one_begins() {
        let mut maps = Maps::default();
        assert_eq!((maps.last(), maps.before()), (None, &[][..]));
        maps.adopt(&map(1, None, None, None));
        maps.adopt(&map(1, Some("a"), Some(10), None));
        assert_eq!(maps.before(), [], "the same communes are the same map");
        maps.adopt(&map(2, Some("b"), Some(20), Some(99)));
        maps.adopt(&map(1, Some("c"), Some(30), None));
        let before = [map(1, Some("a"), Some(10), Some(20)), map(2, Some("b"), Some(20), Some(30))];
        assert_eq!(maps.before(), before);
        assert_eq!(maps.last(), Some(&map(1, Some("c"), Some(30), None)));
    }

    #[test]
    fn an_end_that_came_before_the_next_beginning_stays() {
        let mut maps = Maps::default();
        maps.adopt(&map(1, Some("a"), Some(10), Some(15)));
        maps.adopt(&map(2, Some("b"), Some(20), None));
        assert_eq!(maps.before(), [map(1, Some("a"), Some(10), Some(15))]);
    }

    #[test]
    fn a_map_is_in_force_from_its_beginning_to_its_end() {
        let valid = map(1, Some("a"), Some(10), Some(20)).valid;
        let at = |now| NotInForce::at(Millis(now), valid, Millis(5));
        assert_eq!(at(9), Some(NotInForce::NotYet(Millis(10))));
        assert_eq!((at(10), at(19)), (None, None));
        assert_eq!(at(20), Some(NotInForce::NoLonger(Millis(20))));
        assert_eq!(at(4), None, "the clock is wrong");
        assert_eq!(NotInForce::at(Millis(4), Validity::ALWAYS, Millis(0)), None);
    }
}
