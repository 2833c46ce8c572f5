//! Two instances of fan-out: one sends, and the other takes over when its lease has run out.

use std::time::Duration;

use acceptance::{
    Started, Timeline, delivery, group, ledger::Ledger, maps::HOANG_THINH, posted, target::Down,
    timeline::WITHIN,
};
use anyhow::{Context, Result, ensure};
use domain::delivery::LEASE_MS;
use serde_json::json;
use support::eventually;
use tokio::time::timeout;

const HERE: &str = "15958";
/// What comes at all, comes sooner.
const LITTLE: Duration = Duration::from_millis(300);

/// Until when this instance may send, in milliseconds of the log's time; 0 where another does.
fn lease_of(ledger: &Ledger, instance: &str) -> i64 {
    let leases = ledger.lanes().values().filter_map(|lanes| lanes.lease.as_ref());
    let own = leases.filter(|lease| lease.instance == instance);
    own.map(|lease| lease.until.0).max().unwrap_or(0)
}

#[tokio::test]
async fn another_takes_over_when_the_lease_of_one_that_is_cut_off_has_run_out() -> Result<()> {
    let mut day = Timeline::begin("2025-04-13", HOANG_THINH, Started::WithoutFanOut).await?;
    let down = Down::new()?;
    day.groups([group("well", HERE), group("down", HERE).at(&down.base())]).await?;
    let an = day.officer("an", HERE).await?;
    let first = day.instance("first");
    first.fan_out()?;
    day.at("10:00").await?;
    let raised_s = day.now().0 / 1_000;
    let raised = day.raise(&an, &day.alert_of("lost-child", HERE, "20:00")?).await?.expect(201)?;
    let alert = raised.text_at("/id");
    day.expect(delivery(&an, alert, ("well", 1), Some("delivered"))).await?;
    day.expect(delivery(&an, alert, ("down", 1), Some("retrying"))).await?;
    let second = day.instance("second");
    second.fan_out()?;
    second.has_read(&[]).await?;

    // Nobody can reach it before the lease has run out, though it is up and its retry is due.
    first.link().cut();
    day.leave_out("down");
    day.comes_up(down).await?;
    day.at("10:00:03").await?;
    let early = eventually(LITTLE, async || {
        ensure!(!day.calls_to("down").is_empty(), "not called");
        Ok(())
    });
    ensure!(early.await.is_err(), "who is cut off has called, or who holds no lease");
    day.at("10:00:12").await?;
    day.count_in("down");
    day.expect(posted("down", &["issued"])).await?;
    let calls = day.calls_to("down");
    let called_s: i64 = calls[0].header("webhook-timestamp").parse()?;
    ensure!(called_s - raised_s >= LEASE_MS / 1_000, "after {} s", called_s - raised_s);
    let now = day.now().0;
    day.until("a lease of the second", |ledger| lease_of(ledger, "second") > now).await?;
    day.expect(posted("well", &["issued"])).await?;

    // It is back, has lost the lease, and nobody is told twice.
    first.link().mend();
    first.has_read(&[]).await?;
    day.act(&an, alert, "resolve", &json!({})).await?.expect(200)?;
    for id in ["well", "down"] {
        day.expect(posted(id, &["issued", "resolved"])).await?;
        day.expect(delivery(&an, alert, (id, 2), Some("delivered"))).await?;
    }
    first.ends().await?;
    second.ends().await?;
    day.ends().await
}

#[tokio::test]
async fn an_attempt_that_takes_long_keeps_its_lease() -> Result<()> {
    let mut day = Timeline::begin("2025-04-13", HOANG_THINH, Started::WithoutFanOut).await?;
    let slow = day.hold(group("slow", HERE)).await?;
    day.groups([slow]).await?;
    let an = day.officer("an", HERE).await?;
    let first = day.instance("first");
    first.fan_out()?;
    day.at("10:00").await?;
    let raised = day.raise(&an, &day.alert_of("lost-child", HERE, "20:00")?).await?.expect(201)?;
    let alert = raised.text_at("/id");
    day.holding("slow")?.seen().wait_for(1, WITHIN).await?;
    let second = day.instance("second");
    second.fan_out()?;
    second.has_read(&[]).await?;

    day.at("10:00:05").await?;
    let renewed = day.now().0 + LEASE_MS;
    let is_renewed = |ledger: &Ledger| lease_of(ledger, "first") >= renewed;
    day.until("a lease that is renewed", is_renewed).await?;
    // The lease of the plan has run out, and what the first has under way is left to it.
    day.at("10:00:14").await?;
    let taken = |ledger: &Ledger| lease_of(ledger, "second") > 0;
    let taken = timeout(LITTLE, day.until("never", taken)).await;
    ensure!(taken.is_err(), "the second has taken the lease over");
    day.holding("slow")?.release();
    day.expect(delivery(&an, alert, ("slow", 1), Some("delivered"))).await?;
    day.expect(posted("slow", &["issued"])).await?;
    first.ends().await?;
    second.ends().await.context("the second")?;
    day.ends().await
}
