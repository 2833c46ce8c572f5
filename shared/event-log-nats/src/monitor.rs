//! The broker's HTTP monitor: whether it syncs before it acknowledges cannot be seen over NATS.
//! One bounded GET over TCP; no HTTP client.

use std::{collections::BTreeSet, time::Duration};

use async_nats::ServerInfo;
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const ANSWER_MAX: Duration = Duration::from_secs(2);
const ANSWER_BYTES_MAX: u64 = 4 << 20;

#[derive(Default, Deserialize)]
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

/// Whether the server at the other end syncs before it acknowledges, and each that keeps the
/// streams with it; otherwise, what is wrong. Every monitor that is named must say so.
pub(crate) async fn syncs(
    monitors: Option<&str>,
    server: &ServerInfo,
    replicas: usize,
) -> Result<(), String> {
    let monitors = monitors.ok_or("no monitor is named (--nats-monitor)")?;
    let mut told = Vec::new();
    for monitor in monitors.split(',').map(str::trim) {
        let varz = match tokio::time::timeout(ANSWER_MAX, varz(monitor)).await {
            Ok(varz) => varz.map_err(|error| format!("{monitor} cannot be read: {error}"))?,
            Err(_elapsed) => return Err(format!("{monitor} does not answer")),
        };
        told.push((monitor, varz));
    }
    judge(&told, &server.server_id, replicas)
}

/// What the monitors prove: of the server that we speak with, and of as many as keep a stream.
fn judge(told: &[(&str, Varz)], server_id: &str, replicas: usize) -> Result<(), String> {
    let syncs = |varz: &Varz| varz.jetstream.config.as_ref().is_some_and(|set| set.sync_always);
    if let Some((monitor, _)) = told.iter().find(|(_, varz)| !syncs(varz)) {
        return Err(format!("{monitor}: the broker acknowledges before it syncs"));
    }
    let servers: BTreeSet<&str> = told.iter().map(|(_, varz)| varz.server_id.as_str()).collect();
    if !servers.contains(server_id) {
        let monitors: Vec<&str> = told.iter().map(|(monitor, _)| *monitor).collect();
        return Err(format!("{} is the monitor of another server", monitors.join(",")));
    }
    if servers.len() < replicas {
        return Err(format!("monitors of {} of {replicas} servers are named", servers.len()));
    }
    Ok(())
}

async fn varz(monitor: &str) -> Result<Varz, String> {
    let body = get(monitor, "/varz").await?;
    serde_json::from_slice(&body).map_err(|error| error.to_string())
}

/// What a monitor answers with 200. Waits for as long as the monitor lets it.
pub(crate) async fn get(monitor: &str, path: &str) -> Result<Vec<u8>, String> {
    let address = monitor.strip_prefix("http://").ok_or("not an http:// address")?;
    let address = address.trim_end_matches('/');
    let mut stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nAccept: */*\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    stream
        .take(ANSWER_BYTES_MAX)
        .read_to_end(&mut answer)
        .await
        .map_err(|error| error.to_string())?;
    Ok(body(&answer).ok_or("not a good answer")?.to_vec())
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

    fn told(server_id: &str, sync_always: bool) -> Varz {
        let jetstream = JetStream { config: Some(Config { sync_always }) };
        Varz { server_id: server_id.to_owned(), jetstream }
    }

    #[test]
    fn monitors_prove_something_of_the_servers_that_they_belong_to() {
        let (one, two, three) = (("m1", "A"), ("m2", "B"), ("m3", "C"));
        for (monitors, server, replicas, proof) in [
            (&[one][..], "A", 1, Ok(())),
            (&[one], "B", 1, Err("m1 is the monitor of another server")),
            (&[one, two, three], "B", 3, Ok(())),
            (&[one, two, three], "D", 3, Err("m1,m2,m3 is the monitor of another server")),
            (&[one], "A", 3, Err("monitors of 1 of 3 servers are named")),
            (&[one, one, one], "A", 3, Err("monitors of 1 of 3 servers are named")),
        ] {
            let told: Vec<_> = monitors.iter().map(|(name, id)| (*name, told(id, true))).collect();
            assert_eq!(judge(&told, server, replicas), proof.map_err(str::to_owned));
        }
        let lazy = [("m1", told("A", true)), ("m2", told("B", false))];
        let why = judge(&lazy, "A", 2).unwrap_err();
        assert_eq!(why, "m2: the broker acknowledges before it syncs");
    }
}
