//! Before anybody is told: who is on duty, who will be reached, what is missing, what will not
//! work; the same for the officer who sends and for the commander who approves.

use acceptance::{Timeline, asked::with, group, maps::HOANG_THINH, quiet};
use anyhow::{Context, Result, ensure};
use domain::{ids::Home, rights::Standing};
use serde_json::{Value, json};
use support::Reply;

const HERE: &str = "15958";
const NEIGHBOURS: [&str; 4] = ["15925", "15952", "15955", "15964"];

/// 13 April 2025 is a Sunday.
const STAFF: &str = r#"{"officer":"binh","name":"Trần Thị Bình","phone":"+84912345678"}
{"officer":"chi","name":"Lê Chi","email":"chi@xa.example.vn"}
{"officer":"dung","name":"Phạm Dũng","phone":"113"}
{"contact":"binh","commune":"15958","order":1,"role":"commander"}
{"contact":"chi","commune":"15958","order":2}
{"duty":"chi","commune":"15958","days":["sunday"],"from":"18:00","to":"06:00"}
{"contact":"dung","commune":"15925","order":1,"valid_to":"2025-04-14T00:00:00+07:00"}
"#;

async fn import(day: &Timeline, person: &acceptance::Person, key: &str) -> Result<u64> {
    let bytes = STAFF.as_bytes().to_vec();
    let answer = day.post_bytes(person, "/v1/officers", bytes, Some(key)).await?.expect(200)?;
    answer.at("/recorded").as_u64().context("no count")
}

/// Codes of the findings about a commune; of the sender where it is `None`.
fn findings(seen: &Value, commune: Option<&str>) -> Vec<String> {
    let all = seen.pointer("/findings").and_then(Value::as_array).cloned().unwrap_or_default();
    let of = |one: &&Value| one.get("commune").and_then(Value::as_str) == commune;
    let code = |one: &Value| one.get("code").and_then(Value::as_str).unwrap_or("?").to_owned();
    all.iter().filter(of).map(code).collect()
}

async fn town(day: &mut Timeline) -> Result<()> {
    day.groups((1..=3).map(|n| group(&format!("g-{n}"), HERE).members(100))).await?;
    day.groups(NEIGHBOURS.iter().take(2).map(|code| group(&format!("n-{code}"), code))).await
}

#[tokio::test]
async fn staff_is_recorded_once_sealed_and_dated() -> Result<()> {
    let day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    let admin = day.person("quan-tri", Standing::Admin).await?;
    let auditor = day.person("khanh", Standing::Auditor).await?;
    let an = day.officer("an", HERE).await?;
    day.at("10:00").await?;
    assert_eq!(import(&day, &admin, "k-1").await?, 5);
    assert_eq!(import(&day, &admin, "k-2").await?, 0);
    day.post_bytes(&an, "/v1/officers", STAFF.into(), Some("k")).await?.expect(403)?;
    let wrong = br#"{"officer":"x","name":"X"}"#.to_vec();
    let refused = day.post_bytes(&admin, "/v1/officers", wrong, Some("k")).await?.expect(400)?;
    assert_eq!(refused.text_at("/errors/0/field"), "1:phone");

    let home = Home { province: "38".parse()?, commune: HERE.parse()? };
    let directory = day.directory();
    let second = |time: &str| -> Result<Option<String>> {
        let at = day.time(time)?;
        let directory = directory.read();
        Ok(directory.rosters().second_contact(home, at).map(|it| it.officer.to_string()))
    };
    // Who is on duty is asked first: then the first contact becomes the second.
    assert_eq!(second("12:00")?.as_deref(), Some("chi"));
    assert_eq!(second("19:00")?.as_deref(), Some("binh"));
    assert_eq!(second("2025-04-14 05:59")?.as_deref(), Some("binh"));
    assert_eq!(second("2025-04-14 06:00")?.as_deref(), Some("chi"));

    let lines = day.records(&auditor, "").await?;
    for kind in ["RecordContact", "ContactRecorded", "RecordRoster", "RosterRecorded"] {
        assert!(lines.iter().any(|line| line.kind == kind), "{kind} is not replayed");
    }
    let adopted: Vec<&Value> =
        lines.iter().filter(|it| it.kind == "DirectoryAdopted").map(|it| &it.data).collect();
    assert_eq!(adopted.len(), 1);
    let all = serde_json::to_string(&lines.iter().map(|line| &line.data).collect::<Vec<_>>())?;
    for sealed in ["912345678", "Trần Thị Bình", "chi@xa"] {
        assert!(!all.contains(sealed), "{sealed} is in the log");
    }
    day.ends().await
}

#[tokio::test]
async fn the_officer_sees_who_is_reached_and_what_will_not_work() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    town(&mut day).await?;
    let admin = day.person("quan-tri", Standing::Admin).await?;
    let (an, far) = (day.officer("an", HERE).await?, day.officer("xa", "15925").await?);
    import(&day, &admin, "k").await?;
    day.at("19:00").await?;
    let lost = day.alert_of("lost-child", HERE, "2025-04-14 17:30")?;
    day.post(&far, "/v1/preflight", &lost).await?.expect(403)?;
    day.post(&an, "/v1/preflight", &with(&lost, "/headline", json!(""))).await?.expect(400)?;
    day.settle().await?;
    let before = day.records_written();
    let seen = day.post(&an, "/v1/preflight", &lost).await?.expect(200)?;
    assert_eq!(day.records_written(), before, "a preflight wrote something");

    assert_eq!(seen.at("/counts/communes"), &json!(5));
    assert_eq!(seen.at("/counts/groups"), &json!(5));
    assert_eq!(seen.at("/counts/communes_on_duty"), &json!(1));
    assert_eq!(seen.text_at("/second_person"), "reviews");
    assert_eq!(seen.text_at("/communes/0/reason"), "own");
    assert_eq!(seen.at("/communes/0/people"), &json!(300));
    assert_eq!(seen.at("/communes/0/on_duty"), &json!(true));
    assert_eq!(seen.at("/figures/bordering_only"), &json!(true));
    let missing = seen.at("/checklist/missing").as_array().context("a checklist")?;
    assert!(!missing.is_empty(), "{}", seen.text);
    assert_eq!(seen.at("/fatigue/highest_in_week"), &json!(1));

    assert_eq!(findings(&seen.json, Some(HERE)), ["never-drilled"]);
    assert_eq!(findings(&seen.json, Some("15925")), ["nobody-on-duty", "never-drilled"]);
    assert_eq!(findings(&seen.json, Some("15955")), ["nobody-answers", "no-groups"]);
    assert_eq!(findings(&seen.json, None), ["no-recent-drill"]);
    day.expect(quiet("g-1")).await?;

    // A drill answered, and a group that is gone, change what is seen.
    day.sink()?.answer("/g/n-15952", Reply::status(410));
    let drill = with(&lost, "/status", json!("exercise"));
    let raised = day.raise(&an, &drill).await?.expect(201)?;
    let dung = day.officer("dung", "15925").await?;
    day.act(&dung, raised.text_at("/id"), "acknowledge", &json!({})).await?.expect(200)?;
    let real = day.raise(&an, &with(&lost, "/reach", json!({"mode":"rings","rings":1}))).await?;
    ensure!(real.status == 201, "{}", real.text);
    day.at("19:10").await?;
    let seen = day.post(&an, "/v1/preflight", &lost).await?.expect(200)?;
    assert_eq!(findings(&seen.json, Some("15925")), ["nobody-on-duty"]);
    assert_eq!(findings(&seen.json, Some("15952")), ["nobody-answers", "no-channel"]);
    assert!(findings(&seen.json, None).is_empty());
    assert_eq!(seen.at("/fatigue/highest_in_week"), &json!(2));
    day.ends().await
}

#[tokio::test]
async fn the_approver_sees_the_same_counts_bound_to_the_revision() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    town(&mut day).await?;
    let (an, binh) = (day.officer("an", HERE).await?, day.commander("binh", HERE).await?);
    let (far, province) = (day.officer("xa", "15925").await?, day.province("em", "38").await?);
    day.at("19:00").await?;
    let missing = day.alert_of("missing-person", HERE, "2025-04-14 17:30")?;
    let seen = day.post(&an, "/v1/preflight", &missing).await?.expect(200)?;
    assert_eq!(seen.text_at("/second_person"), "approves");
    let raised = day.raise(&an, &missing).await?.expect(202)?;
    let path = format!("/v1/alerts/{}/preflight", raised.text_at("/id"));
    for who in [&binh, &province] {
        let waits = day.get(who, &path).await?.expect(200)?;
        assert_eq!(waits.at("/counts"), seen.at("/counts"));
        assert_eq!(waits.at("/communes"), seen.at("/communes"));
        assert_eq!(waits.at("/checklist"), seen.at("/checklist"));
        assert_eq!(waits.at("/revision"), raised.at("/revision"));
        assert_eq!(findings(&waits.json, None), ["no-recent-drill"]);
    }
    day.get(&far, &path).await?.expect(404)?;
    let revision = json!({ "revision": raised.at("/revision") });
    day.act(&binh, raised.text_at("/id"), "approve", &revision).await?.expect(200)?;
    let over = day.get(&binh, &path).await?.expect(409)?.problem()?;
    assert_eq!(over.code, "not-awaiting-approval");
    day.ends().await
}

#[tokio::test]
async fn an_installation_is_fit_or_says_why_not() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    let admin = day.person("quan-tri", Standing::Admin).await?;
    let an = day.officer("an", HERE).await?;
    day.at("12:00").await?;
    day.get(&an, "/v1/preflight").await?.expect(403)?;
    let seen = day.get(&admin, "/v1/preflight").await?.expect(200)?;
    assert_eq!((seen.at("/fit"), seen.text_at("/against/0/code")), (&json!(false), "no-groups"));

    day.groups([group("g-1", HERE)]).await?;
    let seen = day.get(&admin, "/v1/preflight").await?.expect(200)?;
    assert_eq!(seen.at("/fit"), &json!(false));
    assert_eq!(findings(&seen.json, Some(HERE)), ["nobody-answers", "no-measured-drill"]);
    import(&day, &admin, "k").await?;
    let seen = day.get(&admin, "/v1/preflight").await?.expect(200)?;
    assert_eq!(seen.at("/fit"), &json!(true), "{}", seen.text);
    let found = findings(&seen.json, Some(HERE));
    assert_eq!(found, ["nobody-on-duty", "no-measured-drill", "never-drilled"]);
    assert_eq!(seen.at("/directory/version"), &json!(1));
    day.ends().await
}
