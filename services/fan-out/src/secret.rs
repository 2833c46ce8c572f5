//! Secrets of the operator's accounts: read from a file or the environment at start, shown
//! nowhere.

use std::{env, fmt, fs, path::Path};

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

/// Where a secret stands: `{ file = "/etc/keng/zalo-secret" }` or `{ env = "ZALO_APP_SECRET" }`.
/// Never in the channels file itself, which is copied and shown. A variable's name must not begin
/// with `KENG_`: a server does not start with one of these that it does not know.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum Whereabouts {
    File(String),
    Env(String),
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Whereabouts::deserialize(deserializer)? {
            Whereabouts::File(path) => fs::read_to_string(&path).map_err(|error| {
                D::Error::custom(format!("{}{error}", shown_path(path.as_ref())))
            })?,
            Whereabouts::Env(name) => env::var(&name).map_err(|_| {
                let name = shown_variable(&name);
                D::Error::custom(format!("biến{name} chưa đặt / variable{name} is not set"))
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

/// A path for an error, with a colon behind it; nothing where it does not look like one: it may be
/// the secret itself, written where its place should stand.
pub(crate) fn shown_path(path: &Path) -> String {
    let text = path.to_str().unwrap_or_default();
    let is_path = ["/", "./", "../"].iter().any(|beginning| text.starts_with(beginning));
    if is_path { format!("{text}: ") } else { String::new() }
}

/// A variable's name for an error, with a blank before it; nothing where it may be the secret: keys
/// are in capitals too, but none has a `_` between its words.
fn shown_variable(name: &str) -> String {
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let is_name = name.contains('_')
        && name.bytes().all(fits)
        && name.starts_with(|first: char| first.is_ascii_uppercase());
    if is_name { format!(" {name}") } else { String::new() }
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
            "secret = { env = \"NO_SUCH_VARIABLE\" }",
            "secret = { text = \"s3cret\" }",
        ] {
            assert!(!read(wrong).unwrap_err().contains("s3cret, expected"), "{wrong}");
        }
    }

    #[test]
    fn a_place_is_named_and_what_may_be_the_secret_is_not() {
        for (wrong, told) in [
            ("file = \"/nowhere/at/all\"", "/nowhere/at/all: No such file"),
            ("file = \"./nowhere\"", "./nowhere: No such file"),
            ("file = \"s3cret/s3cret==\"", "No such file"),
            ("env = \"NO_SUCH_VARIABLE\"", "variable NO_SUCH_VARIABLE is not set"),
            ("env = \"s3cret\"", "variable is not set"),
            ("env = \"AB12CD34\"", "variable is not set"),
            ("env = \"12_AB\"", "variable is not set"),
            ("env = \"\"", "variable is not set"),
        ] {
            let table: toml::Table = format!("secret = {{ {wrong} }}").parse().unwrap();
            let why = crate::accounts::fields::<Holder>(table).unwrap_err();
            assert!(why.starts_with("secret: ") && why.contains(told), "{wrong}: {why}");
            assert!(!["s3cret", "AB12", "12_AB"].iter().any(|one| why.contains(one)), "{why}");
        }
    }
}
