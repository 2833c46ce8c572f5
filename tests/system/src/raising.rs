//! Officers who raise one alert after another while something is killed under their hands.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Result, bail, ensure};
use serde_json::Value;
use support::{Client, eventually};
use tokio::sync::watch;

use crate::people::lost_child;

/// An alert that an officer has tried to raise.
#[derive(Debug, Clone)]
pub struct Tried {
    /// The idempotency key.
    pub key: String,
    /// The request.
    pub body: Value,
    /// The alert's id, once it was accepted.
    pub accepted: Option<String>,
}

/// How a raise ended that was answered as the interface says, or not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// 201 or 202.
    Accepted,
    /// 503: the server says that it is not stored.
    NotStored,
    /// No answer: nobody knows.
    Cut,
}

impl Tried {
    /// Raises it, or repeats it: the same bytes under the same key.
    ///
    /// # Errors
    /// The answer is none of those to a raise, or names another alert than before.
    pub async fn raise(&mut self, client: &Client) -> Result<Ended> {
        let Ok(answer) = client.raise(&self.body, &self.key).await else {
            return Ok(Ended::Cut);
        };
        match answer.status {
            201 | 202 => {}
            503 => return Ok(Ended::NotStored),
            _ => bail!("a raise was answered with {} {}", answer.status, answer.text),
        }
        let id = answer.text_at("/id").to_owned();
        ensure!(!id.is_empty(), "an accepted alert without id: {}", answer.text);
        let before = self.accepted.replace(id.clone());
        ensure!(before.as_ref().is_none_or(|before| *before == id), "{before:?} became {id}");
        Ok(Ended::Accepted)
    }

    /// Repeats it until it is accepted. `client` says where the server is, which may have moved.
    ///
    /// # Errors
    /// It was not accepted within the time, or the answer is none of those to a raise.
    pub async fn insist(&mut self, client: impl Fn() -> Client, within: Duration) -> Result<()> {
        let ended = eventually(within, async || match self.raise(&client()).await {
            Ok(Ended::Accepted) => Ok(Ok(())),
            Ok(ended) => bail!("{}: {ended:?}", self.key),
            // To be told at once, and not tried again.
            Err(wrong) => Ok(Err(wrong)),
        });
        ended.await?
    }
}

/// `count` alerts that nobody has raised yet; `what` makes their keys others than those before.
#[must_use]
pub fn planned(what: &str, count: usize) -> Vec<Tried> {
    let one = |n| {
        let key = format!("{what}-{n}");
        Tried { body: lost_child(&key), key, accepted: None }
    };
    (0..count).map(one).collect()
}

/// Raises one after another until one is not accepted, or all are raised; `progress` counts those
/// that are accepted. Returns those that were tried; the last may be in the log or not.
///
/// # Errors
/// An answer is none of those to a raise.
pub async fn raise_until_cut(
    client: &Client,
    planned: Vec<Tried>,
    progress: &watch::Sender<usize>,
) -> Result<Vec<Tried>> {
    let mut tried = Vec::new();
    for mut one in planned {
        let ended = one.raise(client).await?;
        tried.push(one);
        if ended != Ended::Accepted {
            break;
        }
        progress.send_modify(|count| *count += 1);
    }
    Ok(tried)
}

/// The ids of those that were accepted.
#[must_use]
pub fn accepted(tried: &[Tried]) -> BTreeSet<String> {
    tried.iter().filter_map(|one| one.accepted.clone()).collect()
}
