//! The channel `webhook`: one signed POST by Standard Webhooks 1.0.0, and what became of it.
//!
//! One try a call; no retry, no redirect, no proxy, no state but warm connections.
//! The address and the secret are sealed: neither stands in an error, a log or debug output.

use std::{borrow::Cow, fmt};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use domain::{channel::ChannelType, schedule::ATTEMPT_MS_MAX};
use futures::future::{BoxFuture, FutureExt};
use registry::Address;
use rendering::Unit;
use reqwest::{
    Client, Method, Request, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
};
use ring::hmac;

use crate::channels::{
    Caps, Channel, Confirms, Intent, Named, NotRendered, Outcome, PhotoRule, Rendered, Repeats,
    Sent, View,
    address::{Guard, NotCalled},
    http::{self, NoHttp, drain, no_answer, retry_after_s, set_up},
};

const CAPS: Caps = Caps {
    channel_type: ChannelType::Webhook,
    text_max: usize::MAX,
    unit: Unit::Bytes,
    confirms: Confirms::Delivered,
    repeats: Repeats::Harmless,
    photo: PhotoRule::None,
    shares_account: false,
    per_minute: None,
    // A machine: the limit is there for floods, and far above ten alerts a minute.
    per_minute_a_target: Some(120),
};
/// Standard Webhooks. Whoever could sign with an empty secret could be anybody.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// How webhooks are called.
#[derive(Debug, Clone)]
pub struct WebhookOptions {
    /// Whether loopback and private addresses may be called.
    pub allow_private_targets: bool,
    /// One attempt may take this long, answer included, in milliseconds.
    pub attempt_ms: u64,
}

impl Default for WebhookOptions {
    fn default() -> Self {
        Self { allow_private_targets: false, attempt_ms: ATTEMPT_MS_MAX }
    }
}

/// The channel. Any number of deliveries may be under way at once; cloning shares connections.
#[derive(Clone)]
pub struct Webhook {
    client: Client,
    guard: Guard,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("guard", &self.guard).finish_non_exhaustive()
    }
}

impl Webhook {
    /// Sets the client up; reads the system's root certificates.
    ///
    /// # Errors
    /// The client cannot be set up.
    pub fn new(options: &WebhookOptions) -> Result<Self, NoHttp> {
        let guard = Guard::new(options.allow_private_targets);
        let client = set_up(|| http::builder(options.attempt_ms).dns_resolver(guard))?;
        Ok(Self { client, guard })
    }

    /// One attempt, bare. `timestamp_s` is now, in seconds of Unix time; `delivery_id` and `body`
    /// are the same at every attempt.
    pub async fn deliver(
        &self,
        url: &str,
        secret: &str,
        delivery_id: &str,
        timestamp_s: i64,
        body: Bytes,
    ) -> Sent {
        match self.request(url, secret, delivery_id, timestamp_s, body) {
            Ok(request) => self.attempt(request, timestamp_s).await,
            Err(why) => Outcome::Retry { after_s: None, why }.into(),
        }
    }

    fn request(
        &self,
        url: &str,
        secret: &str,
        delivery_id: &str,
        timestamp_s: i64,
        body: Bytes,
    ) -> Result<Request, &'static str> {
        let url = self.guard.target(url).map_err(NotCalled::code)?;
        let signature = sign(secret, delivery_id, timestamp_s, &body).ok_or("secret")?;
        let signature = HeaderValue::try_from(signature).map_err(|_| "secret")?;
        let id = HeaderValue::from_str(delivery_id).map_err(|_| "address")?;
        let mut request = Request::new(Method::POST, url);
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("webhook-id", id);
        headers.insert("webhook-timestamp", HeaderValue::from(timestamp_s));
        headers.insert("webhook-signature", signature);
        *request.body_mut() = Some(body.into());
        Ok(request)
    }

    async fn attempt(&self, request: Request, timestamp_s: i64) -> Sent {
        match self.client.execute(request).await {
            Ok(answer) => {
                let sent = of_answer(answer.status(), answer.headers(), timestamp_s);
                drain(answer).await;
                sent
            }
            Err(error) => Outcome::from(no_answer(&error)).into(),
        }
    }
}

impl Channel for Webhook {
    fn caps(&self) -> &Caps {
        &CAPS
    }

    fn render(&self, view: &View<'_>) -> Result<Rendered, NotRendered> {
        let Named { id, group, commune, channel } = view.delivery;
        let body = view.body.for_delivery(id, group, commune, channel);
        Ok(Rendered { body, ..Rendered::default() })
    }

    fn send<'a>(
        &'a self,
        message: &'a Rendered,
        to: &'a Address,
        intent: Intent<'a>,
    ) -> BoxFuture<'a, Sent> {
        let now_s = intent.now.0.div_euclid(1_000);
        self.deliver(&to.url, &to.secret, intent.delivery, now_s, message.body.clone()).boxed()
    }
}

/// An answer that is no success says nothing of what the target has shown to its people.
fn of_answer(status: StatusCode, headers: &HeaderMap, now_s: i64) -> Sent {
    let outcome = match status {
        status if status.is_success() => Outcome::Delivered,
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            Outcome::TargetGone { why: Cow::Borrowed("status") }
        }
        _ => {
            let after_s = headers.get(RETRY_AFTER).and_then(|at| retry_after_s(at, now_s));
            Outcome::Unknown { after_s, why: "status" }
        }
    };
    Sent::with(outcome, status.as_u16())
}

/// `None` where the secret is none. By ring, since 4,500 bodies of 2 KiB are to be signed at once:
/// 2 µs each here, where the crate `standardwebhooks` takes 14; the tests verify with that one.
fn sign(secret: &str, id: &str, timestamp_s: i64, body: &[u8]) -> Option<String> {
    let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
    if !SECRET_BYTES.contains(&key.len()) {
        return None;
    }
    let mut signing = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &key));
    signing.update(format!("{id}.{timestamp_s}.").as_bytes());
    signing.update(body);
    Some(format!("v1,{}", BASE64_STANDARD.encode(signing.sign())))
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
