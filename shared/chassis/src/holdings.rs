//! Who holds what folded in this process, for whoever compares it with the log.
//!
//! Each service tells what it has in memory: on which it decides, from which it sends and shows.

use std::sync::{Arc, Mutex, PoisonError};

use event_log::Held;

/// Tells what it holds now.
type Tells = Arc<dyn Fn() -> Vec<Held> + Send + Sync>;

/// Everybody who holds something. Cloning shares it.
#[derive(Clone, Default)]
pub struct Holdings(Arc<Mutex<Vec<(&'static str, Tells)>>>);

impl Holdings {
    /// Somebody holds what `tells` tells, by a name that people read. It keeps nobody alive who has
    /// this host: that would be a circle.
    pub fn add(&self, name: &'static str, tells: impl Fn() -> Vec<Held> + Send + Sync + 'static) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((name, Arc::new(tells)));
    }

    /// What everybody holds now.
    #[must_use]
    pub fn now(&self) -> Vec<(&'static str, Vec<Held>)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.into_iter().map(|(name, tells)| (name, tells())).collect()
    }
}
