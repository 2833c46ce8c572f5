//! Classes have no order between them: whoever starts may read receipts before their plans, and
//! deliveries before their alerts.

use acceptance::{
    Started, Timeline, delivery, group,
    maps::HOANG_THINH,
    people::{ask, request},
    posted, state,
    target::Down,
};
use anyhow::{Result, ensure};
use axum::{body::Body, http::Method};
use event_log::Class;
use serde_json::json;

const HERE: &str = "15958";

/// A fan-out that starts again reads one class long before another: it must know as much as if
/// it had read them side by side.
async fn started_again(late: Class, (first_read, last_read): (&str, &str)) -> Result<()> {
    let mut day = Timeline::begin("2025-04-13", HOANG_THINH, Started::WithoutFanOut).await?;
    let down = Down::new()?;
    day.groups([group("well", HERE), group("down", HERE).at(&down.base())]).await?;
    let an = day.officer("an", HERE).await?;
    let fan_out = day.instance("fan-out");
    fan_out.fan_out()?;
    day.at("10:00").await?;
    let raised = day.raise(&an, &day.alert_of("lost-child", HERE, "20:00")?).await?.expect(201)?;
    let alert = raised.text_at("/id");
    day.expect(delivery(&an, alert, ("well", 1), Some("delivered"))).await?;
    day.expect(delivery(&an, alert, ("down", 1), Some("retrying"))).await?;
    fan_out.ends().await?;

    let fan_out = day.instance("fan-out");
    fan_out.link().keep_behind(late);
    fan_out.fan_out()?;
    fan_out.has_read(&[first_read]).await?;
    ensure!(!fan_out.is_caught_up(&[last_read]), "{last_read} were to be read last");
    // The cancel is there before anything can be planned.
    day.act(&an, alert, "cancel", &json!({})).await?.expect(200)?;
    fan_out.link().let_go(late);
    fan_out.has_read(&[]).await?;
    // Who was reached is told of the end, and not of the alert again; who was not is left alone.
    day.expect(posted("well", &["issued", "cancelled"])).await?;
    day.expect(delivery(&an, alert, ("well", 2), Some("delivered"))).await?;
    day.expect(delivery(&an, alert, ("down", 2), None)).await?;
    day.expect(state(&an, alert, "cancelled")).await?;
    day.at("19:00").await?;
    day.expect(posted("well", &["issued", "cancelled"])).await?;
    fan_out.ends().await?;
    day.ends().await
}

#[tokio::test]
async fn receipts_that_are_read_before_their_plans_count() -> Result<()> {
    started_again(Class::Delivery, ("receipts", "plans")).await
}

#[tokio::test]
async fn plans_that_are_read_before_their_receipts_are_not_sent_again() -> Result<()> {
    started_again(Class::Receipt, ("plans", "receipts")).await
}

#[tokio::test]
async fn whatever_is_read_last_intake_shows_the_same() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    let down = Down::new()?;
    day.groups([group("well", HERE), group("down", HERE).at(&down.base())]).await?;
    let an = day.officer("an", HERE).await?;
    day.at("10:00").await?;
    let lost = day.alert_of("lost-child", HERE, "20:00")?;
    let raised = day.raise(&an, &lost).await?.expect(201)?;
    let alert = raised.text_at("/id");
    day.expect(delivery(&an, alert, ("well", 1), Some("delivered"))).await?;
    day.expect(delivery(&an, alert, ("down", 1), Some("retrying"))).await?;
    day.act(&an, alert, "resolve", &json!({})).await?.expect(200)?;
    day.expect(delivery(&an, alert, ("well", 2), Some("delivered"))).await?;

    let paths = [
        "/v1/alerts".to_owned(),
        format!("/v1/alerts/{alert}"),
        format!("/v1/alerts/{alert}/deliveries"),
        format!("/v1/verify/{}", raised.text_at("/code")),
    ];
    for late in [Class::Command, Class::Alert, Class::Delivery, Class::Receipt] {
        let other = day.instance("other");
        other.link().keep_behind(late);
        let routes = other.intake();
        let early: &[&str] = match late {
            Class::Command | Class::Alert => &["board-deliveries", "board-receipts"],
            _ => &["board-commands", "board-alerts"],
        };
        other.has_read(early).await?;
        other.link().let_go(late);
        other.has_read(&[]).await?;
        for path in &paths {
            let wanted = day.get(&an, path).await?.expect(200)?;
            let asked = request(&an, Method::GET, path).body(Body::empty())?;
            let shown = ask(&routes, asked).await?.expect(200)?;
            ensure!(shown.text == wanted.text, "{late:?}: {}\n{}", wanted.text, shown.text);
        }
        other.ends().await?;
    }
    day.ends().await
}
