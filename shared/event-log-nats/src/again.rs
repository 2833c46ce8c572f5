//! What was erased and stands at the broker again: whoever puts back an older copy of the stream of
//! sealed parts brings back what was destroyed there, and no broker says so. It is destroyed anew.
//!
//! Looked for on each connection, and when more is known to be erased, when the stream was made
//! anew, or when it lacks less than before: then its subjects are listed, once.

use std::time::{Duration, SystemTime};

use async_nats::jetstream::stream::Info;
use domain::ids::EntityName;
use futures::TryStreamExt;
use tokio::time::timeout;

use crate::{log::Inner, read::Unread, subject::Stream};

/// A listing of all subjects, or the destruction of one's parts, takes so long, or is tried again.
const STEP_MAX: Duration = Duration::from_secs(30);

/// How things stood when it was looked last.
#[derive(Debug, Default)]
pub(crate) struct Again(Option<Looked>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Looked {
    connection: u64,
    /// Of how many alerts this process knows that they were erased.
    erased: usize,
    created: SystemTime,
    /// How many messages the stream had once, and has no more.
    gone: u64,
}

impl Looked {
    fn at(inner: &Inner, connection: u64, sealed: &Info) -> Self {
        let state = &sealed.state;
        Self {
            connection,
            erased: inner.outbox.erased(),
            created: sealed.created.into(),
            gone: state.last_sequence.saturating_sub(state.messages),
        }
    }

    /// Whether nothing can have come back since then.
    fn follows(self, before: Self) -> bool {
        self.gone >= before.gone && Self { gone: before.gone, ..self } == before
    }
}

impl Again {
    /// Destroys what stands in the stream again, where something may.
    pub(crate) async fn attend(&mut self, inner: &Inner, connection: u64, sealed: &Info) {
        let now = Looked::at(inner, connection, sealed);
        if now.erased == 0 || self.0.is_some_and(|before| now.follows(before)) {
            self.0 = Some(now);
            return;
        }
        match destroy(inner).await {
            Ok(0) => self.0 = Some(now),
            Ok(parts) => {
                self.0 = Some(now);
                metrics::counter!("keng_erased_again_total").increment(parts);
                tracing::error!(parts, "what was erased stood at the broker again: destroyed anew");
            }
            Err(error) => {
                tracing::warn!(%error, "whether what was erased came back is looked for again");
            }
        }
    }
}

/// Destroys the parts of every subject whose alert was erased. How many there were.
async fn destroy(inner: &Inner) -> Result<u64, Unread> {
    let listing = timeout(STEP_MAX, back(inner));
    let mut destroyed = 0;
    for subject in listing.await.map_err(Unread::because)?? {
        let destroying = timeout(STEP_MAX, inner.broker.destroy_all(Stream::Sealed, &subject));
        destroyed += destroying.await.map_err(Unread::because)?.map_err(Unread)?;
    }
    // What was read meanwhile.
    inner.sealed.forget();
    Ok(destroyed)
}

/// The subjects that should have nothing any more.
async fn back(inner: &Inner) -> Result<Vec<String>, Unread> {
    let stream = inner.broker.context.get_stream_no_info(Stream::Sealed.name()).await;
    let stream = stream.map_err(Unread::because)?;
    let listed = stream.info_with_subjects(Stream::Sealed.subjects()).await;
    let mut subjects = listed.map_err(Unread::because)?;
    let mut back = Vec::new();
    while let Some((subject, _)) = subjects.try_next().await.map_err(Unread::because)? {
        let entity: Option<EntityName> =
            subject.rsplit('.').next().and_then(|entity| entity.parse().ok());
        if entity.is_some_and(|entity| inner.outbox.is_erased(&entity)) {
            back.push(subject);
        }
    }
    Ok(back)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_grows_and_what_is_destroyed_is_nothing_new() {
        let before = Looked { connection: 1, erased: 2, created: SystemTime::UNIX_EPOCH, gone: 5 };
        assert!(before.follows(before) && Looked { gone: 6, ..before }.follows(before));
        for other in [
            Looked { gone: 4, ..before },
            Looked { connection: 2, ..before },
            Looked { erased: 3, ..before },
            Looked { created: SystemTime::UNIX_EPOCH + STEP_MAX, ..before },
        ] {
            assert!(!other.follows(before), "{other:?}");
        }
    }
}
