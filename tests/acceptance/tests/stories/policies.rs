//! Policies: a neighbour's groups hear of a notice once the neighbour has acknowledged it, and of
//! a lost child at once, whatever is set.

use acceptance::{Person, Started, Timeline, asked::with, group, maps::HOANG_THINH, posted, quiet};
use anyhow::{Context, Result, ensure};
use serde_json::json;

const HERE: &str = "15958";
const WAITS: &str = "15925";
const OTHER: &str = "15952";

const POLICIES: &str = r#"
[installation]
raises-per-minute-max = 2

[commune."15925"]
waits = [{ kind = "notice" }]
answer-times = { usual = { second-contact-minutes = 45, province-desk-minutes = 90 } }
"#;

async fn morning() -> Result<Timeline> {
    let mut day = Timeline::governed(("2025-04-13", HOANG_THINH, POLICIES), Started::All).await?;
    day.groups([group("g-1", HERE), group("w-1", WAITS), group("o-1", OTHER)]).await?;
    day.at("10:00").await?;
    Ok(day)
}

/// Something of this kind is put to both neighbours.
async fn raised(day: &Timeline, an: &Person, kind: &str) -> Result<String> {
    let asked = day.alert_of(kind, HERE, "20:00")?;
    let reach = json!({ "mode": "communes", "communes": [WAITS, OTHER] });
    let raised = day.raise_in_force(an, &with(&asked, "/reach", reach)).await?;
    Ok(raised.text_at("/id").to_owned())
}

/// More is said of it, and a second person approves.
async fn update(day: &Timeline, an: &Person, alert: &str, more: &str) -> Result<()> {
    let more = json!({ "description": more });
    let asked = day.act(an, alert, "update", &more).await?.expect(200)?;
    let second = day.commander("third", HERE).await?;
    let pending = json!({ "revision": asked.at("/pending/revision") });
    day.act(&second, alert, "approve", &pending).await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn a_notice_waits_for_the_neighbours_acknowledgement() -> Result<()> {
    let day = morning().await?;
    let an = day.officer("an", HERE).await?;
    let binh = day.officer("binh", WAITS).await?;
    let alert = raised(&day, &an, "notice").await?;
    for told in ["g-1", "o-1"] {
        day.expect(posted(told, &["issued"])).await?;
    }
    day.at("10:05").await?;
    update(&day, &an, &alert, "Đổi giờ họp.").await?;
    day.expect(posted("o-1", &["issued", "updated"])).await?;
    day.expect(quiet("w-1")).await?;
    // How long its silence is borne is its own to say.
    let seen = day.alert(&an, &alert).await?;
    let communes = seen.at("/communes").as_array().context("communes")?;
    let due = communes.iter().find(|one| one["code"] == json!(WAITS)).context("the commune")?;
    let due = due["answer_due"].as_str().unwrap_or_default();
    ensure!(due.contains("10:45") || due.contains("03:45"), "{due}");

    day.at("10:20").await?;
    day.act(&binh, &alert, "acknowledge", &json!({})).await?.expect(200)?;
    day.expect(posted("w-1", &["issued"])).await?;
    day.at("10:30").await?;
    update(&day, &an, &alert, "Đổi nơi họp.").await?;
    day.expect(posted("w-1", &["issued", "updated"])).await?;
    day.act(&an, &alert, "cancel", &json!({ "note": "Hết hiệu lực." })).await?.expect(200)?;
    day.expect(posted("w-1", &["issued", "updated", "cancelled"])).await?;
    day.expect(posted("o-1", &["issued", "updated", "updated", "cancelled"])).await?;
    day.ends().await
}

#[tokio::test]
async fn what_is_taken_back_before_the_acknowledgement_was_told_to_nobody_there() -> Result<()> {
    let day = morning().await?;
    let an = day.officer("an", HERE).await?;
    let binh = day.officer("binh", WAITS).await?;
    let alert = raised(&day, &an, "notice").await?;
    day.expect(posted("o-1", &["issued"])).await?;
    day.act(&an, &alert, "cancel", &json!({ "note": "Nhầm." })).await?.expect(200)?;
    day.expect(posted("o-1", &["issued", "cancelled"])).await?;
    // Late, and taken or not: there is nothing left to tell.
    day.at("10:10").await?;
    day.act(&binh, &alert, "acknowledge", &json!({})).await?;
    day.expect(quiet("w-1")).await?;
    day.ends().await
}

#[tokio::test]
async fn a_lost_child_waits_for_nobody_and_raises_are_limited_by_the_policy() -> Result<()> {
    let day = morning().await?;
    let an = day.officer("an", HERE).await?;
    raised(&day, &an, "lost-child").await?;
    for told in ["w-1", "o-1"] {
        day.expect(posted(told, &["issued"])).await?;
    }
    let property = with(&day.alert_of("lost-property", HERE, "20:00")?, "/status", json!("test"));
    day.raise(&an, &property).await?;
    let many = day.raise(&an, &property).await?.expect(429)?;
    assert_eq!(many.problem()?.code, "too-many");
    day.ends().await
}
