//! The channel against its stand-in, and against none.

use super::*;
use crate::channels::{
    Reconciled,
    bot::tests::{NOW_S, logged, opened, photo, received, rendered, sent},
    testing::{intent, to},
};
use stand_ins::{
    bot::{Fate, Update},
    telegram::{Chat, Posted, Telegram as StandIn},
};

const TOKEN: &str = "110201543:a-token-of-tests";
const CHAT: i64 = -4_001;
const NEW: i64 = -1_001_234_567_890;
const SECRET: &str = "a_secret-of-ours";

fn channel_at(url: &str, attempt_ms: u64) -> Telegram {
    let http = Http::new().unwrap();
    let bot = Bot::new(&http, url, &Secret::new(TOKEN)).unwrap().with_attempt_ms(attempt_ms);
    Telegram { bot, calls: Some(CallSecret::new(&Secret::new(SECRET))) }
}

async fn pair() -> (StandIn, Telegram) {
    let telegram = StandIn::start(TOKEN).await.unwrap();
    telegram.set_chat(CHAT, Chat::Here);
    telegram.set_secret(SECRET);
    let channel = channel_at(&telegram.url(), 10_000);
    (telegram, channel)
}

async fn told(channel: &Telegram) -> Sent {
    sent(channel, &Rendered::text("Tìm cháu bé"), &CHAT.to_string(), 1).await
}

fn methods(telegram: &StandIn) -> Vec<String> {
    telegram.calls().iter().map(|call| call.method().to_owned()).collect()
}

fn is_accepted(sent: &Sent) -> bool {
    matches!(sent.outcome, Outcome::Accepted { .. })
}

fn unknown(why: &'static str) -> Outcome {
    Outcome::Unknown { after_s: None, why }
}

fn gone(why: &'static str) -> Outcome {
    Outcome::TargetGone { why: Cow::Borrowed(why) }
}

fn permanent(code: &'static str) -> Outcome {
    Outcome::Permanent { code: Cow::Borrowed(code) }
}

#[tokio::test]
async fn a_message_is_one_plain_text_without_a_preview() {
    let (telegram, channel) = pair().await;
    let message = rendered(&channel, "Cháu đi bộ", false);
    let expected = Outcome::Accepted { provider_id: Some("1001".to_owned()) };
    let told = sent(&channel, &message, "-4001", 1).await;
    assert_eq!(told, Sent::with(expected, 200_u32));
    let call = &telegram.calls()[0];
    assert_eq!((call.verb.as_str(), call.content_type.as_str()), ("POST", "application/json"));
    assert_eq!(call.path, format!("/bot{TOKEN}/sendMessage"));
    let text = "TÌM TRẺ LẠC: Tìm cháu bé 4 tuổi đi lạc\nCháu đi bộ\n\
                Đặc điểm: 4 tuổi, nam, áo đỏ\n\
                Thấy lần cuối: thôn Tây Anh Vinh, 17:30 ngày 21/11/2026\nGọi 113\n\
                xã Hoằng Thịnh, tỉnh Thanh Hoá – 17:40 ngày 21/11/2026\n\
                Kiểm tra 0123456789: https://keng.example.vn/v1/verify/0123456789";
    let expected =
        json!({"chat_id": CHAT, "text": text, "link_preview_options": {"is_disabled": true}});
    assert_eq!(call.json(), expected);
    // A channel has a name instead of a number.
    sent(&channel, &message, "@thontay", 1).await;
    assert_eq!(telegram.calls()[1].json()["chat_id"], "@thontay");
}

#[tokio::test]
async fn a_picture_goes_by_its_address_where_the_words_fit_under_it() {
    let (telegram, channel) = pair().await;
    let message = rendered(&channel, "Cháu đi bộ", true);
    assert!(message.warnings.is_empty());
    assert!(is_accepted(&sent(&channel, &message, "-4001", 1).await));
    let call = &telegram.calls()[0];
    assert_eq!(call.path, format!("/bot{TOKEN}/sendPhoto"));
    let expected = json!({"chat_id": CHAT, "photo": photo().url, "caption": message.as_text()});
    assert_eq!(call.json(), expected);

    let message = rendered(&channel, &"dài ".repeat(300), true);
    assert_eq!((message.photo.is_some(), &message.warnings[..]), (false, &["photo-left-out"][..]));
    assert!(is_accepted(&sent(&channel, &message, "-4001", 1).await));
    let posted = telegram.posted().pop().unwrap();
    assert_eq!((posted.photo, posted.has_preview), (None, false));

    let message = rendered(&channel, &"dài 🙂 ".repeat(2_000), true);
    assert_eq!(message.warnings, ["text-cut", "photo-left-out"]);
    assert!(message.as_text().encode_utf16().count() <= 4_096);
    assert!(is_accepted(&sent(&channel, &message, "-4001", 1).await));
}

#[tokio::test]
async fn words_do_not_fall_with_their_picture() {
    let (telegram, channel) = pair().await;
    telegram.refuse_pictures();
    let message = rendered(&channel, "Cháu đi bộ", true);
    assert!(is_accepted(&sent(&channel, &message, "-4001", 1).await));
    sent(&channel, &message, "-4001", 3).await;
    assert_eq!(methods(&telegram), ["sendPhoto", "sendMessage", "sendMessage"]);
}

#[tokio::test]
async fn nothing_that_a_citizen_said_acts() {
    let (telegram, channel) = pair().await;
    let said = "gọi @all xem [x](http://a.example.com) <b>ngay</b>";
    sent(&channel, &rendered(&channel, said, false), "-4001", 1).await;
    let body = telegram.calls()[0].json();
    let text = body["text"].as_str().unwrap();
    assert!(text.contains("gọi @ all xem [x](http[:]//a[.]example[.]com) <b>ngay</b>"), "{text}");
    assert!(body.get("parse_mode").is_none() && body.get("entities").is_none());
}

#[tokio::test]
async fn a_code_says_what_is_known() {
    let (telegram, channel) = pair().await;
    let down = || Outcome::ChannelDown { code: Cow::Borrowed("token") };
    for (code, words, expected) in [
        (400, "Bad Request: chat not found", gone("chat-not-found")),
        (400, "Bad Request: message is too long", permanent("too-long")),
        (400, "Bad Request: message text is empty", permanent("bad-request")),
        (401, "Unauthorized", down()),
        (403, "Forbidden: bot was blocked by the user", gone("blocked")),
        (403, "Forbidden: bot was kicked from the supergroup chat", gone("kicked")),
        (403, "Forbidden: user is deactivated", gone("deactivated")),
        (403, "Forbidden: bot can't initiate conversation with a user", gone("forbidden")),
        (404, "Not Found", down()),
        (409, "Conflict", unknown("status")),
        (429, "Too Many Requests", Outcome::Retry { after_s: None, why: "rate" }),
        (500, "Internal Server Error", unknown("status")),
        (502, "Bad Gateway", unknown("status")),
    ] {
        let body = json!({"ok": false, "error_code": code, "description": words});
        telegram.next(Fate::Answer(code, body.to_string()));
        assert_eq!(told(&channel).await, Sent::with(expected, code), "{code} {words}");
    }
    for (status, body, expected) in [
        (502, "<html>Bad Gateway</html>", unknown("status")),
        (404, "<html>Not Found</html>", unknown("status")),
        (403, "<html>blocked</html>", unknown("status")),
        (200, "<html>blocked</html>", unknown("answer")),
        (401, "", down()),
        (429, "", Outcome::Retry { after_s: None, why: "rate" }),
    ] {
        telegram.next(Fate::Answer(status, body.to_owned()));
        assert_eq!(told(&channel).await, Sent::with(expected, status), "{status} {body}");
    }
    assert!(telegram.posted().is_empty());
}

#[tokio::test]
async fn a_wish_for_time_is_passed_on_whole() {
    let (telegram, channel) = pair().await;
    for after_s in [1, 35, 100_000] {
        telegram.limit_next(after_s);
        let expected = Outcome::Retry { after_s: Some(after_s), why: "rate" };
        assert_eq!(told(&channel).await, Sent::with(expected, 429_u32));
    }
    assert!(telegram.posted().is_empty());
    assert!(is_accepted(&told(&channel).await));
}

#[tokio::test]
async fn who_has_moved_is_told_at_the_new_place_and_the_operator_of_it() {
    let (telegram, channel) = pair().await;
    telegram.set_chat(CHAT, Chat::MovedTo(NEW));
    telegram.set_chat(NEW, Chat::Here);
    let message = Rendered::text("Tìm cháu bé");
    let said =
        logged(async { assert!(is_accepted(&sent(&channel, &message, "-4001", 1).await)) }.boxed());
    let said = said.await;
    assert!(said.contains("a:1:g:c"), "{said}");
    assert!(!said.contains("4001") && !said.contains(&NEW.to_string()), "{said}");
    let text = "Tìm cháu bé".to_owned();
    let posted = [Posted { chat: NEW, text, photo: None, has_preview: false }];
    assert_eq!(telegram.posted(), posted);
    assert_eq!(telegram.calls()[1].json()["chat_id"], NEW);
}

#[tokio::test]
async fn a_move_and_a_picture_are_put_right_once_each() {
    let (telegram, channel) = pair().await;
    telegram.set_chat(CHAT, Chat::MovedTo(NEW));
    telegram.set_chat(NEW, Chat::Here);
    telegram.refuse_pictures();
    let message = rendered(&channel, "Cháu đi bộ", true);
    assert!(is_accepted(&sent(&channel, &message, "-4001", 1).await));
    assert_eq!(methods(&telegram), ["sendPhoto", "sendPhoto", "sendMessage"]);
    assert_eq!(telegram.posted().len(), 1);
    // Who moves on and on is not followed.
    telegram.set_chat(NEW, Chat::MovedTo(CHAT));
    let expected = Outcome::Retry { after_s: None, why: "chat-moved" };
    assert_eq!(told(&channel).await, Sent::with(expected, 400_u32));
    assert_eq!(telegram.calls().len(), 5);
}

#[tokio::test]
async fn a_second_call_is_within_the_one_attempt() {
    let (telegram, _) = pair().await;
    telegram.set_chat(CHAT, Chat::MovedTo(NEW));
    telegram.set_chat(NEW, Chat::Here);
    let channel = channel_at(&telegram.url(), 300);
    let moved = json!({"ok": false, "error_code": 400, "description": "Bad Request",
        "parameters": {"migrate_to_chat_id": NEW}});
    telegram.next(Fate::Answer(400, moved.to_string()));
    telegram.next(Fate::TakeAndHang);
    let begun = std::time::Instant::now();
    assert_eq!(told(&channel).await.outcome, unknown("timeout"));
    assert!(begun.elapsed().as_millis() >= 290);
    assert_eq!(telegram.posted().len(), 1);
}

#[tokio::test]
async fn where_the_bot_may_not_write_the_target_is_gone() {
    let (telegram, channel) = pair().await;
    for (chat, why) in
        [(Chat::Kicked, "kicked"), (Chat::Blocked, "blocked"), (Chat::Deactivated, "deactivated")]
    {
        telegram.set_chat(CHAT, chat);
        assert_eq!(told(&channel).await, Sent::with(gone(why), 403_u32));
    }
    let message = Rendered::text("Tìm cháu bé");
    let nobody = sent(&channel, &message, "17", 1).await;
    assert_eq!(nobody, Sent::with(gone("chat-not-found"), 400_u32));
    // A picture is not what is wrong there.
    let message = rendered(&channel, "Cháu đi bộ", true);
    let before = telegram.calls().len();
    sent(&channel, &message, "17", 1).await;
    assert_eq!(telegram.calls().len(), before + 1);
}

#[tokio::test]
async fn what_is_taken_without_an_answer_may_have_been_told() {
    let (telegram, channel) = pair().await;
    telegram.next(Fate::TakeAndCut);
    assert_eq!(told(&channel).await, Sent::with(unknown("reset"), 0_u32));
    assert_eq!(telegram.posted().len(), 1);
    telegram.next(Fate::Cut);
    assert_eq!(told(&channel).await.outcome, unknown("reset"));
    telegram.next(Fate::TakeAndHang);
    assert_eq!(told(&channel_at(&telegram.url(), 300)).await.outcome, unknown("timeout"));
    assert_eq!(telegram.posted().len(), 2);
    let message = Rendered::text("Tìm cháu bé");
    let asked = channel.reconcile(&message, &to("-4001"), intent("a:1:g:c", NOW_S)).await;
    assert_eq!(asked, Reconciled::CannotTell);
    drop(telegram);
    while let Outcome::Unknown { .. } = told(&channel).await.outcome {}
    assert_eq!(told(&channel).await.outcome, Outcome::Retry { after_s: None, why: "connect" });
}

#[tokio::test]
async fn a_probe_asks_for_the_bot_and_tells_nobody() {
    let (telegram, channel) = pair().await;
    assert_eq!(channel.probe().await, Health::Works);
    assert_eq!(methods(&telegram), ["getMe"]);
    telegram.next(Fate::Answer(502, "<html>".to_owned()));
    assert_eq!(channel.probe().await, Health::NotKnown { why: Cow::Borrowed("status") });
    telegram.change_token("110201543:new");
    assert_eq!(channel.probe().await, Health::Down { code: Cow::Borrowed("token") });
}

#[tokio::test]
async fn whoever_writes_is_a_tip_and_a_repeat_is_known() {
    let (telegram, channel) = pair().await;
    let (one, two) = (telegram.writes(CHAT, "Tôi thấy cháu"), telegram.writes(CHAT, "ở chợ"));
    let tip = |id: &str| vec![Inbound::Tip { from: CHAT.to_string(), message_id: id.to_owned() }];
    assert_eq!(received(&channel, &one).unwrap().inbound, tip("870000001"));
    assert_eq!(received(&channel, &one).unwrap().inbound, tip("870000001"));
    assert_eq!(received(&channel, &two).unwrap().inbound, tip("870000002"));
}

#[tokio::test]
async fn where_the_bot_comes_and_goes_is_told() {
    let (telegram, channel) = pair().await;
    let (left, joined) =
        (Inbound::Left { target: CHAT.to_string() }, Inbound::Joined { target: CHAT.to_string() });
    let ignored = |event: &str| Inbound::Ignored { event: event.to_owned() };
    for (old, new, expected) in [
        ("member", "kicked", left.clone()),
        ("administrator", "left", left),
        ("left", "member", joined.clone()),
        ("kicked", "administrator", joined),
        ("member", "administrator", ignored("my_chat_member")),
    ] {
        let update = telegram.becomes(CHAT, old, new);
        assert_eq!(received(&channel, &update).unwrap().inbound, [expected], "{old} {new}");
    }
    let chat = json!({"id": CHAT});
    for (kind, content, event) in [
        ("edited_message", json!({"chat": chat}), "edited_message"),
        ("message", json!({"chat": chat, "migrate_to_chat_id": NEW}), "migrate_to_chat_id"),
        ("message", json!({"chat": chat, "new_chat_members": []}), "new_chat_members"),
        ("my_chat_member", json!({"chat": chat}), "my_chat_member"),
        ("a_kind_to_come", json!(1), "a_kind_to_come"),
    ] {
        let update = telegram.update(kind, &content);
        assert_eq!(received(&channel, &update).unwrap().inbound, [ignored(event)], "{kind}");
    }
}

#[tokio::test]
async fn who_does_not_know_the_secret_is_not_heard_and_nonsense_is_refused() {
    let (telegram, mut channel) = pair().await;
    let update = telegram.writes(CHAT, "Tôi thấy cháu bé");
    for body in ["", "no", "{}", "{\"update_id\":1,\"message\":{}}"] {
        let update = Update { body: body.to_owned(), ..update.clone() };
        assert_eq!(received(&channel, &update), Err(NotReceived::NotReadable), "{body}");
    }
    for secret in ["", "a_secret-of-our", "A_secret-of-ours"] {
        telegram.set_secret(secret);
        let update = telegram.writes(CHAT, "Tôi thấy cháu bé");
        assert_eq!(received(&channel, &update), Err(NotReceived::NotSigned), "{secret}");
    }
    channel.calls = None;
    assert_eq!(received(&channel, &update), Err(NotReceived::Unsupported));
}

#[tokio::test]
async fn the_token_is_nowhere_but_on_the_wire() {
    let (telegram, channel) = pair().await;
    let said = logged(
        async {
            telegram.next(Fate::Answer(401, TOKEN.to_owned()));
            let shown = format!("{:?}{:?}", told(&channel).await, channel.bot);
            assert!(!shown.contains("a-token-of"), "{shown}");
            tracing::info!("here");
        }
        .boxed(),
    );
    let said = said.await;
    assert!(said.contains("here") && !said.contains("a-token-of"), "{said}");
}

#[tokio::test]
async fn an_account_is_off_until_it_is_switched_on_and_says_why() {
    let telegram = StandIn::start(TOKEN).await.unwrap();
    let table = |enabled: &str| {
        let url = telegram.url();
        format!("type = \"telegram\"\n{enabled}\ntoken = {{token}}\nurl = {url:?}")
    };
    for enabled in ["", "enabled = false", "enabled = \"true\""] {
        let why = opened(&table(enabled), TOKEN, SECRET).err().unwrap().to_string();
        assert!(why.contains("2312/CVT-CS, tháng 5/2025") && why.contains("bị yêu cầu chặn"));
        assert!(why.contains("ordered blocked in Viet Nam") && why.contains("May 2025"));
    }
    let accounts = opened(&table("enabled = true"), TOKEN, SECRET).unwrap();
    let way = accounts.way("bot", ChannelType::Telegram).unwrap();
    assert_eq!(way.channel.probe().await, Health::Works);
    let hooked = format!("{}\nwebhook-secret = {{secret}}", table("enabled = true"));
    assert!(opened(&hooked, TOKEN, SECRET).is_ok());
    let why = opened(&hooked, TOKEN, "bí mật").err().unwrap().to_string();
    assert!(why.contains("webhook-secret") && !why.contains("bí mật"), "{why}");
}
