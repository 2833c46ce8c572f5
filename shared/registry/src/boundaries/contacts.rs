//! How far the boundaries of two communes run together. Every bit of a commune's boundary counts
//! for who lies across it: the nearest other commune within the tolerance, if there is one.
//! Holes are boundaries as any other, and so are the parts of a commune: an enclave borders what
//! surrounds it, and an island nothing.

use std::collections::BTreeMap;

use domain::ids::CommuneCode;
use geo::{Line, LinesIter};
use rstar::{AABB, RTree, RTreeObject};

use super::{
    features::Boundary,
    sides::{Course, Stretch},
};

/// Where boundaries are not drawn on top of each other, they are looked at bit by bit; metres.
const BIT_M_MAX: f64 = 2.0;

/// A pair of communes whose boundaries run together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contact {
    /// The lesser code.
    pub a: CommuneCode,
    /// The greater code.
    pub b: CommuneCode,
    /// For how long; metres. Seen from each side this may differ a little: it is the shorter one.
    pub length_m: f64,
}

/// A side of a ring.
struct Side {
    owner: usize,
    line: Line<f64>,
}

impl RTreeObject for Side {
    type Envelope = AABB<[f64; 2]>;

    fn envelope(&self) -> Self::Envelope {
        let Line { start, end } = self.line;
        AABB::from_corners([start.x, start.y], [end.x, end.y])
    }
}

/// All contacts, sorted. The boundaries are sorted by code, so that their order in the file does
/// not matter.
pub(super) fn measure(boundaries: &[Boundary], snap_m: f64) -> Vec<Contact> {
    let sides = boundaries.iter().enumerate().flat_map(|(owner, boundary)| {
        boundary.shape.lines_iter().map(move |line| Side { owner, line })
    });
    let index = RTree::bulk_load(sides.collect());
    // By places in the order of codes: the length seen from the lesser one, and from the greater.
    let mut lengths: BTreeMap<(usize, usize), [f64; 2]> = BTreeMap::new();
    for (owner, boundary) in boundaries.iter().enumerate() {
        for line in boundary.shape.lines_iter() {
            let Some(course) = Course::of(line) else { continue };
            let stretches = stretches(&course, &Side { owner, line }, &index, snap_m);
            share_out(&course, &stretches, |other, length_m| {
                let pair = (owner.min(other), owner.max(other));
                let [lesser, greater] = lengths.entry(pair).or_default();
                *if owner < other { lesser } else { greater } += length_m;
            });
        }
    }
    let contact = |((a, b), [lesser, greater]): ((usize, usize), [f64; 2])| {
        let (a, b) = (boundaries.get(a)?.code, boundaries.get(b)?.code);
        Some(Contact { a, b, length_m: lesser.min(greater) })
    };
    lengths.into_iter().filter_map(contact).collect()
}

/// Where other communes lie within the tolerance of a side, in the order of its course.
fn stretches(course: &Course, side: &Side, index: &RTree<Side>, snap_m: f64) -> Vec<Stretch> {
    let (lon, lat) = course.degrees(snap_m);
    let ([west, south], [east, north]) = (side.envelope().lower(), side.envelope().upper());
    let around = AABB::from_corners([west - lon, south - lat], [east + lon, north + lat]);
    let mut found: Vec<Stretch> = index
        .locate_in_envelope_intersecting(&around)
        .filter(|near| near.owner != side.owner)
        .filter_map(|near| course.near(near.line, near.owner, snap_m))
        .collect();
    found.sort_by(|one, other| one.low.total_cmp(&other.low));
    found
}

/// Gives each bit of the course to who lies across it.
fn share_out(course: &Course, stretches: &[Stretch], mut give: impl FnMut(usize, f64)) {
    let mut cuts: Vec<f64> = stretches.iter().flat_map(|one| [one.low, one.high]).collect();
    cuts.sort_by(f64::total_cmp);
    let mut coming = stretches.iter().peekable();
    let mut present: Vec<&Stretch> = Vec::new();
    let mut owners = Vec::new();
    for pair in cuts.windows(2) {
        let &[low, high] = pair else { continue };
        while let Some(stretch) = coming.next_if(|stretch| stretch.low <= low) {
            present.push(stretch);
        }
        present.retain(|stretch| stretch.high >= high);
        if low >= high || present.is_empty() {
            continue;
        }
        owners.extend(
            present.iter().filter(|one| course.is_one_with(low, high, one)).map(|one| one.owner),
        );
        if owners.is_empty() {
            // No side is so long that its bits would not fit.
            let bits = ((high - low) / BIT_M_MAX).ceil() as u32;
            let bit_m = (high - low) / f64::from(bits);
            for bit in 0..bits {
                let middle_m = low + bit_m * (f64::from(bit) + 0.5);
                course.across(middle_m, &present, &mut owners);
                give_each(&mut owners, bit_m, &mut give);
            }
        } else {
            give_each(&mut owners, high - low, &mut give);
        }
    }
}

/// Each once, also where several of its sides lie there.
fn give_each(owners: &mut Vec<usize>, length_m: f64, give: &mut impl FnMut(usize, f64)) {
    owners.sort_unstable();
    owners.dedup();
    for owner in owners.drain(..) {
        give(owner, length_m);
    }
}
