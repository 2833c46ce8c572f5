//! Which communes a request names: its own, and those of its reach. All must be on the map; who
//! is in reach is decided elsewhere.

use std::collections::BTreeSet;

use domain::{
    ids::{CommuneCode, Home},
    reach::{Borders, COMMUNES_NAMED_MAX, RINGS_MAX, ReachRequest},
};

use super::{faults::Faults, raw::RawReach};

/// What a text that is no commune's code is told.
pub(crate) const NOT_A_COMMUNE: &str =
    "phải là mã xã gồm năm chữ số / must be a commune code of five digits";
/// The modes of a reach, in the order of the interface.
const MODES: &[&str] = &["auto", "rings", "communes", "province"];

/// The home of a commune by its code.
pub(super) fn on_map(code: &str, map: &dyn Borders) -> Result<Home, &'static str> {
    let code: CommuneCode = code.parse().map_err(|_| NOT_A_COMMUNE)?;
    map.home(code).ok_or("không có xã này / unknown commune")
}

/// What was asked for, in one of four modes.
pub(super) fn reach(
    faults: &mut Faults,
    raw: &RawReach,
    map: &dyn Borders,
) -> Option<ReachRequest> {
    let mode = faults
        .required("reach.mode", raw.mode.as_deref())
        .and_then(|word| faults.word("reach.mode", word, MODES, |mode| mode))?;
    if raw.rings.is_some() && mode != "rings" {
        faults.add("reach.rings", "chỉ đi với mode rings / goes with mode rings only");
    }
    if raw.communes.is_some() && mode != "communes" {
        faults.add("reach.communes", "chỉ đi với mode communes / goes with mode communes only");
    }
    match mode {
        "rings" => {
            let given = faults.required("reach.rings", raw.rings)?;
            let rings = u32::try_from(given).ok().filter(|rings| *rings <= RINGS_MAX);
            let range = format!("phải từ 0 đến {RINGS_MAX} / must be from 0 to {RINGS_MAX}");
            faults.note("reach.rings", rings.ok_or(range)).map(ReachRequest::Rings)
        }
        "communes" => {
            let given = faults.required("reach.communes", raw.communes.as_deref())?;
            Some(ReachRequest::Communes(named(faults, given, map)))
        }
        "province" => Some(ReachRequest::Province),
        _ => Some(ReachRequest::Auto),
    }
}

/// The communes named, in the order given; the own one may be among them.
fn named(faults: &mut Faults, given: &[String], map: &dyn Borders) -> Vec<CommuneCode> {
    if !(1..=COMMUNES_NAMED_MAX).contains(&given.len()) {
        let most = COMMUNES_NAMED_MAX;
        let reason = format!("phải có 1 đến {most} xã / must be 1 to {most} communes");
        faults.add("reach.communes", reason);
        return Vec::new();
    }
    let mut seen = BTreeSet::new();
    let mut named = Vec::with_capacity(given.len());
    for (place, code) in given.iter().enumerate() {
        let field = format!("reach.communes[{place}]");
        let Some(home) = faults.note(&field, on_map(code, map)) else { continue };
        if !seen.insert(home.commune) {
            faults.add(field, "bị ghi hai lần / is named twice");
        }
        named.push(home.commune);
    }
    named
}
