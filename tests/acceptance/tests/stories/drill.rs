//! A drill is measured by the real services, kept, and seen before the next real alert.

use std::sync::Arc;

use acceptance::{Group, Person, Timeline, asked::with, group, maps::HOANG_THINH, target::Down};
use anyhow::{Context, Result};
use domain::{
    drill::{ChannelReach, DrillResult},
    ids::{AlertId, EntityName, Home, RecordId},
    rights::{Asker, Standing},
};
use event_log::{EventLog, command::Draft};
use serde_json::{Value, json};
use support::Answer;
use wire::{
    actor::person,
    drill::result_said,
    v1::{RecordDrillResult, command::Body},
};

const HERE: &str = "15958";
const BESIDE: &str = "15925";

fn drilling(id: &str) -> Group {
    group(id, HERE).exercises(true)
}

/// An exercise among the commune's own groups.
async fn exercise(day: &Timeline, person: &Person, expires: &str) -> Result<String> {
    let alert = with(&day.alert_of("lost-child", HERE, expires)?, "/status", json!("exercise"));
    let alert = with(&alert, "/reach", json!({ "mode": "rings", "rings": 0 }));
    let raised = day.raise(person, &alert).await?.expect(201)?;
    Ok(raised.text_at("/id").to_owned())
}

async fn keep(day: &Timeline, person: &Person, alert: &str) -> Result<Answer> {
    day.post(person, "/v1/drills", &json!({ "alert": alert })).await
}

/// What preflight says of the commune's drills.
fn warnings(seen: &Answer) -> Vec<&str> {
    let all = seen.at("/findings").as_array().map(Vec::as_slice).unwrap_or_default();
    let codes = all.iter().filter_map(|one| one.get("code")?.as_str());
    codes.filter(|code| code.contains("drill") || *code == "channel-not-reached").collect()
}

/// Groups, reached, not reached, and those that take no part.
fn figures(of: &Value) -> [u64; 4] {
    ["groups", "reached", "not_reached", "not_taking_part"]
        .map(|name| of.get(name).and_then(Value::as_u64).unwrap_or(u64::MAX))
}

#[tokio::test]
async fn who_was_not_reached_is_kept_and_warned_of() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    let down = Down::new()?;
    day.groups([drilling("well"), drilling("also"), group("public", HERE)]).await?;
    day.groups([drilling("down").at(&down.base())]).await?;
    let admin = day.person("quan-tri", Standing::Admin).await?;
    let auditor = day.person("khanh", Standing::Auditor).await?;
    let (an, beside) = (day.officer("an", HERE).await?, day.officer("xa", BESIDE).await?);
    day.at("10:00").await?;
    let before = day.get(&admin, "/v1/preflight").await?.expect(200)?;
    assert_eq!(warnings(&before), ["no-measured-drill"]);
    assert_eq!(before.at("/drills"), &json!([]));

    let alert = exercise(&day, &an, "12:00").await?;
    day.at("10:00:01").await?;
    let path = format!("/v1/drills/{alert}");
    let seen = day.get(&an, &path).await?.expect(200)?;
    // One is tried again for as long as it goes on.
    assert_eq!(seen.at("/done"), &json!(false), "{}", seen.text);
    assert_eq!(figures(seen.at("/communes/0")), [3, 2, 1, 1]);
    let told = seen.at("/communes/0/told").as_array().context("the groups")?;
    let of = |id: &str| told.iter().find(|one| one["group"] == id).cloned().unwrap_or_default();
    assert_eq!(of("well")["reach"], "delivered");
    assert!(of("well")["ms"].as_u64().is_some_and(|ms| ms <= 1_000), "{}", seen.text);
    assert_eq!((&of("down")["reach"], &of("down")["ms"]), (&json!("not-reached"), &Value::Null));
    assert_eq!(of("down")["channels"][0]["trouble"], "connect");
    assert_eq!(of("public"), Value::Null);
    day.get(&beside, &path).await?.expect(404)?;
    keep(&day, &beside, &alert).await?.expect(404)?;
    keep(&day, &admin, &alert).await?.expect(403)?;

    // Who repeats the request is told what was kept then.
    let body = json!({ "alert": alert }).to_string().into_bytes();
    let kept = day.post_bytes(&an, "/v1/drills", body.clone(), Some("k")).await?.expect(201)?;
    assert_eq!(figures(&kept.json), [3, 2, 1, 1]);
    let again = day.post_bytes(&an, "/v1/drills", body.clone(), Some("k")).await?.expect(201)?;
    assert_eq!(again.json, kept.json);
    day.post_bytes(&an, "/v1/drills", body, None).await?.expect(400)?;
    let given = with(&json!({ "alert": alert }), "/groups", json!(9));
    day.post(&an, "/v1/drills", &given).await?.expect(400)?;
    day.act(&an, &alert, "resolve", &json!({})).await?.expect(200)?;

    let seen = day.get(&admin, "/v1/preflight").await?.expect(200)?;
    assert_eq!(warnings(&seen), ["drill-fell-short"]);
    assert_eq!(figures(seen.at("/drills/0")), [3, 2, 1, 1]);
    assert_eq!(seen.text_at("/drills/0/measured_by"), "an");
    assert_eq!(seen.at("/drills/0/channels/0/type"), &json!("webhook"));
    let own = day.get(&an, &format!("/v1/drills?commune={HERE}")).await?.expect(200)?;
    assert_eq!(own.at("/drills"), seen.at("/drills"));
    assert_eq!(day.get(&beside, "/v1/drills").await?.expect(200)?.at("/drills"), &json!([]));
    day.get(&beside, &format!("/v1/drills?commune={HERE}")).await?.expect(403)?;
    day.get(&auditor, "/v1/drills").await?.expect(403)?;

    let lines = day.records(&auditor, "").await?;
    let of = |kind: &str| lines.iter().filter(|line| line.kind == kind).count();
    assert_eq!([of("RecordDrillResult"), of("DrillMeasured")], [1, 1]);
    // Before a raise nobody is bothered with it.
    let lost = day.alert_of("lost-child", HERE, "20:00")?;
    let raise = day.post(&an, "/v1/preflight", &lost).await?.expect(200)?;
    assert!(warnings(&raise).is_empty(), "{}", raise.text);
    // A quarter of a year later it is too long ago.
    day.at("2025-07-14 10:00").await?;
    let seen = day.get(&admin, "/v1/preflight").await?.expect(200)?;
    assert_eq!(warnings(&seen), ["no-measured-drill", "drill-fell-short"]);
    day.ends().await
}

#[tokio::test]
async fn a_drill_that_reached_all_warns_of_nothing_and_an_older_one_takes_nothing_back()
-> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([drilling("a"), drilling("b")]).await?;
    let admin = day.person("quan-tri", Standing::Admin).await?;
    let (an, em) = (day.officer("an", HERE).await?, day.province("em", "38").await?);
    day.at("10:00").await?;
    let first = exercise(&day, &an, "12:00").await?;
    day.at("10:01").await?;
    let second = exercise(&day, &an, "12:00").await?;
    day.at("10:02").await?;
    let seen = day.get(&an, &format!("/v1/drills/{second}")).await?.expect(200)?;
    assert_eq!(seen.at("/done"), &json!(true), "{}", seen.text);
    // The province may run the drills of its communes.
    assert_eq!(figures(&keep(&day, &em, &second).await?.expect(201)?.json), [2, 2, 0, 0]);
    assert_eq!(keep(&day, &an, &first).await?.expect(409)?.problem()?.code, "later-drill");
    assert_eq!(warnings(&day.get(&admin, "/v1/preflight").await?.expect(200)?), [""; 0]);
    day.ends().await
}

#[tokio::test]
async fn what_is_no_drill_and_what_reached_nobody_is_not_kept() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("public", HERE)]).await?;
    let admin = day.person("quan-tri", Standing::Admin).await?;
    let an = day.officer("an", HERE).await?;
    day.at("10:00").await?;
    let real = day.raise(&an, &day.alert_of("lost-child", HERE, "12:00")?).await?.expect(201)?;
    let refused = keep(&day, &an, real.text_at("/id")).await?.expect(409)?;
    assert_eq!(refused.problem()?.code, "not-an-exercise");
    let path = format!("/v1/drills/{}", real.text_at("/id"));
    assert_eq!(day.get(&an, &path).await?.expect(409)?.problem()?.code, "not-an-exercise");
    let drill = exercise(&day, &an, "12:00").await?;
    day.at("10:01").await?;
    let refused = keep(&day, &an, &drill).await?.expect(409)?;
    assert_eq!(refused.problem()?.code, "nobody-took-part");
    let seen = day.get(&admin, "/v1/preflight").await?.expect(200)?;
    assert_eq!(warnings(&seen), ["no-measured-drill"]);
    day.ends().await
}

#[tokio::test]
async fn what_a_killed_intake_wrote_down_is_decided() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([drilling("a")]).await?;
    let admin = day.person("quan-tri", Standing::Admin).await?;
    day.at("10:00").await?;
    let home = Home { province: "38".parse()?, commune: HERE.parse()? };
    let result = DrillResult {
        alert: AlertId::raised_by(RecordId::of_purpose("drill")),
        commune: home.commune,
        raised_at: day.now(),
        groups: 1,
        groups_not_reached: 0,
        groups_apart: 0,
        channels: vec![ChannelReach {
            channel_type: Arc::from("webhook"),
            groups: 1,
            delivered: 1,
            accepted: 0,
            handed_over: 0,
            not_reached: 0,
            median_ms: Some(4),
            slowest_ms: Some(4),
        }],
    };
    let asker = Asker { officer: "an".parse()?, standing: Standing::Officer(home) };
    let draft = Draft {
        id: RecordId::of_purpose("left behind"),
        entity: EntityName::drill(home.commune),
        home,
        actor: person(&asker),
        at: day.now(),
        correlation: Default::default(),
        causation: Default::default(),
        valid_until: None,
        sealing: None,
        sealed_fields: vec![],
        body: Body::RecordDrillResult(RecordDrillResult { result: Some(result_said(&result)) }),
    };
    day.log().append(vec![draft.record()]).await?;
    day.settle().await?;
    // The directory reads on behind the log.
    let read = async {
        while day.directory().read().drills().last(home.commune).is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(acceptance::timeline::WITHIN, read).await?;
    let seen = day.get(&admin, "/v1/preflight").await?.expect(200)?;
    assert_eq!(figures(seen.at("/drills/0")), [1, 1, 0, 0]);
    day.ends().await
}
