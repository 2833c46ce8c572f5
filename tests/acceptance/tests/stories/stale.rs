//! Held too long: a command that nobody decided in time is not sent in silence.

use acceptance::{Started, Timeline, group, maps::HOANG_THINH, posted, quiet, state};
use anyhow::Result;
use serde_json::json;

const HERE: &str = "15958";

#[tokio::test]
async fn a_raise_that_was_held_for_longer_than_its_validity_is_refused() -> Result<()> {
    let mut day = Timeline::begin("2025-04-13", HOANG_THINH, Started::WithoutAlerting).await?;
    day.groups([group("g-1", HERE)]).await?;
    let an = day.officer("an", HERE).await?;
    day.at("10:00").await?;
    let lost = day.alert_of("lost-child", HERE, "20:00")?;
    let held = day.raise(&an, &lost).await?.expect(202)?;
    assert_eq!(held.text_at("/state"), "deciding");
    day.at("10:10").await?;
    let fresh = day.raise(&an, &lost).await?.expect(202)?;
    day.at("10:20").await?;
    day.start_alerting().await?;

    day.expect(state(&an, held.text_at("/id"), "refused")).await?;
    let refused = day.alert(&an, held.text_at("/id")).await?.expect(200)?;
    let [code, field] = ["/refusal/code", "/refusal/field"].map(|at| refused.text_at(at));
    assert_eq!((code, field), ("stale", ""));
    day.get(&an, &format!("/v1/verify/{}", held.text_at("/code"))).await?.expect(404)?;
    // The other was held for ten minutes only.
    day.expect(state(&an, fresh.text_at("/id"), "active")).await?;
    day.expect(posted("g-1", &["issued"])).await?;
    let calls = day.calls_to("g-1");
    assert_eq!(calls[0].json().pointer("/data/alert/id"), Some(&json!(fresh.text_at("/id"))));
    day.ends().await
}

#[tokio::test]
async fn a_cancel_has_no_such_limit() -> Result<()> {
    let mut day = Timeline::begin("2025-04-13", HOANG_THINH, Started::WithoutAlerting).await?;
    day.groups([group("g-1", HERE)]).await?;
    let an = day.officer("an", HERE).await?;
    day.at("10:00").await?;
    let held = day.raise(&an, &day.alert_of("lost-child", HERE, "20:00")?).await?.expect(202)?;
    let alert = held.text_at("/id");
    day.act(&an, alert, "cancel", &json!({})).await?.expect(202)?;
    day.at("10:14").await?;
    day.start_alerting().await?;
    // Decided in the order in which they were asked for: issued, and called back at once.
    day.expect(state(&an, alert, "cancelled")).await?;
    let told: Vec<String> = day.calls_to("g-1").iter().map(support::Call::news).collect();
    assert_eq!(told.last().map(String::as_str), Some("alert.cancelled"), "{told:?}");

    day.at("11:00").await?;
    day.expect(state(&an, alert, "cancelled")).await?;
    day.ends().await
}

#[tokio::test]
async fn a_raise_that_expired_before_it_was_decided_is_refused_too() -> Result<()> {
    let mut day = Timeline::begin("2025-04-13", HOANG_THINH, Started::WithoutAlerting).await?;
    day.groups([group("g-1", HERE)]).await?;
    let an = day.officer("an", HERE).await?;
    day.at("10:00").await?;
    let held = day.raise(&an, &day.alert_of("lost-child", HERE, "10:05")?).await?.expect(202)?;
    day.at("10:10").await?;
    day.start_alerting().await?;
    day.expect(state(&an, held.text_at("/id"), "refused")).await?;
    let refused = day.alert(&an, held.text_at("/id")).await?.expect(200)?;
    assert_eq!(refused.text_at("/refusal/code"), "expiry-passed");
    day.expect(quiet("g-1")).await?;
    day.ends().await
}
