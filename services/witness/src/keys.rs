//! Keys: the witness's own, made once, and those of the logs that it knows.

use std::path::Path;

use chassis::durable_file;
use merkle::{
    VerifierKey, WitnessKey,
    key::{BadKey, KeyType},
};

use crate::OpenError;

const KEY: &str = "key";

/// A text is no key of a log, or is one that stands there already. The operator must act.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongLog {
    /// Not the vkey of a log.
    #[error("{text}: {why}")]
    NotAKey {
        /// The text.
        text: String,
        /// Why.
        why: BadKey,
    },
    /// One key, twice.
    #[error("{0}: the key stands there twice")]
    Twice(String),
    /// None at all.
    #[error("a witness of no log")]
    None,
}

/// Reads the vkeys of logs. Several keys of one name are one log, as while its key is changed.
///
/// # Errors
/// One of them is none, or there is none.
pub fn log_keys(texts: &[String]) -> Result<Vec<VerifierKey>, WrongLog> {
    let mut keys: Vec<VerifierKey> = Vec::with_capacity(texts.len());
    for text in texts {
        let wrong = |why| WrongLog::NotAKey { text: text.clone(), why };
        let key: VerifierKey = text.parse().map_err(wrong)?;
        if key.key_type() != KeyType::Note {
            return Err(wrong(BadKey::Type(key.key_type() as u8)));
        }
        if keys.iter().any(|other| other.public() == key.public()) {
            return Err(WrongLog::Twice(text.clone()));
        }
        keys.push(key);
    }
    if keys.is_empty() { Err(WrongLog::None) } else { Ok(keys) }
}

/// The witness's own key; made where there is none (mode 0600).
pub(crate) fn own(dir: &Path, name: &str) -> Result<WitnessKey, OpenError> {
    let path = dir.join(KEY);
    let file = |cause| OpenError::File { path: path.clone(), cause };
    if let Some(text) = durable_file::read(&path).map_err(file)? {
        let key = WitnessKey::from_secret_text(text.trim_end())?;
        let found = key.verifier().name();
        if found != name {
            return Err(OpenError::OtherName { found: found.to_owned(), asked: name.to_owned() });
        }
        return Ok(key);
    }
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|why| file(why.into()))?;
    let key = WitnessKey::from_seed(name, &seed)?;
    durable_file::write(dir, KEY, format!("{}\n", key.secret_text())).map_err(file)?;
    Ok(key)
}
