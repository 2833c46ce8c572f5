//! The operator's accounts with providers: the channels file, and the channels that it opens.
//!
//! TOML, one table an account; secrets stand elsewhere (`secret`). An account may serve several
//! types of channel; a table of webhooks only sets their terms. What is wrong is said with account
//! and field, before any port is bound.

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
    /// Where people reach this installation from outside, without a slash at the end. Calls of
    /// providers come there too, where an account names no other place, and are led to fan-out.
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
const TYPES: &str = "webhook, esms, mqtt, smtp, speedsms, telegram, web-push, zalo, zalo-bot";

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
        let tables = tables(&text).map_err(|(account, why)| wrong(&account, why))?;
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

/// The accounts of a file, each with its table. No error repeats what stands in the file but the
/// names of accounts and fields: a secret may stand where its place should be told.
fn tables(text: &str) -> Result<BTreeMap<String, Table>, (String, String)> {
    let file: Table =
        toml::from_str(text).map_err(|error| (String::new(), no_toml(text, &error)))?;
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for (account, value) in file {
        let toml::Value::Table(table) = value else {
            let why = "phải là một bảng, như [ten] / must be a table, as [name]";
            return Err((account, why.to_owned()));
        };
        // A refresh token works once: two that held the same would take it from each other.
        let is_same = |known: &Table| {
            let oa_id = |of: &Table| of.get("oa-id").cloned();
            known.get("type") == table.get("type")
                && oa_id(known).is_some_and(|known| oa_id(&table) == Some(known))
        };
        if let Some((other, _)) = tables.iter().find(|(_, known)| is_same(known)) {
            let why = format!("oa-id: đã có ở [{other}] / stands in [{other}] already");
            return Err((account, why));
        }
        tables.insert(account, table);
    }
    Ok(tables)
}

/// Where it is no TOML. The parser's own words may repeat what stands there.
fn no_toml(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(0, |before| before.matches('\n').count()) + 1;
    format!(
        "dòng {line}: không phải TOML, hoặc một tên có hai lần / \
         line {line}: is no TOML, or a name stands twice"
    )
}

fn open_one(
    account: &str,
    mut table: Table,
    tools: &Tools,
) -> Result<(Vec<Arc<dyn Channel>>, Terms), String> {
    // The name is one of a file too, and of a part of an address.
    registry::channels::account(account).map_err(|why| format!("tên / the name: {why}"))?;
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

    fn why(text: &str) -> String {
        let (file, folder) =
            (tempfile::NamedTempFile::new().unwrap(), tempfile::tempdir().unwrap());
        fs::write(file.path(), text).unwrap();
        let tools = Tools {
            http: Http::new().unwrap(),
            guard: Guard::new(false),
            folder: folder.path().to_owned(),
            public_url: "https://keng.example.vn".to_owned(),
            receipts: crate::channels::testing::receipts(),
        };
        let opened = Accounts::open(Some(file.path()), &WebhookOptions::default(), &tools);
        opened.err().unwrap().to_string()
    }

    #[test]
    fn a_file_that_is_wrong_does_not_show_what_stands_in_it() {
        let speedsms = "type = 'speedsms'\nsender = 'KENG'\n";
        for (text, told) in [
            ("token = 's3cret'", "[token]: phải là một bảng"),
            ("token = ['s3cret']", "[token]: phải là một bảng"),
            ("[a]\ntoken = s3cret", "[]: dòng 2: "),
            ("[a]\ntoken = 12s3cret", "[]: dòng 2: "),
            ("[a]\ntoken = 's3cret", "[]: dòng 2: "),
            ("[a]\ntoken = 's3cret's3cret", "[]: dòng 2: "),
            ("[a]\ntoken = '1'\ntoken = 's3cret'", "[]: dòng 3: "),
            ("[a]\ntype = 's3cret'", "[a]: type: "),
            ("[a]\ntype = 'smtp'\nper-minute = 's3cret'", "[a]: per-minute: "),
            (&format!("[a]\n{speedsms}token = 's3cret'"), "[a]: token: "),
            (&format!("[a]\n{speedsms}token = {{ file = 's3cret' }}"), "[a]: token: "),
            (&format!("[a]\n{speedsms}token = {{ env = 's3cret' }}"), "[a]: token: "),
            (&format!("[a]\n{speedsms}token = {{ env = 'S3CRET' }}"), "[a]: token: "),
            (&format!("[a]\n{speedsms}token = {{ text = 's3cret' }}"), "[a]: token: "),
        ] {
            let why = why(text);
            assert!(why.contains(told), "{text}: {why}");
            assert!(!why.to_lowercase().contains("s3cret"), "{text}: {why}");
        }
    }

    #[test]
    fn an_account_has_a_name_of_its_own_and_a_zalo_account_one_table() {
        let long = "x".repeat(33);
        for name in ["\"\"", "\"a/b\"", "\"a:b\"", "\"xã\"", &long] {
            let why = why(&format!("[{name}]\ntype = 'zalo'"));
            assert!(why.contains("tên / the name: phải từ 1 đến 32"), "{name}: {why}");
        }
        let twice = why("[a]\ntype = 'zalo'\noa-id = '7'\n[b]\ntype = 'zalo'\noa-id = '7'\n");
        assert!(twice.contains("[b]: oa-id: đã có ở [a]"), "{twice}");
        let others = why("[a]\ntype = 'zalo'\noa-id = '7'\n[b]\ntype = 'zalo'\noa-id = '8'\n");
        assert!(others.contains("[a]: "), "{others}");
    }

    fn opened_by(text: &str) -> Result<Accounts, BadAccounts> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("channels.toml");
        fs::write(&file, text).unwrap();
        let tools = Tools {
            http: Http::new().unwrap(),
            guard: Guard::new(true),
            folder: folder.path().to_owned(),
            public_url: "https://keng.example.vn".to_owned(),
            receipts: crate::channels::testing::receipts(),
        };
        Accounts::open(Some(&file), &WebhookOptions::default(), &tools)
    }

    fn why_not(text: &str) -> String {
        let why = opened_by(text).map(drop).unwrap_err().to_string();
        // The file is elsewhere each time.
        why.split_once(": ").unwrap().1.to_owned()
    }

    #[test]
    fn a_table_of_webhooks_sets_their_terms_and_opens_no_account() {
        let of_webhooks = |text: &str| {
            let accounts = opened_by(text).unwrap();
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
        let unknown = why_not("[webhooks]\ntype = 'webhook'\nper-second = 100");
        assert!(unknown.starts_with("[webhooks]: "), "{unknown}");
        assert!(unknown.contains("per-second"), "{unknown}");
        let none = why_not("[webhooks]\ntype = 'webhook'\nper-minute = 0");
        assert!(none.starts_with("[webhooks]: per-minute: "), "{none}");
        let twice = why_not("[a]\ntype = 'webhook'\n[b]\ntype = 'webhook'\nper-minute = 60");
        assert!(twice.starts_with("[b]: type: "), "{twice}");
        assert!(twice.contains("[a]"), "{twice}");
        let mistyped = why_not("[webhooks]\ntype = 'webhooks'");
        assert!(mistyped.contains("webhook, esms"), "{mistyped}");
    }
}
