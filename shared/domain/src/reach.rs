//! Reach: the communes an alert is put to, each with the reason. Pure; the map is an argument.
//!
//! [`reach`] is what an officer chose, and one ring; [`reach_at`] also thinks: it starts narrow and
//! grows with the time that passes. Which events follow is the alert's.

pub mod corridors;
pub mod distance;
mod growth;
mod instant;
pub mod subject;
pub mod table;

#[cfg(test)]
#[path = "reach/instant_tests.rs"]
mod instant_tests;

use std::collections::{BTreeSet, VecDeque};

use self::distance::{DistanceM, Located};
pub use self::{
    growth::{FLOOR_M, Measured},
    instant::{Figures, Ground, NextStep, ProvinceLine, RULE, Reached, Terms, additions, reach_at},
    subject::Subject,
};
use crate::{
    alert::MilliPoint,
    ids::{CommuneCode, Home, ProvinceCode},
};

/// The most rings an officer may ask for.
pub const RINGS_MAX: u32 = 5;
/// The most communes an officer may name.
pub const COMMUNES_NAMED_MAX: usize = 256;
/// The most communes that one commit names; further ones follow.
pub const COMMUNES_PER_COMMIT_MAX: usize = 128;

/// The border graph, as far as reach needs it.
pub trait Borders: Send + Sync {
    /// Where the commune is at home; `None` if the map does not have it.
    fn home(&self, commune: CommuneCode) -> Option<Home>;
    /// The communes that share a border with it; none for an island or an unknown commune.
    fn neighbours(&self, commune: CommuneCode) -> &[CommuneCode];
    /// All communes of a province.
    fn of_province(&self, province: ProvinceCode) -> Vec<CommuneCode>;
    /// How far a commune lies from a point; `None` where the map does not say where it is, as a
    /// map of borders alone.
    fn distance_m(&self, _from: MilliPoint, _to: CommuneCode) -> Option<DistanceM> {
        None
    }
    /// The commune that a point belongs to; `None` where the map does not say.
    fn located(&self, _point: MilliPoint) -> Option<Located> {
        None
    }
    /// Whether the commune is a town's ward; not, where the map does not say.
    fn is_urban(&self, _commune: CommuneCode) -> bool {
        false
    }
}

/// What the officer asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ReachRequest {
    /// The system decides: [`reach_at`] by the time that has passed, [`reach`] by one ring.
    Auto,
    /// So many borders away; 0 is the own commune only, at most [`RINGS_MAX`].
    Rings(u32),
    /// These communes and the own one, at most [`COMMUNES_NAMED_MAX`].
    Communes(Vec<CommuneCode>),
    /// The whole province of the own commune.
    Province,
}

/// Why a commune is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReachReason {
    /// It raised the alert.
    Own,
    /// It borders on the commune that did.
    Border,
    /// It lies within the rings asked for.
    Ring,
    /// It was named.
    Named,
    /// The whole province is told.
    Province,
    /// It lies within the distance that somebody may have gone.
    Distance,
    /// It has a station ahead of somebody who may be riding.
    Corridor,
    /// A commune that it was relayed to relayed it onward.
    Onward,
}

impl ReachReason {
    /// The reason's word in the interface.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Border => "border",
            Self::Ring => "ring",
            Self::Named => "named",
            Self::Province => "province",
            Self::Distance => "distance",
            Self::Corridor => "corridor",
            Self::Onward => "onward",
        }
    }
}

/// One commune in reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CommuneReached {
    /// Which.
    pub home: Home,
    /// Why.
    pub reason: ReachReason,
    /// How many borders lie between; 0 for the own commune and for what was named or told with
    /// its province.
    pub ring: u32,
}

/// Why there is no reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoReach {
    /// The own commune is not on the map.
    #[error("the commune is not on the map")]
    UnknownCommune,
    /// A named commune is not on the map.
    #[error("commune {0} is not on the map")]
    UnknownNamed(CommuneCode),
    /// More rings than [`RINGS_MAX`].
    #[error("at most {RINGS_MAX} rings")]
    TooManyRings,
    /// More communes than [`COMMUNES_NAMED_MAX`].
    #[error("at most {COMMUNES_NAMED_MAX} communes")]
    TooManyNamed,
}

/// The communes an alert of `own` is put to: the own one first, then by ring and code.
///
/// # Errors
/// [`NoReach`]: the request does not fit the map or the limits.
pub fn reach(
    own: CommuneCode,
    request: &ReachRequest,
    map: &dyn Borders,
) -> Result<Vec<CommuneReached>, NoReach> {
    let home = map.home(own).ok_or(NoReach::UnknownCommune)?;
    let mut reached = vec![CommuneReached { home, reason: ReachReason::Own, ring: 0 }];
    match request {
        ReachRequest::Auto => reached.extend(rings(own, 1, map)),
        ReachRequest::Rings(count) if *count > RINGS_MAX => return Err(NoReach::TooManyRings),
        ReachRequest::Rings(count) => reached.extend(rings(own, *count, map)),
        ReachRequest::Communes(named) if named.len() > COMMUNES_NAMED_MAX => {
            return Err(NoReach::TooManyNamed);
        }
        ReachRequest::Communes(named) => {
            for code in named.iter().copied().collect::<BTreeSet<_>>() {
                let home = map.home(code).ok_or(NoReach::UnknownNamed(code))?;
                if code != own {
                    reached.push(CommuneReached { home, reason: ReachReason::Named, ring: 0 });
                }
            }
        }
        ReachRequest::Province => {
            let all = map.of_province(home.province).into_iter().collect::<BTreeSet<_>>();
            reached.extend(all.into_iter().filter(|code| *code != own).map(|commune| {
                let home = Home { province: home.province, commune };
                CommuneReached { home, reason: ReachReason::Province, ring: 0 }
            }));
        }
    }
    Ok(reached)
}

/// Breadth first over the borders; within a ring by code.
fn rings(own: CommuneCode, count: u32, map: &dyn Borders) -> Vec<CommuneReached> {
    let mut seen = BTreeSet::from([own]);
    let mut queue = VecDeque::from([(own, 0)]);
    let mut found = Vec::new();
    while let Some((commune, ring)) = queue.pop_front() {
        if ring == count {
            continue;
        }
        for next in map.neighbours(commune) {
            if let Some(home) = map.home(*next).filter(|_| seen.insert(*next)) {
                let reason = if ring == 0 { ReachReason::Border } else { ReachReason::Ring };
                found.push(CommuneReached { home, reason, ring: ring + 1 });
                queue.push_back((*next, ring + 1));
            }
        }
    }
    found.sort_by_key(|commune| (commune.ring, commune.home.commune));
    found
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A chain of communes 1 – 2 – 3 – … of one province, and an island 99.
    pub(crate) struct Chain {
        neighbours: Vec<Vec<CommuneCode>>,
    }

    pub(crate) fn code(number: usize) -> CommuneCode {
        format!("{number:05}").parse().unwrap()
    }

    impl Chain {
        pub(crate) fn of(length: usize) -> Self {
            let around = |n: usize| {
                [n.checked_sub(1).filter(|n| *n > 0), Some(n + 1).filter(|n| *n <= length)]
            };
            let neighbours =
                (1..=length).map(|n| around(n).into_iter().flatten().map(code).collect());
            Self { neighbours: neighbours.collect() }
        }

        fn index(&self, commune: CommuneCode) -> Option<usize> {
            let number: usize = commune.as_str().parse().unwrap();
            number.checked_sub(1).filter(|index| *index < self.neighbours.len())
        }
    }

    impl Borders for Chain {
        fn home(&self, commune: CommuneCode) -> Option<Home> {
            let known = self.index(commune).is_some() || commune == code(99_999);
            known.then(|| Home { province: "68".parse().unwrap(), commune })
        }
        fn neighbours(&self, commune: CommuneCode) -> &[CommuneCode] {
            self.index(commune).map_or(&[], |index| &self.neighbours[index])
        }
        fn of_province(&self, _: ProvinceCode) -> Vec<CommuneCode> {
            (1..=self.neighbours.len()).map(code).collect()
        }
    }

    fn told(own: usize, request: &ReachRequest) -> Vec<(usize, ReachReason, u32)> {
        let reached = reach(code(own), request, &Chain::of(9)).unwrap();
        let number = |c: CommuneCode| c.as_str().parse().unwrap();
        reached.iter().map(|c| (number(c.home.commune), c.reason, c.ring)).collect()
    }

    #[test]
    fn auto_is_the_own_commune_and_its_borders() {
        use ReachReason::{Border, Own};
        assert_eq!(told(4, &ReachRequest::Auto), [(4, Own, 0), (3, Border, 1), (5, Border, 1)]);
    }

    #[test]
    fn rings_name_each_commune_once_with_its_ring() {
        use ReachReason::{Border, Own, Ring};
        let two = [(2, Own, 0), (1, Border, 1), (3, Border, 1), (4, Ring, 2)];
        assert_eq!(told(2, &ReachRequest::Rings(2)), two);
        assert_eq!(told(2, &ReachRequest::Rings(0)), [(2, Own, 0)]);
        let map = Chain::of(3);
        assert_eq!(reach(code(1), &ReachRequest::Rings(6), &map), Err(NoReach::TooManyRings));
    }

    #[test]
    fn an_island_has_itself() {
        let alone = reach(code(99_999), &ReachRequest::Auto, &Chain::of(3)).unwrap();
        assert_eq!(alone.len(), 1);
    }

    #[test]
    fn named_communes_must_be_on_the_map() {
        let map = Chain::of(3);
        let named =
            |numbers: &[usize]| ReachRequest::Communes(numbers.iter().copied().map(code).collect());
        assert_eq!(reach(code(1), &named(&[3, 3, 1]), &map).unwrap().len(), 2);
        assert_eq!(reach(code(1), &named(&[7]), &map), Err(NoReach::UnknownNamed(code(7))));
        assert_eq!(reach(code(7), &ReachRequest::Auto, &map), Err(NoReach::UnknownCommune));
        assert_eq!(reach(code(1), &named(&[2; 257]), &map), Err(NoReach::TooManyNamed));
    }

    #[test]
    fn a_province_is_told_whole_and_the_own_commune_first() {
        let all = told(5, &ReachRequest::Province);
        assert_eq!(all.len(), 9);
        assert_eq!(all[0].1, ReachReason::Own);
    }
}
