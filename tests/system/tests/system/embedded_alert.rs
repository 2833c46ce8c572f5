//! An alert between its raise and its end, from a terminal: by the README's own commands, and what
//! a command ends with.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Stdio,
    sync::Arc,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use support::{Keng, child, eventually};
use system::{
    SOON,
    people::{lost_child, text},
    town::{HOME, Town},
};
use tokio::process::Command;

/// The shell blocks of this section of the README. What is to be refused may be.
fn commands(section: &str) -> Result<String> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = fs::read_to_string(readme)?;
    let section = readme.split("\n## ").find(|part| part.starts_with(section));
    let blocks = section.context("the README has no such section")?.split("```sh\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap_or_default());
    let refused = |line: &str| match line.starts_with("keng alert review") {
        true => format!("{line} || test $? -eq 2\n"),
        false => format!("{line}\n"),
    };
    Ok(blocks.flat_map(str::lines).map(refused).collect())
}

#[tokio::test]
async fn the_commands_of_the_readme_lead_an_alert_through_its_life() -> Result<()> {
    let folder = Arc::new(tempfile::Builder::new().prefix("keng-life-").tempdir()?);
    let options = ["--demo", "--disk-reserve", "1048576"];
    let keng = Keng::start_in(Arc::clone(&folder), "keng-demo", "up", &options).await?;
    keng.lines().wait_for_one(SOON, |line| line.contains("/v/")).await?;

    // The program as the README calls it, but for the port.
    let (program, binary) = (folder.path().join("keng"), child::binary()?.canonicalize()?);
    let (binary, http) = (binary.display(), keng.http());
    let script = format!(
        "#!/bin/sh\ncase $1 in token | replay) exec {binary} \"$@\" ;; esac\n\
         exec {binary} \"$@\" --server {http}\n"
    );
    fs::write(&program, script)?;
    fs::set_permissions(&program, Permissions::from_mode(0o755))?;
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-euc", &commands("An alert's whole life")?])
        .current_dir(folder.path())
        .env("PATH", format!("{}:{path}", folder.path().display()))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(SOON, shell.output()).await??;
    let said = String::from_utf8(output.stdout)?;
    let complained = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}\n{said}\n{complained}", output.status);
    ensure!(complained.contains("no-review-owed"), "{complained}");

    in_order(
        &said,
        &[
            "awaiting-approval",
            "bản / revision 2",
            "chờ người thứ hai duyệt bản 3 (update, an)",
            "bản / revision 4",
            "chờ người thứ hai duyệt bản 5 (widen, an)",
            "đang tạm giữ / on hold",
            "bản / revision 6",
            "resolved",
            "chờ người thứ hai duyệt bản 8 (reopen, an)",
            "active",
            "cancelled",
            "RaiseAlert",
        ],
    )?;
    // The audit follows, a moment behind the answers.
    let id = said.lines().next().and_then(|line| line.split_whitespace().last());
    let id = id.context("no id in the first line")?;
    eventually(SOON, async || {
        let replayed = keng.run(&["replay", "--alert", id]).await?;
        in_order(
            &String::from_utf8(replayed.stdout)?,
            &[
                "AlertApprovalAsked",
                "AlertApproved",
                "AlertIssued",
                "update description",
                "AlertChangeAsked",
                "AlertDeclined",
                "AlertChanged",
                "AlertWidened",
                "AlertHeld",
                "AlertReleased",
                "AlertSighted",
                "AlertResolved",
                "AlertReopened",
                "AlertCancelled",
                "no-review-owed",
            ],
        )
    })
    .await
}

/// Each of these in a line of its own, one after the other.
fn in_order(said: &str, words: &[&str]) -> Result<()> {
    let mut after = said.lines();
    for word in words {
        ensure!(after.any(|line| line.contains(word)), "no `{word}` in its place in\n{said}");
    }
    Ok(())
}

#[tokio::test]
async fn a_command_ends_with_what_became_of_it() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let keng = town.up(&[]).await?;
    let officer = keng.token("an", "officer", Some(HOME)).await?;
    let commander = keng.token("dung", "commander", Some(HOME)).await?;
    let client = keng.client("an", "officer", Some(HOME)).await?;
    let raised = client.raise(&lost_child("ở chợ"), "k").await?.expect(201)?;
    let id = raised.text_at("/id");
    let alert = async |who: &str, arguments: &[&str]| -> Result<(Option<i32>, String)> {
        let server = ["--server", keng.http(), "--bearer", who];
        let output = child::run(&[&["alert"], arguments, &server].concat()).await?;
        let both = [output.stdout, output.stderr].concat();
        Ok((output.status.code(), String::from_utf8(both)?))
    };

    let patch = town.folder.path().join("patch.json");
    fs::write(&patch, json!({ "person": { "clothing": "áo xanh" } }).to_string())?;
    let patch = format!("@{}", patch.to_str().context("the folder's name is no text")?);
    for (who, arguments, code, words) in [
        (&officer, vec!["show", id], 0, "a review is owed until"),
        (&officer, vec!["review", id], 2, "403 forbidden"),
        (&commander, vec!["review", id], 0, "đã xem lại / reviewed"),
        (&officer, vec!["update", id, "--json", &patch], 0, "bản / revision 2"),
        (&officer, vec!["update", id, "--json", r#"{"kind":"notice"}"#], 2, "kind: không đổi"),
        (&officer, vec!["correct", id, "--json", "{"], 2, "400 malformed-json"),
        (&officer, vec!["correct", id, "--json", "@nothing"], 64, "--json nothing"),
        (&officer, vec!["hold", id, "--note", "x"], 64, "--note"),
        (&officer, vec!["sighting", id, "--at", "11,x"], 64, "LAT,LON"),
        (&officer, vec!["release", id], 2, "409 not-on-hold"),
        (&officer, vec!["resolve", id, "--note", "Đã tìm thấy."], 0, "resolved"),
        (&officer, vec!["hold", id], 2, "409 closed"),
        (&officer, vec!["show", "x"], 2, "404 not-found"),
    ] {
        let (ended, said) = alert(who, &arguments).await?;
        ensure!(
            ended == Some(code) && said.contains(words),
            "{arguments:?} ended with {ended:?}: {said}"
        );
    }
    let read = client.get(&format!("/v1/alerts/{id}")).await?.expect(200)?;
    ensure!(text(&read.json, "/person/clothing") == "áo xanh", "{}", read.text);

    // The same key has the effect of one.
    let reopen = ["reopen", id, "--key", "again"];
    let (first, second) = (alert(&officer, &reopen).await?, alert(&officer, &reopen).await?);
    let [(Some(0), first), (Some(0), second)] = [first, second] else {
        bail!("it was not reopened twice")
    };
    ensure!(first == second && first.contains("bản / revision 4"), "{first}\n{second}");

    let nowhere = ["alert", "show", id, "--server", "http://127.0.0.1:1", "--bearer", &officer];
    ensure!(child::run(&nowhere).await?.status.code() == Some(1), "no server is a failure");
    Ok(())
}
