//! Nghệ An, 17 January 2026: somebody of 16 was on a north–south train, and was found at the
//! station of Vinh. The communes of the stations ahead are told before the train comes, no disc.

use std::collections::BTreeSet;

use acceptance::{Timeline, asked::with, group, maps::NORTH_SOUTH, posted, quiet};
use anyhow::Result;
use serde_json::json;
use support::Answer;

/// The ward of Thanh Hóa's station, and one beside it.
const HERE: &str = "14797";
const BESIDE: &str = "14758";
/// The communes of the stations of Bỉm Sơn, Chợ Sy and Vinh.
const BIM_SON: &str = "14818";
const CHO_SY: &str = "17464";
const VINH: &str = "16681";

fn told(answer: &Answer) -> BTreeSet<(String, String)> {
    let communes = answer.at("/communes").as_array().cloned().unwrap_or_default();
    let text =
        |one: &serde_json::Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    communes.iter().map(|one| (text(one, "code"), text(one, "reason"))).collect()
}

#[tokio::test]
async fn the_stations_ahead_are_told_in_time() -> Result<()> {
    let mut day = Timeline::on("2026-01-17", NORTH_SOUTH).await?;
    let all = [HERE, BESIDE, BIM_SON, CHO_SY, VINH];
    day.groups(all.iter().map(|commune| group(&format!("g-{commune}"), commune))).await?;
    let an = day.officer("an", HERE).await?;
    let binh = day.commander("binh", HERE).await?;
    day.at("08:10").await?;
    let missing = day.alert_of("missing-person", HERE, "2026-01-18 20:00")?;
    let missing = with(&missing, "/travel", json!("public-transport"));
    let missing = with(&missing, "/person/age", json!(16));
    let seen = json!({ "at": day.rfc3339("08:00")?, "lat": 19.802, "lon": 105.764 });
    let missing = with(&missing, "/last_seen", seen);
    let raised = day.raise(&an, &missing).await?.expect(202)?;
    let alert = raised.text_at("/id");
    let approved =
        day.act(&binh, alert, "approve", &json!({ "revision": 1 })).await?.expect(200)?;
    let near: BTreeSet<_> =
        [(HERE, "own"), (BESIDE, "border")].map(|(c, r)| (c.to_owned(), r.to_owned())).into();
    assert_eq!(told(&approved), near);
    // What comes next is seen before it comes: Bỉm Sơn is 36 minutes away.
    assert_eq!(approved.at("/next_widening/communes"), &json!([BIM_SON]));
    for (hour, commune) in [("08:35", BIM_SON), ("09:40", CHO_SY), ("10:30", VINH)] {
        day.expect(quiet(&format!("g-{commune}"))).await?;
        day.at(hour).await?;
        day.expect(posted(&format!("g-{commune}"), &["issued"])).await?;
    }
    let now = day.alert(&an, alert).await?.expect(200)?;
    assert!(told(&now).contains(&(VINH.to_owned(), "corridor".to_owned())), "{}", now.text);

    // Found at Vinh: everybody who was told hears of it.
    day.at("11:00").await?;
    day.act(&an, alert, "resolve", &json!({ "note": "Tìm thấy tại ga Vinh." }))
        .await?
        .expect(200)?;
    for commune in all {
        day.expect(posted(&format!("g-{commune}"), &["issued", "resolved"])).await?;
    }
    day.ends().await
}
