//! Hoằng Thịnh, 13 April 2025: a neighbour that is silent. Its next contact is asked, then the
//! province's duty desk; an answer ends that at once, also after a restart.

use acceptance::{
    Instance, Person, Started, Timeline, asked::with, group, maps::HOANG_THINH, people::request,
    posted, timeline::WITHIN,
};
use anyhow::{Context, Result};
use axum::{body::Body, http::Method};
use domain::rights::Standing;
use serde_json::{Value, json};
use support::{Answer, Stream};

const HERE: &str = "15958";
const ANSWERS: &str = "15925";
const SILENT: &str = "15952";
const FURTHER: &str = "15946";

/// A child is lost in Hoằng Thịnh at 17:30; the two neighbours are told.
async fn raised(day: &Timeline, an: &Person, status: &str) -> Result<String> {
    day.at("17:30").await?;
    let lost = day.alert_of("lost-child", HERE, "2025-04-14 17:30")?;
    let lost = with(&lost, "/status", json!(status));
    let reach = json!({ "mode": "communes", "communes": [ANSWERS, SILENT] });
    let raised = day.raise(an, &with(&lost, "/reach", reach)).await?.expect(201)?;
    Ok(raised.text_at("/id").to_owned())
}

/// The commune in an alert as somebody sees it.
fn commune<'a>(alert: &'a Answer, code: &str) -> Result<&'a Value> {
    let communes = alert.at("/communes").as_array().context("communes")?;
    communes.iter().find(|one| one["code"] == json!(code)).context("the commune")
}

/// Where a commune stands, and who else was asked when, as the issuing officer sees it.
async fn seen(
    day: &Timeline,
    (an, alert): (&Person, &str),
    code: &str,
) -> Result<(String, Vec<(String, String)>)> {
    let answer = day.alert(an, alert).await?.expect(200)?;
    let commune = commune(&answer, code)?;
    let asked = commune["escalated_to"].as_array().context("escalated_to")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let asked = asked.iter().map(|one| {
        let officers: Vec<String> =
            one["officers"].as_array().into_iter().flatten().map(&text).collect();
        (format!("{} {}", text(&one["step"]), officers.join(" ")), text(&one["at"]))
    });
    Ok((text(&commune["standing"]), asked.collect()))
}

async fn alerting(day: &Timeline) -> Result<Instance> {
    let instance = day.instance("alerting");
    instance.alerting();
    instance.has_read(&[]).await?;
    day.decides(true);
    Ok(instance)
}

async fn stops(day: &Timeline, instance: Instance) -> Result<()> {
    day.settle().await?;
    day.decides(false);
    instance.ends().await
}

async fn stream(day: &Timeline, person: &Person) -> Result<Stream> {
    let asked = request(person, Method::GET, "/v1/stream").body(Body::empty())?;
    Ok(Stream::of_body(tower::ServiceExt::oneshot(day.routes().clone(), asked).await?.into_body()))
}

/// The next answer on a stream that says this of where the commune stands.
async fn told(stream: &mut Stream, standing: &str, steps: usize) -> Result<()> {
    let fits = |event: &support::Event| {
        let told = event.json();
        event.kind == "answer"
            && told.pointer("/commune/standing") == Some(&json!(standing))
            && told.pointer("/commune/escalated_to").and_then(Value::as_array).map(Vec::len)
                == Some(steps)
    };
    stream.wait_for(WITHIN, fits).await.map(|_| ())
}

#[tokio::test]
async fn a_neighbour_who_is_silent() -> Result<()> {
    let mut day = Timeline::begin("2025-04-13", HOANG_THINH, Started::WithoutAlerting).await?;
    day.groups([group("g-1", HERE), group("g-2", ANSWERS), group("g-3", SILENT)]).await?;
    let an = day.officer("an", HERE).await?;
    let binh = day.officer("binh", ANSWERS).await?;
    let chi = day.commander("chi", SILENT).await?;
    let dung = day.province("dung", "38").await?;
    let khanh = day.person("khanh", Standing::Auditor).await?;
    let first = alerting(&day).await?;
    let alert = raised(&day, &an, "actual").await?;
    let an_s = (&an, alert.as_str());
    let mut at_silent = stream(&day, &chi).await?;
    let mut at_desk = stream(&day, &dung).await?;

    day.at("17:32").await?;
    let answered = day.act(&binh, &alert, "acknowledge", &json!({})).await?.expect(200)?;
    assert_eq!(commune(&answered, ANSWERS)?["answer"], json!("acknowledged"));
    assert_eq!(commune(&answered, SILENT)?["answer"], json!(null));
    assert_eq!(commune(&answered, SILENT)?["answer_due"], json!("2025-04-13T10:35:00.000Z"));
    assert_eq!(commune(&answered, HERE)?["standing"], json!(null));
    day.at("17:34:59").await?;
    assert_eq!(seen(&day, an_s, SILENT).await?, ("relayed".to_owned(), vec![]));

    day.at("17:35").await?;
    let second = ("second-contact chi".to_owned(), "2025-04-13T10:35:00.000Z".to_owned());
    let silent = || "silent".to_owned();
    assert_eq!(seen(&day, an_s, SILENT).await?, (silent(), vec![second.clone()]));
    told(&mut at_silent, "silent", 1).await?;
    told(&mut at_desk, "silent", 1).await?;

    // A restart neither forgets nor repeats a step.
    stops(&day, first).await?;
    let again = alerting(&day).await?;
    day.at("17:39:59").await?;
    assert_eq!(seen(&day, an_s, SILENT).await?, (silent(), vec![second.clone()]));
    day.at("17:40").await?;
    let desk = ("province-desk dung".to_owned(), "2025-04-13T10:40:00.000Z".to_owned());
    let steps = vec![second, desk];
    assert_eq!(seen(&day, an_s, SILENT).await?, (silent(), steps.clone()));
    told(&mut at_silent, "silent", 2).await?;
    told(&mut at_desk, "silent", 2).await?;

    day.at("17:42").await?;
    day.act(&chi, &alert, "acknowledge", &json!({})).await?.expect(200)?;
    let acknowledged = ("acknowledged".to_owned(), steps);
    assert_eq!(seen(&day, an_s, SILENT).await?, acknowledged);
    told(&mut at_desk, "acknowledged", 2).await?;
    stops(&day, again).await?;
    let last = alerting(&day).await?;
    day.at("20:00").await?;
    assert_eq!(seen(&day, an_s, SILENT).await?, acknowledged);
    assert_eq!(seen(&day, an_s, ANSWERS).await?, ("acknowledged".to_owned(), vec![]));

    let lines = day.records(&khanh, &format!("?alert={alert}")).await?;
    let of = |code: &str| -> Vec<(String, String)> {
        let own = lines.iter().filter(|line| line.entity == format!("relay-{alert}-{code}"));
        own.map(|line| (line.kind.clone(), line.actor.clone())).collect()
    };
    let line = |kind: &str, actor: &str| (kind.to_owned(), actor.to_owned());
    let service = "service:alerting";
    let wanted = [
        line("EscalateRelay", service),
        line("RelayEscalated", service),
        line("EscalateRelay", service),
        line("RelayEscalated", service),
        line("AcknowledgeRelay", "chi"),
        line("RelayAcknowledged", "chi"),
    ];
    assert_eq!(of(SILENT), wanted);
    assert_eq!(of(ANSWERS), [line("AcknowledgeRelay", "binh"), line("RelayAcknowledged", "binh")]);
    assert_eq!(of(HERE), []);
    last.ends().await?;
    day.ends().await
}

#[tokio::test]
async fn an_answer_and_the_end_of_the_alert_stop_the_escalation() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("g-1", HERE)]).await?;
    let an = day.officer("an", HERE).await?;
    let binh = day.officer("binh", ANSWERS).await?;
    let alert = raised(&day, &an, "actual").await?;
    day.at("17:34").await?;
    day.act(&binh, &alert, "refuse", &json!({ "note": "Không có người." })).await?.expect(200)?;
    day.at("17:36").await?;
    // Nobody has a token for it: that nobody was asked is said as well, and the desk is next.
    let (standing, asked) = seen(&day, (&an, &alert), SILENT).await?;
    let steps: Vec<&str> = asked.iter().map(|(step, _)| step.trim_end()).collect();
    assert_eq!((standing.as_str(), steps), ("silent", vec!["second-contact", "province-desk"]));
    assert_eq!(seen(&day, (&an, &alert), ANSWERS).await?, ("refused".to_owned(), vec![]));

    let other = day.alert_of("hazard", HERE, "2025-04-14 17:30")?;
    let other = with(&other, "/reach", json!({ "mode": "communes", "communes": [SILENT] }));
    let other = with(&other, "/status", json!("exercise"));
    let other = day.raise(&an, &other).await?.expect(201)?;
    let other = other.text_at("/id");
    day.at("17:38").await?;
    day.act(&an, other, "cancel", &json!({})).await?.expect(200)?;
    day.at("19:00").await?;
    assert_eq!(seen(&day, (&an, other), SILENT).await?, ("relayed".to_owned(), vec![]));
    day.ends().await
}

#[tokio::test]
async fn a_commune_s_own_instructions_are_for_its_own_people() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("g-1", HERE), group("g-2", ANSWERS), group("g-3", SILENT)]).await?;
    let an = day.officer("an", HERE).await?;
    let binh = day.officer("binh", ANSWERS).await?;
    let dung = day.province("dung", "38").await?;
    let em = day.officer("em", FURTHER).await?;
    let khanh = day.person("khanh", Standing::Auditor).await?;
    let alert = raised(&day, &an, "actual").await?;
    let words = "Đội dân quân tập trung ở nhà văn hóa.";
    let body = json!({ "instruction": words });
    day.expect(posted("g-2", &["issued"])).await?;
    let instructed = day.act(&binh, &alert, "instructions", &body).await?.expect(200)?;
    // Who instructs has the alert in hand.
    assert_eq!(commune(&instructed, ANSWERS)?["answer"], json!("acknowledged"));
    assert_eq!(commune(&instructed, ANSWERS)?["instructed_at"], json!("2025-04-13T10:30:00.000Z"));
    // Its groups are told at once, whose word it is, and nobody else's are.
    day.expect(posted("g-2", &["issued", "updated"])).await?;
    let told = |group: &str| -> Vec<String> {
        let calls = day.calls_to(group);
        let said = |path: &str, call: &support::Call| {
            call.json().pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        calls.iter().map(|call| said("/data/alert/instruction", call)).collect()
    };
    let named = format!("Hoằng Quang: {words}");
    let (before, after) = told("g-2").split_first().map(|(a, b)| (a.clone(), b.to_vec())).unwrap();
    assert!(!before.contains(words), "{before}");
    assert!(matches!(&after[..], [after] if after.ends_with(&named)), "{after:?}");
    for other in ["g-1", "g-3"] {
        day.expect(posted(other, &["issued"])).await?;
    }
    let path = format!("/v1/alerts/{alert}/instructions");
    let wanted = json!([{
        "commune": ANSWERS,
        "instruction": words,
        "officer": "binh",
        "at": "2025-04-13T10:30:00.000Z",
    }]);
    for reader in [&binh, &dung] {
        let answer = day.get(reader, &path).await?.expect(200)?;
        assert_eq!(answer.at("/instructions"), &wanted);
    }
    let others = day.get(&an, &path).await?.expect(200)?;
    assert_eq!(others.at("/instructions"), &json!([]));
    day.get(&em, &path).await?.expect(404)?;
    day.act(&em, &alert, "instructions", &body).await?.expect(404)?;
    for wrong in [json!({}), json!({ "instruction": "x".repeat(501) })] {
        let refused = day.act(&binh, &alert, "instructions", &wrong).await?.expect(400)?;
        assert_eq!(refused.problem()?.errors[0].0, "instruction");
    }
    day.records(&khanh, &format!("?alert={alert}")).await?;
    let text = day.get(&khanh, &format!("/v1/audit/records?alert={alert}")).await?.text;
    assert!(text.contains("RelayInstructed") && !text.contains("nhà văn hóa"), "{text}");
    // What comes later carries it as well, in this commune alone, until there is nothing to do.
    day.at("17:40").await?;
    let more = json!({ "description": "Đội mũ đỏ." });
    day.act(&an, &alert, "update", &more).await?.expect(200)?;
    day.expect(posted("g-2", &["issued", "updated", "updated"])).await?;
    day.expect(posted("g-3", &["issued", "updated"])).await?;
    assert!(told("g-2").last().is_some_and(|text| text.ends_with(&named)), "{:?}", told("g-2"));
    assert!(told("g-3").iter().all(|text| !text.contains(words)));
    day.act(&an, &alert, "cancel", &json!({})).await?.expect(200)?;
    day.expect(posted("g-2", &["issued", "updated", "updated", "cancelled"])).await?;
    assert!(told("g-2").last().is_some_and(|text| !text.contains(words)));
    let late = day.act(&binh, &alert, "instructions", &body).await?.expect(409)?;
    assert_eq!(late.problem()?.code, "closed");
    day.ends().await
}

#[tokio::test]
async fn a_commune_relays_onward_and_never_back() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("g-1", HERE)]).await?;
    let an = day.officer("an", HERE).await?;
    day.groups([group("g-4", FURTHER).exercises(true)]).await?;
    let binh = day.officer("binh", ANSWERS).await?;
    let khanh = day.person("khanh", Standing::Auditor).await?;
    // What one person sent is not taken further before a second has looked at it.
    let alone = raised(&day, &an, "actual").await?;
    let body = json!({ "communes": [FURTHER] });
    let held = day.act(&binh, &alone, "relay", &body).await?.expect(409)?;
    assert_eq!(held.problem()?.code, "reach-held");
    let alert = raised(&day, &an, "exercise").await?;
    let relay = async |to: &[&str]| {
        let body = json!({ "communes": to, "note": "Gần bờ sông." });
        day.act(&binh, &alert, "relay", &body).await
    };
    // The issuing commune and its neighbours have it: that changes nothing but the answer.
    let back = relay(&[HERE, SILENT]).await?.expect(200)?;
    assert_eq!(commune(&back, ANSWERS)?["answer"], json!("acknowledged"));
    relay(&[FURTHER, HERE]).await?.expect(200)?;
    relay(&[FURTHER]).await?.expect(200)?;
    let wrong = relay(&["99999"]).await?.expect(400)?;
    assert_eq!(wrong.problem()?.errors[0].0, "communes[0]");
    // The alert takes it into its own reach, and its groups are told.
    day.expect(posted("g-4", &["issued"])).await?;
    let seen = day.alert(&an, &alert).await?.expect(200)?;
    let taken = commune(&seen, FURTHER)?;
    assert_eq!((&taken["reason"], &taken["standing"]), (&json!("onward"), &json!("relayed")));
    let lines = day.records(&khanh, &format!("?alert={alert}")).await?;
    let of = |kind: &str| -> Vec<&Value> {
        lines.iter().filter(|line| line.kind == kind).map(|line| &line.data).collect()
    };
    let onward = of("RelayedOnward");
    assert_eq!((onward.len(), of("TakeAlertOnward").len()), (1, 1), "{onward:?}");
    let further = json!([{ "province": "38", "commune": FURTHER }]);
    assert_eq!((&onward[0]["communes"], &onward[0]["hops"]), (&further, &json!(1)));
    day.ends().await
}

#[tokio::test]
async fn an_alert_is_not_relayed_onward_for_ever() -> Result<()> {
    let mut day = Timeline::on("2025-04-13", HOANG_THINH).await?;
    day.groups([group("g-1", HERE)]).await?;
    let an = day.officer("an", HERE).await?;
    let alert = raised(&day, &an, "exercise").await?;
    let chain = [ANSWERS, FURTHER, "15949", "15961", "15970"];
    for (hop, pair) in chain.windows(2).enumerate() {
        let officer = day.officer(&format!("o-{hop}"), pair[0]).await?;
        let body = json!({ "communes": [pair[1]] });
        let relayed = day.act(&officer, &alert, "relay", &body).await?;
        if hop < 3 {
            relayed.expect(200)?;
            day.settle().await?;
        } else {
            assert_eq!(relayed.expect(409)?.problem()?.code, "too-many-hops");
        }
    }
    day.ends().await
}
