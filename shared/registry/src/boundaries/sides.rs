//! The arithmetic of straight sides in a plane, in metres: where a side runs within a distance of
//! another, and whether it runs along it or away from it.
//!
//! The plane is equirectangular at the middle of the side that is measured. A side and what lies
//! within metres of it are so close together that the earth's curvature does not matter; that a
//! degree of longitude is shorter in the north than in the south does, and is in the scale.

use geo::{Coord, Line};

/// Closer than this, two sides are one; metres. Coordinates of a source are rounded to far more.
const EXACT_M: f64 = 0.01;

/// Metres of a degree at a latitude of the WGS84 ellipsoid.
#[derive(Debug, Clone, Copy)]
struct Scale {
    lon_m: f64,
    lat_m: f64,
}

impl Scale {
    /// The usual series; off by less than a centimetre.
    fn at(lat: f64) -> Self {
        let phi = lat.to_radians();
        let lat_m = 111_132.92 - 559.82 * (2.0 * phi).cos() + 1.175 * (4.0 * phi).cos();
        let lon_m = 111_412.84 * phi.cos() - 93.5 * (3.0 * phi).cos();
        Self { lon_m, lat_m }
    }
}

/// A side that is measured: it begins at the origin of its plane.
#[derive(Debug)]
pub(super) struct Course {
    begin: Coord<f64>,
    scale: Scale,
    /// Of length 1.
    along: Coord<f64>,
    pub(super) length_m: f64,
}

/// The part of a course that lies within the tolerance of a side of another commune.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    /// Metres from the beginning of the course.
    pub(super) low: f64,
    pub(super) high: f64,
    /// The other commune, by its place.
    pub(super) owner: usize,
    from: Coord<f64>,
    to: Coord<f64>,
}

impl Course {
    /// `None` for a side without length.
    pub(super) fn of(side: Line<f64>) -> Option<Self> {
        let begin = side.start;
        let scale = Scale::at(f64::midpoint(side.start.y, side.end.y));
        let end = metres(side.end - begin, scale);
        let length_m = length(end);
        (length_m > 0.0).then(|| Self { begin, scale, along: end / length_m, length_m })
    }

    /// A distance in degrees of longitude and latitude.
    pub(super) fn degrees(&self, distance_m: f64) -> (f64, f64) {
        (distance_m / self.scale.lon_m, distance_m / self.scale.lat_m)
    }

    /// Where this course lies within `snap_m` of a side: one stretch, since all that lies within
    /// a distance of a side is convex.
    pub(super) fn near(&self, side: Line<f64>, owner: usize, snap_m: f64) -> Option<Stretch> {
        let from = metres(side.start - self.begin, self.scale);
        let to = metres(side.end - self.begin, self.scale);
        let parts = [self.disc(from, snap_m), self.disc(to, snap_m), self.band(from, to, snap_m)];
        let hull = |(low, high): (f64, f64), part: (f64, f64)| (low.min(part.0), high.max(part.1));
        let (low, high) = parts.into_iter().flatten().reduce(hull)?;
        let (low, high) = (low.max(0.0), high.min(self.length_m));
        (low < high).then_some(Stretch { low, high, owner, from, to })
    }

    /// Where it lies within `radius` of a point.
    fn disc(&self, centre: Coord<f64>, radius: f64) -> Option<(f64, f64)> {
        let (ahead, aside) = (dot(centre, self.along), cross(centre, self.along));
        let half_2 = radius * radius - aside * aside;
        (half_2 >= 0.0).then(|| (ahead - half_2.sqrt(), ahead + half_2.sqrt()))
    }

    /// Where it lies beside a side, within `radius` of its line.
    fn band(&self, from: Coord<f64>, to: Coord<f64>, radius: f64) -> Option<(f64, f64)> {
        let span_m = length(to - from);
        if span_m <= 0.0 {
            return None;
        }
        let span = (to - from) / span_m;
        let begin = -from;
        let beside = between(dot(begin, span), dot(self.along, span), 0.0, span_m)?;
        let close = between(cross(begin, span), cross(self.along, span), -radius, radius)?;
        let (low, high) = (beside.0.max(close.0), beside.1.min(close.1));
        (low <= high).then_some((low, high))
    }

    /// From the point `at_m` along this course to the nearest point of the stretch's side.
    fn way(&self, at_m: f64, stretch: &Stretch) -> Coord<f64> {
        let point = self.along * at_m;
        let span = stretch.to - stretch.from;
        let span_2 = dot(span, span);
        let share = if span_2 > 0.0 { dot(point - stretch.from, span) / span_2 } else { 0.0 };
        stretch.from + span * share.clamp(0.0, 1.0) - point
    }

    /// Whether course and side are one from `low_m` to `high_m`: the distance to a side is
    /// convex, so that nothing between the ends is farther than they are.
    pub(super) fn is_one_with(&self, low_m: f64, high_m: f64, stretch: &Stretch) -> bool {
        [low_m, high_m].into_iter().all(|at_m| length(self.way(at_m, stretch)) <= EXACT_M)
    }

    /// Which communes lie across the boundary at a point of this course: the nearest, and who is
    /// as near as that. A side that the course runs away from, as at a corner, does not lie
    /// across: the way to it leads rather along the boundary (by more than 45°) than over it.
    pub(super) fn across(&self, at_m: f64, stretches: &[&Stretch], owners: &mut Vec<usize>) {
        owners.clear();
        let distance = |stretch: &Stretch| {
            let way = self.way(at_m, stretch);
            let distance_m = length(way);
            let leads_along =
                dot(way, self.along).abs() > distance_m * std::f64::consts::FRAC_1_SQRT_2;
            (distance_m <= EXACT_M || !leads_along).then_some(distance_m)
        };
        let Some(least) = stretches.iter().filter_map(|one| distance(one)).reduce(f64::min) else {
            return;
        };
        let nearest = stretches
            .iter()
            .filter(|one| distance(one).is_some_and(|distance_m| distance_m <= least + EXACT_M));
        owners.extend(nearest.map(|one| one.owner));
    }
}

/// Where `at_0 + slope * x` lies from `least` to `most`.
fn between(at_0: f64, slope: f64, least: f64, most: f64) -> Option<(f64, f64)> {
    if slope.abs() < 1e-12 {
        let everywhere = (f64::NEG_INFINITY, f64::INFINITY);
        return (least..=most).contains(&at_0).then_some(everywhere);
    }
    let ends = ((least - at_0) / slope, (most - at_0) / slope);
    Some((ends.0.min(ends.1), ends.0.max(ends.1)))
}

fn metres(degrees: Coord<f64>, scale: Scale) -> Coord<f64> {
    Coord { x: degrees.x * scale.lon_m, y: degrees.y * scale.lat_m }
}

fn dot(a: Coord<f64>, b: Coord<f64>) -> f64 {
    a.x * b.x + a.y * b.y
}

fn cross(a: Coord<f64>, b: Coord<f64>) -> f64 {
    a.x * b.y - a.y * b.x
}

fn length(a: Coord<f64>) -> f64 {
    a.x.hypot(a.y)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_degree_is_as_long_as_on_the_ellipsoid() {
        // From tables of WGS84: metres of a degree of longitude and of latitude.
        for (lat, lon_m, lat_m) in [(0.0, 111_319.5, 110_574.3), (15.0, 107_550.5, 110_649.0)] {
            let scale = Scale::at(lat);
            assert!((scale.lon_m - lon_m).abs() < 1.0, "{lat}: {scale:?}");
            assert!((scale.lat_m - lat_m).abs() < 1.0, "{lat}: {scale:?}");
        }
    }

    fn side() -> impl Strategy<Value = Line<f64>> {
        // Some 100 m by 100 m.
        let place = || {
            (0..1000, 0..1000).prop_map(|(x, y)| Coord {
                x: 105.0 + f64::from(x) * 1e-6,
                y: 20.0 + f64::from(y) * 1e-6,
            })
        };
        (place(), place()).prop_map(|(start, end)| Line { start, end })
    }

    proptest! {
        /// The stretch that is solved for is the one that measuring point by point finds.
        #[test]
        fn a_stretch_is_what_lies_within_the_tolerance(
            one in side(),
            other in side(),
            snap in 1.0..40.0,
        ) {
            let Some(course) = Course::of(one) else { return Ok(()) };
            let found = course.near(other, 7, snap);
            let whole = Stretch {
                low: 0.0,
                high: course.length_m,
                owner: 7,
                from: metres(other.start - course.begin, course.scale),
                to: metres(other.end - course.begin, course.scale),
            };
            for step in 0..=100 {
                let at_m = course.length_m * f64::from(step) / 100.0;
                let distance_m = length(course.way(at_m, &whole));
                let is_in = found.is_some_and(|s| s.low - 1e-9 <= at_m && at_m <= s.high + 1e-9);
                let is_at_the_edge = (distance_m - snap).abs() < 1e-6;
                let is_right = is_in == (distance_m <= snap) || is_at_the_edge;
                prop_assert!(is_right, "{at_m}: {distance_m}");
            }
        }
    }
}
