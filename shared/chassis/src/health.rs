//! Whether the process can do its work: named conditions, and banners that must not be overlooked.
//!
//! `/healthz` says that the process lives, `/readyz` that every condition holds. No personal data
//! in names, reasons or banners: everybody may read them.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use tokio::sync::watch;

/// The words in a banner that says that the broker was accepted without being verified.
pub const UNVERIFIED_BROKER: &str = "unverified broker";

/// The health of a process. Cloning gives the same one.
#[derive(Debug, Clone)]
pub struct Health(Arc<watch::Sender<State>>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct State {
    conditions: BTreeMap<&'static str, Result<(), String>>,
    banners: BTreeMap<&'static str, String>,
}

/// What `/readyz` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// Every condition holds.
    pub ready: bool,
    /// The conditions, by name.
    pub conditions: Vec<Condition>,
    /// What people must know while the process works: Vietnamese first, English second.
    pub banners: Vec<String>,
}

/// A condition of readiness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// The name.
    pub name: &'static str,
    /// Whether it holds.
    pub ok: bool,
    /// Why it does not; empty where it does.
    pub why: String,
}

impl Health {
    /// The conditions named do not hold until somebody says that they do.
    #[must_use]
    pub fn new(conditions: &[&'static str]) -> Self {
        let unknown = |name: &&'static str| (*name, Err("chưa rõ / not yet known".to_owned()));
        let conditions = conditions.iter().map(unknown).collect();
        Self(Arc::new(watch::Sender::new(State { conditions, banners: BTreeMap::new() })))
    }

    /// Says whether a condition holds, or why not.
    pub fn set(&self, name: &'static str, holds: Result<(), String>) {
        self.0.send_if_modified(|state| {
            let new = Some(&holds) != state.conditions.get(name);
            if new {
                match &holds {
                    Ok(()) => tracing::info!(condition = name, "condition holds"),
                    Err(why) => tracing::warn!(condition = name, why, "condition does not hold"),
                }
                state.conditions.insert(name, holds);
            }
            new
        });
    }

    /// Shows a banner under a name of its own, or takes it away.
    pub fn banner(&self, name: &'static str, text: Option<String>) {
        self.0.send_if_modified(|state| {
            let before = match text {
                Some(text) => state.banners.insert(name, text.clone()).filter(|old| *old == text),
                None => return state.banners.remove(name).is_some(),
            };
            before.is_none()
        });
    }

    /// How it stands now.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        self.0.borrow().readiness()
    }

    /// The banners, for the answers that must carry them.
    #[must_use]
    pub fn banners(&self) -> Vec<String> {
        self.0.borrow().banners.values().cloned().collect()
    }

    /// Follows changes of conditions and banners.
    #[must_use]
    pub fn subscribe(&self) -> Changes {
        Changes(self.0.subscribe())
    }

    /// Waits until every condition holds.
    pub async fn ready(&self) {
        // The sender lives as long as `self`, so that the wait cannot end early.
        let _ = self.0.subscribe().wait_for(State::is_ready).await;
    }
}

/// Follows changes of a [`Health`].
#[derive(Debug)]
pub struct Changes(watch::Receiver<State>);

impl Changes {
    /// Waits for a change; for ever where there can be none any more.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl State {
    fn is_ready(&self) -> bool {
        self.conditions.values().all(Result::is_ok)
    }

    fn readiness(&self) -> Readiness {
        let conditions = self.conditions.iter().map(|(name, holds)| Condition {
            name,
            ok: holds.is_ok(),
            why: holds.clone().err().unwrap_or_default(),
        });
        Readiness {
            ready: self.is_ready(),
            conditions: conditions.collect(),
            banners: self.banners.values().cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ready_means_every_condition() {
        let health = Health::new(&["log", "disk"]);
        assert!(!health.readiness().ready);
        health.set("log", Ok(()));
        let waiting = tokio::spawn({
            let health = health.clone();
            async move { health.ready().await }
        });
        health.set("disk", Ok(()));
        waiting.await.unwrap();
        assert!(health.readiness().ready);
        health.set("broker", Err("away".to_owned()));
        let readiness = health.readiness();
        assert!(!readiness.ready);
        let broken: Vec<_> = readiness.conditions.iter().filter(|found| !found.ok).collect();
        assert_eq!((broken[0].name, broken[0].why.as_str(), broken.len()), ("broker", "away", 1));
    }

    #[test]
    fn banners_come_and_go() {
        let health = Health::new(&[]);
        assert!(health.readiness().ready);
        health.banner("unverified-broker", Some("cẩn thận / careful".to_owned()));
        assert_eq!(health.banners(), ["cẩn thận / careful"]);
        assert!(health.readiness().ready);
        health.banner("unverified-broker", None);
        assert!(health.readiness().banners.is_empty());
    }
}
