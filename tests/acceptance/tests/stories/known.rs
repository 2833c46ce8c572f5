//! As it was known: what a commune saw at a moment, told from the log alone.

use acceptance::{
    Person, Started, Timeline, asked::with, group, maps::HOANG_THINH, posted, timeline::WITHIN,
};
use anyhow::{Context, Result};
use domain::{rights::Standing, state_hash::StateHash};
use event_log::Held;
use serde_json::{Value, json};

const HERE: &str = "15958";
const NEIGHBOUR: &str = "15925";
const OTHER: &str = "15952";

/// What was known of a commune at a time of the day.
async fn known(day: &Timeline, auditor: &Person, query: &str, at: &str) -> Result<Value> {
    let at = day.rfc3339(at)?.replace('+', "%2B");
    let path = format!("/v1/audit/as-known?{query}&at={at}");
    day.audited().await?;
    Ok(day.get(auditor, &path).await?.expect(200)?.json)
}

fn one<'a>(of: &'a Value, list: &str, field: &str, value: &str) -> Result<&'a Value> {
    let all = of[list].as_array().with_context(|| format!("no {list} in {of}"))?;
    let found = all.iter().find(|one| one[field] == json!(value));
    found.with_context(|| format!("no {value} in {of}"))
}

#[tokio::test]
async fn what_a_commune_saw_and_what_it_could_not_know_yet() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    let hanging = day.hold(group("hangs", NEIGHBOUR)).await?;
    let drills = group("drills", NEIGHBOUR).exercises(true);
    day.groups([group("g-1", HERE), group("n-1", NEIGHBOUR), hanging, drills]).await?;
    let an = day.officer("an", HERE).await?;
    let binh = day.officer("binh", NEIGHBOUR).await?;
    let khanh = day.person("khanh", Standing::Auditor).await?;

    day.at("14:00").await?;
    let lost = with(
        &day.alert_of("lost-child", HERE, "20:00")?,
        "/reach",
        json!({ "mode": "communes", "communes": [NEIGHBOUR] }),
    );
    let raised = day.raise(&an, &lost).await?.expect(201)?;
    let alert = raised.text_at("/id").to_owned();
    day.holding("hangs")?.seen().wait_for(1, WITHIN).await?;
    day.expect(posted("n-1", &["issued"])).await?;
    day.at("14:05").await?;
    day.act(&binh, &alert, "acknowledge", &json!({})).await?.expect(200)?;
    day.at("14:08").await?;
    day.holding("hangs")?.release();
    day.settle().await?;
    day.at("14:10").await?;
    day.act(&an, &alert, "resolve", &json!({})).await?.expect(200)?;
    day.act(&an, &alert, "cancel", &json!({})).await?.expect(409)?;
    day.at("14:20").await?;

    // A minute before, there was nothing.
    let before = known(&day, &khanh, &format!("commune={NEIGHBOUR}"), "13:59").await?;
    assert_eq!(before["alerts"], json!([]));

    // At 14:03 it was there, unanswered, and one call was under way.
    let early = known(&day, &khanh, &format!("commune={NEIGHBOUR}"), "14:03").await?;
    let seen = one(&early, "alerts", "id", &alert)?;
    assert_eq!((&seen["state"], &seen["revision"]), (&json!("active"), &json!(1)));
    assert_eq!(seen["seen_as"], "relayed");
    let relay = one(seen, "relays", "commune", NEIGHBOUR)?;
    assert_eq!(relay["standing"], "relayed");
    assert_eq!(relay["later"]["answer"], "acknowledged");
    assert_eq!(seen["relays"].as_array().map(Vec::len), Some(1), "only its own");
    let hangs = one(seen, "deliveries", "group", "hangs")?;
    assert_eq!((&hangs["known"], &hangs["state"]), (&json!("sent"), &json!("planned")));
    let later = &hangs["later"];
    assert_eq!((&later["outcome"], &later["was_true"]), (&json!("delivered"), &json!(false)));
    let told = one(seen, "deliveries", "group", "n-1")?;
    assert_eq!(told["known"], "arrived");
    assert!(seen["words"].as_array().is_some_and(|words| words.contains(&json!("headline"))));
    assert!(!early.to_string().contains("đi lạc"), "words stand in the audit");

    // At 14:09 it had answered, and all had arrived.
    let late = known(&day, &khanh, &format!("commune={NEIGHBOUR}"), "14:09").await?;
    let seen = one(&late, "alerts", "id", &alert)?;
    assert_eq!(one(seen, "relays", "commune", NEIGHBOUR)?["standing"], "acknowledged");
    assert_eq!(one(seen, "deliveries", "group", "hangs")?["known"], "arrived");

    // Who raised it sees all communes, and what was refused.
    let own = known(&day, &khanh, &format!("commune={HERE}"), "14:15").await?;
    let seen = one(&own, "alerts", "id", &alert)?;
    assert_eq!((&seen["seen_as"], &seen["state"]), (&json!("own"), &json!("resolved")));
    assert!(one(seen, "relays", "commune", NEIGHBOUR).is_ok(), "{seen}");
    let refused = one(&own, "refused", "asked", "CancelAlert")?;
    assert_eq!(
        (&refused["by"], &refused["entity"]),
        (&json!("an"), &json!(format!("alert-{alert}")))
    );
    // A third commune saw nothing at all.
    let third = known(&day, &khanh, &format!("commune={OTHER}"), "14:15").await?;
    assert_eq!((&third["alerts"], &third["refused"]), (&json!([]), &json!([])));
    day.ends().await
}

#[tokio::test]
async fn what_was_kept_back_refused_and_filtered_is_said() -> Result<()> {
    let mut day = Timeline::governed(("2025-04-13", HOANG_THINH, ""), Started::All).await?;
    let takes_part = group("drills", HERE).exercises(true);
    day.groups([group("g-1", HERE), takes_part, group("q-1", OTHER), group("r-1", NEIGHBOUR)])
        .await?;
    let an = day.officer("an", HERE).await?;
    let binh = day.officer("binh", NEIGHBOUR).await?;
    let khanh = day.person("khanh", Standing::Auditor).await?;

    // A notice at night waits, and a commune refuses it meanwhile.
    day.at("22:30").await?;
    let reach = json!({ "mode": "communes", "communes": [OTHER, NEIGHBOUR] });
    let notice = with(&day.alert_of("notice", HERE, "2025-04-14 23:00")?, "/reach", reach);
    let raised = day.raise_in_force(&an, &notice).await?;
    let alert = raised.text_at("/id").to_owned();
    day.settle().await?;
    day.at("22:40").await?;
    day.act(&binh, &alert, "refuse", &json!({ "note": "Không phải địa bàn." }))
        .await?
        .expect(200)?;
    day.at("22:45").await?;
    let exercise = with(&day.alert_of("hazard", HERE, "23:30")?, "/status", json!("exercise"));
    let exercise = with(&exercise, "/reach", json!({ "mode": "rings", "rings": 0 }));
    let drill = day.raise_in_force(&an, &exercise).await?.text_at("/id").to_owned();
    day.at("2025-04-14 07:00").await?;

    let quiet = known(&day, &khanh, &format!("commune={OTHER}"), "22:35").await?;
    let seen = one(&quiet, "alerts", "id", &alert)?;
    let waits = one(seen, "deliveries", "group", "q-1")?;
    assert_eq!((&waits["known"], &waits["state"]), (&json!("not-sent"), &json!("quiet-hours")));
    assert!(waits["next_attempt_at"].is_string(), "{waits}");
    assert_eq!(waits["later"]["outcome"], "delivered");
    assert_eq!(seen["counts"]["not_sent"], 1);

    let refused = known(&day, &khanh, &format!("commune={NEIGHBOUR}"), "22:50").await?;
    let seen = one(&refused, "alerts", "id", &alert)?;
    assert_eq!(one(seen, "relays", "commune", NEIGHBOUR)?["standing"], "refused");
    let stopped = one(seen, "deliveries", "group", "r-1")?;
    assert_eq!((&stopped["state"], &stopped["known"]), (&json!("refused"), &json!("not-sent")));

    let filtered = known(&day, &khanh, &format!("alert={drill}"), "22:50").await?;
    let seen = one(&filtered, "alerts", "id", &drill)?;
    assert_eq!((&seen["seen_as"], &seen["status"]), (&json!("asked"), &json!("exercise")));
    assert_eq!(one(seen, "withheld", "group", "g-1")?["why"], "gate");
    assert_eq!(one(seen, "deliveries", "group", "drills")?["known"], "arrived");

    let morning = known(&day, &khanh, &format!("commune={OTHER}"), "2025-04-14 06:30").await?;
    let seen = one(&morning, "alerts", "id", &alert)?;
    assert_eq!(one(seen, "deliveries", "group", "q-1")?["known"], "arrived");
    day.ends().await
}

#[tokio::test]
async fn what_was_on_hold_and_what_was_superseded_is_said() -> Result<()> {
    let mut day = Timeline::governed(("2025-04-13", HOANG_THINH, ""), Started::All).await?;
    day.groups([group("g-1", HERE), group("q-1", OTHER)]).await?;
    let an = day.officer("an", HERE).await?;
    let khanh = day.person("khanh", Standing::Auditor).await?;

    // A notice at night waits, is kept back, let go, and changed before anybody was told.
    day.at("22:30").await?;
    let reach = json!({ "mode": "communes", "communes": [OTHER] });
    let notice = with(&day.alert_of("notice", HERE, "2025-04-14 23:00")?, "/reach", reach);
    let alert = day.raise_in_force(&an, &notice).await?.text_at("/id").to_owned();
    day.at("22:40").await?;
    day.act(&an, &alert, "hold", &json!({})).await?.expect(200)?;
    day.at("22:45").await?;
    day.groups([group("late", OTHER)]).await?;
    day.at("22:50").await?;
    day.act(&an, &alert, "release", &json!({})).await?.expect(200)?;
    day.at("23:00").await?;
    let changed = day.act(&an, &alert, "update", &json!({ "description": "Đổi." })).await?;
    assert_eq!(changed.expect(200)?.at("/pending/revision"), &json!(4));
    let second = day.commander("second", HERE).await?;
    day.act(&second, &alert, "approve", &json!({ "revision": 4 })).await?.expect(200)?;
    day.at("2025-04-14 07:00").await?;

    // State and knowledge of each revision that was planned for the group by then.
    let told = |seen: &Value| -> Vec<(u64, String)> {
        let all = seen["deliveries"].as_array().into_iter().flatten();
        let of_group = all.filter(|one| one["group"] == json!("q-1"));
        let said = |one: &Value| {
            let revision = one["revision"].as_u64().unwrap_or_default();
            (revision, format!("{} {}", one["state"], one["known"]).replace('"', ""))
        };
        of_group.map(said).collect()
    };
    let waits = |revision| (revision, "quiet-hours not-sent".to_owned());
    let held = (2, "on-hold not-sent".to_owned());
    let night = known(&day, &khanh, &format!("commune={OTHER}"), "22:35").await?;
    let seen = one(&night, "alerts", "id", &alert)?;
    assert_eq!((&seen["on_hold"], told(seen)), (&json!(false), vec![waits(2)]));

    let kept = known(&day, &khanh, &format!("commune={OTHER}"), "22:47").await?;
    let seen = one(&kept, "alerts", "id", &alert)?;
    assert_eq!((&seen["on_hold"], &seen["state"]), (&json!(true), &json!("active")));
    assert_eq!(told(seen), std::slice::from_ref(&held));
    assert_eq!(one(seen, "withheld", "group", "late")?["why"], "on-hold");

    let released = known(&day, &khanh, &format!("commune={OTHER}"), "22:55").await?;
    let seen = one(&released, "alerts", "id", &alert)?;
    assert_eq!((&seen["on_hold"], told(seen)), (&json!(false), vec![held.clone(), waits(3)]));

    let changed = known(&day, &khanh, &format!("commune={OTHER}"), "23:10").await?;
    let seen = one(&changed, "alerts", "id", &alert)?;
    let over = (3, "superseded not-sent".to_owned());
    assert_eq!(told(seen), [held, over, waits(4)]);
    day.ends().await
}

#[tokio::test]
async fn it_is_asked_by_auditors_and_of_the_past() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("g-1", HERE)]).await?;
    let an = day.officer("an", HERE).await?;
    let khanh = day.person("khanh", Standing::Auditor).await?;
    day.at("10:00").await?;
    let at = "2025-04-13T02:00:00Z";
    for (query, field) in [
        ("commune=15958".to_owned(), "at"),
        (format!("at={at}"), "commune"),
        (format!("at={at}&commune=1"), "commune"),
        (format!("at={at}&alert=x"), "alert"),
        ("at=yesterday&commune=15958".to_owned(), "at"),
        ("at=2025-04-13T09:00:00Z&commune=15958".to_owned(), "at"),
        (format!("at={at}&commune=15958&colour=red"), "colour"),
    ] {
        let wrong = day.get(&khanh, &format!("/v1/audit/as-known?{query}")).await?.expect(400)?;
        let problem = wrong.problem()?;
        assert_eq!(
            (problem.code.as_str(), problem.errors[0].0.as_str()),
            ("invalid-fields", field)
        );
    }
    let path = format!("/v1/audit/as-known?commune={HERE}&at={at}");
    day.get(&an, &path).await?.expect(403)?;
    day.get(&Person::with_token("nobody"), &path).await?.expect(401)?;
    day.get(&khanh, &path).await?.expect(200)?;
    day.ends().await
}

#[tokio::test]
async fn what_the_services_hold_is_compared_with_the_log() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("g-1", HERE), group("n-1", NEIGHBOUR)]).await?;
    let an = day.officer("an", HERE).await?;
    let binh = day.officer("binh", NEIGHBOUR).await?;
    let khanh = day.person("khanh", Standing::Auditor).await?;
    day.at("10:00").await?;
    let raised = day.raise(&an, &day.alert_of("lost-child", HERE, "20:00")?).await?.expect(201)?;
    let alert = raised.text_at("/id");
    day.at("10:01").await?;
    day.act(&binh, alert, "acknowledge", &json!({})).await?.expect(200)?;
    day.settle().await?;
    let check = day.get(&khanh, "/v1/audit/state").await?.expect(200)?.json;
    assert_eq!((&check["same"], &check["differences"]), (&json!(true), &json!([])));
    for holder in ["directory", "intake", "alerting", "fan-out", "fan-out-books"] {
        let one = one(&check, "holders", "holder", holder)?;
        assert!(one["entities"].as_u64() > Some(0), "{one}");
        assert_eq!(one["live"], one["replayed"], "{holder}");
    }
    day.get(&an, "/v1/audit/state").await?.expect(403)?;

    // Somebody shows what no record says.
    let entity = domain::ids::EntityName::alert(alert.parse()?);
    let wrong = StateHash::of(&domain::alert::Alert::default());
    day.live_state().add("a-board-that-is-wrong", move || vec![Held::at(&entity, 1, wrong)]);
    let check = day.get(&khanh, "/v1/audit/state").await?.expect(200)?.json;
    assert_eq!((&check["same"], &check["different"]), (&json!(false), &json!(1)));
    let differs = &check["differences"][0];
    assert_eq!(differs["entity"], json!(format!("alert-{alert}")));
    assert_eq!(
        (&differs["holder"], &differs["why"]),
        (&json!("a-board-that-is-wrong"), &json!("state"))
    );
    let why = day.ends().await.err().map(|why| why.to_string()).unwrap_or_default();
    assert!(why.contains("live state is not what the log says"), "{why}");
    Ok(())
}
