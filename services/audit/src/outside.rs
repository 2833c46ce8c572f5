//! Calls to those outside who make sure of the log: one try, a bounded time, a bounded answer.
//!
//! Their addresses are the operator's own configuration, so no guard stands before them. No
//! redirect, no proxy; nothing of a record leaves, only hashes and signatures.

use std::time::Duration;

use reqwest::{Client, Request, StatusCode, header::CONTENT_TYPE, redirect};

/// A call may take this long, answer included.
pub(crate) const CALL_WITHIN: Duration = Duration::from_secs(5);
/// The longest answer: a note, or a time stamp with its certificates.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// The way out. Cloning shares connections.
#[derive(Clone)]
pub(crate) struct Outside(Client);

/// What was answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The media type, without parameters; empty where none is said.
    pub(crate) media_type: String,
    pub(crate) body: Vec<u8>,
}

impl Outside {
    /// Sets the client up. Plain http must work on a machine without certificates; https then
    /// fails closed.
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        // The first in the process wins, and every one of ours is ring's.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            Client::builder()
                .user_agent(concat!("keng/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
                .http1_only()
                .timeout(CALL_WITHIN)
        };
        builder().build().or_else(|_| builder().tls_certs_only([]).build()).map(Self)
    }

    /// To make requests with.
    pub(crate) fn client(&self) -> &Client {
        &self.0
    }

    /// One call; in words why there is no answer.
    pub(crate) async fn call(&self, request: reqwest::Result<Request>) -> Result<Answer, String> {
        let no_answer = |error: reqwest::Error| error.without_url().to_string();
        let mut answer = self.0.execute(request.map_err(no_answer)?).await.map_err(no_answer)?;
        let media_type = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let media_type = media_type.and_then(|kind| kind.split(';').next()).unwrap_or_default();
        let media_type = media_type.trim().to_ascii_lowercase();
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(no_answer)? {
            if body.len() + piece.len() > ANSWER_BYTES_MAX {
                return Err(format!("an answer of more than {ANSWER_BYTES_MAX} bytes"));
            }
            body.extend_from_slice(&piece);
        }
        Ok(Answer { status, media_type, body })
    }
}
