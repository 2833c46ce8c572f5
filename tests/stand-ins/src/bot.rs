//! What the stand-ins of bots share: a server on loopback, a script for the next calls, a list of
//! what arrived, and calls as a provider makes them.
//!
//! Bare hyper, since a call can be cut off here.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::body::{Body, Bytes};
use hyper::{
    Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// More than any call's body.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// One call that arrived.
#[derive(Debug, Clone)]
pub struct Call {
    /// `POST`.
    pub verb: String,
    /// The whole path, with the token.
    pub path: String,
    /// The header `content-type`; empty where there is none.
    pub content_type: String,
    /// The body, whole.
    pub body: Bytes,
}

impl Call {
    /// The method that was called, as `sendMessage`.
    #[must_use]
    pub fn method(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What becomes of a call.
#[derive(Debug, Clone)]
pub enum Fate {
    /// It is answered with this status and body, and nothing is done.
    Answer(u16, String),
    /// It is done, and no answer comes before the stand-in stops.
    TakeAndHang,
    /// It is done, and the connection is cut.
    TakeAndCut,
    /// The connection is cut, and nothing is done.
    Cut,
}

/// A call of the provider to us, as it is posted. Posting the same twice is what a provider does
/// whose first call was not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The name and the value of the header with the secret.
    pub secret: (&'static str, String),
    /// JSON.
    pub body: String,
}

/// What a provider does with a call.
pub(crate) trait Provider: Send + 'static {
    /// The status and the body of the answer.
    fn answer(&mut self, token: &str, method: &str, body: &Value) -> (u16, Value);
}

struct Shared<P> {
    provider: Mutex<P>,
    calls: Mutex<Vec<Call>>,
    script: Mutex<VecDeque<Fate>>,
    /// True once the server stops.
    stop: watch::Sender<bool>,
}

/// A provider behind a port. Dropping it closes the port and every connection.
pub(crate) struct Server<P> {
    shared: Arc<Shared<P>>,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl<P> Drop for Server<P> {
    fn drop(&mut self) {
        self.accepting.abort();
        self.shared.stop.send_replace(true);
    }
}

impl<P: Provider> Server<P> {
    pub(crate) async fn start(provider: P) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            provider: Mutex::new(provider),
            calls: Mutex::default(),
            script: Mutex::default(),
            stop: watch::Sender::new(false),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { shared, address, accepting })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        lock(&self.shared.calls).clone()
    }

    pub(crate) fn next(&self, fate: Fate) {
        lock(&self.shared.script).push_back(fate);
    }

    pub(crate) fn provider(&self) -> MutexGuard<'_, P> {
        lock(&self.shared.provider)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept<P: Provider>(listener: TcpListener, shared: Arc<Shared<P>>) {
    while let Ok((connection, _)) = listener.accept().await {
        tokio::spawn(serve(connection, Arc::clone(&shared)));
    }
}

/// A connection ends by itself, by a fate that cuts it, or with the server.
async fn serve<P: Provider>(connection: TcpStream, shared: Arc<Shared<P>>) {
    let mut stop = shared.stop.subscribe();
    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
    let serving = http1::Builder::new().serve_connection(TokioIo::new(connection), service);
    tokio::select! {
        _ = serving => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// An error cuts the connection without an answer.
async fn answer<P: Provider>(
    request: Request<Incoming>,
    shared: Arc<Shared<P>>,
) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(Body::new(body), BODY_BYTES_MAX).await;
    let body = body.map_err(io::Error::other)?;
    let content_type = parts.headers.get("content-type").and_then(|value| value.to_str().ok());
    let call = Call {
        verb: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        content_type: content_type.unwrap_or_default().to_owned(),
        body,
    };
    lock(&shared.calls).push(call.clone());
    let fate = lock(&shared.script).pop_front();
    let cut = || Err(io::Error::from(io::ErrorKind::ConnectionAborted));
    match fate {
        Some(Fate::Answer(status, body)) => response(status, body),
        Some(Fate::Cut) => cut(),
        Some(Fate::TakeAndCut) => {
            shared.take(&call);
            cut()
        }
        Some(Fate::TakeAndHang) => {
            shared.take(&call);
            std::future::pending().await
        }
        None => {
            let (status, body) = shared.take(&call);
            response(status, body)
        }
    }
}

impl<P: Provider> Shared<P> {
    fn take(&self, call: &Call) -> (u16, String) {
        let called = call.path.strip_prefix("/bot").and_then(|rest| rest.split_once('/'));
        let Some((token, method)) = called else {
            return (404, "<html><h1>404 Not Found</h1></html>".to_owned());
        };
        let (status, body) = lock(&self.provider).answer(token, method, &call.json());
        (status, body.to_string())
    }
}

fn response(status: u16, body: String) -> io::Result<Response<Body>> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).map_err(io::Error::other)?;
    Ok(response)
}
