//! Hawaii, 13 January 2018, as a script: a drill sent as live by one person, known to be false
//! after three minutes; there people were told after 38 minutes, here within one.

use acceptance::{Timeline, asked::with, group, maps::HOANG_THINH, posted, quiet, state, verified};
use anyhow::{Result, ensure};
use serde_json::json;

const HERE: &str = "15958";
const NEIGHBOURS: [&str; 4] = ["15925", "15952", "15955", "15964"];

#[tokio::test]
async fn a_false_alarm_is_called_back_by_one_person_within_a_minute() -> Result<()> {
    let mut day = Timeline::on("2018-01-13", HOANG_THINH).await?;
    let all: Vec<String> = std::iter::once(&HERE)
        .chain(&NEIGHBOURS)
        .flat_map(|commune| (1..=3).map(move |n| format!("g{n}-{commune}")))
        .collect();
    let of = |id: &String| group(id, id.split_once('-').map_or(HERE, |(_, commune)| commune));
    day.groups(all.iter().map(of)).await?;
    let an = day.officer("an", HERE).await?;

    day.at("08:05").await?;
    // The words of the drill's script: they cannot be said in a drill.
    let lost = day.alert_of("lost-child", HERE, "20:00")?;
    let script = with(&lost, "/description", json!("ĐÂY KHÔNG PHẢI DIỄN TẬP"));
    let drill = with(&script, "/status", json!("exercise"));
    let refused = day.raise(&an, &drill).await?.expect(400)?.problem()?;
    ensure!(refused.errors.iter().any(|(field, _)| field == "description"), "{refused:?}");
    ensure!(day.calls().is_empty(), "somebody was told");

    day.at("08:07").await?;
    let raised = day.raise(&an, &script).await?.expect(201)?;
    let alert = raised.text_at("/id");
    assert_eq!(raised.text_at("/review/state"), "owed");
    for id in &all {
        day.expect(posted(id, &["issued"])).await?;
    }

    // Known to be false; who sent it calls it back, and nobody else is needed.
    day.at("08:10").await?;
    let note = json!({ "note": "Báo động nhầm." });
    day.act(&an, alert, "cancel", &note).await?.expect(200)?;
    day.at("08:11").await?;
    for id in &all {
        day.expect(posted(id, &["issued", "cancelled"])).await?;
    }
    day.expect(state(&an, alert, "cancelled")).await?;
    day.expect(verified(raised.text_at("/code"), "closed", "cancelled")).await?;
    day.ends().await
}

#[tokio::test]
async fn what_was_wrong_is_corrected_for_all_who_were_told_also_after_the_end() -> Result<()> {
    let mut day = Timeline::on("2018-01-13", HOANG_THINH).await?;
    day.groups([group("g-1", HERE), group("n-1", "15925"), group("far", "15952")]).await?;
    let an = day.officer("an", HERE).await?;
    day.at("08:00").await?;
    let lost = day.alert_of("lost-child", HERE, "10:00")?;
    let lost = with(&lost, "/reach", json!({ "mode": "communes", "communes": ["15925"] }));
    let lost = with(&lost, "/person/clothing", json!("áo đỏ"));
    let raised = day.raise(&an, &lost).await?.expect(201)?;
    let alert = raised.text_at("/id");

    day.at("08:05").await?;
    let right = json!({ "person": { "clothing": "áo xanh" } });
    let updated = day.act(&an, alert, "update", &right).await?.expect(200)?;
    assert_eq!(
        (updated.at("/revision"), updated.text_at("/person/clothing")),
        (&json!(2), "áo xanh")
    );
    day.expect(posted("n-1", &["issued", "updated"])).await?;

    // It expires, and then the place turns out to have been wrong.
    day.at("10:00").await?;
    day.expect(state(&an, alert, "expired")).await?;
    day.at("11:00").await?;
    let wrong = json!({ "person": { "clothing": null } });
    let corrected = day.act(&an, alert, "correct", &wrong).await?.expect(200)?;
    assert_eq!((corrected.text_at("/state"), corrected.at("/revision")), ("expired", &json!(4)));
    for id in ["g-1", "n-1"] {
        day.expect(posted(id, &["issued", "updated", "expired", "corrected"])).await?;
    }
    day.expect(quiet("far")).await?;
    let late = day.act(&an, alert, "update", &right).await?.expect(409)?;
    assert_eq!(late.problem()?.code, "closed");
    day.ends().await
}
