//! The whole way of one alert through one process, and what the commands say.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use support::{Client, child::run, eventually};
use system::{
    SOON,
    history::History,
    people::{delivered, lost_child, text},
    town::{FAR, HOME, RING, Town},
};

#[tokio::test]
async fn an_alert_reaches_every_group_once_and_the_audit() -> Result<()> {
    let town = Town::with(&RING, 2).await?;
    let keng = town.up(&[]).await?;
    let officer = keng.client("an", "officer", Some(HOME)).await?;

    let raised = officer.raise(&lost_child("ở chợ"), "key-1").await?.expect(201)?;
    ensure!(raised.text_at("/state") == "active", "{}", raised.text);
    let id = raised.text_at("/id").to_owned();
    let communes = raised.at("/communes").as_array().context("no communes")?;
    let communes: BTreeSet<&str> = communes.iter().map(|one| text(one, "/code")).collect();
    ensure!(communes == BTreeSet::from(RING), "{communes:?}");

    town.told(&id, "alert.issued", SOON).await?;
    let deliveries = delivered(&officer, &id, town.groups.len(), SOON).await?;
    town.check_calls()?;
    let calls = town.calls()?;
    ensure!(calls.len() == town.groups.len(), "each group once: {calls:#?}");
    let known: BTreeSet<&str> = deliveries.iter().map(|one| text(one, "/id")).collect();
    ensure!(calls.iter().all(|call| known.contains(call.id.as_str())), "{known:?} {calls:#?}");

    let verify = format!("/v1/verify/{}", raised.text_at("/code"));
    let anyone = Client::new(keng.http())?;
    let page = anyone.get(&verify).await?.expect(200)?;
    ensure!(page.text_at("/status") == "live", "{}", page.text);
    ensure!(!page.text.contains("Nguyễn Văn A"), "a name for everybody: {}", page.text);

    let note = json!({"note": "đã tìm thấy"});
    officer.act(&id, "resolve", &note, "key-2").await?.expect(200)?;
    town.told(&id, "alert.resolved", SOON).await?;
    let page = anyone.get(&verify).await?.expect(200)?;
    ensure!(page.text_at("/status") == "closed", "{}", page.text);
    town.check_calls()?;

    let history = History::with(&keng, &BTreeSet::from([id.clone()]), SOON).await?;
    // The audit follows, a moment behind the receipts.
    eventually(SOON, async || {
        let of_alert = History::at(&keng, &["--alert", &id]).await?;
        for kind in ["RaiseAlert", "AlertIssued", "DeliveriesPlanned", "ReceiptsRecorded"] {
            ensure!(of_alert.of(kind).next().is_some(), "no {kind}: {of_alert:#?}");
        }
        Ok(())
    })
    .await?;
    let all = format!("{:?}", history.lines);
    ensure!(!all.contains("Nguyễn Văn A") && !all.contains("chợ"), "words are in the log: {all}");
    let spoken = keng.run(&["replay", "--alert", &id]).await?;
    let spoken = String::from_utf8(spoken.stdout)?;
    ensure!(spoken.contains("đã phát / issued"), "{spoken}");
    Ok(())
}

#[tokio::test]
async fn a_command_ends_with_the_code_of_its_outcome() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let keng = town.up(&[]).await?;
    let token = keng.token("an", "officer", Some(HOME)).await?;
    let raise = async |commune: &str, more: &[&str]| {
        let seen = jiff::Timestamp::now().to_string();
        let alert = ["raise", "lost-child", "--commune", commune, "--headline", "Tìm cháu bé"];
        let facts = ["--status", "actual", "--place", "chợ", "--at", "11.58,107.46"];
        let at = ["--seen", &seen, "--server", keng.http(), "--bearer", &token];
        run(&[&alert[..], &facts, &at, more].concat()).await
    };

    let done = raise(HOME, &[]).await?;
    let said = String::from_utf8(done.stdout)?;
    ensure!(done.status.code() == Some(0) && said.starts_with("active"), "{said}");

    let refused = raise(FAR, &[]).await?;
    let why = String::from_utf8(refused.stderr)?;
    ensure!(refused.status.code() == Some(2) && why.contains("403"), "{:?} {why}", refused.status);

    let refused = raise(HOME, &["--expires", "2020-01-01T00:00:00Z"]).await?;
    let why = String::from_utf8(refused.stderr)?;
    ensure!(refused.status.code() == Some(2) && why.contains("expires"), "{why}");

    for wrong in [vec!["raise"], vec!["rise"], vec!["replay", "--format", "xml"], vec!["intake"]] {
        let output = run(&wrong).await?;
        let why = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(64) && !why.is_empty(), "{wrong:?}: {why}");
    }
    let nobody = run(&["replay", "--data", "/nonexistent"]).await?;
    ensure!(nobody.status.code() == Some(1), "{:?}", nobody.status);
    Ok(())
}
