//! `keng registry import`: from polygons to a map that the server's own check takes.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use support::child::run;

/// Three communes in a row and an island; the second and the third are 15 m apart, and the file
/// names no province.
fn country() -> Value {
    let commune = |code: &str, west: f64, east: f64, south: f64| {
        let north = south + 0.01;
        let ring = [[west, south], [east, south], [east, north], [west, north], [west, south]];
        json!({
            "type": "Feature",
            "properties": { "code": code, "name": format!("Xã {code}"), "type": "xã" },
            "geometry": { "type": "Polygon", "coordinates": [ring] },
        })
    };
    json!({ "type": "FeatureCollection", "features": [
        commune("25138", 107.420_14, 107.43, 11.5),
        commune("25126", 107.40, 107.41, 11.5),
        commune("25135", 107.41, 107.42, 11.5),
        commune("25057", 107.50, 107.51, 11.6),
    ] })
}

struct Import {
    code: Option<i32>,
    out: String,
    why: String,
}

async fn import(folder: &Path, country: &Value, options: &[&str]) -> Result<Import> {
    let boundaries = folder.join("boundaries.geojson");
    fs::write(&boundaries, country.to_string())?;
    let map = folder.join("map.jsonl");
    let files = [boundaries.to_str().context("no text")?, "--out"];
    let map = map.to_str().context("no text")?;
    let output = run(&[&["registry", "import"], &files[..], &[map], options].concat()).await?;
    Ok(Import {
        code: output.status.code(),
        out: String::from_utf8(output.stdout)?,
        why: String::from_utf8(output.stderr)?,
    })
}

fn neighbours(map: &Path) -> Result<Vec<(String, Value)>> {
    let text = fs::read_to_string(map)?;
    let read = |line: &str| -> Result<(String, Value)> {
        let line: Value = serde_json::from_str(line)?;
        let code = line.get("code").and_then(Value::as_str).context("no code")?;
        Ok((code.to_owned(), line.get("neighbours").cloned().unwrap_or_default()))
    };
    text.lines().map(read).collect()
}

#[tokio::test]
async fn polygons_become_a_map_that_is_checked_and_used() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let map = folder.path().join("map.jsonl");
    let done = import(folder.path(), &country(), &[]).await?;
    ensure!(done.code == Some(0), "{}", done.why);
    ensure!(done.out.contains("4 xã / communes, 1 tỉnh / provinces, 2 ranh giới / borders"));
    ensure!(done.out.contains("1 không giáp xã nào"), "{}", done.out);
    ensure!(done.out.contains("4 xã không ghi tỉnh trong tệp"), "{}", done.out);
    let expected = [
        ("25057", json!([])),
        ("25126", json!(["25135"])),
        ("25135", json!(["25126", "25138"])),
        ("25138", json!(["25135"])),
    ];
    let expected = expected.map(|(code, neighbours)| (code.to_owned(), neighbours));
    ensure!(neighbours(&map)? == expected, "{:?}", neighbours(&map)?);
    let check = run(&["registry", "check", map.to_str().context("no text")?]).await?;
    ensure!(check.status.code() == Some(0), "{check:?}");
    let checked = String::from_utf8(check.stdout)?;
    ensure!(done.out.starts_with(&checked), "{} is not {checked}", done.out);
    // With less tolerance the gap is one, and the map is written anew.
    let done = import(folder.path(), &country(), &["--snap-m", "5", "--with-polygons"]).await?;
    ensure!(done.code == Some(0), "{}", done.why);
    ensure!(neighbours(&map)?[3] == ("25138".to_owned(), json!([])));
    ensure!(fs::read_to_string(&map)?.contains("\"polygon\":{\"type\":\"Polygon\""));
    // The borders are 1,106 m long.
    let done = import(folder.path(), &country(), &["--min-border-m", "1000"]).await?;
    ensure!(done.out.contains("2 ranh giới / borders"), "{}", done.out);
    ensure!(!done.out.contains("chạm nhau"), "{}", done.out);
    ensure!(done.out.contains("không ghi ngày"), "{}", done.out);
    let dated = ["--version", "2027-01-01", "--valid-from", "2027-01-01"];
    let done = import(folder.path(), &country(), &dated).await?;
    let told = "phiên bản / version 2027-01-01, từ / from 2027-01-01 00:00\n";
    ensure!(done.code == Some(0) && done.out.contains(told), "{} {}", done.out, done.why);
    let header = r#"{"map":{"valid_from":"2027-01-01","valid_to":null,"version":"2027-01-01"}}"#;
    ensure!(fs::read_to_string(&map)?.starts_with(&format!("{header}\n{{\"code\":\"25057\"")));
    let check = run(&["registry", "check", map.to_str().context("no text")?]).await?;
    ensure!(done.out.starts_with(&String::from_utf8(check.stdout)?), "{}", done.out);
    Ok(())
}

#[tokio::test]
async fn a_wrong_file_is_told_by_feature_and_field_and_leaves_the_map_alone() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let map = folder.path().join("map.jsonl");
    fs::write(&map, "as it was")?;
    let mut country = country();
    country["features"][2]["geometry"]["coordinates"][0][1] = json!([11.5, 107.42]);
    country["features"][3]["properties"]["code"] = json!("25126");
    let failed = import(folder.path(), &country, &[]).await?;
    ensure!(failed.code == Some(1) && failed.out.is_empty(), "{:?} {}", failed.code, failed.out);
    ensure!(failed.why.contains("boundaries.geojson"), "{}", failed.why);
    ensure!(failed.why.contains("feature 3"), "{}", failed.why);
    ensure!(failed.why.contains("geometry.coordinates[0][1]"), "{}", failed.why);
    ensure!(failed.why.contains("feature 4"), "{}", failed.why);
    ensure!(failed.why.contains("properties.code"), "{}", failed.why);
    ensure!(fs::read_to_string(&map)? == "as it was");
    for options in [
        ["--snap-m", "-1"],
        ["--min-border-m", "x"],
        ["--province", "Thanh Hoá"],
        ["--version", "1"],
        ["--valid-from", "2027-01-01"],
    ] {
        let failed = import(folder.path(), &country, &options).await?;
        ensure!(failed.code == Some(64), "{options:?}: {:?} {}", failed.code, failed.why);
    }
    Ok(())
}
