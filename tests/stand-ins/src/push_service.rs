//! A push service (RFC 8030) and the browsers behind it: subscriptions, and what is shown there.
//!
//! It checks who pushes (`token`), keeps the later of two messages of a topic, and reads each as
//! the browser would (`browser`). Statuses: `channels.md`, section 5 (certainty M).
//! Bare hyper, so that a connection can be cut, and a benchmark measures the sender.

pub mod browser;
pub mod token;

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use axum::body::Body;
use bytes::Bytes;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, body::Incoming, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use browser::{Keys, NotReadable};
use token::{Token, verify};

/// RFC 8030, 7.2: what every push service takes at least, and this one at most.
const BODY_BYTES_MAX: usize = 4_096;
/// More is not even read.
const READ_BYTES_MAX: usize = 64 * 1_024;
const TOPIC_BYTES_MAX: usize = 32;
/// A path that takes anything: for the floor of a benchmark.
const BARE: &str = "/bare";

/// What a browser gives a page that subscribes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Where to push.
    pub endpoint: String,
    /// The browser's public key, in base64url.
    pub p256dh: String,
    /// The secret beside it, in base64url.
    pub auth: String,
}

/// What becomes of the next call, instead of what should.
#[derive(Debug, Clone)]
pub enum Fate {
    /// It is answered so, and nothing is taken.
    Status(u16, Vec<(&'static str, String)>),
    /// The message is taken; no answer comes before the stand-in stops.
    Hang,
    /// The connection is closed, and nothing is taken.
    Cut,
    /// The message is taken, and the connection is closed without an answer.
    Drop,
}

impl Fate {
    /// This status and nothing beside it.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Status(status, Vec::new())
    }
}

/// A message that was taken.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// The subscription's endpoint.
    pub endpoint: String,
    /// All headers.
    pub headers: HeaderMap,
    /// Who pushed.
    pub token: Token,
    /// The bytes as they came.
    pub body: Bytes,
    /// What the browser reads in them.
    pub plaintext: Result<Vec<u8>, NotReadable>,
}

impl Arrived {
    /// The text of a header; empty where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// What the browser reads, as text; empty where it reads nothing.
    #[must_use]
    pub fn text(&self) -> String {
        let plaintext = self.plaintext.as_deref().unwrap_or_default();
        String::from_utf8_lossy(plaintext).into_owned()
    }
}

/// How many came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Messages that were taken.
    pub taken: usize,
    /// Of those that a browser looked at: what it could read.
    pub read: usize,
    /// And what it could not.
    pub unreadable: usize,
    /// Messages that were refused.
    pub refused: usize,
    /// Posts to [`PushService::bare_url`].
    pub bare: usize,
    /// Different tokens.
    pub tokens: usize,
}

struct Held {
    keys: Arc<Keys>,
    /// The one sender that may push, where the page named one.
    sender: Option<String>,
    is_gone: bool,
    waiting: Vec<Arrived>,
}

#[derive(Default)]
struct State {
    subscriptions: HashMap<String, Held>,
    fates: VecDeque<Fate>,
    arrived: Vec<Arrived>,
    tokens: HashMap<String, Token>,
    now_s: Option<i64>,
}

struct Shared {
    origin: String,
    state: Mutex<State>,
    /// One message in so many is read; only where it is 1 are messages kept.
    read_every: usize,
    taken: AtomicUsize,
    read: AtomicUsize,
    unreadable: AtomicUsize,
    refused: AtomicUsize,
    bare: AtomicUsize,
    /// True once the stand-in stops.
    stop: watch::Sender<bool>,
}

/// The push service. Dropping it stops it.
pub struct PushService {
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Drop for PushService {
    fn drop(&mut self) {
        self.accepting.abort();
        self.shared.stop.send_replace(true);
    }
}

impl PushService {
    /// Starts on a free port of the loopback; reads and keeps every message.
    ///
    /// # Errors
    /// No port could be had.
    pub async fn start() -> Result<Self> {
        Self::start_sampling(1).await
    }

    /// Starts one that reads one message in so many, and keeps none: for a million of them.
    ///
    /// # Errors
    /// No port could be had.
    pub async fn start_sampling(read_every: usize) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port to push to")?;
        let address: SocketAddr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            origin: format!("http://{address}"),
            state: Mutex::default(),
            read_every: read_every.max(1),
            taken: AtomicUsize::new(0),
            read: AtomicUsize::new(0),
            unreadable: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            bare: AtomicUsize::new(0),
            stop: watch::Sender::new(false),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { shared, accepting })
    }

    /// `http://HOST:PORT`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.shared.origin
    }

    /// Takes any POST, and looks at nothing.
    #[must_use]
    pub fn bare_url(&self) -> String {
        format!("{}{BARE}", self.shared.origin)
    }

    /// A browser subscribes; where `sender` is a public key in base64url, only who has it may
    /// push.
    ///
    /// # Errors
    /// The machine has no randomness.
    pub fn subscribe(&self, sender: Option<&str>) -> Result<Subscription> {
        let keys = Keys::random()?;
        let mut state = self.shared.state();
        let path = format!("/wpush/v2/gAAAAAB-{:06}", state.subscriptions.len());
        let subscription = Subscription {
            endpoint: format!("{}{path}", self.shared.origin),
            p256dh: keys.p256dh(),
            auth: keys.auth(),
        };
        let (keys, sender) = (Arc::new(keys), sender.map(str::to_owned));
        let held = Held { keys, sender, is_gone: false, waiting: Vec::new() };
        state.subscriptions.insert(path, held);
        Ok(subscription)
    }

    /// The browser unsubscribes: 410 from now on.
    pub fn unsubscribe(&self, subscription: &Subscription) {
        let path = self.path(subscription);
        if let Some(held) = self.shared.state().subscriptions.get_mut(path) {
            held.is_gone = true;
        }
    }

    /// What becomes of the next calls, one each.
    pub fn meet_next(&self, fates: impl IntoIterator<Item = Fate>) {
        self.shared.state().fates.extend(fates);
    }

    /// Tokens are checked as if it were this second, instead of by the machine's clock.
    pub fn set_now_s(&self, now_s: i64) {
        self.shared.state().now_s = Some(now_s);
    }

    /// Every message that was taken so far, in order.
    #[must_use]
    pub fn arrived(&self) -> Vec<Arrived> {
        self.shared.state().arrived.clone()
    }

    /// What a browser that was off would be given now: of each topic the last.
    #[must_use]
    pub fn waiting(&self, subscription: &Subscription) -> Vec<Arrived> {
        let state = self.shared.state();
        let held = state.subscriptions.get(self.path(subscription));
        held.map(|held| held.waiting.clone()).unwrap_or_default()
    }

    /// How many came.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let of = |count: &AtomicUsize| count.load(Ordering::SeqCst);
        let shared = &self.shared;
        Counts {
            taken: of(&shared.taken),
            read: of(&shared.read),
            unreadable: of(&shared.unreadable),
            refused: of(&shared.refused),
            bare: of(&shared.bare),
            tokens: shared.state().tokens.len(),
        }
    }

    fn path<'a>(&self, subscription: &'a Subscription) -> &'a str {
        subscription.endpoint.strip_prefix(self.origin()).unwrap_or_default()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        // Out of file descriptors, for one: the next may be had again.
        let Ok((connection, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        tokio::spawn(serve(connection, Arc::clone(&shared)));
    }
}

/// A connection ends by itself, by its fate, or with the stand-in.
async fn serve(connection: TcpStream, shared: Arc<Shared>) {
    let mut stop = shared.stop.subscribe();
    let _ = connection.set_nodelay(true);
    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
    let serving = http1::Builder::new().serve_connection(TokioIo::new(connection), service);
    tokio::select! {
        _ = serving => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// An error here closes the connection without an answer.
async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Body>> {
    let fate = shared.state().fates.pop_front();
    if let Some(Fate::Cut) = fate {
        anyhow::bail!("cut, as was wished");
    }
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(Body::new(body), READ_BYTES_MAX).await?;
    if let Some(Fate::Status(status, headers)) = fate {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(name, value);
        }
        return Ok(response.body(Body::empty())?);
    }
    let path = parts.uri.path();
    if path == BARE {
        shared.bare.fetch_add(1, Ordering::SeqCst);
        return Ok(Response::builder().status(StatusCode::CREATED).body(Body::empty())?);
    }
    if let Err(status) = shared.take(&parts.method, path, parts.headers, body) {
        shared.refused.fetch_add(1, Ordering::SeqCst);
        return Ok(Response::builder().status(status).body(Body::empty())?);
    }
    match fate {
        Some(Fate::Drop) => anyhow::bail!("dropped, as was wished"),
        Some(Fate::Hang) => std::future::pending().await,
        _ => {
            let number = shared.taken.load(Ordering::SeqCst);
            let location = format!("{}/m/{number}", shared.origin);
            let response = Response::builder().status(StatusCode::CREATED);
            Ok(response.header("location", location).body(Body::empty())?)
        }
    }
}

impl Shared {
    fn take(
        &self,
        method: &Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<(), StatusCode> {
        if method != Method::POST {
            return Err(StatusCode::METHOD_NOT_ALLOWED);
        }
        let token = self.sender(&headers)?;
        let keys = {
            let state = self.state();
            let held = state.subscriptions.get(path).ok_or(StatusCode::NOT_FOUND)?;
            if held.is_gone {
                return Err(StatusCode::GONE);
            }
            if held.sender.as_ref().is_some_and(|sender| *sender != token.key) {
                return Err(StatusCode::FORBIDDEN);
            }
            Arc::clone(&held.keys)
        };
        if body.len() > BODY_BYTES_MAX {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        if !are_right(&headers) {
            return Err(StatusCode::BAD_REQUEST);
        }
        let number = self.taken.fetch_add(1, Ordering::SeqCst);
        if !number.is_multiple_of(self.read_every) {
            return Ok(());
        }
        let plaintext = keys.open(&body);
        let count = if plaintext.is_ok() { &self.read } else { &self.unreadable };
        count.fetch_add(1, Ordering::SeqCst);
        if self.read_every == 1 {
            let endpoint = format!("{}{path}", self.origin);
            self.keep(path, Arrived { endpoint, headers, token, body, plaintext });
        }
        Ok(())
    }

    /// Verified once, as push services do: the same token comes with every message for hours.
    fn sender(&self, headers: &HeaderMap) -> Result<Token, StatusCode> {
        let header = headers.get("authorization").and_then(|value| value.to_str().ok());
        let header = header.ok_or(StatusCode::UNAUTHORIZED)?;
        let mut state = self.state();
        let now_s = state.now_s.unwrap_or_else(machine_s);
        let known = state.tokens.get(header).cloned();
        let token = match known {
            Some(token) => token.check(&self.origin, now_s).map(|()| token),
            None => verify(header, &self.origin, now_s),
        };
        let token = token.map_err(|_| StatusCode::UNAUTHORIZED)?;
        if !state.tokens.contains_key(header) {
            state.tokens.insert(header.to_owned(), token.clone());
        }
        Ok(token)
    }

    /// RFC 8030, 5.4: the later message of a topic takes the place of the earlier.
    fn keep(&self, path: &str, arrived: Arrived) {
        let mut state = self.state();
        if let Some(held) = state.subscriptions.get_mut(path) {
            let topic = arrived.header("topic");
            held.waiting.retain(|older| topic.is_empty() || older.header("topic") != topic);
            held.waiting.push(arrived.clone());
        }
        state.arrived.push(arrived);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// RFC 8030, 5.2 to 5.4, and the one encoding of RFC 8291.
fn are_right(headers: &HeaderMap) -> bool {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_ttl = header("ttl").is_some_and(|ttl| ttl.parse::<u64>().is_ok());
    let is_urgency = header("urgency")
        .is_none_or(|urgency| ["very-low", "low", "normal", "high"].contains(&urgency));
    let is_topic = header("topic").is_none_or(|topic| {
        let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=TOPIC_BYTES_MAX).contains(&topic.len()) && topic.bytes().all(is_base64url)
    });
    is_ttl && is_urgency && is_topic && header("content-encoding") == Some("aes128gcm")
}

fn machine_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
