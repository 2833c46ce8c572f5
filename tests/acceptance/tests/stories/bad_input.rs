//! Bad input: each gets a problem that names the field, and the next good request is unaffected.

use acceptance::{
    Person, Timeline,
    asked::{with, without},
    group,
    maps::HOANG_THINH,
    people::request,
    posted, quiet,
};
use anyhow::Result;
use axum::http::{Method, header};
use serde_json::{Value, json};

const HERE: &str = "15958";

/// Values at a pointer, and the field that the answer must name.
fn wrong_values() -> Vec<(&'static str, Value, &'static str)> {
    let long = |chars: usize| json!("ờ".repeat(chars));
    vec![
        ("/kind", json!("lost-dog"), "kind"),
        ("/kind", json!(7), "kind"),
        ("/status", json!("Actual"), "status"),
        ("/commune", json!("99999"), "commune"),
        ("/commune", json!("1595"), "commune"),
        ("/commune", json!(15958), "commune"),
        ("/headline", json!(""), "headline"),
        ("/headline", json!("   "), "headline"),
        ("/headline", json!("a\u{0}b"), "headline"),
        ("/headline", long(161), "headline"),
        ("/description", long(4_001), "description"),
        ("/description", json!("a\u{0}"), "description"),
        ("/instruction", long(501), "instruction"),
        ("/reported_at", json!("hôm qua"), "reported_at"),
        ("/reported_at", json!("2025-04-13T12:00:00+07:00"), "reported_at"),
        ("/last_seen", json!({}), "last_seen"),
        ("/last_seen", json!([19.8, 105.8]), "last_seen"),
        ("/last_seen", json!({"lat": 105.8392, "lon": 19.8285}), "last_seen.lat"),
        ("/last_seen", json!({"lat": 48.8, "lon": 105.8}), "last_seen.lat"),
        ("/last_seen", json!({"lat": 19.8}), "last_seen.lon"),
        ("/last_seen", json!({"lat": "19.8", "lon": 105.8}), "last_seen.lat"),
        ("/last_seen/at", json!("2025-04-13T11:00:00+07:00"), "last_seen.at"),
        ("/travel", json!("teleport"), "travel"),
        ("/person/age", json!(131), "person.age"),
        ("/person/age", json!(-1), "person.age"),
        ("/person/sex", json!("x"), "person.sex"),
        ("/person/shoes", json!("red"), "person.shoes"),
        ("/photos", json!([{"id": "../etc/passwd"}]), "photos[0].id"),
        ("/expires", json!("2025-04-13T09:59:59+07:00"), "expires"),
        ("/expires", json!("2025-04-13T10:00:00+07:00"), "expires"),
        ("/expires", json!("2026-04-13T10:00:00+07:00"), "expires"),
        ("/expires", json!("2025-04-13"), "expires"),
        ("/reach", json!({}), "reach.mode"),
        ("/reach", json!({"mode": "galaxy"}), "reach.mode"),
        ("/reach", json!({"mode": "rings", "rings": 6}), "reach.rings"),
        ("/reach", json!({"mode": "rings"}), "reach.rings"),
        ("/reach", json!({"mode": "auto", "rings": 1}), "reach.rings"),
        ("/reach", json!({"mode": "communes", "communes": ["00001"]}), "reach.communes[0]"),
        ("/reach", json!({"mode": "communes", "communes": []}), "reach.communes"),
        ("/reach", json!({"mode": "communes", "communes": vec![HERE; 257]}), "reach.communes"),
        ("/hasOwnProperty", json!(1), "hasOwnProperty"),
    ]
}

/// Bodies that are no alert at all: the status, and the field.
fn wrong_bodies(good: &str) -> Vec<(Vec<u8>, u16, &'static str)> {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(20_000), close.repeat(20_000));
    let cut = good.len() / 2;
    let mut not_utf8 = good.as_bytes().to_vec();
    not_utf8.splice(cut..cut, [0xC3, 0x28]);
    let nested = good.replacen("\"auto\"", &deep("{\"a\":", "}"), 1);
    let nested = nested.replacen("{}", "{\"a\":1}", 1);
    let doubled = good.replacen('{', "{\"kind\":\"hazard\",", 1);
    vec![
        (Vec::new(), 400, ""),
        (b"null".to_vec(), 400, ""),
        (b"[]".to_vec(), 400, ""),
        (good.as_bytes()[..cut].to_vec(), 400, ""),
        (format!("{good}{good}").into_bytes(), 400, ""),
        (not_utf8, 400, ""),
        (deep("[", "]").into_bytes(), 400, ""),
        (nested.into_bytes(), 400, "reach.mode"),
        (doubled.into_bytes(), 400, "kind"),
        (vec![b' '; (256 << 10) + 1], 413, ""),
        (vec![b'a'; 17 << 20], 413, ""),
    ]
}

async fn morning() -> Result<(Timeline, Person, Value)> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("g-1", HERE)]).await?;
    let an = day.officer("an", HERE).await?;
    day.at("10:00").await?;
    let lost = day.alert_of("lost-child", HERE, "20:00")?;
    Ok((day, an, lost))
}

/// Sends `wrong`, and then something good.
async fn check(
    day: &Timeline,
    person: &Person,
    wrong: Vec<u8>,
    (status, field): (u16, &str),
) -> Result<()> {
    let shown = String::from_utf8_lossy(&wrong).chars().take(200).collect::<String>();
    let refused = day.post_bytes(person, "/v1/alerts", wrong, Some("wrong")).await?;
    assert_eq!(refused.status, status, "{shown}: {}", refused.text);
    let problem = refused.problem()?;
    let named = problem.errors.iter().any(|(named, _)| named == field);
    assert!(named, "{field:?} of {shown}: {problem:?}");
    day.get(person, "/v1/alerts").await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn each_wrong_value_is_named() -> Result<()> {
    let (day, an, lost) = morning().await?;
    for (pointer, value, field) in wrong_values() {
        let wrong = with(&lost, pointer, value).to_string().into_bytes();
        check(&day, &an, wrong, (400, field)).await?;
    }
    for field in ["kind", "status", "commune", "headline", "last_seen", "expires", "reach"] {
        check(&day, &an, without(&lost, field).to_string().into_bytes(), (400, field)).await?;
    }
    let suspect = without(&day.alert_of("suspect", HERE, "20:00")?, "legal_basis");
    check(&day, &an, suspect.to_string().into_bytes(), (400, "legal_basis")).await?;
    day.expect(quiet("g-1")).await?;
    let listed = day.get(&an, "/v1/alerts").await?.expect(200)?;
    assert_eq!(listed.at("/alerts"), &json!([]));
    // The key is still free, and the next good request is taken.
    let good = lost.to_string().into_bytes();
    day.post_bytes(&an, "/v1/alerts", good, Some("wrong")).await?.expect(201)?;
    day.expect(posted("g-1", &["issued"])).await?;
    day.ends().await
}

#[tokio::test]
async fn what_is_no_alert_at_all_harms_nobody() -> Result<()> {
    let (day, an, lost) = morning().await?;
    for (wrong, status, field) in wrong_bodies(&lost.to_string()) {
        check(&day, &an, wrong, (status, field)).await?;
    }
    day.raise(&an, &lost).await?.expect(201)?;
    day.expect(posted("g-1", &["issued"])).await?;
    day.ends().await
}

#[tokio::test]
async fn keys_notes_revisions_and_paths_are_checked_too() -> Result<()> {
    let (day, an, lost) = morning().await?;
    let body = || lost.to_string().into_bytes();
    for key in [None, Some(""), Some("a b"), Some(&*"x".repeat(256))] {
        let refused = day.post_bytes(&an, "/v1/alerts", body(), key).await?.expect(400)?;
        assert_eq!(refused.problem()?.errors[0].0, "Idempotency-Key");
    }
    let raised = day.raise(&an, &lost).await?.expect(201)?;
    let alert = raised.text_at("/id");
    for (action, wrong, field) in [
        ("cancel", json!({"note": "ờ".repeat(1_001)}), "note"),
        ("resolve", json!({"note": 1}), "note"),
        ("cancel", json!({"notes": "x"}), "notes"),
        ("acknowledge", json!([]), ""),
        ("refuse", json!({"note": "\u{0}"}), "note"),
        ("approve", json!({}), "revision"),
        ("approve", json!({"revision": 0}), "revision"),
        ("approve", json!({"revision": "1"}), "revision"),
    ] {
        let refused = day.act(&an, alert, action, &wrong).await?.expect(400)?;
        let problem = refused.problem()?;
        assert_eq!(problem.errors[0].0, field, "{action} {problem:?}");
    }
    for (method, path, status) in [
        (Method::DELETE, "/v1/alerts", 405),
        (Method::GET, "/v1/nothing", 404),
        (Method::GET, "/v1/alerts/not-an-id", 404),
        (Method::GET, "/v1/alerts?colour=red", 400),
        (Method::GET, "/v1/alerts?commune=x", 400),
        (Method::GET, "/v1/alerts?after=x", 400),
        (Method::GET, "/v1/verify/0000000000", 404),
        (Method::GET, "/v1/verify/%00", 404),
    ] {
        let shown = format!("{method} {path}");
        let answer = day.send(request(&an, method, path).body(axum::body::Body::empty())?).await?;
        assert_eq!(answer.status, status, "{shown}: {}", answer.text);
        answer.problem()?;
    }
    let unknown = request(&an, Method::GET, "/v1/stream").header("last-event-id", "?");
    let unknown = unknown.header(header::ACCEPT, "text/event-stream").body("".into())?;
    let refused = day.send(unknown).await?.expect(400)?;
    assert_eq!(refused.problem()?.errors[0].0, "Last-Event-ID");
    day.expect(posted("g-1", &["issued"])).await?;
    day.ends().await
}
