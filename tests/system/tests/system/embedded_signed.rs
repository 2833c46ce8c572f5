//! A person signs from a terminal: the key in a file, two persons for it, and no token to raise.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use support::{Keng, child, eventually};
use system::{
    SOON,
    town::{HOME, Town},
};

/// What a command prints; it ends with this code.
async fn run(arguments: &[&str], code: i32) -> Result<String> {
    let output = child::run(arguments).await?;
    let said = String::from_utf8(output.stdout)?;
    let why = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(code), "{arguments:?}: {}\n{said}\n{why}", output.status);
    Ok(said + &why)
}

#[tokio::test]
async fn an_alert_is_signed_by_a_key_in_a_file() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let keng = town.up(&[]).await?;
    let an = keng.token("an", "officer", Some(HOME)).await?;
    let chief = keng.token("chief", "commander", Some(HOME)).await?;
    let file = keng.folder().path().join("an.key");
    let file = file.to_str().context("a path")?;
    let at = ["--server", keng.http()];

    let made = run(&["key", "new", "--out", file], 0).await?;
    let id = made.split_whitespace().last().context("the key's id")?.to_owned();
    run(&["key", "new", "--out", file], 64).await?;
    let own = [&at[..], &["--bearer", &an]].concat();
    let second = [&at[..], &["--bearer", &chief]].concat();
    run(&[&["key", "register", file, "--officer", "binh"], &own[..]].concat(), 2).await?;
    run(&[&["key", "register", file, "--officer", "an"], &own[..]].concat(), 0).await?;
    let raise = [
        &["raise", "hazard", "--commune", HOME, "--status", "actual"][..],
        &["--headline", "Cầu sập, không qua được", "--reach", "rings:0"],
        &["--sign-with", file],
        &at,
    ]
    .concat();
    let early = run(&raise, 2).await?;
    ensure!(early.contains("key-not-confirmed"), "{early}");
    run(&[&["key", "confirm", &id], &own[..]].concat(), 2).await?;
    run(&[&["key", "confirm", &id], &second[..]].concat(), 0).await?;

    // Without any token.
    let raised = run(&raise, 0).await?;
    let words: Vec<&str> = raised.lines().next().context("a line")?.split_whitespace().collect();
    let [state, _, alert] = words[..] else { anyhow::bail!("{raised}") };
    ensure!(state == "active", "{raised}");
    town.told(alert, "alert.issued", SOON).await?;
    let act = |words: &[&str]| -> Vec<String> {
        let all = [&["alert"], words, &["--sign-with", file], &at[..]].concat();
        all.iter().map(|word| (*word).to_owned()).collect()
    };
    let update = act(&["update", alert, "--json", r#"{"description":"Đi đường vòng."}"#]);
    let update: Vec<&str> =
        update.iter().map(String::as_str).chain(["--bearer", an.as_str()]).collect();
    run(&update, 0).await?;
    let cancel = act(&["cancel", alert, "--note", "Báo nhầm."]);
    let cancel: Vec<&str> = cancel.iter().map(String::as_str).collect();
    let cancelled = run(&cancel, 0).await?;
    ensure!(cancelled.starts_with("cancelled"), "{cancelled}");
    let told = run(&[&["alert", "deliveries", alert], &own[..]].concat(), 0).await?;
    ensure!(told.contains("signed by the officer"), "{told}");

    let by_token: Vec<&str> =
        raise.iter().copied().filter(|word| !["--sign-with", file].contains(word)).collect();
    run(&[&by_token[..], &["--bearer", &an]].concat(), 0).await?;
    // The audit follows behind the answers.
    eventually(SOON, async || replayed(&keng, &id).await).await?;

    run(&[&["key", "revoke", &id], &own[..]].concat(), 0).await?;
    let over = run(&raise, 2).await?;
    ensure!(over.contains("key-revoked"), "{over}");
    let list = run(&[&["key", "list"], &second[..]].concat(), 0).await?;
    ensure!(list.contains(&format!("{id}\trevoked\tofficer\tan\t{HOME}")), "{list}");
    Ok(())
}

/// The replay says who signed, and what a service says of who has only a token.
async fn replayed(keng: &Keng, id: &str) -> Result<()> {
    let lines = keng.run(&["replay", "--format", "json"]).await?.stdout;
    let lines = String::from_utf8(lines)?;
    let lines: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let of = |kind: &'static str| lines.iter().filter(move |line| line["type"] == kind);
    let known: Vec<(&str, &str)> = of("RaiseAlert")
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or_default();
            (text("attested"), text("key"))
        })
        .collect();
    let [("key", by_an), ("token", by_service)] = known[..] else {
        anyhow::bail!("{known:?}");
    };
    ensure!(by_an == id && by_service.len() == 32 && by_service != id, "{known:?}");
    // The service's key stands in the log before all that it signs.
    let first = of("RegisterKey").next().context("the service's key")?;
    ensure!(first["key"] == by_service && first["position"] == 1, "{first}");
    Ok(())
}
