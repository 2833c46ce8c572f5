//! The broker loses the tail of one stream, or of all: what was said in it comes back, and nobody
//! is told twice.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use event_log_nats::testing::NatsServer;
use serde_json::{Value, json};
use support::{Client, Keng, eventually};
use system::{
    AFTER_A_LEASE, SOON,
    cluster::Cluster,
    history::History,
    people::{delivered, state, text},
    raising::{Tried, accepted, planned},
    town::{HOME, NEIGHBOUR, Town},
};

/// Raises it, and waits until every group was told and the log knows it.
async fn raise(cluster: &Cluster, town: &Town, one: &mut [Tried]) -> Result<String> {
    for one in one.iter_mut() {
        one.insist(|| cluster.officer(), SOON).await?;
    }
    let alerts = accepted(one);
    town.told_all(&alerts, "alert.issued", SOON).await?;
    let alert = alerts.into_iter().next().unwrap_or_default();
    delivered(&cluster.officer(), &alert, town.groups.len(), SOON).await?;
    Ok(alert)
}

#[tokio::test]
async fn lost_alerts_come_back_and_are_not_told_again() -> Result<()> {
    let town = Town::with(&[HOME, NEIGHBOUR], 1).await?;
    let mut cluster = Cluster::start(&town).await?;
    let early = raise(&cluster, &town, &mut planned("early", 1)).await?;
    cluster.nats.stop()?;
    let copy = cluster.nats.copy_store()?;
    cluster.nats.restart().await?;
    let mut again = planned("late", 1);
    let late = raise(&cluster, &town, &mut again).await?;
    let calls = town.calls()?;

    cluster.nats.kill()?;
    cluster.nats.put_back_stream(&copy, "ALERT")?;
    cluster.nats.restart().await?;
    let alerts = BTreeSet::from([early.clone(), late.clone()]);
    for alert in &alerts {
        state(&cluster.officer(), alert, "active", AFTER_A_LEASE).await?;
    }
    // The key still stands for the same alert, and its history goes on where it was.
    again[0].insist(|| cluster.officer(), SOON).await?;
    ensure!(accepted(&again) == BTreeSet::from([late.clone()]), "{again:?}");
    let note = json!({"note": "về rồi"});
    let resolved = cluster.officer().act(&late, "resolve", &note, "key-1").await?;
    // Undecided for as long as alerting is still sending again what was lost.
    ensure!([200, 202].contains(&resolved.status), "{} {}", resolved.status, resolved.text);
    state(&cluster.officer(), &late, "resolved", SOON).await?;
    town.told(&late, "alert.resolved", SOON).await?;
    recorded_and_shown(&cluster).await?;
    let third = raise(&cluster, &town, &mut planned("third", 1)).await?;
    for keng in [&cluster.audit, &cluster.intake] {
        let all = BTreeSet::from([early.clone(), late.clone(), third.clone()]);
        History::with(keng, &all, SOON).await?;
    }
    let issued = |call: &&system::town::Told| call.news == "alert.issued" && call.alert != third;
    let now = town.calls()?.iter().filter(issued).count();
    ensure!(now == calls.len(), "told again: {:#?}", town.calls()?);
    // The audit itself may have had nothing to say.
    for keng in [&cluster.intake, &cluster.alerting, &cluster.fan_out] {
        proven(keng).await?;
    }
    town.check_calls()
}

/// A broker that acknowledges before it syncs, and a power cut: what it had not brought to disk is
/// gone. A killed process loses nothing, since the system keeps what it wrote; so its store is put
/// back to what was on disk.
#[tokio::test]
async fn what_an_unsynced_broker_lost_in_a_power_cut_comes_back_within_a_minute() -> Result<()> {
    let town = Town::with(&[HOME, NEIGHBOUR], 1).await?;
    let lazy = NatsServer::start_with(false).await?;
    let mut cluster = Cluster::start_on(lazy, &town, &["--accept-unverified-broker"]).await?;
    let early = raise(&cluster, &town, &mut planned("early", 1)).await?;
    cluster.nats.stop()?;
    let on_disk = cluster.nats.copy_store()?;
    cluster.nats.restart().await?;
    let mut acknowledged = planned("late", 1);
    let late = raise(&cluster, &town, &mut acknowledged).await?;
    let calls = town.calls()?.len();

    cluster.nats.kill()?;
    cluster.nats.put_back(&on_disk)?;
    cluster.nats.restart().await?;
    let back = Instant::now();
    for alert in [&early, &late] {
        eventually(AFTER_A_LEASE, async || {
            let seen = state(&cluster.officer(), alert, "active", SOON).await?;
            ensure!(!text(&seen, "/headline").is_empty(), "its words are lost: {seen}");
            Ok(())
        })
        .await?;
    }
    recorded_and_shown(&cluster).await?;
    ensure!(back.elapsed() < Duration::from_secs(60), "noticed after {:?}", back.elapsed());
    acknowledged[0].insist(|| cluster.officer(), SOON).await?;
    ensure!(accepted(&acknowledged) == BTreeSet::from([late.clone()]), "{acknowledged:?}");
    let note = json!({"note": "về rồi"});
    cluster.officer().act(&late, "resolve", &note, "key-1").await?;
    state(&cluster.officer(), &late, "resolved", SOON).await?;
    town.told(&late, "alert.resolved", SOON).await?;
    let all = BTreeSet::from([early, late]);
    for keng in [&cluster.audit, &cluster.intake] {
        History::with(keng, &all, SOON).await?;
    }
    let issued = town.calls()?.iter().filter(|call| call.news == "alert.issued").count();
    ensure!(issued == calls, "told again: {:#?}", town.calls()?);
    town.check_calls()
}

/// The loss itself is a record, of the process that had said what was lost, and a banner there.
async fn recorded_and_shown(cluster: &Cluster) -> Result<()> {
    let losses = eventually(SOON, async || {
        let history = History::at(&cluster.audit, &[]).await?;
        let losses: Vec<_> = history.of("BrokerLossFound").cloned().collect();
        ensure!(!losses.is_empty(), "no loss is recorded");
        Ok(losses)
    });
    for loss in losses.await? {
        ensure!(text(&loss, "/entity").starts_with("losses-"), "{loss}");
        let counted = loss.pointer("/data/records").and_then(Value::as_array).map_or(0, Vec::len);
        ensure!(counted > 0, "{loss}");
    }
    let health = Client::new(cluster.alerting.http())?.get("/readyz").await?.text;
    ensure!(health.contains("máy chủ NATS đã làm mất"), "{health}");
    Ok(())
}

/// The audit's tree covers whatever this process said.
async fn proven(keng: &Keng) -> Result<()> {
    let client = Client::new(keng.http())?;
    eventually(AFTER_A_LEASE, async || {
        let metrics = client.get("/metrics").await?.expect(200)?.text;
        let of = |name: &str| {
            let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.parse().ok());
            value.unwrap_or(0.0)
        };
        let (proven, owed): (f64, f64) =
            (of("keng_outbox_proven_total "), of("keng_outbox_unproven_records "));
        ensure!(proven > 0.0 && owed == 0.0, "{proven} proven, {owed} not");
        Ok(())
    })
    .await
}
