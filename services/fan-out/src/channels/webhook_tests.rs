//! The channel against a real server on loopback, and against none.

use std::{io, net::SocketAddr, sync::Arc, time::Instant};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use sha2::{Digest, Sha256};
use standardwebhooks::Webhook as Receiver;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
    task::AbortHandle,
};

use super::*;
use domain::lane::Outcome as Known;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NOW_S: i64 = 1_795_257_600;

struct Call {
    headers: HeaderMap,
    body: Bytes,
    peer: SocketAddr,
}

/// A server that answers as the path says, and tells what came.
struct StandIn {
    address: SocketAddr,
    calls: mpsc::UnboundedReceiver<Call>,
    server: AbortHandle,
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl StandIn {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (told, calls) = mpsc::unbounded_channel();
        let app = Router::new().fallback(answer).with_state(Arc::new(told));
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        let server = tokio::spawn(async move { axum::serve(listener, service).await });
        Self { address, calls, server: server.abort_handle() }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

async fn answer(
    State(told): State<Arc<mpsc::UnboundedSender<Call>>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    told.send(Call { headers: parts.headers, body, peer }).unwrap();
    let path = parts.uri.path().to_owned();
    let words: Vec<_> = path.split('/').skip(1).collect();
    match words.as_slice() {
        ["slow"] => std::future::pending().await,
        ["drip"] => Body::from_stream(stream::pending::<io::Result<Bytes>>()).into_response(),
        ["endless"] => {
            let pieces = stream::repeat(Bytes::from_static(&[b'x'; 4096])).map(io::Result::Ok);
            Body::from_stream(pieces).into_response()
        }
        ["redirect"] => (StatusCode::FOUND, [("location", "/status/200")]).into_response(),
        ["later", after] => {
            (StatusCode::TOO_MANY_REQUESTS, [("retry-after", *after)]).into_response()
        }
        ["status", status] => (status.parse::<StatusCode>().unwrap(), "answer").into_response(),
        other => panic!("{other:?}"),
    }
}

fn webhook(attempt_ms: u64) -> Webhook {
    Webhook::new(&WebhookOptions { allow_private_targets: true, attempt_ms }).unwrap()
}

async fn deliver(webhook: &Webhook, url: &str, secret: &str, now_s: i64, body: Bytes) -> Sent {
    let message = Rendered { body, ..Rendered::default() };
    let to = Address { url: url.into(), secret: secret.into(), to: "".into() };
    webhook.send(&message, &to, crate::channels::testing::intent("a:1:g:c", now_s)).await
}

async fn call(webhook: &Webhook, url: &str) -> Sent {
    let body = Bytes::from_static("{\"xã\":1}".as_bytes());
    deliver(webhook, url, SECRET, NOW_S, body).await
}

async fn called(url: &str) -> (Known, u32, String) {
    let sent = call(&webhook(10_000), url).await;
    (sent.outcome.known(), sent.status, sent.outcome.trouble().to_owned())
}

fn known(known: Known, status: u32, trouble: &str) -> (Known, u32, String) {
    (known, status, trouble.to_owned())
}

/// RFC 2104 by the book, so that the signature is not checked by what made it.
fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0u8; 64];
    block[..key.len()].copy_from_slice(key);
    let inner =
        Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    let outer = Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner);
    outer.finalize().to_vec()
}

fn header<'a>(call: &'a Call, name: &str) -> &'a str {
    call.headers[name].to_str().unwrap()
}

#[test]
fn the_vector_of_the_specification_is_signed_alike() {
    let body = br#"{"test": 2432232314}"#;
    let signature = sign(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
    assert_eq!(signature.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[tokio::test]
async fn what_arrives_is_signed() {
    let mut target = StandIn::start().await;
    let now_s = jiff::Timestamp::now().as_second();
    let body = Bytes::from_static("{\"xã\":1}".as_bytes());
    let url = target.url("/status/204");
    let sent = deliver(&webhook(10_000), &url, SECRET, now_s, body.clone()).await;
    assert_eq!(sent, Sent::with(Outcome::Delivered, 204_u32));
    let call = target.calls.recv().await.unwrap();
    assert_eq!(call.body, body);
    assert_eq!(header(&call, "content-type"), "application/json");
    Receiver::new(SECRET).unwrap().verify(&call.body, &call.headers).unwrap();

    let key = BASE64_STANDARD.decode(SECRET.strip_prefix("whsec_").unwrap()).unwrap();
    let signed = [format!("a:1:g:c.{now_s}.").as_bytes(), &body].concat();
    let expected = format!("v1,{}", BASE64_STANDARD.encode(hmac_sha256(&key, &signed)));
    assert_eq!(header(&call, "webhook-signature"), expected);
}

#[tokio::test]
async fn a_retry_has_the_same_id_and_body_on_a_warm_connection() {
    let mut target = StandIn::start().await;
    let webhook = webhook(10_000);
    let body = Bytes::from_static(b"{}");
    for timestamp_s in [NOW_S, NOW_S + 2] {
        let url = target.url("/status/500");
        deliver(&webhook, &url, SECRET, timestamp_s, body.clone()).await;
    }
    let (first, second) = (target.calls.recv().await.unwrap(), target.calls.recv().await.unwrap());
    assert_eq!(header(&first, "webhook-id"), "a:1:g:c");
    assert_eq!(header(&second, "webhook-id"), "a:1:g:c");
    assert_eq!(first.body, second.body);
    assert_eq!(header(&second, "webhook-timestamp"), (NOW_S + 2).to_string());
    assert_ne!(header(&first, "webhook-signature"), header(&second, "webhook-signature"));
    assert_eq!(first.peer, second.peer);
}

#[tokio::test]
async fn a_status_says_what_is_known() {
    let target = StandIn::start().await;
    for (path, expected) in [
        ("/status/200", known(Known::Delivered, 200, "")),
        ("/status/202", known(Known::Delivered, 202, "")),
        ("/status/404", known(Known::Gone, 404, "status")),
        ("/status/410", known(Known::Gone, 410, "status")),
        ("/status/400", known(Known::Unknown, 400, "status")),
        ("/status/429", known(Known::Unknown, 429, "status")),
        ("/status/500", known(Known::Unknown, 500, "status")),
        ("/status/503", known(Known::Unknown, 503, "status")),
        ("/redirect", known(Known::Unknown, 302, "status")),
    ] {
        assert_eq!(called(&target.url(path)).await, expected, "{path}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let mut target = StandIn::start().await;
    called(&target.url("/redirect")).await;
    assert!(target.calls.recv().await.is_some());
    assert!(target.calls.try_recv().is_err());
}

#[tokio::test]
async fn an_answer_without_an_end_is_dropped_and_counts_by_its_status() {
    let target = StandIn::start().await;
    assert_eq!(called(&target.url("/endless")).await, known(Known::Delivered, 200, ""));
    assert_eq!(called(&target.url("/drip")).await, known(Known::Delivered, 200, ""));
}

#[tokio::test]
async fn who_does_not_answer_in_time_may_have_been_reached() {
    let target = StandIn::start().await;
    let begun = Instant::now();
    let sent = call(&webhook(200), &target.url("/slow")).await;
    assert_eq!(sent.outcome, Outcome::Unknown { after_s: None, why: "timeout" });
    assert!(begun.elapsed().as_millis() >= 200);
}

#[tokio::test]
async fn who_breaks_off_may_have_been_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let breaking = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        assert!(connection.read(&mut [0; 64]).await.unwrap() > 0);
    });
    assert_eq!(called(&format!("http://{address}/")).await, known(Known::Unknown, 0, "reset"));
    breaking.await.unwrap();
}

#[tokio::test]
async fn where_nobody_listens_nobody_is_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    assert_eq!(called(&format!("http://{address}/")).await, known(Known::NotReached, 0, "connect"));
    // A label has 63 characters at most: such a name is refused before anybody is asked.
    let nowhere = format!("http://{}/", "a".repeat(64));
    assert_eq!(called(&nowhere).await, known(Known::NotReached, 0, "dns"));
}

#[tokio::test]
async fn where_tls_fails_nobody_is_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let babbling = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        // Held open until the client goes.
        while connection.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
    });
    assert_eq!(called(&format!("https://{address}/")).await, known(Known::NotReached, 0, "tls"));
    babbling.await.unwrap();
}

#[tokio::test]
async fn a_handshake_without_an_end_reaches_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let begun = Instant::now();
    let attempted = call(&webhook(400), &format!("https://{address}/")).await;
    assert_eq!(attempted.outcome, Outcome::Retry { after_s: None, why: "connect" });
    assert!(begun.elapsed().as_millis() < 400);
}

#[tokio::test]
async fn what_is_not_to_be_called_is_not_called() {
    let mut target = StandIn::start().await;
    let strict = Webhook::new(&WebhookOptions::default()).unwrap();
    let port = target.address.port();
    for (url, trouble) in [
        (target.url("/status/200"), "blocked"),
        (format!("http://localhost:{port}/status/200"), "blocked"),
        (format!("http://[::ffff:127.0.0.1]:{port}/status/200"), "blocked"),
        (format!("http://an@localhost:{port}/status/200"), "address"),
        ("gopher://localhost/".to_owned(), "address"),
    ] {
        let attempted = call(&strict, &url).await;
        let expected = Outcome::Retry { after_s: None, why: trouble };
        assert_eq!(attempted.outcome, expected, "{url}");
    }
    assert!(target.calls.try_recv().is_err());
}

#[tokio::test]
async fn without_a_secret_nothing_leaves() {
    let mut target = StandIn::start().await;
    for secret in
        ["", "whsec_", "whsec_AAAA", &SECRET[6..], "whsec_********************************"]
    {
        let url = target.url("/status/200");
        let sent = deliver(&webhook(10_000), &url, secret, NOW_S, Bytes::new()).await;
        assert_eq!(sent.outcome, Outcome::Retry { after_s: None, why: "secret" });
    }
    assert!(target.calls.try_recv().is_err());
}

#[tokio::test]
async fn who_asks_for_time_is_given_it() {
    let target = StandIn::start().await;
    let attempted = call(&webhook(10_000), &target.url("/later/120")).await;
    assert_eq!(attempted.outcome, Outcome::Unknown { after_s: Some(120), why: "status" });
    let attempted = call(&webhook(10_000), &target.url("/status/503")).await;
    assert_eq!(attempted.outcome, Outcome::Unknown { after_s: None, why: "status" });
}

#[test]
fn a_wish_for_time_is_read_and_bounded() {
    // Sun, 06 Nov 1994 08:49:37 GMT
    let now_s = 784_111_777;
    for (text, expected) in [
        ("120", Some(120)),
        (" 7 ", Some(7)),
        ("0", None),
        ("99999999999999999999999999", Some(86_400)),
        ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
        ("Sun, 06 Nov 1994 08:00:00 GMT", None),
        ("Fri, 06 Nov 2099 08:00:00 GMT", Some(86_400)),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
    ] {
        let value = HeaderValue::from_str(text).unwrap();
        assert_eq!(retry_after_s(&value, now_s), expected, "{text}");
    }
}

#[test]
fn nothing_sealed_is_in_debug_output() {
    let shown = format!("{:?}", webhook(1));
    assert_eq!(shown, "Webhook { guard: Guard { allow_private_targets: true }, .. }");
}
