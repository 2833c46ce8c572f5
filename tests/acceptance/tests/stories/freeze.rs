//! A stolen token: the flood is held up, two persons freeze the officer, what was raised is
//! recalled, and the freeze ends by itself. Corrections go out all the while.

use acceptance::{
    Person, Timeline, asked::with, group, maps::HOANG_THINH, people::open_stream, state,
    timeline::WITHIN,
};
use anyhow::{Result, ensure};
use domain::rights::Standing;
use serde_json::{Value, json};
use support::Answer;

const HERE: &str = "15958";
const NEIGHBOUR: &str = "15925";

struct Story {
    day: Timeline,
    /// Whose token was stolen.
    x: Person,
    an: Person,
    commander: Person,
    province: Person,
    neighbour: Person,
}

async fn morning() -> Result<Story> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("g-1", HERE)]).await?;
    let x = day.officer("x", HERE).await?;
    let an = day.officer("an", HERE).await?;
    let commander = day.commander("binh", HERE).await?;
    let province = day.province("giang", "38").await?;
    let neighbour = day.commander("chi", NEIGHBOUR).await?;
    day.at("10:00").await?;
    Ok(Story { day, x, an, commander, province, neighbour })
}

impl Story {
    fn lost(&self) -> Result<Value> {
        let lost = self.day.alert_of("lost-child", HERE, "20:00")?;
        // The own commune alone: the story is of the raise, not of its reach.
        Ok(with(&lost, "/reach", json!({ "mode": "rings", "rings": 0 })))
    }

    /// High water next door.
    fn flood(&self) -> Result<Value> {
        let flood = self.day.alert_of("hazard", NEIGHBOUR, "20:00")?;
        Ok(with(&flood, "/reach", json!({ "mode": "rings", "rings": 0 })))
    }

    /// What waits for a second person.
    fn suspect(&self) -> Result<Value> {
        let suspect = self.day.alert_of("suspect", HERE, "20:00")?;
        Ok(with(&suspect, "/person", json!({ "age": 30, "sex": "male" })))
    }

    async fn raise(&self, person: &Person) -> Result<Answer> {
        self.day.raise(person, &self.lost()?).await
    }

    async fn ask(&self, by: &Person, whom: (&str, &str), until: &str) -> Result<Answer> {
        let until = self.day.rfc3339(until)?;
        let body = json!({ whom.0: whom.1, "until": until, "note": "Lộ mã truy cập." });
        self.day.post(by, "/v1/freezes", &body).await
    }

    async fn confirm(&self, by: &Person, id: &str, until: &str) -> Result<Answer> {
        let body = json!({ "until": self.day.rfc3339(until)? });
        self.day.post(by, &format!("/v1/freezes/{id}/confirm"), &body).await
    }

    async fn lift(&self, by: &Person, id: &str) -> Result<Answer> {
        let body = json!({ "note": "Đã đổi mã." });
        self.day.post(by, &format!("/v1/freezes/{id}/lift"), &body).await
    }

    /// Two persons freeze `x` until 12:00.
    async fn freeze_x(&self) -> Result<()> {
        self.ask(&self.an, ("officer", "x"), "12:00").await?.expect(201)?;
        self.confirm(&self.commander, "officer-x", "12:00").await?.expect(200)?;
        Ok(())
    }

    async fn banners(&self, person: &Person) -> Result<Vec<String>> {
        let listed = self.day.get(person, "/v1/alerts").await?.expect(200)?;
        Ok(serde_json::from_value(listed.at("/banners").clone())?)
    }
}

fn refused(answer: &Answer, status: u16, code: &str) -> Result<()> {
    let problem = answer.problem()?;
    ensure!((problem.status, problem.code.as_str()) == (status, code), "{}", answer.text);
    Ok(())
}

#[tokio::test]
async fn a_phished_officer_is_held_up_frozen_and_recalled() -> Result<()> {
    let story = morning().await?;
    let day = &story.day;
    let before = story.raise(&story.x).await?.expect(201)?;
    day.at("10:30").await?;
    let lost = story.lost()?.to_string().into_bytes();
    let mut raised = Vec::new();
    for n in 0..60 {
        let key = format!("flood-{n}");
        let answer = day.post_bytes(&story.x, "/v1/alerts", lost.clone(), Some(&key)).await?;
        raised.push(answer.expect(201)?.text_at("/id").to_owned());
    }
    let many = story.raise(&story.x).await?;
    refused(&many, 429, "too-many")?;
    assert_eq!(many.headers.get("retry-after").and_then(|s| s.to_str().ok()), Some("60"));
    // The commune's own sixty are used up too; its neighbour's are not. A repeat does not count,
    // and what takes back is never held up.
    refused(&story.raise(&story.an).await?, 429, "too-many")?;
    let theirs = story.flood()?;
    day.raise(&story.neighbour, &theirs).await?.expect(201)?;
    let again = day.post_bytes(&story.x, "/v1/alerts", lost, Some("flood-0")).await?.expect(201)?;
    assert_eq!(again.text_at("/id"), raised[0]);
    day.act(&story.x, &raised[0], "cancel", &json!({})).await?.expect(200)?;

    story.freeze_x().await?;
    refused(&story.raise(&story.x).await?, 403, "frozen")?;

    let since = day.rfc3339("10:30")?;
    let body = json!({ "officer": "x", "since": since, "note": "Lộ mã truy cập." });
    refused(&day.post(&story.an, "/v1/recalls", &body).await?, 403, "forbidden")?;
    let recall = async || {
        let body = body.to_string().into_bytes();
        day.post_bytes(&story.commander, "/v1/recalls", body, Some("r")).await?.expect(200)
    };
    let recalled = recall().await?;
    let ids = |answer: &Answer| -> Vec<String> {
        let alerts = answer.at("/alerts").as_array().cloned().unwrap_or_default();
        let id = |alert: &Value| alert.get("id").and_then(Value::as_str).map(str::to_owned);
        alerts.iter().filter_map(id).collect()
    };
    let mut wanted: Vec<String> = raised[1..].to_vec();
    wanted.sort();
    let mut found = ids(&recalled);
    found.sort();
    assert_eq!(found, wanted);
    assert_eq!(recalled.at("/remaining"), &json!(0));
    for alert in &raised {
        day.expect(state(&story.an, alert, "cancelled")).await?;
    }
    day.expect(state(&story.an, before.text_at("/id"), "active")).await?;
    // Its repeat has the effect of one, and the same answer.
    assert_eq!(ids(&recall().await?), ids(&recalled));

    let calls = day.calls_to("g-1");
    let count = |news: &str| calls.iter().filter(|call| call.news() == news).count();
    assert_eq!((count("alert.issued"), count("alert.cancelled")), (61, 60));
    story.day.ends().await
}

#[tokio::test]
async fn a_freeze_takes_two_persons_and_ends_by_itself() -> Result<()> {
    let story = morning().await?;
    let day = &story.day;
    let raised = story.raise(&story.x).await?.expect(201)?;
    let asked = story.ask(&story.an, ("officer", "x"), "12:00").await?.expect(201)?;
    assert_eq!((asked.text_at("/id"), asked.text_at("/state")), ("officer-x", "asked"));
    assert_eq!(asked.text_at("/note"), "Lộ mã truy cập.");
    // One alone freezes nobody, nor does the same person twice, nor another end.
    story.raise(&story.x).await?.expect(201)?;
    refused(&story.confirm(&story.an, "officer-x", "12:00").await?, 403, "role-missing")?;
    refused(&story.confirm(&story.commander, "officer-x", "11:00").await?, 409, "not-asked")?;
    let far = day.commander("dung", HERE).await?;
    refused(&story.ask(&far, ("officer", "x"), "2025-04-14 11:00").await?, 400, "over-limit")?;
    let by_himself = story.ask(&far, ("officer", "x"), "12:00").await?.expect(201)?;
    assert_eq!(by_himself.text_at("/asked_by"), "dung");
    refused(&story.confirm(&far, "officer-x", "12:00").await?, 403, "same-person")?;

    let frozen = story.confirm(&story.commander, "officer-x", "12:00").await?.expect(200)?;
    assert_eq!((frozen.text_at("/state"), frozen.text_at("/confirmed_by")), ("in-force", "binh"));
    let held_up = story.raise(&story.x).await?;
    refused(&held_up, 403, "frozen")?;
    assert!(held_up.problem()?.detail.contains("12:00 13/04/2025"), "{}", held_up.text);
    // What takes back and what answers is never frozen; nor is anybody else.
    day.act(&story.x, raised.text_at("/id"), "cancel", &json!({})).await?.expect(200)?;
    story.raise(&story.an).await?.expect(201)?;

    day.at("12:00").await?;
    story.raise(&story.x).await?.expect(201)?;
    let listed = day.get(&story.commander, "/v1/freezes").await?.expect(200)?;
    assert_eq!(listed.at("/freezes"), &json!([]));
    day.expect_banners(0).await?;
    let auditor = day.person("khanh", Standing::Auditor).await?;
    let lines = day.records(&auditor, "").await?;
    let of_x = lines.iter().filter(|line| line.entity == "freeze-officer-x");
    let kinds: Vec<&str> = of_x.map(|line| line.kind.as_str()).collect();
    for kind in ["AskFreeze", "FreezeAsked", "ConfirmFreeze", "FreezeBegan", "EndFreeze"] {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
    assert_eq!(kinds.last(), Some(&"FreezeEnded"));
    story.day.ends().await
}

#[tokio::test]
async fn a_frozen_commune_is_seen_by_its_neighbours_until_two_lift_it() -> Result<()> {
    let story = morning().await?;
    let day = &story.day;
    let stranger = day.officer("xa", "15865").await?;
    let mut stream = open_stream(day.routes(), &story.neighbour, NEIGHBOUR, None).await?;
    let waits = day.raise(&story.an, &story.suspect()?).await?.expect(202)?;
    story.ask(&story.neighbour, ("commune", HERE), "12:00").await?.expect(201)?;
    story.confirm(&story.province, &format!("commune-{HERE}"), "12:00").await?.expect(200)?;
    // Everybody of the commune, and nobody else: somebody must be able to speak for it.
    refused(&story.raise(&story.x).await?, 403, "frozen")?;
    refused(&story.raise(&story.commander).await?, 403, "frozen")?;
    story.raise(&story.province).await?.expect(201)?;
    let approve = json!({ "revision": 1 });
    for person in [&story.commander, &story.province] {
        let answer = day.act(person, waits.text_at("/id"), "approve", &approve).await?;
        refused(&answer, 403, "frozen")?;
    }
    for person in [&story.x, &story.neighbour, &story.province] {
        let banners = story.banners(person).await?;
        ensure!(
            banners.len() == 1 && banners[0].starts_with("Xã 15958 đang bị khóa"),
            "{banners:?}"
        );
    }
    assert_eq!(story.banners(&stranger).await?, Vec::<String>::new());
    day.expect_banners(1).await?;
    let told = loop {
        let event = stream.next(WITHIN).await?;
        if event.kind == "banner" {
            break event.json();
        }
    };
    assert_eq!(told["banners"].as_array().map(Vec::len), Some(1));

    let id = format!("commune-{HERE}");
    refused(&story.lift(&story.commander, &id).await?, 403, "frozen")?;
    let half = story.lift(&story.neighbour, &id).await?.expect(200)?;
    assert_eq!((half.text_at("/state"), half.text_at("/lift_asked_by")), ("in-force", "chi"));
    refused(&story.raise(&story.x).await?, 403, "frozen")?;
    let lifted = story.lift(&story.province, &id).await?.expect(200)?;
    assert_eq!(lifted.text_at("/state"), "over");
    story.raise(&story.x).await?.expect(201)?;
    day.act(&story.commander, waits.text_at("/id"), "approve", &approve).await?.expect(200)?;
    assert_eq!(story.banners(&story.neighbour).await?, Vec::<String>::new());
    day.expect_banners(0).await?;
    story.day.ends().await
}

#[tokio::test]
async fn who_may_freeze_whom() -> Result<()> {
    let story = morning().await?;
    let day = &story.day;
    let auditor = day.person("khanh", Standing::Auditor).await?;
    let admin = day.person("linh", Standing::Admin).await?;
    let other = day.person("hoa", Standing::Province("40".parse()?)).await?;
    for (person, status, code) in [(&auditor, 403, "forbidden"), (&other, 403, "forbidden")] {
        refused(&story.ask(person, ("officer", "x"), "12:00").await?, status, code)?;
    }
    refused(&story.ask(&story.an, ("officer", "nobody"), "12:00").await?, 403, "forbidden")?;
    refused(&story.ask(&admin, ("officer", "nobody"), "12:00").await?, 400, "invalid-fields")?;
    refused(&story.ask(&admin, ("commune", "99999"), "12:00").await?, 400, "invalid-fields")?;
    refused(&story.confirm(&admin, "x", "12:00").await?, 404, "not-found")?;
    // Who was robbed asks for it; nobody who is frozen is the person that another one needs.
    story.ask(&story.x, ("officer", "x"), "12:00").await?.expect(201)?;
    story.confirm(&admin, "officer-x", "12:00").await?.expect(200)?;
    refused(&story.ask(&story.x, ("officer", "an"), "12:00").await?, 403, "frozen")?;
    // The same key and bytes are the same request, also after the fact; other bytes are none.
    let until = day.rfc3339("11:00")?;
    let body = json!({ "officer": "an", "until": until }).to_string().into_bytes();
    for _ in 0..2 {
        day.post_bytes(&admin, "/v1/freezes", body.clone(), Some("k")).await?.expect(201)?;
    }
    let later = json!({ "officer": "an", "until": day.rfc3339("11:30")? }).to_string().into_bytes();
    let conflict = day.post_bytes(&admin, "/v1/freezes", later, Some("k")).await?;
    refused(&conflict, 409, "idempotency-conflict")?;
    day.at("11:00").await?;
    let over = day.post_bytes(&admin, "/v1/freezes", body, Some("k")).await?.expect(201)?;
    assert_eq!(over.text_at("/state"), "over");
    story.day.ends().await
}

#[tokio::test]
async fn who_had_no_drill_for_long_is_warned_and_the_approver_sees_it() -> Result<()> {
    let story = morning().await?;
    let day = &story.day;
    let never = story.raise(&story.an).await?.expect(201)?;
    assert_eq!(never.text_at("/warnings/0/code"), "no-recent-drill");
    assert!(never.at("/warnings/0/last_drill").is_null());
    let waits = day.raise(&story.x, &story.suspect()?).await?.expect(202)?;
    let seen = day.alert(&story.commander, waits.text_at("/id")).await?.expect(200)?;
    assert_eq!(seen.text_at("/warnings/0/code"), "no-recent-drill");
    assert!(seen.text_at("/warnings/0/detail").starts_with("Người gửi chưa từng diễn tập."));

    let drill = with(&day.alert_of("lost-child", HERE, "20:00")?, "/status", json!("exercise"));
    let drill = day.raise(&story.an, &drill).await?.expect(201)?;
    assert!(drill.at("/warnings").is_null());
    // To acknowledge one is to take part in it.
    day.settle().await?;
    day.act(&story.neighbour, drill.text_at("/id"), "acknowledge", &json!({}))
        .await?
        .expect(200)?;
    assert!(story.raise(&story.an).await?.expect(201)?.at("/warnings").is_null());
    let theirs = story.flood()?;
    let fit = day.raise(&story.neighbour, &theirs).await?.expect(201)?;
    assert!(fit.at("/warnings").is_null());

    day.at("2025-07-13 10:00").await?;
    let late = with(&theirs, "/expires", json!(day.rfc3339("2025-07-13 20:00")?));
    let late = day.raise(&story.neighbour, &late).await?.expect(201)?;
    assert_eq!(late.text_at("/warnings/0/code"), "no-recent-drill");
    assert!(late.text_at("/warnings/0/detail").contains("91 "), "{}", late.text);
    story.day.ends().await
}
