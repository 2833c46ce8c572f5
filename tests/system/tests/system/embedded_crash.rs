//! SIGKILL at any moment while alerts are raised: what was accepted is there, once.

use std::{collections::BTreeSet, time::UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use support::Client;
use system::{
    SOON,
    history::History,
    people::delivered,
    raising::{Ended, accepted, planned, raise_until_cut},
    town::{HOME, NEIGHBOUR, Town},
};
use tokio::sync::watch;

const ROUNDS: u64 = 5;
const OFFICERS: usize = 3;
/// A round is cut at one of so many answers, or calls to the sink.
const MOMENTS: u64 = 20;

#[tokio::test]
async fn a_killed_server_keeps_what_it_accepted() -> Result<()> {
    let town = Town::with(&[HOME, NEIGHBOUR], 1).await?;
    let mut keng = town.up(&[]).await?;
    let token = keng.token("an", "officer", Some(HOME)).await?;
    let seed = u64::from(UNIX_EPOCH.elapsed()?.subsec_nanos());
    println!("seed {seed}");

    let mut tried = Vec::new();
    for round in 0..ROUNDS {
        let officer = Client::new(keng.http())?.with_token(&token);
        let (progress, mut accepted) = watch::channel(0);
        let raising = try_join_all((0..OFFICERS).map(|n| {
            let many = planned(&format!("round-{round}-officer-{n}"), 100);
            raise_until_cut(&officer, many, &progress)
        }));
        let moment = moment(seed, round);
        let killing = async {
            // Half of the rounds are cut at an answer, half at a call.
            let answers = if round % 2 == 0 { moment } else { 1 };
            accepted.wait_for(|count| *count >= answers).await.context("nobody raises")?;
            if round % 2 == 1 {
                town.sink.wait_for(town.sink.seen().count() + moment, SOON).await?;
            }
            keng.kill9().await
        };
        let (raised, ()) = tokio::try_join!(raising, killing)?;
        tried.extend(raised.concat());
        keng.restart().await?;
    }

    let officer = Client::new(keng.http())?.with_token(&token);
    let promised = accepted(&tried);
    for one in &mut tried {
        let ended = one.raise(&officer).await?;
        ensure!(ended == Ended::Accepted, "{} after the restart: {ended:?}", one.key);
    }
    let all = accepted(&tried);
    ensure!(all.is_superset(&promised) && all.len() == tried.len(), "{promised:?} {all:?}");

    town.told_all(&all, "alert.issued", SOON).await?;
    town.check_calls()?;
    for alert in &all {
        delivered(&officer, alert, town.groups.len(), SOON).await?;
    }
    let history = History::with(&keng, &all, SOON).await?;
    let in_log: BTreeSet<&str> = history
        .of("RaiseAlert")
        .filter_map(|line| line.get("entity")?.as_str()?.strip_prefix("alert-"))
        .collect();
    ensure!(in_log.len() == all.len(), "{} in the log, {} raised", in_log.len(), all.len());
    Ok(())
}

/// After so many answers or calls the round is cut; another number in each round and each run.
fn moment(seed: u64, round: u64) -> usize {
    // The multiplier of Knuth's MMIX; its high bits are the good ones.
    let mixed = (seed + round).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    usize::try_from(1 + (mixed >> 33) % MOMENTS).unwrap_or(1)
}
