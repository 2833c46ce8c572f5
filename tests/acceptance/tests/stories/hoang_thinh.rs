//! Hoằng Thịnh, 13 April 2025, 17:30: a child of four is lost, and found within the hour. Eight
//! groups of the commune, over two thousand members, were told.

use acceptance::{
    Timeline, asked::with, delivery, group, maps::HOANG_THINH, posted, quiet, state, target::Down,
    verified,
};
use anyhow::Result;
use serde_json::json;
use support::Reply;

const HERE: &str = "15958";
const NEIGHBOURS: [&str; 4] = ["15925", "15952", "15955", "15964"];

#[tokio::test]
async fn the_resolve_reaches_exactly_those_who_got_the_alert() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    let down = Down::new()?;
    let eight: Vec<String> = (1..=8).map(|n| format!("g-{n}")).collect();
    day.groups(eight.iter().map(|id| group(id, HERE).members(260))).await?;
    day.groups(NEIGHBOURS.iter().map(|commune| group(&format!("n-{commune}"), commune))).await?;
    day.groups([group("down", "15964").at(&down.base()), group("sick", "15964")]).await?;
    day.sink()?.answer("/g/sick", Reply::status(500));
    let an = day.officer("an", HERE).await?;

    day.at("17:40").await?;
    let lost = day.alert_of("lost-child", HERE, "2025-04-14 17:30")?;
    let lost = with(&lost, "/last_seen/at", json!(day.rfc3339("17:30")?));
    let raised = day.raise(&an, &lost).await?.expect(201)?;
    let alert = raised.text_at("/id");
    assert_eq!(raised.text_at("/state"), "active");
    for id in eight.iter().cloned().chain(NEIGHBOURS.iter().map(|code| format!("n-{code}"))) {
        day.expect(posted(&id, &["issued"])).await?;
    }
    day.expect(verified(raised.text_at("/code"), "live", "active")).await?;
    day.expect(delivery(&an, alert, ("down", 1), Some("retrying"))).await?;
    day.expect(delivery(&an, alert, ("sick", 1), Some("retrying"))).await?;

    day.at("18:19").await?;
    let tries = day.calls_to("sick").len();
    assert!(tries > 8, "{tries} attempts in 39 minutes");
    day.sink()?.answer("/g/sick", Reply::status(204));

    day.at("18:20").await?;
    let note = json!({ "note": "Đã tìm thấy cháu, cháu an toàn." });
    let resolved = day.act(&an, alert, "resolve", &note).await?.expect(200)?;
    assert_eq!((resolved.text_at("/state"), resolved.at("/revision")), ("resolved", &json!(2)));
    for id in eight.iter().cloned().chain(NEIGHBOURS.iter().map(|code| format!("n-{code}"))) {
        day.expect(posted(&id, &["issued", "resolved"])).await?;
    }
    // It answered 500, and may have shown the alert: it hears that it is over.
    let mut sick = vec!["issued"; tries];
    sick.push("resolved");
    day.expect(posted("sick", &sick)).await?;
    // Nothing ever reached this one: it hears of neither, also when it comes up.
    day.expect(delivery(&an, alert, ("down", 1), Some("superseded"))).await?;
    day.expect(delivery(&an, alert, ("down", 2), None)).await?;
    day.comes_up(down).await?;
    day.at("2025-04-15 18:00").await?;
    day.expect(quiet("down")).await?;
    day.expect(posted("sick", &sick)).await?;
    day.expect(posted("g-1", &["issued", "resolved"])).await?;
    day.expect(state(&an, alert, "resolved")).await?;
    day.expect(verified(raised.text_at("/code"), "closed", "resolved")).await?;
    day.ends().await
}

#[tokio::test]
async fn who_comes_up_before_the_end_gets_the_alert_and_the_resolve() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    let down = Down::new()?;
    day.groups([group("down", HERE).at(&down.base()), group("g-1", HERE)]).await?;
    let an = day.officer("an", HERE).await?;
    day.at("17:40").await?;
    let lost = day.alert_of("lost-child", HERE, "2025-04-14 17:30")?;
    let raised = day.raise(&an, &lost).await?.expect(201)?;
    let alert = raised.text_at("/id");
    day.at("17:45").await?;
    day.comes_up(down).await?;
    day.at("18:20").await?;
    day.expect(posted("down", &["issued"])).await?;
    day.act(&an, alert, "resolve", &json!({})).await?.expect(200)?;
    day.expect(posted("down", &["issued", "resolved"])).await?;
    day.expect(delivery(&an, alert, ("down", 2), Some("delivered"))).await?;
    day.ends().await
}
