//! Reading features: their properties as written, their polygons checked. Names, kinds and dates
//! are judged where the map is made of them, by the rules of the map.

use domain::ids::CommuneCode;
use geo::{Coord, LineString, MultiPolygon, Polygon};
use geojson::{Geometry, GeometryValue, Position};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::faults::{FeatureFaults, check};
use crate::{
    fault::{Collector, Fault},
    lines::{OnlyObject, Text, parse as parse_object},
    map::COMMUNES_MAX,
    map_line::{LAT, LON, commune, is_within},
};

/// A commune and where its boundary runs; longitude and latitude, WGS84 degrees.
#[derive(Debug)]
pub(super) struct Boundary {
    /// The feature, from 1.
    pub(super) number: usize,
    pub(super) code: CommuneCode,
    pub(super) properties: Properties<'static>,
    pub(super) shape: MultiPolygon<f64>,
}

impl Boundary {
    pub(super) fn names_its_home(&self) -> bool {
        self.properties.province_code.is_some()
    }
}

/// What a feature says of its commune. Files of others say more: that is not looked at.
#[derive(Debug, Deserialize)]
pub(super) struct Properties<'a> {
    #[serde(borrow)]
    code: Text<'a>,
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow, default)]
    pub(super) province_code: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) province: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) province_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) ascii: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) valid_from: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) valid_to: Option<Text<'a>>,
}

impl Properties<'_> {
    fn into_owned(self) -> Properties<'static> {
        fn own(text: Text<'_>) -> Text<'static> {
            Text(text.0.into_owned().into())
        }
        Properties {
            code: own(self.code),
            name: own(self.name),
            kind: own(self.kind),
            province_code: self.province_code.map(own),
            province: self.province.map(own),
            province_type: self.province_type.map(own),
            ascii: self.ascii.map(own),
            valid_from: self.valid_from.map(own),
            valid_to: self.valid_to.map(own),
        }
    }
}

#[derive(Deserialize)]
struct Collection<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    features: Vec<&'a RawValue>,
}

/// Its parts are read one after another, so that a fault names the part.
#[derive(Deserialize)]
struct Parts<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    properties: &'a RawValue,
    #[serde(borrow)]
    geometry: &'a RawValue,
}

/// The boundaries of a file, sorted by code.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Boundary>, FeatureFaults> {
    let mut faults = Collector::default();
    let features = collection(bytes, &mut faults).unwrap_or_default();
    check(&mut faults)?;
    let mut found = Vec::with_capacity(features.len());
    for (number, feature) in (1..).zip(features) {
        if faults.is_full() {
            break;
        }
        match boundary(number, feature.get()) {
            Ok(boundary) => found.push(boundary),
            Err(fault) => faults.push(fault),
        }
    }
    // Among doubles, the later feature is the one that is at fault.
    found.sort_by_key(|boundary| (boundary.code, boundary.number));
    for pair in found.windows(2) {
        if let [first, second] = pair
            && first.code == second.code
        {
            let (code, number) = (first.code, first.number);
            let reason = format!(
                "{code} đã có ở đối tượng {number} / {code} stands in feature {number} already"
            );
            faults.add(second.number, "properties.code", reason);
        }
    }
    check(&mut faults)?;
    Ok(found)
}

fn collection<'a>(bytes: &'a [u8], faults: &mut Collector) -> Option<Vec<&'a RawValue>> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(wrong) => {
            let place = wrong.valid_up_to() + 1;
            faults.add(0, "", format!("không phải UTF-8 / is not UTF-8 (byte {place})"));
            return None;
        }
    };
    let OnlyObject(Collection { kind, features }) = serde_json::from_str(text)
        .map_err(|error| {
            let reason = format!("không phải FeatureCollection / is no FeatureCollection: {error}");
            faults.add(0, "", reason);
        })
        .ok()?;
    if kind.as_str() != "FeatureCollection" {
        faults.add(0, "type", "phải là FeatureCollection / must be FeatureCollection");
    } else if features.is_empty() {
        faults.add(0, "features", "không có xã nào / has no commune");
    } else if features.len() > COMMUNES_MAX {
        let most = COMMUNES_MAX;
        faults.add(0, "features", format!("nhiều hơn {most} xã / are more than {most} communes"));
    }
    Some(features)
}

fn boundary(number: usize, text: &str) -> Result<Boundary, Fault> {
    let fault = |field: &str, reason: String| Fault { line: number, field: field.into(), reason };
    let Parts { kind, properties, geometry } = parse_object(number, text)?;
    if kind.as_str() != "Feature" {
        return Err(fault("type", "phải là Feature / must be Feature".to_owned()));
    }
    let properties: Properties<'_> = parse_object(number, properties.get()).map_err(|found| {
        let dot = if found.field.is_empty() { "" } else { "." };
        Fault { field: format!("properties{dot}{}", found.field), ..found }
    })?;
    let code = commune(&properties.code).map_err(|reason| fault("properties.code", reason))?;
    let geometry: Geometry = geometry
        .get()
        .parse()
        .map_err(|why| fault("geometry", format!("không đọc được / cannot be read: {why}")))?;
    let shape = shape(&geometry.value)
        .map_err(|(place, reason)| fault(&format!("geometry{place}"), reason))?;
    Ok(Boundary { number, code, properties: properties.into_owned(), shape })
}

/// Where in a geometry something is wrong, as `.coordinates[0][3]`, and what.
type Wrong = (String, String);

fn shape(value: &GeometryValue) -> Result<MultiPolygon<f64>, Wrong> {
    match value {
        GeometryValue::Polygon { coordinates } => {
            Ok(MultiPolygon(vec![polygon(".coordinates", coordinates)?]))
        }
        GeometryValue::MultiPolygon { coordinates } if !coordinates.is_empty() => {
            let polygons = coordinates
                .iter()
                .enumerate()
                .map(|(place, rings)| polygon(&format!(".coordinates[{place}]"), rings));
            Ok(MultiPolygon(polygons.collect::<Result<_, _>>()?))
        }
        GeometryValue::MultiPolygon { .. } => {
            Err((".coordinates".to_owned(), "không có đa giác / has no polygon".to_owned()))
        }
        _ => {
            let reason = "phải là Polygon hoặc MultiPolygon / must be Polygon or MultiPolygon";
            Err((".type".to_owned(), reason.to_owned()))
        }
    }
}

fn polygon(path: &str, rings: &[Vec<Position>]) -> Result<Polygon<f64>, Wrong> {
    let mut read = rings
        .iter()
        .enumerate()
        .map(|(place, positions)| ring(&format!("{path}[{place}]"), positions));
    let Some(exterior) = read.next() else {
        return Err((path.to_owned(), "đa giác không có vòng / has no ring".to_owned()));
    };
    let exterior = exterior?;
    Ok(Polygon::new(exterior, read.collect::<Result<_, _>>()?))
}

fn ring(path: &str, positions: &[Position]) -> Result<LineString<f64>, Wrong> {
    if positions.len() < 4 {
        let reason = "vòng có ít hơn bốn điểm / is a ring of fewer than four points";
        return Err((path.to_owned(), reason.to_owned()));
    }
    // geo would close it in silence; but whether a point or the last line is missing, and where,
    // only the source knows.
    if positions.first() != positions.last() {
        let reason = "vòng không khép kín: điểm cuối khác điểm đầu / \
                      is a ring that is not closed: its last point is not its first";
        return Err((path.to_owned(), reason.to_owned()));
    }
    let points = positions.iter().enumerate().map(|(place, position)| {
        point(position).map_err(|reason| (format!("{path}[{place}]"), reason))
    });
    points.collect::<Result<_, _>>()
}

/// A third number is a height, and is dropped.
fn point(position: &Position) -> Result<Coord<f64>, String> {
    let [x, y, ..] = *position.as_slice() else {
        return Err("không phải kinh độ, vĩ độ / is not longitude, latitude".to_owned());
    };
    if is_within(x, LON) && is_within(y, LAT) {
        return Ok(Coord { x, y });
    }
    if is_within(x, LAT) && is_within(y, LON) {
        return Err(format!(
            "{x}, {y} bị đảo: phải là kinh độ, vĩ độ / \
             {x}, {y} is swapped: it must be longitude, latitude"
        ));
    }
    Err(format!(
        "{x}, {y} nằm ngoài Việt Nam: phải là kinh độ, vĩ độ WGS84 / \
         {x}, {y} lies outside Việt Nam: it must be longitude, latitude in WGS84"
    ))
}
