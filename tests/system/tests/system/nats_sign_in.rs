//! Whoever has a passkey signs in while the broker is away, and stays signed in.

use anyhow::{Context, Result, ensure};
use reqwest::StatusCode;
use support::{Keng, eventually};
use system::{
    SOON,
    cluster::Cluster,
    town::{HOME, Town},
};

use crate::embedded_passkey::{Browser, client, origin_of};

/// What this process answers to whoever has the cookie.
async fn alerts(keng: &Keng, cookie: &str) -> Result<StatusCode> {
    let alerts = client().build()?.get(format!("{}/v1/alerts", keng.http()));
    Ok(alerts.header("cookie", cookie).send().await?.status())
}

#[tokio::test]
async fn a_passkey_signs_in_while_the_broker_is_away() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let mut cluster = Cluster::start(&town).await?;
    let asked = ["token", "--enrol", "--officer", "binh", "--role", "officer", "--commune", HOME];
    let path = String::from_utf8(cluster.intake.run(&asked).await?.stdout)?;
    let browser = Browser::at(&origin_of(&cluster.intake)?, client().build()?);
    let link = path.lines().last().context("a link")?;
    ensure!(browser.enrols(link).await? == StatusCode::CREATED);

    cluster.nats.kill()?;
    let cookie = browser.signs_in().await?;
    ensure!(alerts(&cluster.intake, &cookie).await? == StatusCode::OK);
    // What was promised here holds here, also after a kill.
    cluster.restart_intake().await?;
    ensure!(alerts(&cluster.intake, &cookie).await? == StatusCode::OK);
    ensure!(alerts(&cluster.audit, &cookie).await? != StatusCode::OK, "nobody else knows yet");

    cluster.nats.restart().await?;
    let elsewhere = async || {
        let listed = cluster.audit.run(&["token", "list"]).await?;
        let listed = String::from_utf8(listed.stdout)?;
        ensure!(listed.lines().any(|line| line.contains("\tbinh\t")), "{listed}");
        Ok(())
    };
    eventually(SOON, elsewhere).await?;
    ensure!(alerts(&cluster.intake, &cookie).await? == StatusCode::OK);
    Ok(())
}
