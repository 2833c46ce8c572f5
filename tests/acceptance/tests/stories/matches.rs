//! Found and missing meet, and one incident of two communes: proposed, never done by itself.

use std::time::Instant;

use acceptance::{
    Person, Timeline,
    asked::{NAME, with},
    group,
    maps::TRUNG_LUONG,
    people::{Line, open_stream},
    posted,
    timeline::WITHIN,
};
use anyhow::{Context, Result, bail, ensure};
use domain::rights::Standing;
use serde_json::{Value, json};

/// Trung Lương, where the child was found on the La Giang dyke.
const HERE: &str = "18121";
/// Yên Hồ, downstream, borders on it; from where a child of that age is missing.
const THERE: &str = "18253";
/// Xuân Viên, ten kilometres away, borders on neither.
const FAR: &str = "18385";

/// A child of six, found or missing, by the dyke.
fn child(day: &Timeline, kind: &str, commune: &str, seen: &str) -> Result<Value> {
    let alert = day.alert_of(kind, commune, "2024-02-21 14:00")?;
    let alert = with(&alert, "/person/age", json!(6));
    let dyke = json!({
        "at": day.rfc3339(seen)?,
        "lat": 18.562,
        "lon": 105.667_89,
        "place": "đê La Giang",
    });
    Ok(with(&alert, "/last_seen", dyke))
}

async fn raised(day: &Timeline, person: &Person, alert: &Value) -> Result<String> {
    let raised = day.raise(person, alert).await?.expect(201)?;
    Ok(raised.text_at("/id").to_owned())
}

/// What this person's commune is asked, once all is quiet.
async fn asked(day: &Timeline, person: &Person, query: &str) -> Result<Vec<Value>> {
    day.settle().await?;
    let page = day.get(person, &format!("/v1/matches{query}")).await?.expect(200)?;
    ensure!(page.at("/next").is_null(), "more than one page");
    Ok(page.at("/matches").as_array().cloned().unwrap_or_default())
}

/// The one proposal that this person's commune is asked. Read models follow within a moment.
async fn asked_one(day: &Timeline, person: &Person) -> Result<Value> {
    let began = Instant::now();
    loop {
        let mut all = asked(day, person, "").await?;
        match (all.pop(), all.is_empty()) {
            (Some(one), true) => return Ok(one),
            (Some(_), false) => bail!("more than one: {all:?}"),
            (None, _) if began.elapsed() > WITHIN => bail!("nothing was proposed"),
            (None, _) => tokio::task::yield_now().await,
        }
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn side<'a>(proposal: &'a Value, commune: &str) -> Result<&'a Value> {
    let sides = proposal.pointer("/sides").and_then(Value::as_array).context("sides")?;
    sides.iter().find(|side| text(side, "/commune") == commune).context("a side")
}

async fn answer(
    day: &Timeline,
    person: &Person,
    proposal: &Value,
    (action, note): (&str, &str),
    status: u16,
) -> Result<support::Answer> {
    let path = format!("/v1/matches/{}/{action}", text(proposal, "/id"));
    day.post(person, &path, &json!({ "note": note })).await?.expect(status)
}

/// What an alert says of others, as this person reads it.
async fn related(day: &Timeline, person: &Person, alert: &str) -> Result<Value> {
    Ok(day.alert(person, alert).await?.expect(200)?.at("/related").clone())
}

#[tokio::test]
async fn a_child_found_on_the_dyke_meets_the_one_who_is_missing_there() -> Result<()> {
    let mut day = Timeline::on("2024-02-19", TRUNG_LUONG).await?;
    day.groups([group("g-1", HERE), group("g-2", THERE)]).await?;
    let an = day.officer("an", HERE).await?;
    let binh = day.officer("binh", THERE).await?;
    let em = day.officer("em", FAR).await?;
    let mut at_binh = open_stream(day.routes(), &binh, THERE, None).await?;
    day.at("14:00").await?;
    let found = raised(&day, &an, &child(&day, "found-child", HERE, "13:40")?).await?;
    assert_eq!(asked(&day, &an, "").await?, Vec::<Value>::new());
    day.at("14:20").await?;
    let lost = raised(&day, &binh, &child(&day, "lost-child", THERE, "12:30")?).await?;

    let proposal = asked_one(&day, &binh).await?;
    assert_eq!((text(&proposal, "/kind"), text(&proposal, "/state")), ("match", "open"));
    assert_eq!(proposal["score_per_mille"], json!(1000));
    let reasons = proposal["reasons"].as_array().context("reasons")?;
    let codes: Vec<&str> = reasons.iter().map(|reason| text(reason, "/code")).collect();
    assert_eq!(codes, ["apart", "later", "same-sex", "ages-apart"]);
    assert_eq!(text(&reasons[1], "/words"), "cách nhau 70 phút / 70 minutes apart");
    // Each was relayed to the other, and so both see both whole.
    for commune in [HERE, THERE] {
        assert_eq!(text(side(&proposal, commune)?, "/view"), "full");
        assert_eq!(text(side(&proposal, commune)?, "/alert/person/name"), NAME);
    }
    assert_eq!(asked_one(&day, &an).await?["id"], proposal["id"]);
    assert_eq!(asked(&day, &em, "").await?, Vec::<Value>::new());
    let told = at_binh.wait_for(WITHIN, |event| event.kind == "match").await?;
    assert_eq!(told.json()["id"], proposal["id"]);
    let other =
        |alert: &str, state: &str| json!([{ "alert": alert, "kind": "match", "state": state }]);
    assert_eq!(related(&day, &an, &found).await?, other(&lost, "open"));

    answer(&day, &em, &proposal, ("confirm", "x"), 404).await?;
    day.at("14:25").await?;
    let path = format!("/v1/matches/{}/confirm", text(&proposal, "/id"));
    let body = json!({ "note": "Mẹ cháu nhận ra." }).to_string().into_bytes();
    for _ in 0..2 {
        let said = day.post_bytes(&an, &path, body.clone(), Some("k-1")).await?.expect(200)?;
        assert_eq!(said.text_at("/state"), "confirmed");
        assert_eq!(text(side(&said.json, HERE)?, "/note"), "Mẹ cháu nhận ra.");
    }
    let told = at_binh.wait_for(WITHIN, |event| event.kind == "match").await?;
    assert_eq!(text(&told.json(), "/state"), "confirmed");
    assert_eq!(related(&day, &an, &found).await?, other(&lost, "confirmed"));
    assert_eq!(related(&day, &binh, &lost).await?, other(&found, "confirmed"));
    // Nothing closes by itself.
    assert_eq!(day.alert(&binh, &lost).await?.text_at("/state"), "active");
    assert_eq!(asked(&day, &an, "?state=confirmed").await?.len(), 1);
    assert_eq!(asked(&day, &an, "").await?, Vec::<Value>::new());
    day.act(&binh, &lost, "resolve", &json!({})).await?.expect(200)?;
    day.expect(posted("g-2", &["issued", "issued", "resolved"])).await?;
    replayed(&day, text(&proposal, "/id"), [&found, &lost]).await?;
    day.ends().await
}

/// The history of either alert holds the match's; nothing in it is personal.
async fn replayed(day: &Timeline, id: &str, alerts: [&str; 2]) -> Result<()> {
    let khanh = day.person("khanh", Standing::Auditor).await?;
    let wanted = [
        ("ProposeMatch", "service:alerting"),
        ("MatchProposed", "service:alerting"),
        ("ConfirmMatch", "an"),
        ("MatchConfirmed", "an"),
    ];
    let of_match = |lines: Vec<Line>| -> Vec<(String, String)> {
        let own = lines.into_iter().filter(|line| line.entity == id);
        own.map(|line| (line.kind, line.actor)).collect()
    };
    let wanted: Vec<(String, String)> =
        wanted.iter().map(|(kind, by)| ((*kind).to_owned(), (*by).to_owned())).collect();
    let queries = alerts.map(|alert| format!("?alert={alert}"));
    for query in queries.into_iter().chain([HERE, THERE].map(|c| format!("?commune={c}"))) {
        assert_eq!(of_match(day.records(&khanh, &query).await?), wanted, "{query}");
    }
    let text = day.get(&khanh, "/v1/audit/records").await?.text;
    assert!(!text.contains("Mẹ cháu") && !text.contains(NAME));
    Ok(())
}

#[tokio::test]
async fn one_incident_of_two_communes_is_merged_by_both() -> Result<()> {
    let day = Timeline::on("2024-02-19", TRUNG_LUONG).await?;
    let an = day.officer("an", HERE).await?;
    let binh = day.officer("binh", THERE).await?;
    let desk = day.province("dung", "42").await?;
    day.at("14:00").await?;
    let one = raised(&day, &an, &child(&day, "lost-child", HERE, "13:00")?).await?;
    let two = raised(&day, &binh, &child(&day, "lost-child", THERE, "13:30")?).await?;
    let proposal = asked_one(&day, &an).await?;
    assert_eq!(text(&proposal, "/kind"), "merge");
    let said = answer(&day, &an, &proposal, ("confirm", "Cùng một cháu."), 200).await?;
    assert_eq!(said.text_at("/state"), "open");
    assert_eq!(text(side(&said.json, HERE)?, "/answer"), "confirmed");
    assert!(side(&said.json, THERE)?["answer"].is_null());
    // The desk stands for both, and has to say for which; it is one person.
    let path = format!("/v1/matches/{}/confirm", text(&proposal, "/id"));
    let unnamed = day.post(&desk, &path, &json!({})).await?.expect(400)?;
    assert_eq!(unnamed.problem()?.errors[0].0, "commune");
    let named =
        day.post(&desk, &format!("{path}?commune={THERE}"), &json!({})).await?.expect(200)?;
    assert_eq!(named.text_at("/state"), "confirmed");
    let late = answer(&day, &binh, &proposal, ("dismiss", "Không."), 409).await?;
    assert_eq!(late.problem()?.code, "already-merged");
    let merged = |alert: &str| json!([{ "alert": alert, "kind": "merge", "state": "confirmed" }]);
    assert_eq!(related(&day, &an, &one).await?, merged(&two));
    assert_eq!(related(&day, &binh, &two).await?, merged(&one));
    // Nothing merges by itself: both stay as they are.
    for (reader, alert) in [(&an, &one), (&binh, &two)] {
        assert_eq!(day.alert(reader, alert).await?.text_at("/state"), "active");
    }
    day.ends().await
}

#[tokio::test]
async fn one_person_cannot_merge_alone() -> Result<()> {
    let day = Timeline::on("2024-02-19", TRUNG_LUONG).await?;
    let an = day.officer("an", HERE).await?;
    let binh = day.officer("binh", THERE).await?;
    let desk = day.province("dung", "42").await?;
    day.at("14:00").await?;
    raised(&day, &an, &child(&day, "lost-child", HERE, "13:00")?).await?;
    raised(&day, &binh, &child(&day, "lost-child", THERE, "13:30")?).await?;
    let proposal = asked_one(&day, &desk).await?;
    let path = format!("/v1/matches/{}/confirm", text(&proposal, "/id"));
    for (commune, status) in [(HERE, 200), (THERE, 403)] {
        let named = format!("{path}?commune={commune}");
        day.post(&desk, &named, &json!({})).await?.expect(status)?;
    }
    let said = answer(&day, &binh, &proposal, ("dismiss", "Hai cháu khác nhau."), 200).await?;
    assert_eq!(said.text_at("/state"), "disputed");
    // Whoever has to speak with each other is asked still.
    assert_eq!(asked_one(&day, &an).await?["state"], json!("disputed"));
    day.ends().await
}

#[tokio::test]
async fn what_was_dismissed_does_not_come_again() -> Result<()> {
    let day = Timeline::on("2024-02-19", TRUNG_LUONG).await?;
    let an = day.officer("an", HERE).await?;
    let binh = day.officer("binh", THERE).await?;
    day.at("14:00").await?;
    let found = raised(&day, &an, &child(&day, "found-child", HERE, "13:40")?).await?;
    let lost = raised(&day, &binh, &child(&day, "lost-child", THERE, "12:30")?).await?;
    let proposal = asked_one(&day, &binh).await?;
    let said = answer(&day, &binh, &proposal, ("dismiss", "Không phải cháu."), 200).await?;
    assert_eq!(said.text_at("/state"), "dismissed");
    assert_eq!(asked(&day, &an, "").await?, Vec::<Value>::new());

    // Another instance begins by comparing all: it gives no second command for the pair.
    day.start_alerting().await?;
    let third = raised(&day, &binh, &child(&day, "lost-child", THERE, "12:40")?).await?;
    let next = asked_one(&day, &an).await?;
    assert_ne!(next["id"], proposal["id"]);
    for alert in [&found, &third] {
        assert!(text(&next, "/id").contains(alert.as_str()), "{next}");
    }
    let both = related(&day, &an, &found).await?;
    let states = |alert: &str| -> Vec<String> {
        let all = both.as_array().cloned().unwrap_or_default();
        let own = all.iter().filter(|one| text(one, "/alert") == alert);
        own.map(|one| text(one, "/state").to_owned()).collect()
    };
    assert_eq!(
        (states(&lost), states(&third)),
        (vec!["dismissed".to_owned()], vec!["open".to_owned()])
    );
    day.ends().await
}

#[tokio::test]
async fn an_exercise_never_meets_what_is_real_and_what_was_wrong_is_not_asked() -> Result<()> {
    let day = Timeline::on("2024-02-19", TRUNG_LUONG).await?;
    let an = day.officer("an", HERE).await?;
    let binh = day.officer("binh", THERE).await?;
    day.at("14:00").await?;
    let found = child(&day, "found-child", HERE, "13:40")?;
    let drill = with(&found, "/status", json!("exercise"));
    raised(&day, &an, &with(&drill, "/headline", json!("Diễn tập: cháu bé trên đê"))).await?;
    let lost = raised(&day, &binh, &child(&day, "lost-child", THERE, "12:30")?).await?;
    assert_eq!(asked(&day, &an, "").await?, Vec::<Value>::new());
    assert!(related(&day, &binh, &lost).await?.is_null());

    let real = raised(&day, &an, &found).await?;
    let proposal = asked_one(&day, &an).await?;
    assert!(text(&proposal, "/id").contains(&real), "{proposal}");
    day.act(&binh, &lost, "cancel", &json!({})).await?.expect(200)?;
    assert_eq!(asked(&day, &an, "").await?, Vec::<Value>::new());
    let late = answer(&day, &an, &proposal, ("confirm", "Là cháu."), 409).await?;
    assert_eq!(late.problem()?.code, "closed");
    answer(&day, &an, &proposal, ("dismiss", "Tin sai."), 200).await?;
    day.ends().await
}

#[tokio::test]
async fn whoever_may_not_read_an_alert_sees_of_it_what_anyone_sees() -> Result<()> {
    let day = Timeline::on("2024-02-19", TRUNG_LUONG).await?;
    let an = day.officer("an", HERE).await?;
    let em = day.officer("em", FAR).await?;
    day.at("14:00").await?;
    let own = json!({ "mode": "rings", "rings": 0 });
    let found = with(&child(&day, "found-child", HERE, "13:40")?, "/reach", own.clone());
    raised(&day, &an, &found).await?;
    let lost = with(&child(&day, "lost-child", FAR, "12:30")?, "/reach", own);
    let lost = raised(&day, &em, &lost).await?;
    day.alert(&an, &lost).await?.expect(404)?;
    let proposal = asked_one(&day, &an).await?;
    assert_eq!(text(side(&proposal, HERE)?, "/view"), "full");
    let foreign = side(&proposal, FAR)?;
    assert_eq!(text(foreign, "/view"), "public");
    let seen = foreign.pointer("/alert").context("an alert")?;
    assert_eq!(seen["last_seen"]["lon"], json!(105.668));
    assert_eq!(seen["person"], json!({ "age": 6, "sex": "male" }));
    assert_eq!(text(seen, "/headline"), "Tìm cháu bé 4 tuổi đi lạc");
    for hidden in ["communes", "reach", "photos", "related", "legal_basis", "reported_at"] {
        assert!(seen.get(hidden).is_none(), "{hidden} is shown");
    }
    for wrong in ["?state=done", "?after=x", "?colour=red"] {
        day.get(&an, &format!("/v1/matches{wrong}")).await?.expect(400)?;
    }
    day.get(&an, &format!("/v1/matches?commune={FAR}")).await?.expect(403)?;
    let khanh = day.person("khanh", Standing::Auditor).await?;
    day.get(&khanh, "/v1/matches").await?.expect(403)?;
    day.ends().await
}
