//! The whole way of one alert through four processes.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use event_log_nats::testing::NatsServer;
use serde_json::json;
use support::Client;
use system::{
    SOON,
    cluster::Cluster,
    history::History,
    people::{delivered, lost_child, text},
    town::{HOME, RING, Town},
};

#[tokio::test]
async fn an_alert_passes_four_processes_and_is_replayed_at_two() -> Result<()> {
    let town = Town::with(&RING, 2).await?;
    let cluster = Cluster::start(&town).await?;
    let officer = cluster.officer();
    let raised = officer.raise(&lost_child("ở chợ"), "key-1").await?.expect(201)?;
    ensure!(raised.text_at("/state") == "active", "{}", raised.text);
    ensure!(raised.headers.get("keng-banner").is_none(), "{:?}", raised.headers);
    let id = raised.text_at("/id").to_owned();
    town.told(&id, "alert.issued", SOON).await?;
    delivered(&officer, &id, town.groups.len(), SOON).await?;
    let calls = town.calls()?;
    ensure!(calls.len() == town.groups.len(), "each group once: {calls:#?}");

    let verify = format!("/v1/verify/{}", raised.text_at("/code"));
    let page = Client::new(cluster.intake.http())?.get(&verify).await?.expect(200)?;
    ensure!(page.text_at("/status") == "live", "{}", page.text);
    let note = json!({"note": "đã tìm thấy"});
    officer.act(&id, "resolve", &note, "key-2").await?.expect(200)?;
    town.told(&id, "alert.resolved", SOON).await?;
    delivered(&officer, &id, 2 * town.groups.len(), SOON).await?;
    town.check_calls()?;

    let alerts = BTreeSet::from([id.clone()]);
    let audited = History::with(&cluster.audit, &alerts, SOON).await?;
    let logged = History::with(&cluster.intake, &alerts, SOON).await?;
    let records = |history: &History| -> BTreeSet<String> {
        history.lines.iter().map(|line| text(line, "/id").to_owned()).collect()
    };
    // Receipts may still be on their way when the first of the two is asked.
    let common: BTreeSet<_> = records(&audited).intersection(&records(&logged)).cloned().collect();
    ensure!(common.len() >= records(&audited).len(), "{audited:#?}\n{logged:#?}");

    for keng in [&cluster.intake, &cluster.alerting, &cluster.fan_out, &cluster.audit] {
        let ready = Client::new(keng.http())?.get("/readyz").await?.expect(200)?;
        ensure!(ready.text.contains("\"broker\""), "{}", ready.text);
    }
    Ok(())
}

#[tokio::test]
async fn all_in_one_process_work_over_a_broker_too() -> Result<()> {
    let town = Town::with(&RING, 1).await?;
    let nats = NatsServer::start().await?;
    let (url, monitor) = (nats.url(), nats.monitor_url());
    let keng = town.up(&["--nats", &url, "--nats-monitor", &monitor]).await?;
    let officer = keng.client("an", "officer", Some(HOME)).await?;
    let raised = officer.raise(&lost_child("ở chợ"), "key-1").await?.expect(201)?;
    let id = raised.text_at("/id").to_owned();
    town.told(&id, "alert.issued", SOON).await?;
    delivered(&officer, &id, town.groups.len(), SOON).await?;
    History::with(&keng, &BTreeSet::from([id]), SOON).await?;
    town.check_calls()
}
