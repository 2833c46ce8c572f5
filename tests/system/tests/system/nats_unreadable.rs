//! A newer program has written what this one cannot decode: its entity is held, and no other.

use std::{collections::BTreeSet, sync::Arc};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use domain::ids::{AlertId, EntityName, Home, RecordId};
use event_log::{Class, EventLog, Key, Kind, Record};
use event_log_nats::{NatsLog, NatsOptions, Trust};
use serde_json::json;
use support::{Client, Keng, eventually};
use system::{
    SOON,
    cluster::Cluster,
    history::History,
    people::{delivered, lost_child, state, text},
    town::{HOME, NEIGHBOUR, Town},
};

/// Another process at the same broker, of a later release.
async fn newer(cluster: &Cluster, town: &Town) -> Result<Arc<NatsLog>> {
    let mut options =
        NatsOptions::new(cluster.nats.url(), town.folder.path().join("newer"), "newer");
    options.monitor = Some(cluster.nats.monitor_url());
    let log = NatsLog::open(options).await?;
    let mut trust = log.trust();
    tokio::time::timeout(SOON, trust.wait_for(|trust| *trust == Trust::Verified)).await??;
    Ok(log)
}

/// The bytes of no message that this release knows.
fn unreadable(class: Class, entity: EntityName, version: u64) -> Result<Record> {
    let home = Home { province: "68".parse()?, commune: HOME.parse()? };
    Ok(Record {
        id: RecordId::of_purpose(&format!("newer/{entity}/{version}")),
        key: Key { class, home, entity },
        kind: Kind::Commit { version },
        open: Bytes::from_static(&[0xff; 40]),
        sealed: None,
        signature: None,
    })
}

async fn raise(officer: &Client, what: &str) -> Result<String> {
    let raised = officer.raise(&lost_child(what), what).await?.expect(201)?;
    Ok(raised.text_at("/id").to_owned())
}

/// How many records of this class the process has set aside.
async fn set_aside(keng: &Keng, class: &str) -> Result<f64> {
    let metrics = Client::new(keng.http())?.get("/metrics").await?.expect(200)?;
    let name = format!("keng_records_held_total{{class=\"{class}\"}} ");
    let counts =
        metrics.text.lines().filter_map(|line| line.strip_prefix(&name)?.parse::<f64>().ok());
    Ok(counts.sum())
}

#[tokio::test]
async fn an_alert_with_an_unreadable_commit_is_not_decided_upon_and_others_are() -> Result<()> {
    let town = Town::with(&[HOME, NEIGHBOUR], 1).await?;
    let cluster = Cluster::start(&town).await?;
    let officer = cluster.officer();
    let (held, other) = (raise(&officer, "first").await?, raise(&officer, "second").await?);
    town.told_all(&BTreeSet::from([held.clone(), other.clone()]), "alert.issued", SOON).await?;
    let newer = newer(&cluster, &town).await?;
    let entity = EntityName::alert(held.parse::<AlertId>()?);
    newer.append(vec![unreadable(Class::Alert, entity.clone(), 2)?]).await?;

    let note = json!({"note": "về rồi"});
    let undecided = officer.act(&held, "resolve", &note, "key-1").await?.expect(202)?;
    ensure!(undecided.text_at("/state") != "resolved", "{}", undecided.text);
    officer.act(&other, "resolve", &note, "key-2").await?.expect(200)?;
    town.told(&other, "alert.resolved", SOON).await?;
    let third = raise(&officer, "third").await?;
    town.told(&third, "alert.issued", SOON).await?;
    eventually(SOON, async || {
        ensure!(set_aside(&cluster.alerting, "command").await? > 0.0, "nothing is set aside");
        Ok(())
    })
    .await?;
    state(&officer, &held, "active", SOON).await?;
    let news = town.calls()?.into_iter().find(|call| call.alert == held && call.revision > 1);
    ensure!(news.is_none(), "decided on half a history: {news:?}");
    // The auditor sees that there is something, and of which entity.
    eventually(SOON, async || {
        let history = History::at(&cluster.audit, &[]).await?;
        let line = history.of("Unreadable").next().context("no line of it")?;
        ensure!(text(line, "/entity") == entity.as_str(), "{line}");
        Ok(())
    })
    .await?;
    newer.close().await;
    Ok(())
}

#[tokio::test]
async fn a_delivery_is_held_by_what_came_before_its_plan_and_others_go_out() -> Result<()> {
    let town = Town::with(&[HOME, NEIGHBOUR], 1).await?;
    let mut cluster = Cluster::start(&town).await?;
    let officer = cluster.officer();
    cluster.fan_out.sigterm(SOON).await?;
    let held = raise(&officer, "first").await?;
    let newer = newer(&cluster, &town).await?;
    let entity = EntityName::receipt(held.parse::<AlertId>()?, HOME.parse()?);
    newer.append(vec![unreadable(Class::Receipt, entity, 1)?]).await?;
    let other = raise(&officer, "second").await?;
    cluster.fan_out.restart().await?;

    town.told(&other, "alert.issued", SOON).await?;
    // The neighbour's delivery of the same alert is another entity.
    let of = |commune: &str| {
        let group = town.groups.iter().find(|group| group.commune == commune);
        group.map(|group| group.path.clone()).context("no group there")
    };
    let (here, there) = (of(HOME)?, of(NEIGHBOUR)?);
    eventually(SOON, async || {
        let told = town.calls()?.iter().any(|call| call.alert == held && call.path == there);
        ensure!(told, "the neighbour was not told");
        Ok(())
    })
    .await?;
    ensure!(set_aside(&cluster.fan_out, "receipt").await? > 0.0, "nothing is set aside");
    let third = raise(&officer, "third").await?;
    town.told(&third, "alert.issued", SOON).await?;
    delivered(&officer, &third, town.groups.len(), SOON).await?;
    let told = town.calls()?.into_iter().find(|call| call.alert == held && call.path == here);
    ensure!(told.is_none(), "sent on half a history: {told:?}");
    newer.close().await;
    Ok(())
}
