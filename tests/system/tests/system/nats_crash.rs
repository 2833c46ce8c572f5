//! Each process and the broker killed in turn while alerts are raised.

use anyhow::{Context, Result, ensure};
use system::{
    AFTER_A_LEASE, SOON,
    cluster::{Cluster, Member},
    history::History,
    people::delivered,
    raising::{Tried, accepted, planned},
    town::{HOME, NEIGHBOUR, Town},
};

const ALERTS: usize = 8;
/// The kill comes when so many of a round are accepted.
const BEFORE_THE_KILL: usize = 2;

/// Raises all, whatever becomes of intake, and kills the member in their midst.
async fn round(cluster: &mut Cluster, member: Member) -> Result<Vec<Tried>> {
    let officer = cluster.follow_officer();
    let (progress, mut begun) = tokio::sync::watch::channel(0);
    let raising = async {
        let mut all = planned(&format!("{member:?}"), ALERTS);
        for one in &mut all {
            one.insist(|| officer.borrow().clone(), SOON).await?;
            progress.send_modify(|count| *count += 1);
        }
        Ok(all)
    };
    let killing = async {
        begun.wait_for(|count| *count >= BEFORE_THE_KILL).await.context("nobody raises")?;
        cluster.kill_and_restart(member).await.with_context(|| format!("{member:?}"))
    };
    let (all, ()) = tokio::try_join!(raising, killing)?;
    Ok(all)
}

#[tokio::test]
async fn whoever_is_killed_nothing_accepted_is_lost_or_doubled() -> Result<()> {
    let town = Town::with(&[HOME, NEIGHBOUR], 1).await?;
    let mut cluster = Cluster::start(&town).await?;
    let mut tried = Vec::new();
    for member in Member::ALL {
        tried.extend(round(&mut cluster, member).await.with_context(|| format!("{member:?}"))?);
    }
    let promised = accepted(&tried);
    ensure!(promised.len() == tried.len(), "two keys are one alert: {promised:?}");
    town.told_all(&promised, "alert.issued", AFTER_A_LEASE).await?;
    town.check_calls()?;
    let officer = cluster.officer();
    for alert in &promised {
        delivered(&officer, alert, town.groups.len(), AFTER_A_LEASE).await?;
    }
    for one in &mut tried {
        one.insist(|| officer.clone(), SOON).await?;
    }
    ensure!(accepted(&tried) == promised, "a repeat made another alert");
    let history = History::with(&cluster.audit, &promised, SOON).await?;
    ensure!(history.of("RaiseAlert").count() == promised.len(), "something else was raised");
    History::with(&cluster.intake, &promised, SOON).await?;
    Ok(())
}
