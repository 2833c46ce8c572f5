//! Commands that work on files alone.

use std::{fs, io, path::Path};

use anyhow::{Context, anyhow};
use chassis::{Clock, ExitCode, SystemClock};
use domain::hex::hex;
use registry::{
    Map,
    boundaries::{BorderRule, Boundaries, Homes},
};
use serde_json::json;

use crate::{
    Failed,
    args::{ImportArgs, RegistryArgs, RegistryCommand},
    feeds::line,
    local_time::local,
    open::check_map,
};

/// Touching pairs that are shown one by one.
const TOUCHING_SHOWN_MAX: usize = 20;

/// `keng registry …`.
pub(crate) fn registry(args: &RegistryArgs) -> Result<u8, Failed> {
    match &args.command {
        RegistryCommand::Check { file } => sum_up(&check_map(file)?),
        RegistryCommand::Import(args) => import(args)?,
    }
    Ok(ExitCode::DONE)
}

fn sum_up(map: &Map) {
    let borders: usize = map.communes().map(|c| map.neighbours(c.code).len()).sum();
    let islands = map.communes().filter(|c| map.neighbours(c.code).is_empty()).count();
    let provinces = map.provinces().len();
    line(&format!(
        "{} xã / communes, {provinces} tỉnh / provinces, {} ranh giới / borders, \
         {islands} không giáp xã nào / without a neighbour",
        map.len(),
        borders / 2,
    ));
    let facts = map.facts(SystemClock.now());
    let dates = match (facts.is_dated(), facts.valid.from(), facts.valid.to()) {
        (true, Some(from), None) => format!("từ / from {}", local(from)),
        (true, Some(from), Some(to)) => {
            format!("từ / from {}, đến / until {}", local(from), local(to))
        }
        _ => "không ghi ngày: từ khi được dùng / no dates: from its adoption".to_owned(),
    };
    line(&format!("phiên bản / version {}, {dates}", facts.name()));
    let sha256 = map.sha256();
    line(&format!("sha256 {}", hex(&sha256)));
}

/// `keng registry import BOUNDARIES.geojson --out FILE`. What is written is a map without fault,
/// or nothing.
fn import(args: &ImportArgs) -> Result<(), Failed> {
    let rule = BorderRule { min_border_m: args.min_border_m, snap_m: args.snap_m };
    let boundaries = Boundaries::read(&args.boundaries).map_err(|why| anyhow!("{why}"))?;
    let known = Map::builtin().map_err(|why| anyhow!("{why}"))?;
    let homes = Homes { province: args.province, known: &known };
    let name = args.boundaries.display();
    let imported = boundaries
        .to_map(rule, homes, args.with_polygons)
        .map_err(|why| anyhow!("{name}:\n{why}"))?;
    let text = header(args) + &imported.text;
    // Without its first line it has been read already.
    let map = Map::parse(text.as_bytes()).map_err(|why| Failed::Usage(why.to_string()))?;
    put(&args.out, &text).with_context(|| args.out.display().to_string())?;
    sum_up(&map);
    if imported.homes_found > 0 {
        line(&format!(
            "{} xã không ghi tỉnh trong tệp / communes whose province the file does not say",
            imported.homes_found
        ));
    }
    let touching = imported.touching;
    if !touching.is_empty() {
        line(&format!(
            "{} cặp chạm nhau nhưng không giáp ranh / pairs touch, for {} m or less, and do not \
             border",
            touching.len(),
            rule.min_border_m
        ));
    }
    for contact in touching.iter().take(TOUCHING_SHOWN_MAX) {
        line(&format!("  {}-{} {:.0} m", contact.a, contact.b, contact.length_m));
    }
    Ok(())
}

/// The first line, where version and dates are told.
fn header(args: &ImportArgs) -> String {
    let (Some(version), Some(valid_from)) = (&args.version, &args.valid_from) else {
        return String::new();
    };
    let header = json!({ "version": version, "valid_from": valid_from, "valid_to": args.valid_to });
    format!("{}\n", json!({ "map": header }))
}

/// Writes the file beside its place first: a server that starts meanwhile reads the old map or
/// the new one, never half of it.
fn put(out: &Path, text: &str) -> io::Result<()> {
    let mut beside = out.as_os_str().to_owned();
    beside.push(".new");
    fs::write(&beside, text)?;
    fs::rename(&beside, out)
}
