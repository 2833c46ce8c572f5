//! The channel against a push service on loopback that reads as a browser does.

use std::collections::HashSet;

use domain::{text::HEADLINE_CHARS_MAX, values::News};
use serde_json::{Value, json};
use stand_ins::push_service::{Arrived, Fate, PushService, Subscription};
use web_push_native::p256::{
    SecretKey,
    pkcs8::{EncodePrivateKey, LineEnding},
};

use super::*;
use crate::channels::{
    TARGET_TROUBLES,
    http::Http,
    testing::{body, intent, sheet, view},
};

/// The example of RFC 8291, 5.
const KEY: &str = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
const PUBLIC_KEY: &str =
    "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8";
const SUBJECT: &str = "mailto:truc@xa.example.vn";
const DELIVERY: &str = "a:1:g:c";
const NOW_S: i64 = 1_795_257_600;

/// Where the push service is one of this machine.
fn options() -> WebPushOptions {
    let allow_hosts = vec!["127.0.0.1".to_owned()];
    WebPushOptions { allow_hosts, ..WebPushOptions::new(Secret::new(KEY), SUBJECT) }
}

fn lenient() -> WebPush {
    WebPush::new(&options(), Guard::new(true)).unwrap()
}

/// Where nothing is said of hosts; webhooks may lead to private addresses, and no push may.
fn strict() -> WebPush {
    let options = WebPushOptions::new(Secret::new(KEY), SUBJECT);
    WebPush::new(&options, Guard::new(true)).unwrap()
}

/// A push service in the year of the tests, and somebody who subscribed there.
async fn service() -> (PushService, Subscription) {
    let service = PushService::start().await.unwrap();
    service.set_now_s(NOW_S);
    let subscription = service.subscribe(Some(PUBLIC_KEY)).unwrap();
    (service, subscription)
}

fn address(subscription: &Subscription) -> Address {
    Address {
        url: subscription.endpoint.as_str().into(),
        secret: subscription.auth.as_str().into(),
        to: subscription.p256dh.as_str().into(),
    }
}

fn rendered(channel: &WebPush, news: News) -> Rendered {
    let sheet = sheet();
    channel.render(&view(&sheet, &body(&sheet), news)).unwrap()
}

async fn send_at(channel: &WebPush, to: &Address, now_s: i64) -> Sent {
    let message = rendered(channel, News::Issued);
    channel.send(&message, to, intent(DELIVERY, now_s)).await
}

async fn send(channel: &WebPush, to: &Subscription) -> Sent {
    send_at(channel, &address(to), NOW_S).await
}

fn json(arrived: &Arrived) -> Value {
    serde_json::from_str(&arrived.text()).unwrap()
}

#[tokio::test]
async fn what_is_sent_is_read_by_the_browser_and_signed() {
    let (service, subscription) = service().await;
    let channel = lenient();
    let sent = send(&channel, &subscription).await;
    let provider_id = Some(format!("{}/m/1", service.origin()));
    assert_eq!(sent, Sent::with(Outcome::Accepted { provider_id }, 201_u32));
    let [arrived] = &service.arrived()[..] else { panic!() };
    assert_eq!(arrived.endpoint, subscription.endpoint);
    assert_eq!(arrived.plaintext.as_deref(), Ok(&rendered(&channel, News::Issued).body[..]));
    assert_eq!(arrived.header("ttl"), "3600");
    assert_eq!(arrived.header("urgency"), "high");
    assert_eq!(arrived.header("content-type"), "application/octet-stream");
    assert_eq!(arrived.header("topic"), topic(sheet().alert));
    assert_eq!(arrived.header("topic").len(), 22);
    assert_eq!(arrived.token.key, PUBLIC_KEY);
    assert_eq!(arrived.token.audience, service.origin());
    assert_eq!(arrived.token.subject, SUBJECT);
    assert_eq!(arrived.token.expires_s, NOW_S + 12 * 60 * 60);
    assert_eq!(channel.public_key(), PUBLIC_KEY);
}

#[test]
fn a_service_worker_is_told_what_it_shows_and_no_name() {
    let channel = lenient();
    let told: Value = serde_json::from_slice(&rendered(&channel, News::Issued).body).unwrap();
    let expected = json!({
        "alert": sheet().alert.to_string(),
        "code": "0123456789",
        "revision": 1,
        "type": "alert.issued",
        "title": "TÌM TRẺ LẠC",
        "headline": "Tìm cháu bé 4 tuổi đi lạc",
        "kind": "lost-child",
        "status": "actual",
        "from": "xã Hoằng Thịnh, tỉnh Thanh Hoá",
        "verify": "https://keng.example.vn/v1/verify/0123456789",
        "expires": "2026-11-22T17:30:00+07:00",
    });
    assert_eq!(told, expected);
    let cancelled = rendered(&channel, News::Cancelled);
    assert!(cancelled.as_text().contains("[ĐÃ THU HỒI / WITHDRAWN] Tìm cháu bé"));
    assert!(cancelled.as_text().contains(r#""title":"[ĐÃ THU HỒI] TÌM TRẺ LẠC""#));
    assert_eq!(format!("{cancelled:?}").matches("cháu").count(), 0);
}

#[test]
fn the_longest_headline_fits_and_an_endless_address_does_not() {
    let channel = lenient();
    for letter in ["\"", "ộ", "😀"] {
        let mut sheet = sheet();
        sheet.text.headline = letter.repeat(HEADLINE_CHARS_MAX);
        let rendered = channel.render(&view(&sheet, &body(&sheet), News::Cancelled)).unwrap();
        assert!(rendered.body.len() < PLAINTEXT_BYTES_MAX / 2);
    }
    let sheet = sheet();
    let body = body(&sheet);
    let mut endless = view(&sheet, &body, News::Issued);
    let url = "x".repeat(PLAINTEXT_BYTES_MAX);
    endless.told.verify_url = &url;
    assert_eq!(channel.render(&endless), Err(NotRendered("too-long")));
}

#[tokio::test]
async fn a_token_is_signed_once_for_each_push_service_in_hours() {
    let (one, other) = (service().await, service().await);
    let channel = lenient();
    for subscription in [&one.1, &one.1, &other.1] {
        send(&channel, subscription).await;
    }
    let hours = 6 * 60 * 60;
    one.0.set_now_s(NOW_S + hours - 1);
    let last = send_at(&channel, &address(&one.1), NOW_S + hours - 1).await;
    assert_eq!(last.status, 201);
    assert_eq!((one.0.counts().tokens, other.0.counts().tokens), (1, 1));
    one.0.set_now_s(NOW_S + hours);
    assert_eq!(send_at(&channel, &address(&one.1), NOW_S + hours).await.status, 201);
    assert_eq!((one.0.counts().taken, one.0.counts().tokens), (4, 2));
    // A clock that is set back gets a token of its own, which the push service takes.
    one.0.set_now_s(NOW_S);
    assert_eq!(send(&channel, &one.1).await.status, 201);
    assert_eq!(one.0.counts().tokens, 3);
    // The same message, five times: never the same key, salt or bytes.
    let arrived = one.0.arrived();
    let heads: HashSet<&[u8]> = arrived.iter().map(|arrived| &arrived.body[..86]).collect();
    assert_eq!((arrived.len(), heads.len()), (5, 5));
    assert!(arrived.iter().all(|arrived| json(arrived)["revision"] == 1));
}

#[tokio::test]
async fn what_is_told_later_takes_the_place_of_what_waits() {
    let (service, subscription) = service().await;
    let (channel, to) = (lenient(), address(&subscription));
    send(&channel, &subscription).await;
    let cancelled = rendered(&channel, News::Cancelled);
    channel.send(&cancelled, &to, Intent { revision: 2, ..intent("a:2:g:c", NOW_S) }).await;
    let other = AlertId::raised_by(domain::ids::RecordId::of_purpose("b"));
    let is_urgent = false;
    channel.send(&cancelled, &to, Intent { alert: other, is_urgent, ..intent("b", NOW_S) }).await;
    let waiting = service.waiting(&subscription);
    let types: Vec<_> = waiting.iter().map(|one| json(one)["type"].clone()).collect();
    assert_eq!(types, ["alert.cancelled", "alert.cancelled"]);
    assert_eq!(service.arrived().len(), 3);
    let urgency = |at: usize| waiting[at].header("urgency").to_owned();
    assert_eq!((urgency(0).as_str(), urgency(1).as_str()), ("high", "normal"));
}

#[test]
fn nothing_is_kept_longer_than_the_alert_lasts_or_the_operator_allows() {
    let lasts = |ms: i64| Intent {
        expires_at: Millis(NOW_S * 1_000).plus_ms(ms),
        ..intent(DELIVERY, NOW_S)
    };
    let channel = lenient();
    for (ms, ttl_s) in
        [(-1, 0), (0, 0), (999, 0), (1_000, 1), (86_400_000, 86_400), (i64::MAX, TTL_S_MAX)]
    {
        assert_eq!(channel.ttl_s(lasts(ms)), ttl_s, "{ms}");
    }
    let capped = WebPushOptions { ttl_s_max: 60, ..options() };
    let capped = WebPush::new(&capped, Guard::new(true)).unwrap();
    assert_eq!(capped.ttl_s(lasts(86_400_000)), 60);
}

#[tokio::test]
async fn a_status_says_what_is_known() {
    let (service, subscription) = service().await;
    let channel = lenient();
    let gone = || Outcome::TargetGone { why: Cow::Borrowed("status") };
    let unknown = |after_s| Outcome::Unknown { after_s, why: "status" };
    let retry = |after_s| Outcome::Retry { after_s, why: "target-rate" };
    let accepted = || Outcome::Accepted { provider_id: None };
    let after = |text: &str| vec![("retry-after", text.to_owned())];
    let to = |place: String| vec![("location", place)];
    for (status, headers, expected) in [
        (200, vec![], accepted()),
        (201, to("x".repeat(PROVIDER_ID_BYTES_MAX + 1)), accepted()),
        // The subscription's own address opens it.
        (201, to(subscription.endpoint.clone()), accepted()),
        (202, vec![], accepted()),
        (404, vec![], gone()),
        (410, vec![], gone()),
        (413, vec![], never("too-large")),
        (429, after("120"), retry(Some(120))),
        (429, vec![], retry(None)),
        (400, vec![], Outcome::Retry { after_s: None, why: "vapid" }),
        (401, vec![], Outcome::Retry { after_s: None, why: "vapid" }),
        (403, vec![], Outcome::Retry { after_s: None, why: "vapid" }),
        (500, vec![], unknown(None)),
        (503, after("30"), unknown(Some(30))),
        (418, vec![], unknown(None)),
        (307, to(subscription.endpoint.clone()), unknown(None)),
    ] {
        service.meet_next([Fate::Status(status, headers)]);
        let sent = send(&channel, &subscription).await;
        // What one browser's push service refuses says nothing of the others'.
        let is_retry = matches!(sent.outcome, Outcome::Retry { .. });
        assert_eq!(TARGET_TROUBLES.contains(&sent.outcome.trouble()), is_retry, "{status}");
        assert_eq!(sent, Sent::with(expected, status));
    }
    // No redirect was followed, and nothing was tried twice.
    assert_eq!(service.counts().taken, 0);
}

#[tokio::test]
async fn whoever_has_unsubscribed_is_gone_and_another_ones_subscription_is_not() {
    let (service, subscription) = service().await;
    let channel = lenient();
    service.unsubscribe(&subscription);
    let sent = send(&channel, &subscription).await;
    assert_eq!((sent.outcome.known(), sent.status), (domain::lane::Outcome::Gone, 410));
    let another = service.subscribe(Some("somebody else's key")).unwrap();
    let sent = send(&channel, &another).await;
    assert_eq!(sent.outcome, Outcome::Retry { after_s: None, why: "vapid" });
    // A token that was refused is not used again.
    service.meet_next([Fate::status(401), Fate::status(404)]);
    for _ in 0..2 {
        send(&channel, &another).await;
    }
    assert_eq!(send(&channel, &service.subscribe(None).unwrap()).await.status, 201);
    assert_eq!(service.counts().tokens, 2);
}

#[tokio::test]
async fn an_end_that_nobody_saw_is_not_known() {
    let (service, subscription) = service().await;
    let options = WebPushOptions { attempt_ms: 500, ..options() };
    let channel = WebPush::new(&options, Guard::new(true)).unwrap();
    for (fate, why, taken) in
        [(Fate::Cut, "reset", 0), (Fate::Drop, "reset", 1), (Fate::Hang, "timeout", 2)]
    {
        service.meet_next([fate]);
        let sent = send(&channel, &subscription).await;
        assert_eq!(sent, Outcome::Unknown { after_s: None, why }.into());
        assert_eq!(service.counts().taken, taken);
    }
    drop(service);
    let sent = send(&channel, &subscription).await;
    assert_eq!(sent, Outcome::Retry { after_s: None, why: "connect" }.into());
}

#[tokio::test]
async fn only_push_services_are_called_and_only_over_tls() {
    let channel = strict();
    for url in [
        "https://fcm.googleapis.com/fcm/send/x",
        "https://FCM.googleapis.com:443/x",
        "https://updates.push.services.mozilla.com/wpush/v2/x",
        "https://wns2-par02p.notify.windows.com/w/?token=x",
        "https://web.push.apple.com/x",
    ] {
        assert!(channel.endpoint(url).is_ok(), "{url}");
    }
    let (service, subscription) = service().await;
    for url in [
        "http://fcm.googleapis.com/x",
        "https://googleapis.com/x",
        "https://a.fcm.googleapis.com/x",
        "https://storage.googleapis.com/x",
        "https://sites.google.com/x",
        "https://push.services.mozilla.com/x",
        "https://addons.mozilla.com/x",
        "https://notify.windows.com/x",
        "https://x.blob.core.windows.com/x",
        "https://www.apple.com/x",
        "http://localhost/x",
        "https://notgoogle.com/x",
        "https://fcm.googleapis.com.example.org/x",
        "https://example.org/fcm.googleapis.com",
        "https://example.org/?x=.googleapis.com",
        "https://example.org#.googleapis.com",
        "https://example.org\\.googleapis.com/",
        "https://fcm.googleapis.com@example.org/",
        "https://fcm.googleapis.com./x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "ftp://fcm.googleapis.com/",
        &subscription.endpoint,
    ] {
        let to = Address { url: url.into(), ..address(&subscription) };
        let sent = send_at(&channel, &to, NOW_S).await;
        let Outcome::Permanent { code } = &sent.outcome else { panic!("{url}: {sent:?}") };
        assert!(["blocked", "address"].contains(&&**code), "{url}");
    }
    assert_eq!((service.counts().taken, service.counts().refused), (0, 0));
    let own = ["push.example.org", "*.Example.NET"].map(str::to_owned).to_vec();
    let own = WebPushOptions { allow_hosts: own, ..options() };
    let own = WebPush::new(&own, Guard::new(false)).unwrap();
    assert!(own.endpoint("https://push.example.org/x").is_ok());
    assert!(own.endpoint("https://a.b.example.net/x").is_ok());
    assert_eq!(own.endpoint("https://a.push.example.org/x"), Err(NotCalled::Blocked));
    assert_eq!(own.endpoint("https://fcm.googleapis.com/x"), Err(NotCalled::Blocked));
    assert_eq!(own.endpoint("http://push.example.org/x"), Err(NotCalled::Blocked));
    // Named here, and refused all the same where private addresses are.
    assert!(lenient().endpoint("http://127.0.0.1:9/x").is_ok());
    let guarded = WebPush::new(&options(), Guard::new(false)).unwrap();
    assert_eq!(guarded.endpoint("http://127.0.0.1:9/x"), Err(NotCalled::Blocked));
}

#[tokio::test]
async fn a_note_comes_beside_the_alert_and_in_place_of_the_note_before_it() {
    let (service, subscription) = service().await;
    let (channel, to) = (lenient(), address(&subscription));
    let link = "https://keng.example.vn/p/1";
    let note = channel.note(&format!("Đăng vào nhóm: {link}"), "TÌM TRẺ LẠC").unwrap();
    let told = json!({
        "type": "note", "title": "TÌM TRẺ LẠC", "headline": format!("Đăng vào nhóm: {link}"),
        "link": link,
    });
    assert_eq!(serde_json::from_slice::<Value>(&note.body).unwrap(), told);
    let alert = sheet().alert;
    let send = async |message: &Rendered, revision: u64, group: &str| {
        let delivery = format!("{alert}:{revision}:{group}:c");
        let intent = Intent { alert, revision, ..intent(&delivery, NOW_S) };
        assert_eq!(channel.send(message, &to, intent).await.status, 201);
    };
    send(&rendered(&channel, News::Issued), 1, "g").await;
    for (revision, group) in [(1, "g"), (1, "h"), (2, "g")] {
        send(&note, revision, group).await;
    }
    let waiting = service.waiting(&subscription);
    let types: Vec<_> = waiting.iter().map(|one| json(one)["type"].clone()).collect();
    assert_eq!(types.iter().filter(|one| *one == "note").count(), 2, "{types:?}");
    assert_eq!(types.len(), 3, "{types:?}");
    assert!(channel.note("không có địa chỉ", "x").unwrap().as_text().find("link").is_none());
    assert_eq!(channel.note(&"x".repeat(PLAINTEXT_BYTES_MAX), ""), None);
}

#[tokio::test]
async fn to_a_subscription_without_keys_nothing_leaves() {
    let (service, subscription) = service().await;
    let channel = lenient();
    let good = address(&subscription);
    let no_point = BASE64URL.encode([4; 65]);
    for (auth, key) in [("", &*good.to), (&*good.secret, ""), ("AAAA", &*good.to)] {
        let to = Address { secret: auth.into(), to: key.into(), ..good.clone() };
        assert_eq!(send_at(&channel, &to, NOW_S).await.outcome, never("keys"));
    }
    let to = Address { to: no_point.into(), ..good.clone() };
    assert_eq!(send_at(&channel, &to, NOW_S).await.outcome, never("keys"));
    let message = Rendered::text("x".repeat(SENT_BYTES_MAX + 1));
    let sent = channel.send(&message, &good, intent(DELIVERY, NOW_S)).await;
    assert_eq!(sent.outcome, never("too-large"));
    assert_eq!(service.counts().refused, 0);
    // And the longest that leaves is taken.
    let message = Rendered::text("x".repeat(SENT_BYTES_MAX));
    assert_eq!(channel.send(&message, &good, intent(DELIVERY, NOW_S)).await.status, 201);
    assert_eq!(service.arrived()[0].text().len(), SENT_BYTES_MAX);
}

#[test]
fn a_key_is_read_in_each_form_and_shown_in_none() {
    let secret = SecretKey::from_slice(&BASE64URL.decode(KEY).unwrap()).unwrap();
    let pkcs8 = secret.to_pkcs8_pem(LineEnding::LF).unwrap();
    let sec1 = secret.to_sec1_pem(LineEnding::LF).unwrap();
    for key in [KEY, &format!("{KEY}="), pkcs8.trim(), sec1.trim()] {
        let options = WebPushOptions::new(Secret::new(key), SUBJECT);
        let channel = WebPush::new(&options, Guard::new(true)).unwrap();
        assert_eq!(channel.public_key(), PUBLIC_KEY);
        let token = channel.vapid.authorization("https://example.org", NOW_S).unwrap();
        let shown = format!("{channel:?} {options:?} {token:?}");
        assert!(!shown.contains("yfWPiYE") && !shown.contains("eyJ"), "{shown}");
        assert!(!pkcs8.lines().any(|line| shown.contains(line)), "{shown}");
    }
    for key in ["", "AAAA", &KEY[1..], &"A".repeat(43), "-----BEGIN X-----", PUBLIC_KEY] {
        let wrong = WebPushOptions::new(Secret::new(key), SUBJECT);
        let wrong = WebPush::new(&wrong, Guard::new(true)).unwrap_err();
        assert!(matches!(wrong, BadWebPush::Key), "{key}");
    }
}

#[test]
fn an_account_says_which_field_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vapid");
    std::fs::write(&file, KEY).unwrap();
    let key = format!("key = {{ file = {file:?} }}\nsubject = ");
    let tools = Tools {
        receipts: crate::channels::testing::receipts(),
        http: Http::new().unwrap(),
        guard: Guard::new(false),
        folder: folder.path().to_owned(),
        public_url: String::new(),
    };
    let opened = |rest: &str| {
        let table: Table = toml::from_str(&format!("{key}{rest}")).unwrap();
        open("push", table, &tools).map(|channels| *channels[0].caps())
    };
    let said = crate::channels::bot::tests::logged(Box::pin(async {
        opened("'mailto:truc@xa.example.vn'").unwrap();
    }));
    let said = said.now_or_never().unwrap();
    assert!(said.contains(PUBLIC_KEY) && !said.contains(KEY), "{said}");
    assert_eq!(opened("'mailto:truc@xa.example.vn'").unwrap(), CAPS);
    let whole = "'https://keng.example.vn'\nttl-s-max = 3600\nallow-hosts = ['*.example.org']";
    assert_eq!(opened(whole).unwrap(), CAPS);
    for (rest, field) in [
        ("'truc@xa.example.vn'", "subject"),
        ("'mailto:truc'", "subject"),
        ("'https://keng.example.vn/ x'", "subject"),
        ("'https://keng.example.vn'\nttl-s-max = 0", "ttl-s-max"),
        ("'https://keng.example.vn'\nttl-s-max = 9999999", "ttl-s-max"),
        ("'https://keng.example.vn'\nallow-hosts = []", "allow-hosts"),
        ("'https://keng.example.vn'\nallow-hosts = ['*']", "allow-hosts"),
        ("'https://keng.example.vn'\nallow-hosts = ['*.vn']", "allow-hosts"),
        ("'https://keng.example.vn'\nallow-hosts = ['https://x.vn']", "allow-hosts"),
        ("'https://keng.example.vn'\nsecret = 'x'", "secret"),
    ] {
        let wrong = opened(rest).unwrap_err();
        assert!(wrong.contains(field) && !wrong.contains(KEY), "{wrong}");
    }
}
