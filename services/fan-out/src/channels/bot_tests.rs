//! What bots share, and what the tests of their channels share.

use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use reqwest::header::HeaderValue;
use stand_ins::bot::Update;
use tracing::{Metadata, Subscriber, field::Visit, span};

use super::*;
use crate::{
    accounts::{Accounts, BadAccounts, Tools},
    channels::{
        Channel, NotReceived, RawRequest, Received,
        address::Guard,
        testing::{body, intent, sheet, to, view},
        webhook::WebhookOptions,
    },
};
use domain::values::News;

pub(crate) const NOW_S: i64 = 1_795_257_600;

/// The picture of an alert.
pub(crate) fn photo() -> Photo {
    Photo {
        id: "p".to_owned(),
        url: "https://keng.example.vn/v1/photos/p?sig=abc".to_owned(),
        jpeg: bytes::Bytes::new(),
    }
}

/// What the channel makes of an alert with this description.
pub(crate) fn rendered(channel: &dyn Channel, description: &str, with_photo: bool) -> Rendered {
    let (mut sheet, photo) = (sheet(), photo());
    description.clone_into(&mut sheet.text.description);
    let body = body(&sheet);
    let mut view = view(&sheet, &body, News::Issued);
    view.photo = with_photo.then_some(&photo);
    channel.render(&view).unwrap()
}

/// One attempt, the `nth`.
pub(crate) async fn sent(channel: &dyn Channel, message: &Rendered, chat: &str, nth: u32) -> Sent {
    let intent = Intent { attempt: nth, ..intent("a:1:g:c", NOW_S) };
    channel.send(message, &to(chat), intent).await
}

/// What the channel makes of a call of its provider.
pub(crate) fn received(channel: &dyn Channel, update: &Update) -> Result<Received, NotReceived> {
    let (name, value) = &update.secret;
    let mut headers = HeaderMap::new();
    let name = reqwest::header::HeaderName::try_from(*name).unwrap();
    headers.insert(name, HeaderValue::from_str(value).unwrap());
    channel.receive(RawRequest {
        method: "POST",
        path: "",
        query: "",
        headers: &headers,
        body: update.body.as_bytes(),
        now: Millis(NOW_S * 1_000),
    })
}

/// The accounts of a channels file with one account, `bot`, whose secrets are in files; `table`
/// says `{token}` and `{secret}` where they stand.
pub(crate) fn opened(table: &str, token: &str, secret: &str) -> Result<Accounts, BadAccounts> {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        format!("{{ file = {path:?} }}")
    };
    let table = table.replace("{token}", &at("token", token));
    let table = table.replace("{secret}", &at("secret", secret));
    let file = folder.path().join("channels.toml");
    std::fs::write(&file, format!("[bot]\n{table}\n")).unwrap();
    let tools = Tools {
        receipts: crate::channels::testing::receipts(),
        http: Http::new().unwrap(),
        guard: Guard::new(true),
        folder: folder.path().to_owned(),
        public_url: "https://keng.example.vn".to_owned(),
    };
    Accounts::open(Some(&file), &WebhookOptions::default(), &tools)
}

/// Runs something, and returns all that it logs on this thread.
pub(crate) async fn logged(what: BoxFuture<'_, ()>) -> String {
    let seen = Seen::default();
    let _guard = tracing::subscriber::set_default(seen.clone());
    what.await;
    let text = seen.0.lock().unwrap();
    text.clone()
}

/// Keeps every word of every event.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<String>>);

impl Visit for Seen {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        let mut text = self.0.lock().unwrap();
        text.push_str(&format!("{field}={value:?} "));
    }
}

impl Subscriber for Seen {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        attributes.record(&mut self.clone());
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[test]
fn what_is_no_address_or_no_token_is_said_without_either() {
    let http = Http::new().unwrap();
    for (url, token, field) in [
        ("https://api.example.vn", "1:a/b", "token"),
        ("https://api.example.vn", "1:a?b", "token"),
        ("https://api.example.vn", "1:a b", "token"),
        ("ftp://api.example.vn", "1:abc", "url"),
        ("https://", "1:abc", "url"),
        ("http://api.example.vn", "1:abc", "url"),
        ("https://an:a1@api.example.vn", "1:abc", "url"),
        ("https://api.example.vn?x=1", "1:abc", "url"),
        ("api.example.vn", "1:abc", "url"),
    ] {
        let why = Bot::new(&http, url, &Secret::new(token)).unwrap_err();
        assert!(why.starts_with(&format!("{field}: ")), "{url} {token}: {why}");
        assert!(!why.contains(token) && !why.contains("example"), "{why}");
    }
    let bot = Bot::new(&http, "https://api.example.vn/", &Secret::new("1:abc")).unwrap();
    assert_eq!(bot.root.as_str(), "https://api.example.vn/bot1:abc/");
    assert_eq!(format!("{bot:?}"), "Bot(sealed)");
}

#[test]
fn only_the_secret_itself_is_the_secret() {
    let secret = CallSecret::new(&Secret::new("s3cret-0"));
    let headers = |given: &str| {
        HeaderMap::from_iter([("x-secret".parse().unwrap(), HeaderValue::from_str(given).unwrap())])
    };
    assert!(secret.is_in(&headers("s3cret-0"), "x-secret"));
    for given in ["", "s3cret-", "s3cret-1", "s3cret-00", "S3CRET-0"] {
        assert!(!secret.is_in(&headers(given), "x-secret"), "{given}");
    }
    assert!(!secret.is_in(&headers("s3cret-0"), "x-other"));
}

#[tokio::test]
async fn an_attempt_that_is_over_writes_nothing() {
    let http = Http::new().unwrap();
    let bot = Bot::new(&http, "http://127.0.0.1:9", &Secret::new("1:abc")).unwrap();
    let bot = bot.with_attempt_ms(0);
    let no = bot.call("getMe", &Value::Null, bot.begin(Millis(0))).await.err();
    assert_eq!(no, Some(NoAnswer::NotSent("timeout")));
}
