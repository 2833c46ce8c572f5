//! The calls of Zalo's webhook: first the signature over the raw bytes, then what they say.
//!
//! Zalo repeats a call for an hour where it had no answer in two seconds: whoever gets these knows
//! a repeat by the message's id. Source: `channels.md`, 2.6.

use std::borrow::Cow;

use domain::ids::Millis;
use ring::{digest, hmac};
use serde::Deserialize;
use serde_json::Value;

use super::api::{id, number};
use crate::{
    channels::{Inbound, Level, NotReceived, RawRequest, Received},
    secret::Secret,
};

/// What is posted, unsigned, when the address is saved (C, two repositories).
const OF_SAVING: &[u8] = b"{}";
/// The longest name of an event that is kept; others have no name.
const EVENT_BYTES_MAX: usize = 64;
/// More messages than a receipt names.
const RECEIPTS_MAX: usize = 100;

/// Who may call.
pub(super) struct Callbacks {
    pub(super) app_id: String,
    pub(super) oa_id: String,
    /// Differs from the app's secret (A).
    pub(super) key: Secret,
    /// Whether the account's id may stand in the app's place (C).
    pub(super) signed_by_oa_id: bool,
}

impl Callbacks {
    /// Verifies a call, and reads it.
    pub(super) fn receive(&self, request: RawRequest<'_>) -> Result<Received, NotReceived> {
        if request.body == OF_SAVING {
            return Ok(Received::default());
        }
        if !self.is_signed(&request) {
            return Err(NotReceived::NotSigned);
        }
        let event: Value =
            serde_json::from_slice(request.body).map_err(|_| NotReceived::NotReadable)?;
        let inbound = self.inbound(&event).ok_or(NotReceived::NotReadable)?;
        Ok(Received { inbound, answer: "" })
    }

    /// A plain SHA-256 over id, raw body, timestamp and secret (A). The timestamp is the body's, or
    /// that of a header (C): it is all that is read of a body before it is known whose it is.
    fn is_signed(&self, request: &RawRequest<'_>) -> bool {
        #[derive(Deserialize)]
        struct Stamped {
            timestamp: Option<Value>,
        }
        let header = |name: &str| request.headers.get(name)?.to_str().ok();
        let Some(given) = header("x-zevent-signature").and_then(mac) else { return false };
        let stamped = serde_json::from_slice::<Stamped>(request.body).ok();
        let of_body = stamped.and_then(|stamped| id(&stamped.timestamp?));
        let of_header = header("x-zevent-timestamp").map(str::to_owned);
        let ids = [Some(&self.app_id), Some(&self.oa_id).filter(|_| self.signed_by_oa_id)];
        let mut is_signed = false;
        for timestamp in [of_body, of_header].into_iter().flatten() {
            for id in ids.into_iter().flatten() {
                let mut hash = digest::Context::new(&digest::SHA256);
                hash.update(id.as_bytes());
                hash.update(request.body);
                hash.update(timestamp.as_bytes());
                hash.update(self.key.reveal().as_bytes());
                is_signed |= self.is_equal(hash.finish().as_ref(), &given);
            }
        }
        is_signed
    }

    /// In a time that says nothing of where they differ: ring compares tags so, and nothing else.
    fn is_equal(&self, one: &[u8], other: &[u8]) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.key.reveal().as_bytes());
        hmac::verify(&key, one, hmac::sign(&key, other).as_ref()).is_ok()
    }

    /// `None` where it is no event at all.
    fn inbound(&self, event: &Value) -> Option<Vec<Inbound>> {
        let name = event.get("event_name")?.as_str()?;
        let ignored = || vec![Inbound::Ignored { event: shown(name) }];
        if !self.is_for_us(event, name) {
            return Some(ignored());
        }
        let event = Event { name, value: event, oa_id: &self.oa_id };
        let inbound = match name {
            "follow" => event.follower().map(|target| vec![Inbound::Joined { target }]),
            "unfollow" => event.follower().map(|target| vec![Inbound::Left { target }]),
            "user_received_message" => event.received(),
            "user_seen_message" => event.seen(),
            "change_oa_daily_quota" => Some(account("daily-quota")),
            "change_template_status" => Some(account("template-status")),
            _ if name.starts_with("user_send_group_") => event.tip(event.group()),
            _ if name.starts_with("user_send_") => event.tip(event.party("sender")),
            // Of the anonymous chat on the web.
            _ if name.starts_with("anonymous_send_") => event.tip(event.party("sender")),
            _ if name.starts_with("oa_send_group_") => event.echo(event.group()),
            _ if name.starts_with("oa_send_") => event.echo(event.party("recipient")),
            _ => event.group_life(),
        };
        Some(inbound.unwrap_or_else(ignored))
    }

    /// One address serves all accounts of an app.
    fn is_for_us(&self, event: &Value, name: &str) -> bool {
        let of_oa = ["oa_id", "oaId"].iter().find_map(|field| event.get(field)).and_then(id);
        let is_written_to_oa =
            name.starts_with("user_send_") && !name.starts_with("user_send_group_");
        let written_to = event.get("recipient").and_then(|recipient| id(recipient.get("id")?));
        let named = of_oa.or_else(|| written_to.filter(|_| is_written_to_oa));
        named.is_none_or(|named| named == self.oa_id)
    }
}

/// An event whose sender is known to be Zalo.
struct Event<'a> {
    name: &'a str,
    value: &'a Value,
    oa_id: &'a str,
}

impl Event<'_> {
    fn message(&self, field: &str) -> Option<&Value> {
        self.value.get("message")?.get(field)
    }

    fn message_id(&self) -> Option<String> {
        self.message("msg_id").and_then(id)
    }

    fn party(&self, who: &str) -> Option<String> {
        id(self.value.get(who)?.get("id")?)
    }

    /// Where a group's id stands differs between sources (B): all are taken.
    fn group(&self) -> Option<String> {
        let recipient = self.value.get("recipient");
        let of_recipient = recipient.and_then(|recipient| id(recipient.get("group_id")?));
        let of_event = || self.value.get("group_id").and_then(id);
        let of_message = || self.message("conversation_id").and_then(id);
        of_recipient.or_else(of_event).or_else(|| self.party("recipient")).or_else(of_message)
    }

    fn follower(&self) -> Option<String> {
        self.party("follower").or_else(|| self.party("sender"))
    }

    /// When: as the event says of its message, else when it was told.
    fn at(&self) -> Millis {
        let told = || self.value.get("timestamp").and_then(number);
        Millis(self.message("delivery_time").and_then(number).or_else(told).unwrap_or_default())
    }

    fn tip(&self, from: Option<String>) -> Option<Vec<Inbound>> {
        Some(vec![Inbound::Tip { from: from?, message_id: self.message_id()? }])
    }

    /// What a person wrote in the account's chat is no proof that ours was sent.
    fn echo(&self, target: Option<String>) -> Option<Vec<Inbound>> {
        let is_a_persons = self.value.get("sender").and_then(|sender| sender.get("admin_id"));
        if is_a_persons.is_some_and(|admin| !admin.is_null()) {
            return None;
        }
        Some(vec![Inbound::Echo { provider_id: self.message_id()?, target: target? }])
    }

    fn received(&self) -> Option<Vec<Inbound>> {
        let (provider_id, at) = (self.message_id()?, self.at());
        Some(vec![Inbound::Receipt { provider_id, level: Level::Delivered, at }])
    }

    fn seen(&self) -> Option<Vec<Inbound>> {
        let at = self.at();
        let ids = self.message("msg_ids")?.as_array()?.iter().take(RECEIPTS_MAX).filter_map(id);
        let read = |provider_id| Inbound::Receipt { provider_id, level: Level::Read, at };
        Some(ids.map(read).collect())
    }

    /// The group itself comes and goes. That one of its members does concerns nobody here: the
    /// group is told all the same. Names differ between sources (C): all are taken.
    fn group_life(&self) -> Option<Vec<Inbound>> {
        let is_us = || self.party("sender").is_some_and(|who| who == self.oa_id);
        match self.name {
            "create_group" => Some(vec![Inbound::Joined { target: self.group()? }]),
            "delete_group" | "disperse_group" => {
                Some(vec![Inbound::Left { target: self.group()? }])
            }
            "user_leave_group" | "user_out_group" if is_us() => {
                Some(vec![Inbound::Left { target: self.group()? }])
            }
            "user_join_group" if is_us() => Some(vec![Inbound::Joined { target: self.group()? }]),
            _ => None,
        }
    }
}

fn account(code: &'static str) -> Vec<Inbound> {
    vec![Inbound::Account { code: Cow::Borrowed(code) }]
}

/// Counted by its name, so nothing else may stand there.
fn shown(name: &str) -> String {
    let is_name = name.len() <= EVENT_BYTES_MAX
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_name { name.to_owned() } else { "unnamed".to_owned() }
}

/// With or without `mac=`, in whichever case.
fn mac(header: &str) -> Option<[u8; 32]> {
    let header = header.trim();
    let prefix = header.get(..4).filter(|prefix| prefix.eq_ignore_ascii_case("mac="));
    let digits = header.get(prefix.map_or(0, str::len)..)?.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let value = char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
            *byte = (*byte << 4) | value?;
        }
    }
    Some(bytes)
}

#[cfg(test)]
#[path = "callback_tests.rs"]
mod tests;
