//! Đạ Tẻh, 14 December 2021: theft suspects fled from the town towards Mỹ Đức.

use std::collections::BTreeSet;

use acceptance::{Timeline, asked::with, group, maps::DA_TEH, posted, quiet, state, verified};
use anyhow::Result;
use serde_json::json;

/// The town, and the communes that border on it; Mỹ Đức is 25135, and 26119 lies in Đồng Nai.
const TOWN: &str = "25126";
const NEIGHBOURS: [&str; 6] = ["25129", "25132", "25135", "25138", "25153", "26119"];
/// Beyond: they border on a neighbour, and not on the town.
const BEYOND: [&str; 3] = ["25066", "25141", "26122"];

async fn morning() -> Result<Timeline> {
    let mut day = Timeline::on("2021-12-14", DA_TEH).await?;
    let communes = [TOWN].into_iter().chain(NEIGHBOURS).chain(BEYOND);
    let two = |commune: &str| {
        [group(&format!("a-{commune}"), commune), group(&format!("b-{commune}"), commune)]
    };
    day.groups(communes.flat_map(two)).await?;
    Ok(day)
}

#[tokio::test]
async fn suspects_wait_for_a_second_person_and_then_the_neighbours_are_told() -> Result<()> {
    let day = morning().await?;
    let an = day.officer("an", TOWN).await?;
    let colleague = day.officer("lan", TOWN).await?;
    let an_as_commander = day.commander("an", TOWN).await?;
    let binh = day.commander("binh", TOWN).await?;

    day.at("08:40").await?;
    let suspects = day.alert_of("suspect", TOWN, "20:00")?;
    let suspects = with(&suspects, "/travel", json!("motorbike"));
    let suspects = with(&suspects, "/last_seen/place", json!("thị trấn Đạ Tẻh, hướng Mỹ Đức"));
    let raised = day.raise(&an, &suspects).await?.expect(202)?;
    let alert = raised.text_at("/id").to_owned();
    assert_eq!(raised.text_at("/state"), "awaiting-approval");
    assert_eq!((raised.at("/revision"), raised.at("/communes")), (&json!(1), &json!([])));
    for commune in [TOWN].iter().chain(&NEIGHBOURS) {
        day.expect(quiet(&format!("a-{commune}"))).await?;
    }
    let nobody = day.officer("cuong", "25135").await?;
    assert_eq!(day.alert(&nobody, &alert).await?.problem()?.code, "not-found");

    day.at("08:50").await?;
    let one = json!({ "revision": 1 });
    for (person, code) in [(&an, "forbidden"), (&colleague, "forbidden")] {
        let refused = day.act(person, &alert, "approve", &one).await?.expect(403)?;
        assert_eq!(refused.problem()?.code, code);
    }
    let same = day.act(&an_as_commander, &alert, "approve", &one).await?.expect(403)?;
    assert_eq!(same.problem()?.code, "same-person");
    let other = day.act(&binh, &alert, "approve", &json!({ "revision": 2 })).await?.expect(409)?;
    assert_eq!(other.problem()?.code, "stale-revision");
    assert!(day.calls().is_empty());
    day.expect(state(&an, &alert, "awaiting-approval")).await?;

    day.at("08:52").await?;
    let approved = day.act(&binh, &alert, "approve", &one).await?.expect(200)?;
    assert_eq!((approved.text_at("/state"), approved.at("/revision")), ("active", &json!(2)));
    let told = approved.at("/communes").as_array().cloned().unwrap_or_default();
    let told: BTreeSet<(&str, &str)> = told
        .iter()
        .filter_map(|told| Some((told.get("code")?.as_str()?, told.get("reason")?.as_str()?)))
        .collect();
    let border = NEIGHBOURS.iter().map(|code| (*code, "border"));
    assert_eq!(told, border.chain([(TOWN, "own")]).collect());
    for commune in [TOWN].iter().chain(&NEIGHBOURS) {
        day.expect(posted(&format!("a-{commune}"), &["issued"])).await?;
        day.expect(posted(&format!("b-{commune}"), &["issued"])).await?;
    }
    for commune in BEYOND {
        day.expect(quiet(&format!("a-{commune}"))).await?;
    }
    day.expect(state(&nobody, &alert, "active")).await?;
    day.expect(verified(approved.text_at("/code"), "live", "active")).await?;

    // The same approval again changes nothing, and nobody is told twice.
    day.at("09:30").await?;
    day.act(&binh, &alert, "approve", &one).await?.expect(200)?;
    day.expect(posted(&format!("a-{TOWN}"), &["issued"])).await?;
    day.ends().await
}

#[tokio::test]
async fn an_approval_that_never_comes_ends_with_the_expiry_and_nobody_is_told() -> Result<()> {
    let day = morning().await?;
    let an = day.officer("an", TOWN).await?;
    let binh = day.commander("binh", TOWN).await?;
    day.at("08:40").await?;
    let suspects = day.alert_of("suspect", TOWN, "12:00")?;
    let raised = day.raise(&an, &suspects).await?.expect(202)?;
    let alert = raised.text_at("/id");
    day.at("12:00").await?;
    day.expect(state(&an, alert, "expired")).await?;
    let late = day.act(&binh, alert, "approve", &json!({ "revision": 1 })).await?.expect(409)?;
    assert_eq!(late.problem()?.code, "not-awaiting-approval");
    day.at("20:00").await?;
    assert!(day.calls().is_empty());
    // What was never in force cannot be verified.
    let code = raised.text_at("/code");
    day.get(&an, &format!("/v1/verify/{code}")).await?.expect(404)?;
    day.ends().await
}
