//! The wire between a client and a broker, which can lose what the broker answers: the question
//! arrives, the answer does not, and then the connection is gone.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};

use crate::world::soon;

/// A wire; cut for good when it is dropped.
pub(crate) struct Wire {
    pub(crate) url: String,
    shared: Arc<Shared>,
    _carrying: JoinSet<()>,
}

struct Shared {
    /// The bytes after which nothing of the broker's is carried any more.
    trap: Mutex<Option<Vec<u8>>>,
    /// How often the trap has sprung.
    sprung: watch::Sender<usize>,
    /// How often all connections were cut.
    cuts: watch::Sender<usize>,
}

impl Wire {
    /// A wire to the broker at this address, `nats://HOST:PORT`.
    pub(crate) async fn to(url: &str) -> Self {
        let broker = url.strip_prefix("nats://").expect("an address").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("nats://{}", listener.local_addr().expect("an address"));
        let (sprung, cuts) = (watch::Sender::new(0), watch::Sender::new(0));
        let shared = Arc::new(Shared { trap: Mutex::default(), sprung, cuts });
        let mut carrying = JoinSet::new();
        carrying.spawn(accept(listener, broker, Arc::clone(&shared)));
        Self { url, shared, _carrying: carrying }
    }

    /// Whoever says these bytes next hears no more of the broker on that connection.
    pub(crate) fn deafen_after(&self, bytes: &[u8]) {
        *self.shared.trap.lock().expect("whole") = Some(bytes.to_vec());
    }

    /// Waits until somebody was deafened.
    pub(crate) async fn deafened(&self) {
        let mut sprung = self.shared.sprung.subscribe();
        let is_set = || self.shared.trap.lock().expect("whole").is_some();
        soon(sprung.wait_for(|_| !is_set())).await.expect("the wire is there");
    }

    /// Cuts every connection; new ones are carried.
    pub(crate) fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }
}

async fn accept(listener: TcpListener, broker: String, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let Ok(server) = TcpStream::connect(&broker).await else { continue };
        connections.spawn(carry(client, server, Arc::clone(&shared)));
    }
}

async fn carry(client: TcpStream, server: TcpStream, shared: Arc<Shared>) {
    let mut cuts = shared.cuts.subscribe();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let deaf = watch::Sender::new(false);
    let is_deaf = deaf.subscribe();
    tokio::select! {
        () = questions(from_client, to_server, &shared, &deaf) => {}
        () = answers(from_server, to_client, is_deaf) => {}
        _ = cuts.changed() => {}
    }
}

impl Shared {
    /// Whether the trap's bytes are among the recent ones, of which only what may still be a part
    /// of them is kept. It springs once.
    fn springs(&self, recent: &mut Vec<u8>) -> bool {
        let mut trap = self.trap.lock().expect("whole");
        let long = trap.as_ref().map_or(0, Vec::len);
        let sprung = long > 0 && recent.windows(long).any(|part| Some(part) == trap.as_deref());
        recent.drain(..recent.len().saturating_sub(long));
        if sprung {
            *trap = None;
        }
        sprung
    }
}

async fn questions(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
    deaf: &watch::Sender<bool>,
) {
    let mut chunk = vec![0; 64 << 10];
    // What is looked for may come in two parts.
    let mut recent: Vec<u8> = Vec::new();
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        recent.extend_from_slice(&chunk[..count]);
        if shared.springs(&mut recent) {
            deaf.send_replace(true);
            shared.sprung.send_modify(|sprung| *sprung += 1);
        }
        if to.write_all(&chunk[..count]).await.is_err() {
            return;
        }
    }
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, deaf: watch::Receiver<bool>) {
    let mut chunk = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        let lost = *deaf.borrow();
        if !lost && to.write_all(&chunk[..count]).await.is_err() {
            return;
        }
    }
}
