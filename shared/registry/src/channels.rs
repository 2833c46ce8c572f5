//! A channel of a group, as the groups file names it.
//!
//! R29: a target without a working channel is an error at configuration time, not at the alarm.
//! Whether the account is there is seen where the accounts are: at fan-out, and by preflight.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use domain::{
    channel::ChannelType,
    directory::ChannelUse,
    ids::{ChannelId, NotAnId},
};
use serde::Deserialize;

use crate::{
    fault::{Collector, none_of},
    group::Address,
    lines::present,
};

/// The longest URL.
pub const URL_BYTES_MAX: usize = 2_000;
/// The longest name of a user, a chat, a mailbox or a device.
pub const TO_BYTES_MAX: usize = 254;
/// The longest name of an account.
pub const ACCOUNT_BYTES_MAX: usize = 32;
/// The longest that a fallback may wait: a day.
pub const AFTER_S_MAX: u32 = 86_400;
/// The sizes of a secret that Standard Webhooks allows.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// An uncompressed point of P-256 (RFC 8291), and the secret beside it.
const PUSH_KEY_BYTES: usize = 65;
const PUSH_AUTH_BYTES: usize = 16;

/// A channel as a file names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelEntry {
    /// The id; `<type>-<n>`, n from 1, where the file does not say.
    pub id: ChannelId,
    /// The type.
    pub channel_type: ChannelType,
    /// When it is used.
    pub used: ChannelUse,
    /// The operator's account with the provider; empty where none is needed.
    pub account: String,
    /// For a poster: by what the poster gets the task.
    pub via: Option<ChannelType>,
    /// Where it leads.
    pub address: Address,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChannelLine {
    #[serde(default, deserialize_with = "present")]
    id: Option<String>,
    #[serde(rename = "type")]
    pub(crate) channel_type: String,
    #[serde(default, rename = "use", deserialize_with = "present")]
    used: Option<String>,
    #[serde(default, deserialize_with = "present")]
    after_s: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    url: Option<String>,
    #[serde(default, deserialize_with = "present")]
    secret: Option<String>,
    #[serde(default, deserialize_with = "present")]
    account: Option<String>,
    #[serde(default, deserialize_with = "present")]
    to: Option<String>,
    #[serde(default, deserialize_with = "present")]
    via: Option<String>,
    #[serde(default, deserialize_with = "present")]
    p256dh: Option<String>,
    #[serde(default, deserialize_with = "present")]
    auth: Option<String>,
}

/// Where a channel stands in the file.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// The line, from 1.
    pub(crate) number: usize,
    /// The channel within its group, from 0.
    pub(crate) place: usize,
}

/// The fields of a line that are not of every channel, by their names in the file.
const FIELDS: [&str; 7] = ["url", "secret", "account", "to", "via", "p256dh", "auth"];

/// Reads a channel; what is wrong with it is collected, each under its field.
pub(crate) fn channel(
    at: Place,
    line: ChannelLine,
    default_id: &str,
    faults: &mut Collector,
) -> Option<ChannelEntry> {
    let field = |name: &str| format!("channels[{}].{name}", at.place);
    let channel_type = faults.note(at.number, &field("type"), channel_type(&line.channel_type))?;
    let id = line.id.as_deref().unwrap_or(default_id).parse::<ChannelId>().map_err(not_a_channel);
    let id = faults.note(at.number, &field("id"), id);
    let used = used(line.used.as_deref(), line.after_s)
        .map_err(|(name, reason)| faults.add(at.number, field(name), reason));
    let before = faults.len();
    let mut reading = Fields { at, line: &line, faults };
    let via = reading.via(channel_type);
    let address = reading.address(via.unwrap_or(channel_type));
    let account = reading.account(channel_type);
    reading.no_others(channel_type, via);
    if faults.len() > before {
        return None;
    }
    Some(ChannelEntry { id: id?, channel_type, used: used.ok()?, account, via, address })
}

/// The fields of one channel being looked at.
struct Fields<'a> {
    at: Place,
    line: &'a ChannelLine,
    faults: &'a mut Collector,
}

impl Fields<'_> {
    fn checked<'t>(
        &mut self,
        name: &str,
        given: Option<&'t str>,
        check: impl Fn(&'t str) -> Result<String, String>,
    ) -> Box<str> {
        let given = given.ok_or_else(|| {
            format!(
                "thiếu trường này, kênh này cần có / missing field `{name}`: this channel needs it"
            )
        });
        let field = format!("channels[{}].{name}", self.at.place);
        let checked = self.faults.note(self.at.number, &field, given.and_then(check));
        checked.unwrap_or_default().into()
    }

    /// By what a poster gets the task: something that a person reads.
    fn via(&mut self, channel_type: ChannelType) -> Option<ChannelType> {
        if channel_type != ChannelType::Poster {
            return None;
        }
        let words: Vec<&str> = VIA.iter().map(|via| via.as_str()).collect();
        let known = |text: &str| {
            let via = text.parse::<ChannelType>().ok().filter(|via| VIA.contains(via));
            via.map(|via| via.as_str().to_owned()).ok_or_else(|| none_of(&words.join(", ")))
        };
        let via = self.checked("via", self.line.via.as_deref(), known);
        // Where it is at fault, the other fields are looked at all the same.
        Some(via.parse().unwrap_or(ChannelType::Sms))
    }

    fn address(&mut self, of: ChannelType) -> Address {
        let line = self.line;
        match of {
            ChannelType::Webhook => Address {
                url: self.checked("url", line.url.as_deref(), |text| url(text).map(str::to_owned)),
                secret: self.checked("secret", line.secret.as_deref(), |text| {
                    secret(text).map(str::to_owned)
                }),
                to: "".into(),
            },
            ChannelType::WebPush => Address {
                url: self.checked("url", line.url.as_deref(), |text| url(text).map(str::to_owned)),
                secret: self
                    .checked("auth", line.auth.as_deref(), |text| of_bytes(text, PUSH_AUTH_BYTES)),
                to: self.checked("p256dh", line.p256dh.as_deref(), |text| {
                    of_bytes(text, PUSH_KEY_BYTES)
                }),
            },
            _ => {
                let to = self.checked("to", line.to.as_deref(), |text| to(of, text));
                Address { url: "".into(), secret: "".into(), to }
            }
        }
    }

    fn account(&mut self, channel_type: ChannelType) -> String {
        if !channel_type.needs_account() {
            return String::new();
        }
        self.checked("account", self.line.account.as_deref(), account).into()
    }

    /// A field that means nothing here was meant for something else.
    fn no_others(&mut self, channel_type: ChannelType, via: Option<ChannelType>) {
        let meant: &[&str] = match via.unwrap_or(channel_type) {
            ChannelType::Webhook => &["url", "secret"],
            ChannelType::WebPush => &["url", "p256dh", "auth"],
            _ => &["to"],
        };
        for name in FIELDS {
            let is_meant = meant.contains(&name)
                || (name == "account" && channel_type.needs_account())
                || (name == "via" && via.is_some());
            if !is_meant && self.has(name) {
                let field = format!("channels[{}].{name}", self.at.place);
                let of = channel_type.as_str();
                let reason =
                    format!("kênh {of} không có trường này / a {of} channel has no such field");
                self.faults.add(self.at.number, field, reason);
            }
        }
    }

    fn has(&self, name: &str) -> bool {
        let ChannelLine { url, secret, account, to, via, p256dh, auth, .. } = self.line;
        let given = match name {
            "url" => url,
            "secret" => secret,
            "account" => account,
            "to" => to,
            "via" => via,
            "p256dh" => p256dh,
            _ => auth,
        };
        given.is_some()
    }
}

/// By what a poster may get the task: who reads these is a person with a telephone in hand. Each of
/// these channels has a `note` in fan-out.
pub const VIA: [ChannelType; 6] = [
    ChannelType::Sms,
    ChannelType::Email,
    ChannelType::WebPush,
    ChannelType::ZaloBot,
    ChannelType::ZaloOa,
    ChannelType::Telegram,
];

/// The text of a reason must not repeat who it is: that is sealed.
fn to(of: ChannelType, text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > TO_BYTES_MAX {
        return Err(format!(
            "phải từ 1 đến {TO_BYTES_MAX} byte / is not 1 to {TO_BYTES_MAX} bytes"
        ));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("có ký tự không phải ASCII in được / \
                    has a character that is not printable ASCII"
            .to_owned());
    }
    match of {
        ChannelType::Sms => phone(text),
        ChannelType::Email => mailbox(text).map(str::to_owned),
        ChannelType::Loudspeaker | ChannelType::Led if text.contains(['/', '+', '#']) => {
            Err("mã thiết bị không có / + # / a device has no / + # in its name".to_owned())
        }
        _ => Ok(text.to_owned()),
    }
}

/// A mobile number of Việt Nam, as providers take it: `84` and nine digits.
fn phone(text: &str) -> Result<String, String> {
    let digits: String = text.chars().filter(|c| !matches!(c, '.' | '-' | '(' | ')')).collect();
    let national = digits
        .strip_prefix("+84")
        .or_else(|| digits.strip_prefix("84").filter(|rest| rest.len() == 9))
        .or_else(|| digits.strip_prefix('0'));
    national
        .filter(|rest| rest.len() == 9 && rest.bytes().all(|byte| byte.is_ascii_digit()))
        .map(|rest| format!("84{rest}"))
        .ok_or_else(|| {
            "không phải số di động Việt Nam / is not a mobile number of Việt Nam".to_owned()
        })
}

fn mailbox(text: &str) -> Result<&str, String> {
    let parts = text.rsplit_once('@').filter(|(user, host)| {
        !user.is_empty() && host.contains('.') && !host.starts_with('.') && !host.ends_with('.')
    });
    parts.map(|_| text).ok_or_else(|| "không phải hộp thư / is not a mailbox".to_owned())
}

/// The name of an account, as it must be here and in the channels file.
///
/// # Errors
/// What is wrong with it.
pub fn account(text: &str) -> Result<String, String> {
    let is_name = (1..=ACCOUNT_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if is_name {
        return Ok(text.to_owned());
    }
    let most = ACCOUNT_BYTES_MAX;
    Err(format!(
        "phải từ 1 đến {most} ký tự A-Z a-z 0-9 - _ / is not 1 to {most} of A-Z a-z 0-9 - _"
    ))
}

/// Base64url as browsers give it, of exactly so many bytes.
fn of_bytes(text: &str, bytes: usize) -> Result<String, String> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('='));
    match decoded {
        Ok(decoded) if decoded.len() == bytes => Ok(text.trim_end_matches('=').to_owned()),
        _ => Err(format!(
            "không phải base64url của {bytes} byte / is not base64url of {bytes} bytes"
        )),
    }
}

fn not_a_channel(not: NotAnId) -> String {
    format!("không phải mã kênh: 1 đến 32 ký tự A-Z a-z 0-9 - _ : / {not}")
}

fn channel_type(text: &str) -> Result<ChannelType, String> {
    let words: Vec<&str> = ChannelType::ALL.iter().map(|known| known.as_str()).collect();
    text.parse().map_err(|_| none_of(&words.join(", ")))
}

fn used(used: Option<&str>, after_s: Option<u32>) -> Result<ChannelUse, (&'static str, String)> {
    match (used, after_s) {
        (None | Some("always"), None) => Ok(ChannelUse::Always),
        (None | Some("always"), Some(_)) => {
            Err(("after_s", "chỉ đi với use `fallback` / goes with use `fallback` only".to_owned()))
        }
        (Some("fallback"), Some(after_s)) if (1..=AFTER_S_MAX).contains(&after_s) => {
            Ok(ChannelUse::Fallback { after_s })
        }
        (Some("fallback"), Some(_)) => {
            let most = AFTER_S_MAX;
            let reason = format!("phải từ 1 đến {most} / is not between 1 and {most}");
            Err(("after_s", reason))
        }
        (Some("fallback"), None) => {
            let reason = "thiếu trường này, use `fallback` cần có / \
                          missing field `after_s`: use `fallback` needs it";
            Err(("after_s", reason.to_owned()))
        }
        (Some(_), _) => Err(("use", none_of("always, fallback"))),
    }
}

/// The text of a reason must not repeat the URL: it may hold a capability.
pub(crate) fn url(url: &str) -> Result<&str, String> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let rest = rest.ok_or(
        "không bắt đầu bằng http:// hay https:// / does not begin with http:// or https://",
    )?;
    if url.len() > URL_BYTES_MAX {
        return Err(format!("dài hơn {URL_BYTES_MAX} byte / is longer than {URL_BYTES_MAX} bytes"));
    }
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("có ký tự không phải ASCII in được / \
                    has a character that is not printable ASCII"
            .to_owned());
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("có tên người dùng; webhook được ký bằng secret / \
                    has a user in it; webhooks are signed with the secret"
            .to_owned());
    }
    // A literal IPv6 address has colons of its own, inside brackets.
    let (host, port) = match authority.strip_prefix('[') {
        Some(literal) => literal.split_once(']').unwrap_or_default(),
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    if host.is_empty() || host.contains('\\') {
        return Err("không có tên máy / names no host".to_owned());
    }
    let port_fits = match port.strip_prefix(':') {
        Some(digits) => digits.parse::<u16>().is_ok_and(|port| port > 0),
        None => port.is_empty(),
    };
    if port_fits {
        Ok(url)
    } else {
        Err("có cổng không hợp lệ / has a port that is none".to_owned())
    }
}

fn secret(secret: &str) -> Result<&str, String> {
    let text = secret
        .strip_prefix("whsec_")
        .ok_or("không bắt đầu bằng whsec_ / does not begin with whsec_")?;
    let bytes = BASE64_STANDARD
        .decode(text)
        .map_err(|_| "không phải whsec_ và base64 / is not whsec_ and base64")?;
    if !SECRET_BYTES.contains(&bytes.len()) {
        let count = bytes.len();
        return Err(format!(
            "có {count} byte, phải từ 24 đến 64 / has {count} bytes and not 24 to 64"
        ));
    }
    Ok(secret)
}
