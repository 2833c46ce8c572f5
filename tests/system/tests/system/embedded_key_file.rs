//! Encryption at rest: a thief with the disk and no key, an operator who lost the key, and one who
//! has another.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use support::{Keng, child::run};
use system::{
    SOON,
    canaries::Canaries,
    people::{but, delivered, lost_child, text},
    town::{HOME, Town},
};

const WORDS: [&str; 3] = ["Canary headline", "Nguyễn Văn Canary", "Canary note"];

/// Raised with words, told to the groups, and resolved; the alert's id.
async fn raised(keng: &Keng, town: &Town) -> Result<String> {
    let an = keng.client("an", "officer", Some(HOME)).await?;
    let fields = json!({
        "headline": WORDS[0], "person": {"age": 4, "sex": "male", "name": WORDS[1]},
    });
    let raised = an.raise(&but(lost_child("x"), &fields), "raise").await?.expect(201)?;
    let alert = raised.text_at("/id").to_owned();
    delivered(&an, &alert, town.groups.len(), SOON).await?;
    an.act(&alert, "resolve", &json!({ "note": WORDS[2] }), "r").await?.expect(200)?;
    Ok(alert)
}

/// The words, and the address and secret of a group.
fn canaries(town: &Town) -> Result<Canaries> {
    let group = town.groups.first().context("a group")?;
    Ok(Canaries::of(&[&WORDS[..], &[group.url.as_str(), group.secret.as_str()]].concat()))
}

fn text_of(path: &Path) -> Result<&str> {
    path.to_str().context("a path")
}

#[tokio::test]
async fn a_thief_with_the_disk_and_without_the_key_reads_nothing() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let canaries = canaries(&town)?;
    let open = town.server("open", "up", &["--key-file", "none"]).await?;
    raised(&open, &town).await?;
    let found = canaries.found(&[open.data()])?;
    for (name, _) in &canaries.0 {
        ensure!(found.iter().any(|(one, _)| one == name), "the search misses {name}");
    }
    drop(open);

    let elsewhere = tempfile::tempdir()?;
    let key = elsewhere.path().join("key");
    let made = run(&["key-file", "new", text_of(&key)?]).await?;
    ensure!(made.status.success(), "{made:?}");
    let mut keng = town.server("data", "up", &["--key-file", text_of(&key)?]).await?;
    let alert = raised(&keng, &town).await?;
    let found = canaries.found(&[keng.data()])?;
    ensure!(found.is_empty(), "while it runs: {found:?}");
    keng.sigterm(SOON).await?;
    let found = canaries.found(&[keng.data()])?;
    ensure!(found.is_empty(), "when it has ended: {found:?}");
    keng.restart().await?;
    let an = keng.client("an", "officer", Some(HOME)).await?;
    let seen = an.get(&format!("/v1/alerts/{alert}")).await?.expect(200)?;
    ensure!(text(&seen.json, "/headline") == WORDS[0], "who has the key reads: {}", seen.text);
    let found = canaries.found(&[keng.data()])?;
    ensure!(found.is_empty(), "once it was read: {found:?}");
    Ok(())
}

#[tokio::test]
async fn a_key_that_is_lost_or_another_is_said_before_anything_begins() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let mut keng = town.up(&[]).await?;
    let alert = raised(&keng, &town).await?;
    keng.sigterm(SOON).await?;
    let folder = town.folder.path();
    let (key, kept) = (folder.join("data.key"), folder.join("kept"));
    let id = fs::read_to_string(keng.data().join("key-ids"))?.trim().to_owned();
    fs::rename(&key, &kept)?;
    let other = folder.join("other");
    run(&["key-file", "new", text_of(&other)?]).await?;
    let data = text_of(keng.data())?;
    let ports = ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"];
    for given in [&[][..], &["--key-file", "none"], &["--key-file", text_of(&other)?]] {
        let refused = run(&[&["up", "--data", data], &ports[..], given].concat()).await?;
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        ensure!(refused.status.code() == Some(64), "{given:?}: {}\n{said}", refused.status);
        ensure!(said.contains("--key-file") && said.contains(&id), "{given:?}: {said}");
        ensure!(!key.exists(), "{given:?}: no other key was made in its place");
    }
    let token = ["token", "--officer", "an", "--role", "officer", "--commune", HOME];
    let refused = keng.run(&token).await?;
    ensure!(refused.status.code() == Some(64), "{refused:?}");

    // Where the directory does not know either, the sealed parts themselves say it.
    fs::remove_file(keng.data().join("key-ids"))?;
    let given = ["up", "--data", data, "--key-file", "none"];
    let refused = run(&[&given, &ports[..]].concat()).await?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(!refused.status.success() && said.contains(&id), "{said}");

    fs::rename(&kept, &key)?;
    keng.restart().await?;
    let an = keng.client("an", "officer", Some(HOME)).await?;
    let seen = an.get(&format!("/v1/alerts/{alert}")).await?.expect(200)?;
    ensure!(text(&seen.json, "/headline") == WORDS[0], "{}", seen.text);
    Ok(())
}

#[tokio::test]
async fn what_an_earlier_release_left_unencrypted_is_read_and_what_is_new_is_encrypted()
-> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let before = town.up(&["--key-file", "none"]).await?;
    let old = raised(&before, &town).await?;
    drop(before);
    let keng = town.up(&[]).await?;
    let an = keng.client("an", "officer", Some(HOME)).await?;
    let seen = an.get(&format!("/v1/alerts/{old}")).await?.expect(200)?;
    ensure!(text(&seen.json, "/headline") == WORDS[0], "{}", seen.text);
    let fields = json!({ "headline": "Canary later" });
    let later = an.raise(&but(lost_child("y"), &fields), "later").await?.expect(201)?;
    let seen = an.get(&format!("/v1/alerts/{}", later.text_at("/id"))).await?.expect(200)?;
    ensure!(text(&seen.json, "/headline") == "Canary later", "{}", seen.text);
    ensure!(!Canaries::of(&[WORDS[0]]).found(&[keng.data()])?.is_empty(), "as it was");
    ensure!(Canaries::of(&["Canary later"]).found(&[keng.data()])?.is_empty(), "encrypted");
    Ok(())
}
