//! The channel `email`: one message in plain text, by SMTP, to the operator's own relay.
//!
//! The Message-ID is the same at every attempt, and what follows up is threaded to the first.
//! No HTML, no picture, no direct delivery to a mailbox's own server. No receipts either: they are
//! mails (RFC 3464), and nothing here reads mail; that the relay took it is the most that is known.
//! Source: `channels.md`, section 7 (M); RFC 5321, 5322, 3834, 2369, 8058.

mod letter;
mod relay;

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use domain::{channel::ChannelType, schedule::ATTEMPT_MS_MAX};
use futures::future::{BoxFuture, FutureExt};
use registry::Address;
use rendering::Unit;
use serde::Deserialize;
use toml::Table;

use crate::{
    accounts::{Tools, fields},
    channels::{
        Caps, Channel, Confirms, Health, Intent, NotRendered, Outcome, PhotoRule, Rendered,
        Repeats, Sent, View,
        email::{
            letter::{Letterhead, one_line},
            relay::{Relay, Security},
        },
    },
    secret::Secret,
};

/// Nobody reads more of a mail; the longest alert is far below.
const TEXT_CHARS_MAX: usize = 20_000;

const CAPS: Caps = Caps {
    channel_type: ChannelType::Email,
    text_max: TEXT_CHARS_MAX,
    unit: Unit::Chars,
    confirms: Confirms::Accepted,
    // Some mailboxes know a Message-ID again, and none has to.
    repeats: Repeats::ShownTwice,
    photo: PhotoRule::None,
    shares_account: true,
    per_minute: None,
    per_minute_a_target: None,
};

/// An account of the type `smtp`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Fields {
    host: String,
    port: Option<u16>,
    #[serde(default)]
    tls: Security,
    user: Option<String>,
    password: Option<Secret>,
    from: String,
    domain: String,
    unsubscribe: Option<String>,
}

/// The channel. Any number of attempts may be under way at once; some connections stay warm.
struct Email {
    letterhead: Letterhead,
    relay: Relay,
}

/// Opens an account of the type `smtp`; connects to nobody.
///
/// # Errors
/// What is wrong, with the field's name.
pub fn open(_account: &str, table: Table, _tools: &Tools) -> Result<Vec<Arc<dyn Channel>>, String> {
    Ok(vec![Arc::new(Email::of(fields(table)?, ATTEMPT_MS_MAX)?)])
}

impl Email {
    fn of(fields: Fields, attempt_ms: u64) -> Result<Self, String> {
        let Fields { host, port, tls, user, password, from, domain, unsubscribe } = fields;
        if host.is_empty() {
            return Err("host: trống / is empty".to_owned());
        }
        if tls == Security::None && !is_this_machine(&host) {
            return Err("tls: none chỉ dùng khi host là chính máy này / \
                        none goes with a host on this machine only"
                .to_owned());
        }
        let login = match (user, password) {
            (Some(user), Some(password)) => Some((user, password)),
            (None, None) => None,
            _ => {
                return Err("user, password: có cả hai hoặc không / both or neither".to_owned());
            }
        };
        let letterhead = Letterhead::of(&from, domain, unsubscribe.as_deref())?;
        let server = (host, port.unwrap_or(tls.usual_port()));
        let relay = Relay::new(server, tls, login, letterhead.domain(), attempt_ms)?;
        Ok(Self { letterhead, relay })
    }
}

/// By its name or address alone: a name that is resolved may lead anywhere.
fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

impl Channel for Email {
    fn caps(&self) -> &Caps {
        &CAPS
    }

    fn render(&self, view: &View<'_>) -> Result<Rendered, NotRendered> {
        let told = &view.told;
        let fitted = told.fit(TEXT_CHARS_MAX, Unit::Chars).ok_or(NotRendered("too-long"))?;
        let subject = one_line(&told.title());
        let warnings = if fitted.is_cut { vec!["description"] } else { vec![] };
        Ok(Rendered { subject, warnings, ..Rendered::text(fitted.text) })
    }

    fn note(&self, text: &str, subject: &str) -> Option<Rendered> {
        let fits = CAPS.unit.len(text) <= TEXT_CHARS_MAX;
        fits.then(|| Rendered { subject: one_line(subject), ..Rendered::text(text) })
    }

    fn send<'a>(
        &'a self,
        message: &'a Rendered,
        to: &'a Address,
        intent: Intent<'a>,
    ) -> BoxFuture<'a, Sent> {
        async move {
            let Ok(to) = to.to.parse::<lettre::Address>() else {
                return Outcome::TargetGone { why: Cow::Borrowed("address") }.into();
            };
            let Some(letter) = self.letterhead.letter(message, &to, &intent) else {
                return Outcome::Permanent { code: Cow::Borrowed("letter") }.into();
            };
            self.relay.deliver(self.letterhead.sender(), to, &letter).await
        }
        .boxed()
    }

    fn probe(&self) -> BoxFuture<'_, Health> {
        self.relay.probe().boxed()
    }
}

#[cfg(test)]
#[path = "email_tests.rs"]
mod tests;
