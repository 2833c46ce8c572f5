//! Zalo for Official Accounts, as far as fan-out calls it: tokens that rotate, messages to
//! followers and groups, pictures, conversations; and the calls that Zalo makes (`callbacks`).
//!
//! Source: `channels.md`, 2 and 12. An error comes with HTTP 200, numbers come as strings, a new
//! access token kills the old one at once, a refresh token works once. Stateful: what was done is
//! there, whatever became of the answer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod callbacks;
mod world;

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::body::Body;
use bytes::Bytes;
use hyper::{
    HeaderMap, Request, Response, StatusCode, body::Incoming, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

pub use callbacks::Callback;
use world::World;

/// More than any request.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The app that is registered here.
pub const APP_ID: &str = "360846524940903967";
/// Its secret, which renews tokens.
pub const APP_SECRET: &str = "app-secret/+ 1";
/// The account that the tokens are of.
pub const OA_ID: &str = "388613280878808645";
/// The secret that callbacks are signed with; never the same as the app's.
pub const OA_SECRET_KEY: &str = "OA_SECRET_EXAMPLE_0001";
/// The pair that a stand-in begins with.
pub const FIRST_ACCESS: &str = "access-0+/=";
/// See [`FIRST_ACCESS`].
pub const FIRST_REFRESH: &str = "refresh-0+/=&";
/// What the stand-in's clock shows at first, in milliseconds since 1970.
pub const NOW_MS: i64 = 1_795_257_600_000;

/// Where tokens are renewed.
pub const TOKEN: &str = "/v4/oa/access_token";
/// Where a follower is written to.
pub const TO_USER: &str = "/v3.0/oa/message/cs";
/// Where a group is written to.
pub const TO_GROUP: &str = "/v3.0/oa/group/message";
/// Where a picture is put.
pub const UPLOAD: &str = "/v2.0/oa/upload/image";
/// Where the account says who it is.
pub const GET_OA: &str = "/v2.0/oa/getoa";
/// What was said in a group.
pub const IN_GROUP: &str = "/v3.0/oa/group/conversation";
/// What was said with a follower.
pub const WITH_USER: &str = "/v2.0/oa/conversation";

/// One call that came.
#[derive(Debug, Clone)]
pub struct Call {
    /// The path, without the query.
    pub path: String,
    /// The query, without `?`.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
}

impl Call {
    /// The text of a header; empty where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A form, or the query where there is no body.
    #[must_use]
    pub fn form(&self) -> HashMap<String, String> {
        let text = if self.body.is_empty() { self.query.clone() } else { self.text() };
        let uri = format!("/?{text}").parse().unwrap_or_default();
        axum::extract::Query::try_from_uri(&uri).map(|query| query.0).unwrap_or_default()
    }
}

/// What becomes of one call that a test has scripted.
#[derive(Debug, Clone, Copy)]
pub struct Fate {
    /// Whether what was asked for is done before the call ends as it does.
    pub is_done: bool,
    /// How the call ends.
    pub ending: Ending,
}

/// How a call ends.
#[derive(Debug, Clone, Copy)]
pub enum Ending {
    /// With this error, at HTTP 200.
    Error(i64, &'static str),
    /// With this status, and a page that is no JSON.
    Status(u16),
    /// With HTTP 200 and a page that is no JSON.
    NotJson,
    /// Never, while the stand-in runs.
    Hang,
    /// The connection is cut.
    Cut,
}

impl Fate {
    /// Nothing is done.
    #[must_use]
    pub fn refused(ending: Ending) -> Self {
        Self { is_done: false, ending }
    }

    /// It is done, and then the call ends like this.
    #[must_use]
    pub fn done(ending: Ending) -> Self {
        Self { is_done: true, ending }
    }
}

pub(crate) struct Shared {
    world: Mutex<World>,
    fates: Mutex<HashMap<String, VecDeque<Fate>>>,
    calls: Mutex<Vec<Call>>,
    stop: watch::Sender<bool>,
}

/// The stand-in. Dropping it stops it.
pub struct Zalo {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Drop for Zalo {
    fn drop(&mut self) {
        self.accepting.abort();
        self.shared.stop.send_replace(true);
    }
}

impl Zalo {
    /// Starts on a free port of the loopback.
    ///
    /// # Errors
    /// No port could be had.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            world: Mutex::new(World::new()),
            fates: Mutex::default(),
            calls: Mutex::default(),
            stop: watch::Sender::new(false),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { shared, address, accepting })
    }

    /// The base of all addresses, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next calls to a path end like this, one each.
    pub fn next(&self, path: &str, fates: impl IntoIterator<Item = Fate>) {
        let mut all = locked(&self.shared.fates);
        all.entry(path.to_owned()).or_default().extend(fates);
    }

    /// Every call so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        locked(&self.shared.calls).clone()
    }

    /// Every call to one path so far.
    #[must_use]
    pub fn calls_to(&self, path: &str) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.path == path).collect()
    }

    /// The pair that works now.
    #[must_use]
    pub fn pair(&self) -> (String, String) {
        let world = self.world();
        (world.access.clone(), world.refresh.clone())
    }

    /// The access token has run out: -220 until it is renewed.
    pub fn expire_access(&self) {
        self.world().is_expired = true;
    }

    /// From now on every call must prove that it knows the app's secret.
    pub fn ask_for_proof(&self) {
        self.world().asks_proof = true;
    }

    /// Each window of a minute takes so many calls; the window does not end by itself.
    pub fn limit(&self, calls: u32) {
        self.world().limit = Some((calls, calls));
    }

    /// A user, and how the account stands to this one: 0, -213, -230 or whatever else.
    pub fn user(&self, user: &str, error: i64) {
        self.world().users.insert(user.to_owned(), error);
    }

    /// A group, and how the account stands to it: 0, -237, -403 or whatever else.
    pub fn group(&self, group: &str, error: i64) {
        self.world().groups.insert(group.to_owned(), error);
    }

    /// Seven days have passed for every picture.
    pub fn forget_uploads(&self) {
        self.world().uploads.values_mut().for_each(|lives| *lives = false);
    }

    /// The stand-in's clock shows this, in milliseconds since 1970.
    pub fn set_clock(&self, ms: i64) {
        self.world().now_ms = ms;
    }

    /// Somebody writes into a chat: a group, or the one with a user.
    pub fn somebody_writes(&self, chat: &str, text: &str) {
        self.world().say(chat, "1", "552177279717587730", "text", text);
    }

    /// What our account has said in a chat, the oldest first.
    #[must_use]
    pub fn said(&self, chat: &str) -> Vec<String> {
        let world = self.world();
        let said = world.chats.get(chat).into_iter().flatten();
        said.filter(|entry| entry["src"] == 0)
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        locked(&self.shared.world)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

async fn serve(connection: TcpStream, shared: Arc<Shared>) {
    let mut stop = shared.stop.subscribe();
    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
    let serving = http1::Builder::new().serve_connection(TokioIo::new(connection), service);
    tokio::select! {
        _ = serving => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// An error here closes the connection without an answer.
async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(Body::new(body), BODY_BYTES_MAX).await;
    let body = body.map_err(io::Error::other)?;
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let call = Call { path: path.clone(), query, headers: parts.headers, body };
    locked(&shared.calls).push(call.clone());
    let fate = locked(&shared.fates).get_mut(&path).and_then(VecDeque::pop_front);
    let Some(Fate { is_done, ending }) = fate else {
        let (reply, headers) = locked(&shared.world).take(&call);
        return Ok(json_page(&reply, &headers));
    };
    if is_done {
        let (reply, _) = locked(&shared.world).take(&call);
        assert!(reply.get("error").is_none_or(|error| error == 0), "not done: {reply}");
    }
    match ending {
        Ending::Error(error, message) => {
            Ok(json_page(&json!({ "error": error, "message": message }), &[]))
        }
        Ending::Status(status) => Ok(page(status)),
        Ending::NotJson => Ok(page(200)),
        Ending::Hang => std::future::pending().await,
        Ending::Cut => Err(io::Error::other("cut, as scripted")),
    }
}

fn json_page(reply: &Value, headers: &[(&'static str, String)]) -> Response<Body> {
    let mut page = Response::new(Body::from(reply.to_string()));
    page.headers_mut().insert("content-type", "application/json".parse().unwrap());
    for (name, value) in headers {
        page.headers_mut().insert(*name, value.parse().unwrap());
    }
    page
}

fn page(status: u16) -> Response<Body> {
    let mut page = Response::new(Body::from("<html>Bad Gateway</html>"));
    *page.status_mut() = StatusCode::from_u16(status).unwrap();
    page
}
