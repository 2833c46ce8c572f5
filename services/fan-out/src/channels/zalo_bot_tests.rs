//! The channel against its stand-in, and against none.

use super::*;
use crate::channels::{
    Reconciled,
    bot::tests::{NOW_S, logged, opened, photo, received, rendered, sent},
    testing::{intent, to},
};
use stand_ins::{
    bot::{Fate, Update},
    zalo_bot::{Posted, ZaloBot as StandIn},
};

const TOKEN: &str = "12345689:abc-xyz";
const CHAT: &str = "6ede9afa66b88fe6d6a9";
const SECRET: &str = "a-secret-of-ours";

fn channel_at(url: &str, attempt_ms: u64) -> ZaloBot {
    let http = Http::new().unwrap();
    let bot = Bot::new(&http, url, &Secret::new(TOKEN)).unwrap().with_attempt_ms(attempt_ms);
    ZaloBot { bot, calls: Some(CallSecret::new(&Secret::new(SECRET))) }
}

async fn pair() -> (StandIn, ZaloBot) {
    let zalo = StandIn::start(TOKEN, &[CHAT]).await.unwrap();
    zalo.set_secret(SECRET);
    let channel = channel_at(&zalo.url(), 10_000);
    (zalo, channel)
}

async fn told(channel: &ZaloBot) -> Sent {
    sent(channel, &Rendered::text("Tìm cháu bé"), CHAT, 1).await
}

fn permanent(code: &'static str) -> Outcome {
    Outcome::Permanent { code: Cow::Borrowed(code) }
}

fn unknown(why: &'static str) -> Outcome {
    Outcome::Unknown { after_s: None, why }
}

#[tokio::test]
async fn a_message_is_one_plain_text() {
    let (zalo, channel) = pair().await;
    let message = rendered(&channel, "Cháu đi bộ", false);
    let provider_id = Some("82599fa32f56d0000001".to_owned());
    let expected = Sent::with(Outcome::Accepted { provider_id }, 200_u32);
    assert_eq!(sent(&channel, &message, CHAT, 1).await, expected);
    let calls = zalo.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(
        (calls[0].verb.as_str(), calls[0].content_type.as_str()),
        ("POST", "application/json")
    );
    assert_eq!(calls[0].path, format!("/bot{TOKEN}/sendMessage"));
    let text = "TÌM TRẺ LẠC: Tìm cháu bé 4 tuổi đi lạc\nCháu đi bộ\n\
                Đặc điểm: 4 tuổi, nam, áo đỏ\n\
                Thấy lần cuối: thôn Tây Anh Vinh, 17:30 ngày 21/11/2026\nGọi 113\n\
                xã Hoằng Thịnh, tỉnh Thanh Hoá – 17:40 ngày 21/11/2026\n\
                Kiểm tra 0123456789: https://keng.example.vn/v1/verify/0123456789";
    assert_eq!(calls[0].json(), json!({"chat_id": CHAT, "text": text}));
}

#[tokio::test]
async fn a_picture_goes_by_its_address_with_the_words_under_it() {
    let (zalo, channel) = pair().await;
    let message = rendered(&channel, "Cháu đi bộ", true);
    assert!(matches!(sent(&channel, &message, CHAT, 1).await.outcome, Outcome::Accepted { .. }));
    let call = &zalo.calls()[0];
    assert_eq!(call.path, format!("/bot{TOKEN}/sendPhoto"));
    let expected = json!({"chat_id": CHAT, "photo": photo().url, "caption": message.as_text()});
    assert_eq!(call.json(), expected);
}

#[tokio::test]
async fn words_do_not_fall_with_their_picture() {
    let (zalo, channel) = pair().await;
    zalo.refuse_pictures();
    let message = rendered(&channel, "Cháu đi bộ", true);
    assert!(matches!(sent(&channel, &message, CHAT, 1).await.outcome, Outcome::Accepted { .. }));
    let text = message.as_text().to_owned();
    assert_eq!(zalo.posted(), [Posted { chat: CHAT.to_owned(), text, photo: None }]);
    // Nor are they shown again and again for it.
    sent(&channel, &message, CHAT, 3).await;
    let methods: Vec<_> = zalo.calls().iter().map(|call| call.method().to_owned()).collect();
    assert_eq!(methods, ["sendPhoto", "sendMessage", "sendMessage"]);
}

#[tokio::test]
async fn nothing_that_a_citizen_said_acts() {
    let (zalo, channel) = pair().await;
    let said = "gọi @all [@123] xem [x](http://a.example.com) <b>ngay</b>";
    let message = rendered(&channel, said, false);
    sent(&channel, &message, CHAT, 1).await;
    let body = zalo.calls()[0].json();
    let text = body["text"].as_str().unwrap();
    assert!(text.contains("gọi @ all [@ 123] xem [x](http[:]//a[.]example[.]com) <b>ngay</b>"));
    assert!(body.get("parse_mode").is_none() && body.get("text_styles").is_none());
}

#[test]
fn a_long_description_is_cut_and_it_is_said_so() {
    let channel = channel_at("http://127.0.0.1:9", 1);
    let message = rendered(&channel, &"dài 🙂 ".repeat(2_000), true);
    assert!(message.as_text().encode_utf16().count() <= 2_000);
    assert_eq!((message.warnings.as_slice(), message.photo.is_some()), (&["text-cut"][..], true));
    let message = rendered(&channel, "ngắn", false);
    assert!(message.warnings.is_empty() && message.photo.is_none());
}

#[tokio::test]
async fn a_code_says_what_is_known() {
    let gone = Outcome::TargetGone { why: Cow::Borrowed("chat-not-found") };
    let down = Outcome::ChannelDown { code: Cow::Borrowed("token") };
    let (zalo, channel) = pair().await;
    // Every refusal comes with its status first, and then at 200 with its code in the body alone.
    for is_at_200 in [false, true] {
        if is_at_200 {
            zalo.refuse_at_200();
        }
        for (code, words, expected) in [
            (400, "Bad request", permanent("bad-request")),
            (400, "Chat not found", gone.clone()),
            (401, "Unauthorized", down.clone()),
            (403, "Internal server error", unknown("status")),
            (404, "Chat does not exist", gone.clone()),
            (404, "Method not found", permanent("not-found")),
            (408, "Request timeout", unknown("status")),
            (426, "Upgrade required", unknown("status")),
            (429, "Quota exceeded", Outcome::Retry { after_s: None, why: "rate" }),
            (500, "Internal", unknown("status")),
            (503, "Busy", unknown("status")),
        ] {
            zalo.refuse_next(code, words);
            assert_eq!(told(&channel).await, Sent::with(expected, code), "{code} {words}");
        }
    }
    assert!(zalo.posted().is_empty());
}

#[tokio::test]
async fn an_answer_that_is_none_says_nothing() {
    let (zalo, channel) = pair().await;
    for (status, body, expected) in [
        (502, "<html>Bad Gateway</html>", unknown("status")),
        (404, "<html>Not Found</html>", unknown("status")),
        (400, "", unknown("status")),
        (302, "", unknown("status")),
        (200, "<html>Đăng nhập</html>", unknown("answer")),
        (200, "{}", unknown("answer")),
        (500, "{\"ok\":true}", unknown("status")),
        // Whoever stands in front of Zalo and says so has let nothing through.
        (401, "no", Outcome::ChannelDown { code: Cow::Borrowed("token") }),
        (429, "slow down", Outcome::Retry { after_s: None, why: "rate" }),
    ] {
        zalo.next(Fate::Answer(status, body.to_owned()));
        assert_eq!(told(&channel).await, Sent::with(expected, status), "{status} {body}");
    }
    // A code may come as a text, and what was sent may have no name.
    zalo.next(Fate::Answer(200, "{\"ok\":false,\"error_code\":\"429\",\"x\":[]}".to_owned()));
    assert_eq!(told(&channel).await.outcome, Outcome::Retry { after_s: None, why: "rate" });
    zalo.next(Fate::Answer(200, "{\"ok\":true}".to_owned()));
    assert_eq!(told(&channel).await.outcome, Outcome::Accepted { provider_id: None });
}

#[tokio::test]
async fn who_is_not_in_the_chat_and_who_is_over_the_quota_is_told_nothing() {
    let (zalo, channel) = pair().await;
    let message = Rendered::text("Tìm cháu bé");
    let sent_to = sent(&channel, &message, "nobody", 1).await;
    assert_eq!(sent_to.outcome, Outcome::TargetGone { why: Cow::Borrowed("chat-not-found") });
    zalo.set_quota(1);
    assert!(matches!(told(&channel).await.outcome, Outcome::Accepted { .. }));
    assert_eq!(told(&channel).await.outcome, Outcome::Retry { after_s: None, why: "rate" });
    assert_eq!(zalo.posted().len(), 1);
}

#[tokio::test]
async fn what_is_taken_without_an_answer_may_have_been_told() {
    let (zalo, channel) = pair().await;
    zalo.next(Fate::TakeAndCut);
    assert_eq!(told(&channel).await, Sent::with(unknown("reset"), 0_u32));
    assert_eq!(zalo.posted().len(), 1);
    zalo.next(Fate::Cut);
    assert_eq!(told(&channel).await.outcome, unknown("reset"));
    assert_eq!(zalo.posted().len(), 1);
    zalo.next(Fate::TakeAndHang);
    assert_eq!(told(&channel_at(&zalo.url(), 300)).await.outcome, unknown("timeout"));
    assert_eq!(zalo.posted().len(), 2);
    let message = Rendered::text("Tìm cháu bé");
    let asked = channel.reconcile(&message, &to(CHAT), intent("a:1:g:c", NOW_S)).await;
    assert_eq!(asked, Reconciled::CannotTell);
}

#[tokio::test]
async fn where_nobody_listens_nobody_is_told() {
    let (zalo, channel) = pair().await;
    drop(zalo);
    // The port is free once the server's task has ended.
    while let Outcome::Unknown { .. } = told(&channel).await.outcome {}
    assert_eq!(told(&channel).await.outcome, Outcome::Retry { after_s: None, why: "connect" });
}

#[tokio::test]
async fn a_probe_asks_for_the_bot_and_tells_nobody() {
    let (zalo, channel) = pair().await;
    assert_eq!(channel.probe().await, Health::Works);
    assert_eq!((zalo.calls()[0].method(), zalo.calls()[0].json()), ("getMe", json!({})));
    zalo.refuse_next(403, "Internal server error");
    assert_eq!(channel.probe().await, Health::NotKnown { why: Cow::Borrowed("status") });
    zalo.change_token("12345689:new");
    assert_eq!(channel.probe().await, Health::Down { code: Cow::Borrowed("token") });
    assert!(zalo.posted().is_empty());
}

#[tokio::test]
async fn whoever_writes_is_a_tip_whatever_it_is() {
    let (zalo, channel) = pair().await;
    let mut seen = Vec::new();
    for update in [
        zalo.writes(CHAT, "Tôi thấy cháu bé"),
        zalo.event("message.image.received", CHAT, &json!({"photo": "https://x/y", "caption": ""})),
        zalo.event("message.sticker.received", CHAT, &json!({"sticker": "1", "url": "https://x"})),
        zalo.event("message.voice.received", CHAT, &json!({"voice_url": "https://x/y.aac"})),
        zalo.withholds(CHAT),
    ] {
        let first = received(&channel, &update).unwrap();
        // Zalo posts again what was not answered: it is known by the same name.
        assert_eq!(received(&channel, &update).unwrap(), first);
        let [Inbound::Tip { from, message_id }] = first.inbound.as_slice() else { panic!() };
        assert_eq!(from, CHAT);
        seen.push(message_id.clone());
    }
    seen.dedup();
    assert_eq!(seen.len(), 5);
    // In a group, the answer goes to the group.
    let group = zalo.event(TIPS[0], "g1", &json!({"chat": {"id": "g1", "chat_type": "GROUP"}}));
    let inbound = received(&channel, &group).unwrap().inbound;
    assert!(matches!(&inbound[..], [Inbound::Tip { from, .. }] if from == "g1"));
}

#[tokio::test]
async fn what_is_not_known_is_ignored_and_what_is_no_event_refused() {
    let (zalo, channel) = pair().await;
    let read = |body: &str| {
        let update = Update { body: body.to_owned(), ..zalo.writes(CHAT, "") };
        received(&channel, &update).map(|received| received.inbound)
    };
    let ignored = |event: &str| Ok(vec![Inbound::Ignored { event: event.to_owned() }]);
    let new = zalo.event("message.hologram.received", CHAT, &json!({}));
    assert_eq!(read(&new.body), ignored("message.hologram.received"));
    for body in ["{}", "{\"ok\":true,\"result\":null}", "[]", "1"] {
        assert_eq!(read(body), ignored(""), "{body}");
    }
    let empty = json!({"result": {"event_name": TIPS[0]}}).to_string();
    for body in ["", "no", &empty] {
        assert_eq!(read(body), Err(NotReceived::NotReadable), "{body}");
    }
}

#[tokio::test]
async fn who_does_not_know_the_secret_is_not_heard() {
    let (zalo, mut channel) = pair().await;
    for secret in ["", "a-secret-of-our", "a-secret-of-ours2"] {
        zalo.set_secret(secret);
        let update = zalo.writes(CHAT, "Tôi thấy cháu bé");
        assert_eq!(received(&channel, &update), Err(NotReceived::NotSigned), "{secret}");
    }
    channel.calls = None;
    assert_eq!(received(&channel, &zalo.writes(CHAT, "")), Err(NotReceived::Unsupported));
}

#[tokio::test]
async fn the_token_is_nowhere_but_on_the_wire() {
    let (zalo, channel) = pair().await;
    let hanging = channel_at(&zalo.url(), 100);
    let said = logged(
        async {
            zalo.next(Fate::TakeAndHang);
            let shown = format!("{:?}", told(&hanging).await);
            zalo.refuse_next(401, TOKEN);
            let shown = format!("{shown}{:?}{:?}", told(&channel).await, channel.bot);
            assert!(!shown.contains("abc-xyz"), "{shown}");
            tracing::info!("here");
        }
        .boxed(),
    );
    let said = said.await;
    assert!(said.contains("here") && !said.contains("abc-xyz"), "{said}");
}

#[tokio::test]
async fn an_account_opens_with_a_token_and_no_more() {
    let zalo = StandIn::start(TOKEN, &[CHAT]).await.unwrap();
    let table = format!(
        "type = \"zalo-bot\"\ntoken = {{token}}\nwebhook-secret = {{secret}}\nurl = {:?}\n\
         per-minute = 30",
        zalo.url()
    );
    let accounts = opened(&table, TOKEN, SECRET).unwrap();
    let way = accounts.way("bot", ChannelType::ZaloBot).unwrap();
    assert_eq!(way.terms.per_minute, Some(30));
    assert_eq!(way.channel.probe().await, Health::Works);
    zalo.set_secret(SECRET);
    assert!(received(&*way.channel, &zalo.writes(CHAT, "")).is_ok());
    assert!(opened("type = \"zalo-bot\"\ntoken = {token}", TOKEN, SECRET).is_ok());
    for (table, token, secret, field) in [
        ("type = \"zalo-bot\"", TOKEN, SECRET, "token"),
        ("type = \"zalo-bot\"\ntoken = {token}\nx = 1", TOKEN, SECRET, "x"),
        ("type = \"zalo-bot\"\ntoken = {token}", "1:abc-xyz/../", SECRET, "token"),
        (table.as_str(), TOKEN, "abc-xyz", "webhook-secret"),
        ("type = \"zalo-bot\"\ntoken = {token}\nurl = \"x\"", TOKEN, SECRET, "url"),
    ] {
        let why = opened(table, token, secret).err().unwrap().to_string();
        assert!(why.contains("[bot]") && why.contains(field), "{why}");
        assert!(!why.contains("abc-xyz"), "{why}");
    }
}
