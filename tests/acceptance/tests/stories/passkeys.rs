//! Persons at a browser: a link brings a passkey, the passkey signs in, and what is asked there is
//! signed by it and can be checked by whoever has the log.

use acceptance::{
    Started, Timeline, asked::with, browser::Browser, group, maps::HOANG_THINH, posted,
};
use anyhow::{Context, Result, ensure};
use domain::rights::Standing;
use history::Verdict;
use serde_json::{Value, json};
use support::Answer;

const HERE: &str = "15958";

async fn morning() -> Result<Timeline> {
    let mut day = Timeline::governed(("2025-04-13", HOANG_THINH, ""), Started::All).await?;
    day.groups([group("g-1", HERE)]).await?;
    day.at("10:00").await?;
    Ok(day)
}

/// A link for an officer of the commune, given by an admin.
async fn link_for(day: &Timeline, officer: &str) -> Result<String> {
    let admin = day.person("chi", Standing::Admin).await?;
    let asked = json!({
        "officer": officer, "role": "officer", "commune": HERE, "purpose": "enrolment",
    });
    let made = day.post(&admin, "/v1/tokens", &asked).await?.expect(201)?;
    Ok(made.text_at("/path").to_owned())
}

/// An's browser, signed in.
async fn signed_in(day: &Timeline, seed: u8) -> Result<Browser> {
    let mut browser = Browser::of_seed(seed);
    let link = link_for(day, "an").await?;
    day.enrols(&browser, &link).await?.expect(201)?;
    day.signs_in(&mut browser).await?.expect(200)?;
    Ok(browser)
}

fn alert(day: &Timeline) -> Result<Value> {
    let own = json!({ "mode": "rings", "rings": 0 });
    Ok(with(&day.alert_of("lost-child", HERE, "20:00")?, "/reach", own))
}

fn code(answer: &Answer) -> Result<String> {
    Ok(answer.problem()?.code.clone())
}

#[tokio::test]
async fn a_link_brings_a_passkey_that_signs_in_and_signs_a_live_alert() -> Result<()> {
    let day = morning().await?;
    let mut browser = Browser::of_seed(7);
    let link = link_for(&day, "an").await?;
    day.enrols(&browser, &link).await?.expect(201)?;
    let page = day.browses(&browser, "/board").await?;
    ensure!(page.status == 303, "nobody has signed in: {}", page.status);
    let signed_in = day.signs_in(&mut browser).await?.expect(200)?;
    assert_eq!(signed_in.text_at("/next"), "/board");
    day.browses(&browser, "/board").await?.expect(200)?;

    // An unlocked browser is nobody's word: a live alert takes the passkey, an exercise does not.
    let live = alert(&day)?;
    let unsigned = day.scripts(&browser, "/v1/alerts", &live).await?.expect(403)?;
    assert_eq!(code(&unsigned)?, "needs-passkey");
    let raised = day.commands(&browser, ("/v1/alerts", &live), "k-1").await?.expect(201)?;
    assert_eq!((raised.text_at("/state"), raised.text_at("/attested")), ("active", "key"));
    day.expect(posted("g-1", &["issued"])).await?;
    let id = raised.text_at("/id").to_owned();
    let page = day.browses(&browser, &format!("/alerts/{id}")).await?.expect(200)?;
    ensure!(page.text.contains("data-command") && page.text.contains("id=\"sign\""));

    // A form is prepared by its own path; what it needs to see is seen with the session.
    let path = format!("/v1/alerts/{id}/update");
    let more = json!({ "description": "Áo đỏ, dép xanh." });
    day.commands(&browser, (&path, &more), "k-2").await?.expect(200)?;
    day.expect(posted("g-1", &["issued", "updated"])).await?;
    let path = format!("/v1/alerts/{id}/resolve");
    day.commands(&browser, (&path, &Value::Null), "k-3").await?.expect(200)?;
    day.expect(posted("g-1", &["issued", "updated", "resolved"])).await?;

    // Whoever has the log, and nothing else, finds them signed by An.
    let verdicts = day.verdicts();
    let of_an = verdicts.iter().filter(
        |(_, verdict)| matches!(verdict, Verdict::Signed { officer, .. } if officer == "an"),
    );
    assert_eq!(of_an.count(), 3);
    ensure!(!verdicts.iter().any(|(_, verdict)| matches!(verdict, Verdict::Invalid(_))));
    let tally = day.tally();
    ensure!(tally.wrong.is_empty(), "{:?}", tally.wrong);
    assert_eq!(tally.persons.values().sum::<u64>(), 3);
    day.ends().await
}

#[tokio::test]
async fn a_link_works_once_and_two_persons_take_part() -> Result<()> {
    let day = morning().await?;
    let link = link_for(&day, "an").await?;
    let (phone, other) = (Browser::of_seed(7), Browser::of_seed(8));
    day.enrols(&phone, &link).await?.expect(201)?;
    let again = day.enrols(&other, &link).await?.expect(403)?;
    assert_eq!(code(&again)?, "no-enrolment");
    let made_up = day.enrols(&other, "/enrol#keng_x").await?.expect(403)?;
    assert_eq!(code(&made_up)?, "no-enrolment");
    // A program's token is no link, and a link no program's token.
    let admin = day.person("chi", Standing::Admin).await?;
    let own = json!({ "officer": "chi", "role": "admin", "purpose": "enrolment" });
    let oneself = day.post(&admin, "/v1/tokens", &own).await?.expect(400)?;
    assert_eq!(oneself.problem()?.errors[0].0, "officer");
    // Who gave it is the second person, in the log.
    let keys = day.get(&admin, "/v1/keys").await?.expect(200)?;
    let kinds = keys.json["keys"].as_array().context("keys")?;
    ensure!(kinds.iter().all(|key| key["state"] == "registered" && key["kind"] == "passkey"));
    day.ends().await
}

#[tokio::test]
async fn the_first_admin_is_whoever_reads_the_terminal() -> Result<()> {
    let day = morning().await?;
    let first = day.console.invite_first_admin().context("a link")?;
    ensure!(first.starts_with("https://keng.example.vn/enrol#keng_"), "{first}");
    // The next start has another link, and the old one is over.
    let link = day.console.invite_first_admin().context("a link")?;
    let mut browser = Browser::of_seed(7);
    assert_eq!(code(&day.enrols(&browser, &first).await?.expect(403)?)?, "no-enrolment");
    day.enrols(&browser, &link).await?.expect(201)?;
    day.signs_in(&mut browser).await?.expect(200)?;
    // That was the first, and there is no other.
    ensure!(day.console.invite_first_admin().is_none());
    let other = Browser::of_seed(8);
    assert_eq!(code(&day.enrols(&other, &link).await?.expect(403)?)?, "no-enrolment");
    // The admin gives links to others.
    let asked = json!({
        "officer": "an", "role": "officer", "commune": HERE, "purpose": "enrolment",
    });
    let made = day.scripts(&browser, "/v1/tokens", &asked).await?.expect(201)?;
    day.enrols(&other, made.text_at("/path")).await?.expect(201)?;
    day.ends().await
}

#[tokio::test]
async fn nobody_signs_in_by_what_is_not_the_passkeys_answer() -> Result<()> {
    let day = morning().await?;
    let browser = signed_in(&day, 7).await?;
    let challenge = |answer: Answer| answer.text_at("/challenge").to_owned();
    let asked = challenge(day.browses(&browser, "/sign-in/challenge").await?);
    let changed = |change: &dyn Fn(&mut Browser)| {
        let mut other = browser.clone();
        change(&mut other);
        other
    };
    let stranger = Browser::of_seed(9);
    let impostor = changed(&|it| {
        it.authenticator = Browser::of_seed(9).authenticator;
        it.authenticator.credential.clone_from(&browser.authenticator.credential);
    });
    for (mut wrong, why) in [
        (stranger, "key-unknown"),
        (impostor, "bad-signature"),
        (changed(&|it| it.gesture.kind = "webauthn.create"), "bad-signature"),
        (changed(&|it| it.gesture.origin = "https://evil.vn".into()), "bad-signature"),
        (changed(&|it| it.gesture.rp = "evil.vn".into()), "bad-signature"),
        (changed(&|it| it.gesture.flags = 0x01), "bad-signature"),
        (changed(&|it| it.gesture.is_cross_origin = true), "bad-signature"),
    ] {
        let answer = day.answers(&mut wrong, &asked).await?.expect(403)?;
        assert_eq!(code(&answer)?, why);
    }
    // What failed took nothing away. What worked does not work twice.
    let mut good = browser.clone();
    day.answers(&mut good, &asked).await?.expect(200)?;
    let replayed = day.answers(&mut good, &asked).await?.expect(403)?;
    assert_eq!(code(&replayed)?, "too-late");
    let made_up = day.answers(&mut good, "AAAA").await?.expect(403)?;
    assert_eq!(code(&made_up)?, "too-late");
    let late = challenge(day.browses(&browser, "/sign-in/challenge").await?);
    day.at("10:05").await?;
    assert_eq!(code(&day.answers(&mut good, &late).await?.expect(403)?)?, "too-late");
    day.ends().await
}

#[tokio::test]
async fn a_command_is_signed_by_the_passkey_and_by_nothing_else() -> Result<()> {
    let day = morning().await?;
    let browser = signed_in(&day, 7).await?;
    let live = alert(&day)?;
    let prepared = day.prepares(&browser, ("/v1/alerts", &live), "k-1").await?.expect(200)?.json;
    let changed = |change: &dyn Fn(&mut Browser)| {
        let mut other = browser.clone();
        change(&mut other);
        other
    };
    let other_alert = with(&live, "/headline", json!("Tin khác"));
    let other = day.prepares(&browser, ("/v1/alerts", &other_alert), "k-1").await?.json;
    for (who, what) in [
        (changed(&|it| it.authenticator = Browser::of_seed(8).authenticator), &prepared),
        (changed(&|it| it.gesture.origin = "https://evil.vn".into()), &prepared),
        (changed(&|it| it.gesture.flags = 0x01), &prepared),
        (changed(&|it| it.gesture.kind = "webauthn.create"), &prepared),
    ] {
        let refused = day.gives_json(&who.signs(what)?, "k-1").await?.expect(403)?;
        assert_eq!(code(&refused)?, "bad-signature");
    }
    // What was signed is another command; what was signed is no command, but a sign-in.
    let mut swapped = browser.signs(&other)?;
    swapped["open"] = prepared["envelope"]["open"].clone();
    assert_eq!(code(&day.gives_json(&swapped, "k-1").await?.expect(403)?)?, "bad-signature");
    let mut ticket = prepared.clone();
    let asked = day.browses(&browser, "/sign-in/challenge").await?;
    ticket["challenge"] = asked.text_at("/challenge").into();
    let refused = day.gives_json(&browser.signs(&ticket)?, "k-1").await?.expect(403)?;
    assert_eq!(code(&refused)?, "bad-signature");

    let signed = browser.signs(&prepared)?;
    let raised = day.gives_json(&signed, "k-1").await?.expect(201)?;
    // Sent again it is the same alert; under another key nothing.
    let again = day.gives_json(&signed, "k-1").await?.expect(201)?;
    assert_eq!(again.text_at("/id"), raised.text_at("/id"));
    day.gives_json(&signed, "k-2").await?.expect(400)?;
    day.expect(posted("g-1", &["issued"])).await?;
    day.ends().await
}

#[tokio::test]
async fn a_revoked_passkey_ends_its_sessions_at_once() -> Result<()> {
    let day = morning().await?;
    let mut browser = signed_in(&day, 7).await?;
    let live = alert(&day)?;
    let prepared = day.prepares(&browser, ("/v1/alerts", &live), "k-1").await?.expect(200)?.json;
    let admin = day.person("chi", Standing::Admin).await?;
    let keys = day.get(&admin, "/v1/keys").await?.expect(200)?;
    let key = keys.text_at("/keys/0/id").to_owned();
    day.post(&admin, &format!("/v1/keys/{key}/revoke"), &json!({})).await?.expect(200)?;
    assert_eq!(day.browses(&browser, "/board").await?.status, 303);
    let signed = day.gives_json(&browser.signs(&prepared)?, "k-1").await?.expect(403)?;
    assert_eq!(code(&signed)?, "key-revoked");
    assert_eq!(code(&day.signs_in(&mut browser).await?.expect(403)?)?, "key-revoked");
    day.ends().await
}

#[tokio::test]
async fn what_cannot_be_read_is_named() -> Result<()> {
    let day = morning().await?;
    let browser = signed_in(&day, 7).await?;
    for (path, body, named) in [
        ("/sign-in/passkey", json!({}), "challenge"),
        ("/enrol/begin", json!({ "token": 7 }), "token"),
        ("/enrol/finish", json!({ "token": "x" }), "authenticator_data"),
        ("/sign/prepare", json!({ "path": "/v1/alerts" }), "key"),
    ] {
        let answer = day.scripts(&browser, path, &body).await?.expect(400)?;
        ensure!(answer.text.contains(named), "{path}: {}", answer.text);
    }
    // What no device signs, and an alert with faults: what the same door says to a program.
    for (path, body, code) in [
        ("/v1/tokens", json!({}), "not-found"),
        ("/v1/alerts", json!({ "kind": "x" }), "invalid-fields"),
        ("/v1/alerts/0191b0c0-0000-8000-8000-000000000001/update", json!({}), "not-found"),
    ] {
        let answer = day.prepares(&browser, (path, &body), "k-9").await?;
        assert_eq!(self::code(&answer)?, code, "{path}");
    }
    day.ends().await
}

#[tokio::test]
async fn a_page_of_somebody_else_does_nothing_here() -> Result<()> {
    let day = morning().await?;
    let browser = signed_in(&day, 7).await?;
    let challenge = day.browses(&browser, "/sign-in/challenge").await?;
    let link = link_for(&day, "binh").await?;
    for path in ["/sign/prepare", "/sign-in/passkey", "/enrol/begin", "/v1/alerts"] {
        let answer = day.is_asked_from_elsewhere(&browser, path, &challenge, &link).await?;
        assert_eq!(answer.status, 403, "{path}");
        ensure!(answer.headers.get("set-cookie").is_none(), "{path}");
    }
    day.ends().await
}
