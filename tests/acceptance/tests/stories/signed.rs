//! Persons sign: an envelope is made where there is no network, and says who made it; what a
//! token alone asks for says so, and a policy may want more.

use acceptance::{
    Started, Timeline,
    asked::with,
    group,
    maps::HOANG_THINH,
    phone::{Phone, Sealed},
    posted, quiet,
};
use anyhow::{Result, ensure};
use domain::{
    ids::{CommuneCode, Home},
    rights::Standing,
};
use history::{Flaw, Verdict};
use serde_json::json;

const HERE: &str = "15958";

const NEEDS_SIGNATURE: &str = r#"
[installation]
needs-signature = ["notice"]
"#;

fn home() -> Result<Home> {
    let commune: CommuneCode = HERE.parse()?;
    Ok(Home { province: "38".parse()?, commune })
}

async fn morning(policies: &str) -> Result<Timeline> {
    let mut day = Timeline::governed(("2025-04-13", HOANG_THINH, policies), Started::All).await?;
    day.groups([group("g-1", HERE)]).await?;
    day.at("10:00").await?;
    Ok(day)
}

/// An's device, with a key that the commander has confirmed.
async fn phone(day: &Timeline) -> Result<Phone> {
    let phone = day.phone("an", Standing::Officer(home()?), 7).await?;
    let chief = day.commander("chief", HERE).await?;
    day.asks_for_key(&phone).await?.expect(202)?;
    day.confirms_key(&chief, &phone).await?.expect(200)?;
    Ok(phone)
}

fn raise(day: &Timeline, phone: &Phone, kind: &str, key: &str) -> Result<Sealed> {
    let own = json!({ "mode": "rings", "rings": 0 });
    let alert = with(&day.alert_of(kind, HERE, "20:00")?, "/reach", own);
    phone.raises(day, (&alert, day.now()), key)
}

#[tokio::test]
async fn an_envelope_made_without_a_network_is_taken_as_it_was_signed() -> Result<()> {
    let day = morning("").await?;
    let phone = day.phone("an", Standing::Officer(home()?), 7).await?;
    // Made before anybody knew the key.
    let offline = raise(&day, &phone, "lost-child", "k-1")?;
    let unknown = day.gives(&offline).await?.expect(403)?;
    assert_eq!(unknown.problem()?.code, "key-unknown");
    day.asks_for_key(&phone).await?.expect(202)?;
    let early = day.gives(&offline).await?.expect(403)?;
    assert_eq!(early.problem()?.code, "key-not-confirmed");
    let same = day.commander("an", HERE).await?;
    let alone = day.confirms_key(&same, &phone).await?.expect(403)?;
    assert_eq!(alone.problem()?.code, "same-person");
    let chief = day.commander("chief", HERE).await?;
    let good = day.confirms_key(&chief, &phone).await?.expect(200)?;
    assert_eq!((good.text_at("/state"), good.text_at("/role")), ("registered", "officer"));

    day.at("10:10").await?;
    let raised = day.gives(&offline).await?.expect(201)?;
    assert_eq!((raised.text_at("/state"), raised.text_at("/attested")), ("active", "key"));
    day.expect(posted("g-1", &["issued"])).await?;
    let alert = raised.text_at("/id").to_owned();

    // A lost answer: the same again is the same, and nothing is recorded.
    let records = day.records_written();
    let again = day.gives(&offline).await?.expect(201)?;
    assert_eq!((again.text_at("/id"), day.records_written()), (alert.as_str(), records));
    // The same key with other bytes, even good ones.
    let other = day.gives(&raise(&day, &phone, "lost-child", "k-1")?).await?.expect(409)?;
    assert_eq!(other.problem()?.code, "idempotency-conflict");

    // All that follows is signed too, and each by the rules of its own.
    let more = json!({ "description": "Áo đỏ, dép xanh.", "person": { "age": 5 } });
    let update = phone.acts(&day, (&alert, "update"), &more, "k-2").await?;
    day.gives(&update).await?.expect(200)?;
    day.expect(posted("g-1", &["issued", "updated"])).await?;
    let note = json!({ "note": "Đã về nhà." });
    let resolve = phone.acts(&day, (&alert, "resolve"), &note, "k-3").await?;
    let resolved = day.gives(&resolve).await?.expect(200)?;
    assert_eq!(resolved.text_at("/state"), "resolved");
    day.expect(posted("g-1", &["issued", "updated", "resolved"])).await?;
    // What could not be asked now is answered as it was.
    day.gives(&update).await?.expect(200)?;

    let signed: Vec<_> = day.verdicts();
    let of_an = signed.iter().filter(|(recorded, verdict)| {
        let is_signed = matches!(verdict, Verdict::Signed { officer, .. } if officer == "an");
        is_signed && recorded.signature.is_some()
    });
    assert_eq!(of_an.count(), 3);
    assert!(!signed.iter().any(|(_, verdict)| matches!(verdict, Verdict::Invalid(_))));
    // The replay shows the same.
    let khanh = day.person("khanh", Standing::Auditor).await?;
    let lines = day.records(&khanh, &format!("?alert={alert}")).await?;
    let raise = lines.iter().find(|line| line.kind == "RaiseAlert");
    let shown = raise.map(|line| (line.attested.as_str(), line.key.clone()));
    assert_eq!(shown, Some(("key", phone.key())));
    day.ends().await
}

/// The same command, byte for byte, signed by another device of the same person.
fn signed_anew(sealed: &Sealed, by: &Phone) -> Sealed {
    let mut anew = sealed.clone();
    anew.envelope.key = by.signer().id();
    anew.envelope.signature = by.signer().sign(&sealed.envelope.open);
    anew
}

#[tokio::test]
async fn a_retry_may_be_signed_anew_and_the_first_signature_stands() -> Result<()> {
    let day = morning("").await?;
    let old = phone(&day).await?;
    let new = day.phone("an", Standing::Officer(home()?), 9).await?;
    let chief = day.commander("chief", HERE).await?;
    day.asks_for_key(&new).await?.expect(202)?;
    day.confirms_key(&chief, &new).await?.expect(200)?;
    let first = raise(&day, &old, "lost-child", "k-1")?;
    let anew = signed_anew(&first, &new);
    assert_eq!(first.envelope.open, anew.envelope.open);
    assert_ne!(first.envelope.signature, anew.envelope.signature);

    // The answer to the first was lost, and the telephone too.
    let raised = day.gives(&first).await?.expect(201)?;
    let records = day.records_written();
    let again = day.gives(&anew).await?.expect(201)?;
    assert_eq!((again.text_at("/id"), day.records_written()), (raised.text_at("/id"), records));
    day.revokes_key(&new.person, &old).await?.expect(200)?;
    day.gives(&first).await?.expect(403)?;
    let records = day.records_written();
    let again = day.gives(&anew).await?.expect(201)?;
    assert_eq!((again.text_at("/id"), day.records_written()), (raised.text_at("/id"), records));
    day.expect(posted("g-1", &["issued"])).await?;

    // What the revoked key signed and nobody took before is taken once it is signed anew.
    let late = raise(&day, &old, "lost-child", "k-2")?;
    assert_eq!(day.gives(&late).await?.expect(403)?.problem()?.code, "key-revoked");
    let second = day.gives(&signed_anew(&late, &new)).await?.expect(201)?;

    // Each stands by the signature that came with it first, good where it stands.
    let khanh = day.person("khanh", Standing::Auditor).await?;
    for (alert, phone) in [(&raised, &old), (&second, &new)] {
        let lines = day.records(&khanh, &format!("?alert={}", alert.text_at("/id"))).await?;
        let keys: Vec<_> = lines.iter().filter(|line| line.kind == "RaiseAlert").collect();
        assert_eq!(keys.len(), 1, "{keys:?}");
        assert_eq!((keys[0].attested.as_str(), &keys[0].key), ("key", &phone.key()));
    }
    let verdicts = day.verdicts();
    let signed = verdicts.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Signed { .. }));
    assert_eq!(signed.count(), 2);
    assert!(!verdicts.iter().any(|(_, verdict)| matches!(verdict, Verdict::Invalid(_))));
    day.ends().await
}

#[tokio::test]
async fn the_limit_of_time_counts_from_the_signing() -> Result<()> {
    let day = morning("").await?;
    let phone = phone(&day).await?;
    let (soon, late) =
        (raise(&day, &phone, "lost-child", "k-1")?, raise(&day, &phone, "lost-child", "k-2")?);
    day.at("10:14").await?;
    day.gives(&soon).await?.expect(201)?;
    day.at("10:16").await?;
    let stale = day.gives(&late).await?.expect(202)?;
    assert_eq!((stale.text_at("/state"), stale.text_at("/refusal/code")), ("refused", "stale"));
    day.expect(posted("g-1", &["issued"])).await?;
    // A device whose clock is ahead is told so.
    let ahead = day.alert_of("lost-child", HERE, "20:00")?;
    let ahead = phone.raises(&day, (&ahead, day.now().plus_ms(121_000)), "k-3")?;
    let refused = day.gives(&ahead).await?.expect(400)?;
    assert_eq!(refused.problem()?.errors[0].0, "open.written_at_ms");
    day.ends().await
}

#[tokio::test]
async fn nobody_signs_for_another_nor_by_a_key_that_was_revoked() -> Result<()> {
    let day = morning("").await?;
    let an = phone(&day).await?;
    let binh = day.phone("binh", Standing::Officer(home()?), 8).await?;
    let chief = day.commander("chief", HERE).await?;
    day.asks_for_key(&binh).await?.expect(202)?;
    day.confirms_key(&chief, &binh).await?.expect(200)?;
    // Binh's key under An's name; An's signature replaced; a byte of what was signed.
    let forged = raise(&day, &an.with_key_of(&binh), "lost-child", "k-1")?;
    let ours = raise(&day, &an, "lost-child", "k-1")?;
    let mut replaced = ours.clone();
    replaced.envelope.signature = binh.signer().sign(&ours.envelope.open);
    let mut altered = ours.clone();
    let mut open = altered.envelope.open.to_vec();
    let last = open.len() - 1;
    open[last] ^= 1;
    altered.envelope.open = open.into();
    for (wrong, code) in
        [(forged, "other-signer"), (replaced, "bad-signature"), (altered, "bad-signature")]
    {
        let refused = day.gives(&wrong).await?.expect(403)?;
        assert_eq!(refused.problem()?.code, code);
    }
    // Words that are not those committed to, and an id that does not derive from the key.
    let mut reworded = ours.clone();
    reworded.envelope.salt = [0; 32];
    let mut moved = ours.clone();
    moved.key = "k-other".to_owned();
    for (wrong, field) in [(reworded, "commitment"), (moved, "id")] {
        let refused = day.gives(&wrong).await?.expect(400)?;
        assert_eq!(refused.problem()?.errors[0].0, field);
    }
    day.expect(quiet("g-1")).await?;

    // An officer revokes nobody else's; the own telephone is lost.
    let raised = day.gives(&ours).await?.expect(201)?;
    day.revokes_key(&binh.person, &an).await?.expect(403)?;
    day.revokes_key(&an.person, &an).await?.expect(200)?;
    let again = day.gives(&ours).await?.expect(403)?;
    assert_eq!(again.problem()?.code, "key-revoked");
    let cancel = an.acts(&day, (raised.text_at("/id"), "cancel"), &json!({}), "k-2").await?;
    assert_eq!(day.gives(&cancel).await?.expect(403)?.problem()?.code, "key-revoked");
    assert_eq!(day.asks_for_key(&an).await?.expect(409)?.problem()?.code, "key-revoked");
    // What was signed before stays signed.
    let verdicts = day.verdicts();
    let signed = verdicts.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Signed { .. }));
    assert_eq!(signed.count(), 1);
    assert!(!verdicts.iter().any(|(_, v)| *v == Verdict::Invalid(Flaw::RevokedKey)));
    day.ends().await
}

#[tokio::test]
async fn what_is_signed_must_be_what_the_rules_make_of_it() -> Result<()> {
    use prost::Message as _;
    let day = morning("").await?;
    let an = phone(&day).await?;
    let ours = raise(&day, &an, "lost-child", "k-1")?;
    let resigned = |change: fn(&mut wire::v1::Command)| -> Result<Sealed> {
        let mut command = wire::v1::Command::decode(ours.envelope.open.clone())?;
        change(&mut command);
        let mut sealed = ours.clone();
        sealed.envelope.open = command.encode_to_vec().into();
        sealed.envelope.signature = an.signer().sign(&sealed.envelope.open);
        Ok(sealed)
    };
    for (sealed, field) in [
        (resigned(|command| command.valid_until_ms = 0)?, "open.valid_until_ms"),
        (resigned(|command| command.correlation = vec![7; 16].into())?, "open.correlation"),
        (resigned(|command| command.causation = vec![7; 16].into())?, "open.causation"),
        (resigned(|command| command.sealed_fields.clear())?, "open.sealed_fields"),
        (resigned(|command| command.entity = None)?, "open.entity"),
        (resigned(|command| command.body = None)?, "open.body"),
    ] {
        let refused = day.gives(&sealed).await?.expect(400)?;
        let errors = refused.problem()?.errors;
        ensure!(errors.iter().any(|error| error.0 == field), "{field}: {errors:?}");
    }
    let chief = day.commander("chief", HERE).await?;
    assert_eq!(day.get(&chief, "/v1/alerts").await?.at("/alerts"), &json!([]));
    day.gives(&ours).await?.expect(201)?;
    day.ends().await
}

#[tokio::test]
async fn a_policy_wants_a_signature_for_what_tells_people_and_never_for_what_takes_back()
-> Result<()> {
    let day = morning(NEEDS_SIGNATURE).await?;
    let an = phone(&day).await?;
    let alert = day.alert_of("notice", HERE, "20:00")?;
    let alert = with(&alert, "/reach", json!({ "mode": "rings", "rings": 0 }));
    let by_token = day.raise(&an.person, &alert).await?.expect(403)?;
    assert_eq!(by_token.problem()?.code, "needs-signature");
    let exercise = with(&alert, "/status", json!("exercise"));
    day.raise(&an.person, &exercise).await?.expect(201)?;

    let signed = day.gives(&raise(&day, &an, "notice", "k-1")?).await?.expect(201)?;
    let id = signed.text_at("/id").to_owned();
    let more = json!({ "description": "Đổi giờ họp." });
    let update = day.act(&an.person, &id, "update", &more).await?.expect(403)?;
    assert_eq!(update.problem()?.code, "needs-signature");
    day.act(&an.person, &id, "correct", &more).await?.expect(200)?;
    let cancelled = day.act(&an.person, &id, "cancel", &json!({})).await?.expect(200)?;
    assert_eq!(cancelled.text_at("/state"), "cancelled");
    // Who reads the deliveries sees how it was attested.
    let deliveries = day.get(&an.person, &format!("/v1/alerts/{id}/deliveries")).await?;
    assert_eq!(deliveries.text_at("/attested"), "key");
    // Another kind needs none.
    let lost = day.alert_of("lost-child", HERE, "20:00")?;
    let lost = day.raise(&an.person, &lost).await?.expect(201)?;
    assert_eq!(lost.text_at("/attested"), "token");
    day.ends().await
}
