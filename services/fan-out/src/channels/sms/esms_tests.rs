//! The channel against eSMS on loopback, and its receipts.

use std::path::PathBuf;

use axum::{
    Router,
    extract::{RawQuery, State},
    http::{StatusCode, Uri},
};
use domain::{ids::Millis, values::News};
use rendering::Unit;
use stand_ins::{
    esms::{API_KEY, Esms as Provider, Fate, SECRET_KEY},
    served::{CALLS_MAX, Served},
};
use tokio::sync::mpsc;

use super::*;
use crate::channels::{
    address::Guard,
    http::HeaderMap,
    testing::{body, intent, sheet, to, view},
};

const NUMBER: &str = "84912345678";
const LOCAL: &str = "http://localhost";
const NOW_S: i64 = 1_795_257_601;
const PATH: &str = "an-address-that-nobody-guesses";
const KEY: &str = "17417a0d20114d36a902e49cad0e97f3";

fn fields(base_url: &str) -> Fields {
    Fields {
        api_key: Secret::new(API_KEY),
        secret_key: Secret::new(SECRET_KEY),
        brandname: "KENG".to_owned(),
        unicode: false,
        segments: None,
        sandbox: false,
        base_url: Some(base_url.to_owned()),
        callback_url: None,
        callback_secret: Some(Secret::new(PATH)),
        inbound_key: Some(Secret::new(KEY)),
    }
}

fn tools(public_url: &str) -> Tools {
    Tools {
        receipts: crate::channels::testing::receipts(),
        http: Http::new().unwrap(),
        guard: Guard::new(true),
        folder: PathBuf::new(),
        public_url: public_url.to_owned(),
    }
}

fn esms(provider: &Provider) -> Esms {
    Esms::of("sms-1", fields(&provider.url()), &tools("https://keng.example.vn/")).unwrap()
}

async fn send(esms: &Esms, delivery: &str) -> Sent {
    let message = Rendered::text("TIM TRE LAC");
    let sent = esms.send(&message, &to(NUMBER), intent(delivery, NOW_S)).await;
    assert!(!format!("{sent:?}").contains(NUMBER));
    sent
}

fn call<'a>(path: &'a str, query: &'a str, headers: &'a HeaderMap) -> RawRequest<'a> {
    let now = Millis(NOW_S * 1_000);
    RawRequest { method: "GET", path, query, headers, body: b"", now }
}

fn receive(path: &str, query: &str) -> Result<Received, NotReceived> {
    let esms = Esms::of("a", fields("http://localhost"), &tools("http://localhost")).unwrap();
    esms.receive(call(path, query, &HeaderMap::new()))
}

fn receipt(name: &str, level: Level) -> Inbound {
    Inbound::Receipt { provider_id: name.to_owned(), level, at: Millis(NOW_S * 1_000) }
}

#[test]
fn a_text_is_short_and_unaccented_unless_the_account_says_otherwise() {
    let (sheet, mut fields) = (sheet(), fields("http://localhost"));
    let told = body(&sheet);
    let view = view(&sheet, &told, News::Issued);
    let esms = Esms::of("a", fields, &tools("http://localhost")).unwrap();
    assert_eq!((esms.caps().text_max, esms.caps().unit), (459, Unit::Bytes));
    assert_eq!(esms.caps().confirms, Confirms::Delivered);
    let rendered = esms.render(&view).unwrap();
    assert!(rendered.as_text().starts_with("TIM TRE LAC: Tim chau be 4 tuoi di lac"));
    assert!(rendered.as_text().ends_with("https://keng.example.vn/v1/verify/0123456789"));
    assert!(rendered.as_text().is_ascii() && rendered.as_text().len() <= 459);

    fields = self::fields("http://localhost");
    (fields.unicode, fields.callback_secret, fields.inbound_key) = (true, None, None);
    let esms = Esms::of("a", fields, &tools("")).unwrap();
    assert_eq!((esms.caps().text_max, esms.caps().unit), (201, Unit::Utf16));
    assert_eq!(esms.caps().confirms, Confirms::Accepted);
    let rendered = esms.render(&view).unwrap();
    assert!(rendered.as_text().starts_with("TÌM TRẺ LẠC: Tìm cháu bé"));
    assert!(rendered.as_text().encode_utf16().count() <= 201);
    let writing = |is_unicode, segments| Writing::of(is_unicode, segments).map(|w| w.chars_max);
    assert_eq!(writing(false, Some(1)), Ok(160));
    assert_eq!(writing(true, Some(1)), Ok(70));
    assert!(writing(true, Some(4)).is_err() && writing(true, Some(0)).is_err());
}

#[tokio::test]
async fn a_request_is_this() {
    let provider = Provider::start().await.unwrap();
    let sent = send(&esms(&provider), "a:1:g:sms-1").await;
    // `printf a:1:g:sms-1 | sha256sum | cut -c1-40`
    let id = "ca380b9dcd02077a2e96a29a5a41d313372dff57";
    let taken = Outcome::Accepted { provider_id: Some(id.to_owned()) };
    assert_eq!(sent, Sent::with(taken, 100_u32));
    let expected = json!({
        "ApiKey": API_KEY, "SecretKey": SECRET_KEY, "Phone": NUMBER, "Content": "TIM TRE LAC",
        "Brandname": "KENG", "SmsType": "2", "IsUnicode": "0", "Sandbox": "0",
        "RequestId": id,
        "CallbackUrl": format!("https://keng.example.vn/v1/channels/sms-1/callback/{PATH}"),
    });
    assert_eq!(provider.calls(), [expected]);
}

#[tokio::test]
async fn the_same_delivery_is_taken_once() {
    let provider = Provider::start().await.unwrap();
    let esms = esms(&provider);
    provider.next([Fate::CutWhenTaken]);
    let first = send(&esms, "a:1:g:c").await;
    assert_eq!(first.outcome, Outcome::Unknown { after_s: None, why: "reset" });
    let again = send(&esms, "a:1:g:c").await;
    let name = Some(request_id("a:1:g:c"));
    assert_eq!(again, Sent::with(Outcome::Duplicate { provider_id: name }, 124_u32));
    assert_eq!(provider.messages().len(), 1);
    provider.report("sms-1", 4, 0).await;
    let refused = send(&esms, "a:1:g:c").await;
    assert_eq!(refused.outcome.trouble(), "request-refused");
    assert!(matches!(send(&esms, "a:2:g:c").await.outcome, Outcome::Accepted { .. }));
    assert!(request_id(&"x".repeat(500)).len() <= 50);
}

#[tokio::test]
async fn each_code_has_its_class() {
    let provider = Provider::start().await.unwrap();
    let esms = esms(&provider);
    let (retry, unknown) = ("Retry", "Unknown");
    let (refused, gone, down) = ("Permanent", "TargetGone", "ChannelDown");
    for (fate, class, why, status) in [
        (Fate::Code("160"), retry, "rate", 160),
        (Fate::Code("108"), gone, "number", 108),
        (Fate::Code("99"), refused, "blocked-number", 99),
        (Fate::Code("118"), refused, "type", 118),
        (Fate::Code("146"), refused, "template", 146),
        (Fate::Code("177"), refused, "carrier", 177),
        (Fate::Code("201"), refused, "blocked-word", 201),
        (Fate::Code("163"), refused, "request", 163),
        (Fate::Code("101"), down, "key", 101),
        (Fate::Code("103"), down, "money", 103),
        (Fate::Code("104"), down, "brandname", 104),
        (Fate::Code("140"), down, "ip", 140),
        (Fate::Code("143"), down, "locked", 143),
        (Fate::Code("102"), down, "price-list", 102),
        (Fate::Code("4711"), unknown, "code", 4711),
        (Fate::Invalid, refused, "request", 200),
        (Fate::Status(200), unknown, "unreadable", 200),
        (Fate::Status(500), unknown, "status", 500),
        (Fate::Status(429), retry, "rate", 429),
        (Fate::Status(404), down, "base-url", 404),
        (Fate::Status(403), down, "key", 403),
        (Fate::Status(413), refused, "status", 413),
        (Fate::Cut, unknown, "reset", 0),
    ] {
        provider.next([fate.clone()]);
        let sent = send(&esms, "a:1:g:c").await;
        assert!(format!("{:?}", sent.outcome).starts_with(class), "{fate:?}: {sent:?}");
        assert_eq!((sent.outcome.trouble(), sent.status), (why, status), "{fate:?}");
    }
    assert!(provider.messages().is_empty());
}

#[tokio::test]
async fn the_account_is_asked_for_its_balance() {
    let provider = Provider::start().await.unwrap();
    assert_eq!(esms(&provider).probe().await, Health::Works);
    provider.is_broke();
    assert_eq!(esms(&provider).probe().await, Health::Down { code: "money".into() });
    let wrong = Fields { api_key: Secret::new("x"), ..fields(&provider.url()) };
    let wrong = Esms::of("a", wrong, &tools("http://localhost")).unwrap();
    assert_eq!(wrong.probe().await, Health::Down { code: "key".into() });
    drop(provider);
}

/// Answers 503 so often, then 200, and tells what came.
async fn intake(refusals: usize) -> (Served, mpsc::UnboundedReceiver<(String, String)>) {
    type Told = mpsc::UnboundedSender<(String, String)>;
    async fn take(
        State((told, left)): State<(Told, std::sync::Arc<std::sync::atomic::AtomicUsize>)>,
        uri: Uri,
        RawQuery(query): RawQuery,
    ) -> StatusCode {
        use std::sync::atomic::Ordering::SeqCst;
        told.send((uri.path().to_owned(), query.unwrap_or_default())).unwrap();
        let is_refused = left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        if is_refused { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
    }
    let (told, calls) = mpsc::unbounded_channel();
    let left = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(refusals));
    let app = Router::new().fallback(take).with_state((told, left));
    (Served::start(app).await.unwrap(), calls)
}

#[tokio::test]
async fn a_receipt_comes_until_it_is_taken_and_says_what_became_of_it() {
    for (refusals, expected) in [(0, 1), (2, 3), (9, CALLS_MAX)] {
        let provider = Provider::start().await.unwrap();
        let (intake, mut calls) = intake(refusals).await;
        let esms = Esms::of("sms-1", fields(&provider.url()), &tools(&intake.url())).unwrap();
        let sent = send(&esms, "a:1:g:c").await;
        assert_eq!(sent.outcome.provider_id(), Some(&*request_id("a:1:g:c")));
        assert_eq!(provider.report("sms-1", 5, 1).await, expected);
        for _ in 0..expected {
            let (path, query) = calls.recv().await.unwrap();
            let path = path.strip_prefix("/v1/channels/sms-1/callback/").unwrap();
            let received = esms.receive(call(path, &query, &HeaderMap::new())).unwrap();
            // One, by the name that the attempt was recorded with.
            let inbound = vec![receipt(&request_id("a:1:g:c"), Level::Delivered)];
            assert_eq!(received, Received { inbound, answer: "" });
        }
    }
}

#[test]
fn a_receipt_is_read_by_its_numbers() {
    let one = |level| Ok(vec![receipt("s", level)]);
    let ignored = |status| Ok(vec![Inbound::Ignored { event: format!("SendStatus {status}") }]);
    for (query, expected) in [
        ("SMSID=s&SendStatus=5&SendSuccess=1&SendFailed=0&new=x", one(Level::Delivered)),
        ("SMSID=s&SendStatus=5&SendSuccess=0&SendFailed=1&RequestId=", one(Level::Failed)),
        ("SMSID=s&SendStatus=5&SendSuccess=0&SendFailed=0", ignored(5)),
        ("SMSID=s&SendStatus=4", one(Level::Failed)),
        ("RequestId=s&SMSID=another&SendStatus=4", one(Level::Failed)),
        ("SMSID=s&SendStatus=1", ignored(1)),
        ("SMSID=s&SendStatus=2", ignored(2)),
        ("SMSID=s&SendStatus=7&SendSuccess=1", ignored(7)),
        ("SendStatus=5&SendSuccess=1", Err(NotReceived::NotReadable)),
        ("SMSID=s", Err(NotReceived::NotReadable)),
        ("", Err(NotReceived::NotReadable)),
    ] {
        assert_eq!(receive(PATH, query).map(|received| received.inbound), expected, "{query}");
    }
}

#[test]
fn whoever_does_not_know_the_address_is_not_read() {
    let query = "SMSID=s&SendStatus=5&SendSuccess=1";
    for path in ["", "x", &PATH[1..], &format!("{PATH}/"), &PATH.to_uppercase()] {
        assert_eq!(receive(path, query), Err(NotReceived::NotSigned), "{path}");
    }
    let mut fields = fields("http://localhost");
    (fields.callback_secret, fields.inbound_key) = (None, None);
    let esms = Esms::of("a", fields, &tools("")).unwrap();
    let headers = HeaderMap::new();
    assert_eq!(esms.receive(call("", query, &headers)), Err(NotReceived::Unsupported));
}

#[test]
fn a_message_to_the_short_number_is_signed() {
    let query = |sign: &str| {
        format!(
            "sender=84987654321&content=CA+XA+thay+be%20gai&serviceNumber=8041&keyword=CA\
             &sign={sign}&cpid=CP01&smsid=sms-1&receiverTime=20260228130101"
        )
    };
    let received = receive(PATH, &query("Ei6P4frayyJEOl3r5CkbGA%3D%3D")).unwrap();
    let (from, message_id) = ("84987654321".to_owned(), "sms-1".to_owned());
    assert_eq!(received.inbound, [Inbound::Tip { from, message_id }]);
    assert!(received.answer.starts_with("<ClientResponse>"));
    for wrong in ["", "Ei6P4frayyJEOl3r5CkbGB%3D%3D"] {
        assert_eq!(receive(PATH, &query(wrong)), Err(NotReceived::NotSigned));
    }
    let right = query("Ei6P4frayyJEOl3r5CkbGA%3D%3D");
    assert_eq!(receive("elsewhere", &right), Err(NotReceived::NotSigned));
}

#[test]
fn a_note_is_written_as_the_account_writes_and_its_link_is_whole_or_it_is_none() {
    let note = |fields: Fields, text: &str| {
        let esms = Esms::of("a", fields, &tools(LOCAL)).unwrap();
        esms.note(text, "x").map(|note| note.as_text().to_owned())
    };
    let (plain, link) = (|| fields(LOCAL), "https://keng.example.vn/p/0-a_b/1");
    let text = format!("[TIN THẬT] Đăng vào nhóm: {link}");
    let told = Some(format!("(TIN THAT) Dang vao nhom: {link}"));
    assert_eq!(note(plain(), &text), told);
    assert_eq!(note(Fields { unicode: true, ..plain() }, &text), Some(text.clone()));
    assert_eq!(note(plain(), ""), Some(String::new()));
    let most = "x".repeat(459);
    assert_eq!(note(plain(), &most), Some(most.clone()));
    assert_eq!(note(plain(), &format!("{most}x")), None);
    assert_eq!(note(Fields { segments: Some(1), unicode: true, ..plain() }, &text.repeat(2)), None);
    // What an unaccented text cannot hold would open something else.
    assert_eq!(note(plain(), "https://kẻng.example.vn/p"), None);
    assert_eq!(note(plain(), "https://keng.example.vn/~p"), None);
}

#[test]
fn what_is_wrong_with_an_account_is_said_by_its_field() {
    let whole = || fields("http://localhost");
    for (fields, public_url, field) in [
        (Fields { brandname: String::new(), ..whole() }, LOCAL, "brandname"),
        (Fields { segments: Some(9), ..whole() }, LOCAL, "segments"),
        (Fields { base_url: Some("ftp://h".into()), ..whole() }, LOCAL, "base-url"),
        (Fields { base_url: Some("http://rest.esms.vn".into()), ..whole() }, LOCAL, "base-url"),
        (Fields { callback_secret: None, ..whole() }, LOCAL, "callback-secret"),
        (Fields { callback_secret: Some(Secret::new("short")), ..whole() }, LOCAL, "callback-s"),
        (Fields { callback_url: Some("h".into()), ..whole() }, LOCAL, "callback-url"),
        (Fields { callback_url: Some("http://h".into()), ..whole() }, LOCAL, "callback-url"),
        (whole(), "", "callback-url"),
        (whole(), "http://keng.example.vn", "callback-url"),
        // By default the public address is this machine, which eSMS does not reach.
        (Fields { base_url: None, ..whole() }, LOCAL, "callback-url"),
        (Fields { base_url: None, ..whole() }, "http://0.0.0.0:8080", "callback-url"),
    ] {
        let why = Esms::of("a", fields, &tools(public_url)).err().unwrap();
        assert!(why.starts_with(field), "{field}: {why}");
    }
}

#[test]
fn the_channels_file_opens_an_account_of_each_provider() {
    use crate::{accounts::Accounts, channels::webhook::WebhookOptions};
    use domain::channel::ChannelType;
    let (file, secret) =
        (tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap());
    std::fs::write(secret.path(), PATH).unwrap();
    let secret = format!("{{ file = {:?} }}", secret.path());
    let text = format!(
        "[one]\ntype = 'esms'\nper-minute = 60\napi-key = {secret}\nsecret-key = {secret}\n\
         brandname = 'KENG'\nsandbox = true\ncallback-secret = {secret}\n\
         callback-url = 'https://keng.example.vn'\ninbound-key = {secret}\n\
         [two]\ntype = 'speedsms'\ntoken = {secret}\nsender = 'KENG'\nsms-type = 3\n\
         [three]\ntype = 'smtp'\nhost = 'localhost'\ntls = 'none'\nuser = 'u'\n\
         password = {secret}\nfrom = 'a@b.vn'\ndomain = 'b.vn'\n"
    );
    std::fs::write(file.path(), text).unwrap();
    let tools = tools("https://keng.example.vn");
    let accounts = Accounts::open(Some(file.path()), &WebhookOptions::default(), &tools).unwrap();
    assert_eq!(accounts.way("one", ChannelType::Sms).unwrap().terms.per_minute, Some(60));
    assert!(accounts.way("two", ChannelType::Sms).is_some());
    assert!(accounts.way("three", ChannelType::Email).is_some());
}
