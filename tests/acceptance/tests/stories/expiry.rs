//! Before an alert ends by itself the officer is asked; who prolongs it is asked again.

use acceptance::{
    Timeline, asked::with, group, maps::HOANG_THINH, people::open_stream, posted, state,
    timeline::WITHIN,
};
use anyhow::Result;
use serde_json::{Value, json};

const HERE: &str = "15958";

#[tokio::test]
async fn the_officer_is_asked_before_it_expires_and_again_when_it_was_prolonged() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("g-1", HERE)]).await?;
    let an = day.officer("an", HERE).await?;
    day.at("08:00").await?;
    // The own commune alone: the story is of the end, not of the reach.
    let lost = day.alert_of("lost-child", HERE, "13:00")?;
    let lost = with(&lost, "/reach", json!({ "mode": "rings", "rings": 0 }));
    let raised = day.raise(&an, &lost).await?.expect(201)?;
    let alert = raised.text_at("/id");
    assert_eq!(raised.at("/expiry_near"), &Value::Null);
    day.expect(posted("g-1", &["issued"])).await?;

    // Half an hour before.
    day.at("12:29").await?;
    assert_eq!(day.alert(&an, alert).await?.at("/expiry_near"), &Value::Null);
    let mut stream = open_stream(day.routes(), &an, HERE, None).await?;
    day.at("12:30").await?;
    let asked = |told: &support::Event| {
        told.kind == "alert" && told.json().pointer("/expiry_near") == Some(&json!(true))
    };
    let told = stream.wait_for(WITHIN, asked).await?;
    assert_eq!(told.json().pointer("/id"), Some(&json!(alert)));
    assert_eq!(day.alert(&an, alert).await?.at("/expiry_near"), &json!(true));

    day.at("12:40").await?;
    let longer = json!({ "expires": day.rfc3339("15:00")? });
    let prolonged = day.act(&an, alert, "update", &longer).await?.expect(200)?;
    assert_eq!(
        (prolonged.at("/expiry_near"), prolonged.at("/revision")),
        (&Value::Null, &json!(2))
    );

    day.at("14:29").await?;
    let still = day.alert(&an, alert).await?;
    assert_eq!((still.text_at("/state"), still.at("/expiry_near")), ("active", &Value::Null));
    day.at("14:30").await?;
    stream.wait_for(WITHIN, asked).await?;
    assert_eq!(day.alert(&an, alert).await?.at("/expiry_near"), &json!(true));

    // Nobody answers: it ends, and nobody in the group was asked anything.
    day.at("15:00").await?;
    day.expect(state(&an, alert, "expired")).await?;
    assert_eq!(day.alert(&an, alert).await?.at("/expiry_near"), &Value::Null);
    day.expect(posted("g-1", &["issued", "updated", "expired"])).await?;
    day.ends().await
}
