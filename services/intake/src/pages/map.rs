//! A map of communes: their true borders where the registry has them, otherwise a graph of who
//! borders on whom, laid out from their centres.
//!
//! What it says stands in a table beside it, too; each commune leads to its line there.

use std::fmt::Write;

use domain::ids::CommuneCode;
use registry::{Commune, Map};

/// The width of the drawing; its height follows.
const WIDTH: f64 = 640.0;
const HEIGHT_MIN: f64 = 240.0;
const HEIGHT_MAX: f64 = 640.0;
/// Around everything: a name fits in.
const MARGIN: f64 = 48.0;
/// Discs of a graph are at least so far from each other, where there is room.
const APART: f64 = 52.0;
const PUSHES: usize = 60;
/// So many communes bear their names; with more, names lie over each other.
const NAMED_MAX: usize = 40;
/// So many points all borders together may have, so that a page stays small.
const POINTS_MAX: usize = 4_000;

/// A commune that is to be drawn.
pub(crate) struct Place {
    pub(crate) code: CommuneCode,
    /// How it stands, as a class of the style: `own`, `acknowledged`, `refused`, `silent`,
    /// `asked`, `told`.
    pub(crate) class: &'static str,
    /// The same in words.
    pub(crate) said: String,
}

/// A map, drawn.
pub(crate) struct Drawn {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) shapes: Vec<Shape>,
    /// Who borders on whom; empty where borders are drawn.
    pub(crate) lines: Vec<[i32; 4]>,
    pub(crate) is_named: bool,
}

/// A commune, drawn.
pub(crate) struct Shape {
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) class: &'static str,
    pub(crate) said: String,
    /// A sign inside: how it stands, for who sees no colours.
    pub(crate) sign: &'static str,
    /// Where its sign stands.
    pub(crate) x: i32,
    pub(crate) y: i32,
    /// Its border as an SVG path; empty: a disc.
    pub(crate) path: String,
}

/// Degrees to the drawing's units.
struct Projection {
    west: f64,
    north: f64,
    /// Units a degree of latitude.
    scale: f64,
    /// A degree of longitude in degrees of latitude, here.
    narrow: f64,
}

impl Projection {
    /// Fits these points, longitude and latitude, into the width.
    fn around(points: &[[f64; 2]]) -> (Self, f64) {
        let bound = |at: usize, of: fn(f64, f64) -> f64, from: f64| {
            points.iter().filter_map(|point| point.get(at)).copied().fold(from, of)
        };
        let (west, east) = (bound(0, f64::min, 180.0), bound(0, f64::max, -180.0));
        let (south, north) = (bound(1, f64::min, 90.0), bound(1, f64::max, -90.0));
        let narrow = f64::midpoint(south, north).to_radians().cos().max(0.1);
        let (across, down) = ((east - west).max(0.0) * narrow, (north - south).max(0.0));
        let room = WIDTH - 2.0 * MARGIN;
        let scale = (room / across.max(1e-3)).min((HEIGHT_MAX - 2.0 * MARGIN) / down.max(1e-3));
        // What is narrower than the drawing stands in its middle.
        let west = west - (room / scale - across).max(0.0) / 2.0 / narrow;
        let height = (down * scale + 2.0 * MARGIN).clamp(HEIGHT_MIN, HEIGHT_MAX);
        let north = north + ((height - 2.0 * MARGIN) / scale - down).max(0.0) / 2.0;
        (Self { west, north, scale, narrow }, height)
    }

    fn at(&self, [lon, lat]: [f64; 2]) -> [f64; 2] {
        let x = MARGIN + (lon - self.west) * self.narrow * self.scale;
        [x, MARGIN + (self.north - lat) * self.scale]
    }
}

/// Draws these communes; `None` where none is on the map.
pub(crate) fn drawn(map: &Map, places: Vec<Place>) -> Option<Drawn> {
    let mut found: Vec<(&Commune, Place)> =
        places.into_iter().filter_map(|place| Some((map.commune(place.code)?, place))).collect();
    found.sort_by_key(|(commune, _)| commune.code);
    let has_borders = found.iter().all(|(commune, _)| commune.rings().next().is_some());
    let points: Vec<[f64; 2]> = match has_borders {
        true => found.iter().flat_map(|(it, _)| it.rings().flatten().copied()).collect(),
        false => found.iter().map(|(it, _)| [it.lon, it.lat]).collect(),
    };
    if points.is_empty() {
        return None;
    }
    let (projection, height) = Projection::around(&points);
    let mut centres: Vec<[f64; 2]> =
        found.iter().map(|(it, _)| projection.at([it.lon, it.lat])).collect();
    let mut lines = vec![];
    if !has_borders {
        spread(&mut centres, height);
        lines = borders(&found, &centres);
    }
    // One point of so many is kept.
    let thin = points.len().div_ceil(POINTS_MAX).max(1);
    let is_named = found.len() <= NAMED_MAX;
    let shape = |((commune, place), [x, y]): ((&Commune, Place), [f64; 2])| Shape {
        code: commune.code.to_string(),
        name: commune.name.to_string(),
        class: place.class,
        said: place.said,
        sign: sign(place.class),
        x: whole(x),
        y: whole(y),
        path: if has_borders { path(commune, &projection, thin) } else { String::new() },
    };
    let shapes = found.into_iter().zip(centres).map(shape).collect();
    let (width, height) = (whole(WIDTH).unsigned_abs(), whole(height).unsigned_abs());
    Some(Drawn { width, height, shapes, lines, is_named })
}

fn sign(class: &str) -> &'static str {
    match class {
        "own" => "●",
        "acknowledged" => "✓",
        "refused" => "✕",
        "silent" => "!",
        "told" => "→",
        _ => "?",
    }
}

fn whole(value: f64) -> i32 {
    #[allow(clippy::cast_possible_truncation, reason = "a few hundred units")]
    let whole = value.round() as i32;
    whole
}

/// Who borders on whom, each pair once.
fn borders(found: &[(&Commune, Place)], centres: &[[f64; 2]]) -> Vec<[i32; 4]> {
    let mut lines = vec![];
    for (at, ((one, _), from)) in found.iter().zip(centres).enumerate() {
        for ((other, _), to) in found.iter().zip(centres).skip(at + 1) {
            if one.neighbours.contains(&other.code) {
                lines.push([whole(from[0]), whole(from[1]), whole(to[0]), whole(to[1])]);
            }
        }
    }
    lines
}

/// Pushes apart what lies on each other, within the drawing.
fn spread(centres: &mut [[f64; 2]], height: f64) {
    for _ in 0..PUSHES {
        let before = centres.to_vec();
        for (at, centre) in centres.iter_mut().enumerate() {
            let [mut x, mut y] = *centre;
            for (other_at, [other_x, other_y]) in before.iter().enumerate() {
                let (dx, dy) = (x - other_x, y - other_y);
                let distance = dx.hypot(dy);
                if other_at == at || distance >= APART {
                    continue;
                }
                // What lies on the same point goes to different sides.
                let (dx, dy) = match distance < 0.5 {
                    true => (if at < other_at { -1.0 } else { 1.0 }, 0.0),
                    false => (dx / distance, dy / distance),
                };
                let push = (APART - distance) / 2.0;
                (x, y) = (x + dx * push, y + dy * push);
            }
            let (right, bottom) = (WIDTH - MARGIN, height - MARGIN);
            *centre = [x.clamp(MARGIN, right), y.clamp(MARGIN, bottom.max(MARGIN))];
        }
    }
}

/// A commune's border: whole units, no point twice, one of `thin` kept.
fn path(commune: &Commune, projection: &Projection, thin: usize) -> String {
    let mut path = String::new();
    for ring in commune.rings() {
        let mut last = None;
        for point in ring.iter().step_by(thin) {
            let [x, y] = projection.at(*point);
            let here = (whole(x), whole(y));
            if last == Some(here) {
                continue;
            }
            let pen = if last.is_none() { 'M' } else { 'L' };
            // Writing into memory does not fail.
            let _ = write!(path, "{pen}{} {}", here.0, here.1);
            last = Some(here);
        }
        path.push('Z');
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "25126";

    fn places(map: &Map) -> Vec<Place> {
        let home = map.commune(HOME.parse().unwrap()).unwrap();
        let codes = home.neighbours.iter().copied().chain([home.code]);
        codes.map(|code| Place { code, class: "asked", said: "x".to_owned() }).collect()
    }

    #[test]
    fn without_borders_a_graph_of_neighbours_is_drawn() {
        let map = Map::builtin().unwrap();
        let drawn = drawn(&map, places(&map)).unwrap();
        assert_eq!(drawn.shapes.len(), 7);
        assert!(drawn.is_named && drawn.lines.len() >= 6, "{:?}", drawn.lines);
        for shape in &drawn.shapes {
            let inside = (0..=640).contains(&shape.x)
                && (0..=i32::try_from(drawn.height).unwrap()).contains(&shape.y);
            assert!(inside && shape.path.is_empty(), "{} {} {}", shape.name, shape.x, shape.y);
        }
        for (at, one) in drawn.shapes.iter().enumerate() {
            for other in drawn.shapes.iter().skip(at + 1) {
                let apart = f64::from(one.x - other.x).hypot(f64::from(one.y - other.y));
                assert!(apart > 30.0, "{} lies on {}: {apart}", one.name, other.name);
            }
        }
    }

    #[test]
    fn with_borders_they_are_drawn() {
        let line = |code: &str, name: &str, west: f64, neighbour: &str| {
            let east = west + 0.1;
            format!(
                r#"{{"code":"{code}","name":"{name}","type":"xã","province_code":"68","province":"Lâm Đồng","lat":11.05,"lon":{},"neighbours":["{neighbour}"],"polygon":{{"type":"Polygon","coordinates":[[[{west},11.0],[{east},11.0],[{east},11.1],[{west},11.1],[{west},11.0]]]}}}}"#,
                west + 0.05
            )
        };
        let text = [line("00001", "Một", 107.0, "00002"), line("00002", "Hai", 107.1, "00001")];
        let map = Map::parse(text.join("\n").as_bytes()).unwrap();
        let both = ["00001", "00002"].map(|code| Place {
            code: code.parse().unwrap(),
            class: "own",
            said: String::new(),
        });
        let drawn = drawn(&map, both.into()).unwrap();
        assert!(drawn.lines.is_empty());
        let [one, two] = &drawn.shapes[..] else { panic!("two communes") };
        // They share a side.
        let side = one.path.split('L').nth(1).unwrap();
        assert!(one.path.starts_with('M') && one.path.ends_with('Z'), "{}", one.path);
        assert!(two.path.starts_with(&format!("M{side}")), "{} {}", one.path, two.path);
    }

    #[test]
    fn nothing_and_all_of_viet_nam_are_drawn_too() {
        let map = Map::builtin().unwrap();
        assert!(drawn(&map, vec![]).is_none());
        let whole: Vec<_> = map
            .communes()
            .take(300)
            .map(|it| Place { code: it.code, class: "asked", said: String::new() })
            .collect();
        let drawn = drawn(&map, whole).unwrap();
        assert!(!drawn.is_named && drawn.shapes.len() == 300);
    }
}
