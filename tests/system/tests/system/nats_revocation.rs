//! A token that was revoked while the broker is away stays revoked, whatever is killed.

use anyhow::{Context, Result, ensure};
use support::{Client, eventually};
use system::{
    SOON,
    cluster::Cluster,
    town::{HOME, Town},
};

#[tokio::test]
async fn a_revocation_made_while_the_broker_is_away_outlives_a_kill() -> Result<()> {
    let town = Town::with(&[HOME], 1).await?;
    let mut cluster = Cluster::start(&town).await?;
    let stolen = cluster.intake.token("binh", "officer", Some(HOME)).await?;
    let stolen = Client::new(cluster.intake.http())?.with_token(&stolen);
    stolen.get("/v1/alerts").await?.expect(200)?;
    let listed = cluster.intake.run(&["token", "list"]).await?;
    let listed = String::from_utf8(listed.stdout)?;
    let line = listed.lines().find(|line| line.contains("\tbinh\t")).context("no such token")?;
    let id = line.split('\t').next().context("no id")?.to_owned();

    cluster.nats.kill()?;
    let revoked = cluster.intake.run(&["token", "revoke", &id]).await?;
    ensure!(revoked.status.success(), "{revoked:?}");
    stolen.get("/v1/alerts").await?.expect(401)?;

    cluster.restart_intake().await?;
    let stolen = stolen.at(cluster.intake.http());
    stolen.get("/v1/alerts").await?.expect(401)?;
    // Others are known as before.
    cluster.officer().get("/v1/alerts").await?.expect(200)?;

    cluster.nats.restart().await?;
    let elsewhere = async || {
        let listed = cluster.audit.run(&["token", "list"]).await?;
        let listed = String::from_utf8(listed.stdout)?;
        let line = listed.lines().find(|line| line.starts_with(&id)).context("no such token")?;
        ensure!(line.contains("revoked"), "{line}");
        Ok(())
    };
    eventually(SOON, elsewhere).await?;
    stolen.get("/v1/alerts").await?.expect(401)?;
    Ok(())
}
