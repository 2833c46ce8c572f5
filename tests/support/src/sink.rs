//! A sink for webhooks: answers as a test has scripted it, by path, and keeps every call.
//!
//! In this process, on a free port of the loopback. Bare hyper, so that a benchmark measures the
//! sender and not the sink.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use axum::body::Body;
use bytes::Bytes;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, body::Incoming, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use crate::{seen::Seen, signature};

/// More than any webhook's body.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// One call that the sink took.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method; webhooks are POST.
    pub method: Method,
    /// The path, as `/g/0`, with the query if there is one.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
    /// When the body was there, before the answer.
    pub at: Instant,
}

impl Call {
    /// The text of a header; empty where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The delivery's id: the same at every retry.
    #[must_use]
    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The type, as `alert.issued`; empty where there is none.
    #[must_use]
    pub fn news(&self) -> String {
        self.json().get("type").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// Checks the signature as a receiver does.
    ///
    /// # Errors
    /// It is not signed with this secret, or at another time than now.
    pub fn verify(&self, secret: &str) -> Result<()> {
        signature::verify(&self.headers, &self.body, secret)
    }
}

/// How a call is answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// So long after the call has come.
    pub after: Duration,
    /// With what.
    pub fate: Fate,
}

/// What becomes of a call.
#[derive(Debug, Clone)]
pub enum Fate {
    /// It is answered with this status and these headers.
    Status(u16, Vec<(String, String)>),
    /// The connection is closed without an answer.
    Close,
    /// No answer comes before the sink stops.
    Hang,
}

impl Reply {
    /// This status, at once.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { after: Duration::ZERO, fate: Fate::Status(status, Vec::new()) }
    }

    /// The connection is closed without an answer.
    #[must_use]
    pub fn close() -> Self {
        Self { after: Duration::ZERO, fate: Fate::Close }
    }

    /// No answer at all.
    #[must_use]
    pub fn hang() -> Self {
        Self { after: Duration::ZERO, fate: Fate::Hang }
    }

    /// With a header more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if let Fate::Status(_, headers) = &mut self.fate {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// So much later.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.after = delay;
        self
    }
}

/// What the script says of a path.
#[derive(Default)]
struct Script {
    next: VecDeque<Reply>,
    then: Option<Reply>,
}

struct Shared {
    seen: Seen<Call>,
    scripts: Mutex<HashMap<String, Script>>,
    otherwise: Mutex<Reply>,
    /// True once the sink stops.
    stop: watch::Sender<bool>,
}

/// The sink. Dropping it stops it.
pub struct Sink {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.accepting.abort();
        self.shared.stop.send_replace(true);
    }
}

impl Sink {
    /// Starts on a free port of the loopback; answers 204 to everything.
    ///
    /// # Errors
    /// No port could be had.
    pub async fn start() -> Result<Self> {
        Self::start_at("127.0.0.1:0".parse()?).await
    }

    /// Starts at this address, for example at that of a sink that has stopped.
    ///
    /// # Errors
    /// The address could not be had.
    pub async fn start_at(address: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(address).await.context("the sink found no port")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            seen: Seen::default(),
            scripts: Mutex::default(),
            otherwise: Mutex::new(Reply::status(204)),
            stop: watch::Sender::new(false),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { shared, address, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path, which begins with `/`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next calls to a path are answered with these, one each, before anything else.
    pub fn answer_next(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        self.script(path, |script| script.next.extend(replies));
    }

    /// Calls to a path are answered with this from now on.
    pub fn answer(&self, path: &str, reply: Reply) {
        self.script(path, |script| script.then = Some(reply));
    }

    /// Calls to all paths without a script are answered with this from now on.
    pub fn answer_otherwise(&self, reply: Reply) {
        *self.shared.otherwise.lock().unwrap_or_else(PoisonError::into_inner) = reply;
    }

    /// What it saw; every call is there before it is answered.
    #[must_use]
    pub fn seen(&self) -> &Seen<Call> {
        &self.shared.seen
    }

    /// Every call so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.shared.seen.all()
    }

    /// Every call to one path so far.
    #[must_use]
    pub fn calls_to(&self, path: &str) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.path == path).collect()
    }

    /// Waits until at least `count` calls came, and returns all.
    ///
    /// # Errors
    /// They did not come `within` the time.
    pub async fn wait_for(&self, count: usize, within: Duration) -> Result<Vec<Call>> {
        self.shared.seen.wait_for(count, within).await.context("calls to the sink")
    }

    /// Waits until `fits` says yes to all calls so far, and returns them.
    ///
    /// # Errors
    /// It did not come to fit `within` the time.
    pub async fn wait_until(
        &self,
        within: Duration,
        fits: impl Fn(&[Call]) -> bool,
    ) -> Result<Vec<Call>> {
        self.shared.seen.wait_until(within, fits).await.context("calls to the sink")
    }

    /// Stops: closes the port and every connection, and returns all calls.
    pub async fn stop(mut self) -> Vec<Call> {
        self.accepting.abort();
        // Ends as aborted; when it has, the port is free.
        let _ = (&mut self.accepting).await;
        self.shared.stop.send_replace(true);
        self.calls()
    }

    fn script(&self, path: &str, change: impl FnOnce(&mut Script)) {
        let mut scripts = self.shared.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        change(scripts.entry(path.to_owned()).or_default());
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

/// A connection ends by itself, by a reply that closes it, or with the sink.
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
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(Body::new(body), BODY_BYTES_MAX).await?;
    let reply = shared.reply_to(parts.uri.path());
    let path = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let call =
        Call { method: parts.method, path, headers: parts.headers, body, at: Instant::now() };
    shared.seen.push(call);
    if !reply.after.is_zero() {
        let mut stop = shared.stop.subscribe();
        let _ = tokio::time::timeout(reply.after, stop.wait_for(|stop| *stop)).await;
    }
    match reply.fate {
        Fate::Status(status, headers) => {
            let mut response = Response::builder().status(StatusCode::from_u16(status)?);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            Ok(response.body(Body::empty())?)
        }
        Fate::Close => anyhow::bail!("closed, as scripted"),
        Fate::Hang => std::future::pending().await,
    }
}

impl Shared {
    fn reply_to(&self, path: &str) -> Reply {
        let mut scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        let scripted = scripts.get_mut(path).and_then(|script| match script.next.pop_front() {
            Some(reply) => Some(reply),
            None => script.then.clone(),
        });
        drop(scripts);
        scripted.unwrap_or_else(|| {
            self.otherwise.lock().unwrap_or_else(PoisonError::into_inner).clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client;

    const SOON: Duration = Duration::from_secs(10);

    async fn post(sink: &Sink, path: &str) -> Result<u16, reqwest::Error> {
        let request =
            client::bare().unwrap().post(sink.url(path)).body("{\"type\":\"alert.issued\"}");
        request.send().await.map(|answer| answer.status().as_u16())
    }

    #[tokio::test]
    async fn answers_follow_the_script_and_calls_are_kept() {
        let sink = Sink::start().await.unwrap();
        sink.answer_next("/g/1", [Reply::status(500), Reply::close()]);
        sink.answer("/g/1", Reply::status(200).after(Duration::from_millis(1)));
        sink.answer_otherwise(Reply::status(410));
        assert_eq!(post(&sink, "/g/1").await.unwrap(), 500);
        assert!(post(&sink, "/g/1").await.is_err());
        assert_eq!(post(&sink, "/g/1").await.unwrap(), 200);
        assert_eq!(post(&sink, "/g/2").await.unwrap(), 410);
        let calls = sink.wait_for(4, SOON).await.unwrap();
        assert_eq!(calls.len(), 4);
        assert_eq!(sink.calls_to("/g/1").len(), 3);
        assert_eq!(calls[0].news(), "alert.issued");
        assert!(calls.windows(2).all(|pair| pair[0].at <= pair[1].at));
    }

    #[tokio::test]
    async fn who_stops_closes_what_hangs_and_frees_the_port() {
        let sink = Sink::start().await.unwrap();
        let address = sink.address();
        sink.answer("/", Reply::hang());
        let request = client::bare().unwrap().post(sink.url("/")).body("{}");
        let hanging = tokio::spawn(request.send());
        sink.wait_for(1, SOON).await.unwrap();
        assert_eq!(sink.stop().await.len(), 1);
        assert!(tokio::time::timeout(SOON, hanging).await.unwrap().unwrap().is_err());
        let again = Sink::start_at(address).await.unwrap();
        assert_eq!(post(&again, "/").await.unwrap(), 204);
    }
}
