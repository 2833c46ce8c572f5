//! The channel `webhook`: one signed POST by Standard Webhooks 1.0.0, and what became of it.
//!
//! One try a call; no retry, no redirect, no proxy, no state but warm connections.
//! The address and the secret are sealed: neither stands in an error, a log or debug output.

use std::{
    error::Error,
    fmt, io, iter,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use domain::{lane::Outcome, schedule::ATTEMPT_MS_MAX};
use reqwest::{
    Client, Method, Request, Response, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
    redirect,
};
use ring::hmac;

use crate::channels::address::{Guard, NotCalled};

/// Connecting, with the name's resolution and TLS, may take this long. It ends before the attempt
/// does, so that a target which cannot be reached is known not to have been reached.
const CONNECT_MS_MAX: u64 = 5_000;
/// What of an answer is read, so that the connection can be used again; the rest is dropped.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// An answer's body that takes longer is dropped: its status has said all.
const ANSWER_MS_MAX: u64 = 500;
/// A target may put us off for a day at most, and not make us call without a pause.
const RETRY_AFTER_S: std::ops::RangeInclusive<u64> = 1..=24 * 60 * 60;
/// An idle connection serves the first retries, and is closed before most servers would.
const IDLE_S_MAX: u64 = 20;
/// Idle connections to one host.
const IDLE_MAX: usize = 64;
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

/// The channel cannot work on this machine: the operator must act.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be set up")]
pub struct NoWebhooks(#[source] reqwest::Error);

/// What became of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempted {
    /// What is known.
    pub outcome: Outcome,
    /// The HTTP status; 0 where there was none.
    pub status: u32,
    /// A stable code, empty where it was delivered. Nothing was written: `address`, `secret`,
    /// `blocked`, `dns`, `tls`, `connect`. It may have been: `timeout`, `reset`, `status`.
    pub trouble: &'static str,
    /// How long it took, in milliseconds.
    pub took_ms: u32,
    /// When the target wants the next attempt, in seconds from now: 1 s to a day.
    pub retry_after_s: Option<u32>,
}

/// What was seen of one attempt.
struct Seen {
    outcome: Outcome,
    status: u32,
    trouble: &'static str,
    retry_after_s: Option<u32>,
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
    pub fn new(options: &WebhookOptions) -> Result<Self, NoWebhooks> {
        // The first in the process wins, and every one of ours is ring's.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let guard = Guard::new(options.allow_private_targets);
        let client = match client(options, guard).build() {
            Ok(client) => client,
            // Plain http must work on a machine without certificates; https then fails closed.
            Err(cause) => {
                let without_roots = client(options, guard).tls_certs_only([]).build();
                tracing::warn!(%cause, "no root certificates: no https webhook can be called");
                without_roots.map_err(NoWebhooks)?
            }
        };
        Ok(Self { client, guard })
    }

    /// One attempt. `timestamp_s` is now, in seconds of Unix time; `delivery_id` and `body` are
    /// the same at every attempt. The caller has made the intent durable before.
    pub async fn deliver(
        &self,
        url: &str,
        secret: &str,
        delivery_id: &str,
        timestamp_s: i64,
        body: Bytes,
    ) -> Attempted {
        let begun = Instant::now();
        let seen = match self.request(url, secret, delivery_id, timestamp_s, body) {
            Ok(request) => self.attempt(request, timestamp_s).await,
            Err(trouble) => Seen::without_status(Outcome::NotReached, trouble),
        };
        Attempted {
            outcome: seen.outcome,
            status: seen.status,
            trouble: seen.trouble,
            took_ms: u32::try_from(begun.elapsed().as_millis()).unwrap_or(u32::MAX),
            retry_after_s: seen.retry_after_s,
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
        let url = self.guard.target(url).map_err(trouble_of)?;
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

    async fn attempt(&self, request: Request, timestamp_s: i64) -> Seen {
        match self.client.execute(request).await {
            Ok(answer) => {
                let seen = Seen::of_answer(answer.status(), answer.headers(), timestamp_s);
                let patience = Duration::from_millis(ANSWER_MS_MAX);
                // However the body ends, the status has said all.
                let _ = tokio::time::timeout(patience, drain(answer)).await;
                seen
            }
            Err(error) => Seen::of_error(&error),
        }
    }
}

fn client(options: &WebhookOptions, guard: Guard) -> reqwest::ClientBuilder {
    let connect_ms = CONNECT_MS_MAX.min(options.attempt_ms / 2);
    Client::builder()
        .user_agent(concat!("keng/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .http1_only()
        .tcp_nodelay(true)
        .connect_timeout(Duration::from_millis(connect_ms))
        .timeout(Duration::from_millis(options.attempt_ms))
        .pool_idle_timeout(Duration::from_secs(IDLE_S_MAX))
        .pool_max_idle_per_host(IDLE_MAX)
        .dns_resolver(guard)
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

/// Reads what is little enough to read, so that the connection can be used again.
async fn drain(mut answer: Response) {
    let mut left = ANSWER_BYTES_MAX;
    while let Ok(Some(piece)) = answer.chunk().await {
        match left.checked_sub(piece.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

impl Seen {
    fn without_status(outcome: Outcome, trouble: &'static str) -> Self {
        Self { outcome, status: 0, trouble, retry_after_s: None }
    }

    /// An answer that is no success says nothing of what the target has shown to its people.
    fn of_answer(status: StatusCode, headers: &HeaderMap, now_s: i64) -> Self {
        let (outcome, trouble) = match status {
            status if status.is_success() => (Outcome::Delivered, ""),
            StatusCode::NOT_FOUND | StatusCode::GONE => (Outcome::Gone, "status"),
            _ => (Outcome::Unknown, "status"),
        };
        let retry_after_s = match outcome {
            Outcome::Unknown => headers.get(RETRY_AFTER).and_then(|at| retry_after_s(at, now_s)),
            Outcome::Delivered | Outcome::NotReached | Outcome::Gone => None,
        };
        Self { outcome, status: u32::from(status.as_u16()), trouble, retry_after_s }
    }

    /// `NotReached` only where no connection came to be, and so nothing was written. An error's
    /// text holds the address: it is looked at, never shown.
    fn of_error(error: &reqwest::Error) -> Self {
        if !error.is_connect() && !error.is_builder() {
            let trouble = if error.is_timeout() { "timeout" } else { "reset" };
            return Self::without_status(Outcome::Unknown, trouble);
        }
        let refused = chain(error).find_map(|cause| cause.downcast_ref::<NotCalled>().copied());
        let trouble = match refused {
            Some(refused) => trouble_of(refused),
            None if error.is_builder() => "address",
            None if error.is_dns() => "dns",
            None if chain(error).any(is_tls) => "tls",
            None => "connect",
        };
        Self::without_status(Outcome::NotReached, trouble)
    }
}

fn trouble_of(refused: NotCalled) -> &'static str {
    match refused {
        NotCalled::NotAnAddress => "address",
        NotCalled::Blocked => "blocked",
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |error| (**error).source())
}

/// An `io::Error` shows what it wraps, but not as its source.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => is_tls(inner),
        None => error.is::<rustls::Error>(),
    }
}

/// Seconds, or an HTTP date, which is taken relative to our own clock.
fn retry_after_s(value: &HeaderValue, now_s: i64) -> Option<u32> {
    let text = value.to_str().ok()?.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let wanted_s = if is_number {
        text.parse().unwrap_or(u64::MAX)
    } else {
        let at = jiff::fmt::rfc2822::parse(text).ok()?;
        u64::try_from(at.timestamp().as_second().saturating_sub(now_s)).unwrap_or(0)
    };
    // "At once" is no wish for a time: the schedule holds then.
    if wanted_s == 0 {
        return None;
    }
    u32::try_from(wanted_s.clamp(*RETRY_AFTER_S.start(), *RETRY_AFTER_S.end())).ok()
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
