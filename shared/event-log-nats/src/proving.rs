//! Proofs: the audit's tree is read as it grows, over the broker, and what this process said is
//! looked for among its leaves. Nothing is believed that does not come to the signed root, and
//! nothing may have gone from the tree that was read before. No alert waits for any of it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use merkle::{Frontier, Hash, SignedCheckpoint, TileId, VerifierKey, WIDTH_MAX, hash::HASH_BYTES};
use tokio::{task::spawn_blocking, time::Instant};

use crate::{
    alarm, heal,
    log::Inner,
    outbox::{Known, OutboxTrouble},
    read::Unread,
};

/// How long the audit may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Tiles that are asked for at once, each of at most 8 KiB.
const TILES_AT_ONCE: usize = 8;
/// How often what was proven long ago is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(60 * 60);
/// Where proofs stay away, the broker is asked again after so many times the patience.
const DOUBT_AGAIN: u32 = 10;
/// The broker is asked for so many of them, the oldest.
const DOUBTED_MAX: usize = 512;
/// What is asked of an audit is shorter.
const ASKED_BYTES_MAX: usize = 200;

/// How it stands with the proofs of what this process said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proofs {
    /// No audit has answered yet, and nothing waits for long.
    Unknown,
    /// Whatever stands in the log for longer than the patience is proven.
    Current,
    /// So many records stand in the log for longer, and the tree, as far as it goes, has them not.
    Late(u64),
    /// Records wait for longer, and no audit answers: so many.
    Silent(u64),
    /// What is shown is not what was shown before, or not what was signed.
    Wrong(String),
}

/// Why nothing was proven this time.
#[derive(Debug, thiserror::Error)]
enum Unproven {
    #[error("no audit answers: {0}")]
    Silent(String),
    #[error("{0}")]
    Wrong(String),
    #[error(transparent)]
    Outbox(#[from] OutboxTrouble),
}

fn wrong<T>(why: impl Into<String>) -> Result<T, Unproven> {
    Err(Unproven::Wrong(why.into()))
}

/// Reads the tree, for ever.
pub(crate) async fn prove(inner: Arc<Inner>) {
    let mut proving = Proving { inner, doubted: None, forgot: None, looked_back: Vec::new() };
    loop {
        tokio::time::sleep(proving.inner.options.prove_every).await;
        if proving.inner.state.connection().is_some() {
            let proofs = proving.look().await;
            proving.inner.proofs.send_if_modified(|now| {
                let changed = *now != proofs;
                *now = proofs;
                changed
            });
        }
        proving.forget().await;
    }
}

struct Proving {
    inner: Arc<Inner>,
    /// When the broker was last asked for records whose proofs stay away.
    doubted: Option<Instant>,
    forgot: Option<Instant>,
    /// What is overdue and was looked for in the whole tree.
    looked_back: Vec<u64>,
}

impl Proving {
    async fn look(&mut self) -> Proofs {
        let mut read = self.read().await;
        if read.is_ok() {
            read = self.look_back().await;
        }
        let patience = self.inner.options.proof_patience;
        let (overdue, (waiting, oldest)) = {
            let owed = self.inner.outbox.owed();
            (owed.overdue(patience), owed.waiting())
        };
        metrics::gauge!("keng_outbox_unproven_records").set(waiting as f64);
        let oldest = oldest.map_or(Duration::ZERO, |oldest| oldest.elapsed());
        metrics::gauge!("keng_outbox_unproven_oldest_seconds").set(oldest.as_secs_f64());
        match read {
            Ok(()) if overdue.is_empty() => Proofs::Current,
            Ok(()) => {
                self.doubt(&overdue).await;
                Proofs::Late(overdue.len() as u64)
            }
            Err(Unproven::Wrong(why)) => {
                tracing::error!(why, "the audit's tree is not the one that was read");
                self.doubt(&overdue).await;
                Proofs::Wrong(why)
            }
            Err(_) if overdue.is_empty() => self.inner.proofs.borrow().clone(),
            Err(why) => {
                tracing::warn!(%why, overdue = overdue.len(), "no proofs");
                Proofs::Silent(overdue.len() as u64)
            }
        }
    }

    /// Reads what the tree has grown by, and finds our own leaves there.
    async fn read(&self) -> Result<(), Unproven> {
        let Known { key, tree } = self.known().await?;
        let (size, root) = self.signed(&key).await?;
        if size < tree.size() || size == tree.size() && root != tree.root() {
            let read = tree.size();
            return wrong(format!("a tree of {size} leaves is shown, and {read} were read before"));
        }
        if size == tree.size() {
            return Ok(());
        }
        self.grow(key, tree, (size, root)).await
    }

    /// Reads the leaves from the end of `tree` up to the signed root; what is ours among them is
    /// proven.
    async fn grow(
        &self,
        key: VerifierKey,
        tree: Frontier,
        (size, root): (u64, Hash),
    ) -> Result<(), Unproven> {
        // After the checkpoint: whatever is in that tree was said before.
        let outbox = Arc::clone(&self.inner.outbox);
        let owed = spawn_blocking(move || outbox.owed_leaves()).await;
        let owed = owed.map_err(|error| Unproven::Silent(error.to_string()))??;
        let (mut grown, mut covered) = (tree, Vec::new());
        let tiles = grown.size() / WIDTH_MAX..=(size - 1) / WIDTH_MAX;
        let tiles = tiles.filter_map(|index| TileId::within(0, index, size));
        let shown = tiles.map(|tile| self.tile(&key, tile));
        let mut shown = stream::iter(shown).buffered(TILES_AT_ONCE);
        while let Some((tile, hashes)) = shown.try_next().await? {
            let known = grown.size().saturating_sub(tile.index() * WIDTH_MAX);
            for leaf in hashes.into_iter().skip(known as usize) {
                grown.push(leaf);
                covered.extend(entries_of(&owed, leaf));
            }
        }
        drop(shown);
        if grown.root() != root {
            return wrong(format!("the leaves shown up to {size} do not come to the signed root"));
        }
        metrics::counter!("keng_outbox_proven_total").increment(covered.len() as u64);
        self.inner.outbox.prove(Known { key, tree: grown }, &covered, alarm::now());
        Ok(())
    }

    /// Looks for what is overdue in the whole tree, once: what was said again, as a repeat of a
    /// signed command, may have its leaf where the tree had been read before.
    async fn look_back(&mut self) -> Result<(), Unproven> {
        let overdue = self.inner.outbox.owed().overdue(self.inner.options.proof_patience);
        self.looked_back.retain(|entry| overdue.contains(entry));
        let Some(Known { key, tree }) = self.inner.outbox.known() else { return Ok(()) };
        if tree.size() == 0 || overdue.iter().all(|entry| self.looked_back.contains(entry)) {
            return Ok(());
        }
        let signed = (tree.size(), tree.root());
        self.grow(key, Frontier::default(), signed).await?;
        self.looked_back = self.inner.outbox.owed().overdue(self.inner.options.proof_patience);
        Ok(())
    }

    /// The tree that was read, under the key that is to be believed.
    async fn known(&self) -> Result<Known, Unproven> {
        let named = &self.inner.options.audit_key;
        let known = self.inner.outbox.known();
        // Another log than before: it is read from its start.
        let known = known.filter(|known| named.as_ref().is_none_or(|key| *key == known.key));
        Ok(match (known, named) {
            (Some(known), _) => known,
            (None, Some(key)) => Known { key: key.clone(), tree: Frontier::default() },
            (None, None) => Known { key: self.meet().await?, tree: Frontier::default() },
        })
    }

    /// The key of the audit that answers first: it is believed from then on, and no other.
    async fn meet(&self) -> Result<VerifierKey, Unproven> {
        let key = self.ask("any", "key").await?;
        let key = std::str::from_utf8(&key).ok().and_then(|key| key.trim_end().parse().ok());
        let Some(key) = key else { return wrong("what the audit shows for its key is none") };
        tracing::info!(%key, "this audit's proofs are believed from now on");
        Ok(key)
    }

    /// Size and root of the newest tree that the key has signed.
    async fn signed(&self, key: &VerifierKey) -> Result<(u64, Hash), Unproven> {
        let shown = self.ask(&key.id().to_string(), "checkpoint").await?;
        let Ok(signed) = SignedCheckpoint::parse(&shown) else {
            return wrong("what the audit shows for a checkpoint is none");
        };
        let checkpoint = signed.checkpoint();
        if signed.verify([key]).is_err() || checkpoint.origin() != key.name() {
            return wrong("the checkpoint is not signed by the audit's key");
        }
        Ok((checkpoint.size(), checkpoint.root()))
    }

    async fn tile(&self, key: &VerifierKey, tile: TileId) -> Result<(TileId, Vec<Hash>), Unproven> {
        let bytes = self.ask(&key.id().to_string(), &tile.to_string()).await?;
        if bytes.len() != tile.bytes() {
            return wrong(format!("{tile} is shown with {} bytes", bytes.len()));
        }
        let (hashes, _) = bytes.as_chunks::<HASH_BYTES>();
        Ok((tile, hashes.iter().copied().map(Hash::from).collect()))
    }

    async fn ask(&self, whom: &str, what: &str) -> Result<Bytes, Unproven> {
        let silent = |why: &dyn std::fmt::Display| Unproven::Silent(format!("{what}: {why}"));
        let payload = Bytes::copy_from_slice(what.as_bytes());
        let asked = self.inner.broker.client.request(subject(whom), payload);
        let answer = tokio::time::timeout(ANSWER_MAX, asked).await.map_err(|why| silent(&why))?;
        let answer = answer.map_err(|why| silent(&why))?.payload;
        if answer.is_empty() { Err(silent(&"not there")) } else { Ok(answer) }
    }

    /// What stands in the log and is not in the tree may be lost at the broker: looks, and has the
    /// keeper compare those streams.
    async fn doubt(&mut self, overdue: &[u64]) {
        let overdue = overdue.get(..overdue.len().min(DOUBTED_MAX)).unwrap_or_default();
        let again = self.inner.options.proof_patience * DOUBT_AGAIN;
        if overdue.is_empty() || self.doubted.is_some_and(|at| at.elapsed() < again) {
            return;
        }
        self.doubted = Some(Instant::now());
        let lost: Result<_, Unread> = heal::astray(&self.inner, overdue).await;
        match lost {
            Ok(lost) if lost.is_empty() => {
                tracing::error!(records = overdue.len(), "the audit has not taken records in");
            }
            Ok(lost) => {
                tracing::error!(streams = ?lost, "proofs did not come: the broker lost records");
                self.inner.doubts.tell(lost);
            }
            Err(why) => tracing::warn!(%why, "the broker cannot be asked for what is not proven"),
        }
    }

    async fn forget(&mut self) {
        if self.forgot.is_some_and(|at| at.elapsed() < FORGET_EVERY) {
            return;
        }
        self.forgot = Some(Instant::now());
        let keep = i64::try_from(self.inner.options.keep.as_millis()).unwrap_or(i64::MAX);
        let before = alarm::now().plus_ms(keep.saturating_neg());
        let untold = self.inner.losses.borrow().front().map(|loss| loss.number);
        let forgotten = Arc::clone(&self.inner.outbox).forget(before, untold).await;
        if let Err(error) = forgotten {
            tracing::warn!(%error, "what was proven long ago stays");
        }
    }
}

/// The entries whose leaf this is; `owed` is in the order of its leaves.
fn entries_of(owed: &[([u8; 16], u64)], leaf: Hash) -> impl Iterator<Item = u64> + '_ {
    let half: [u8; 16] = leaf.as_bytes().first_chunk().copied().unwrap_or_default();
    let from = owed.partition_point(|(other, _)| *other < half);
    let same = move |(other, _): &&([u8; 16], u64)| *other == half;
    owed.iter().skip(from).take_while(same).map(|(_, entry)| *entry)
}

fn subject(whom: &str) -> String {
    format!("keng.v1.tree.{whom}")
}

/// Answers for an audit: `key` with its vkey, `checkpoint`, and `tile/…` by their C2SP paths;
/// `None` for what is not there.
pub type Show = Arc<dyn Fn(&str) -> Option<Bytes> + Send + Sync>;

/// Shows a tree to whoever asks over the broker, for ever.
pub(crate) async fn show(inner: Arc<Inner>, key: VerifierKey, show: Show) {
    loop {
        if let Err(error) = answer(&inner, &key, &show).await {
            tracing::warn!(%error, "the tree is not shown over the broker");
        }
        tokio::time::sleep(inner.options.retry_every).await;
    }
}

async fn answer(
    inner: &Inner,
    key: &VerifierKey,
    show: &Show,
) -> Result<(), async_nats::SubscribeError> {
    let client = &inner.broker.client;
    let ours = client.subscribe(subject(&key.id().to_string())).await?;
    let any = client.subscribe(subject("any")).await?;
    stream::select(ours, any)
        .for_each_concurrent(TILES_AT_ONCE, |message| async move {
            // Nothing is put anywhere but where who asks waits for it.
            let reply = message.reply.filter(|reply| reply.starts_with("_INBOX."));
            let Some(reply) = reply else { return };
            if message.payload.len() > ASKED_BYTES_MAX {
                return;
            }
            let show = Arc::clone(show);
            let shown = spawn_blocking(move || {
                std::str::from_utf8(&message.payload).ok().and_then(|what| show(what))
            });
            let shown = shown.await.ok().flatten().unwrap_or_default();
            if let Err(error) = client.publish(reply, shown).await {
                tracing::warn!(%error, "a part of the tree was not shown");
            }
        })
        .await;
    Ok(())
}
