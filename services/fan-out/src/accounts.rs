//! The operator's accounts with providers: the channels file, and the channels that it opens.
//!
//! TOML, one table an account; secrets stand elsewhere (`secret`). An account may serve several
//! types of channel. What is wrong is said with account and field, before any port is bound.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use domain::channel::ChannelType;
use tokio::sync::mpsc;
use toml::Table;

use crate::channels::{
    Channel, Inbound,
    address::Guard,
    email,
    http::{Http, NoHttp},
    mqtt,
    poster::Poster,
    sms::{esms, speedsms},
    telegram, web_push,
    webhook::{Webhook, WebhookOptions},
    zalo, zalo_bot,
};

/// The account of channels that need none.
pub const NO_ACCOUNT: &str = "";

/// Why the accounts are not used. The operator must act.
#[derive(Debug, thiserror::Error)]
pub enum BadAccounts {
    /// The channels file cannot be read.
    #[error("{path}: không đọc được / cannot be read: {cause}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{path}: [{account}]: {why}")]
    Wrong {
        /// The file.
        path: String,
        /// The account; empty where the file as a whole is no TOML.
        account: String,
        /// Why, with the field where one is at fault.
        why: String,
    },
    /// No HTTP client on this machine.
    #[error(transparent)]
    NoHttp(#[from] NoHttp),
}

/// What an account may need to open.
pub struct Tools {
    /// Calls to providers.
    pub http: Http,
    /// Where a webhook or a push subscription may lead.
    pub guard: Guard,
    /// A folder of this process for what an account must remember, as rotating tokens.
    pub folder: PathBuf,
    /// Where people reach intake from outside, without a slash at the end.
    pub public_url: String,
    /// Where an account hands over what comes in by a connection of its own, and by no call: its
    /// name, and what was said. Bounded, and waited for: an account holds its provider back, so
    /// that nothing is dropped and nothing grows.
    pub receipts: mpsc::Sender<(Arc<str>, Inbound)>,
}

/// How an account is set, whatever its type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terms {
    /// Messages a minute, where the operator has set it.
    pub per_minute: Option<u32>,
}

/// One channel, and the account that it works by.
#[derive(Clone)]
pub struct Way {
    /// The channel.
    pub channel: Arc<dyn Channel>,
    /// The account's name; [`NO_ACCOUNT`] for webhooks.
    pub account: Arc<str>,
    /// Of a poster: by what the poster gets the task.
    pub via: Option<ChannelType>,
    /// How the account is set.
    pub terms: Terms,
}

impl Way {
    /// What it is found by.
    pub(crate) fn means(&self) -> Means {
        (Arc::clone(&self.account), self.channel.caps().channel_type, self.via)
    }
}

/// All ways out of this process.
#[derive(Clone, Default)]
pub struct Accounts {
    ways: HashMap<Means, Way>,
}

/// An account, a type of channel, and for posters by what they get the task.
pub(crate) type Means = (Arc<str>, ChannelType, Option<ChannelType>);

/// Opens an account of one type from the rest of its table.
type Open = fn(&str, Table, &Tools) -> Result<Vec<Arc<dyn Channel>>, String>;

/// Which type of account is opened how, one line each.
fn opener(account_type: &str) -> Option<Open> {
    match account_type {
        "telegram" => Some(telegram::open),
        "zalo-bot" => Some(zalo_bot::open),
        "smtp" => Some(email::open),
        "esms" => Some(esms::open),
        "speedsms" => Some(speedsms::open),
        "web-push" => Some(web_push::open),
        "zalo" => Some(zalo::open),
        "mqtt" => Some(mqtt::open),
        _ => None,
    }
}

/// The words of [`opener`], for whoever mistyped one.
const TYPES: &str = "esms, mqtt, smtp, speedsms, telegram, web-push, zalo, zalo-bot";

impl Accounts {
    /// Webhooks, which need no account, and what the channels file opens.
    ///
    /// # Errors
    /// [`BadAccounts`]: the file or the machine is wrong.
    pub fn open(
        file: Option<&Path>,
        webhooks: &WebhookOptions,
        tools: &Tools,
    ) -> Result<Self, BadAccounts> {
        let mut accounts = Self::default();
        let webhook: Arc<dyn Channel> = Arc::new(Webhook::new(webhooks)?);
        accounts.add(NO_ACCOUNT, webhook, Terms::default());
        let Some(path) = file else { return Ok(accounts) };
        let name = path.display().to_string();
        let wrong = |account: &str, why: String| BadAccounts::Wrong {
            path: name.clone(),
            account: account.to_owned(),
            why,
        };
        let text = fs::read_to_string(path)
            .map_err(|cause| BadAccounts::Unreadable { path: name.clone(), cause })?;
        let tables: BTreeMap<String, Table> =
            toml::from_str(&text).map_err(|error| wrong("", error.message().to_owned()))?;
        for (account, table) in tables {
            let (channels, terms) =
                open_one(&account, table, tools).map_err(|why| wrong(&account, why))?;
            for channel in channels {
                accounts.add(&account, channel, terms);
            }
        }
        Ok(accounts)
    }

    /// Adds a channel under an account, and where a person reads it, the poster's task over it.
    pub fn add(&mut self, account: &str, channel: Arc<dyn Channel>, terms: Terms) {
        let account: Arc<str> = account.into();
        if let Some(poster) = Poster::over(&channel) {
            let via = Some(channel.caps().channel_type);
            self.put(Way { channel: Arc::new(poster), account: Arc::clone(&account), via, terms });
        }
        self.put(Way { channel, account, via: None, terms });
    }

    fn put(&mut self, way: Way) {
        self.ways.insert(way.means(), way);
    }

    /// The way of this account for this type of channel.
    #[must_use]
    pub fn way(&self, account: &str, channel_type: ChannelType) -> Option<&Way> {
        self.ways.get(&(Arc::from(account), channel_type, None))
    }

    /// All ways, in no order.
    pub fn ways(&self) -> impl Iterator<Item = &Way> {
        self.ways.values()
    }
}

fn open_one(
    account: &str,
    mut table: Table,
    tools: &Tools,
) -> Result<(Vec<Arc<dyn Channel>>, Terms), String> {
    let given = table.remove("type").ok_or("type: thiếu / missing")?;
    let word = given.as_str().unwrap_or_default();
    let open = opener(word)
        .ok_or_else(|| format!("type: phải là một trong: {TYPES} / is none of {TYPES}"))?;
    let per_minute = table.remove("per-minute").map(|given| {
        let given = given.as_integer().and_then(|given| u32::try_from(given).ok());
        given.filter(|given| *given > 0).ok_or("per-minute: phải từ 1 / must be at least 1")
    });
    let terms = Terms { per_minute: per_minute.transpose()? };
    Ok((open(account, table, tools)?, terms))
}

/// Reads the fields of an account of one type; an unknown field is an error.
///
/// # Errors
/// What is wrong, with the field's name, and never its value: it may be a secret.
pub fn fields<T: serde::de::DeserializeOwned>(table: Table) -> Result<T, String> {
    serde_path_to_error::deserialize(toml::Value::Table(table)).map_err(|error| {
        let path = error.path().to_string();
        let inner: toml::de::Error = error.into_inner();
        format!("{path}: {}", without_value(inner.message()))
    })
}

/// Serde repeats what it did not expect: a secret that was written where its place should stand.
fn without_value(message: &str) -> String {
    let beginnings = ["invalid type", "invalid value", "unknown variant"];
    let beginning = beginnings.into_iter().find(|beginning| message.starts_with(beginning));
    match (beginning, message.rfind(", expected ").and_then(|at| message.get(at..))) {
        (Some(beginning), Some(expected)) => format!("{beginning}{expected}"),
        (Some(beginning), None) => beginning.to_owned(),
        (None, _) => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::secret::Secret;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        _secret: Secret,
        _pair: Option<Vec<Secret>>,
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_not_repeated() {
        for (text, told) in [
            ("_secret = \"s3cret\"", "_secret: unknown variant, expected `file` or `env`"),
            ("_secret = { env = [\"s3cret\"] }", "_secret.env: invalid type, expected a string"),
            ("_pair = \"s3cret\"", "_pair: invalid type, expected a sequence"),
            ("_sekret = \"s3cret\"", "_sekret: unknown field `_sekret`, expected "),
        ] {
            let why = fields::<Settings>(text.parse().unwrap()).err().unwrap();
            assert!(why.starts_with(told) && !why.contains("s3cret"), "{why}");
        }
    }
}
