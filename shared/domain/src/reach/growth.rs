//! Which communes a disc takes in, and at which size each: ring by ring over the true borders.
//!
//! A commune comes in only over a border of one that is in. Time is not known here, only sizes.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque},
};

use crate::{
    alert::MilliPoint,
    ids::{CommuneCode, Home},
    reach::{
        Borders, Ground, ProvinceLine,
        distance::{DistanceM, Located},
    },
};

/// A commune that touches the own one within this distance of the point is in at once (A).
pub const FLOOR_M: u32 = 1_000;

/// What the distances of a reach were measured to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measured {
    /// No distance was needed, or none could be had: what borders is in.
    None,
    /// Borders only.
    Border,
    /// Centres, of some communes or of all.
    Centroid,
}

impl Measured {
    /// The word in figures.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Border => "border",
            Self::Centroid => "centroid",
        }
    }

    fn and(self, distance: Option<DistanceM>) -> Self {
        let other = match distance {
            None => Self::None,
            Some(DistanceM::Border(_)) => Self::Border,
            Some(DistanceM::Centroid(_)) => Self::Centroid,
        };
        self.max(other)
    }
}

/// Where a reach may go at all.
pub(super) struct Bounds<'a> {
    pub(super) own: Home,
    pub(super) ground: &'a Ground<'a>,
}

impl Bounds<'_> {
    pub(super) fn allow(&self, home: Home) -> bool {
        let terms = self.ground.terms;
        let is_before_line =
            terms.province_line == ProvinceLine::Cross || home.province == self.own.province;
        is_before_line && (!terms.is_bordering_only || self.is_near(home.commune))
    }

    /// Whether it is the own commune or borders on it.
    pub(super) fn is_near(&self, commune: CommuneCode) -> bool {
        commune == self.own.commune || self.borders(commune)
    }

    fn borders(&self, commune: CommuneCode) -> bool {
        self.ground.map.neighbours(self.own.commune).contains(&commune)
    }

    /// The commune where somebody was last seen, where that is not plainly the own one. A centre
    /// is too rough to tell neighbours apart: then it counts only where it lies beyond them.
    pub(super) fn elsewhere(&self, point: Option<MilliPoint>) -> Option<CommuneCode> {
        match self.ground.map.located(point?)? {
            Located::Inside(commune) => Some(commune).filter(|code| *code != self.own.commune),
            Located::Nearest(commune) => Some(commune).filter(|code| !self.is_near(*code)),
        }
    }
}

/// A commune that a disc takes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grown {
    pub(super) home: Home,
    /// How many borders lie between it and the own commune; 0 where nothing leads there.
    pub(super) ring: u32,
    /// The disc takes it in at this size; 0 is at once.
    pub(super) size_m: u32,
}

/// What a disc of up to `max_m` takes in around the point, and how that was measured.
pub(super) fn grown(
    bounds: &Bounds<'_>,
    point: Option<MilliPoint>,
    max_m: u32,
) -> (Vec<Grown>, Measured) {
    let map = bounds.ground.map;
    let elsewhere = bounds.elsewhere(point).and_then(|code| map.home(code));
    let seeds: Vec<Home> =
        std::iter::once(bounds.own).chain(elsewhere.filter(|home| bounds.allow(*home))).collect();
    let (candidates, measured) = candidates(bounds, &seeds, point, max_m);
    let sizes = sizes(&seeds, &candidates, map);
    let rings = rings(bounds.own.commune, &candidates, map);
    let grown = candidates.iter().filter_map(|(code, (home, _))| {
        let ring = rings.get(code).copied().unwrap_or(0);
        Some(Grown { home: *home, ring, size_m: sizes.get(code).copied()? })
    });
    (grown.collect(), measured)
}

/// Each commune within the limits, with the size at which its own distance lets it in.
type Candidates = BTreeMap<CommuneCode, (Home, u32)>;

/// Breadth first from the seeds, over communes that the limits let in.
fn candidates(
    bounds: &Bounds<'_>,
    seeds: &[Home],
    point: Option<MilliPoint>,
    max_m: u32,
) -> (Candidates, Measured) {
    let map = bounds.ground.map;
    let mut found: Candidates = seeds.iter().map(|home| (home.commune, (*home, 0))).collect();
    let mut seen: BTreeSet<CommuneCode> = found.keys().copied().collect();
    let mut queue: VecDeque<(CommuneCode, u32)> =
        seeds.iter().map(|home| (home.commune, 0)).collect();
    let mut measured = Measured::None;
    while let Some((commune, ring)) = queue.pop_front() {
        if ring == bounds.ground.terms.rings_max {
            continue;
        }
        for next in map.neighbours(commune) {
            let home = map.home(*next).filter(|home| seen.insert(*next) && bounds.allow(*home));
            let Some(home) = home else { continue };
            let distance = point.and_then(|point| map.distance_m(point, *next));
            measured = measured.and(distance);
            if let Some(opens_m) = opens_m(distance, ring == 0, max_m) {
                found.insert(*next, (home, opens_m));
                queue.push_back((*next, ring + 1));
            }
        }
    }
    (found, measured)
}

/// The size at which a commune's own distance lets it in; `None` where it never does.
///
/// Without its border, a commune that borders a seed is in at once: measured from the centre, a
/// quarter of the true neighbours would be left out. There distance only adds.
fn opens_m(distance: Option<DistanceM>, borders_seed: bool, max_m: u32) -> Option<u32> {
    match distance {
        Some(DistanceM::Border(metres)) if borders_seed && metres <= FLOOR_M => Some(0),
        None | Some(DistanceM::Centroid(_)) if borders_seed => Some(0),
        Some(DistanceM::Border(metres) | DistanceM::Centroid(metres)) if metres <= max_m => {
            Some(metres)
        }
        _ => None,
    }
}

/// The size at which each candidate comes in: that of the widest door on the best way to it.
fn sizes(seeds: &[Home], candidates: &Candidates, map: &dyn Borders) -> BTreeMap<CommuneCode, u32> {
    let mut sizes = BTreeMap::new();
    let mut waiting: BinaryHeap<_> = seeds.iter().map(|home| Reverse((0, home.commune))).collect();
    while let Some(Reverse((size_m, commune))) = waiting.pop() {
        if sizes.contains_key(&commune) {
            continue;
        }
        sizes.insert(commune, size_m);
        for next in map.neighbours(commune).iter().filter(|next| !sizes.contains_key(next)) {
            if let Some((_, opens_m)) = candidates.get(next) {
                waiting.push(Reverse((size_m.max(*opens_m), *next)));
            }
        }
    }
    sizes
}

/// How many borders lie between each candidate and the own commune, through candidates alone.
fn rings(
    own: CommuneCode,
    candidates: &Candidates,
    map: &dyn Borders,
) -> BTreeMap<CommuneCode, u32> {
    let mut rings = BTreeMap::from([(own, 0)]);
    let mut queue = VecDeque::from([(own, 0)]);
    while let Some((commune, ring)) = queue.pop_front() {
        for next in map.neighbours(commune) {
            if candidates.contains_key(next) && !rings.contains_key(next) {
                rings.insert(*next, ring + 1);
                queue.push_back((*next, ring + 1));
            }
        }
    }
    rings
}
