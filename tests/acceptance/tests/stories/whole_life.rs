//! An alert's whole life: two persons, a review that is owed, holds, a mistaken resolve, and a
//! suspect who was none.

use acceptance::{Timeline, asked::with, group, maps::HOANG_THINH, posted, quiet, state};
use anyhow::{Result, ensure};
use serde_json::{Value, json};

const HERE: &str = "15958";
const NEIGHBOUR: &str = "15925";

async fn morning() -> Result<Timeline> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("g-1", HERE), group("n-1", NEIGHBOUR)]).await?;
    Ok(day)
}

#[tokio::test]
async fn who_sends_alone_owes_a_review_which_is_missed_and_comes() -> Result<()> {
    let day = morning().await?;
    let an = day.officer("an", HERE).await?;
    let same = day.commander("an", HERE).await?;
    let binh = day.commander("binh", HERE).await?;
    day.at("17:40").await?;
    let lost = day.alert_of("lost-child", HERE, "2025-04-14 17:30")?;
    let lost = with(&lost, "/reach", json!({ "mode": "rings", "rings": 2 }));
    let raised = day.raise(&an, &lost).await?.expect(201)?;
    let alert = raised.text_at("/id");
    let communes = |answer: &support::Answer| answer.at("/communes").as_array().map_or(0, Vec::len);
    let near = communes(&raised);
    day.expect(posted("n-1", &["issued"])).await?;
    day.at("17:54").await?;
    assert_eq!(day.alert(&an, alert).await?.text_at("/review/state"), "owed");
    day.at("17:56").await?;
    day.settle().await?;
    assert_eq!(day.alert(&an, alert).await?.text_at("/review/state"), "missed");
    let refused = day.act(&same, alert, "review", &json!({})).await?.expect(403)?;
    assert_eq!(refused.problem()?.code, "same-person");
    let reviewed = day.act(&binh, alert, "review", &json!({})).await?.expect(200)?;
    assert_eq!(reviewed.text_at("/review/state"), "done");
    // Only now does it go beyond the bordering communes.
    ensure!(communes(&reviewed) >= near, "{}", reviewed.text);
    day.expect(posted("g-1", &["issued"])).await?;
    day.ends().await
}

#[tokio::test]
async fn a_change_of_a_suspect_alert_waits_for_a_second_person_and_taking_back_does_not()
-> Result<()> {
    let day = morning().await?;
    let an = day.officer("an", HERE).await?;
    let binh = day.commander("binh", HERE).await?;
    day.at("08:00").await?;
    let suspect = day.alert_of("suspect", HERE, "20:00")?;
    let suspect = with(&suspect, "/person/clothing", json!("áo khoác đen"));
    let raised = day.raise(&an, &suspect).await?.expect(202)?;
    let alert = raised.text_at("/id");
    day.act(&binh, alert, "approve", &json!({ "revision": 1 })).await?.expect(200)?;
    day.expect(posted("n-1", &["issued"])).await?;

    day.at("08:10").await?;
    let more = json!({ "description": "Đi xe máy màu trắng." });
    let asked = day.act(&an, alert, "update", &more).await?.expect(200)?;
    assert_eq!((asked.at("/revision"), asked.at("/pending/revision")), (&json!(2), &json!(3)));
    let read = day.alert(&binh, alert).await?;
    assert_eq!(read.text_at("/pending/fields/description"), "Đi xe máy màu trắng.");
    day.at("08:11").await?;
    day.expect(posted("n-1", &["issued"])).await?;
    let wrong = day.act(&binh, alert, "approve", &json!({ "revision": 2 })).await?.expect(409)?;
    assert_eq!(wrong.problem()?.code, "stale-revision");
    let approved =
        day.act(&binh, alert, "approve", &json!({ "revision": 3 })).await?.expect(200)?;
    assert_eq!(approved.at("/pending"), &Value::Null);
    day.expect(posted("n-1", &["issued", "updated"])).await?;

    // The wrong man: who raised it takes it back alone, at once, for everybody.
    day.at("08:20").await?;
    let back = json!({ "person": null, "description": null });
    let corrected = day.act(&an, alert, "correct", &back).await?.expect(200)?;
    assert_eq!((corrected.text_at("/state"), corrected.at("/revision")), ("active", &json!(4)));
    day.act(&an, alert, "cancel", &json!({ "note": "Nhầm người." })).await?.expect(200)?;
    for id in ["g-1", "n-1"] {
        day.expect(posted(id, &["issued", "updated", "corrected", "cancelled"])).await?;
    }
    day.ends().await
}

#[tokio::test]
async fn a_second_person_says_no_and_nobody_is_told() -> Result<()> {
    let day = morning().await?;
    let an = day.officer("an", HERE).await?;
    let binh = day.commander("binh", HERE).await?;
    day.at("08:00").await?;
    let raised = day.raise(&an, &day.alert_of("hazard", HERE, "20:00")?).await?.expect(202)?;
    let alert = raised.text_at("/id");
    assert_eq!(raised.text_at("/state"), "awaiting-approval");
    let note = json!({ "note": "Chưa đủ căn cứ." });
    let declined = day.act(&binh, alert, "decline", &note).await?.expect(200)?;
    assert_eq!(declined.text_at("/state"), "declined");
    let late = day.act(&binh, alert, "approve", &json!({ "revision": 1 })).await?.expect(409)?;
    assert_eq!(late.problem()?.code, "not-awaiting-approval");
    day.at("09:00").await?;
    day.expect(quiet("g-1")).await?;
    day.ends().await
}

#[tokio::test]
async fn the_wrong_child_was_found_and_the_search_goes_on() -> Result<()> {
    let day = morning().await?;
    let an = day.officer("an", HERE).await?;
    day.at("17:40").await?;
    let lost = day.alert_of("lost-child", HERE, "2025-04-14 17:30")?;
    let raised = day.raise(&an, &lost).await?.expect(201)?;
    let alert = raised.text_at("/id");
    day.expect(posted("n-1", &["issued"])).await?;
    day.at("18:00").await?;
    day.act(&an, alert, "resolve", &json!({})).await?.expect(200)?;
    day.expect(posted("n-1", &["issued", "resolved"])).await?;
    day.at("18:05").await?;
    let note = json!({ "note": "Cháu bé tìm thấy là cháu khác." });
    let again = day.act(&an, alert, "reopen", &note).await?.expect(200)?;
    assert_eq!((again.text_at("/state"), again.at("/revision")), ("active", &json!(3)));
    for id in ["g-1", "n-1"] {
        day.expect(posted(id, &["issued", "resolved", "updated"])).await?;
    }
    day.act(&an, alert, "resolve", &json!({})).await?.expect(200)?;
    day.expect(posted("n-1", &["issued", "resolved", "updated", "resolved"])).await?;
    day.ends().await
}

#[tokio::test]
async fn what_is_on_hold_stays_until_it_is_released() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    let down = acceptance::target::Down::new()?;
    day.groups([group("g-1", HERE), group("down", NEIGHBOUR).at(&down.base())]).await?;
    let an = day.officer("an", HERE).await?;
    day.at("17:40").await?;
    let lost = day.alert_of("lost-child", HERE, "2025-04-14 17:30")?;
    let raised = day.raise(&an, &lost).await?.expect(201)?;
    let alert = raised.text_at("/id");
    day.expect(posted("g-1", &["issued"])).await?;
    day.at("17:42").await?;
    let held = day.act(&an, alert, "hold", &json!({})).await?.expect(200)?;
    assert_eq!(held.at("/on_hold"), &json!(true));
    day.comes_up(down).await?;
    day.at("18:30").await?;
    day.expect(quiet("down")).await?;
    let released = day.act(&an, alert, "release", &json!({})).await?.expect(200)?;
    assert_eq!((released.at("/on_hold"), released.at("/revision")), (&Value::Null, &json!(2)));
    day.expect(posted("down", &["issued"])).await?;
    day.expect(posted("g-1", &["issued"])).await?;
    day.expect(state(&an, alert, "active")).await?;
    day.ends().await
}
