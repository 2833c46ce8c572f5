//! Targets that are no ordinary sink: one that is down, and one that answers when it is told to.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use anyhow::Result;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
};
use support::{Call, seen::Seen};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::watch,
    task::JoinHandle,
};

/// An address where nobody listens: connections are refused. The port stays taken, so that
/// nobody else comes to listen there meanwhile.
pub struct Down {
    address: SocketAddr,
    _taken: TcpSocket,
}

impl Down {
    /// Takes a free port of the loopback.
    ///
    /// # Errors
    /// There is none.
    pub fn new() -> Result<Self> {
        let taken = TcpSocket::new_v4()?;
        // So that whoever comes up there later need not wait.
        taken.set_reuseaddr(true)?;
        taken.bind("127.0.0.1:0".parse()?)?;
        Ok(Self { address: taken.local_addr()?, _taken: taken })
    }

    /// `http://HOST:PORT`.
    #[must_use]
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Gives the port free, for who comes up there.
    #[must_use]
    pub fn address(self) -> SocketAddr {
        self.address
    }
}

#[derive(Clone)]
struct Held {
    seen: Arc<Seen<Call>>,
    released: watch::Receiver<bool>,
}

/// A target that takes every call, and answers when it is released. Dropping it stops it.
pub struct Holding {
    seen: Arc<Seen<Call>>,
    release: watch::Sender<bool>,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Holding {
    /// Starts on a free port of the loopback.
    ///
    /// # Errors
    /// There is none.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (release, released) = watch::channel(false);
        let seen = Arc::<Seen<Call>>::default();
        let held = Held { seen: Arc::clone(&seen), released };
        let router = Router::new().fallback(hold).with_state(held);
        let serving = tokio::spawn(async move {
            // Ends with the story.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { seen, release, address, serving })
    }

    /// `http://HOST:PORT`.
    #[must_use]
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The calls it took.
    #[must_use]
    pub fn seen(&self) -> &Seen<Call> {
        &self.seen
    }

    /// Answers what it holds, and from now on at once.
    pub fn release(&self) {
        self.release.send_replace(true);
    }

    /// Whether it answers.
    #[must_use]
    pub fn is_released(&self) -> bool {
        *self.release.borrow()
    }
}

async fn hold(
    State(mut held): State<Held>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let path = uri.path().to_owned();
    held.seen.push(Call { method, path, headers, body, at: Instant::now() });
    // Where the story has ended nobody waits for the answer.
    let _ = held.released.wait_for(|released| *released).await;
    StatusCode::NO_CONTENT
}
