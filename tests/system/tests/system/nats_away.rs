//! Without a broker: held here, not yet sent.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use support::child;
use system::{
    SOON,
    cluster::Cluster,
    history::History,
    people::{lost_child, state},
    town::{HOME, NEIGHBOUR, Town},
};

/// `held` is said after 1 s without a broker; the rest is a busy machine's.
const HELD_WITHIN: Duration = Duration::from_millis(2_500);

#[tokio::test]
async fn what_is_held_leaves_once_when_the_broker_is_back() -> Result<()> {
    let town = Town::with(&[HOME, NEIGHBOUR], 1).await?;
    let mut cluster = Cluster::start(&town).await?;
    cluster.nats.kill()?;

    let began = Instant::now();
    let (body, key) = (lost_child("ở chợ"), "key-1");
    let held = cluster.officer().raise(&body, key).await?.expect(202)?;
    let took = began.elapsed();
    ensure!(held.text_at("/state") == "held" && took < HELD_WITHIN, "{took:?} {}", held.text);
    let id = held.text_at("/id").to_owned();
    ensure!(held.text_at("/code").len() == 10, "{}", held.text);
    let words = held.text_at("/headline").to_owned();
    ensure!(words.contains("ở chợ"), "{}", held.text);
    state(&cluster.officer(), &id, "held", SOON).await?;
    let ready = cluster.officer().get("/readyz").await?.expect(503)?;
    ensure!(ready.text.contains("broker"), "{}", ready.text);

    let at = ["--server", cluster.intake.http(), "--bearer", cluster.token()];
    let notice = ["raise", "notice", "--commune", HOME, "--headline", "Mất điện", "--status"];
    let typed = child::run(&[&notice[..], &["actual"], &at].concat()).await?;
    let said = String::from_utf8(typed.stdout)?;
    ensure!(typed.status.success() && said.contains("held here, not yet sent"), "{said}");

    cluster.restart_intake().await?;
    let shown = state(&cluster.officer(), &id, "held", SOON).await?;
    ensure!(shown["headline"] == words, "{shown}");
    ensure!(shown["on_disk"] == serde_json::json!(["outbox"]), "{shown}");
    let again = cluster.officer().raise(&body, key).await?.expect(202)?;
    ensure!((again.text_at("/id"), again.text_at("/state")) == (&id, "held"), "{}", again.text);
    ensure!(town.sink.calls().is_empty(), "nobody can have been told");

    cluster.nats.restart().await?;
    let sent = state(&cluster.officer(), &id, "active", SOON).await?;
    ensure!(sent["on_disk"] == serde_json::json!(["outbox", "broker"]), "{sent}");
    town.told(&id, "alert.issued", SOON).await?;
    let after = cluster.officer().raise(&body, key).await?.expect(201)?;
    ensure!(after.text_at("/id") == id, "{}", after.text);
    let history = History::with(&cluster.audit, &BTreeSet::from([id]), SOON).await?;
    // This one and the notice.
    ensure!(history.of("RaiseAlert").count() == 2, "something was sent twice");
    town.check_calls()?;
    let ready = async || cluster.officer().get("/readyz").await?.expect(200);
    support::eventually(SOON, ready).await?;
    Ok(())
}
