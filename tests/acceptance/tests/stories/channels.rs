//! Channels where a repeat shows twice: what is known of each attempt, and what is done where
//! nobody knows. The provider is Telegram's stand-in, since its documentation is the best.

use std::path::PathBuf;

use acceptance::{
    Person, Started, Timeline, delivery, group, maps::HOANG_THINH, posted, timeline::WITHIN,
};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stand_ins::{
    bot::Fate,
    telegram::{Chat, Telegram},
};

const HERE: &str = "15958";
const TOKEN: &str = "1234:for-the-stand-in";
const CHAT: i64 = -100_200;

/// A commune, a bot in the chat of its one group, and who works there.
struct Story {
    day: Timeline,
    telegram: Telegram,
    an: Person,
    binh: Person,
    _token: TokenFile,
}

/// The bot's token, in a file that is gone with the story.
struct TokenFile(PathBuf);

impl Drop for TokenFile {
    fn drop(&mut self) {
        // Whatever is left lies in the folder for temporary files.
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn morning(other: Option<Value>) -> Result<Story> {
    let telegram = Telegram::start(TOKEN).await?;
    telegram.set_chat(CHAT, Chat::Here);
    let file = std::env::temp_dir().join(format!("keng-token-{}", uuid::Uuid::now_v7()));
    std::fs::write(&file, TOKEN)?;
    let channels = format!(
        "[bot]\ntype = \"telegram\"\nenabled = true\nurl = {:?}\ntoken = {{ file = {file:?} }}\n",
        telegram.url(),
    );
    let mut day = Timeline::with_channels(("2025-04-13", HOANG_THINH, &channels)).await?;
    let chat = json!({ "type": "telegram", "account": "bot", "to": CHAT.to_string() });
    let mut told = group("g-1", HERE).channel(chat);
    if let Some(other) = other {
        told = told.channel(other);
    }
    day.groups([told]).await?;
    let (an, binh) = (day.officer("an", HERE).await?, day.commander("binh", HERE).await?);
    day.at("10:00").await?;
    Ok(Story { day, telegram, an, binh, _token: TokenFile(file) })
}

impl Story {
    /// Raises an alert of this kind; answers with its id.
    async fn raise(&self, kind: &str) -> Result<String> {
        let alert = self.day.alert_of(kind, HERE, "20:00")?;
        let raised = self.day.raise_in_force(&self.an, &alert).await?;
        Ok(raised.text_at("/id").to_owned())
    }

    /// The newest delivery to the chat of the group.
    async fn seen(&self, alert: &str) -> Result<Value> {
        let path = format!("/v1/alerts/{alert}/deliveries");
        let answer = self.day.get(&self.an, &path).await?.expect(200)?;
        let all = answer.at("/deliveries").as_array().cloned().unwrap_or_default();
        let to_chat = |seen: &&Value| seen.pointer("/type") == Some(&json!("telegram"));
        all.iter().rfind(to_chat).cloned().context("a delivery to the chat")
    }

    fn shown(&self) -> usize {
        self.telegram.posted().len()
    }
}

#[tokio::test]
async fn what_the_provider_took_is_accepted_and_never_called_delivered() -> Result<()> {
    let story = morning(None).await?;
    let alert = story.raise("lost-child").await?;
    story.day.expect(delivery(&story.an, &alert, ("g-1", 1), Some("accepted"))).await?;
    let seen = story.seen(&alert).await?;
    ensure!(seen["delivered_at"].is_null() && !seen["accepted_at"].is_null(), "{seen}");
    let told = story.telegram.posted().remove(0).text;
    ensure!(told.starts_with("TÌM TRẺ LẠC: "), "{told}");
    // The record of the attempt stands in the log.
    let khanh = story.day.person("khanh", domain::rights::Standing::Auditor).await?;
    let lines = story.day.records(&khanh, &format!("?alert={alert}")).await?;
    ensure!(lines.iter().any(|line| line.kind == "AttemptsBegun"), "no record of the attempt");
    let records = format!("/v1/audit/records?alert={alert}");
    let records = story.day.get(&khanh, &records).await?.expect(200)?.text;
    ensure!(!records.contains(&CHAT.to_string()) && !records.contains(TOKEN), "{records}");
    story.day.ends().await
}

#[tokio::test]
async fn a_lost_child_may_be_told_of_twice() -> Result<()> {
    let story = morning(None).await?;
    story.telegram.next(Fate::TakeAndCut);
    let alert = story.raise("lost-child").await?;
    story.day.expect(delivery(&story.an, &alert, ("g-1", 1), Some("retrying"))).await?;
    story.day.at("10:00:19").await?;
    assert_eq!(story.shown(), 1, "not before somebody could have looked");
    story.day.at("10:01").await?;
    story.day.expect(delivery(&story.an, &alert, ("g-1", 1), Some("accepted"))).await?;
    assert_eq!(story.shown(), 2);
    story.day.ends().await
}

#[tokio::test]
async fn a_scam_warning_goes_to_a_person_who_has_it_told_again() -> Result<()> {
    let story = morning(None).await?;
    let Story { day, an, binh, .. } = &story;
    story.telegram.next(Fate::TakeAndCut);
    let alert = story.raise("scam-warning").await?;
    day.at("10:05").await?;
    // Revision 1 waited for the second person.
    day.expect(delivery(an, &alert, ("g-1", 2), Some("needs-person"))).await?;
    assert_eq!(story.shown(), 1, "nobody says it twice in silence");

    let dead = day.get(binh, "/v1/dead-letters").await?.expect(200)?;
    assert_eq!(dead.text_at("/dead_letters/0/state"), "needs-person");
    assert_eq!(dead.at("/dead_letters/0/may_have_arrived"), &json!(true));
    let id = dead.text_at("/dead_letters/0/id").to_owned();
    // Another commune sees none of it, and has nothing tried again.
    let far = day.commander("far", "15961").await?;
    let theirs = day.get(&far, "/v1/dead-letters").await?.expect(200)?;
    assert_eq!(theirs.at("/dead_letters"), &json!([]));
    let path = format!("/v1/deliveries/{id}/requeue");
    day.post(&far, &path, &json!({})).await?.expect(404)?;

    day.post(binh, &path, &json!({})).await?.expect(200)?;
    day.expect(delivery(an, &alert, ("g-1", 2), Some("accepted"))).await?;
    assert_eq!(story.shown(), 2);
    let dead = day.get(binh, "/v1/dead-letters").await?.expect(200)?;
    assert_eq!(dead.at("/dead_letters"), &json!([]));
    story.day.ends().await
}

#[tokio::test]
async fn where_another_channel_is_there_a_chat_that_is_gone_is_not_waited_for() -> Result<()> {
    let fallback = json!({ "type": "webhook", "use": "fallback", "after_s": 300 });
    let story = morning(Some(fallback)).await?;
    story.telegram.set_chat(CHAT, Chat::Kicked);
    let alert = story.raise("lost-child").await?;
    story.day.expect(posted("g-1", &["issued"])).await?;
    assert_eq!(story.seen(&alert).await?["state"], json!("failed"));
    // It was certainly not reached, so that the cancel goes to the other alone.
    story.day.act(&story.an, &alert, "cancel", &json!({})).await?.expect(200)?;
    story.day.expect(posted("g-1", &["issued", "cancelled"])).await?;
    assert_eq!(story.telegram.posted().len(), 0);
    story.day.ends().await
}

#[tokio::test]
async fn an_account_that_does_not_work_is_asked_and_not_called() -> Result<()> {
    let fallback = json!({ "type": "webhook", "use": "fallback", "after_s": 1_800 });
    let story = morning(Some(fallback)).await?;
    let Story { day, telegram, an, .. } = &story;
    telegram.change_token("5678:another");
    let alert = story.raise("lost-child").await?;
    day.expect(delivery(an, &alert, ("g-1", 1), Some("retrying"))).await?;
    day.leave_out("g-1");
    let channels = day.get(an, "/v1/channels").await?.expect(200)?;
    let bot = |answer: &support::Answer| {
        let all = answer.at("/channels").as_array().cloned().unwrap_or_default();
        all.into_iter().find(|one| one["account"] == json!("bot")).unwrap_or_default()
    };
    assert_eq!(bot(&channels)["state"], json!("down"));
    let sent = |telegram: &Telegram| {
        telegram.calls().iter().filter(|call| call.method() == "sendMessage").count()
    };
    assert_eq!(sent(telegram), 1);
    // A life may hang on it: the group's other channel is not kept back for half an hour.
    day.at("10:00:50").await?;
    assert_eq!(day.calls_to("g-1").len(), 0);
    day.at("10:02:10").await?;
    day.expect(posted("g-1", &["issued"])).await?;
    assert_eq!(sent(telegram), 1, "nothing is tried in vain");

    telegram.change_token(TOKEN);
    day.at("10:03").await?;
    day.count_in("g-1");
    day.expect(delivery(an, &alert, ("g-1", 1), Some("accepted"))).await?;
    let channels = day.get(an, "/v1/channels").await?.expect(200)?;
    assert_eq!(bot(&channels)["state"], json!("works"));
    story.day.ends().await
}

#[tokio::test]
async fn what_an_operator_stops_waits_and_its_cancel_tells_nobody() -> Result<()> {
    let story = morning(None).await?;
    let Story { day, an, .. } = &story;
    let admin = day.person("quan-tri", domain::rights::Standing::Admin).await?;
    day.post(an, "/v1/channels/telegram/stop", &json!({})).await?.expect(403)?;
    let wrong = day.post(&admin, "/v1/channels/zalo/stop", &json!({})).await?.expect(400)?;
    assert_eq!(wrong.text_at("/errors/0/field"), "name");
    day.post(&admin, "/v1/channels/telegram/stop", &json!({})).await?.expect(200)?;
    day.leave_out("g-1");
    let stopped = story.raise("lost-child").await?;
    day.at("10:01").await?;
    assert_eq!(story.seen(&stopped).await?["state"], json!("planned"));
    // Nothing of it ever left.
    day.act(an, &stopped, "cancel", &json!({})).await?.expect(200)?;
    let waits = story.raise("found-child").await?;
    day.at("10:02").await?;
    assert_eq!(story.shown(), 0);

    day.post(&admin, "/v1/channels/telegram/start", &json!({})).await?.expect(200)?;
    day.at("10:03").await?;
    day.count_in("g-1");
    day.expect(delivery(an, &waits, ("g-1", 1), Some("accepted"))).await?;
    day.expect(delivery(an, &stopped, ("g-1", 2), None)).await?;
    assert_eq!(story.shown(), 1);
    story.day.ends().await
}

/// Fan-out as a process of its own, whose call to the chat hangs when it is stopped: it leaves a
/// record of the attempt, and no word of its end. Then it is started again.
async fn interrupted(kind: &str) -> Result<(Timeline, Telegram, Person, String)> {
    let telegram = Telegram::start(TOKEN).await?;
    telegram.set_chat(CHAT, Chat::Here);
    let folder = tempfile::tempdir()?;
    let (token, file) = (folder.path().join("token"), folder.path().join("channels.toml"));
    std::fs::write(&token, TOKEN)?;
    std::fs::write(
        &file,
        format!(
            "[bot]\ntype = \"telegram\"\nenabled = true\nurl = {:?}\ntoken = {{ file = {token:?} }}\n",
            telegram.url(),
        ),
    )?;
    let mut day = Timeline::begin("2025-04-13", HOANG_THINH, Started::WithoutFanOut).await?;
    let chat = json!({ "type": "telegram", "account": "bot", "to": CHAT.to_string() });
    day.groups([group("g-1", HERE).channel(chat)]).await?;
    let an = day.officer("an", HERE).await?;
    day.at("10:00").await?;
    day.leave_out("g-1");
    let first = day.instance("f");
    first.fan_out_with(&file)?;
    first.has_read(&[]).await?;
    telegram.next(Fate::TakeAndHang);
    let alert = day.alert_of(kind, HERE, "20:00")?;
    let alert = day.raise_in_force(&an, &alert).await?.text_at("/id").to_owned();
    let deadline = std::time::Instant::now() + WITHIN;
    while telegram.posted().is_empty() {
        ensure!(std::time::Instant::now() < deadline, "nothing was sent");
        tokio::task::yield_now().await;
    }
    first.ends().await?;
    let again = day.instance("f");
    again.fan_out_with(&file)?;
    again.has_read(&[]).await?;
    day.count_in("g-1");
    day.at("10:01").await?;
    Ok((day, telegram, an, alert))
}

#[tokio::test]
async fn who_was_killed_in_a_call_tells_of_a_lost_child_again() -> Result<()> {
    let (day, telegram, an, alert) = interrupted("lost-child").await?;
    day.expect(delivery(&an, &alert, ("g-1", 1), Some("accepted"))).await?;
    assert_eq!(telegram.posted().len(), 2);
    day.ends().await
}

#[tokio::test]
async fn who_was_killed_in_a_call_says_no_notice_twice() -> Result<()> {
    let (day, telegram, an, alert) = interrupted("lost-property").await?;
    // Revision 1 waited for the second person.
    day.expect(delivery(&an, &alert, ("g-1", 2), Some("needs-person"))).await?;
    assert_eq!(telegram.posted().len(), 1);
    day.ends().await
}
