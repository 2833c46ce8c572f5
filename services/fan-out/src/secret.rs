//! Secrets of the operator's accounts: read from a file or the environment at start, shown
//! nowhere.

use std::{env, fmt, fs};

use serde::{Deserialize, Deserializer, de::Error};

/// The longest secret; a private key in PEM fits.
const SECRET_BYTES_MAX: usize = 16 * 1024;

/// A secret. Debug output does not show it, and nothing displays it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret from its text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the wire and nothing else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where a secret stands: `{ file = "/etc/keng/zalo-secret" }` or `{ env = "KENG_ZALO_SECRET" }`.
/// Never in the channels file itself, which is copied and shown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum Whereabouts {
    File(String),
    Env(String),
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Whereabouts::deserialize(deserializer)? {
            Whereabouts::File(path) => fs::read_to_string(&path)
                .map_err(|error| D::Error::custom(format!("{path}: {error}")))?,
            Whereabouts::Env(name) => env::var(&name).map_err(|_| {
                D::Error::custom(format!("biến {name} chưa đặt / variable {name} is not set"))
            })?,
        };
        let text = text.trim();
        if text.is_empty() || text.len() > SECRET_BYTES_MAX {
            let reason = "bí mật trống hoặc quá dài / the secret is empty or too long";
            return Err(D::Error::custom(reason));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Holder {
        secret: Secret,
    }

    fn read(text: &str) -> Result<Holder, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_secret_comes_from_a_file_or_a_variable_and_is_never_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "s3cret\n").unwrap();
        let held = read(&format!("secret = {{ file = {:?} }}", file.path())).unwrap();
        assert_eq!(held.secret.reveal(), "s3cret");
        assert!(!format!("{held:?}").contains("s3cret"));
        for wrong in [
            "secret = \"s3cret\"",
            "secret = { file = \"/nowhere/at/all\" }",
            "secret = { env = \"KENG_NO_SUCH_VARIABLE\" }",
            "secret = { text = \"s3cret\" }",
        ] {
            assert!(!read(wrong).unwrap_err().contains("s3cret, expected"), "{wrong}");
        }
    }
}
