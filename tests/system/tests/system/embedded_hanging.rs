//! SIGTERM while a target hangs: it is left soon after all else has ended, and called again by the
//! next start.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use support::{Reply, eventually};
use system::{
    SOON,
    people::{delivered, lost_child, text},
    town::{HOME, Town},
};

/// What hangs is left after 2 s; the rest is a busy machine's. An attempt by itself takes 10 s.
const LEFT_WITHIN: Duration = Duration::from_secs(7);

#[tokio::test]
async fn a_target_that_hangs_is_left_soon_and_called_again_by_the_next_start() -> Result<()> {
    let town = Town::with(&[HOME], 3).await?;
    town.sink.answer("/g/1", Reply::hang());
    // Slow, and yet within what is waited for: what it answers is recorded.
    town.sink.answer("/g/2", Reply::status(204).after(Duration::from_millis(500)));
    let mut keng = town.up(&[]).await?;
    let officer = keng.client("an", "officer", Some(HOME)).await?;
    let raised = officer.raise(&lost_child("ở hồ"), "k").await?.expect(201)?;
    let id = raised.text_at("/id").to_owned();
    town.told(&id, "alert.issued", SOON).await?;

    let began = Instant::now();
    let status = keng.sigterm(SOON).await?;
    let took = began.elapsed();
    ensure!(status.code() == Some(0), "{status} after {took:?}\n{}", keng.stderr());
    ensure!(took < LEFT_WITHIN, "it took {took:?}\n{}", keng.stderr());

    town.sink.answer("/g/1", Reply::status(204));
    keng.restart().await?;
    let officer = officer.at(keng.http());
    let seen = delivered(&officer, &id, 3, SOON).await?;
    for one in &seen {
        let calls = if text(one, "/group") == "g-1" { 2 } else { 1 };
        let path = format!("/g/{}", text(one, "/group").trim_start_matches("g-"));
        let called = async || {
            let called = town.sink.calls_to(&path).len();
            ensure!(called == calls, "{path} was called {called} times: {seen:#?}");
            Ok(())
        };
        eventually(SOON, called).await?;
    }
    town.check_calls()
}
