//! A disk that is nearly full takes corrections and closings, and nothing new.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use support::Client;
use system::{
    SOON,
    people::{lost_child, text},
    town::{HOME, Town},
};

#[tokio::test]
async fn below_the_reserve_only_what_ends_an_alert_is_taken() -> Result<()> {
    let town = Town::with(&[HOME], 2).await?;
    let mut keng = town.up(&[]).await?;
    let token = keng.token("an", "officer", Some(HOME)).await?;
    let officer = Client::new(keng.http())?.with_token(&token);
    let raised = officer.raise(&lost_child("ở chợ"), "k-1").await?.expect(201)?;
    let id = raised.text_at("/id").to_owned();
    town.told(&id, "alert.issued", SOON).await?;
    keng.sigterm(SOON).await?;

    let reserve = i64::MAX.to_string();
    let full = town.up(&["--disk-reserve", &reserve]).await?;
    let officer = officer.at(full.http());
    let ready = officer.get("/readyz").await?.expect(503)?;
    let conditions = ready.at("/conditions").as_array().cloned().unwrap_or_default();
    let broken: Vec<&str> = conditions
        .iter()
        .filter(|one| one["ok"] == Value::Bool(false))
        .map(|one| text(one, "/name"))
        .collect();
    ensure!(broken == ["disk"], "{}", ready.text);

    let problem = officer.raise(&lost_child("nữa"), "k-2").await?.expect(503)?.problem()?;
    ensure!(problem.code == "not-stored", "{problem:?}");
    let closed = officer.act(&id, "cancel", &json!({"note": "nhầm"}), "k-3").await?.expect(200)?;
    ensure!(closed.text_at("/state") == "cancelled", "{}", closed.text);
    town.told(&id, "alert.cancelled", SOON).await?;
    let list = officer.get("/v1/alerts").await?.expect(200)?;
    ensure!(list.at("/alerts").as_array().map(Vec::len) == Some(1), "{}", list.text);
    town.check_calls()
}
