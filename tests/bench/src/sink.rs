//! The sink of the benchmarks: takes `POST /g/N`, and notes when the last of so many was called.
//!
//! Bare hyper and two atomics a call, so that the sender is measured and not the sink. It keeps no
//! calls, answers 204 to everything, and cannot be scripted: that is `support::Sink`.

use std::{
    net::SocketAddr,
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

/// A sink on a free port of the loopback. Cloning gives the same one.
#[derive(Clone)]
pub struct Sink {
    shared: Arc<Shared>,
    address: SocketAddr,
}

struct Shared {
    seen: Vec<AtomicU64>,
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
        let shared = Arc::new(Shared {
            seen: (0..GROUPS_MAX / WORD_BITS).map(|_| AtomicU64::new(0)).collect(),
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
    let group = parts.uri.path().strip_prefix("/g/").and_then(|group| group.parse().ok());
    shared.called(group.context("no group is called so")?);
    let mut response = Response::new(NoBody);
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

impl Shared {
    fn called(&self, group: usize) {
        let bit = 1 << (group % WORD_BITS);
        let Some(word) = self.seen.get(group / WORD_BITS) else { return };
        if word.fetch_or(bit, Ordering::SeqCst) & bit != 0 {
            self.doubles.fetch_add(1, Ordering::SeqCst);
            return;
        }
        let count = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        if count == self.awaited.load(Ordering::SeqCst) {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
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
}
