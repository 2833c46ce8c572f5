//! The same key and bytes have the effect of one, for ever; other bytes are a conflict.

use acceptance::{Person, Timeline, asked::with, group, maps::HOANG_THINH, posted, quiet, state};
use anyhow::Result;
use futures::future::join_all;
use serde_json::{Value, json};
use support::Answer;

const HERE: &str = "15958";

async fn morning() -> Result<(Timeline, Person, Value)> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("g-1", HERE)]).await?;
    let an = day.officer("an", HERE).await?;
    day.at("10:00").await?;
    let lost = day.alert_of("lost-child", HERE, "11:00")?;
    Ok((day, an, lost))
}

async fn raise(day: &Timeline, person: &Person, alert: &Value, key: &str) -> Result<Answer> {
    day.post_bytes(person, "/v1/alerts", alert.to_string().into_bytes(), Some(key)).await
}

#[tokio::test]
async fn a_repeat_is_the_same_alert_also_after_the_expiry() -> Result<()> {
    let (day, an, lost) = morning().await?;
    let first = raise(&day, &an, &lost, "k").await?.expect(201)?;
    let again = raise(&day, &an, &lost, "k").await?.expect(201)?;
    assert_eq!(first.text_at("/id"), again.text_at("/id"));
    assert!(!first.text_at("/id").is_empty());
    let others = with(&lost, "/headline", json!("Tìm cháu bé khác"));
    let conflict = raise(&day, &an, &others, "k").await?.expect(409)?;
    assert_eq!(conflict.problem()?.code, "idempotency-conflict");
    day.expect(posted("g-1", &["issued"])).await?;

    day.at("12:00").await?;
    let late = raise(&day, &an, &lost, "k").await?.expect(201)?;
    assert_eq!((late.text_at("/id"), late.text_at("/state")), (first.text_at("/id"), "expired"));
    // As a new request it is refused: its expiry has passed.
    let fresh = raise(&day, &an, &lost, "other").await?.expect(400)?;
    assert_eq!(fresh.problem()?.errors[0].0, "expires");
    // Nor do other bytes pass under the old key.
    let status = raise(&day, &an, &others, "k").await?.status;
    assert_eq!(status, 409);
    day.expect(posted("g-1", &["issued", "expired"])).await?;
    day.ends().await
}

#[tokio::test]
async fn many_at_once_are_one() -> Result<()> {
    let (day, an, lost) = morning().await?;
    let answers = join_all((0..16).map(|_| raise(&day, &an, &lost, "k"))).await;
    let answers: Vec<Answer> = answers.into_iter().collect::<Result<_>>()?;
    let first = answers.first().map(|answer| answer.text_at("/id").to_owned());
    for answer in &answers {
        assert_eq!((answer.status, Some(answer.text_at("/id"))), (201, first.as_deref()));
    }
    day.expect(posted("g-1", &["issued"])).await?;
    let listed = day.get(&an, "/v1/alerts").await?.expect(200)?;
    assert_eq!(listed.at("/alerts").as_array().map(Vec::len), Some(1));
    day.ends().await
}

#[tokio::test]
async fn a_key_is_the_persons_own_and_is_free_until_something_is_recorded() -> Result<()> {
    let (day, an, lost) = morning().await?;
    let binh = day.officer("binh", HERE).await?;
    let blank = with(&lost, "/headline", json!("  "));
    raise(&day, &an, &blank, "k").await?.expect(400)?;
    day.post_bytes(&an, "/v1/alerts", b"{".to_vec(), Some("k")).await?.expect(400)?;
    day.expect(quiet("g-1")).await?;
    let one = raise(&day, &an, &lost, "k").await?.expect(201)?;
    let other = raise(&day, &binh, &lost, "k").await?.expect(201)?;
    assert_ne!(one.text_at("/id"), other.text_at("/id"));
    day.expect(posted("g-1", &["issued", "issued"])).await?;
    day.ends().await
}

#[tokio::test]
async fn acts_are_commands_of_their_own() -> Result<()> {
    let (day, an, lost) = morning().await?;
    let raised = raise(&day, &an, &lost, "k").await?.expect(201)?;
    let alert = raised.text_at("/id");
    let cancel = format!("/v1/alerts/{alert}/cancel");
    let call = async |body: &str, key: Option<&str>| {
        day.post_bytes(&an, &cancel, body.as_bytes().to_vec(), key).await
    };
    day.expect(posted("g-1", &["issued"])).await?;
    // Another path, so another command: the key of the raise may be used again.
    call(r#"{"note":"Báo nhầm."}"#, Some("k")).await?.expect(200)?;
    let again = call(r#"{"note":"Báo nhầm."}"#, Some("k")).await?.expect(200)?;
    assert_eq!(again.text_at("/state"), "cancelled");
    let other = call(r#"{"note":"Khác."}"#, Some("k")).await?.expect(409)?;
    assert_eq!(other.problem()?.code, "idempotency-conflict");
    let none = call("{}", None).await?.expect(400)?;
    assert_eq!(none.problem()?.errors[0].0, "Idempotency-Key");
    day.expect(posted("g-1", &["issued", "cancelled"])).await?;
    day.expect(state(&an, alert, "cancelled")).await?;
    day.ends().await
}
