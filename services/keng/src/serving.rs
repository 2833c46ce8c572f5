//! Listening: HTTP, gRPC and the Unix socket, each until the process drains.

use std::net::SocketAddr;

use anyhow::Context;
use axum::{
    Router,
    extract::Request,
    http::{HeaderName, HeaderValue},
    middleware::{self, Next},
    response::Response,
    serve::{Listener, ListenerExt},
};
use chassis::{
    DataDir, Drain, Health,
    problem::with_fallbacks,
    socket::{self, LocalPeer, SocketFile},
};
use tokio::net::{TcpListener, UnixListener};
use tonic::service::Routes;

use crate::{Failed, tls::Tls};

/// Ports that are bound.
pub(crate) struct Bound {
    http: TcpListener,
    grpc: TcpListener,
    pub(crate) http_addr: SocketAddr,
    pub(crate) grpc_addr: SocketAddr,
}

/// Binds both ports; port 0 means any free one.
pub(crate) async fn bind(http: SocketAddr, grpc: SocketAddr) -> Result<Bound, Failed> {
    let (http, grpc) = (listen(http).await?, listen(grpc).await?);
    let http_addr = http.local_addr().context("an address")?;
    let grpc_addr = grpc.local_addr().context("an address")?;
    Ok(Bound { http, grpc, http_addr, grpc_addr })
}

/// Binds a port.
pub(crate) async fn listen(addr: SocketAddr) -> Result<TcpListener, Failed> {
    let bound = TcpListener::bind(addr).await.with_context(|| format!("cannot listen on {addr}"));
    Ok(bound?)
}

/// Serves HTTP on a port until the process drains.
pub(crate) fn serve_http(listener: TcpListener, routes: Router, drain: &Drain) {
    let listener = listener.tap_io(|stream| {
        // An answer is small; it must not wait for more.
        let _ = stream.set_nodelay(true);
    });
    serve_on(listener, routes, drain);
}

fn serve_on<L>(listener: L, routes: Router, drain: &Drain)
where
    L: Listener,
    L::Addr: std::fmt::Debug,
{
    let stop = drain.token();
    drain.spawn("http", async move {
        let serve = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = serve.await {
            tracing::error!(%error, "HTTP ended");
        }
    });
}

/// Serves `people` on the port, and `local` on the Unix socket.
pub(crate) fn serve(
    (bound, tls): (Bound, Option<Tls>),
    people: Router,
    local: Router,
    grpc: Routes,
    (data, health, drain): (&DataDir, &Health, &Drain),
) -> Result<(), Failed> {
    let people = dressed(people, health);
    match tls {
        None => serve_http(bound.http, people, drain),
        Some(tls) => {
            tls.keep_up(health, drain)?;
            serve_on(tls.listen(bound.http, drain).context("an address")?, people, drain);
        }
    }
    serve_local(socket::listen(data)?, dressed(local, health), drain);

    let stop = drain.token();
    let incoming = tonic::transport::server::TcpIncoming::from(bound.grpc).with_nodelay(Some(true));
    drain.spawn("grpc", async move {
        let server = tonic::transport::Server::builder().add_routes(grpc);
        let serve = server.serve_with_incoming_shutdown(incoming, stop.cancelled_owned());
        if let Err(error) = serve.await {
            tracing::error!(%error, "gRPC ended");
        }
    });
    Ok(())
}

/// Serves the owner of the machine on the Unix socket, until the process drains.
pub(crate) fn serve_local(
    (listener, file): (UnixListener, SocketFile),
    routes: Router,
    drain: &Drain,
) {
    let routes = routes.into_make_service_with_connect_info::<LocalPeer>();
    let stop = drain.token();
    drain.spawn("socket", async move {
        let serve = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = serve.await {
            tracing::error!(%error, "the socket ended");
        }
        drop(file);
    });
}

/// What every answer has: problems for unknown paths, and the banners that must not be
/// overlooked.
pub(crate) fn dressed(router: Router, health: &Health) -> Router {
    let health = health.clone();
    let banner = middleware::from_fn(move |request: Request, next: Next| {
        let health = health.clone();
        async move { with_banners(next.run(request).await, &health) }
    });
    with_fallbacks(router).layer(banner).layer(tower_http::catch_panic::CatchPanicLayer::new())
}

fn with_banners(mut response: Response, health: &Health) -> Response {
    for banner in health.banners() {
        if let Ok(value) = HeaderValue::from_bytes(banner.as_bytes()) {
            response.headers_mut().append(HeaderName::from_static("keng-banner"), value);
        }
    }
    response
}
