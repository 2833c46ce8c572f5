//! Two instances of a service share the work, and one goes on alone where the other was killed.

use std::{collections::BTreeSet, fs};

use anyhow::{Result, ensure};
use support::{Client, Keng, Reply};
use system::{
    AFTER_A_LEASE, SOON,
    cluster::Cluster,
    history::History,
    people::{delivered, text},
    raising::{accepted, planned},
    town::{HOME, NEIGHBOUR, Town},
};

const ALERTS: usize = 16;

fn instance(keng: &Keng) -> Result<String> {
    Ok(fs::read_to_string(keng.data().join("instance"))?.trim().to_owned())
}

/// How many commands this instance of alerting has decided.
async fn decided(keng: &Keng) -> Result<f64> {
    let metrics = Client::new(keng.http())?.get("/metrics").await?.expect(200)?;
    let lines = metrics.text.lines().filter(|line| line.starts_with("keng_decided_total{"));
    Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
}

#[tokio::test]
async fn two_instances_share_and_one_takes_over() -> Result<()> {
    let town = Town::with(&[HOME, NEIGHBOUR], 1).await?;
    let mut cluster = Cluster::start(&town).await?;
    let (url, monitor) = (cluster.nats.url(), cluster.nats.monitor_url());
    let options = ["--nats", url.as_str(), "--nats-monitor", &monitor];
    let (second_alerting, second_fan_out) = tokio::try_join!(
        town.server("alerting-2", "alerting", &options),
        town.server("fan-out-2", "fan-out", &options),
    )?;

    // Nobody at one group answers well yet: every alert stays open at its instance.
    let (path, group) = (town.groups[0].path.clone(), town.groups[0].id.clone());
    town.sink.answer(&path, Reply::status(503));
    let officer = cluster.officer();
    let mut tried = planned("alert", ALERTS);
    for one in &mut tried {
        one.insist(|| officer.clone(), SOON).await?;
    }
    let alerts = accepted(&tried);
    town.told_all(&alerts, "alert.issued", SOON).await?;

    let both = [decided(&cluster.alerting).await?, decided(&second_alerting).await?];
    ensure!(both.iter().all(|count| *count > 0.0), "one alerting did nothing: {both:?}");
    let history = History::with(&cluster.audit, &alerts, SOON).await?;
    let plans: Vec<&str> =
        history.of("DeliveriesPlanned").map(|line| text(line, "/data/instance")).collect();
    let both = BTreeSet::from([instance(&cluster.fan_out)?, instance(&second_fan_out)?]);
    let who: BTreeSet<String> = plans.iter().map(|who| (*who).to_owned()).collect();
    ensure!(who == both, "{both:?} should share: {plans:?}");

    cluster.fan_out.kill9().await?;
    cluster.alerting.kill9().await?;
    town.sink.answer(&path, Reply::status(204));
    for alert in &alerts {
        let all = delivered(&officer, alert, town.groups.len(), AFTER_A_LEASE).await?;
        ensure!(all.iter().any(|one| text(one, "/group") == group), "{all:?}");
    }
    town.check_calls()?;
    let mut last = planned("after", 1);
    for one in &mut last {
        one.insist(|| officer.clone(), SOON).await?;
    }
    town.told_all(&accepted(&last), "alert.issued", AFTER_A_LEASE).await?;
    History::with(&cluster.audit, &alerts, SOON).await?;
    Ok(())
}
