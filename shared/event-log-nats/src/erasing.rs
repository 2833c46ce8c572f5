//! Erasing: this process' outbox and memory first, then the stream of sealed parts, whose messages
//! are written over (JetStream's secure erase) before their subject is purged.

use std::{sync::Arc, time::Duration};

use domain::ids::{AlertId, EntityName};
use event_log::{
    EraseError,
    erasing::{alerts_of, orders_erasure},
    record::Class,
};
use tokio::time::timeout;

use crate::{
    log::Inner,
    read::Unread,
    subject::{self, Stream},
};

/// One entity's parts are destroyed within this, or it is tried again.
const ENTITY_MAX: Duration = Duration::from_secs(30);

impl Inner {
    /// See `EventLog::erase`.
    pub(crate) async fn erase(
        &self,
        alert: AlertId,
        entities: &[EntityName],
    ) -> Result<u64, EraseError> {
        let own = Arc::clone(&self.outbox).erase(alert).await.map_err(unavailable)?;
        self.held.erase(alert);
        self.sealed.forget();
        if entities.is_empty() {
            return Ok(own);
        }
        if self.state.connection().is_none() {
            return Err(unavailable("the broker is away"));
        }
        let mut destroyed = 0;
        for entity in entities {
            let subject = subject::anywhere(Stream::Sealed, entity);
            let destroying = self.broker.destroy_all(Stream::Sealed, &subject);
            let done = timeout(ENTITY_MAX, destroying).await.map_err(unavailable)?;
            destroyed += done.map_err(unavailable)?;
        }
        // What was read meanwhile.
        self.sealed.forget();
        Ok(destroyed)
    }

    /// Whether the sealed parts of an entity were destroyed by right: as this process has learned,
    /// or as the log says.
    pub(crate) async fn is_erased(&self, entity: &EntityName) -> Result<bool, Unread> {
        if self.outbox.is_erased(entity) {
            return Ok(true);
        }
        let stream = Stream::Of(Class::Alert);
        for alert in alerts_of(entity) {
            let subject = subject::anywhere(stream, &EntityName::erasure(alert));
            let commits = self.broker.history(stream, &subject).await?;
            let mut commits = commits.iter().filter_map(|raw| raw.recorded(Class::Alert));
            if commits.any(|commit| orders_erasure(&commit)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn unavailable(why: impl std::fmt::Display) -> EraseError {
    EraseError::Unavailable(why.to_string())
}
