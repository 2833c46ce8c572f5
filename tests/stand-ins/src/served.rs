//! A router on a free port of the loopback, and the ways in which a provider gives no answer.
//!
//! Calls back in bare HTTP/1.1: a stand-in is no client that anything is learned from.

use std::{future, io, net::SocketAddr};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    response::Response,
};
use futures::stream;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

/// How often a provider calls back before it gives up.
pub const CALLS_MAX: usize = 5;

/// A router that is served until this is dropped.
#[derive(Debug)]
pub struct Served {
    address: SocketAddr,
    server: AbortHandle,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Served {
    /// Serves on a free port.
    ///
    /// # Errors
    /// No port can be bound.
    pub async fn start(app: Router) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { address, server: server.abort_handle() })
    }

    /// Where it is, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// An answer that breaks off before its end.
#[must_use]
pub fn cut() -> Response {
    let broken = stream::iter([Err::<&'static str, _>(io::Error::other("cut"))]);
    let mut answer = Response::new(Body::from_stream(broken));
    *answer.status_mut() = StatusCode::OK;
    answer
}

/// No answer, ever.
pub async fn hang() -> Response {
    future::pending().await
}

/// What stands in `Authorization`; empty where nothing does.
#[must_use]
pub fn authorization(headers: &HeaderMap) -> &str {
    headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Calls `http://host:port/path?query` until it answers with success, as often as a provider does.
/// Says how often it called.
pub async fn call_back(method: &str, url: &str, body: &str) -> usize {
    for count in 1..=CALLS_MAX {
        if matches!(call(method, url, body).await, Ok(200..=299)) {
            return count;
        }
    }
    CALLS_MAX
}

async fn call(method: &str, url: &str, body: &str) -> io::Result<u16> {
    let rest = url.strip_prefix("http://").ok_or(io::ErrorKind::InvalidInput)?;
    let (host, path) = rest.split_once('/').ok_or(io::ErrorKind::InvalidInput)?;
    let length = body.len();
    let request = format!(
        "{method} /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let mut connection = TcpStream::connect(host).await?;
    connection.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::ErrorKind::InvalidData.into())
}
