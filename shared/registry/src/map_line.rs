//! One line of a map file: its fields as written, and what is wrong with them by themselves.
//! What needs the other lines (borders, doubles) is looked at in [`crate::map`].

use domain::{
    ids::{CommuneCode, ProvinceCode},
    text::{Shape, plain},
};
use serde::Deserialize;

use crate::{
    canonical::{Object, array, number, text},
    fault::{Collector, none_of, not_text},
    lines::{OnlyObject, Text, present},
    map::CommuneKind,
    map_outline::Outline,
};

/// South and north of Việt Nam, the Trường Sa islands included; degrees.
pub(crate) const LAT: (f64, f64) = (6.0, 24.0);
/// West and east of Việt Nam, the Trường Sa islands included; degrees.
pub(crate) const LON: (f64, f64) = (102.0, 118.0);
/// The area of a commune; km². The lower bound keeps the number a plain decimal.
const AREA_KM2: (f64, f64) = (1e-6, 1e6);
/// The most characters of a name.
const NAME_CHARS_MAX: usize = 160;
/// The most neighbours of a commune; the most known is 13.
const NEIGHBOURS_MAX: usize = 64;

/// The fields of a line, as `interfaces.md` names them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line<'a> {
    #[serde(borrow)]
    pub(crate) code: Text<'a>,
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    province_code: Text<'a>,
    #[serde(borrow)]
    pub(crate) province: Text<'a>,
    pub(crate) lat: f64,
    pub(crate) lon: f64,
    #[serde(borrow)]
    pub(crate) neighbours: Vec<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    ascii: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    province_type: Option<Text<'a>>,
    #[serde(default, deserialize_with = "present")]
    area_geo_km2: Option<f64>,
    #[serde(borrow, default, deserialize_with = "present")]
    pt: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    valid_from: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    valid_to: Option<Text<'a>>,
    #[serde(default, deserialize_with = "present")]
    polygon: Option<OnlyObject<Geometry>>,
}

/// A GeoJSON geometry (RFC 7946): rings of longitude and latitude.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", content = "coordinates", deny_unknown_fields)]
enum Geometry {
    Polygon(Vec<Ring>),
    MultiPolygon(Vec<Vec<Ring>>),
}

type Ring = Vec<[f64; 2]>;

/// What a line says by itself, parsed.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) code: CommuneCode,
    pub(crate) kind: CommuneKind,
    pub(crate) province: ProvinceCode,
    /// In the order of the line.
    pub(crate) neighbours: Vec<CommuneCode>,
}

impl Line<'_> {
    /// Looks at each field; `None` where one is at fault, noted under `number`.
    pub(crate) fn facts(&self, number: usize, faults: &mut Collector) -> Option<Facts> {
        let before = faults.len();
        let code = faults.note(number, "code", commune(&self.code));
        let kind = faults.note(number, "type", self.kind.as_str().parse::<CommuneKind>());
        let province = faults.note(number, "province_code", province(&self.province_code));
        faults.note(number, "name", check_name(self.name.as_str()));
        if let Some(ascii) = &self.ascii {
            faults.note(number, "ascii", check_ascii(ascii.as_str()));
        }
        if let Some(kind) = &self.province_type {
            faults.note(number, "province_type", one_of(kind.as_str(), &["tỉnh", "thành phố"]));
        }
        if let Some(pt) = &self.pt {
            faults.note(number, "pt", one_of(pt.as_str(), &["centroid", "surface"]));
        }
        if let Some(area) = self.area_geo_km2 {
            faults.note(
                number,
                "area_geo_km2",
                within(area, AREA_KM2, ("diện tích theo km²", "an area in km²")),
            );
        }
        if let Some(OnlyObject(polygon)) = &self.polygon {
            faults.note(number, "polygon", polygon.check());
        }
        check_place((self.lat, self.lon), number, faults);
        self.check_validity(number, faults);
        let neighbours = self.neighbours(number, faults);
        if faults.len() > before || faults.is_full() {
            return None;
        }
        Some(Facts { code: code?, kind: kind?, province: province?, neighbours })
    }

    fn check_validity(&self, number: usize, faults: &mut Collector) {
        let days = [("valid_from", &self.valid_from), ("valid_to", &self.valid_to)];
        for (field, day) in days {
            if day.as_ref().is_some_and(|day| !is_date(day.as_str())) {
                faults.add(
                    number,
                    field,
                    "không phải ngày, như 2025-07-01 / is not a date, as 2025-07-01",
                );
            }
        }
        // Dates of this form stand in their order as texts.
        if let (Some(from), Some(to)) = (&self.valid_from, &self.valid_to)
            && from.as_str() > to.as_str()
        {
            faults.add(number, "valid_to", "sớm hơn valid_from / is earlier than valid_from");
        }
    }

    fn neighbours(&self, number: usize, faults: &mut Collector) -> Vec<CommuneCode> {
        if self.neighbours.len() > NEIGHBOURS_MAX {
            let most = NEIGHBOURS_MAX;
            faults.add(number, "neighbours", format!("nhiều hơn {most} / are more than {most}"));
            return Vec::new();
        }
        let mut codes = Vec::with_capacity(self.neighbours.len());
        for (place, neighbour) in self.neighbours.iter().enumerate() {
            match commune(neighbour) {
                Err(reason) => faults.add(number, format!("neighbours[{place}]"), reason),
                Ok(code) => codes.push(code),
            }
        }
        codes
    }

    /// Takes the border out, where the line has one.
    pub(crate) fn take_outline(&mut self) -> Option<Outline> {
        Outline::of(self.polygon.take()?.0.into_rings())
    }

    /// Writes the line as canonical JSON (RFC 8785). Only for lines without fault.
    pub(crate) fn write_canonical(&self, out: &mut String) {
        let mut line = Object::begin(out);
        if let Some(area) = self.area_geo_km2 {
            line.number("area_geo_km2", area);
        }
        line.text_if("ascii", self.ascii.as_ref().map(Text::as_str));
        line.text("code", self.code.as_str());
        line.number("lat", self.lat);
        line.number("lon", self.lon);
        line.text("name", self.name.as_str());
        line.array("neighbours", &self.neighbours, |out, code| text(out, code.as_str()));
        if let Some(OnlyObject(polygon)) = &self.polygon {
            polygon.write_canonical(line.object("polygon"));
        }
        line.text("province", self.province.as_str());
        line.text("province_code", self.province_code.as_str());
        line.text_if("province_type", self.province_type.as_ref().map(Text::as_str));
        line.text_if("pt", self.pt.as_ref().map(Text::as_str));
        line.text("type", self.kind.as_str());
        line.text_if("valid_from", self.valid_from.as_ref().map(Text::as_str));
        line.text_if("valid_to", self.valid_to.as_ref().map(Text::as_str));
        line.end();
    }
}

impl Geometry {
    fn rings(&self) -> Box<dyn Iterator<Item = &Ring> + '_> {
        match self {
            Self::Polygon(rings) => Box::new(rings.iter()),
            Self::MultiPolygon(polygons) => Box::new(polygons.iter().flatten()),
        }
    }

    /// The rings of all polygons, holes among them.
    fn into_rings(self) -> Vec<Ring> {
        match self {
            Self::Polygon(rings) => rings,
            Self::MultiPolygon(polygons) => polygons.into_iter().flatten().collect(),
        }
    }

    fn check(&self) -> Result<(), &'static str> {
        let has_empty = match self {
            Self::Polygon(rings) => rings.is_empty(),
            Self::MultiPolygon(polygons) => {
                polygons.is_empty() || polygons.iter().any(Vec::is_empty)
            }
        };
        if has_empty {
            return Err("có đa giác không có vòng / has a polygon without a ring");
        }
        if self.rings().any(|ring| ring.len() < 4 || ring.first() != ring.last()) {
            return Err("có vòng không khép kín hoặc ít hơn bốn điểm / \
                        has a ring that is not closed or has fewer than four points");
        }
        let mut points = self.rings().flatten();
        if points.any(|[lon, lat]| !is_within(*lon, LON) || !is_within(*lat, LAT)) {
            return Err("có điểm ngoài Việt Nam; điểm là kinh độ, vĩ độ / \
                        has a point outside Việt Nam; a point is longitude, latitude");
        }
        Ok(())
    }

    fn write_canonical(&self, mut object: Object<'_>) {
        match self {
            Self::Polygon(rings) => {
                object.array("coordinates", rings, write_ring);
                object.text("type", "Polygon");
            }
            Self::MultiPolygon(polygons) => {
                object.array("coordinates", polygons, |out, rings| array(out, rings, write_ring));
                object.text("type", "MultiPolygon");
            }
        }
        object.end();
    }
}

fn write_ring(out: &mut String, ring: &Ring) {
    array(out, ring, |out, point| array(out, point, |out, degrees| number(out, *degrees)));
}

/// Notes what is wrong with a place: fields `lat` and `lon`.
pub(crate) fn check_place((lat, lon): (f64, f64), number: usize, faults: &mut Collector) {
    if is_within(lat, LON) && is_within(lon, LAT) {
        let reason = format!("lat {lat} và lon {lon} bị đảo / lat {lat} and lon {lon} are swapped");
        faults.add(number, "lat", reason);
        return;
    }
    faults.note(number, "lat", within(lat, LAT, ("vĩ độ ở Việt Nam", "a latitude in Việt Nam")));
    faults.note(number, "lon", within(lon, LON, ("kinh độ ở Việt Nam", "a longitude in Việt Nam")));
}

/// `00000` is kept for what belongs to no commune.
pub(crate) fn commune(code: &Text<'_>) -> Result<CommuneCode, String> {
    match code.as_str() {
        "00000" => Err("00000 không phải xã / 00000 is no commune".to_owned()),
        code => code.parse().map_err(|_| not_a_commune(code)),
    }
}

/// `00` is kept for what belongs to the nation.
fn province(code: &Text<'_>) -> Result<ProvinceCode, String> {
    match code.as_str() {
        "00" => Err("00 không phải tỉnh / 00 is no province".to_owned()),
        code => code.parse().map_err(|_| not_a_province(code)),
    }
}

/// What a text that is no commune's code is told.
pub(crate) fn not_a_commune(code: &str) -> String {
    format!(
        "`{code}` không phải mã xã gồm năm chữ số / `{code}` is not a commune code of five digits"
    )
}

/// What a text that is no province's code is told.
pub(crate) fn not_a_province(code: &str) -> String {
    format!(
        "`{code}` không phải mã tỉnh gồm hai chữ số / `{code}` is not a province code of two digits"
    )
}

/// A name stands in the map as it is kept: its spelling is part of the map's hash.
pub(crate) fn check_name(text: &str) -> Result<(), String> {
    let name = plain(text, Shape::Line, NAME_CHARS_MAX).map_err(not_text)?;
    if name == text {
        return Ok(());
    }
    let reason = "phải ở dạng chuẩn Unicode NFC, không có dấu cách hai đầu / \
                  must be in Unicode normalisation form C, without spaces around it";
    Err(reason.to_owned())
}

fn check_ascii(text: &str) -> Result<(), String> {
    let is_line = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if is_line && !text.is_empty() && text.trim() == text && text.len() <= NAME_CHARS_MAX {
        return Ok(());
    }
    let most = NAME_CHARS_MAX;
    Err(format!(
        "không phải một dòng ASCII tối đa {most} ký tự / \
         is not a line of ASCII of at most {most} characters"
    ))
}

fn one_of(text: &str, known: &[&str]) -> Result<(), String> {
    if known.contains(&text) {
        return Ok(());
    }
    Err(none_of(&known.join(", ")))
}

pub(crate) fn is_within(value: f64, (least, most): (f64, f64)) -> bool {
    (least..=most).contains(&value)
}

/// `what` names the quantity in Vietnamese and in English.
fn within(value: f64, bounds: (f64, f64), what: (&str, &str)) -> Result<(), String> {
    if is_within(value, bounds) {
        return Ok(());
    }
    let ((vi, en), (least, most)) = (what, bounds);
    Err(format!(
        "{value} không phải {vi} ({least} đến {most}) / {value} is not {en} ({least} to {most})"
    ))
}

/// A day of the Gregorian calendar as `YYYY-MM-DD`.
pub(crate) fn is_date(text: &str) -> bool {
    let part = |from: usize, to: usize| -> Option<u16> {
        text.get(from..to).filter(|part| part.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()
    };
    let dashes = text.len() == 10 && text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
    let (Some(year), Some(month), Some(day)) = (part(0, 4), part(5, 7), part(8, 10)) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    dashes && (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::is_date;

    #[test]
    fn a_date_is_a_day_that_was() {
        for right in ["2025-07-01", "2024-02-29", "2000-02-29"] {
            assert!(is_date(right), "{right}");
        }
        for wrong in ["2025-7-1", "2025-02-29", "1900-02-29", "2025-13-01", "2025-00-10", "x", ""] {
            assert!(!is_date(wrong), "{wrong}");
        }
    }
}
