//! Whatever an officer can say with a token can be said with a key: every kind of command there is
//! is signed by somebody here, or stands in a short list with its reason.

use std::collections::BTreeSet;

use acceptance::{
    Person, Timeline, asked::with, group, maps::HOANG_THINH, phone::Phone, posted, timeline::WITHIN,
};
use anyhow::{Context, Result, ensure};
use domain::{ids::Home, rights::Standing};
use event_log::Recorded;
use history::Verdict;
use prost::Message as _;
use serde_json::{Value, json};
use stand_ins::telegram::{Chat, Telegram};
use support::{Answer, Reply};
use tokio::time::Instant;
use wire::v1::Command;

const HERE: &str = "15958";
const BESIDE: &str = "15925";
const FAR: &str = "15949";
const COMMANDS: &str = include_str!("../../../../proto/keng/v1/command.proto");
const TOKEN: &str = "77001:a-token-of-the-stand-in";
const POSTER: i64 = 4_242;

const OF_SERVICES: &str = "no person says it";
const OF_KEEPERS: &str = "said by who keeps the directory or the channels, at any process";
const OF_KEYS: &str = "a key that was stolen must neither bring in nor end another";
/// Kinds that nobody signs, each with the reason.
const NOT_SIGNED: [(&str, &str); 29] = [
    ("ExpireAlert", OF_SERVICES),
    ("RelayAlertFurther", OF_SERVICES),
    ("GrowAlert", OF_SERVICES),
    ("TakeAlertOnward", OF_SERVICES),
    ("MissAlertReview", OF_SERVICES),
    ("NearAlertExpiry", OF_SERVICES),
    ("TakeAlertInstruction", OF_SERVICES),
    ("NoteAlertBudget", OF_SERVICES),
    ("EscalateRelay", OF_SERVICES),
    ("EndFreeze", OF_SERVICES),
    ("ProposeMatch", OF_SERVICES),
    ("RetireAlert", OF_SERVICES),
    ("RestoreErasure", OF_SERVICES),
    ("FinishErasure", OF_SERVICES),
    ("AdoptMap", OF_SERVICES),
    ("AdoptDirectory", OF_SERVICES),
    ("MakeLinkKey", OF_SERVICES),
    ("RecordLook", OF_SERVICES),
    ("RecordOfficer", OF_KEEPERS),
    ("RecordGroup", OF_KEEPERS),
    ("RecordContact", OF_KEEPERS),
    ("RecordRoster", OF_KEEPERS),
    ("MakeToken", OF_KEEPERS),
    ("RevokeToken", OF_KEEPERS),
    ("SwitchChannel", OF_KEEPERS),
    ("RequeueDelivery", OF_KEEPERS),
    ("RegisterKey", OF_KEYS),
    ("ConfirmKey", OF_KEYS),
    ("RevokeKey", OF_KEYS),
];

/// Every kind that `command.proto` has.
fn kinds() -> BTreeSet<String> {
    let (_, body) = COMMANDS.split_once("oneof body {").unwrap_or_default();
    let (body, _) = body.split_once('}').unwrap_or_default();
    body.lines().filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect()
}

/// The kind of a command that a person has signed, and nobody has refused to believe.
fn signed_kind((recorded, verdict): (Recorded, Verdict)) -> Option<String> {
    let Verdict::Signed { officer, .. } = verdict else { return None };
    let command = Command::decode(recorded.open).ok()?;
    let said = format!("{:?}", command.body?);
    (!officer.starts_with("service:")).then(|| said.split('(').next().map(str::to_owned))?
}

/// A commune's officers, each with a device.
struct Stage {
    day: Timeline,
    an: Phone,
    chief: Phone,
    binh: Phone,
    desk: Phone,
    count: std::cell::Cell<u32>,
    _provider: Telegram,
}

impl Stage {
    async fn begin() -> Result<Self> {
        let provider = Telegram::start(TOKEN).await?;
        provider.set_chat(POSTER, Chat::Here);
        let secret = tempfile::NamedTempFile::new()?;
        std::fs::write(secret.path(), TOKEN)?;
        let channels = format!(
            "[bot]\ntype = \"telegram\"\nenabled = true\nurl = {:?}\ntoken = {{ file = {:?} }}\n",
            provider.url(),
            secret.path()
        );
        let mut day = Timeline::with_channels(("2025-04-13", HOANG_THINH, &channels)).await?;
        let poster = json!({
            "type": "poster", "via": "telegram", "account": "bot", "to": POSTER.to_string(),
        });
        let groups = [
            group("well", HERE).exercises(true),
            group("gone", HERE),
            group("beside", BESIDE),
            group("zalo", HERE).channel(poster),
        ];
        day.groups(groups).await?;
        day.at("10:00").await?;
        let home = |commune: &str| -> Result<Home> {
            Ok(Home { province: "38".parse()?, commune: commune.parse()? })
        };
        let an = day.phone("an", Standing::Officer(home(HERE)?), 7).await?;
        let chief = day.phone("chief", Standing::Commander(home(HERE)?), 8).await?;
        let binh = day.phone("binh", Standing::Officer(home(BESIDE)?), 9).await?;
        let desk = day.phone("giang", Standing::Province("38".parse()?), 10).await?;
        let admin = day.person("quan-tri", Standing::Admin).await?;
        for phone in [&an, &chief, &binh, &desk] {
            day.asks_for_key(phone).await?.expect(202)?;
            day.confirms_key(&admin, phone).await?.expect(200)?;
        }
        Ok(Self { day, an, chief, binh, desk, count: 0.into(), _provider: provider })
    }

    /// Signs what would be asked with a token; said twice, it is answered twice and done once.
    async fn say(&self, phone: &Phone, path: &str, body: Value, status: u16) -> Result<Answer> {
        self.count.set(self.count.get() + 1);
        let key = format!("k-{}", self.count.get());
        let sealed = phone.says(&self.day, path, &body, &key).await.context(path.to_owned())?;
        let answer = self.day.gives(&sealed).await?.expect(status).context(path.to_owned())?;
        let again = self.day.gives(&sealed).await?;
        ensure!(again.status < 300, "{path} again: {}", again.text);
        let commands = self.day.verdicts().into_iter().filter(|(recorded, _)| {
            recorded.id == sealed.envelope.id && recorded.kind == event_log::Kind::Command
        });
        ensure!(commands.count() == 1, "{path} stands in the log once");
        Ok(answer)
    }

    async fn act(&self, phone: &Phone, of: (&str, &str), body: Value) -> Result<Answer> {
        self.say(phone, &format!("/v1/alerts/{}/{}", of.0, of.1), body, 200).await
    }

    async fn raise(&self, phone: &Phone, alert: Value, status: u16) -> Result<String> {
        let raised = self.say(phone, "/v1/alerts", alert, status).await?;
        Ok(raised.text_at("/id").to_owned())
    }

    fn lost(&self, rings: u32) -> Result<Value> {
        let lost = self.day.alert_of("lost-child", HERE, "23:00")?;
        Ok(with(&lost, "/reach", json!({ "mode": "rings", "rings": rings })))
    }
}

/// An alert from its raise to its end, with all that a neighbour says.
async fn a_life(stage: &Stage) -> Result<String> {
    let Stage { day, an, chief, binh, .. } = stage;
    let lost = stage.raise(an, stage.lost(1)?, 201).await?;
    day.expect(posted("gone", &["issued"])).await?;
    stage.act(chief, (&lost, "review"), json!({})).await?;
    stage.act(binh, (&lost, "acknowledge"), json!({ "note": "Đã rõ." })).await?;
    stage.act(binh, (&lost, "instructions"), json!({ "instruction": "Ra bờ sông." })).await?;
    stage.act(binh, (&lost, "relay"), json!({ "communes": [FAR] })).await?;
    stage.act(binh, (&lost, "sighting"), json!({ "place": "cầu", "note": "Áo đỏ." })).await?;
    stage.act(an, (&lost, "update"), json!({ "description": "Đội mũ đỏ." })).await?;
    stage.act(an, (&lost, "widen"), json!({ "reach": { "mode": "rings", "rings": 2 } })).await?;
    stage.act(an, (&lost, "hold"), json!({})).await?;
    stage.act(an, (&lost, "release"), json!({})).await?;
    stage.act(an, (&lost, "resolve"), json!({ "note": "Đã về." })).await?;
    stage.act(an, (&lost, "reopen"), json!({ "note": "Nhầm cháu khác." })).await?;
    day.at("10:20").await?;
    day.sink()?.answer("/g/gone", Reply::status(410));
    day.sink()?.answer("/g/beside", Reply::status(410));
    stage.act(an, (&lost, "cancel"), json!({ "note": "Báo nhầm." })).await?;
    day.settle().await?;
    let told = json!({ "group": "gone", "note": "Đã gọi trưởng thôn." });
    stage.act(an, (&lost, "attest"), told).await?;
    // The commune of a group answers for it, and sees of the list what is its own.
    let told = json!({ "group": "beside", "channel": "webhook-1", "note": "Đã báo." });
    stage.act(binh, (&lost, "attest"), told).await?;
    Ok(lost)
}

async fn second_persons(stage: &Stage) -> Result<()> {
    let suspect = stage.day.alert_of("suspect", HERE, "23:00")?;
    let suspect = with(&suspect, "/person", json!({ "age": 30, "sex": "male" }));
    let suspect = with(&suspect, "/reach", json!({ "mode": "rings", "rings": 1 }));
    let one = stage.raise(&stage.an, suspect.clone(), 202).await?;
    stage.act(&stage.chief, (&one, "decline"), json!({ "note": "Chưa rõ." })).await?;
    let other = stage.raise(&stage.an, suspect, 202).await?;
    stage.act(&stage.chief, (&other, "approve"), json!({ "revision": 1 })).await?;
    stage.act(&stage.binh, (&other, "refuse"), json!({ "note": "Không có người." })).await?;
    Ok(())
}

/// What of the log is shown within a moment.
async fn shown(day: &Timeline, by: &Person, path: &str, at: &str) -> Result<Value> {
    let until = Instant::now() + WITHIN;
    loop {
        day.settle().await?;
        let answer = day.get(by, path).await?.expect(200)?;
        if !answer.at(at).is_null() {
            return Ok(answer.at(at).clone());
        }
        ensure!(Instant::now() < until, "no {at}: {}", answer.text);
        tokio::task::yield_now().await;
    }
}

async fn found_and_missing(stage: &Stage) -> Result<()> {
    let at = stage.day.rfc3339("10:10")?;
    let seen = json!({ "at": at, "lat": 19.8285, "lon": 105.8392, "place": "cầu" });
    stage.raise(&stage.an, with(&stage.lost(0)?, "/last_seen", seen.clone()), 201).await?;
    let found = stage.day.alert_of("found-child", BESIDE, "23:00")?;
    let found = with(&found, "/reach", json!({ "mode": "rings", "rings": 0 }));
    stage.raise(&stage.binh, with(&found, "/last_seen", seen), 201).await?;
    let id = shown(&stage.day, &stage.an.person, "/v1/matches", "/matches/0/id").await?;
    let path = format!("/v1/matches/{}", id.as_str().context("an id")?);
    let note = json!({ "note": "Đúng là cháu." });
    let said = stage.say(&stage.an, &format!("{path}/confirm"), note, 200).await?;
    assert_eq!(said.text_at("/state"), "confirmed");
    let said = stage.say(&stage.binh, &format!("{path}/dismiss"), json!({}), 200).await?;
    assert_eq!(said.text_at("/state"), "disputed");
    Ok(())
}

async fn a_drill_and_a_task(stage: &Stage) -> Result<()> {
    let exercise = with(&stage.lost(0)?, "/status", json!("exercise"));
    let drill = stage.raise(&stage.an, exercise, 201).await?;
    stage.day.settle().await?;
    let kept = stage.say(&stage.an, "/v1/drills", json!({ "alert": drill }), 201).await?;
    assert_eq!((kept.text_at("/alert"), kept.at("/groups")), (drill.as_str(), &json!(1)));

    let task = stage.raise(&stage.an, stage.lost(0)?, 201).await?;
    stage.day.settle().await?;
    let told = format!("/v1/alerts/{task}/deliveries");
    let told = stage.day.get(&stage.an.person, &told).await?.expect(200)?;
    let all = told.at("/deliveries").as_array().cloned().unwrap_or_default();
    let poster = all.iter().find(|one| one["type"] == "poster").context("a poster's task")?;
    let path = format!("/v1/deliveries/{}/posted", poster["id"].as_str().context("an id")?);
    let posted = stage.say(&stage.an, &path, json!({}), 200).await?;
    assert_eq!(posted.text_at("/state"), "attested-posted");
    Ok(())
}

async fn a_freeze(stage: &Stage) -> Result<()> {
    let until = stage.day.rfc3339("12:00")?;
    let asked = json!({ "commune": BESIDE, "until": until, "note": "Lộ mã." });
    let asked = stage.say(&stage.an, "/v1/freezes", asked, 201).await?;
    assert_eq!(asked.text_at("/state"), "asked");
    let path = format!("/v1/freezes/commune-{BESIDE}");
    let yes = json!({ "until": until });
    let frozen = stage.say(&stage.chief, &format!("{path}/confirm"), yes, 200).await?;
    assert_eq!(frozen.text_at("/state"), "in-force");
    for phone in [&stage.desk, &stage.chief] {
        let note = json!({ "note": "Đã đổi mã." });
        stage.say(phone, &format!("{path}/lift"), note, 200).await?;
    }
    Ok(())
}

async fn an_erasure(stage: &Stage, alert: &str) -> Result<()> {
    for phone in [&stage.desk, &stage.chief] {
        stage.act(phone, (alert, "legal-hold"), json!({ "note": "Đang điều tra." })).await?;
    }
    for phone in [&stage.desk, &stage.chief] {
        stage.act(phone, (alert, "legal-hold/lift"), json!({})).await?;
    }
    let asked = json!({ "basis": "subject-request", "note": "Gia đình xin." });
    let asked = stage.act(&stage.an, (alert, "erase"), asked).await?;
    assert_eq!(asked.text_at("/state"), "asked");
    let yes = json!({ "basis": "subject-request" });
    let ordered = stage.act(&stage.chief, (alert, "erase/confirm"), yes).await?;
    ensure!(["ordered", "erased"].contains(&ordered.text_at("/state")), "{}", ordered.text);
    Ok(())
}

#[tokio::test]
async fn whatever_an_officer_can_say_is_signed_by_somebody_here() -> Result<()> {
    let stage = Stage::begin().await?;
    let lost = a_life(&stage).await?;
    second_persons(&stage).await?;
    found_and_missing(&stage).await?;
    a_drill_and_a_task(&stage).await?;
    a_freeze(&stage).await?;
    an_erasure(&stage, &lost).await?;

    let verdicts = stage.day.verdicts();
    assert!(!verdicts.iter().any(|(_, verdict)| matches!(verdict, Verdict::Invalid(_))));
    let signed: BTreeSet<String> = verdicts.into_iter().filter_map(signed_kind).collect();
    let not_signed = NOT_SIGNED.map(|(kind, _)| kind.to_owned());
    let said: BTreeSet<String> = signed.iter().cloned().chain(not_signed.clone()).collect();
    assert_eq!(said, kinds(), "sign it here, or say why nobody signs it");
    assert!(!not_signed.iter().any(|kind| signed.contains(kind)), "{signed:?}");
    stage.day.ends().await
}
