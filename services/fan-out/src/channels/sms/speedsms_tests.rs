//! The channel against SpeedSMS on loopback, and its calls back.

use std::path::PathBuf;

use domain::ids::Millis;
use stand_ins::speedsms::{Fate, SpeedSms as Provider, TOKEN};

use super::*;
use crate::channels::{
    Reconciled,
    address::Guard,
    http::HeaderMap,
    testing::{intent, to},
};

const NUMBER: &str = "84912345678";
const NOW_S: i64 = 1_795_257_601;
const PATH: &str = "an-address-that-nobody-guesses";

fn fields(base_url: &str) -> Fields {
    Fields {
        token: Secret::new(TOKEN),
        sender: "KENG".to_owned(),
        sms_type: None,
        unicode: false,
        segments: None,
        base_url: Some(base_url.to_owned()),
        callback_url: None,
        callback_secret: Some(Secret::new(PATH)),
    }
}

fn of(fields: Fields) -> Result<SpeedSms, String> {
    let tools = Tools {
        receipts: crate::channels::testing::receipts(),
        http: Http::new().unwrap(),
        guard: Guard::new(true),
        folder: PathBuf::new(),
        public_url: "https://keng.example.vn".to_owned(),
    };
    SpeedSms::of("sms-2", fields, &tools)
}

async fn send_to(speedsms: &SpeedSms, number: &str) -> Sent {
    let message = Rendered::text("TIM TRE LAC");
    let sent = speedsms.send(&message, &to(number), intent("a:1:g:c", NOW_S)).await;
    assert!(!format!("{sent:?}").contains(number));
    sent
}

fn receive(path: &str, body: &str) -> Result<Vec<Inbound>, NotReceived> {
    let headers = HeaderMap::new();
    let now = Millis(NOW_S * 1_000);
    let body = body.as_bytes();
    let request = RawRequest { method: "POST", path, query: "", headers: &headers, body, now };
    let received = of(fields("http://localhost")).unwrap().receive(request);
    received.map(|received| received.inbound)
}

#[tokio::test]
async fn a_request_is_this_and_a_repeat_shows_twice() {
    let provider = Provider::start().await.unwrap();
    let speedsms = of(fields(&provider.url())).unwrap();
    for tran_id in ["7001", "7002"] {
        let taken = Outcome::Accepted { provider_id: Some(tran_id.to_owned()) };
        assert_eq!(send_to(&speedsms, NUMBER).await, Sent::with(taken, 200_u32));
    }
    let expected =
        json!({"to": [NUMBER], "content": "TIM TRE LAC", "sms_type": 3, "sender": "KENG"});
    assert_eq!(provider.calls(), [expected.clone(), expected]);
    assert_eq!(provider.messages().len(), 2);
    assert_eq!(speedsms.caps().repeats, Repeats::ShownTwice);
    let asked = speedsms.reconcile(&Rendered::text("x"), &to(NUMBER), intent("a:1:g:c", 1)).await;
    assert_eq!(asked, Reconciled::CannotTell);
}

#[tokio::test]
async fn each_code_has_its_class() {
    let provider = Provider::start().await.unwrap();
    let speedsms = of(fields(&provider.url())).unwrap();
    let (retry, unknown) = ("Retry", "Unknown");
    let (refused, gone, down) = ("Permanent", "TargetGone", "ChannelDown");
    for (fate, class, why, status) in [
        (Fate::Code("007"), down, "ip", 7),
        (Fate::Code("008"), down, "locked", 8),
        (Fate::Code("009"), down, "not-allowed", 9),
        (Fate::Code("101"), refused, "request", 101),
        (Fate::Code("105"), gone, "number", 105),
        (Fate::Code("110"), refused, "encoding", 110),
        (Fate::Code("113"), refused, "too-long", 113),
        (Fate::Code("300"), down, "money", 300),
        (Fate::Code("500"), unknown, "status", 500),
        (Fate::Code("999"), unknown, "code", 999),
        (Fate::Status(200), unknown, "unreadable", 200),
        (Fate::Status(401), down, "key", 401),
        (Fate::Status(429), retry, "rate", 429),
        (Fate::Status(502), unknown, "status", 502),
        (Fate::Cut, unknown, "reset", 0),
    ] {
        provider.next([fate.clone()]);
        let sent = send_to(&speedsms, NUMBER).await;
        assert!(format!("{:?}", sent.outcome).starts_with(class), "{fate:?}: {sent:?}");
        assert_eq!((sent.outcome.trouble(), sent.status), (why, status), "{fate:?}");
    }
    assert!(provider.messages().is_empty());
    provider.next([Fate::CutWhenTaken]);
    assert_eq!(send_to(&speedsms, NUMBER).await.outcome.trouble(), "reset");
    assert_eq!(provider.messages().len(), 1);
    let sent = send_to(&speedsms, "0000").await;
    assert_eq!(sent.outcome, Outcome::TargetGone { why: "number".into() });
}

#[tokio::test]
async fn the_account_is_asked_for_its_balance() {
    let provider = Provider::start().await.unwrap();
    let speedsms = of(fields(&provider.url())).unwrap();
    assert_eq!(speedsms.probe().await, Health::Works);
    provider.is_broke();
    assert_eq!(speedsms.probe().await, Health::Down { code: "money".into() });
    assert_eq!(send_to(&speedsms, NUMBER).await.outcome.trouble(), "money");
    let wrong = of(Fields { token: Secret::new("x"), ..fields(&provider.url()) }).unwrap();
    assert_eq!(wrong.probe().await, Health::Down { code: "key".into() });
}

#[test]
fn a_status_is_read_where_the_address_is_right() {
    let arrived = Inbound::Receipt {
        provider_id: "7001".to_owned(),
        level: Level::Delivered,
        at: Millis(NOW_S * 1_000),
    };
    let body = r#"{"type":"report","tranId":7001,"phone":"84912345678","status":0,"new":1}"#;
    assert_eq!(receive(PATH, body), Ok(vec![arrived.clone()]));
    assert_eq!(receive(PATH, &body.replace("7001", "\"7001\"")), Ok(vec![arrived]));
    assert_eq!(receive("elsewhere", body), Err(NotReceived::NotSigned));
    assert_eq!(receive("elsewhere", "no JSON"), Err(NotReceived::NotSigned));
    assert_eq!(receive(PATH, "no JSON"), Err(NotReceived::NotReadable));
    let later = receive(PATH, &body.replace("\"status\":0", "\"status\":12")).unwrap();
    assert_eq!(later, [Inbound::Ignored { event: "status 12".to_owned() }]);
    let other = receive(PATH, r#"{"type":"new-event"}"#).unwrap();
    assert_eq!(other, [Inbound::Ignored { event: "unknown".to_owned() }]);
}

#[test]
fn what_people_write_is_a_tip_and_the_same_bytes_are_the_same_tip() {
    let write = |content: &str| {
        let body = json!({"type": "sms", "phone": NUMBER, "content": content}).to_string();
        match receive(PATH, &body).unwrap().as_slice() {
            [Inbound::Tip { from, message_id }] => (from.clone(), message_id.clone()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(write("thay be").0, NUMBER);
    assert_eq!(write("thay be"), write("thay be"));
    assert_ne!(write("thay be"), write("thay be o cho"));
}

#[test]
fn what_is_wrong_with_an_account_is_said_by_its_field() {
    let whole = || fields("http://localhost");
    for (fields, field) in [
        (Fields { sender: String::new(), ..whole() }, "sender"),
        (Fields { sms_type: Some(1), ..whole() }, "sms-type"),
        (Fields { sms_type: Some(9), ..whole() }, "sms-type"),
        (Fields { callback_secret: Some(Secret::new("x")), ..whole() }, "callback-secret"),
        (Fields { base_url: Some("http://api.speedsms.vn".into()), ..whole() }, "base-url"),
        (Fields { callback_url: Some("http://xa.example.vn".into()), ..whole() }, "callback-url"),
        (
            Fields { callback_url: Some("https://h".into()), callback_secret: None, ..whole() },
            "callback-secret",
        ),
    ] {
        assert!(of(fields).err().unwrap().starts_with(field), "{field}");
    }
    assert!(of(Fields { sms_type: Some(2), sender: String::new(), ..whole() }).is_ok());
    let own = Fields { callback_url: Some("https://goi.example.vn/".into()), ..whole() };
    let url = of(own).unwrap().way_back.unwrap().url;
    assert_eq!(url, format!("https://goi.example.vn/v1/channels/sms-2/callback/{PATH}"));
    // Nobody elsewhere could call this machine by the name that it calls itself.
    let here = Fields { base_url: None, callback_url: Some("http://127.0.0.1".into()), ..whole() };
    assert!(of(here).err().unwrap().starts_with("callback-url: nhà cung cấp không gọi"));
}

#[test]
fn a_note_is_a_message_of_the_same_kind() {
    let speedsms = of(fields("http://localhost")).unwrap();
    assert_eq!(
        speedsms.note("Đăng: https://h/p", "").unwrap(),
        Rendered::text("Dang: https://h/p")
    );
}
