//! The channel `web-push`: one encrypted POST to a browser's push service, and what became of it.
//!
//! RFC 8030 (push), 8188 and 8291 (encryption), 8292 (who pushes: `vapid`). Source of the hosts
//! and of what statuses mean: `channels.md`, section 5 (certainty M).
//! No receipts: whether a push was shown, only the browser's service worker could tell.
//! The subscription is sealed: nothing of it stands in an error, a log or debug output.

pub mod vapid;

use std::{borrow::Cow, fmt, ops::Range, sync::Arc};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use domain::{
    channel::ChannelType,
    ids::{AlertId, Millis},
    schedule::ATTEMPT_MS_MAX,
};
use futures::future::{BoxFuture, FutureExt};
use registry::Address;
use rendering::{Sheet, Told, Unit, body::rfc3339};
use reqwest::{
    Client, Method, Request, StatusCode, Url,
    header::{
        AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION,
        RETRY_AFTER,
    },
};
use ring::digest;
use serde::{Deserialize, Serialize};
use toml::Table;
use web_push_native::{Auth, p256::PublicKey};

use crate::{
    accounts::{Tools, fields},
    channels::{
        Caps, Channel, Confirms, Intent, NotRendered, Outcome, PhotoRule, Rendered, Repeats, Sent,
        View,
        address::{Guard, NotCalled, stays_here},
        http::{self, NoHttp, drain, no_answer, retry_after_s, set_up},
        web_push::vapid::Vapid,
    },
    secret::Secret,
};

/// The longest message, in bytes of JSON: some push services take no more (M).
pub const PLAINTEXT_BYTES_MAX: usize = 3_000;
/// What fits in the 4,096 bytes that every push service must take (RFC 8030, 7.2).
const SENT_BYTES_MAX: usize = 3_993;
/// The push services of the browsers (M), and nothing else of their makers, where anybody may
/// rent a host. A subscription names any host it likes: what is sent to another one would be a call
/// on behalf of whoever subscribed.
pub const HOSTS: [&str; 4] = [
    "fcm.googleapis.com",
    "*.push.services.mozilla.com",
    "*.notify.windows.com",
    "*.push.apple.com",
];
/// Four weeks: push services keep nothing longer (M).
pub const TTL_S_MAX: u32 = 28 * 24 * 60 * 60;
/// Longer than any address of a mailbox, and most of pages.
const SUBJECT_BYTES_MAX: usize = 254;
/// A longer name of a message is not kept.
const PROVIDER_ID_BYTES_MAX: usize = 128;
/// The record size as everybody sends it (M).
const RECORD_BYTES: u32 = 4_096;
/// Of a hash, as many as of an id.
const TOPIC_BYTES: usize = 16;
/// Behind the salt (RFC 8188, 2.1).
const RECORD_SIZE_AT: Range<usize> = 16..20;
/// A delimiter and a tag go behind the plaintext.
const SEAL_BYTES: usize = 17;

const CAPS: Caps = Caps {
    channel_type: ChannelType::WebPush,
    text_max: PLAINTEXT_BYTES_MAX,
    unit: Unit::Bytes,
    confirms: Confirms::Accepted,
    // The topic: the later takes the place of the earlier, undelivered or shown.
    repeats: Repeats::Harmless,
    photo: PhotoRule::None,
    shares_account: true,
    per_minute: None,
    per_minute_a_target: None,
};

/// How pushes are sent: the table of an account of type `web-push`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WebPushOptions {
    /// The private VAPID key: P-256, as PEM (PKCS#8 or SEC 1) or as 32 bytes in base64url.
    pub key: Secret,
    /// Where push services find the operator: `mailto:` or `https:`.
    pub subject: String,
    /// The longest that a push service keeps a message, in seconds.
    #[serde(default = "ttl_s_max")]
    pub ttl_s_max: u32,
    /// The hosts that may be called, as `push.example.org` or `*.example.org`, instead of the
    /// browsers' own. A host on this machine may be called over http, where private addresses may
    /// be called at all.
    #[serde(default = "hosts")]
    pub allow_hosts: Vec<String>,
    /// One attempt may take this long, answer included, in milliseconds.
    #[serde(skip, default = "attempt_ms")]
    pub attempt_ms: u64,
}

impl WebPushOptions {
    /// The options where the operator says no more than this.
    #[must_use]
    pub fn new(key: Secret, subject: impl Into<String>) -> Self {
        Self {
            key,
            subject: subject.into(),
            ttl_s_max: ttl_s_max(),
            allow_hosts: hosts(),
            attempt_ms: attempt_ms(),
        }
    }
}

fn ttl_s_max() -> u32 {
    TTL_S_MAX
}

fn hosts() -> Vec<String> {
    HOSTS.map(str::to_owned).to_vec()
}

fn attempt_ms() -> u64 {
    ATTEMPT_MS_MAX
}

/// Why no pushes are sent. The operator must act.
#[derive(Debug, thiserror::Error)]
pub enum BadWebPush {
    /// It is no private key of the curve.
    #[error(
        "key: không phải khoá riêng P-256 (PEM, hay 32 byte base64url) / \
         is no private key of P-256 (PEM, or 32 bytes in base64url)"
    )]
    Key,
    /// Nobody could be reached there.
    #[error("subject: phải là mailto:… hay https://… / must be mailto:… or https://…")]
    Subject,
    /// No push service keeps a message so long, or at all.
    #[error("ttl-s-max: phải từ 1 đến {TTL_S_MAX} / is not between 1 and {TTL_S_MAX}")]
    TtlSMax,
    /// It names no hosts, or too many.
    #[error(
        "allow-hosts: phải là tên máy, như push.example.org hay *.example.org / \
         must be hosts, as push.example.org or *.example.org"
    )]
    AllowHosts,
    /// No HTTP client on this machine.
    #[error(transparent)]
    NoHttp(#[from] NoHttp),
}

/// The channel. Any number of pushes may be under way at once.
pub struct WebPush {
    client: Client,
    guard: Guard,
    hosts: Vec<String>,
    vapid: Vapid,
    ttl_s_max: u32,
}

impl fmt::Debug for WebPush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebPush").field("vapid", &self.vapid).finish_non_exhaustive()
    }
}

/// Opens an account of type `web-push`.
///
/// # Errors
/// What is wrong with it, with the field's name.
pub fn open(account: &str, table: Table, tools: &Tools) -> Result<Vec<Arc<dyn Channel>>, String> {
    let options: WebPushOptions = fields(table)?;
    let channel = WebPush::new(&options, tools.guard).map_err(|wrong| wrong.to_string())?;
    // It is public: whoever sets up a page that subscribes needs it.
    let public_key = channel.public_key();
    tracing::info!(account, public_key, "web push: browsers subscribe with this key");
    Ok(vec![Arc::new(channel)])
}

/// What a service worker reads. No picture, and nobody's name.
#[derive(Serialize)]
struct Push<'a> {
    alert: String,
    code: &'a str,
    revision: u64,
    #[serde(rename = "type")]
    news: String,
    /// Whether it is real and stands, and the kind, as `TÌM TRẺ LẠC`: the first line of what is
    /// shown.
    title: String,
    headline: String,
    kind: &'a str,
    status: &'a str,
    from: &'a str,
    verify: &'a str,
    expires: String,
}

/// A few words to one person: nothing of an alert, and nothing to verify.
#[derive(Serialize)]
struct Note<'a> {
    #[serde(rename = "type")]
    news: &'static str,
    title: &'a str,
    headline: &'a str,
    /// What a tap opens: the last of the words, where that is an address.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
}

impl WebPush {
    /// Sets the client up; reads the system's root certificates.
    ///
    /// # Errors
    /// [`BadWebPush`]: an option or the machine is wrong.
    pub fn new(options: &WebPushOptions, guard: Guard) -> Result<Self, BadWebPush> {
        if !is_subject(&options.subject) {
            return Err(BadWebPush::Subject);
        }
        if !(1..=TTL_S_MAX).contains(&options.ttl_s_max) {
            return Err(BadWebPush::TtlSMax);
        }
        let hosts: Vec<String> =
            options.allow_hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        if hosts.is_empty() || !hosts.iter().all(|host| is_host(host)) {
            return Err(BadWebPush::AllowHosts);
        }
        let vapid = Vapid::new(&options.key, &options.subject).ok_or(BadWebPush::Key)?;
        let client = set_up(|| http::builder(options.attempt_ms).dns_resolver(guard))?;
        Ok(Self { client, guard, hosts, vapid, ttl_s_max: options.ttl_s_max })
    }

    /// What browsers subscribe with: their `applicationServerKey`, in base64url.
    #[must_use]
    pub fn public_key(&self) -> &str {
        self.vapid.public_key()
    }

    fn endpoint(&self, url: &str) -> Result<Url, NotCalled> {
        let url = self.guard.target(url)?;
        let host = url.host_str().unwrap_or_default();
        let is_sealed = url.scheme() == "https" || stays_here(&url);
        let is_known = self.hosts.iter().any(|known| covers(known, host));
        if is_sealed && is_known { Ok(url) } else { Err(NotCalled::Blocked) }
    }

    /// The request and its push service, or what is known without one.
    fn request(
        &self,
        message: &Rendered,
        to: &Address,
        intent: Intent<'_>,
    ) -> Result<(Request, String), Outcome> {
        let url = self.endpoint(&to.url).map_err(|not| never(not.code()))?;
        let (key, auth) = keys(to).ok_or_else(|| never("keys"))?;
        if message.body.len() > SENT_BYTES_MAX {
            return Err(never("too-large"));
        }
        let sealed = seal(&message.body, &key, &auth).ok_or_else(|| never("keys"))?;
        let origin = url.origin().ascii_serialization();
        let authorization = self.vapid.authorization(&origin, now_s(intent.now));
        let authorization =
            authorization.ok_or(Outcome::Retry { after_s: None, why: "signing" })?;
        // Only a note has a subject.
        let topic = match message.subject.is_empty() {
            true => topic(intent.alert),
            false => topic_of_note(&intent),
        };
        let topic = HeaderValue::try_from(topic).map_err(|_| never("topic"))?;
        let mut request = Request::new(Method::POST, url);
        let headers = request.headers_mut();
        headers.reserve(7);
        headers.insert(AUTHORIZATION, authorization);
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("aes128gcm"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert("ttl", HeaderValue::from(self.ttl_s(intent)));
        let urgency = if intent.is_urgent { "high" } else { "normal" };
        headers.insert("urgency", HeaderValue::from_static(urgency));
        headers.insert("topic", topic);
        *request.body_mut() = Some(sealed.into());
        Ok((request, origin))
    }

    /// Until the alert ends; 0 means now or never.
    fn ttl_s(&self, intent: Intent<'_>) -> u32 {
        let left_s = intent.expires_at.since_ms(intent.now) / 1_000;
        u32::try_from(left_s).unwrap_or(u32::MAX).min(self.ttl_s_max)
    }

    async fn attempt(&self, request: Request, origin: &str, now_s: i64) -> Sent {
        let secret = secret_of(request.url());
        match self.client.execute(request).await {
            Ok(answer) => {
                let (status, headers) = (answer.status(), answer.headers());
                if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                    self.vapid.forget(origin);
                }
                let outcome = of_answer(status, headers, &secret, now_s);
                drain(answer).await;
                Sent::with(outcome, status.as_u16())
            }
            Err(error) => Outcome::from(no_answer(&error)).into(),
        }
    }
}

impl Channel for WebPush {
    fn caps(&self) -> &Caps {
        &CAPS
    }

    fn render(&self, view: &View<'_>) -> Result<Rendered, NotRendered> {
        let Told { sheet: Sheet { alert, code, revision, facts, .. }, .. } = view.told;
        let push = Push {
            alert: alert.to_string(),
            code,
            revision: *revision,
            news: format!("alert.{}", view.told.news.as_str()),
            title: view.told.marked_kind(),
            headline: view.told.headline(),
            kind: facts.kind.as_str(),
            status: facts.status.as_str(),
            from: view.told.from,
            verify: view.told.verify_url,
            expires: rfc3339(facts.expires_at),
        };
        let body = serde_json::to_vec(&push).map_err(|_| NotRendered("json"))?;
        // A headline has 160 characters at most: only an address of ours could be so long.
        if body.len() > PLAINTEXT_BYTES_MAX {
            return Err(NotRendered("too-long"));
        }
        Ok(Rendered { body: body.into(), ..Rendered::default() })
    }

    fn note(&self, text: &str, subject: &str) -> Option<Rendered> {
        let link = text.split_whitespace().next_back().filter(|word| word.contains("://"));
        let note = Note { news: "note", title: subject, headline: text, link };
        let body = serde_json::to_vec(&note).ok()?;
        if body.len() > PLAINTEXT_BYTES_MAX {
            return None;
        }
        let subject = subject.to_owned();
        Some(Rendered { body: body.into(), subject, ..Rendered::default() })
    }

    fn send<'a>(
        &'a self,
        message: &'a Rendered,
        to: &'a Address,
        intent: Intent<'a>,
    ) -> BoxFuture<'a, Sent> {
        async move {
            match self.request(message, to, intent) {
                Ok((request, origin)) => self.attempt(request, &origin, now_s(intent.now)).await,
                Err(outcome) => outcome.into(),
            }
        }
        .boxed()
    }
}

/// An alert has one, whatever is told of it: what is told later takes the place of what a push
/// service still keeps. 22 characters of the 32 that RFC 8030 allows.
fn topic(alert: AlertId) -> String {
    BASE64URL.encode(alert.0.as_bytes())
}

/// A note is of one target, and takes the place of what was noted there of an earlier revision: not
/// that of the alert itself, which may go to the same browser, and not that of another group's.
fn topic_of_note(intent: &Intent<'_>) -> String {
    let Intent { alert, revision, delivery, .. } = intent;
    let target = delivery.strip_prefix(&format!("{alert}:{revision}:")).unwrap_or(delivery);
    let hash = digest::digest(&digest::SHA256, format!("note:{alert}:{target}").as_bytes());
    BASE64URL.encode(hash.as_ref().get(..TOPIC_BYTES).unwrap_or_default())
}

/// The keys of a subscription, as the directory has them.
fn keys(to: &Address) -> Option<(PublicKey, Auth)> {
    let point = BASE64URL.decode(to.to.as_bytes()).ok()?;
    let auth: [u8; 16] = BASE64URL.decode(to.secret.as_bytes()).ok()?.try_into().ok()?;
    Some((PublicKey::from_sec1_bytes(&point).ok()?, Auth::from(auth)))
}

/// Encrypts by RFC 8291, with a salt and a key of this attempt alone.
fn seal(plaintext: &[u8], key: &PublicKey, auth: &Auth) -> Option<Vec<u8>> {
    let mut record = Vec::with_capacity(plaintext.len() + SEAL_BYTES);
    record.extend_from_slice(plaintext);
    let mut sealed = web_push_native::encrypt(record, key, auth).ok()?;
    // The record size must be greater than the record (RFC 8291, 4), and the crate gives just the
    // record's. No key depends on it and no tag covers it, so that it can be set afterwards.
    sealed.get_mut(RECORD_SIZE_AT)?.copy_from_slice(&RECORD_BYTES.to_be_bytes());
    Some(sealed)
}

/// It is this subscription's or message's fault, and stays so: it says nothing of the account.
fn never(code: &'static str) -> Outcome {
    Outcome::Permanent { code: Cow::Borrowed(code) }
}

/// What of an endpoint nobody else knows: push services put it last.
fn secret_of(url: &Url) -> String {
    let last = || url.path_segments().and_then(|mut path| path.next_back());
    url.query().or_else(last).unwrap_or_default().to_owned()
}

/// What a status means (M). Only what says that the subscription is no more ends it.
fn of_answer(status: StatusCode, headers: &HeaderMap, secret: &str, now_s: i64) -> Outcome {
    let after_s = || headers.get(RETRY_AFTER).and_then(|at| retry_after_s(at, now_s));
    match status {
        status if status.is_success() => {
            Outcome::Accepted { provider_id: provider_id(headers, secret) }
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            Outcome::TargetGone { why: Cow::Borrowed("status") }
        }
        StatusCode::PAYLOAD_TOO_LARGE => never("too-large"),
        // Push services count by subscription.
        StatusCode::TOO_MANY_REQUESTS => Outcome::Retry { after_s: after_s(), why: "target-rate" },
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            // By the reference the account is misconfigured; but one subscription that was made
            // with another key answers the same.
            Outcome::Retry { after_s: after_s(), why: "vapid" }
        }
        _ => Outcome::Unknown { after_s: after_s(), why: "status" },
    }
}

/// The message's own address, unless it holds the subscription's, which is sealed.
fn provider_id(headers: &HeaderMap, secret: &str) -> Option<String> {
    let location = headers.get(LOCATION)?.to_str().ok()?;
    let is_kept = !location.is_empty()
        && location.len() <= PROVIDER_ID_BYTES_MAX
        && (secret.is_empty() || !location.contains(secret));
    is_kept.then(|| location.to_owned())
}

fn now_s(now: Millis) -> i64 {
    now.0.div_euclid(1_000)
}

fn is_subject(text: &str) -> bool {
    let mailbox = text.strip_prefix("mailto:").map(|mailbox| mailbox.split_once('@'));
    let is_reachable = match mailbox {
        Some(parts) => parts.is_some_and(|(user, host)| !user.is_empty() && host.contains('.')),
        None => text.strip_prefix("https://").is_some_and(|rest| rest.contains('.')),
    };
    is_reachable
        && text.len() <= SUBJECT_BYTES_MAX
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A host, or all below a domain that has at least two labels.
fn is_host(text: &str) -> bool {
    let below = text.strip_prefix("*.");
    let name = below.unwrap_or(text);
    let are_labels = name.split('.').all(|label| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    are_labels && (below.is_none() || name.contains('.'))
}

/// Whether a host is meant. By whole labels: `*.google.com` is neither `google.com` nor
/// `notgoogle.com`.
fn covers(known: &str, host: &str) -> bool {
    match known.strip_prefix('*') {
        Some(end) => host.len() > end.len() && host.ends_with(end),
        None => host == known,
    }
}

#[cfg(test)]
#[path = "web_push_tests.rs"]
mod tests;
