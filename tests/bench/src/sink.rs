//! The sink of the benchmarks: takes `POST /g/N`, and notes when each group was called, and when
//! the last of so many was.
//!
//! Bare hyper and a few atomics a call, so that the sender is measured and not the sink. It answers
//! 204, but for the paths of the sick (`/slow/N`, `/fails/N`, `/cuts/N`), counted apart. It
//! keeps no calls, and cannot be scripted: that is `support::Sink`.

use std::{
    net::SocketAddr,
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use hyper::{
    Request, Response, StatusCode,
    body::{Body, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
};

/// Groups are numbered below this.
pub const GROUPS_MAX: usize = 8_192;

const WORD_BITS: usize = 64;
/// What is slow answers after this.
const SLOW: Duration = Duration::from_secs(5);

/// What ails a group's target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ailment {
    /// It answers after five seconds.
    Slow,
    /// It answers 500.
    Fails,
    /// It takes the call, and cuts the connection.
    Cuts,
}

impl Ailment {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Slow, Self::Fails, Self::Cuts];

    /// What its paths begin with.
    fn path(self) -> &'static str {
        match self {
            Self::Slow => "/slow/",
            Self::Fails => "/fails/",
            Self::Cuts => "/cuts/",
        }
    }
}

/// A sink on a free port of the loopback. Cloning gives the same one.
#[derive(Clone)]
pub struct Sink {
    shared: Arc<Shared>,
    address: SocketAddr,
}

struct Shared {
    began: Instant,
    seen: Vec<AtomicU64>,
    /// When each group was called first in its round, in nanoseconds since the sink began.
    called_ns: Vec<AtomicU64>,
    /// All calls to those that are not sick, and to those that are.
    calls: AtomicUsize,
    calls_of_sick: AtomicUsize,
    count: AtomicUsize,
    awaited: AtomicUsize,
    /// Calls to a group that was called before in the same round.
    doubles: AtomicUsize,
    last: Mutex<Option<Instant>>,
    all: Notify,
    /// Whether the next body is kept.
    curious: AtomicBool,
    body: Mutex<Bytes>,
}

impl Sink {
    /// Starts it in this process.
    ///
    /// # Errors
    /// There is no port.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("a port for the sink")?;
        let address = listener.local_addr()?;
        let zeros = |count| (0..count).map(|_| AtomicU64::new(0)).collect();
        let shared = Arc::new(Shared {
            began: Instant::now(),
            seen: zeros(GROUPS_MAX / WORD_BITS),
            called_ns: zeros(GROUPS_MAX),
            calls: AtomicUsize::new(0),
            calls_of_sick: AtomicUsize::new(0),
            count: AtomicUsize::new(0),
            awaited: AtomicUsize::new(usize::MAX),
            doubles: AtomicUsize::new(0),
            last: Mutex::default(),
            all: Notify::new(),
            curious: AtomicBool::new(false),
            body: Mutex::default(),
        });
        tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { shared, address })
    }

    /// The URL of a group.
    #[must_use]
    pub fn url(&self, group: usize) -> String {
        format!("{}{group}", self.base())
    }

    /// The URL of a group whose target is sick.
    #[must_use]
    pub fn sick_url(&self, group: usize, ailment: Ailment) -> String {
        format!("http://{}{}{group}", self.address, ailment.path())
    }

    /// What stands before a group's number.
    #[must_use]
    pub fn base(&self) -> String {
        format!("http://{}/g/", self.address)
    }

    /// Begins a round: forgets who was called, and waits for so many groups from now on.
    pub fn begin(&self, groups: usize) {
        let shared = &self.shared;
        shared.awaited.store(usize::MAX, Ordering::SeqCst);
        shared.seen.iter().for_each(|word| word.store(0, Ordering::SeqCst));
        shared.count.store(0, Ordering::SeqCst);
        *shared.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
        shared.awaited.store(groups, Ordering::SeqCst);
    }

    /// When the last of the round's groups was called. Waits for it.
    ///
    /// # Errors
    /// They were not all called `within` the time.
    pub async fn last(&self, within: Duration) -> Result<Instant> {
        let deadline = tokio::time::Instant::now() + within;
        loop {
            let told = self.shared.all.notified();
            let last = *self.shared.last.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(last) = last {
                return Ok(last);
            }
            if tokio::time::timeout_at(deadline, told).await.is_err() {
                let (count, awaited) = (&self.shared.count, &self.shared.awaited);
                let (count, awaited) =
                    (count.load(Ordering::SeqCst), awaited.load(Ordering::SeqCst));
                anyhow::bail!("{count} of {awaited} groups were called within {within:?}");
            }
        }
    }

    /// When these groups were called first in this round; all of them must have been.
    ///
    /// # Errors
    /// One was not.
    pub fn calls_of(&self, groups: Range<usize>) -> Result<Vec<Instant>> {
        let shared = &self.shared;
        let called = |group: usize| {
            let seen = shared.seen.get(group / WORD_BITS)?.load(Ordering::SeqCst);
            let at = shared.called_ns.get(group)?.load(Ordering::SeqCst);
            let is_called = seen & (1 << (group % WORD_BITS)) != 0;
            is_called.then(|| shared.began + Duration::from_nanos(at))
        };
        groups.map(|group| called(group).context("a group was not called")).collect()
    }

    /// How many calls came so far: to targets that are not sick, and to those that are.
    #[must_use]
    pub fn calls(&self) -> (usize, usize) {
        let Shared { calls, calls_of_sick, .. } = &*self.shared;
        (calls.load(Ordering::SeqCst), calls_of_sick.load(Ordering::SeqCst))
    }

    /// How many calls came to a group that was called before in its round. Not 0 means that
    /// something was sent twice, and that the figures are of another load than they say.
    #[must_use]
    pub fn doubles(&self) -> usize {
        self.shared.doubles.load(Ordering::SeqCst)
    }

    /// Keeps the body of the next call.
    pub fn keep_next_body(&self) {
        self.shared.curious.store(true, Ordering::SeqCst);
    }

    /// The body that was kept.
    #[must_use]
    pub fn body(&self) -> Bytes {
        self.shared.body.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((connection, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        tokio::spawn(serve(connection, Arc::clone(&shared)));
    }
}

async fn serve(connection: TcpStream, shared: Arc<Shared>) {
    let _ = connection.set_nodelay(true);
    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
    // However a connection ends, the client opens another.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
}

/// An error here closes the connection without an answer.
async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<NoBody>> {
    let (parts, mut body) = request.into_parts();
    let curious = shared.curious.load(Ordering::Relaxed);
    let mut kept = BytesMut::new();
    while let Some(frame) =
        std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await
    {
        if let (true, Some(data)) = (curious, frame?.data_ref()) {
            kept.extend_from_slice(data);
        }
    }
    if curious && shared.curious.swap(false, Ordering::SeqCst) {
        *shared.body.lock().unwrap_or_else(PoisonError::into_inner) = kept.freeze();
    }
    let path = parts.uri.path();
    let mut response = Response::new(NoBody);
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Some(group) = path.strip_prefix("/g/").and_then(|group| group.parse().ok()) {
        shared.called(group);
        return Ok(response);
    }
    let ailment = Ailment::ALL.into_iter().find(|ailment| path.starts_with(ailment.path()));
    shared.calls_of_sick.fetch_add(1, Ordering::SeqCst);
    match ailment.context("no group is called so")? {
        Ailment::Slow => tokio::time::sleep(SLOW).await,
        Ailment::Fails => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
        Ailment::Cuts => anyhow::bail!("cut"),
    }
    Ok(response)
}

impl Shared {
    fn called(&self, group: usize) {
        let bit = 1 << (group % WORD_BITS);
        let Some(word) = self.seen.get(group / WORD_BITS) else { return };
        self.calls.fetch_add(1, Ordering::SeqCst);
        let now = Instant::now();
        if word.fetch_or(bit, Ordering::SeqCst) & bit != 0 {
            self.doubles.fetch_add(1, Ordering::SeqCst);
            return;
        }
        if let Some(called_ns) = self.called_ns.get(group) {
            let since = now.duration_since(self.began).as_nanos();
            called_ns.store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::SeqCst);
        }
        let count = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        if count == self.awaited.load(Ordering::SeqCst) {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
            self.all.notify_waiters();
        }
    }
}

/// The answer has no body.
struct NoBody;

impl Body for NoBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn the_last_of_a_round_is_noted_and_doubles_are_counted() {
        let sink = Sink::start().await.unwrap();
        let client = support::client::bare().unwrap();
        let post = |group| client.post(sink.url(group)).body("{}").send();
        for _round in 0..2 {
            sink.begin(2);
            let begun = Instant::now();
            sink.keep_next_body();
            assert_eq!(post(7).await.unwrap().status().as_u16(), 204);
            assert_eq!(post(7).await.unwrap().status().as_u16(), 204);
            assert!(sink.last(Duration::from_millis(10)).await.is_err());
            post(4_499).await.unwrap();
            assert!(sink.last(SOON).await.unwrap() > begun);
            assert_eq!(sink.body(), "{}");
        }
        assert_eq!(sink.doubles(), 2);
    }

    #[tokio::test]
    async fn each_call_is_timed_and_the_sick_are_counted_apart() {
        let sink = Sink::start().await.unwrap();
        let client = support::client::bare().unwrap();
        sink.begin(2);
        let begun = Instant::now();
        for group in [1, 0, 1] {
            client.post(sink.url(group)).body("{}").send().await.unwrap();
        }
        let times = sink.calls_of(0..2).unwrap();
        assert!(begun < times[1] && times[1] < times[0]);
        assert!(sink.calls_of(0..3).is_err());
        let fails = client.post(sink.sick_url(2, Ailment::Fails)).send().await.unwrap();
        assert_eq!(fails.status().as_u16(), 500);
        assert!(client.post(sink.sick_url(3, Ailment::Cuts)).body("{}").send().await.is_err());
        assert_eq!((sink.calls(), sink.doubles()), ((3, 2), 1));
    }
}
