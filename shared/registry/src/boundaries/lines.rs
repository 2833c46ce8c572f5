//! The map that is made of boundaries: its lines, and the faults of these told as faults of the
//! features that they come from.

use std::collections::BTreeMap;

use domain::ids::CommuneCode;
use geo::{
    Centroid, Contains, GeodesicArea, InteriorPoint, LineString, MultiPolygon, Point, Polygon,
};
use geojson::GeometryValue;
use serde::Serialize;

use super::{
    Contact, Homes,
    faults::{FeatureFaults, check as check_faults},
    features::Boundary,
};
use crate::{
    fault::Collector,
    map::{MAP_BYTES_MAX, Map},
};

/// A line of a map, its fields in the order of the built-in one.
#[derive(Serialize)]
struct Row<'a> {
    code: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ascii: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'a str,
    province_code: String,
    province: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    province_type: Option<&'a str>,
    lat: f64,
    lon: f64,
    area_geo_km2: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pt: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_to: Option<&'a str>,
    neighbours: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    polygon: Option<GeometryValue>,
}

/// Fields of a line that stand in the properties of a feature; the others are computed.
const OF_SOURCE: [&str; 8] = [
    "name",
    "type",
    "province_code",
    "province",
    "province_type",
    "ascii",
    "valid_from",
    "valid_to",
];

/// The lines, sorted by code. The borders name each other: they come from pairs.
pub(super) fn write(
    boundaries: &[Boundary],
    borders: &[Contact],
    homes: Homes<'_>,
    with_polygons: bool,
) -> Result<String, FeatureFaults> {
    let mut neighbours: BTreeMap<CommuneCode, Vec<CommuneCode>> = BTreeMap::new();
    for Contact { a, b, .. } in borders {
        neighbours.entry(*a).or_default().push(*b);
        neighbours.entry(*b).or_default().push(*a);
    }
    neighbours.values_mut().for_each(|codes| codes.sort_unstable());
    let (mut faults, mut text) = (Collector::default(), String::new());
    for boundary in boundaries {
        let around = neighbours.get(&boundary.code).map_or(&[][..], Vec::as_slice);
        let Some(row) = row(boundary, around, homes, with_polygons, &mut faults) else { continue };
        match serde_json::to_string(&row) {
            Ok(line) => text.extend([line.as_str(), "\n"]),
            Err(why) => faults.add(boundary.number, "", why.to_string()),
        }
    }
    check_faults(&mut faults)?;
    Ok(text)
}

/// Reads the lines as a server will. What the map refuses is the feature's fault: line n is that
/// of the nth boundary.
pub(super) fn check(boundaries: &[Boundary], text: &str) -> Result<Map, FeatureFaults> {
    let mut faults = Collector::default();
    if u64::try_from(text.len()).is_ok_and(|len| len > MAP_BYTES_MAX) {
        let reason = format!(
            "bản đồ lớn hơn {MAP_BYTES_MAX} byte / the map would be larger than \
             {MAP_BYTES_MAX} bytes"
        );
        faults.add(0, "", reason);
    }
    check_faults(&mut faults)?;
    Map::parse(text.as_bytes()).map_err(|found| {
        for fault in found.as_slice() {
            let boundary = fault.line.checked_sub(1).and_then(|place| boundaries.get(place));
            let number = boundary.map_or(0, |boundary| boundary.number);
            let field = fault.field.as_str();
            let of_source = if OF_SOURCE.contains(&field) { "properties." } else { "" };
            faults.add(number, format!("{of_source}{field}"), fault.reason.as_str());
        }
        faults.check().map_or_else(FeatureFaults, |()| FeatureFaults(found))
    })
}

fn row<'a>(
    boundary: &'a Boundary,
    neighbours: &'a [CommuneCode],
    homes: Homes<'a>,
    with_polygons: bool,
    faults: &mut Collector,
) -> Option<Row<'a>> {
    let said = &boundary.properties;
    let (province_code, province) = home(boundary, homes, faults)?;
    let (centre, is_centroid) = centre(&boundary.shape)?;
    Some(Row {
        code: boundary.code.as_str(),
        name: said.name.as_str(),
        ascii: said.ascii.as_ref().map(|text| text.as_str()),
        kind: said.kind.as_str(),
        province_code,
        province,
        province_type: said.province_type.as_ref().map(|text| text.as_str()),
        lat: rounded(centre.y(), 5),
        lon: rounded(centre.x(), 5),
        area_geo_km2: area_km2(&boundary.shape),
        pt: (!is_centroid).then_some("surface"),
        valid_from: said.valid_from.as_ref().map(|text| text.as_str()),
        valid_to: said.valid_to.as_ref().map(|text| text.as_str()),
        neighbours: neighbours.iter().map(CommuneCode::as_str).collect(),
        polygon: with_polygons.then(|| polygon(&boundary.shape)),
    })
}

/// Code and name of the province: as the feature says, as was told for all, as the known map has
/// it for this code.
fn home<'a>(
    boundary: &'a Boundary,
    homes: Homes<'a>,
    faults: &mut Collector,
) -> Option<(String, &'a str)> {
    let said = &boundary.properties;
    let known = || homes.known.commune(boundary.code).map(|commune| commune.province);
    let code = match &said.province_code {
        Some(code) => Some(code.as_str().to_owned()),
        None => homes.province.or_else(known).map(|code| code.to_string()),
    };
    let Some(code) = code else {
        let reason = format!(
            "thiếu, và bản đồ có sẵn không có xã {commune}; có thể dùng --province / \
             is missing, and the built-in map has no commune {commune}; --province may tell",
            commune = boundary.code
        );
        faults.add(boundary.number, "properties.province_code", reason);
        return None;
    };
    let name = match &said.province {
        Some(name) => Some(name.as_str()),
        None => code.parse().ok().and_then(|code| homes.known.province_name(code)),
    };
    if name.is_none() {
        let reason = format!(
            "thiếu, và bản đồ có sẵn không có tỉnh {code} / \
             is missing, and the built-in map has no province {code}"
        );
        faults.add(boundary.number, "properties.province", reason);
    }
    Some((code, name?))
}

/// The centroid, or a point on the surface where that lies outside, as with a crescent; whether it
/// is the centroid. None for a shape without extent, which has an area of none too.
fn centre(shape: &MultiPolygon<f64>) -> Option<(Point<f64>, bool)> {
    let centroid = shape.centroid()?;
    match shape.interior_point() {
        Some(surface) if !shape.contains(&centroid) => Some((surface, false)),
        _ => Some((centroid, true)),
    }
}

/// On the ellipsoid. Ring by ring: which way round a source draws them does not matter.
fn area_km2(shape: &MultiPolygon<f64>) -> f64 {
    let ring = |ring: &LineString<f64>| {
        Polygon::new(ring.clone(), Vec::new()).geodesic_area_signed().abs() / 1e6
    };
    let polygon = |polygon: &Polygon<f64>| {
        ring(polygon.exterior()) - polygon.interiors().iter().map(ring).sum::<f64>()
    };
    let area = shape.iter().map(polygon).sum::<f64>();
    // Two decimals, as the built-in map has; but a map takes no area of none.
    if area < 0.01 { rounded(area, 6) } else { rounded(area, 2) }
}

fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10.0_f64.powi(decimals);
    (value * scale).round() / scale
}

/// As the source had it: one polygon is no MultiPolygon.
fn polygon(shape: &MultiPolygon<f64>) -> GeometryValue {
    match shape.0.as_slice() {
        [one] => GeometryValue::from(one),
        _ => GeometryValue::from(shape),
    }
}
