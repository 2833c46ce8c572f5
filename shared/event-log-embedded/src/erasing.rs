//! Erasing: sealed parts are written over in their journal, and the tail forgets them.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use domain::ids::AlertId;
use event_log::EraseError;
use tokio::task::spawn_blocking;

use crate::{entry::without_part, store::Store};

impl Store {
    /// See `EventLog::erase`.
    pub(crate) async fn erase(self: Arc<Self>, alert: AlertId) -> Result<u64, EraseError> {
        let entries = {
            let mut state = self.lock();
            let entries = state.parts.erase(alert);
            state.tail.erase(alert);
            entries
        };
        let Some(last) = entries.iter().max() else { return Ok(0) };
        self.sealed.release();
        self.sealed.durable(*last).await.map_err(unavailable)?;
        let store = Arc::clone(&self);
        let destroying = spawn_blocking(move || store.destroy(&entries).map(|()| entries));
        let entries = destroying.await.map_err(unavailable)??;
        self.lock().parts.gone(alert, &entries);
        Ok(entries.len() as u64)
    }

    fn destroy(&self, entries: &[u64]) -> Result<(), EraseError> {
        let mut destroyed: BTreeMap<u64, Bytes> = BTreeMap::new();
        for entry in entries {
            let was = self.sealed.read(*entry).map_err(unavailable)?;
            destroyed.insert(*entry, without_part(was).map_err(unavailable)?);
        }
        self.sealed.replace(&destroyed).map_err(unavailable)
    }
}

fn unavailable(why: impl std::fmt::Display) -> EraseError {
    EraseError::Unavailable(why.to_string())
}
