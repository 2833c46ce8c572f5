//! The operator's accounts with providers: the channels file, and the channels that it opens.
//!
//! TOML, one table an account; secrets stand elsewhere (`secret`). An account may serve several
//! types of channel; webhooks need none, and a table of theirs only sets their terms. What is wrong
//! is said with account and field, before any port is bound.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use domain::channel::ChannelType;
use toml::Table;

use crate::channels::{
    Channel,
    address::Guard,
    email,
    http::{Http, NoHttp},
    sms::{esms, speedsms},
    telegram,
    webhook::{Webhook, WebhookOptions},
    zalo_bot,
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
    /// How the account is set.
    pub terms: Terms,
}

/// All ways out of this process.
#[derive(Clone, Default)]
pub struct Accounts {
    ways: HashMap<(Arc<str>, ChannelType), Way>,
}

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
        _ => None,
    }
}

/// The words of [`opener`], for whoever mistyped one.
const TYPES: &str = "webhook, smtp, esms, speedsms, telegram, zalo-bot";

/// The type of the table that sets the terms of webhooks, which need no account.
const WEBHOOK: &str = "webhook";

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
        accounts.add(NO_ACCOUNT, Arc::clone(&webhook), Terms::default());
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
        let mut of_webhooks: Option<String> = None;
        for (account, table) in tables {
            if is_of_webhooks(&table) {
                let terms = webhook_terms(table).map_err(|why| wrong(&account, why))?;
                if let Some(first) = of_webhooks.replace(account.clone()) {
                    let why = format!("type: đã có ở / is set already in [{first}]: {WEBHOOK}");
                    return Err(wrong(&account, why));
                }
                accounts.add(NO_ACCOUNT, Arc::clone(&webhook), terms);
                continue;
            }
            let (channels, terms) =
                open_one(&account, table, tools).map_err(|why| wrong(&account, why))?;
            for channel in channels {
                accounts.add(&account, channel, terms);
            }
        }
        Ok(accounts)
    }

    /// Adds a channel under an account.
    pub fn add(&mut self, account: &str, channel: Arc<dyn Channel>, terms: Terms) {
        let (account, channel_type): (Arc<str>, _) = (account.into(), channel.caps().channel_type);
        let way = Way { channel, account: Arc::clone(&account), terms };
        self.ways.insert((account, channel_type), way);
    }

    /// The way of this account for this type of channel.
    #[must_use]
    pub fn way(&self, account: &str, channel_type: ChannelType) -> Option<&Way> {
        self.ways.get(&(Arc::from(account), channel_type))
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
    let terms = terms_of(&mut table)?;
    Ok((open(account, table, tools)?, terms))
}

/// Takes out of a table how the account is set, whatever its type.
fn terms_of(table: &mut Table) -> Result<Terms, String> {
    let per_minute = table.remove("per-minute").map(|given| {
        let given = given.as_integer().and_then(|given| u32::try_from(given).ok());
        given.filter(|given| *given > 0).ok_or("per-minute: phải từ 1 / must be at least 1")
    });
    Ok(Terms { per_minute: per_minute.transpose()? })
}

fn is_of_webhooks(table: &Table) -> bool {
    table.get("type").and_then(toml::Value::as_str) == Some(WEBHOOK)
}

/// The terms of webhooks; their table has nothing else to set.
fn webhook_terms(mut table: Table) -> Result<Terms, String> {
    table.remove("type");
    let terms = terms_of(&mut table)?;
    let Nothing {} = fields(table)?;
    Ok(terms)
}

/// A table without fields of its own.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Reads the fields of an account of one type; an unknown field is an error.
///
/// # Errors
/// What is wrong, with the field's name, and never its value: it may be a secret.
pub fn fields<T: serde::de::DeserializeOwned>(table: Table) -> Result<T, String> {
    serde_path_to_error::deserialize(toml::Value::Table(table)).map_err(|error| {
        let path = error.path().to_string();
        let inner: toml::de::Error = error.into_inner();
        format!("{path}: {}", inner.message())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(text: &str) -> Result<Accounts, BadAccounts> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("channels.toml");
        fs::write(&file, text).unwrap();
        let tools = Tools {
            http: Http::new().unwrap(),
            guard: Guard::new(true),
            folder: folder.path().to_owned(),
            public_url: "https://keng.example.vn".to_owned(),
        };
        Accounts::open(Some(&file), &WebhookOptions::default(), &tools)
    }

    fn why(text: &str) -> String {
        let why = opened(text).map(drop).unwrap_err().to_string();
        // The file is elsewhere each time.
        why.split_once(": ").unwrap().1.to_owned()
    }

    #[test]
    fn a_table_of_webhooks_sets_their_terms_and_opens_no_account() {
        let of_webhooks = |text: &str| {
            let accounts = opened(text).unwrap();
            assert_eq!(accounts.ways().count(), 1);
            accounts.way(NO_ACCOUNT, ChannelType::Webhook).unwrap().terms
        };
        assert_eq!(of_webhooks(""), Terms::default());
        assert_eq!(of_webhooks("[webhooks]\ntype = 'webhook'"), Terms::default());
        let set = of_webhooks("[any-name]\ntype = 'webhook'\nper-minute = 6000");
        assert_eq!(set.per_minute, Some(6_000));
    }

    #[test]
    fn a_table_of_webhooks_says_nothing_else_and_there_is_one() {
        let unknown = why("[webhooks]\ntype = 'webhook'\nper-second = 100");
        assert!(unknown.starts_with("[webhooks]: "), "{unknown}");
        assert!(unknown.contains("per-second"), "{unknown}");
        let none = why("[webhooks]\ntype = 'webhook'\nper-minute = 0");
        assert!(none.starts_with("[webhooks]: per-minute: "), "{none}");
        let twice = why("[a]\ntype = 'webhook'\n[b]\ntype = 'webhook'\nper-minute = 60");
        assert!(twice.starts_with("[b]: type: "), "{twice}");
        assert!(twice.contains("[a]"), "{twice}");
        let mistyped = why("[webhooks]\ntype = 'webhooks'");
        assert!(mistyped.contains("webhook, smtp"), "{mistyped}");
    }
}
