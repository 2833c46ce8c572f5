//! A witness in this process, and a log for it.

use std::{collections::BTreeMap, convert::Infallible, path::Path, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use chassis::{Drain, Health, VirtualClock};
use domain::{hex::hex, ids::Millis};
use merkle::{
    LogKey, SignedCheckpoint, TileId, TileWriter, VerifierKey, hash::leaf, proof::consistency,
    witness::Request as Asked,
};
use sha2::{Digest, Sha256};
use tower::ServiceExt;
use witness::{Options, Witness};

pub(crate) const NAME: &str = "nhan-chung.example.vn";
pub(crate) const NOW_S: u64 = 1_800_000_000;

pub(crate) struct Stage {
    pub(crate) router: Router,
    pub(crate) key: VerifierKey,
    pub(crate) health: Health,
    pub(crate) drain: Drain,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) kind: String,
    pub(crate) text: String,
}

impl Stage {
    pub(crate) fn open(dir: &Path, logs: Vec<VerifierKey>) -> Self {
        let health = Health::new(&[]);
        let drain = Drain::new(health.clone());
        let witness = Witness::open(Options {
            dir: dir.to_owned(),
            name: NAME.to_owned(),
            logs,
            clock: Arc::new(VirtualClock::at(Millis(NOW_S as i64 * 1_000))),
            health: health.clone(),
            drain: drain.clone(),
        })
        .unwrap();
        let key = witness.key().clone();
        Self { router: witness::router(witness), key, health, drain }
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Body) -> Answer {
        let request = Request::builder().method(method).uri(path).body(body).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap());
        let kind = kind.unwrap_or_default().to_owned();
        let text = to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec();
        Answer { status, kind, text: String::from_utf8(text).unwrap() }
    }

    pub(crate) async fn add(&self, body: &str) -> Answer {
        self.call("POST", "/add-checkpoint", Body::from(body.to_owned())).await
    }

    pub(crate) async fn status(&self, body: &str) -> u16 {
        self.add(body).await.status.as_u16()
    }

    /// The last checkpoint that was cosigned of this log, by what anybody can read.
    pub(crate) async fn last(&self, log: &VerifierKey) -> Option<SignedCheckpoint> {
        let answer = self.call("GET", &path_of(log), Body::empty()).await;
        if answer.status == StatusCode::NOT_FOUND {
            return None;
        }
        assert_eq!((answer.status, &*answer.kind), (StatusCode::OK, "text/plain; charset=utf-8"));
        let last = SignedCheckpoint::parse(answer.text.as_bytes()).unwrap();
        assert_eq!(last.verify([log, &self.key]).unwrap().len(), 2, "{}", answer.text);
        Some(last)
    }

    pub(crate) async fn last_size(&self, log: &VerifierKey) -> Option<u64> {
        self.last(log).await.map(|last| last.checkpoint().size())
    }
}

pub(crate) fn path_of(log: &VerifierKey) -> String {
    format!("/{}/checkpoint", folder_of(log))
}

pub(crate) fn folder_of(log: &VerifierKey) -> String {
    hex(&Sha256::digest(log.name()))
}

pub(crate) fn log_key() -> LogKey {
    LogKey::from_seed("keng.example.vn", &[1; 32]).unwrap()
}

/// A log with the leaves 0, 1, 2, … of a history; another history has other leaves.
pub(crate) struct History {
    writer: TileWriter,
    tiles: BTreeMap<TileId, Vec<u8>>,
}

impl History {
    pub(crate) fn of(name: &str, size: u64) -> Self {
        let mut log = Self { writer: TileWriter::default(), tiles: BTreeMap::new() };
        for number in 0..size {
            for tile in log.writer.push(leaf(format!("{name} {number}").as_bytes())) {
                log.tiles.insert(tile.id, tile.bytes);
            }
        }
        let partial: Vec<_> = log.writer.partial_since(0).collect();
        log.tiles.extend(partial.into_iter().map(|tile| (tile.id, tile.bytes)));
        log
    }

    pub(crate) fn checkpoint(&self) -> SignedCheckpoint {
        SignedCheckpoint::sign(&log_key(), self.writer.size(), self.writer.root())
    }

    pub(crate) fn since(&self, old: u64) -> String {
        let read = |id| Ok::<_, Infallible>(self.tiles[&id].clone());
        let new = self.writer.size();
        let proof = if old == 0 { Vec::new() } else { consistency(old, new, read).unwrap() };
        Asked { old_size: old, proof, checkpoint: self.checkpoint() }.to_string()
    }
}

/// A request by the honest log to go on from `old` to `new`.
pub(crate) fn request(old: u64, new: u64) -> String {
    History::of("a", new).since(old)
}
