//! The border of a commune as a line on the ground: is a point inside, and how far off is it?
//!
//! Only the map's own polygon, as it was written; what borders what is not read off it here.

use domain::{
    alert::MilliPoint,
    reach::distance::{Plane, to_stretch_m2, whole_metres},
};

/// The rings of a commune's polygons, holes among them: a point is inside where a line from it
/// crosses them an odd number of times. Longitude and latitude in degrees, as GeoJSON has them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outline {
    rings: Box<[Box<[[f64; 2]]>]>,
    /// The least and the most of longitude and of latitude: most points are far outside.
    least: [f64; 2],
    most: [f64; 2],
}

impl Outline {
    /// `None` for no ring at all. Rings are closed: the last point is the first.
    pub(crate) fn of(rings: Vec<Vec<[f64; 2]>>) -> Option<Self> {
        let rings: Box<[_]> = rings.into_iter().map(Vec::into_boxed_slice).collect();
        let (mut least, mut most) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for [lon, lat] in rings.iter().flatten() {
            least = [lon.min(least[0]), lat.min(least[1])];
            most = [lon.max(most[0]), lat.max(most[1])];
        }
        (!rings.is_empty()).then_some(Self { rings, least, most })
    }

    /// Each ring: longitude and latitude of its points, the last as the first.
    pub(crate) fn rings(&self) -> impl Iterator<Item = &[[f64; 2]]> {
        self.rings.iter().map(AsRef::as_ref)
    }

    /// Whether the point is inside. On the line itself it may be either; the distance is 0 then.
    pub(crate) fn holds(&self, point: MilliPoint) -> bool {
        let lon = f64::from(point.lon_millideg) / 1000.0;
        let lat = f64::from(point.lat_millideg) / 1000.0;
        let is_near = (self.least[0]..=self.most[0]).contains(&lon)
            && (self.least[1]..=self.most[1]).contains(&lat);
        if !is_near {
            return false;
        }
        let crossed = |plane: &Plane| {
            self.stretches(plane).filter(|stretch| is_crossed_eastward(*stretch)).count()
        };
        crossed(&Plane::around(point)) % 2 == 1
    }

    /// Whole metres to the line, rounded down; 0 inside.
    pub(crate) fn distance_m(&self, point: MilliPoint) -> u32 {
        if self.holds(point) {
            return 0;
        }
        let plane = Plane::around(point);
        let nearest = self
            .stretches(&plane)
            .map(|(from, to)| to_stretch_m2(from, to))
            .fold(f64::INFINITY, f64::min);
        whole_metres(nearest)
    }

    /// Every stretch of every ring, on the plane around a point.
    fn stretches<'a>(
        &'a self,
        plane: &'a Plane,
    ) -> impl Iterator<Item = ([f64; 2], [f64; 2])> + 'a {
        let place = |[lon, lat]: [f64; 2]| plane.place(lat, lon);
        self.rings.iter().flat_map(move |ring| {
            ring.iter().zip(ring.iter().skip(1)).map(move |(from, to)| (place(*from), place(*to)))
        })
    }
}

/// Whether the half-line from the plane's own point to the east crosses the stretch. Of its two
/// ends, one counts, so that a corner on the half-line is crossed once or not at all.
fn is_crossed_eastward(([east, north], [east_to, north_to]): ([f64; 2], [f64; 2])) -> bool {
    if (north > 0.0) == (north_to > 0.0) {
        return false;
    }
    east - north * (east_to - east) / (north_to - north) > 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(west: f64, south: f64, side: f64) -> Vec<[f64; 2]> {
        let (east, north) = (west + side, south + side);
        vec![[west, south], [east, south], [east, north], [west, north], [west, south]]
    }

    fn point(lat_millideg: i32, lon_millideg: i32) -> MilliPoint {
        MilliPoint { lat_millideg, lon_millideg }
    }

    #[test]
    fn inside_is_nought_and_outside_is_to_the_nearest_stretch() {
        let outline = Outline::of(vec![square(107.0, 11.0, 0.1)]).unwrap();
        for (at, metres) in [
            (point(11_050, 107_050), 0),
            (point(11_090, 107_010), 0),
            // 10 thousandths of a degree to the north, to the east, and to the corner.
            (point(11_110, 107_050), 1_111),
            (point(11_050, 107_110), 1_091),
            (point(11_110, 107_110), 1_557),
        ] {
            assert_eq!(
                (outline.distance_m(at), outline.holds(at)),
                (metres, metres == 0),
                "{at:?}"
            );
        }
    }

    #[test]
    fn a_hole_is_outside_and_an_island_in_it_inside() {
        let rings = vec![
            square(107.0, 11.0, 0.1),
            square(107.03, 11.03, 0.04),
            square(107.04, 11.04, 0.02),
        ];
        let outline = Outline::of(rings).unwrap();
        for (at, is_inside) in [
            (point(11_010, 107_010), true),
            (point(11_035, 107_050), false),
            (point(11_050, 107_050), true),
            (point(11_050, 107_090), true),
            (point(11_050, 107_200), false),
        ] {
            assert_eq!(outline.holds(at), is_inside, "{at:?}");
        }
        assert_eq!(outline.distance_m(point(11_035, 107_050)), 555);
        assert!(Outline::of(vec![]).is_none());
    }
}
