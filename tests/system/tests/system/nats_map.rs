//! One map for all services.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use support::{Client, child::run};
use system::{
    SOON,
    cluster::Cluster,
    town::{HOME, Town},
};

#[tokio::test]
async fn a_service_with_another_map_ends_or_stops_working() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let mut cluster = Cluster::start(&town).await?;
    let other = town.folder.path().join("other.jsonl");
    let alone = json!({
        "code": HOME, "name": "Đạ Tẻh", "type": "xã", "province_code": "68", "province": "Lâm Đồng",
        "lat": 11.58, "lon": 107.45, "area_geo_km2": 145.75, "neighbours": [],
    });
    fs::write(&other, format!("{alone}\n"))?;
    let other = other.to_str().context("no text")?;
    let (url, monitor) = (cluster.nats.url(), cluster.nats.monitor_url());
    for service in ["intake", "alerting", "fan-out", "audit"] {
        let data = town.folder.path().join(format!("other-{service}"));
        let data = data.to_str().context("no text")?;
        let output = run(&[
            service,
            "--data",
            data,
            "--registry",
            other,
            "--nats",
            &url,
            "--nats-monitor",
            &monitor,
            "--http",
            "127.0.0.1:0",
            "--grpc",
            "127.0.0.1:0",
        ])
        .await?;
        let why = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(64), "{service}: {:?} {why}", output.status);
        ensure!(why.contains("map") && output.stdout.is_empty(), "{service}: {why}");
    }

    // One that comes up without the broker learns it later.
    cluster.nats.kill()?;
    let options = ["--registry", other, "--nats", &url, "--nats-monitor", &monitor];
    let late = town.server("late", "alerting", &options).await?;
    cluster.nats.restart().await?;
    let late = Client::new(late.http())?;
    support::eventually(SOON, async || {
        let ready = late.get("/readyz").await?.expect(503)?;
        ensure!(ready.text.contains("the map differs"), "{}", ready.text);
        Ok(())
    })
    .await
}
