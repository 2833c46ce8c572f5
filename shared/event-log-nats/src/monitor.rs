//! The broker's HTTP monitor: whether it syncs before it acknowledges cannot be seen over NATS.
//! One bounded GET over TCP; no HTTP client.

use std::time::Duration;

use async_nats::ServerInfo;
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const ANSWER_MAX: Duration = Duration::from_secs(2);
const ANSWER_BYTES_MAX: u64 = 4 << 20;

#[derive(Deserialize)]
struct Varz {
    #[serde(default)]
    server_id: String,
    #[serde(default)]
    jetstream: JetStream,
}

#[derive(Default, Deserialize)]
struct JetStream {
    #[serde(default)]
    config: Option<Config>,
}

/// The field is absent where the server does not sync.
#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    sync_always: bool,
}

/// Whether the server at the other end syncs before it acknowledges; otherwise, what is wrong.
/// In a cluster every monitor that is named must say so.
pub(crate) async fn syncs(monitors: Option<&str>, server: &ServerInfo) -> Result<(), String> {
    let monitors = monitors.ok_or("no monitor is named (--nats-monitor)")?;
    let mut ours = false;
    for monitor in monitors.split(',').map(str::trim) {
        let varz = match tokio::time::timeout(ANSWER_MAX, varz(monitor)).await {
            Ok(varz) => varz.map_err(|error| format!("{monitor} cannot be read: {error}"))?,
            Err(_elapsed) => return Err(format!("{monitor} does not answer")),
        };
        if !varz.jetstream.config.is_some_and(|config| config.sync_always) {
            return Err(format!("{monitor}: the broker acknowledges before it syncs"));
        }
        ours |= varz.server_id == server.server_id;
    }
    if ours || server.cluster.is_some() {
        return Ok(());
    }
    Err(format!("{monitors} is the monitor of another server"))
}

async fn varz(monitor: &str) -> Result<Varz, String> {
    let address = monitor.strip_prefix("http://").ok_or("not an http:// address")?;
    let address = address.trim_end_matches('/');
    let mut stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let request = format!("GET /varz HTTP/1.0\r\nHost: {address}\r\nAccept: */*\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    stream
        .take(ANSWER_BYTES_MAX)
        .read_to_end(&mut answer)
        .await
        .map_err(|error| error.to_string())?;
    let body = body(&answer).ok_or("not a good answer")?;
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

/// The body of an answer 200.
fn body(answer: &[u8]) -> Option<&[u8]> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let status = answer.split(|byte| *byte == b' ').nth(1)?;
    (status == b"200").then(|| answer.get(end + 4..))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_good_answer_has_a_body() {
        assert_eq!(body(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\n{}"), Some(b"{}".as_slice()));
        assert_eq!(body(b"HTTP/1.0 404 Not Found\r\n\r\n{}"), None);
        assert_eq!(body(b"HTTP/1.0 200 OK\r\n"), None);
        assert_eq!(body(b""), None);
    }

    #[test]
    fn an_absent_field_means_no_sync() {
        let varz: Varz = serde_json::from_str(r#"{"jetstream":{"config":{"sync_interval":1}}}"#)
            .expect("is JSON");
        assert!(!varz.jetstream.config.expect("is there").sync_always);
    }
}
