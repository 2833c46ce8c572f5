//! Reach: the ways to ask for communes, and a province that one commit cannot name.

use std::collections::BTreeSet;

use acceptance::{
    Timeline,
    asked::with,
    group,
    maps::{DA_TEH, chain},
    posted, quiet,
};
use anyhow::Result;
use domain::reach::COMMUNES_PER_COMMIT_MAX;
use serde_json::{Value, json};

const COMMUNES: u32 = 300;

fn code(n: u32) -> String {
    (50_000 + n).to_string()
}

fn codes(communes: &Value) -> BTreeSet<String> {
    let communes = communes.as_array().cloned().unwrap_or_default();
    communes.iter().filter_map(|commune| Some(commune.get("code")?.as_str()?.to_owned())).collect()
}

#[tokio::test]
async fn a_province_of_many_communes_follows_step_by_step() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", &chain(COMMUNES)).await?;
    let all: BTreeSet<String> = (1..=COMMUNES).map(code).collect();
    day.groups(all.iter().map(|commune| group(&format!("g-{commune}"), commune))).await?;
    let (an, auditor) = (
        day.officer("an", &code(150)).await?,
        day.person("khanh", domain::rights::Standing::Auditor).await?,
    );
    day.at("10:00").await?;
    let hazard = day.alert_of("hazard", &code(150), "20:00")?;
    let hazard = with(&hazard, "/reach", json!({ "mode": "province" }));
    let raised = day.raise_in_force(&an, &hazard).await?.expect(200)?;
    let alert = raised.text_at("/id");
    day.settle().await?;
    for commune in &all {
        day.expect(posted(&format!("g-{commune}"), &["issued"])).await?;
    }
    let seen = day.alert(&an, alert).await?.expect(200)?;
    assert_eq!(codes(seen.at("/communes")), all);
    assert_eq!(seen.at("/revision"), &json!(2));

    let records = day.records(&auditor, &format!("?alert={alert}")).await?;
    let named: Vec<usize> = records
        .iter()
        .filter(|line| matches!(line.kind.as_str(), "AlertIssued" | "AlertRelayedFurther"))
        .map(|line| codes_of(&line.data))
        .collect();
    let most = COMMUNES_PER_COMMIT_MAX;
    assert_eq!(named, [most, most, 300 - 2 * most]);

    day.at("11:00").await?;
    day.act(&an, alert, "cancel", &json!({})).await?.expect(200)?;
    for commune in &all {
        day.expect(posted(&format!("g-{commune}"), &["issued", "cancelled"])).await?;
    }
    day.ends().await
}

/// How many communes an event names.
fn codes_of(data: &Value) -> usize {
    data.get("communes").and_then(Value::as_array).map_or(0, Vec::len)
}

#[tokio::test]
async fn rings_and_names_reach_what_they_say() -> Result<()> {
    let mut day = Timeline::on("2021-12-14", DA_TEH).await?;
    let communes = ["25126", "25135", "25078", "25066", "26209"];
    day.groups(communes.iter().map(|commune| group(&format!("g-{commune}"), commune))).await?;
    let an = day.officer("an", "25126").await?;
    day.at("10:00").await?;
    let alert = day.alert_of("hazard", "25126", "20:00")?;
    for (reach, told) in [
        (json!({"mode": "rings", "rings": 0}), vec!["25126"]),
        (json!({"mode": "rings", "rings": 1}), vec!["25126", "25135"]),
        (json!({"mode": "rings", "rings": 2}), communes.to_vec()),
        (json!({"mode": "communes", "communes": ["26209"]}), vec!["25126", "26209"]),
    ] {
        let raised = day.raise_in_force(&an, &with(&alert, "/reach", reach.clone())).await?;
        day.settle().await?;
        let id = json!(raised.text_at("/id"));
        let of_this = |group: &str| {
            let calls = day.calls_to(group);
            calls.iter().filter(|call| call.json().pointer("/data/alert/id") == Some(&id)).count()
        };
        for commune in communes {
            let wanted = usize::from(told.contains(&commune));
            assert_eq!(of_this(&format!("g-{commune}")), wanted, "{commune} by {reach}");
        }
    }
    day.ends().await
}

#[tokio::test]
async fn a_commune_without_groups_and_an_alert_without_people_are_no_trouble() -> Result<()> {
    let mut day = Timeline::on("2021-12-14", DA_TEH).await?;
    day.groups([group("g-1", "25159")]).await?;
    let an = day.officer("an", "25126").await?;
    day.at("10:00").await?;
    let hazard = day.alert_of("hazard", "25126", "20:00")?;
    let raised = day.raise_in_force(&an, &hazard).await?.expect(200)?;
    day.at("10:01").await?;
    day.act(&an, raised.text_at("/id"), "cancel", &json!({})).await?.expect(200)?;
    day.expect(quiet("g-1")).await?;
    day.ends().await
}
