//! A broker that acknowledges before it syncs, or of which that is not known.

use std::net::TcpListener;

use anyhow::{Context, Result, ensure};
use event_log_nats::testing::NatsServer;
use support::Client;
use system::{
    SOON,
    cluster::Cluster,
    people::{lost_child, state},
    town::{HOME, Town},
};

#[tokio::test]
async fn an_unsafe_broker_is_used_only_where_the_operator_accepts_it() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let nats = NatsServer::start_with(false).await?;
    let accept = ["--accept-unverified-broker"];
    let mut cluster = Cluster::start_on(nats, &town, &accept).await?;
    let officer = cluster.officer();
    let raised = officer.raise(&lost_child("một"), "key-1").await?.expect(201)?;
    let banner = raised.headers.get("keng-banner").context("no banner")?;
    let banner = String::from_utf8_lossy(banner.as_bytes()).into_owned();
    ensure!(banner.contains("unverified broker"), "{banner}");
    town.told(raised.text_at("/id"), "alert.issued", SOON).await?;
    let ready = officer.get("/readyz").await?.expect(200)?;
    ensure!(ready.at("/banners").to_string().contains("before it syncs"), "{}", ready.text);

    let (url, monitor) = (cluster.nats.url(), cluster.nats.monitor_url());
    let nobody = TcpListener::bind("127.0.0.1:0")?;
    let closed = format!("http://{}", nobody.local_addr()?);
    drop(nobody);
    let cases: [(&[&str], &str); 3] = [
        (&["--nats", &url, "--nats-monitor", &monitor], "acknowledges before it syncs"),
        (&["--nats", &url], "no monitor is named"),
        (&["--nats", &url, "--nats-monitor", &closed], "cannot be read"),
    ];
    let mut held = Vec::new();
    for (n, (options, why)) in cases.into_iter().enumerate() {
        cluster.intake.sigterm(SOON).await?;
        let intake = town.server("intake", "intake", options).await.context(why)?;
        cluster.replace_intake(intake)?;
        let officer = cluster.officer();
        let ready = officer.get("/readyz").await?.expect(503)?;
        ensure!(ready.text.contains(why), "no `{why}`: {}", ready.text);
        let raised = officer.raise(&lost_child("hai"), &format!("held-{n}")).await?.expect(202)?;
        ensure!(raised.text_at("/state") == "held", "{why}: {}", raised.text);
        held.push(raised.text_at("/id").to_owned());
    }
    ensure!(town.sink.calls().len() == 1, "what is held was published");

    cluster.intake.sigterm(SOON).await?;
    let options = ["--nats", &url, "--nats-monitor", &monitor, "--accept-unverified-broker"];
    let intake = town.server("intake", "intake", &options).await?;
    cluster.replace_intake(intake)?;
    for alert in &held {
        state(&cluster.officer(), alert, "active", SOON).await?;
        town.told(alert, "alert.issued", SOON).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_monitor_of_another_server_proves_nothing() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let (unsafe_one, other) = (NatsServer::start_with(false).await?, NatsServer::start().await?);
    let (url, monitor) = (unsafe_one.url(), other.monitor_url());
    let options = ["--nats", url.as_str(), "--nats-monitor", &monitor];
    let intake = town.server("intake", "intake", &options).await?;
    let ready = Client::new(intake.http())?.get("/readyz").await?.expect(503)?;
    ensure!(ready.text.contains("monitor of another server"), "{}", ready.text);
    Ok(())
}
