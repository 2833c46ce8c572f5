//! Trung Lương, February 2024: a child was found on the La Giang dyke. The report names no
//! family; the neighbours on both banks, and so of two provinces, are asked.

use acceptance::{
    Timeline,
    asked::{with, without},
    delivery, group,
    maps::TRUNG_LUONG,
    posted, quiet,
};
use anyhow::Result;
use serde_json::{Value, json};
use support::Reply;

const HERE: &str = "18121";
/// 18052 lies in Nghệ An, the others in Hà Tĩnh.
const NEIGHBOURS: [&str; 6] = ["18052", "18124", "18235", "18253", "18397", "18400"];
const REFUSES: &str = "18253";

fn answers(alert: &Value) -> Vec<(String, Value)> {
    let communes = alert.as_array().cloned().unwrap_or_default();
    let answer = |commune: &Value| {
        let code = commune.get("code")?.as_str()?.to_owned();
        Some((code, commune.get("answer")?.clone()))
    };
    communes.iter().filter_map(answer).collect()
}

#[tokio::test]
async fn a_refusal_stops_what_has_not_left_and_the_others_go_on() -> Result<()> {
    let mut day = Timeline::on("2024-02-19", TRUNG_LUONG).await?;
    day.groups(NEIGHBOURS.iter().map(|commune| group(&format!("n-{commune}"), commune))).await?;
    day.groups([
        group("refusing-sick", REFUSES),
        group("refusing-gone", REFUSES),
        group("other-sick", "18400"),
    ])
    .await?;
    for path in ["/g/refusing-sick", "/g/other-sick"] {
        day.sink()?.answer(path, Reply::status(503));
    }
    day.sink()?.answer("/g/refusing-gone", Reply::status(410));
    let an = day.officer("an", HERE).await?;

    day.at("14:00").await?;
    let found = day.alert_of("found-child", HERE, "23:00")?;
    let found = with(&found, "/headline", json!("Tìm người thân của cháu bé"));
    let found = with(&found, "/last_seen", json!({ "place": "đê La Giang" }));
    let raised = day.raise(&an, &without(&found, "instruction")).await?.expect(201)?;
    let alert = raised.text_at("/id");
    for commune in NEIGHBOURS {
        day.expect(posted(&format!("n-{commune}"), &["issued"])).await?;
    }

    day.at("14:01").await?;
    for commune in NEIGHBOURS.iter().filter(|commune| **commune != REFUSES) {
        let officer = day.officer(&format!("officer-{commune}"), commune).await?;
        let answered = day.act(&officer, alert, "acknowledge", &json!({})).await?.expect(200)?;
        let own = answers(answered.at("/communes"));
        assert!(own.contains(&((*commune).to_owned(), json!("acknowledged"))), "{own:?}");
    }
    let tries = day.calls_to("refusing-sick").len();
    assert_eq!((tries, day.calls_to("other-sick").len()), (5, 5));
    let binh = day.officer("binh", REFUSES).await?;
    let note = json!({ "note": "Không thuộc địa bàn." });
    day.act(&binh, alert, "refuse", &note).await?.expect(200)?;
    let again = day.act(&binh, alert, "acknowledge", &json!({})).await?.expect(409)?;
    assert_eq!(again.problem()?.code, "already-refused");
    day.expect(delivery(&an, alert, ("refusing-sick", 1), Some("refused"))).await?;
    day.expect(delivery(&an, alert, (&format!("n-{REFUSES}"), 1), Some("delivered"))).await?;

    day.at("14:20").await?;
    day.expect(posted("refusing-sick", &["issued"; 5])).await?;
    assert!(day.calls_to("other-sick").len() > 5);
    let seen = answers(day.alert(&an, alert).await?.expect(200)?.at("/communes"));
    let answer = |commune: &str| seen.iter().find(|(code, _)| code == commune).map(|(_, a)| a);
    assert_eq!(answer(REFUSES), Some(&json!("refused")));
    assert_eq!(answer("18052"), Some(&json!("acknowledged")));
    assert_eq!(answer(HERE), Some(&Value::Null));

    // Whoever may have been told hears of the end, where it was refused too.
    for path in ["/g/refusing-sick", "/g/other-sick"] {
        day.sink()?.answer(path, Reply::status(204));
    }
    day.at("15:00").await?;
    day.act(&an, alert, "resolve", &json!({})).await?.expect(200)?;
    for commune in NEIGHBOURS {
        day.expect(posted(&format!("n-{commune}"), &["issued", "resolved"])).await?;
    }
    let told = |group: &str| day.calls_to(group).last().map(support::Call::news);
    assert_eq!(told("refusing-sick").as_deref(), Some("alert.resolved"));
    assert_eq!(told("other-sick").as_deref(), Some("alert.resolved"));
    day.expect(posted("refusing-gone", &["issued"])).await?;
    day.ends().await
}

#[tokio::test]
async fn a_province_answers_for_the_commune_it_names() -> Result<()> {
    let mut day = Timeline::on("2024-02-19", TRUNG_LUONG).await?;
    day.groups([group("g-1", HERE), group("far", "18127")]).await?;
    let an = day.officer("an", HERE).await?;
    let desk = day.province("truc", "42").await?;
    day.at("14:00").await?;
    let found = day.alert_of("found-child", HERE, "23:00")?;
    let raised = day.raise(&an, &found).await?.expect(201)?;
    let alert = raised.text_at("/id");
    let unnamed = day.act(&desk, alert, "acknowledge", &json!({})).await?.expect(400)?;
    assert_eq!(unnamed.problem()?.errors[0].0, "commune");
    for (commune, status) in [("18124", 200), ("18127", 404), ("18052", 404)] {
        let action = format!("acknowledge?commune={commune}");
        day.act(&desk, alert, &action, &json!({})).await?.expect(status)?;
    }
    day.expect(quiet("far")).await?;
    day.ends().await
}
