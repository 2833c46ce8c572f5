//! Policies: a neighbour's groups hear of a notice once the neighbour has acknowledged it, and of
//! a lost child at once, whatever is set.

use acceptance::{
    Person, Started, Timeline, asked::with, delivery, group, ledger::Ledger, maps::HOANG_THINH,
    posted, quiet,
};
use anyhow::{Context, Result, ensure};
use domain::rights::Standing;
use serde_json::{Value, json};

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

#[tokio::test]
async fn a_notice_waits_for_the_morning_and_what_sets_right_does_not() -> Result<()> {
    let policies = r#"
[commune."15958"]
quiet-hours = { from = "23:00", until = "05:00" }
"#;
    let mut day = Timeline::governed(("2025-04-13", HOANG_THINH, policies), Started::All).await?;
    day.groups([group("g-1", HERE), group("q-1", OTHER)]).await?;
    let an = day.officer("an", HERE).await?;
    let night = async |expires: &str, kind: &str| -> Result<String> {
        let reach = json!({ "mode": "communes", "communes": [OTHER] });
        let asked = with(&day.alert_of(kind, HERE, expires)?, "/reach", reach);
        let raised = day.raise_in_force(&an, &asked).await?;
        Ok(raised.text_at("/id").to_owned())
    };
    day.at("22:30").await?;
    let notice = night("2025-04-14 23:00", "notice").await?;
    // It is quiet in the one commune, as everywhere, and not yet in the other.
    day.expect(posted("g-1", &["issued"])).await?;
    day.expect(delivery(&an, &notice, ("q-1", 2), Some("quiet-hours"))).await?;
    let over_by_dawn = night("2025-04-14 05:00", "notice").await?;
    let child = night("2025-04-14 20:00", "lost-child").await?;
    day.expect(posted("q-1", &["issued"])).await?;
    day.at("2025-04-14 05:59").await?;
    assert_eq!(day.calls_to("q-1").len(), 1, "the lost child's alone");
    day.at("2025-04-14 06:01").await?;
    day.expect(delivery(&an, &notice, ("q-1", 2), Some("delivered"))).await?;
    day.expect(delivery(&an, &child, ("q-1", 1), Some("delivered"))).await?;
    // What has passed by then is never told late.
    day.expect(delivery(&an, &over_by_dawn, ("q-1", 2), Some("superseded"))).await?;
    assert_eq!(day.calls_to("q-1").len(), 2);

    day.at("2025-04-14 22:10").await?;
    day.act(&an, &notice, "cancel", &json!({})).await?.expect(200)?;
    day.expect(delivery(&an, &notice, ("q-1", 3), Some("delivered"))).await?;
    day.ends().await
}

#[tokio::test]
async fn who_is_told_more_often_than_the_budget_has_is_recorded() -> Result<()> {
    let policies = "[installation]\nfatigue = { alerts-per-day-max = 1, alerts-per-week-max = 2 }";
    let mut day = Timeline::governed(("2025-04-13", HOANG_THINH, policies), Started::All).await?;
    day.groups([group("g-1", HERE), group("o-1", OTHER)]).await?;
    let an = day.officer("an", HERE).await?;
    let khanh = day.person("khanh", Standing::Auditor).await?;
    let mut alerts = Vec::new();
    for (at, then, reach) in [
        ("10:00", "10:01", vec![OTHER]),
        ("11:00", "11:01", vec![]),
        ("2025-04-14 12:00", "2025-04-14 12:01", vec![]),
    ] {
        day.at(at).await?;
        let asked = day.alert_of("lost-child", HERE, "2025-04-15 08:00")?;
        let communes = [&[HERE], &reach[..]].concat();
        let reach = json!({ "mode": "communes", "communes": communes });
        let raised = day.raise(&an, &with(&asked, "/reach", reach)).await?.expect(201)?;
        alerts.push(raised.text_at("/id").to_owned());
        day.at(then).await?;
        let noted = |ledger: &Ledger| {
            let lives = ledger.alerts().values().filter_map(|alert| alert.live());
            lives.filter(|live| live.exceeded.is_some()).count() + 1 == alerts.len()
        };
        day.until("each but the first is noted", noted).await?;
    }
    let mut recorded = Vec::new();
    for alert in &alerts {
        let lines = day.records(&khanh, &format!("?alert={alert}")).await?;
        let of = lines.into_iter().filter(|line| line.kind == "AlertBudgetExceeded");
        let figure = |data: &Value, name: &str| data["figures"][name].clone();
        let names = ["groups", "groups_over", "alerts_in_day", "alerts_in_week"];
        recorded
            .push(of.map(|line| names.map(|name| figure(&line.data, name))).collect::<Vec<_>>());
    }
    // The second in a day, and the third in a week; a lost child goes out all the same.
    let [first, second, third] = &recorded[..] else { anyhow::bail!("{recorded:?}") };
    assert_eq!(first, &Vec::<[Value; 4]>::new());
    assert_eq!(second, &[[1, 1, 2, 2].map(Value::from)]);
    assert_eq!(third, &[[1, 1, 1, 3].map(Value::from)]);
    assert_eq!(day.calls_to("g-1").len(), 3);
    day.ends().await
}
