//! An exercise never reaches the public: only officers, and groups that take part in drills.

use acceptance::{
    Group, Timeline, asked::with, delivery, group, maps::HOANG_THINH, posted, quiet, verified,
};
use anyhow::Result;
use domain::values::{AlertKind, GroupKind};
use serde_json::json;
use support::Reply;

const HERE: &str = "15958";

/// A group of every kind, with and without drills.
fn every_group() -> Vec<(Group, bool)> {
    let kinds = GroupKind::ALL.iter().flat_map(|kind| [(*kind, false), (*kind, true)]);
    let groups = kinds.map(|(kind, exercises)| {
        let id = format!("{}-{exercises}", kind.as_str());
        let told = exercises || kind == GroupKind::Officers;
        (group(&id, HERE).kind(kind.as_str()).exercises(exercises), told)
    });
    groups.collect()
}

#[tokio::test]
async fn of_every_kind_of_group_only_those_that_may_are_told() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    let groups = every_group();
    day.groups(groups.iter().map(|(group, _)| group.clone())).await?;
    let an = day.officer("an", HERE).await?;
    let binh = day.commander("binh", HERE).await?;
    day.at("08:00").await?;
    let mut drills = Vec::new();
    for status in ["exercise", "test"] {
        for kind in AlertKind::ALL {
            let drill =
                with(&day.alert_of(kind.as_str(), HERE, "12:00")?, "/status", json!(status));
            let raised = day.raise(&an, &drill).await?;
            let alert = raised.text_at("/id").to_owned();
            if raised.text_at("/state") == "awaiting-approval" {
                day.act(&binh, &alert, "approve", &json!({ "revision": 1 })).await?.expect(200)?;
            }
            day.expect(verified(raised.text_at("/code"), "exercise", "active")).await?;
            drills.push(alert);
        }
    }
    let issued = vec!["issued"; drills.len()];
    for (group, told) in &groups {
        let expected = if *told { posted(&group.id, &issued) } else { quiet(&group.id) };
        day.expect(expected).await?;
    }
    for call in day.calls() {
        let headline = call.json().pointer("/data/alert/headline").cloned().unwrap_or_default();
        let marked =
            |line: &str| line.starts_with("[DIỄN TẬP") || line.starts_with("[THỬ KỸ THUẬT");
        assert!(headline.as_str().is_some_and(marked), "{headline}");
    }

    // The ends of drills go where the drills went, however they end.
    day.at("09:00").await?;
    for alert in drills.iter().step_by(2) {
        day.act(&an, alert, "cancel", &json!({})).await?.expect(200)?;
    }
    day.at("12:30").await?;
    for (group, told) in &groups {
        let calls = day.calls_to(&group.id).len();
        assert_eq!(calls, if *told { 2 * drills.len() } else { 0 }, "{}", group.id);
    }
    day.ends().await
}

#[tokio::test]
async fn the_real_thing_reaches_all_of_them() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    let groups = every_group();
    day.groups(groups.iter().map(|(group, _)| group.clone())).await?;
    let an = day.officer("an", HERE).await?;
    day.at("08:00").await?;
    let raised = day.raise(&an, &day.alert_of("lost-child", HERE, "12:00")?).await?.expect(201)?;
    for (group, _) in &groups {
        day.expect(posted(&group.id, &["issued"])).await?;
    }
    day.expect(verified(raised.text_at("/code"), "live", "active")).await?;
    day.ends().await
}

#[tokio::test]
async fn who_leaves_the_drills_meanwhile_is_not_called_again() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    let hamlet = group("hamlet", HERE).exercises(true);
    day.groups([hamlet.clone()]).await?;
    day.sink()?.answer("/g/hamlet", Reply::status(500));
    let an = day.officer("an", HERE).await?;
    day.at("08:00").await?;
    let drill = with(&day.alert_of("lost-child", HERE, "12:00")?, "/status", json!("exercise"));
    let raised = day.raise(&an, &drill).await?.expect(201)?;
    day.at("08:01").await?;
    let tries = day.calls_to("hamlet").len();
    day.groups([hamlet.exercises(false)]).await?;
    day.at("11:00").await?;
    day.expect(delivery(&an, raised.text_at("/id"), ("hamlet", 1), Some("gate"))).await?;
    assert_eq!(day.calls_to("hamlet").len(), tries);
    day.ends().await
}
