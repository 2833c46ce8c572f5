//! Who outside this installation makes sure of the log: witnesses by a policy file (C2SP
//! tlog-policy), and an authority of time stamps (RFC 3161).

use std::{fs, io, path::Path, path::PathBuf, sync::Arc};

use merkle::{Policy, VerifierKey, policy::BadPolicy};
use reqwest::Url;

use crate::outside::Outside;

/// Whom the audit asks; nobody by default. Cloning shares it.
#[derive(Clone, Default)]
pub struct Anchors {
    /// The witnesses, and how many of them are enough.
    pub(crate) policy: Arc<Policy>,
    /// Where time stamps are made.
    pub(crate) tsa: Option<Url>,
    /// The way there, where there is anybody to ask.
    pub(crate) outside: Option<Outside>,
}

/// Why nobody can be asked. The operator must act.
#[derive(Debug, thiserror::Error)]
pub enum BadAnchors {
    /// The policy file cannot be read.
    #[error("{path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// A line of it is wrong.
    #[error("{path}: {why}")]
    Policy {
        /// The file.
        path: PathBuf,
        /// The line, and what is wrong with it.
        why: BadPolicy,
    },
    /// The address of a witness is none.
    #[error("{path}: the address of {witness} is not https://HOST or http://HOST")]
    Address {
        /// The file.
        path: PathBuf,
        /// The name of the witness's key.
        witness: String,
    },
    /// Those witnesses that have an address are no quorum.
    #[error("{path}: the witnesses that have an address are no quorum")]
    NoQuorum {
        /// The file.
        path: PathBuf,
    },
    /// The address of the authority of time stamps is none.
    #[error("the address of time stamps is not https://HOST or http://HOST")]
    Tsa,
    /// An HTTP client cannot be set up on this machine.
    #[error("the HTTP client cannot be set up: {0}")]
    NoHttp(reqwest::Error),
}

impl Anchors {
    /// Reads the policy file, and the address of an authority of time stamps. Both are the
    /// operator's own configuration: they may lead anywhere.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn read(witnesses: Option<&Path>, tsa: Option<&str>) -> Result<Self, BadAnchors> {
        if witnesses.is_none() && tsa.is_none() {
            return Ok(Self::default());
        }
        let policy = witnesses.map(policy).transpose()?.unwrap_or_default();
        let tsa = tsa.map(|tsa| url(tsa).ok_or(BadAnchors::Tsa)).transpose()?;
        let outside = Outside::new().map_err(BadAnchors::NoHttp)?;
        Ok(Self { policy: Arc::new(policy), tsa, outside: Some(outside) })
    }
}

fn policy(path: &Path) -> Result<Policy, BadAnchors> {
    let named = || path.to_owned();
    let file = fs::read(path).map_err(|cause| BadAnchors::File { path: named(), cause })?;
    let policy = Policy::parse(&file).map_err(|why| BadAnchors::Policy { path: named(), why })?;
    let mut asked: Vec<&VerifierKey> = Vec::new();
    for witness in policy.witnesses() {
        let Some(address) = &witness.url else { continue };
        if url(address).is_none() {
            let witness = witness.key.name().to_owned();
            return Err(BadAnchors::Address { path: named(), witness });
        }
        asked.push(&witness.key);
    }
    match policy.is_quorum(&asked) {
        true => Ok(policy),
        false => Err(BadAnchors::NoQuorum { path: named() }),
    }
}

/// An address without anything behind its path.
pub(crate) fn url(text: &str) -> Option<Url> {
    let url: Url = text.trim_end_matches('/').parse().ok()?;
    let leads_to_host = matches!(url.scheme(), "http" | "https") && url.has_host();
    (leads_to_host && url.query().is_none() && url.fragment().is_none()).then_some(url)
}

#[cfg(test)]
mod tests {
    use merkle::WitnessKey;

    use super::*;

    fn read(text: &str) -> Result<Anchors, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("witnesses");
        fs::write(&path, text).unwrap();
        Anchors::read(Some(&path), None).map_err(|why| {
            assert!(why.to_string().contains("/witnesses: "), "{why}");
            why.to_string()
        })
    }

    #[test]
    fn a_policy_that_cannot_come_true_is_refused() {
        let key = |seed| WitnessKey::from_seed("w.vn", &[seed; 32]).unwrap().verifier().to_string();
        let (one, two) = (key(1), key(2));
        let with = |quorum: &str, address: &str| {
            format!("witness a {one} {address}\nwitness b {two}\ngroup g {quorum} a b\nquorum g\n")
        };
        assert!(read(&with("any", "https://w.vn/tlog/")).is_ok());
        let refused = |text: String| read(&text).err().unwrap();
        assert!(refused(with("all", "https://w.vn")).contains("no quorum"));
        assert!(refused(with("any", "")).contains("no quorum"));
        for address in ["w.vn", "ftp://w.vn", "https://", "https://w.vn/?a"] {
            assert!(refused(with("any", address)).contains("the address of w.vn"), "{address}");
        }
        assert!(refused("quorum a\n".to_owned()).contains("line 1"));
        assert!(read("quorum none\n").unwrap().policy.witnesses().is_empty());
        let missing = Anchors::read(Some(Path::new("/nowhere")), None).err().unwrap();
        assert!(missing.to_string().contains("/nowhere"));
        assert!(matches!(Anchors::read(None, Some("tsa")), Err(BadAnchors::Tsa)));
        assert!(Anchors::read(None, None).unwrap().outside.is_none());
    }
}
