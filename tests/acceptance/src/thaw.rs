//! Freezes as the log has them: when time ends one, that is recorded, and a timeline waits for it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use domain::{
    decider::Decider,
    freeze::Freeze,
    ids::{EntityName, Millis},
};
use tokio::time::timeout;
use wire::{Spoken, v1::event::Event};

use crate::timeline::{Timeline, WITHIN};

/// Every freeze, folded.
#[derive(Default)]
pub struct Thaws(BTreeMap<EntityName, Freeze>);

impl Thaws {
    /// Takes an event of an entity in; answers whether it is a freeze's.
    ///
    /// # Errors
    /// It is, and says nothing that a freeze knows.
    pub fn heard(&mut self, entity: &EntityName, event: &Event) -> Result<bool> {
        if !entity.as_str().starts_with("freeze-") {
            return Ok(false);
        }
        let before = self.0.remove(entity).unwrap_or_default();
        self.0.insert(entity.clone(), before.evolve(&Freeze::recall(event)?));
        Ok(true)
    }

    /// What ends when.
    pub fn due(&self) -> impl Iterator<Item = (&EntityName, Millis)> {
        self.0.iter().filter_map(|(entity, freeze)| Some((entity, freeze.ends_at()?)))
    }
}

impl Timeline {
    /// The banners of `/readyz`.
    #[must_use]
    pub fn banners(&self) -> Vec<String> {
        self.host.health.banners()
    }

    /// Waits until the banners of `/readyz` are so many; read models follow within a moment.
    ///
    /// # Errors
    /// They are not.
    pub async fn expect_banners(&self, count: usize) -> Result<()> {
        let mut changes = self.host.health.subscribe();
        let so = async {
            while self.banners().len() != count {
                changes.changed().await;
            }
        };
        timeout(WITHIN, so).await.with_context(|| format!("{:?}", self.banners()))
    }
}
