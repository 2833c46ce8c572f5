//! Both channels against the stand-in: requests as bytes, refusals by class, pictures, the account.

use domain::values::News;
use futures::future::join_all;
use stand_ins::zalo::{
    self as stand_in, Ending, Fate, GET_OA, OA_ID, TO_GROUP, TO_USER, UPLOAD, Zalo,
};
use tempfile::TempDir;

use super::*;
use crate::channels::{
    address::Guard,
    http::Http,
    testing::{body, intent, sheet, to, view},
};

pub(super) const NOW_S: i64 = stand_in::NOW_MS / 1_000;
const DELIVERY: &str = "a:1:g:c";

/// A stand-in, a folder, and what is opened over them.
pub(super) struct Rig {
    pub(super) zalo: Zalo,
    pub(super) folder: TempDir,
}

impl Rig {
    pub(super) async fn start() -> Self {
        let rig = Self { zalo: Zalo::start().await.unwrap(), folder: tempfile::tempdir().unwrap() };
        rig.zalo.user("u1", 0);
        rig.zalo.group("g1", 0);
        rig.zalo.group("g2", 0);
        rig.give(stand_in::FIRST_ACCESS, stand_in::FIRST_REFRESH);
        rig.secret("app-secret", stand_in::APP_SECRET);
        rig.secret("key", stand_in::OA_SECRET_KEY);
        rig
    }

    fn secret(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// What the operator gives as the pair.
    pub(super) fn give(&self, access: &str, refresh: &str) {
        self.secret("access", access);
        self.secret("refresh", refresh);
    }

    pub(super) fn table(&self, more: &str) -> Table {
        let folder = self.folder.path().display();
        let url = self.zalo.url();
        let text = format!(
            "app-id = \"{}\"\napp-secret = {{ file = \"{folder}/app-secret\" }}\n\
             oa-id = \"{OA_ID}\"\noa-secret-key = {{ file = \"{folder}/key\" }}\n\
             openapi-url = \"{url}/\"\noauth-url = \"{url}\"\n{more}\n\
             [tokens]\naccess = {{ file = \"{folder}/access\" }}\n\
             refresh = {{ file = \"{folder}/refresh\" }}\n",
            stand_in::APP_ID,
        );
        toml::from_str(&text).unwrap()
    }

    pub(super) fn tools(&self) -> Tools {
        Tools {
            receipts: crate::channels::testing::receipts(),
            http: Http::new().unwrap(),
            guard: Guard::new(true),
            folder: self.folder.path().join("state"),
            public_url: "https://keng.example.vn".to_owned(),
        }
    }

    pub(super) fn account(&self) -> Arc<Account> {
        self.account_with("")
    }

    pub(super) fn account_with(&self, more: &str) -> Arc<Account> {
        Arc::new(Account::open("oa", self.table(more), &self.tools()).unwrap())
    }

    /// One whose attempts end soon.
    pub(super) fn hasty_account(&self) -> Arc<Account> {
        let mut account = Account::open("oa", self.table(""), &self.tools()).unwrap();
        (account.attempt_ms, account.sending_ms_min) = (1_500, 800);
        Arc::new(account)
    }
}

pub(super) async fn to_group(account: &Arc<Account>, group: &str, now_s: i64) -> Sent {
    let message = Rendered::text("Tìm cháu bé");
    Gmf(Arc::clone(account)).send(&message, &to(group), intent(DELIVERY, now_s)).await
}

async fn to_user(account: &Arc<Account>, user: &str) -> Sent {
    let message = Rendered::text("Tìm cháu bé \"áo đỏ\"");
    Oa(Arc::clone(account)).send(&message, &to(user), intent(DELIVERY, NOW_S)).await
}

fn photo(bytes: usize) -> Photo {
    let mut jpeg = vec![0xff, 0xd8];
    jpeg.resize(bytes, 7);
    Photo {
        id: format!("photo-{bytes}"),
        url: "https://keng.example.vn/p".into(),
        jpeg: jpeg.into(),
    }
}

fn with_photo(bytes: usize) -> Rendered {
    Rendered { photo: Some(photo(bytes)), ..Rendered::text("Tìm cháu bé") }
}

async fn photo_to(account: &Arc<Account>, group: &str, message: &Rendered, attempt: u32) -> Sent {
    let intent = Intent { attempt, ..intent(DELIVERY, NOW_S) };
    Gmf(Arc::clone(account)).send(message, &to(group), intent).await
}

fn is_accepted(sent: &Sent) -> bool {
    matches!(&sent.outcome, Outcome::Accepted { provider_id: Some(_) })
}

#[tokio::test]
async fn a_text_to_a_follower_is_this_request() {
    let rig = Rig::start().await;
    let sent = to_user(&rig.account(), "u1").await;
    let id = "96d3cdf3af150400001".to_owned();
    assert_eq!(sent, Sent::with(Outcome::Accepted { provider_id: Some(id) }, 200_u32));
    let [call] = &rig.zalo.calls()[..] else { panic!("{:?}", rig.zalo.calls()) };
    assert_eq!(call.path, TO_USER);
    assert_eq!(call.header("access_token"), stand_in::FIRST_ACCESS);
    assert_eq!(call.header("content-type"), "application/json");
    assert_eq!((call.header("authorization"), call.header("appsecret_proof")), ("", ""));
    let expected = r#"{"recipient":{"user_id":"u1"},"message":{"text":"Tìm cháu bé \"áo đỏ\""}}"#;
    assert_eq!(call.text(), expected);
}

#[tokio::test]
async fn a_picture_is_put_there_first_and_sent_by_its_id() {
    let rig = Rig::start().await;
    let account = rig.account();
    let message = Rendered { photo: Some(photo(4)), ..Rendered::text("Tìm cháu bé") };
    assert!(is_accepted(&photo_to(&account, "g1", &message, 1).await));
    let [upload, send] = &rig.zalo.calls()[..] else { panic!("{:?}", rig.zalo.calls()) };
    assert_eq!((&*upload.path, &*send.path), (UPLOAD, TO_GROUP));
    let boundary = upload.header("content-type").strip_prefix("multipart/form-data; boundary=");
    let boundary = boundary.unwrap();
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; \
         filename=\"photo.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
    );
    let tail = format!("\r\n--{boundary}--\r\n");
    assert_eq!(upload.body, [head.as_bytes(), &photo(4).jpeg, tail.as_bytes()].concat());
    assert_eq!(
        send.text(),
        concat!(
            r#"{"recipient":{"group_id":"g1"},"message":{"text":"Tìm cháu bé","attachment":"#,
            r#"{"type":"template","payload":{"template_type":"media","elements":"#,
            r#"[{"media_type":"image","attachment_id":"attachment-1"}]}}}}"#
        )
    );
    // Nor is it put there again, for whomever it is.
    assert!(is_accepted(&photo_to(&account, "g2", &message, 1).await));
    let follower = Oa(Arc::clone(&account));
    assert!(is_accepted(&follower.send(&message, &to("u1"), intent(DELIVERY, NOW_S)).await));
    assert_eq!(rig.zalo.calls_to(UPLOAD).len(), 1);
}

#[tokio::test]
async fn many_at_once_upload_once() {
    let rig = Rig::start().await;
    let account = rig.account();
    let message = with_photo(1_000);
    let all = join_all((0..20).map(|_| photo_to(&account, "g1", &message, 1))).await;
    assert!(all.iter().all(is_accepted));
    assert_eq!((rig.zalo.calls_to(UPLOAD).len(), rig.zalo.said("g1").len()), (1, 20));
}

#[tokio::test]
async fn a_forgotten_picture_is_uploaded_once_more() {
    let rig = Rig::start().await;
    let account = rig.account();
    let message = with_photo(1_000);
    assert!(is_accepted(&photo_to(&account, "g1", &message, 1).await));
    rig.zalo.forget_uploads();
    assert!(is_accepted(&photo_to(&account, "g2", &message, 1).await));
    assert_eq!((rig.zalo.calls_to(UPLOAD).len(), rig.zalo.said("g2").len()), (2, 1));
    let gone = Fate::refused(Ending::Error(-100, "attachment is expired"));
    rig.zalo.next(TO_GROUP, [gone, gone]);
    let sent = photo_to(&account, "g1", &message, 1).await;
    assert_eq!(sent.outcome, Outcome::Retry { after_s: None, why: "attachment" });
    assert_eq!(rig.zalo.calls_to(UPLOAD).len(), 3);
}

#[tokio::test]
async fn words_go_without_a_picture_that_is_not_taken() {
    let rig = Rig::start().await;
    let account = rig.account();
    // Zalo says -210, and is not asked again.
    let large = with_photo(1_100_000);
    assert!(is_accepted(&photo_to(&account, "g1", &large, 1).await));
    assert!(is_accepted(&photo_to(&account, "g2", &large, 1).await));
    assert_eq!(rig.zalo.calls_to(UPLOAD).len(), 1);
    assert!(!rig.zalo.calls_to(TO_GROUP)[0].text().contains("attachment"));
    // What may work the next time is tried twice more before the words go alone.
    let message = with_photo(1_000);
    let cut = Fate::refused(Ending::Cut);
    rig.zalo.next(UPLOAD, [cut, Fate::refused(Ending::Status(502)), cut]);
    for attempt in 1..3 {
        let sent = photo_to(&account, "g1", &message, attempt).await;
        assert_eq!(sent.outcome, Outcome::Retry { after_s: None, why: "upload" });
    }
    assert!(is_accepted(&photo_to(&account, "g1", &message, 3).await));
    // The rate of the account is the message's too.
    rig.zalo.next(UPLOAD, [Fate::refused(Ending::Error(-32, "limit"))]);
    let sent = photo_to(&account, "g1", &message, 3).await;
    assert_eq!(sent.outcome.trouble(), "rate");
}

#[tokio::test]
async fn each_code_comes_to_what_its_class_says() {
    let rig = Rig::start().await;
    let account = rig.account();
    for (code, outcome) in [
        (-200, Outcome::Retry { after_s: None, why: "send-failed" }),
        (-230, Outcome::TargetGone { why: "zalo-230".into() }),
        (-237, Outcome::TargetGone { why: "zalo-237".into() }),
        (-210, Outcome::Permanent { code: "zalo-210".into() }),
        (-209, Outcome::ChannelDown { code: "zalo-209".into() }),
        (-320, Outcome::ChannelDown { code: "zalo-320".into() }),
        (-99_999, Outcome::Permanent { code: "zalo-99999".into() }),
    ] {
        rig.zalo.next(TO_GROUP, [Fate::refused(Ending::Error(code, "refused"))]);
        let sent = to_group(&account, "g1", NOW_S).await;
        let status = u32::try_from(code.unsigned_abs()).unwrap();
        assert_eq!(sent, Sent::with(outcome, status), "{code}");
    }
    // As the stand-in itself says.
    rig.zalo.user("u2", -230);
    assert_eq!(to_user(&account, "u2").await.outcome.trouble(), "zalo-230");
    assert_eq!(to_user(&account, "nobody").await.outcome.trouble(), "zalo-213");
    assert_eq!(to_group(&account, "elsewhere", NOW_S).await.outcome.trouble(), "zalo-403");
    let all = rig.zalo.calls().len();
    rig.zalo.limit(1);
    assert!(is_accepted(&to_group(&account, "g1", NOW_S).await));
    let sent = to_group(&account, "g1", NOW_S + 13).await;
    assert_eq!(sent, Sent::with(Outcome::Retry { after_s: Some(47), why: "rate" }, 32_u32));
    assert_eq!(rig.zalo.calls().len(), all + 2);
}

#[tokio::test]
async fn what_is_unclear_is_said_to_be() {
    let rig = Rig::start().await;
    let account = rig.hasty_account();
    for (fate, why, status) in [
        (Fate::done(Ending::Hang), "timeout", 0_u32),
        (Fate::refused(Ending::Hang), "timeout", 0),
        (Fate::done(Ending::Cut), "reset", 0),
        (Fate::done(Ending::Status(502)), "status", 502),
        (Fate::refused(Ending::Status(404)), "status", 404),
        (Fate::done(Ending::NotJson), "not-json", 200),
    ] {
        rig.zalo.next(TO_GROUP, [fate]);
        let expected = Sent::with(Outcome::Unknown { after_s: None, why }, status);
        assert_eq!(to_group(&account, "g1", NOW_S).await, expected, "{fate:?}");
    }
    // One try each.
    assert_eq!(rig.zalo.calls().len(), 6);
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let rig = Rig::start().await;
    let mut table = rig.table("");
    // Bound and dropped: nobody is there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    table.insert("openapi-url".to_owned(), format!("http://{free}").into());
    let account = Arc::new(Account::open("oa", table, &rig.tools()).unwrap());
    let sent = to_group(&account, "g1", NOW_S).await;
    assert_eq!(sent, Outcome::Retry { after_s: None, why: "connect" }.into());
    assert_eq!(account.probe().await, Health::NotKnown { why: "connect".into() });
}

#[tokio::test]
async fn the_proof_is_given_where_it_is_asked_for() {
    let rig = Rig::start().await;
    rig.zalo.ask_for_proof();
    let sent = to_group(&rig.account(), "g1", NOW_S).await;
    assert_eq!(sent.outcome, Outcome::ChannelDown { code: "zalo-242".into() });
    let proving = rig.account_with("appsecret-proof = true");
    assert!(is_accepted(&to_group(&proving, "g1", NOW_S).await));
}

#[test]
fn nobody_can_call_anybody_by_an_alert() {
    let mut sheet = sheet();
    sheet.text.headline = "Tìm [@all] cháu [@123456]".to_owned();
    sheet.text.place = "［@x] nhà @an".to_owned();
    let body = body(&sheet);
    let rendered = render(&view(&sheet, &body, News::Issued)).unwrap();
    let text = rendered.as_text();
    assert!(text.starts_with("TÌM TRẺ LẠC: Tìm (@ all] cháu (@ 123456]\n"), "{text}");
    assert!(!text.contains("[@"));
    let mut after = text.match_indices('@').map(|(at, _)| &text[at + 1..]);
    assert!(after.all(|rest| rest.starts_with(' ')), "{text}");
    assert!(text.ends_with("Kiểm tra 0123456789: https://keng.example.vn/v1/verify/0123456789"));
    assert!(rendered.warnings.is_empty());
}

#[test]
fn a_text_is_two_thousand_characters_and_a_picture_one_megabyte() {
    let mut sheet = sheet();
    sheet.text.description = "đ".repeat(3_000);
    let body = body(&sheet);
    let (small, large) = (photo(PHOTO_BYTES_MAX), photo(PHOTO_BYTES_MAX + 1));
    let mut view = view(&sheet, &body, News::Issued);
    view.photo = Some(&small);
    let rendered = render(&view).unwrap();
    assert!((1_990..=TEXT_CHARS_MAX).contains(&rendered.as_text().chars().count()));
    assert_eq!((rendered.photo, rendered.warnings), (Some(small.clone()), vec!["cut"]));
    view.photo = Some(&large);
    let rendered = render(&view).unwrap();
    assert_eq!((rendered.photo, rendered.warnings), (None, vec!["cut", "photo-too-large"]));
}

#[tokio::test]
async fn a_probe_says_how_the_account_is() {
    let rig = Rig::start().await;
    let account = rig.account();
    assert_eq!(account.probe().await, Health::Works);
    for (fate, health) in [
        (Ending::Error(-32, "limit"), Health::NotKnown { why: "zalo-32".into() }),
        (Ending::Error(-209, "not activated"), Health::Down { code: "zalo-209".into() }),
        (Ending::Status(503), Health::NotKnown { why: "status".into() }),
    ] {
        rig.zalo.next(GET_OA, [Fate::refused(fate)]);
        assert_eq!(account.probe().await, health);
    }
    assert!(rig.zalo.said("g1").is_empty());
    let mut table = rig.table("");
    table.insert("oa-id".to_owned(), "1".into());
    let other = Account::open("other", table, &rig.tools()).unwrap();
    assert_eq!(other.probe().await, Health::Down { code: "another-oa".into() });
}

#[tokio::test]
async fn an_account_opens_both_channels_and_says_what_is_wrong_with_it() {
    let rig = Rig::start().await;
    let channels = open("oa", rig.table(""), &rig.tools()).unwrap();
    let types: Vec<_> = channels.iter().map(|c| c.caps().channel_type.as_str()).collect();
    assert_eq!(types, ["zalo-oa", "zalo-gmf"]);
    for (field, value) in [
        ("app-id", toml::Value::from("x")),
        ("oa-id", "".into()),
        ("openapi-url", "ftp://a".into()),
        ("openapi-url", "http://openapi.zalo.me".into()),
        ("oauth-url", "not an address".into()),
        ("app-secret", "s3cret-in-the-file".into()),
        ("tokens", "s3cret-in-the-file".into()),
        ("tokns", "s3cret-in-the-file".into()),
    ] {
        let mut table = rig.table("");
        table.insert(field.to_owned(), value);
        let why = open("oa", table, &rig.tools()).err().unwrap();
        assert!(why.contains(field) && !why.contains("s3cret"), "{why}");
    }
    assert!(open("../oa", rig.table(""), &rig.tools()).is_err());
    let mut table = rig.table("");
    table.remove("tokens");
    let why = open("oa", table, &rig.tools()).err().unwrap();
    assert!(why.starts_with("tokens: "), "{why}");
}

#[tokio::test]
async fn a_follower_is_told_a_few_words_and_a_group_is_not() {
    let rig = Rig::start().await;
    let account = rig.account();
    let (follower, group) = (Oa(Arc::clone(&account)), Gmf(account));
    let note = follower.note("[@all] Đăng: https://keng.example.vn/p", "x").unwrap();
    assert_eq!(note, Rendered::text("(@all] Đăng: https://keng.example.vn/p"));
    assert!(follower.note(&"ộ".repeat(TEXT_CHARS_MAX), "").is_some());
    assert_eq!(follower.note(&"x".repeat(TEXT_CHARS_MAX + 1), ""), None);
    assert_eq!(group.note("x", ""), None);
    let sent = follower.send(&note, &to("u1"), intent(DELIVERY, NOW_S)).await;
    assert!(is_accepted(&sent), "{sent:?}");
}

#[tokio::test]
async fn what_an_overloaded_code_means_is_the_operators_to_say() {
    let rig = Rig::start().await;
    let own = "error-texts = [{ code = -223, contains = \"Vượt gói\", class = \"target\" }]";
    let account = rig.account_with(own);
    let bought = Fate::refused(Ending::Error(-223, "đã vượt gói"));
    let other = Fate::refused(Ending::Error(-223, "permission"));
    rig.zalo.next(TO_GROUP, [bought, other]);
    let sent = to_group(&account, "g1", NOW_S).await;
    assert_eq!(sent.outcome, Outcome::TargetGone { why: "zalo-223".into() });
    let sent = to_group(&account, "g1", NOW_S).await;
    assert_eq!(sent.outcome, Outcome::ChannelDown { code: "zalo-223".into() });
}

#[tokio::test]
async fn what_is_left_of_a_minute_is_kept_for_what_is_urgent() {
    let rig = Rig::start().await;
    let account = rig.account();
    rig.zalo.limit(4);
    let message = Rendered::text("Tin thường");
    let gmf = Gmf(Arc::clone(&account));
    let to = to("g1");
    let send = |is_urgent| gmf.send(&message, &to, Intent { is_urgent, ..intent(DELIVERY, NOW_S) });
    for _ in 0..3 {
        assert!(matches!(send(false).await.outcome, Outcome::Accepted { .. }));
    }
    let until = Millis((NOW_S.div_euclid(60) + 1) * 60_000);
    assert_eq!(send(false).await.outcome, Outcome::Defer { until, why: "rate" });
    assert!(matches!(send(true).await.outcome, Outcome::Accepted { .. }));
}
