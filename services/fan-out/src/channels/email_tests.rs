//! The channel against a relay on loopback, and what stands on the wire.

use std::path::PathBuf;

use domain::{
    ids::{AlertId, Millis, RecordId},
    values::News,
};
use stand_ins::smtp::{Fate, Letter, Smtp, Step};
use tokio::net::TcpListener;

use super::*;
use crate::channels::{
    address::Guard,
    http::Http,
    testing::{body, intent, sheet, to, view},
};

const NOW_S: i64 = 1_795_257_601;
const MAILBOX: &str = "an@xa.example.vn";
const RETRY: fn(&'static str) -> Outcome = |why| Outcome::Retry { after_s: None, why };
const UNKNOWN: fn(&'static str) -> Outcome = |why| Outcome::Unknown { after_s: None, why };

fn fields(text: &str) -> Fields {
    toml::from_str(text).unwrap()
}

fn email(port: u16, attempt_ms: u64, more: &str) -> Email {
    let text = format!(
        "host = '127.0.0.1'\nport = {port}\ntls = 'none'\ndomain = 'keng.example.vn'\n\
         from = 'Kẻng <canh-bao@keng.example.vn>'\n{more}"
    );
    Email::of(fields(&text), attempt_ms).unwrap()
}

fn alert() -> AlertId {
    AlertId::raised_by(RecordId::of_purpose("a"))
}

fn delivery(revision: u64) -> String {
    format!("{}:{revision}:g:email-1", alert())
}

fn rendered(news: News) -> Rendered {
    let (sheet, email) = (sheet(), email(1, 1_000, ""));
    email.render(&view(&sheet, &body(&sheet), news)).unwrap()
}

async fn send(email: &Email) -> Sent {
    let delivery = delivery(1);
    email.send(&rendered(News::Issued), &to(MAILBOX), intent(&delivery, NOW_S)).await
}

fn refused(code: &'static str) -> Outcome {
    Outcome::Permanent { code: Cow::Borrowed(code) }
}

fn down(code: &'static str) -> Outcome {
    Outcome::ChannelDown { code: Cow::Borrowed(code) }
}

/// Header lines, unfolded, and the text.
fn read(letter: &[u8]) -> (Vec<String>, String) {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let letter = std::str::from_utf8(letter).unwrap();
    assert!(letter.is_ascii());
    let (head, text) = letter.split_once("\r\n\r\n").unwrap();
    let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let text = BASE64_STANDARD.decode(text.replace("\r\n", "")).unwrap();
    (head.split("\r\n").map(str::to_owned).collect(), String::from_utf8(text).unwrap())
}

fn header<'a>(head: &'a [String], name: &str) -> Option<&'a str> {
    head.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn letter(more: &str, message: &Rendered, intent: &Intent<'_>) -> Vec<u8> {
    let email = email(1, 1_000, more);
    email.letterhead.letter(message, &MAILBOX.parse().unwrap(), intent).unwrap()
}

#[test]
fn the_subject_says_of_what_kind_it_is_and_the_text_says_all() {
    let message = rendered(News::Issued);
    assert_eq!(message.subject, "TÌM TRẺ LẠC: Tìm cháu bé 4 tuổi đi lạc");
    let text = message.as_text();
    assert!(text.starts_with("TÌM TRẺ LẠC: Tìm cháu bé"), "{text}");
    assert!(text.contains("Gọi 113") && text.contains("v1/verify/0123456789"), "{text}");
    assert!(!text.contains("Nguyễn Văn Ân"));
    assert_eq!(rendered(News::Issued), message);
    let over = rendered(News::Cancelled).subject;
    assert!(over.starts_with("[ĐÃ THU HỒI / WITHDRAWN] TÌM TRẺ LẠC: "), "{over}");
}

#[test]
fn a_note_is_a_letter_of_one_line_and_its_words() {
    let email = email(1, 1_000, "");
    let note = email.note("Bấm: https://keng.example.vn/p/1", "TÌM TRẺ LẠC:\r\nđăng").unwrap();
    assert_eq!(note.as_text(), "Bấm: https://keng.example.vn/p/1");
    assert_eq!(note.subject, "TÌM TRẺ LẠC:  đăng");
    let delivery = delivery(1);
    let (head, text) = read(&letter("", &note, &intent(&delivery, NOW_S)));
    assert_eq!(header(&head, "To"), Some(MAILBOX));
    assert_eq!(text, note.as_text());
    assert_eq!(email.note(&"x".repeat(TEXT_CHARS_MAX + 1), ""), None);
}

#[test]
fn a_letter_is_this() {
    let message =
        Rendered { subject: "TÌM: bé".into(), ..Rendered::text("Dòng một\nDòng hai") };
    let delivery = delivery(1);
    let unsubscribe = "unsubscribe = 'mailto:thoi@keng.example.vn'";
    let letter = letter(unsubscribe, &message, &intent(&delivery, NOW_S));
    let id = alert();
    assert_eq!(
        String::from_utf8(letter).unwrap(),
        [
            "From: =?utf-8?b?S+G6u25n?= <canh-bao@keng.example.vn>",
            "To: an@xa.example.vn",
            "Subject: =?utf-8?b?VMOMTTogYsOp?=",
            "Date: Sat, 21 Nov 2026 10:40:01 +0000",
            &format!("Message-ID: <{id}+1+g+email-1@keng.example.vn>"),
            "Auto-Submitted: auto-generated",
            "List-Unsubscribe: <mailto:thoi@keng.example.vn>",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: base64",
            "",
            "RMOybmcgbeG7mXQNCkTDsm5nIGhhaQ==",
            "",
        ]
        .join("\r\n")
    );
}

#[test]
fn every_attempt_has_the_same_message_id_and_what_follows_is_threaded_to_the_first() {
    let message = rendered(News::Issued);
    let (first, third) = (delivery(1), delivery(3));
    let told = intent(&first, NOW_S);
    let again = Intent { attempt: 2, now: told.now.plus_ms(60_000), ..told };
    let [(one, _), (two, _)] = [told, again].map(|intent| read(&letter("", &message, &intent)));
    assert_eq!(header(&one, "Message-ID"), header(&two, "Message-ID"));
    assert_ne!(header(&one, "Date"), header(&two, "Date"));
    assert_eq!(header(&one, "In-Reply-To"), None);
    assert_eq!(header(&one, "List-Unsubscribe"), None);

    let after = Intent { revision: 3, first_revision: 1, ..intent(&third, NOW_S) };
    let (after, _) = read(&letter("", &rendered(News::Cancelled), &after));
    assert_ne!(header(&after, "Message-ID"), header(&one, "Message-ID"));
    assert_eq!(header(&after, "In-Reply-To"), header(&one, "Message-ID"));
    assert_eq!(header(&after, "References"), header(&one, "Message-ID"));
}

#[test]
fn one_click_tells_by_its_address_whom_it_is_about() {
    let unsubscribe = "unsubscribe = 'https://keng.example.vn/thoi?x=1'";
    let delivery = "a:1:g::c";
    let (head, _) = read(&letter(unsubscribe, &rendered(News::Issued), &intent(delivery, 1)));
    let expected = "<https://keng.example.vn/thoi?x=1&delivery=a%3A1%3Ag%3A%3Ac>";
    assert_eq!(header(&head, "List-Unsubscribe"), Some(expected));
    assert_eq!(header(&head, "List-Unsubscribe-Post"), Some("List-Unsubscribe=One-Click"));
    assert_eq!(header(&head, "Message-ID"), Some("<a+1+g++c@keng.example.vn>"));
}

#[test]
fn nobody_adds_a_header_or_ends_a_message() {
    let evil = "Tin\r\nBcc: all@example.com\r\n\r\n.\r\nMAIL FROM:<x@y>\n\u{0}\u{b}ạ";
    let mut sheet = sheet();
    sheet.text.headline = evil.to_owned();
    sheet.text.description = evil.to_owned();
    let rendered = email(1, 1_000, "").render(&view(&sheet, &body(&sheet), News::Issued)).unwrap();
    assert!(!rendered.subject.contains(|c: char| c.is_control()));
    // Neither where a subject has not passed the rendering.
    for subject in [rendered.subject.clone(), evil.to_owned()] {
        let message = Rendered { subject, ..rendered.clone() };
        let letter = letter("", &message, &intent("a\r\nBcc: x@y:1:g:c", NOW_S));
        let names: Vec<String> = read(&letter).0;
        let names: Vec<&str> = names.iter().map(|line| line.split(':').next().unwrap()).collect();
        let expected = [
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "Auto-Submitted",
            "MIME-Version",
            "Content-Type",
            "Content-Transfer-Encoding",
        ];
        assert_eq!(names, expected);
        let text = String::from_utf8(letter).unwrap();
        assert!(!text.contains("\r\n.") && !text.replace("\r\n", "").contains(['\r', '\n']));
    }
}

#[test]
fn a_date_outside_the_calendar_is_its_nearest_end() {
    for (now, expected) in [
        (Millis(i64::MIN), "Thu, 01 Jan 1970 00:00:00 +0000"),
        (Millis(i64::MAX), "Fri, 31 Dec 9999 23:59:59 +0000"),
    ] {
        let intent = Intent { now, ..intent("a:1:g:c", 0) };
        let (head, _) = read(&letter("", &rendered(News::Issued), &intent));
        assert_eq!(header(&head, "Date"), Some(expected));
    }
}

#[tokio::test]
async fn what_the_relay_takes_is_accepted_and_the_connection_stays_warm() {
    let relay = Smtp::start(Some(("keng", "s3cret"))).await.unwrap();
    let mut email = email(relay.port(), 10_000, "");
    let login = Some(("keng".to_owned(), Secret::new("s3cret")));
    let server = ("127.0.0.1".to_owned(), relay.port());
    email.relay = Relay::new(server, Security::None, login, "keng.example.vn", 10_000).unwrap();
    assert_eq!(email.probe().await, Health::Works);
    for _ in 0..2 {
        let accepted = Outcome::Accepted { provider_id: None };
        assert_eq!(send(&email).await, Sent::with(accepted, 250_u32));
    }
    assert_eq!(relay.connections(), 1);
    let letters = relay.letters();
    let [first, second] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!(first, second);
    let Letter { from, to, data } = first;
    assert_eq!((from.as_str(), to.as_slice()), ("canh-bao@keng.example.vn", &[MAILBOX.into()][..]));
    let (head, text) = read(data.as_bytes());
    let id = format!("<{}+1+g+email-1@keng.example.vn>", alert());
    assert_eq!(header(&head, "Message-ID"), Some(id.as_str()));
    assert_eq!(text.replace("\r\n", "\n"), rendered(News::Issued).as_text());
}

#[tokio::test]
async fn each_refusal_has_its_class() {
    use Step::{Data, Dot, Greeting, Recipient, Sender};
    let gone = || Outcome::TargetGone { why: Cow::Borrowed("mailbox") };
    for (step, code, text, expected) in [
        (Greeting, 421, "later", RETRY("busy")),
        (Greeting, 554, "not you", down("greeting")),
        (Sender, 451, "4.3.0", RETRY("busy")),
        (Sender, 553, "5.7.1 not yours", down("sender")),
        (Recipient, 421, "closing", RETRY("busy")),
        (Recipient, 450, "4.2.1 greylisted", RETRY("greylisted")),
        (Recipient, 451, "x", RETRY("greylisted")),
        (Recipient, 452, "4.2.2 full", RETRY("busy")),
        (Recipient, 550, "5.1.1 nobody", gone()),
        (Recipient, 551, "moved", gone()),
        (Recipient, 553, "5.1.3 no name", gone()),
        (Recipient, 550, "5.7.1 relaying denied", refused("recipient")),
        (Recipient, 552, "5.2.2 full", refused("recipient")),
        (Recipient, 530, "5.7.0 log in", down("login")),
        (Data, 451, "x", RETRY("busy")),
        (Data, 554, "x", refused("message")),
        (Dot, 421, "x", RETRY("busy")),
        (Dot, 452, "4.3.1 disk full", RETRY("busy")),
        (Dot, 554, "5.7.1 spam", refused("message")),
    ] {
        let relay = Smtp::start(None).await.unwrap();
        relay.next(step, Fate::Answer(code, text));
        let sent = send(&email(relay.port(), 10_000, "")).await;
        assert_eq!(sent, Sent::with(expected, code), "{step:?} {code} {text}");
        assert!(!format!("{sent:?}").contains(MAILBOX));
        assert!(relay.letters().is_empty());
    }
}

#[tokio::test]
async fn where_the_connection_is_lost_decides_what_is_known() {
    use Step::{Data, Dot, FirstLine, Greeting, Recipient};
    for (step, fate, expected, taken) in [
        (Greeting, Fate::Cut, RETRY("reset"), 0),
        (Greeting, Fate::Hang, RETRY("timeout"), 0),
        (Recipient, Fate::Cut, RETRY("reset"), 0),
        (Recipient, Fate::Hang, RETRY("timeout"), 0),
        (Data, Fate::Cut, RETRY("reset"), 0),
        (Data, Fate::Hang, RETRY("timeout"), 0),
        // The dot has left us by then, and we cannot know that it was not read.
        (FirstLine, Fate::Cut, UNKNOWN("reset"), 0),
        (Dot, Fate::Cut, UNKNOWN("reset"), 1),
        (Dot, Fate::Hang, UNKNOWN("timeout"), 1),
    ] {
        let relay = Smtp::start(None).await.unwrap();
        relay.next(step, fate.clone());
        // Half of it must do for getting as far as the dot on a machine that is busy.
        let attempt_ms = match (step, &fate) {
            (Dot, Fate::Hang) => 3_000,
            (_, Fate::Hang) => 400,
            _ => 10_000,
        };
        let sent = send(&email(relay.port(), attempt_ms, "")).await;
        assert_eq!(sent, Sent::from(expected), "{step:?} {fate:?}");
        assert_eq!(relay.letters().len(), taken, "{step:?} {fate:?}");
    }
}

#[tokio::test]
async fn a_warm_connection_that_has_died_costs_nothing() {
    let relay = Smtp::start(None).await.unwrap();
    let email = email(relay.port(), 10_000, "");
    relay.next(Step::Recipient, Fate::Answer(550, "5.1.1 nobody"));
    assert_eq!(send(&email).await.outcome.trouble(), "mailbox");
    assert_eq!(send(&email).await.outcome.trouble(), "");
    assert_eq!(relay.connections(), 1, "a recipient's refusal ends no connection");
    relay.next(Step::Dot, Fate::Cut);
    assert_eq!(send(&email).await.outcome.trouble(), "reset");
    assert_eq!(send(&email).await.outcome.trouble(), "");
    assert_eq!(relay.connections(), 2);
}

#[tokio::test]
async fn who_is_not_let_in_is_down() {
    let relay = Smtp::start(Some(("keng", "another"))).await.unwrap();
    let email = |login: Option<&str>| {
        let mut email = email(relay.port(), 10_000, "");
        let login = login.map(|password| ("keng".to_owned(), Secret::new(password)));
        let server = ("127.0.0.1".to_owned(), relay.port());
        email.relay = Relay::new(server, Security::None, login, "keng.example.vn", 10_000).unwrap();
        email
    };
    let wrong = email(Some("s3cret"));
    assert_eq!(send(&wrong).await, Sent::with(down("login"), 535_u32));
    assert_eq!(wrong.probe().await, Health::Down { code: Cow::Borrowed("login") });
    assert_eq!(send(&email(None)).await, Sent::with(down("login"), 530_u32));
    relay.next(Step::Login, Fate::Answer(454, "4.7.0 later"));
    assert_eq!(send(&email(Some("another"))).await, Sent::with(RETRY("busy"), 454_u32));
}

#[tokio::test]
async fn without_the_encryption_asked_for_nothing_is_said() {
    let relay = Smtp::start(None).await.unwrap();
    for (security, expected) in
        [(Security::Upgraded, down("starttls")), (Security::FromTheStart, RETRY("tls"))]
    {
        let mut email = email(relay.port(), 10_000, "");
        let server = ("127.0.0.1".to_owned(), relay.port());
        email.relay = Relay::new(server, security, None, "keng.example.vn", 4_000).unwrap();
        assert_eq!(send(&email).await.outcome, expected);
    }
    assert!(relay.letters().is_empty());
}

#[tokio::test]
async fn where_nobody_listens_nobody_is_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let email = email(port, 10_000, "");
    assert_eq!(send(&email).await, Sent::from(RETRY("connect")));
    assert_eq!(email.probe().await, Health::NotKnown { why: Cow::Borrowed("connect") });
    let nobody = email.send(&rendered(News::Issued), &to("no mailbox"), intent("a:1:g:c", 1)).await;
    assert_eq!(nobody.outcome, Outcome::TargetGone { why: Cow::Borrowed("address") });
}

#[test]
fn what_is_wrong_with_an_account_is_said_by_its_field() {
    let tools = Tools {
        receipts: crate::channels::testing::receipts(),
        http: Http::new().unwrap(),
        guard: Guard::new(true),
        folder: PathBuf::new(),
        public_url: "http://127.0.0.1:1".to_owned(),
    };
    let whole = "host = 'h'\nfrom = 'a@b.vn'\ndomain = 'b.vn'\n";
    let open = |text: &str| open("thu", toml::from_str(text).unwrap(), &tools);
    assert_eq!(open(whole).unwrap().len(), 1);
    for (text, field) in [
        (format!("{whole}tls = 'none'"), "tls"),
        (format!("{whole}user = 'u'"), "user"),
        (format!("{whole}unsubscribe = 'http://b.vn/'"), "unsubscribe"),
        (format!("{whole}unsubscribe = 'mailto:a@b.vn>, <x'"), "unsubscribe"),
        (format!("{whole}hosts = 'h'"), "hosts"),
        (whole.replace("'h'", "''"), "host"),
        (whole.replace("'a@b.vn'", "'a'"), "from"),
        (whole.replace("'b.vn'", "'b>\\r\\nBcc: x'"), "domain"),
    ] {
        let why = open(&text).err().unwrap();
        assert!(why.contains(field), "{text}: {why}");
    }
}
