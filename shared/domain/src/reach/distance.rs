//! Distances in whole metres, the same on every machine.
//!
//! Only `+ − × ÷ √` on `f64`, which IEEE 754 rounds alike everywhere; no sine of a platform's
//! library. Metres are rounded down: a commune comes in a metre early rather than late. On a plane
//! around one point (equirectangular), within 1 % for the 100 km that a reach looks at.

use crate::{alert::MilliPoint, ids::CommuneCode};

/// Metres of a degree of a great circle, on the sphere of the earth's mean radius (6,371,008.8 m).
const METRES_PER_DEGREE: f64 = 111_195.08;
/// π / 180.
const RADIANS_PER_DEGREE: f64 = 0.017_453_292_519_943_295;

/// How far a commune lies from a point, and what was measured to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DistanceM {
    /// To its border; 0 inside.
    Border(u32),
    /// To its centre, since the map has no border of it.
    Centroid(u32),
}

/// The commune that a point belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Located {
    /// It lies inside this one's border.
    Inside(CommuneCode),
    /// No border is known around it; this one's centre is nearest, which may be wrong.
    Nearest(CommuneCode),
}

/// The plane around a point: metres to the east and to the north of it.
#[derive(Debug, Clone, Copy)]
pub struct Plane {
    lat_deg: f64,
    lon_deg: f64,
    east_m_per_degree: f64,
}

impl Plane {
    /// The plane around this point.
    #[must_use]
    pub fn around(point: MilliPoint) -> Self {
        let lat_deg = f64::from(point.lat_millideg) / 1000.0;
        let lon_deg = f64::from(point.lon_millideg) / 1000.0;
        Self { lat_deg, lon_deg, east_m_per_degree: METRES_PER_DEGREE * cosine(lat_deg) }
    }

    /// Where a place lies: metres east, metres north.
    #[must_use]
    pub fn place(&self, lat_deg: f64, lon_deg: f64) -> [f64; 2] {
        let east = (lon_deg - self.lon_deg) * self.east_m_per_degree;
        [east, (lat_deg - self.lat_deg) * METRES_PER_DEGREE]
    }

    /// Whole metres from the point to a place, rounded down.
    #[must_use]
    pub fn distance_m(&self, lat_deg: f64, lon_deg: f64) -> u32 {
        let [east, north] = self.place(lat_deg, lon_deg);
        whole_metres(east * east + north * north)
    }

    /// Whole metres to another point, rounded down.
    #[must_use]
    pub fn to_point_m(&self, point: MilliPoint) -> u32 {
        self.distance_m(f64::from(point.lat_millideg) / 1000.0, f64::from(point.lon_millideg) / 1e3)
    }
}

/// The squared distance, in m², from the plane's own point to the stretch between two places.
#[must_use]
pub fn to_stretch_m2([east, north]: [f64; 2], [east_to, north_to]: [f64; 2]) -> f64 {
    let (along_east, along_north) = (east_to - east, north_to - north);
    let length_m2 = along_east * along_east + along_north * along_north;
    let share = if length_m2 > 0.0 {
        (-(east * along_east + north * along_north) / length_m2).clamp(0.0, 1.0)
    } else {
        0.0
    };
    let (near_east, near_north) = (east + share * along_east, north + share * along_north);
    near_east * near_east + near_north * near_north
}

/// The root of a squared distance, rounded down to whole metres.
#[must_use]
pub fn whole_metres(squared_m2: f64) -> u32 {
    // The cast cuts the fraction off and saturates; a square is never negative.
    squared_m2.sqrt() as u32
}

/// The cosine by its Taylor polynomial of the 14th degree: exact to 1e-9 for every latitude.
fn cosine(degrees: f64) -> f64 {
    let radians = degrees * RADIANS_PER_DEGREE;
    let square = radians * radians;
    // By Horner's rule, from 1/14! to 1/0!, with alternating signs.
    [182.0, 132.0, 90.0, 56.0, 30.0, 12.0, 2.0]
        .iter()
        .fold(1.0, |sum, factors| 1.0 - sum * square / factors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(lat_millideg: i32, lon_millideg: i32) -> MilliPoint {
        MilliPoint { lat_millideg, lon_millideg }
    }

    #[test]
    fn the_cosine_is_the_cosine() {
        for degrees in -90..=90 {
            let degrees = f64::from(degrees);
            let off = (cosine(degrees) - degrees.to_radians().cos()).abs();
            assert!(off < 1e-9, "{degrees}: {off}");
        }
    }

    #[test]
    fn known_ways_have_their_length() {
        // Hà Nội's station to Vinh's is 260 km as the crow flies, on a sphere.
        let hanoi = Plane::around(point(21_025, 105_841));
        let vinh_m = hanoi.to_point_m(point(18_687, 105_664));
        assert!((260_000..261_500).contains(&vinh_m), "{vinh_m}");
        // A thousandth of a degree to the north is 111 m everywhere.
        assert_eq!(hanoi.to_point_m(point(21_026, 105_841)), 111);
        assert_eq!(hanoi.to_point_m(point(21_025, 105_842)), 103);
        assert_eq!(hanoi.to_point_m(point(21_025, 105_841)), 0);
    }

    #[test]
    fn a_stretch_is_near_at_its_nearest_place() {
        for (from, to, metres) in [
            ([-10.0, 5.0], [10.0, 5.0], 5),
            ([3.0, 4.0], [30.0, 40.0], 5),
            ([3.0, 4.0], [3.0, 4.0], 5),
            ([-1.0, -1.0], [1.0, 1.0], 0),
        ] {
            assert_eq!(whole_metres(to_stretch_m2(from, to)), metres, "{from:?} {to:?}");
            assert_eq!(whole_metres(to_stretch_m2(to, from)), metres, "{to:?} {from:?}");
        }
    }
}
