//! Calls to providers over HTTP: one try, and what is known where it fails.
//!
//! Providers' addresses are the operator's own configuration, so no guard stands before them.
//! Nothing of a request or an answer is logged: tokens stand in headers, bodies, and paths.

use std::{error::Error, io, iter, time::Duration};

use bytes::Bytes;
use domain::schedule::ATTEMPT_MS_MAX;
use reqwest::{Client, Request, Response, StatusCode, redirect};

pub use reqwest::header::HeaderMap;

use crate::channels::{Outcome, address::NotCalled};

/// Connecting, with the name's resolution and TLS, may take this long. It ends before the attempt
/// does, so that a target which cannot be reached is known not to have been reached.
pub const CONNECT_MS_MAX: u64 = 5_000;
/// The longest answer of a provider that is read.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// What of an answer that nobody needs is read, so that the connection can be used again; the
/// rest is dropped.
const DRAINED_BYTES_MAX: usize = 64 * 1024;
/// An answer that nobody needs, and that takes longer, is dropped.
const DRAINED_MS_MAX: u64 = 500;
/// An idle connection is closed before most servers would.
const IDLE_S_MAX: u64 = 20;
/// Idle connections to one host.
const IDLE_MAX: usize = 64;
/// A provider may put us off for a day at most, and not make us call without a pause.
const RETRY_AFTER_S: std::ops::RangeInclusive<u64> = 1..=24 * 60 * 60;

/// An HTTP client cannot work on this machine: the operator must act.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be set up")]
pub struct NoHttp(#[source] pub reqwest::Error);

/// Calls to providers. Cloning shares connections.
#[derive(Debug, Clone)]
pub struct Http(Client);

/// What a provider answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as far as it was read.
    pub body: Bytes,
}

/// There is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// Nothing was written: `address`, `blocked`, `dns`, `tls`, `connect`.
    NotSent(&'static str),
    /// It may have been: `timeout`, `reset`.
    MayBeSent(&'static str),
}

impl From<NoAnswer> for Outcome {
    fn from(no: NoAnswer) -> Self {
        match no {
            NoAnswer::NotSent(why) => Self::Retry { after_s: None, why },
            NoAnswer::MayBeSent(why) => Self::Unknown { after_s: None, why },
        }
    }
}

impl Http {
    /// A client with the system's root certificates; without any, https fails closed.
    ///
    /// # Errors
    /// The client cannot be set up.
    pub fn new() -> Result<Self, NoHttp> {
        set_up(|| builder(ATTEMPT_MS_MAX)).map(Self)
    }

    /// To make requests with.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.0
    }

    /// One call, and its whole answer.
    ///
    /// # Errors
    /// There is no whole answer; says whether anything was written.
    pub async fn call(&self, request: Request) -> Result<Answer, NoAnswer> {
        let mut answer = self.0.execute(request).await.map_err(|error| no_answer(&error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut body = Vec::new();
        loop {
            match answer.chunk().await {
                Ok(Some(piece)) if body.len() + piece.len() <= ANSWER_BYTES_MAX => {
                    body.extend_from_slice(&piece);
                }
                Ok(Some(_)) | Ok(None) => break,
                Err(error) => return Err(no_answer(&error)),
            }
        }
        Ok(Answer { status, headers, body: body.into() })
    }
}

impl Answer {
    /// The body as JSON; `None` where it is none.
    #[must_use]
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// When the provider wants the next, in seconds from `now_s`.
    #[must_use]
    pub fn retry_after_s(&self, now_s: i64) -> Option<u32> {
        let value = self.headers.get(reqwest::header::RETRY_AFTER)?;
        retry_after_s(value, now_s)
    }
}

/// How every client of ours is set: no redirect, no retry, no proxy; an attempt ends in time.
pub(crate) fn builder(attempt_ms: u64) -> reqwest::ClientBuilder {
    let connect_ms = CONNECT_MS_MAX.min(attempt_ms / 2);
    Client::builder()
        .user_agent(concat!("keng/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .http1_only()
        .tcp_nodelay(true)
        .connect_timeout(Duration::from_millis(connect_ms))
        .timeout(Duration::from_millis(attempt_ms))
        .pool_idle_timeout(Duration::from_secs(IDLE_S_MAX))
        .pool_max_idle_per_host(IDLE_MAX)
}

/// Sets a client up. Plain http must work on a machine without certificates; https then fails
/// closed.
pub(crate) fn set_up(builder: impl Fn() -> reqwest::ClientBuilder) -> Result<Client, NoHttp> {
    // The first in the process wins, and every one of ours is ring's.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match builder().build() {
        Ok(client) => Ok(client),
        Err(cause) => {
            tracing::warn!(%cause, "no root certificates: nothing can be called over https");
            builder().tls_certs_only([]).build().map_err(NoHttp)
        }
    }
}

/// Reads an answer that nobody needs, where it is little enough, so that the connection can be used
/// again. However it ends, its status has said all.
pub(crate) async fn drain(mut answer: Response) {
    let reading = async {
        let mut left = DRAINED_BYTES_MAX;
        while let Ok(Some(piece)) = answer.chunk().await {
            match left.checked_sub(piece.len()) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_millis(DRAINED_MS_MAX), reading).await;
}

/// Nothing was written only where no connection came to be. An error's text holds the address: it
/// is looked at, never shown.
pub(crate) fn no_answer(error: &reqwest::Error) -> NoAnswer {
    if !error.is_connect() && !error.is_builder() {
        return NoAnswer::MayBeSent(if error.is_timeout() { "timeout" } else { "reset" });
    }
    let refused = chain(error).find_map(|cause| cause.downcast_ref::<NotCalled>().copied());
    NoAnswer::NotSent(match refused {
        Some(refused) => refused.code(),
        None if error.is_builder() => "address",
        None if error.is_dns() => "dns",
        None if chain(error).any(is_tls) => "tls",
        None => "connect",
    })
}

pub(crate) fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |error| (**error).source())
}

/// An `io::Error` shows what it wraps, but not as its source.
pub(crate) fn is_tls(error: &(dyn Error + 'static)) -> bool {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => is_tls(inner),
        None => error.is::<rustls::Error>(),
    }
}

/// Seconds, or an HTTP date, which is taken relative to our own clock.
pub(crate) fn retry_after_s(value: &reqwest::header::HeaderValue, now_s: i64) -> Option<u32> {
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
