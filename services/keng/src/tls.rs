//! TLS on the port of HTTP: certificate and key from files, read again when they change.
//!
//! Files that cannot be used change nothing: what was shown before is shown on, and a banner says
//! so.

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use anyhow::Context;
use axum::serve::Listener;
use chassis::{Drain, Health, TlsFiles};
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{Failed, open::wrong};

/// How often the files are looked at; SIGHUP has it done at once.
const LOOK: Duration = Duration::from_secs(10);
/// Whoever does not get on with the handshake is left.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Connections that have shaken hands and wait to be served.
const WAITING_MAX: usize = 64;
/// The banner's name.
const BANNER: &str = "tls";

/// What the port shows.
#[derive(Clone)]
pub(crate) struct Tls {
    files: TlsFiles,
    shown: Arc<Shown>,
    acceptor: TlsAcceptor,
}

struct Shown(RwLock<(Arc<CertifiedKey>, Vec<u8>)>);

impl Shown {
    fn now(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner).0)
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown")
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now())
    }
}

impl Tls {
    /// Reads the files.
    pub(crate) fn open(files: &TlsFiles) -> Result<Self, Failed> {
        let provider = Arc::new(ring::default_provider());
        let bad = |why: anyhow::Error| wrong("--tls-cert", format!("{why:#}"));
        let (bytes, key) = read(files, &provider).map_err(bad)?;
        let shown = Arc::new(Shown(RwLock::new((Arc::new(key), bytes))));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("versions of TLS")?;
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Shown>::clone(&shown);
        let mut config = config.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { files: files.clone(), shown, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// Looks at the files until the process drains.
    pub(crate) fn keep_up(&self, health: &Health, drain: &Drain) -> anyhow::Result<()> {
        let (tls, health, stop) = (self.clone(), health.clone(), drain.token());
        let mut hangup = signal(SignalKind::hangup()).context("SIGHUP")?;
        drain.spawn("tls", async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = hangup.recv() => {}
                    () = sleep(LOOK) => {}
                }
                tls.look(&health);
            }
        });
        Ok(())
    }

    fn look(&self, health: &Health) {
        let provider = self.acceptor.config().crypto_provider();
        match read(&self.files, provider) {
            Ok((bytes, key)) => {
                health.banner(BANNER, None);
                let mut shown = self.shown.0.write().unwrap_or_else(PoisonError::into_inner);
                if shown.1 != bytes {
                    *shown = (Arc::new(key), bytes);
                    tracing::info!("another certificate is shown");
                }
            }
            Err(why) => {
                tracing::error!(why = format!("{why:#}"), "the certificate cannot be read");
                let why = "không đọc được chứng chỉ TLS mới / the new certificate cannot be read";
                health.banner(BANNER, Some(why.to_owned()));
            }
        }
    }

    /// The port, of which only those come who have shaken hands.
    pub(crate) fn listen(&self, port: TcpListener, drain: &Drain) -> io::Result<TlsPort> {
        let addr = port.local_addr()?;
        let (ready, streams) = mpsc::channel(WAITING_MAX);
        let (acceptor, stop) = (self.acceptor.clone(), drain.token());
        drain.spawn("tls-port", async move {
            let mut port = port;
            loop {
                let (stream, from) = tokio::select! {
                    () = stop.cancelled() => return,
                    accepted = Listener::accept(&mut port) => accepted,
                };
                // An answer is small; it must not wait for more.
                let _ = stream.set_nodelay(true);
                let (acceptor, ready) = (acceptor.clone(), ready.clone());
                tokio::spawn(async move {
                    if let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await {
                        let _ = ready.send((stream, from)).await;
                    }
                });
            }
        });
        Ok(TlsPort { streams, addr })
    }
}

/// The bytes of the files, and what they are.
fn read(files: &TlsFiles, provider: &CryptoProvider) -> anyhow::Result<(Vec<u8>, CertifiedKey)> {
    let bytes =
        |path: &std::path::Path| std::fs::read(path).with_context(|| path.display().to_string());
    let (cert, key) = (bytes(&files.cert)?, bytes(&files.key)?);
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&cert)
        .collect::<Result<_, _>>()
        .with_context(|| files.cert.display().to_string())?;
    anyhow::ensure!(!chain.is_empty(), "{}: no certificate", files.cert.display());
    let private = PrivateKeyDer::from_pem_slice(&key);
    let private = private.with_context(|| files.key.display().to_string())?;
    let certified = CertifiedKey::from_der(chain, private, provider);
    let certified = certified.with_context(|| files.key.display().to_string())?;
    Ok(([cert, key].concat(), certified))
}

/// Connections that have shaken hands.
pub(crate) struct TlsPort {
    streams: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    addr: SocketAddr,
}

impl Listener for TlsPort {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.streams.recv().await {
            Some(accepted) => accepted,
            // The process drains.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.addr)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use stand_ins::certificate::localhost;

    use super::*;

    #[test]
    fn another_certificate_is_shown_and_a_bad_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let files = TlsFiles { cert: dir.path().join("cert"), key: dir.path().join("key") };
        assert!(Tls::open(&files).is_err(), "no files");
        let (first, second) = (localhost().unwrap(), localhost().unwrap());
        fs::write(&files.cert, &first.pem).unwrap();
        fs::write(&files.key, &second.private_pem).unwrap();
        assert!(Tls::open(&files).is_err(), "somebody else's key");
        fs::write(&files.key, &first.private_pem).unwrap();
        let tls = Tls::open(&files).ok().unwrap();
        let health = Health::new(&[]);
        let before = tls.shown.now().cert.clone();
        // In the middle of being replaced.
        fs::write(&files.cert, &second.pem).unwrap();
        tls.look(&health);
        assert_eq!((tls.shown.now().cert.clone(), health.banners().len()), (before.clone(), 1));
        fs::write(&files.key, &second.private_pem).unwrap();
        tls.look(&health);
        assert_ne!(tls.shown.now().cert, before);
        assert!(health.banners().is_empty());
    }
}
