//! Communes as people name them: by code, or by name with or without its kind and its marks.

use domain::{
    ids::{CommuneCode, ProvinceCode},
    text::folded,
};
use registry::{Commune, Map};

/// Of so many communes of one name the choice is told.
const NAMED_MAX: usize = 6;
/// What stands in front of a commune's name.
const KINDS: [&str; 4] = ["xa ", "phuong ", "thi tran ", "dac khu "];

/// A commune as it is shown and typed: `xã Hoằng Thịnh (16045)`.
pub(super) fn shown(commune: &Commune) -> String {
    format!("{} {} ({})", commune.kind.as_str(), commune.name, commune.code)
}

/// The communes that a text names, with commas or lines between them: a code each, or what cannot
/// be read as one, which is told to who typed it.
pub(super) fn named(map: &Map, near: Option<ProvinceCode>, text: &str) -> Vec<String> {
    let names = text.split([',', ';', '\n']).map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| code_of(map, near, name).unwrap_or_else(|| name.to_owned())).collect()
}

/// The code of the one commune that is meant: by its code, or by its name, in the own province
/// first.
fn code_of(map: &Map, near: Option<ProvinceCode>, name: &str) -> Option<String> {
    let in_brackets = name.rsplit_once('(').map(|(_, rest)| rest.trim_end_matches(')'));
    let code = in_brackets.unwrap_or(name).trim().parse::<CommuneCode>().ok();
    if let Some(commune) = code.and_then(|code| map.commune(code)) {
        return Some(commune.code.to_string());
    }
    let found = found(map, name);
    let here: Vec<_> = found.iter().filter(|it| Some(it.province) == near).collect();
    match (here.as_slice(), found.as_slice()) {
        ([one], _) => Some(one.code.to_string()),
        ([], [one]) => Some(one.code.to_string()),
        _ => None,
    }
}

/// The communes of this name.
pub(super) fn found<'m>(map: &'m Map, name: &str) -> Vec<&'m Commune> {
    let wanted = folded(name);
    let bare = KINDS.iter().find_map(|kind| wanted.strip_prefix(kind)).unwrap_or(&wanted);
    map.communes().filter(|it| folded(&it.name) == bare).take(NAMED_MAX).collect()
}
