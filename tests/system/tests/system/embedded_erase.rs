//! What was erased is in no file of the installation: words, salt, picture; also where the process
//! was killed in the middle.

use std::fs;

use anyhow::{Context, Result, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::json;
use support::{Client, Keng, client::send, eventually};
use system::{
    SOON,
    canaries::{Canaries, copy, files, salt_beside},
    people::{but, delivered, lost_child, text},
    town::{HOME, NEIGHBOUR, Town},
};

const WORDS: [&str; 4] =
    ["Canary headline", "Nguyễn Văn Canary", "Canary note", "Canary instruction"];
/// So that a search finds what is there.
const UNENCRYPTED: [&str; 2] = ["--key-file", "none"];
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

async fn upload(an: &Client) -> Result<String> {
    let head = b"--x\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a\"\r\n\r\n";
    let form = [head.as_slice(), &BASE64_STANDARD.decode(PIXEL)?, b"\r\n--x--\r\n"].concat();
    let request = an.request(Method::POST, "/v1/photos");
    let request = request.header(CONTENT_TYPE, "multipart/form-data; boundary=x").body(form);
    Ok(send(request).await?.text_at("/id").to_owned())
}

/// Raised with words and a picture, instructed on, and resolved.
async fn lost_and_found(keng: &Keng, town: &Town, an: &Client) -> Result<String> {
    let photo = upload(an).await?;
    let fields = json!({
        "headline": WORDS[0], "person": {"age": 4, "sex": "male", "name": WORDS[1]},
        "photos": [{"id": photo, "legal_basis": "art-19-1"}],
    });
    let raised = an.raise(&but(lost_child("x"), &fields), "raise").await?.expect(201)?;
    let alert = raised.text_at("/id").to_owned();
    delivered(an, &alert, town.groups.len(), SOON).await?;
    let binh = keng.client("binh", "officer", Some(NEIGHBOUR)).await?;
    let instruction = json!({ "instruction": WORDS[3] });
    binh.act(&alert, "instructions", &instruction, "i").await?.expect(200)?;
    an.act(&alert, "resolve", &json!({ "note": WORDS[2] }), "r").await?.expect(200)?;
    Ok(alert)
}

/// The words, a salt, and the bytes of each size of the picture.
fn canaries(keng: &Keng) -> Result<Canaries> {
    let mut canaries = Canaries::of(&WORDS);
    let sealed = keng.data().join("events/sealed");
    let salt = salt_beside(WORDS[0], &sealed)?.context("no salt beside the headline")?;
    canaries.0.push(("salt".to_owned(), salt));
    for path in files(&keng.data().join("photos"))? {
        if path.extension().is_some_and(|last| last == "jpg") {
            canaries.0.push((path.display().to_string(), fs::read(&path)?));
        }
    }
    ensure!(canaries.0.len() == WORDS.len() + 1 + 3, "three sizes: {canaries:?}");
    Ok(canaries)
}

async fn is_erased(client: &Client, alert: &str) -> Result<()> {
    eventually(SOON, async || {
        let seen = client.get(&format!("/v1/alerts/{alert}/erasure")).await?.expect(200)?;
        ensure!(seen.text_at("/state") == "erased", "{}", seen.text);
        Ok(())
    })
    .await
}

async fn erase(an: &Client, commander: &Client, alert: &str) -> Result<()> {
    let basis = json!({ "basis": "subject-request" });
    an.act(alert, "erase", &basis, "e").await?.expect(200)?;
    commander.act(alert, "erase/confirm", &basis, "c").await?;
    Ok(())
}

#[tokio::test]
async fn what_was_erased_is_in_no_file() -> Result<()> {
    let town = Town::with(&[HOME, NEIGHBOUR], 1).await?;
    let mut keng = town.up(&UNENCRYPTED).await?;
    let an = keng.client("an", "officer", Some(HOME)).await?;
    let chi = keng.client("chi", "commander", Some(HOME)).await?;
    let alert = lost_and_found(&keng, &town, &an).await?;
    let other = an.raise(&lost_child("Canary other"), "other").await?.expect(201)?;
    let canaries = canaries(&keng)?;
    let before = canaries.found(&[keng.data()])?;
    for (name, _) in &canaries.0 {
        ensure!(before.iter().any(|(found, _)| found == name), "the search misses {name}");
    }
    erase(&an, &chi, &alert).await?;
    is_erased(&chi, &alert).await?;
    ensure!(canaries.found(&[keng.data()])?.is_empty(), "{:?}", canaries.found(&[keng.data()])?);

    keng.sigterm(SOON).await?;
    keng.restart().await?;
    ensure!(canaries.found(&[keng.data()])?.is_empty(), "after a restart");
    let an = an.at(keng.http());
    let seen = an.get(&format!("/v1/alerts/{alert}")).await?.expect(200)?;
    ensure!(seen.text_at("/sealed") == "erased" && !seen.text.contains("Canary"), "{}", seen.text);
    let kept = an.get(&format!("/v1/alerts/{}", other.text_at("/id"))).await?.expect(200)?;
    ensure!(kept.text.contains("Canary other"), "another alert's words stay");
    Ok(())
}

#[tokio::test]
async fn a_kill_in_the_middle_is_finished_at_the_next_start() -> Result<()> {
    let town = Town::with(&[HOME, NEIGHBOUR], 1).await?;
    let mut keng = town.up(&UNENCRYPTED).await?;
    let an = keng.client("an", "officer", Some(HOME)).await?;
    let chi = keng.client("chi", "commander", Some(HOME)).await?;
    let alert = lost_and_found(&keng, &town, &an).await?;
    let canaries = canaries(&keng)?;
    erase(&an, &chi, &alert).await?;
    // Wherever it is by now.
    keng.kill9().await?;
    keng.restart().await?;
    is_erased(&chi.at(keng.http()), &alert).await?;
    ensure!(canaries.found(&[keng.data()])?.is_empty(), "{:?}", canaries.found(&[keng.data()])?);
    Ok(())
}

/// Waits until the audit has signed for the erasure.
async fn signed_for(keng: &Keng, alert: &str) -> Result<()> {
    let auditor = keng.client("khanh", "auditor", None).await?;
    eventually(SOON, async || {
        let path = format!("/v1/audit/records?alert={alert}");
        let records = auditor.get(&path).await?.expect(200)?;
        let records = records.at("/records").as_array().cloned().unwrap_or_default();
        let erased = records.iter().find(|record| text(record, "/type") == "AlertErased");
        let position = erased.and_then(|record| record.get("position")?.as_u64());
        let checkpoint = auditor.get("/checkpoint").await?.expect(200)?;
        let size: u64 = checkpoint.text.lines().nth(1).context("a size")?.parse()?;
        ensure!(position.is_some_and(|position| size >= position), "{position:?} of {size}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_older_copy_is_cleaned_before_it_serves() -> Result<()> {
    let town = Town::with(&[HOME, NEIGHBOUR], 1).await?;
    let mut keng = town.up(&UNENCRYPTED).await?;
    let an = keng.client("an", "officer", Some(HOME)).await?;
    let chi = keng.client("chi", "commander", Some(HOME)).await?;
    let alert = lost_and_found(&keng, &town, &an).await?;
    let other = an.raise(&lost_child("Canary other"), "other").await?.expect(201)?;
    let canaries = canaries(&keng)?;
    keng.sigterm(SOON).await?;
    let backup = town.folder.path().join("backup");
    copy(keng.data(), &backup)?;
    keng.restart().await?;
    let (an, chi) = (an.at(keng.http()), chi.at(keng.http()));
    erase(&an, &chi, &alert).await?;
    is_erased(&chi, &alert).await?;
    signed_for(&keng, &alert).await?;

    // The disk is lost, the backup of before the erasure comes in its place. What was signed last
    // is no part of a backup.
    keng.sigterm(SOON).await?;
    let signed = town.folder.path().join("signed");
    fs::rename(keng.data().join("audit-signed"), &signed)?;
    fs::remove_dir_all(keng.data())?;
    copy(&backup, keng.data())?;
    fs::remove_dir_all(keng.data().join("audit-signed"))?;
    fs::rename(&signed, keng.data().join("audit-signed"))?;
    ensure!(!canaries.found(&[keng.data()])?.is_empty(), "the backup holds what was erased");
    keng.restart().await?;
    let found = canaries.found(&[keng.data()])?;
    ensure!(found.is_empty(), "it was ready and held {found:?}");
    let said = keng.lines().all();
    ensure!(said.iter().any(|line| line.contains("1 alerts that were erased")), "{said:?}");
    let (an, chi) = (an.at(keng.http()), chi.at(keng.http()));
    is_erased(&chi, &alert).await?;
    let seen = chi.get(&format!("/v1/alerts/{alert}/erasure")).await?.expect(200)?;
    ensure!(seen.text_at("/basis") == "restored", "{}", seen.text);
    let seen = an.get(&format!("/v1/alerts/{alert}")).await?.expect(200)?;
    ensure!(seen.text_at("/sealed") == "erased" && !seen.text.contains("Canary"), "{}", seen.text);
    let kept = an.get(&format!("/v1/alerts/{}", other.text_at("/id"))).await?.expect(200)?;
    ensure!(kept.text.contains("Canary other"), "another alert's words stay");
    // The audit has less than was signed, and says so; alerts go on.
    let ready = an.get("/readyz").await?;
    ensure!(ready.text.contains("no longer signed"), "{}", ready.text);
    an.raise(&lost_child("on"), "on").await?.expect(201)?;

    // Once it is in the log again, a start has nothing to say of it.
    keng.sigterm(SOON).await?;
    keng.restart().await?;
    let said = keng.lines().all();
    ensure!(!said.iter().any(|line| line.contains("erased since")), "{said:?}");
    Ok(())
}

#[tokio::test]
async fn what_the_log_says_was_erased_is_noted_beside_it_anew() -> Result<()> {
    let town = Town::with(&[HOME, NEIGHBOUR], 1).await?;
    let mut keng = town.up(&[]).await?;
    let an = keng.client("an", "officer", Some(HOME)).await?;
    let chi = keng.client("chi", "commander", Some(HOME)).await?;
    let alert = lost_and_found(&keng, &town, &an).await?;
    erase(&an, &chi, &alert).await?;
    is_erased(&chi, &alert).await?;
    let file = town.folder.path().join("data.erasures");
    let noted = fs::read_to_string(&file)?;
    ensure!(noted.lines().count() == 1 && noted.contains(&alert), "{noted}");
    keng.sigterm(SOON).await?;
    fs::remove_file(&file)?;
    keng.restart().await?;
    eventually(SOON, async || {
        let again = fs::read_to_string(&file)?;
        ensure!(again == noted, "{again}");
        Ok(())
    })
    .await
}
