//! A cancel goes to exactly those who may have been reached, and overtakes nothing.

use acceptance::{
    Timeline, delivery, group, maps::HOANG_THINH, posted, quiet, state, timeline::WITHIN,
};
use anyhow::Result;
use serde_json::json;

const HERE: &str = "15958";

#[tokio::test]
async fn it_waits_for_the_alert_that_is_under_way_and_for_no_other() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    let slow = day.hold(group("slow", HERE)).await?;
    day.groups([slow, group("quick", HERE), group("beside", "15925")]).await?;
    let an = day.officer("an", HERE).await?;
    day.at("10:00").await?;
    let raised = day.raise(&an, &day.alert_of("lost-child", HERE, "20:00")?).await?.expect(201)?;
    let alert = raised.text_at("/id");
    day.holding("slow")?.seen().wait_for(1, WITHIN).await?;
    day.expect(posted("quick", &["issued"])).await?;

    day.at("10:00:03").await?;
    let note = json!({ "note": "Báo nhầm." });
    let cancelled = day.act(&an, alert, "cancel", &note).await?.expect(200)?;
    assert_eq!(cancelled.text_at("/state"), "cancelled");
    day.expect(posted("quick", &["issued", "cancelled"])).await?;
    day.expect(posted("beside", &["issued", "cancelled"])).await?;
    // Its cancel is planned, and does not leave before the alert has ended there.
    day.at("10:01").await?;
    day.expect(delivery(&an, alert, ("slow", 2), Some("planned"))).await?;
    day.expect(posted("slow", &["issued"])).await?;

    day.holding("slow")?.release();
    day.expect(posted("slow", &["issued", "cancelled"])).await?;
    day.expect(delivery(&an, alert, ("slow", 1), Some("delivered"))).await?;
    day.expect(delivery(&an, alert, ("slow", 2), Some("delivered"))).await?;

    // It is cancelled already: the same answer, and nobody is told again.
    day.at("11:00").await?;
    day.act(&an, alert, "cancel", &json!({})).await?.expect(200)?;
    let other = day.act(&an, alert, "resolve", &json!({})).await?.expect(409)?;
    assert_eq!(other.problem()?.code, "already-cancelled");
    day.expect(posted("slow", &["issued", "cancelled"])).await?;
    day.ends().await
}

#[tokio::test]
async fn it_follows_also_after_the_expiry() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("g-1", HERE)]).await?;
    let an = day.officer("an", HERE).await?;
    day.at("10:00").await?;
    let raised = day
        .raise_in_force(&an, &day.alert_of("scam-warning", HERE, "10:30")?)
        .await?
        .expect(200)?;
    let alert = raised.text_at("/id");
    day.at("14:00").await?;
    day.expect(state(&an, alert, "expired")).await?;
    let cancelled = day.act(&an, alert, "cancel", &json!({})).await?.expect(200)?;
    assert_eq!(cancelled.at("/revision"), &json!(4));
    day.expect(posted("g-1", &["issued", "expired", "cancelled"])).await?;
    day.ends().await
}

#[tokio::test]
async fn what_waits_for_approval_is_withdrawn_in_silence() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("g-1", HERE)]).await?;
    let an = day.officer("an", HERE).await?;
    let binh = day.commander("binh", HERE).await?;
    day.at("10:00").await?;
    let raised = day.raise(&an, &day.alert_of("suspect", HERE, "20:00")?).await?.expect(202)?;
    let alert = raised.text_at("/id");
    let early = day.act(&an, alert, "resolve", &json!({})).await?.expect(409)?;
    assert_eq!(early.problem()?.code, "not-issued");
    day.act(&an, alert, "cancel", &json!({})).await?.expect(200)?;
    let late = day.act(&binh, alert, "approve", &json!({ "revision": 1 })).await?.expect(409)?;
    assert_eq!(late.problem()?.code, "not-awaiting-approval");
    day.at("21:00").await?;
    day.expect(quiet("g-1")).await?;
    day.expect(state(&an, alert, "cancelled")).await?;
    day.ends().await
}

#[tokio::test]
async fn one_that_comes_on_the_heels_of_the_alert_is_the_last_word() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    let groups: Vec<String> = (1..=8).map(|n| format!("g-{n}")).collect();
    day.groups(groups.iter().map(|id| group(id, HERE))).await?;
    let an = day.officer("an", HERE).await?;
    day.at("10:00").await?;
    let hazard = day.alert_of("hazard", HERE, "20:00")?;
    for _ in 0..10 {
        let raised = day.raise_in_force(&an, &hazard).await?.expect(200)?;
        // Nothing is waited for: plans and attempts are under way.
        day.act(&an, raised.text_at("/id"), "cancel", &json!({})).await?.expect(200)?;
        day.settle().await?;
        let id = json!(raised.text_at("/id"));
        for group in &groups {
            let mut calls = day.calls_to(group);
            calls.retain(|call| call.json().pointer("/data/alert/id") == Some(&id));
            let told: Vec<String> = calls.iter().map(support::Call::news).collect();
            let told: Vec<&str> = told.iter().map(String::as_str).collect();
            // Whoever was only about to be told may hear of the cancel alone.
            let fits = matches!(
                told.as_slice(),
                [] | ["alert.cancelled"] | ["alert.issued", "alert.cancelled"]
            );
            assert!(fits, "{group}: {told:?}");
        }
    }
    day.ends().await
}
