//! Boundaries to neighbours: reads the polygons of communes (GeoJSON, RFC 7946), measures how far
//! the boundaries of two of them run together, and makes a map of it.
//!
//! A tool of the operator: no alert waits for anything here. Nothing is drawn, cut or mended, and
//! no border is invented: an island stays without a neighbour.

mod contacts;
mod faults;
mod features;
mod lines;
mod sides;

use std::path::Path;

use domain::ids::{CommuneCode, ProvinceCode};

pub use contacts::Contact;
pub use faults::{BoundaryError, FeatureFaults};
use features::Boundary;

use crate::{fault::read, map::Map};

/// The largest file of boundaries that is read. All communes of 2025, unsimplified, take less.
pub const BOUNDARIES_BYTES_MAX: u64 = 512 << 20;

/// A pair borders where its boundaries run together for longer than this; metres.
pub const MIN_BORDER_M: f64 = 50.0;

/// Two boundaries run together where they lie no farther apart than this; metres.
///
/// Polygons of one source share their vertices and need none of it: those of 2025 give the same
/// borders from 0.5 m to 300 m. Those of two sources do not: a line drawn twice, or rounded to
/// the fourth decimal, strays by some 10 m. Every bit of a boundary counts for the nearest commune
/// only, so that more tolerance does not make neighbours of communes with a third between them;
/// but where nothing lies between, as at a coast, it lengthens each contact by up to about
/// itself, and must stay well below [`MIN_BORDER_M`]. Thinned polygons, as those of 2022, need
/// more of both: at 20 m 96 % of their borders are found, at 160 m all but two of 929.
pub const SNAP_M: f64 = 20.0;

/// What makes a border.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BorderRule {
    /// See [`MIN_BORDER_M`].
    pub min_border_m: f64,
    /// See [`SNAP_M`].
    pub snap_m: f64,
}

impl Default for BorderRule {
    fn default() -> Self {
        Self { min_border_m: MIN_BORDER_M, snap_m: SNAP_M }
    }
}

/// Which province a commune lies in, where its feature does not say so.
#[derive(Debug, Clone, Copy)]
pub struct Homes<'a> {
    /// The province of all of them, if told; its name is this map's.
    pub province: Option<ProvinceCode>,
    /// Otherwise that of the commune of the same code here.
    pub known: &'a Map,
}

/// A map made from boundaries.
#[derive(Debug)]
pub struct Imported {
    /// JSON Lines, sorted by code; [`Map::parse`] takes it.
    pub text: String,
    /// The same, read.
    pub map: Map,
    /// Pairs that touch, by at least a metre, but not for long enough to border.
    pub touching: Vec<Contact>,
    /// How many communes have a province that their feature did not name.
    pub homes_found: usize,
}

/// The communes of a file with their polygons: sorted by code, no code twice.
#[derive(Debug)]
pub struct Boundaries(Vec<Boundary>);

impl Boundaries {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, BoundaryError> {
        let parsed = read(path, BOUNDARIES_BYTES_MAX, |bytes| Ok(Self::parse(bytes)))?;
        parsed.map_err(|faults| BoundaryError::Faulty { path: path.display().to_string(), faults })
    }

    /// Reads a FeatureCollection: each feature a commune with `code`, `name` and `type` in its
    /// properties, optionally `province_code`, `province`, `province_type`, `ascii`, `valid_from`
    /// and `valid_to`; others are not looked at.
    pub fn parse(bytes: &[u8]) -> Result<Self, FeatureFaults> {
        features::parse(bytes).map(Self)
    }

    /// The codes, sorted.
    pub fn codes(&self) -> impl ExactSizeIterator<Item = CommuneCode> {
        self.0.iter().map(|boundary| boundary.code)
    }

    /// All pairs whose boundaries run together at all, sorted.
    #[must_use]
    pub fn contacts(&self, snap_m: f64) -> Vec<Contact> {
        contacts::measure(&self.0, snap_m)
    }

    /// The map, with polygons if wanted.
    pub fn to_map(
        &self,
        rule: BorderRule,
        homes: Homes<'_>,
        with_polygons: bool,
    ) -> Result<Imported, FeatureFaults> {
        let (borders, touching): (Vec<_>, Vec<_>) = self
            .contacts(rule.snap_m)
            .into_iter()
            .partition(|contact| contact.length_m > rule.min_border_m);
        let touching = touching.into_iter().filter(|contact| contact.length_m >= 1.0).collect();
        let text = lines::write(&self.0, &borders, homes, with_polygons)?;
        let map = lines::check(&self.0, &text)?;
        let homes_found = self.0.iter().filter(|boundary| !boundary.names_its_home()).count();
        Ok(Imported { text, map, touching, homes_found })
    }
}
