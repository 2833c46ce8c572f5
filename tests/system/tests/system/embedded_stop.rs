//! SIGTERM: what is under way is finished within a bound, and the rest goes on after the restart.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use support::{Client, Reply, Sink};
use system::{
    SOON,
    history::History,
    people::{delivered, lost_child, text},
    raising::{accepted, planned, raise_until_cut},
    town::{HOME, NEIGHBOUR, Town},
};
use tokio::sync::watch;

/// The bound of a drain is 10 s.
const DRAINED_WITHIN: Duration = Duration::from_secs(13);

#[tokio::test]
async fn a_stopped_server_loses_nothing() -> Result<()> {
    let town = Town::with(&[HOME, NEIGHBOUR], 1).await?;
    let mut keng = town.up(&[]).await?;
    let token = keng.token("an", "officer", Some(HOME)).await?;
    let officer = Client::new(keng.http())?.with_token(&token);
    let (progress, _) = watch::channel(0);
    let raising = try_join_all((0..3).map(|n| {
        let many = planned(&format!("officer-{n}"), 300);
        raise_until_cut(&officer, many, &progress)
    }));
    let stopping = async {
        town.sink.wait_for(12, SOON).await?;
        let began = Instant::now();
        let status = keng.sigterm(DRAINED_WITHIN).await?;
        ensure!(status.code() == Some(0), "{status}\n{}", keng.stderr());
        Ok(began.elapsed())
    };
    let (raised, took) = tokio::try_join!(raising, stopping)?;
    ensure!(took < Duration::from_secs(5), "nothing hung, yet it took {took:?}");
    let raised = raised.concat();
    ensure!(raised.len() < 900, "it was stopped too late");

    keng.restart().await?;
    let officer = officer.at(keng.http());
    let promised = accepted(&raised);
    town.told_all(&promised, "alert.issued", SOON).await?;
    town.check_calls()?;
    for alert in &promised {
        delivered(&officer, alert, town.groups.len(), SOON).await?;
    }
    History::with(&keng, &promised, SOON).await?;
    Ok(())
}

#[tokio::test]
async fn a_target_that_was_down_is_reached_after_the_restart() -> Result<()> {
    let mut town = Town::with(&[HOME], 2).await?;
    let down = Sink::start().await?;
    let address = down.address();
    town.groups[1].url = down.url("/later");
    town.write()?;
    down.stop().await;

    let mut keng = town.up(&[]).await?;
    let officer = keng.client("an", "officer", Some(HOME)).await?;
    let raised = officer.raise(&lost_child("ở bến xe"), "k").await?.expect(201)?;
    let id = raised.text_at("/id").to_owned();
    // One is reached, the other has failed at least once, and is known to be due later.
    let path = format!("/v1/alerts/{id}/deliveries");
    let failed = support::eventually(SOON, async || {
        let seen = officer.get(&path).await?.expect(200)?;
        let all = seen.at("/deliveries").as_array().cloned().unwrap_or_default();
        all.into_iter()
            .find(|one| text(one, "/group") == "g-1" && !text(one, "/next_attempt_at").is_empty())
            .with_context(|| seen.text.clone())
    });
    let failed = failed.await?;
    ensure!(failed["attempts"].as_u64() >= Some(1), "{failed}");

    let status = keng.sigterm(DRAINED_WITHIN).await?;
    ensure!(status.code() == Some(0), "{status}\n{}", keng.stderr());
    let up = Sink::start_at(address).await?;
    keng.restart().await?;
    let calls = up.wait_for(1, SOON).await?;
    ensure!(calls[0].path == "/later" && calls[0].id() == text(&failed, "/id"), "{calls:#?}");
    calls[0].verify(&town.groups[1].secret)?;
    delivered(&officer.at(keng.http()), &id, 2, SOON).await?;
    ensure!(town.sink.calls().len() == 1, "who was reached is not called again");
    Ok(())
}

#[tokio::test]
async fn a_target_that_hangs_does_not_hold_the_drain() -> Result<()> {
    let town = Town::with(&[HOME], 2).await?;
    town.sink.answer("/g/1", Reply::hang());
    let mut keng = town.up(&[]).await?;
    let officer = keng.client("an", "officer", Some(HOME)).await?;
    let raised = officer.raise(&lost_child("ở hồ"), "k").await?.expect(201)?;
    let id = raised.text_at("/id").to_owned();
    town.told(&id, "alert.issued", SOON).await?;

    let began = Instant::now();
    let status = keng.sigterm(DRAINED_WITHIN).await?;
    ensure!(status.code() == Some(0), "{status} after {:?}\n{}", began.elapsed(), keng.stderr());
    town.sink.answer("/g/1", Reply::status(204));
    keng.restart().await?;
    delivered(&officer.at(keng.http()), &id, 2, SOON).await?;
    town.check_calls()
}
