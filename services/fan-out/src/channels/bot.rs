//! A bot whose token stands in the address that is called, as Zalo's and Telegram's: one call, the
//! envelope of its answer, and the secret by which its provider is known.
//!
//! What an error code means is each provider's own, and stands with its channel. Nothing here
//! calls twice. The token stands in no error, no log and no debug output.

use std::{borrow::Cow, fmt, time::Duration};

use domain::{ids::Millis, schedule::ATTEMPT_MS_MAX};
use reqwest::{StatusCode, Url};
use ring::hmac;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    channels::{
        Health, Intent, Outcome, Photo, Rendered, Sent, address,
        http::{HeaderMap, Http, NoAnswer, no_answer},
    },
    secret::Secret,
};

/// So many attempts take the picture along, and those after them the words alone. A provider
/// fetches the picture before it answers: where that takes longer than an attempt may, each
/// further attempt with it would be one more whose end nobody knows, shown to people each time.
pub const PHOTO_ATTEMPTS_MAX: u32 = 2;

/// A bot. Any number of calls may be under way at once.
pub struct Bot {
    http: Http,
    /// With the token in it, and a slash at the end.
    root: Url,
    attempt_ms: u64,
}

impl fmt::Debug for Bot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bot(sealed)")
    }
}

/// One attempt under way: all its calls end in time together.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    until: Instant,
    now_s: i64,
}

/// What a provider answered.
pub struct Reply {
    /// Its own code of what went wrong, or the HTTP status where it gave none.
    pub code: u32,
    /// When it wants the next call, in seconds from now.
    pub after_s: Option<u32>,
    status: StatusCode,
    said: Option<Envelope>,
}

/// Values where a number may come as a text. Unknown fields are left alone.
#[derive(Deserialize)]
struct Envelope {
    ok: bool,
    #[serde(default)]
    result: Value,
    #[serde(default)]
    error_code: Value,
    #[serde(default)]
    description: Value,
    #[serde(default)]
    parameters: Value,
}

impl Bot {
    /// A bot behind `url`, which is the provider's.
    ///
    /// # Errors
    /// The URL or the token is none; says which, and shows neither.
    pub fn new(http: &Http, url: &str, token: &Secret) -> Result<Self, String> {
        let fits = |byte: u8| byte.is_ascii_graphic() && !b"/?#%\\".contains(&byte);
        if !token.reveal().bytes().all(fits) {
            return Err("token: có ký tự lạ / has a character that no token has".to_owned());
        }
        let root = Url::parse(&format!("{}/bot{}/", address::base("url", url)?, token.reveal()));
        let root = root.map_err(|_| "url: không phải địa chỉ / is no address")?;
        Ok(Self { http: http.clone(), root, attempt_ms: ATTEMPT_MS_MAX })
    }

    /// The same bot, with less time for an attempt.
    #[cfg(test)]
    pub(crate) fn with_attempt_ms(mut self, attempt_ms: u64) -> Self {
        self.attempt_ms = attempt_ms;
        self
    }

    /// Begins an attempt.
    #[must_use]
    pub fn begin(&self, now: Millis) -> Attempt {
        let until = Instant::now() + Duration::from_millis(self.attempt_ms);
        Attempt { until, now_s: now.0.div_euclid(1_000) }
    }

    /// One call of a method.
    ///
    /// # Errors
    /// There is no whole answer; says whether anything was written.
    pub async fn call(
        &self,
        method: &str,
        body: &Value,
        attempt: Attempt,
    ) -> Result<Reply, NoAnswer> {
        let left = attempt.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(NoAnswer::NotSent("timeout"));
        }
        let url = self.root.join(method).map_err(|_| NoAnswer::NotSent("address"))?;
        let request = self.http.client().post(url).json(body).timeout(left).build();
        let answer = self.http.call(request.map_err(|error| no_answer(&error))?).await?;
        let said: Option<Envelope> = answer.json();
        let given = said.as_ref().filter(|said| !said.ok);
        let code = given.and_then(|said| number(&said.error_code));
        let wished_s = given.and_then(|said| number(said.parameters.get("retry_after")?));
        Ok(Reply {
            code: code.unwrap_or(u32::from(answer.status.as_u16())),
            after_s: wished_s.or_else(|| answer.retry_after_s(attempt.now_s)).filter(|s| *s > 0),
            status: answer.status,
            said,
        })
    }

    /// Whether the token works; `of` says what a refusal means.
    pub async fn health(&self, of: fn(&Reply) -> Sent) -> Health {
        let nothing = Value::Object(serde_json::Map::new());
        let outcome = match self.call("getMe", &nothing, self.begin(Millis(0))).await {
            Ok(reply) if reply.is_done() => return Health::Works,
            Ok(reply) => of(&reply).outcome,
            Err(no) => Outcome::from(no),
        };
        match outcome {
            Outcome::ChannelDown { code } => Health::Down { code },
            other => Health::NotKnown { why: Cow::Owned(other.trouble().to_owned()) },
        }
    }
}

impl Reply {
    /// Whether it was done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.status.is_success() && self.said.as_ref().is_some_and(|said| said.ok)
    }

    /// Whether the provider itself says that it was not done. Without that, who answered may
    /// stand in front of it, and know nothing.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.said.as_ref().is_some_and(|said| !said.ok)
    }

    /// The provider's name for what was sent.
    #[must_use]
    pub fn message_id(&self) -> Option<String> {
        name(self.said.as_ref()?.result.get("message_id")?)
    }

    /// A parameter of the refusal.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&Value> {
        self.said.as_ref()?.parameters.get(name).filter(|value| !value.is_null())
    }

    /// Whether the words of the refusal hold these; in lower case. The words themselves are
    /// passed on to nobody: they may repeat what was sent.
    #[must_use]
    pub fn says(&self, words: &str) -> bool {
        let description = self.said.as_ref().and_then(|said| said.description.as_str());
        description.is_some_and(|description| description.to_lowercase().contains(words))
    }

    /// What an answer comes to that says nothing of what was done.
    #[must_use]
    pub fn unknown(&self) -> Outcome {
        let is_unread = self.said.is_none() && self.status.is_success();
        let why = if is_unread { "answer" } else { "status" };
        Outcome::Unknown { after_s: self.after_s, why }
    }
}

/// The picture that goes with this attempt.
#[must_use]
pub fn photo_of<'a>(message: &'a Rendered, intent: &Intent<'_>) -> Option<&'a Photo> {
    message.photo.as_ref().filter(|_| intent.attempt <= PHOTO_ATTEMPTS_MAX)
}

/// A provider's name for something, which comes as a text or as a number.
#[must_use]
pub fn name(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn number(value: &Value) -> Option<u32> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    Some(u32::try_from(number).unwrap_or(u32::MAX))
}

/// The secret that a provider puts into a header of its calls.
pub struct CallSecret {
    key: hmac::Key,
    tag: hmac::Tag,
}

impl CallSecret {
    /// The secret as it was given to the provider.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
        let tag = hmac::sign(&key, secret.reveal().as_bytes());
        Self { key, tag }
    }

    /// Whether a call carries it. In constant time: what is compared is a MAC of each, so that
    /// not even its length can be measured.
    #[must_use]
    pub fn is_in(&self, headers: &HeaderMap, header: &str) -> bool {
        let given = headers.get(header).map(|given| given.as_bytes());
        given.is_some_and(|given| hmac::verify(&self.key, given, self.tag.as_ref()).is_ok())
    }
}

#[cfg(test)]
#[path = "bot_tests.rs"]
pub(crate) mod tests;
