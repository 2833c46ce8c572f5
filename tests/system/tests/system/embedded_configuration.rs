//! A wrong configuration ends with 64 and a reason, before any port is bound.

use std::{fs, net::TcpListener, path::Path};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use support::{Keng, child::run};
use system::{
    SOON,
    town::{HOME, Town},
};

/// Runs `keng COMMAND …` on ports that are taken: who tried to bind them would end with 1.
async fn refused(command: &str, options: &[&str], words: &[&str]) -> Result<()> {
    let taken = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
    let [http, grpc] = taken.each_ref().map(|port| port.local_addr().map(|at| at.to_string()));
    let (http, grpc) = (http?, grpc?);
    let ports = ["--http", http.as_str(), "--grpc", grpc.as_str()];
    let output = run(&[&[command], &ports[..], options].concat()).await?;
    let why = String::from_utf8_lossy(&output.stderr);
    let code = output.status.code();
    ensure!(code == Some(64), "{command} {options:?} ended with {code:?}: {why}");
    ensure!(output.stdout.is_empty(), "{command} {options:?} answered");
    for word in words {
        ensure!(why.contains(word), "{command} {options:?}: no `{word}` in: {why}");
    }
    Ok(())
}

fn file(folder: &Path, name: &str, lines: &[Value]) -> Result<String> {
    let path = folder.join(name);
    fs::write(&path, lines.iter().map(|line| format!("{line}\n")).collect::<String>())?;
    Ok(path.to_str().context("no text")?.to_owned())
}

/// Three communes in a row, the middle one on line 2.
fn map() -> [Value; 3] {
    let commune = |code: &str, lat: f64, neighbours: &[&str]| {
        json!({
            "code": code, "name": format!("Xã {code}"), "type": "xã", "province_code": "68",
            "province": "Lâm Đồng", "lat": lat, "lon": 107.45, "area_geo_km2": 100.0,
            "neighbours": neighbours,
        })
    };
    [
        commune("25126", 11.58, &["25135"]),
        commune("25135", 11.68, &["25126", "25138"]),
        commune("25138", 11.78, &["25135"]),
    ]
}

#[tokio::test]
async fn a_wrong_map_is_refused_with_line_and_field() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let good = file(folder.path(), "good.jsonl", &map())?;
    let output = run(&["registry", "check", &good]).await?;
    ensure!(output.status.code() == Some(0), "{output:?}");

    type Break = fn(&mut [Value; 3]);
    let cases: [(&str, Break, &[&str]); 6] = [
        ("unknown-field", |map| map[1]["colour"] = json!("đỏ"), &["line 2", "colour"]),
        (
            "unknown-neighbour",
            |map| map[1]["neighbours"] = json!(["25126", "25138", "99999"]),
            &["line 2", "neighbours[2]"],
        ),
        ("one-sided", |map| map[2]["neighbours"] = json!([]), &["line 2", "neighbours[1]"]),
        ("duplicate", |map| map[2]["code"] = json!("25126"), &["line 3", "code"]),
        (
            "swapped",
            |map| (map[1]["lat"], map[1]["lon"]) = (json!(107.45), json!(11.68)),
            &["line 2", "lat"],
        ),
        ("missing", |map| drop(map[0].as_object_mut().map(|map| map.remove("name"))), &["line 1"]),
    ];
    for (name, break_it, words) in cases {
        let mut lines = map();
        break_it(&mut lines);
        let wrong = file(folder.path(), name, &lines)?;
        let data = folder.path().join("data");
        let data = data.to_str().context("no text")?;
        refused("up", &["--registry", &wrong, "--data", data], words).await.context(name)?;
    }
    Ok(())
}

#[tokio::test]
async fn wrong_options_and_files_are_refused() -> Result<()> {
    let town = Town::with(&[HOME], 2).await?;
    let folder = town.folder.path();
    let mut groups: Vec<Value> = town.groups.iter().map(support::Group::to_json).collect();
    groups[1]["commune"] = json!("99999");
    let groups = file(folder, "wrong-groups.jsonl", &groups)?;
    let config = |name: &str, text: &str| -> Result<String> {
        let path = folder.join(name);
        fs::write(&path, text)?;
        Ok(path.to_str().context("no text")?.to_owned())
    };
    let unknown = config("unknown.toml", "data = \"x\"\nport = 80\n")?;
    let broken = config("broken.toml", "data = \n")?;
    let policy = "[commune.\"25126\"]\nwaits = [{ kind = \"lost-child\" }]\n";
    let policy = config("policy.toml", policy)?;
    let data = config("new", "")?;
    fs::remove_file(&data)?;
    let at = ["--data", data.as_str()];

    let cases: [(&str, Vec<&str>, &[&str]); 18] = [
        ("up", vec!["--groups", &groups], &["line 2", "commune"]),
        ("up", vec!["--groups", "/nonexistent"], &["/nonexistent"]),
        ("up", vec!["--policy", &policy], &["policy.toml", "line 1", "commune.25126.waits"]),
        ("up", vec!["--policy", "/nonexistent"], &["/nonexistent"]),
        ("up", vec!["--texts", "/nonexistent"], &["--texts", "/nonexistent"]),
        ("up", vec!["--registry", "/nonexistent"], &["/nonexistent"]),
        ("up", vec!["--config", &unknown], &["unknown.toml", "2", "port"]),
        ("up", vec!["--config", &broken], &["broken.toml", "1"]),
        ("up", vec!["--config", "/nonexistent"], &["/nonexistent"]),
        ("up", vec!["--nats", "http://"], &["--nats"]),
        ("up", vec!["--colour"], &["--colour"]),
        ("up", vec!["--disk-reserve", "much"], &["much"]),
        ("up", vec!["--witnesses", &unknown], &["--witnesses", "line 1"]),
        ("up", vec!["--tsa", "tsa.example.vn"], &["--tsa"]),
        ("intake", vec![], &["--nats"]),
        ("alerting", vec![], &["--nats"]),
        ("fan-out", vec![], &["--nats"]),
        ("audit", vec![], &["--nats"]),
    ];
    for (command, options, words) in cases {
        refused(command, &[&options[..], &at].concat(), words).await?;
    }
    ensure!(!Path::new(&data).exists(), "a wrong configuration leaves nothing behind");
    Ok(())
}

#[tokio::test]
async fn a_directory_has_one_server_and_one_kind() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let mut real = town.up(&[]).await?;
    let data = real.data().to_str().context("no text")?.to_owned();
    let at = ["--data", data.as_str()];
    refused("up", &at, &["held by another process"]).await?;
    real.sigterm(SOON).await?;
    refused("up", &[&["--demo"], &at[..]].concat(), &["real"]).await?;
    // Nothing was harmed.
    real.restart().await?;

    let mut demo = Keng::start("up", &["--demo", "--disk-reserve", "1048576"]).await?;
    demo.sigterm(SOON).await?;
    let at = ["--data", demo.data().to_str().context("no text")?];
    refused("up", &at, &["demo"]).await?;
    demo.restart().await
}

#[tokio::test]
async fn another_map_on_the_same_directory_is_refused() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let mut keng = town.up(&[]).await?;
    keng.sigterm(SOON).await?;
    let other = file(town.folder.path(), "other.jsonl", &map())?;
    let data = keng.data().to_str().context("no text")?;
    let ports = ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"];
    let output = run(&[&["up", "--data", data, "--registry", &other], &ports[..]].concat()).await?;
    let why = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(64) && why.contains("map"), "{:?} {why}", output.status);
    ensure!(output.stdout.is_empty(), "it was never ready");
    keng.restart().await
}

#[tokio::test]
async fn a_map_takes_the_place_of_another_from_its_day_on() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let mut keng = town.up(&[]).await?;
    keng.sigterm(SOON).await?;
    let data = keng.data().to_str().context("no text")?.to_owned();
    let dated = |name: &str, from: &str, to: Value| {
        let header = json!({ "map": { "version": name, "valid_from": from, "valid_to": to } });
        let lines: Vec<Value> = [header].into_iter().chain(map()).collect();
        file(town.folder.path(), name, &lines)
    };
    for (from, to, why) in [
        ("2999-01-01", Value::Null, "not in force before 2999-01-01 00:00"),
        ("2025-07-02", json!("2025-07-03"), "no longer in force since 2025-07-03 00:00"),
        ("2025-07-01", Value::Null, "differs from the one in force"),
    ] {
        let other = dated("other", from, to)?;
        refused("up", &["--data", &data, "--registry", &other], &["--registry", why]).await?;
    }

    // The one in force begins on 1 July.
    let next = dated("next", "2025-07-02", Value::Null)?;
    let checked = run(&["registry", "check", &next]).await?;
    let told = String::from_utf8_lossy(&checked.stdout);
    ensure!(told.contains("phiên bản / version next, từ / from 2025-07-02 00:00\n"), "{told}");
    let mut up = town.up(&["--registry", &next]).await?;
    let shown = up.run(&["preflight"]).await?;
    let shown = String::from_utf8_lossy(&shown.stdout);
    ensure!(shown.contains("bản đồ / map next (3 xã / communes, từ / from 2025-07-02"), "{shown}");
    let lines = [
        ": 2025-07-01, 3321 xã / communes, từ / from 00:00 01/07/2025\n",
        ": next, 3 xã / communes, từ / from 00:00 02/07/2025, thay / in place of 2025-07-01\n",
    ];
    // The audit follows a little behind.
    support::eventually(SOON, async || {
        let replayed = up.run(&["replay"]).await?;
        let replayed = String::from_utf8_lossy(&replayed.stdout);
        ensure!(lines.iter().all(|line| replayed.contains(line)), "{replayed}");
        Ok(())
    })
    .await?;
    up.restart().await?;
    up.sigterm(SOON).await?;
    refused("up", &["--data", &data], &["differs from the one in force"]).await
}
