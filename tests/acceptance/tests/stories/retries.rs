//! Retries: the schedule of the interface in virtual time, and what ends them.

use std::collections::BTreeSet;

use acceptance::{
    Timeline, delivery, group, maps::HOANG_THINH, posted, state, target::Down, verified,
};
use anyhow::Result;
use support::{Call, Reply};

const HERE: &str = "15958";

/// When each call was made, in seconds of virtual time after the first.
fn seconds(calls: &[Call]) -> Vec<i64> {
    let at = |call: &Call| call.header("webhook-timestamp").parse::<i64>().unwrap_or_default();
    let first = calls.first().map(at).unwrap_or_default();
    calls.iter().map(|call| at(call) - first).collect()
}

#[tokio::test]
async fn they_follow_the_schedule_under_one_id_until_one_is_taken() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("sick", HERE), group("well", HERE)]).await?;
    day.sink()?.answer_next("/g/sick", (0..11).map(|_| Reply::status(500)));
    let an = day.officer("an", HERE).await?;
    day.at("10:00").await?;
    let raised = day.raise(&an, &day.alert_of("lost-child", HERE, "20:00")?).await?.expect(201)?;
    let alert = raised.text_at("/id");
    day.at("10:00:01").await?;
    day.expect(posted("sick", &["issued"])).await?;
    day.at("10:00:02").await?;
    day.expect(posted("sick", &["issued"; 2])).await?;
    day.at("19:00").await?;
    let calls = day.calls_to("sick");
    let wanted = [0, 2, 7, 22, 52, 112, 232, 532, 1_132, 1_732, 2_332, 2_932];
    assert_eq!(seconds(&calls), wanted);
    let ids: BTreeSet<&str> = calls.iter().map(Call::id).collect();
    let id = format!("{alert}:1:sick:webhook-1");
    assert_eq!(ids, BTreeSet::from([id.as_str()]));
    day.expect(delivery(&an, alert, ("sick", 1), Some("delivered"))).await?;
    // The slow one has delayed nobody.
    assert_eq!(seconds(&day.calls_to("well")), [0]);
    day.ends().await
}

#[tokio::test]
async fn what_the_target_asks_for_wins() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("busy", HERE)]).await?;
    let busy = |after: &str| Reply::status(429).with("retry-after", after);
    day.sink()?.answer_next("/g/busy", [busy("40"), busy("1"), Reply::status(503)]);
    let an = day.officer("an", HERE).await?;
    day.at("10:00").await?;
    let lost = day.alert_of("lost-child", HERE, "20:00")?;
    day.raise(&an, &lost).await?.expect(201)?;
    day.at("19:00").await?;
    // After 40 s and 1 s as asked; then the schedule's third pause.
    assert_eq!(seconds(&day.calls_to("busy")), [0, 40, 41, 56]);
    day.ends().await
}

#[tokio::test]
async fn a_target_that_is_gone_is_left_alone() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("gone", HERE), group("later-gone", HERE), group("missing", HERE)]).await?;
    day.sink()?.answer("/g/gone", Reply::status(410));
    day.sink()?.answer("/g/missing", Reply::status(404));
    day.sink()?.answer_next("/g/later-gone", [Reply::status(500), Reply::status(410)]);
    let an = day.officer("an", HERE).await?;
    day.at("10:00").await?;
    let raised = day.raise(&an, &day.alert_of("lost-child", HERE, "20:00")?).await?.expect(201)?;
    let alert = raised.text_at("/id");
    day.at("21:00").await?;
    day.expect(posted("gone", &["issued"])).await?;
    day.expect(posted("missing", &["issued"])).await?;
    day.expect(delivery(&an, alert, ("gone", 1), Some("failed"))).await?;
    // The 500 may have told somebody, so that it hears of the end.
    day.expect(posted("later-gone", &["issued", "issued", "expired"])).await?;
    day.expect(delivery(&an, alert, ("later-gone", 1), Some("unknown"))).await?;
    day.ends().await
}

#[tokio::test]
async fn the_expiry_ends_them_and_is_told_to_those_who_were_reached() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    let down = Down::new()?;
    day.groups([group("well", HERE), group("sick", HERE)]).await?;
    day.groups([group("down", HERE).at(&down.base())]).await?;
    day.sink()?.answer_next("/g/sick", (0..5).map(|_| Reply::status(500)));
    let an = day.officer("an", HERE).await?;
    day.at("10:00").await?;
    let raised = day.raise(&an, &day.alert_of("lost-child", HERE, "10:01")?).await?.expect(201)?;
    let (alert, code) = (raised.text_at("/id"), raised.text_at("/code"));
    day.at("10:00:59").await?;
    day.expect(state(&an, alert, "active")).await?;
    day.expect(posted("sick", &["issued"; 5])).await?;
    day.at("10:01").await?;
    day.expect(state(&an, alert, "expired")).await?;
    day.expect(verified(code, "closed", "expired")).await?;
    day.expect(posted("well", &["issued", "expired"])).await?;
    day.at("12:00").await?;
    let mut sick = vec!["issued"; 5];
    sick.push("expired");
    day.expect(posted("sick", &sick)).await?;
    day.expect(delivery(&an, alert, ("down", 1), Some("failed"))).await?;
    day.expect(delivery(&an, alert, ("down", 2), None)).await?;
    day.ends().await
}

#[tokio::test]
async fn an_end_is_tried_for_a_week_also_after_the_expiry() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("g-1", HERE)]).await?;
    let an = day.officer("an", HERE).await?;
    day.at("10:00").await?;
    let raised = day.raise(&an, &day.alert_of("lost-child", HERE, "11:00")?).await?.expect(201)?;
    let alert = raised.text_at("/id");
    day.at("10:30").await?;
    day.sink()?.answer("/g/g-1", Reply::status(500).with("retry-after", "86400"));
    day.act(&an, alert, "cancel", &serde_json::json!({})).await?.expect(200)?;
    day.at("2025-04-30 10:00").await?;
    // Once a day, as it asked for; the last attempt lies before the end of the week.
    let cancelled: Vec<Call> =
        day.calls_to("g-1").into_iter().filter(|call| call.news() == "alert.cancelled").collect();
    let days: Vec<i64> = seconds(&cancelled).iter().map(|s| s / 86_400).collect();
    assert_eq!(days, [0, 1, 2, 3, 4, 5, 6]);
    day.expect(delivery(&an, alert, ("g-1", 2), Some("unknown"))).await?;
    day.ends().await
}
