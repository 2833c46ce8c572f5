//! Started while the broker is away: nobody says "there is no such alert" who has not read on.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use support::{Answer, Client, eventually};
use system::{
    SOON,
    cluster::Cluster,
    people::{lost_child, state},
    town::{HOME, NEIGHBOUR, Town},
};

/// Another alert's id: well formed, and nobody's.
fn nobodys(alert: &str) -> String {
    let (rest, last) = alert.split_at(alert.len() - 1);
    format!("{rest}{}", if last == "0" { "1" } else { "0" })
}

fn is_starting(answer: &Answer) -> Result<()> {
    let problem = answer.problem()?;
    ensure!((problem.status, problem.code.as_str()) == (503, "starting"), "{}", answer.text);
    Ok(())
}

/// The conditions that do not hold because the log was not read to its end.
fn behind(readiness: &Answer) -> Vec<String> {
    let conditions = readiness.at("/conditions").as_array().cloned().unwrap_or_default();
    let reads = |why: &str| why.contains("reading the log");
    conditions
        .iter()
        .filter(|one| one["why"].as_str().is_some_and(reads))
        .filter_map(|one| Some(one["name"].as_str()?.to_owned()))
        .collect()
}

/// For how many seconds the oldest command has waited for the broker, as the gauge has it.
async fn waited(cluster: &Cluster) -> Result<f64> {
    let metrics = Client::new(cluster.intake.http())?.get("/metrics").await?.expect(200)?;
    let name = "keng_outbox_held_oldest_seconds ";
    let age = metrics.text.lines().find_map(|line| line.strip_prefix(name)?.parse().ok());
    age.context("no such gauge")
}

#[tokio::test]
async fn who_has_not_read_the_log_says_so_until_the_broker_is_back() -> Result<()> {
    let town = Town::with(&[HOME, NEIGHBOUR], 1).await?;
    let mut cluster = Cluster::start(&town).await?;
    let body = lost_child("ở chợ");
    let raised = cluster.officer().raise(&body, "key-1").await?.expect(201)?;
    let alert = raised.text_at("/id").to_owned();
    town.told(&alert, "alert.issued", SOON).await?;
    cluster.nats.kill()?;
    cluster.restart_intake().await?;
    cluster.fan_out.restart().await?;

    let officer = cluster.officer();
    let unknown = format!("/v1/alerts/{}", nobodys(&alert));
    is_starting(&officer.get(&unknown).await?)?;
    // What was kept may be shown, but is never denied.
    let known = officer.get(&format!("/v1/alerts/{alert}")).await?;
    ensure!(known.status == 200 || is_starting(&known).is_ok(), "{}", known.text);
    let resolve = serde_json::json!({"note": "về rồi"});
    is_starting(&officer.act(&nobodys(&alert), "resolve", &resolve, "key-2").await?)?;
    for (keng, model) in [(&cluster.intake, "board-alerts"), (&cluster.fan_out, "plans")] {
        let ready = Client::new(keng.http())?.get("/readyz").await?.expect(503)?;
        let behind = behind(&ready);
        ensure!(behind.iter().any(|name| name == model), "{behind:?}: {}", ready.text);
    }
    ensure!(waited(&cluster).await? == 0.0, "nothing is held yet");
    officer.raise(&lost_child("ở bến xe"), "key-3").await?.expect(202)?;
    officer.raise(&lost_child("ở bến xe"), "key-4").await?.expect(202)?;
    let aged = async || {
        let age = waited(&cluster).await?;
        ensure!(age > 0.0, "the oldest has waited for {age} s");
        Ok(())
    };
    eventually(SOON, aged).await?;

    cluster.nats.restart().await?;
    state(&officer, &alert, "active", SOON).await?;
    eventually(SOON, async || officer.get(&unknown).await?.expect(404)).await?;
    for keng in [&cluster.intake, &cluster.fan_out] {
        let client = Client::new(keng.http())?;
        eventually(SOON, async || client.get("/readyz").await?.expect(200)).await?;
    }
    eventually(Duration::from_secs(40), async || {
        let age = waited(&cluster).await?;
        ensure!(age == 0.0, "the oldest has waited for {age} s");
        Ok(())
    })
    .await?;
    let again = officer.raise(&body, "key-1").await?.expect(201)?;
    ensure!(again.text_at("/id") == alert, "{}", again.text);
    Ok(())
}
