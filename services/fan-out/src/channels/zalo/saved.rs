//! The pair of tokens on disk: whole or not at all, with a mark that a renewal has begun.
//!
//! The folder is one process's own: two processes with one account would take each other's tokens
//! away. Nothing of a pair is shown.

use std::{io, path::PathBuf};

use chassis::durable_file;
use domain::{hex::hex, ids::Millis};
use ring::digest;
use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// An access token and the refresh token that came with it.
#[derive(Clone)]
pub(super) struct Pair {
    pub(super) access: Secret,
    /// Works once.
    pub(super) refresh: Secret,
    /// Since when they are known; `None` where nobody has looked at a clock yet.
    pub(super) at: Option<Millis>,
    /// How long the access token lives, in seconds.
    pub(super) life_s: u32,
}

/// Where the pair of one account is kept.
pub(super) struct Store {
    folder: PathBuf,
    name: String,
    /// The digest of the pair that the operator gave, from which the saved one descends: another
    /// one there means that the operator has given another pair, which then counts.
    given: String,
}

/// What was found at the start.
pub(super) struct Found {
    pub(super) pair: Pair,
    /// A renewal had begun, and nobody knows how it ended.
    pub(super) in_doubt: bool,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    given: String,
    access: String,
    refresh: String,
    at_ms: Option<i64>,
    life_s: u32,
    renewing: bool,
}

/// Why there is no pair to begin with. The operator must act.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoPair {
    #[error("tokens: chưa có cặp token nào / no pair of tokens is given or saved")]
    NotGiven,
    #[error("{0}: không đọc được / cannot be read: {1}")]
    Unreadable(String, io::Error),
}

impl Store {
    /// Opens the pair of an account: the saved one where it descends from the one that is given,
    /// else the given one. A write that was cut off when it was already whole is finished.
    ///
    /// The name is one of a file: letters, digits, `-` and `_`.
    pub(super) fn open(
        folder: PathBuf,
        account: &str,
        given: Option<Pair>,
    ) -> Result<(Self, Found), NoPair> {
        let name = format!("zalo-{account}.json");
        let path = folder.join(&name).display().to_string();
        let unreadable = |cause| NoPair::Unreadable(path.clone(), cause);
        let begun = durable_file::begun(&folder, &name).map_err(unreadable)?;
        if begun.is_some_and(|text| serde_json::from_str::<Saved>(&text).is_ok()) {
            durable_file::finish(&folder, &name).map_err(unreadable)?;
        }
        let saved = match durable_file::read(&folder.join(&name)).map_err(unreadable)? {
            // The cause would repeat the text.
            Some(text) => Some(serde_json::from_str::<Saved>(&text).map_err(|_| {
                unreadable(io::Error::new(io::ErrorKind::InvalidData, "không phải JSON / no JSON"))
            })?),
            None => None,
        };
        match (saved, given) {
            (Some(saved), given) if given.as_ref().is_none_or(|g| digest(g) == saved.given) => {
                let pair = Pair {
                    access: Secret::new(saved.access),
                    refresh: Secret::new(saved.refresh),
                    at: saved.at_ms.map(Millis),
                    life_s: saved.life_s,
                };
                let found = Found { pair, in_doubt: saved.renewing };
                Ok((Self { folder, name, given: saved.given }, found))
            }
            (_, Some(pair)) => {
                let store = Self { folder, name, given: digest(&pair) };
                Ok((store, Found { pair, in_doubt: false }))
            }
            (_, None) => Err(NoPair::NotGiven),
        }
    }

    /// Keeps a pair; it is durable when this returns. Blocks.
    ///
    /// # Errors
    /// It may be kept or not.
    pub(super) fn keep(&self, pair: &Pair, renewing: bool) -> io::Result<()> {
        let saved = Saved {
            given: self.given.clone(),
            access: pair.access.reveal().to_owned(),
            refresh: pair.refresh.reveal().to_owned(),
            at_ms: pair.at.map(|at| at.0),
            life_s: pair.life_s,
            renewing,
        };
        let text = serde_json::to_string(&saved).map_err(io::Error::other)?;
        durable_file::write(&self.folder, &self.name, &text)
    }
}

fn digest(pair: &Pair) -> String {
    let text = [pair.access.reveal(), pair.refresh.reveal()].join("\n");
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}
