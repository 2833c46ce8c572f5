//! Local state is a cache: without it the system is the same.

use std::{collections::BTreeSet, fs};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use support::Client;
use system::{
    SOON,
    history::History,
    people::{delivered, lost_child},
    town::{HOME, NEIGHBOUR, Town},
};

#[tokio::test]
async fn deleting_local_state_changes_nothing() -> Result<()> {
    let town = Town::with(&[HOME, NEIGHBOUR], 2).await?;
    let mut keng = town.up(&[]).await?;
    let token = keng.token("an", "officer", Some(HOME)).await?;
    let officer = Client::new(keng.http())?.with_token(&token);
    let first = officer.raise(&lost_child("một"), "k-1").await?.expect(201)?;
    let second = officer.raise(&lost_child("hai"), "k-2").await?.expect(201)?;
    let (first, second) = (first.text_at("/id").to_owned(), second.text_at("/id").to_owned());
    // Who resolves on the heels of an alert keeps it from whom it has not left for.
    town.told(&second, "alert.issued", SOON).await?;
    officer.act(&second, "resolve", &json!({"note": "về rồi"}), "k-3").await?.expect(200)?;
    town.told(&second, "alert.resolved", SOON).await?;
    for (alert, count) in [(&first, 4), (&second, 8)] {
        delivered(&officer, alert, count, SOON).await?;
    }
    let alerts = BTreeSet::from([first.clone(), second.clone()]);
    History::with(&keng, &alerts, SOON).await?;
    let list = officer.get("/v1/alerts").await?.expect(200)?;
    let deliveries = officer.get(&format!("/v1/alerts/{first}/deliveries")).await?.expect(200)?;

    keng.sigterm(SOON).await?;
    let calls = town.calls()?;
    let before = fs::read(keng.data().join("events/log/00000000000000000000.seg"))?;
    fs::remove_dir_all(keng.data().join("local-state")).context("local-state")?;
    keng.restart().await?;

    let officer = officer.at(keng.http());
    let again = officer.get("/v1/alerts").await?.expect(200)?;
    ensure!(again.json == list.json, "{}\n{}", list.text, again.text);
    let again = officer.get(&format!("/v1/alerts/{first}/deliveries")).await?.expect(200)?;
    ensure!(again.json == deliveries.json, "{}\n{}", deliveries.text, again.text);
    // Something new goes its way; by then anything old that were sent again would have left.
    let third = officer.raise(&lost_child("ba"), "k-4").await?.expect(201)?;
    let third = third.text_at("/id").to_owned();
    delivered(&officer, &third, 4, SOON).await?;
    let old: Vec<_> = town.calls()?.into_iter().filter(|call| call.alert != third).collect();
    ensure!(old == calls, "told again: {old:#?}");
    let now = fs::read(keng.data().join("events/log/00000000000000000000.seg"))?;
    let written = before.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    ensure!(now.get(..written) == before.get(..written), "the log was changed");
    History::with(&keng, &alerts, SOON).await?;
    Ok(())
}
