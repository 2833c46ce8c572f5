//! What stands on the wire between Kẻng and a loudspeaker or a board: our own profile, written
//! down for makers of devices in `deploy/MQTT.md`.
//!
//! Pure: topics, commands, their signature, and the answers of devices. No connection here.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use domain::{
    hex::hex,
    ids::Millis,
    values::{AlertStatus, News, Urgency},
};
use registry::Address;
use ring::{digest, hmac, signature::Ed25519KeyPair, signature::KeyPair};
use serde::{Deserialize, Serialize};

use crate::channels::{Inbound, Intent, Level, NotRendered, View};

/// The first word of every command, and the version of its payload.
const MAGIC: &str = "keng-mqtt-1";
const VERSION: u8 = 1;
/// Ed25519, RFC 8032.
const SEED_BYTES: usize = 32;
/// Of the digest of the public key: enough to choose among the few that a device holds.
const KEY_ID_BYTES: usize = 8;
/// What a board shows at most, in characters: a line that runs past in half a minute.
const BOARD_CHARS_MAX: usize = 300;
/// The longest command. A device need not read more.
pub(super) const COMMAND_BYTES_MAX: usize = 32 * 1024;
/// The longest answer of a device that is read.
pub(super) const ANSWER_BYTES_MAX: u32 = 4 * 1024;

/// Which of the two devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Device {
    /// It speaks, a few times, and is silent again.
    Loudspeaker,
    /// It shows what is in force, for as long as it is.
    Board,
}

/// What a device does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Operation {
    /// Speak.
    Play,
    /// Show, in the place of what was shown of this alert.
    Show,
    /// Stop speaking or showing anything of this alert.
    Clear,
}

/// What is said: all of a command that does not hang on the device. Times are Unix seconds, which
/// a small device compares without a calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Said {
    commune: String,
    pub(super) alert: String,
    code: String,
    revision: u64,
    pub(super) op: Operation,
    kind: String,
    status: String,
    exercise: bool,
    text: String,
    /// How often it is spoken; 0 where it is not.
    repeat: u8,
    /// In percent of what the device can; 0 where it does not speak.
    volume: u8,
    valid_from: i64,
}

/// A whole command: what is said, to whom, and until when.
#[derive(Serialize)]
struct Command<'a> {
    v: u8,
    to: &'a str,
    delivery: &'a str,
    proof: &'a str,
    valid_to: i64,
    #[serde(flatten)]
    said: &'a Said,
}

/// A command, ready to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// Where.
    pub(super) topic: String,
    /// Head line and payload.
    pub(super) payload: Bytes,
    /// Whether the broker keeps it for boards that come later.
    pub(super) is_kept: bool,
    /// For how long anybody may still be given it, in seconds.
    pub(super) expiry_s: u32,
}

/// What a device answers.
#[derive(Deserialize)]
struct Answer {
    delivery: String,
    #[serde(default)]
    proof: String,
    state: String,
}

/// The words of a news, and what a device does with them.
///
/// # Errors
/// What must be said has no room.
pub(super) fn said(view: &View<'_>, device: Device) -> Result<Said, NotRendered> {
    let told = &view.told;
    let sheet = told.sheet;
    let status = sheet.facts.status;
    let is_over = matches!(told.news, News::Cancelled | News::Resolved | News::Expired);
    let op = match device {
        // People hear that it is over; that its time has passed is no news to them.
        Device::Loudspeaker if told.news == News::Expired => Operation::Clear,
        Device::Loudspeaker => Operation::Play,
        Device::Board if is_over => Operation::Clear,
        Device::Board => Operation::Show,
    };
    let (repeat, volume) = match (op, sheet.facts.kind.urgency()) {
        (Operation::Show | Operation::Clear, _) => (0, 0),
        (Operation::Play, urgency) => {
            let (repeat, volume) = loudness(urgency);
            (if is_over { 1 } else { repeat }, volume)
        }
    };
    // A text is bounded: with all else it is far less than a device need read.
    let said = Said {
        commune: view.delivery.commune.to_owned(),
        alert: sheet.alert.to_string(),
        code: sheet.code.clone(),
        revision: sheet.revision,
        op,
        kind: sheet.facts.kind.as_str().to_owned(),
        status: status.as_str().to_owned(),
        exercise: status != AlertStatus::Actual,
        text: text(view, op).ok_or(NotRendered("too-long"))?,
        repeat,
        volume,
        valid_from: told.at.0.div_euclid(1_000),
    };
    Ok(said)
}

/// How often it is spoken, and how loud, in percent.
fn loudness(urgency: Urgency) -> (u8, u8) {
    match urgency {
        Urgency::Immediate => (3, 100),
        Urgency::Expected => (2, 80),
        Urgency::Future => (1, 60),
    }
}

fn text(view: &View<'_>, op: Operation) -> Option<String> {
    match op {
        Operation::Clear => Some(String::new()),
        Operation::Play => view.told.spoken(),
        Operation::Show => view.told.board(BOARD_CHARS_MAX),
    }
}

/// The key of an account, and the names of its topics.
pub(super) struct Profile {
    key: Ed25519KeyPair,
    key_id: String,
    proofs: hmac::Key,
    prefix: String,
}

impl Profile {
    /// From the seed of the key, in base64, and the first word of all topics.
    ///
    /// # Errors
    /// What is wrong with the seed; never its value.
    pub(super) fn new(seed: &str, prefix: &str) -> Result<Self, &'static str> {
        let wrong = "phải là base64 của 32 byte / must be base64 of 32 bytes";
        let seed = BASE64_STANDARD.decode(seed).map_err(|_| wrong)?;
        if seed.len() != SEED_BYTES {
            return Err(wrong);
        }
        let key = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| wrong)?;
        let digest = digest::digest(&digest::SHA256, key.public_key().as_ref());
        let key_id = hex(digest.as_ref().get(..KEY_ID_BYTES).unwrap_or_default());
        // A key for one purpose: what proves receipts is derived, and signs nothing.
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &seed), b"keng-mqtt-receipts");
        let proofs = hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref());
        Ok(Self { key, key_id, proofs, prefix: prefix.to_owned() })
    }

    /// The name by which a device finds the key.
    pub(super) fn key_id(&self) -> &str {
        &self.key_id
    }

    /// What devices check with, in base64. No secret.
    pub(super) fn public_key(&self) -> String {
        BASE64_STANDARD.encode(self.key.public_key().as_ref())
    }

    /// Where all devices answer.
    pub(super) fn answers(&self) -> String {
        format!("{}/+/+/ack", self.prefix)
    }

    /// The command to one device. The same attempt after attempt, as long as its end is the same:
    /// Ed25519 has no chance in it.
    ///
    /// # Errors
    /// A stable code: `address`, `expired`, `payload`.
    pub(super) fn command(
        &self,
        said: &Said,
        device: Device,
        to: &Address,
        intent: &Intent<'_>,
    ) -> Result<Message, &'static str> {
        let left_ms = intent.expires_at.0.saturating_sub(intent.now.0);
        if left_ms <= 0 {
            return Err("expired");
        }
        let (commune, name) = (said.commune.as_str(), &*to.to);
        // A wildcard or a further level would lead to other devices.
        if !is_level(commune) || !is_level(name) {
            return Err("address");
        }
        let to = format!("{}/{commune}/{name}", self.prefix);
        let command = Command {
            v: VERSION,
            to: &to,
            delivery: intent.delivery,
            proof: &BASE64_STANDARD.encode(hmac::sign(&self.proofs, &proven(&to, intent.delivery))),
            valid_to: intent.expires_at.0.div_euclid(1_000),
            said,
        };
        let payload = serde_json::to_vec(&command).map_err(|_| "payload")?;
        let signature = BASE64_STANDARD.encode(self.key.sign(&payload).as_ref());
        let head = format!("{MAGIC} {} {signature}\n", self.key_id);
        let payload = [head.as_bytes(), &payload].concat();
        if payload.len() > COMMAND_BYTES_MAX {
            return Err("payload");
        }
        // One retained message a topic: each alert on a board has a topic of its own, so that a
        // board which comes back is given the whole list, and not just the newest of it.
        let is_kept = device == Device::Board;
        let topic = if is_kept { format!("{to}/list/{}", said.alert) } else { format!("{to}/cmd") };
        let expiry_s = u32::try_from(left_ms / 1_000).unwrap_or(u32::MAX).max(1);
        Ok(Message { topic, payload: payload.into(), is_kept, expiry_s })
    }

    /// What a device says at `at` by our own clock; a small device's is not trusted.
    pub(super) fn heard(&self, topic: &[u8], payload: &[u8], at: Millis) -> Inbound {
        let ignored = || Inbound::Ignored { event: "ack".to_owned() };
        let to = std::str::from_utf8(topic).ok().and_then(|topic| topic.strip_suffix("/ack"));
        let (Some(to), Ok(answer)) = (to, serde_json::from_slice::<Answer>(payload)) else {
            return ignored();
        };
        // Whoever was not sent the command cannot say that it came: not even another device.
        let proof = BASE64_STANDARD.decode(&answer.proof).unwrap_or_default();
        if hmac::verify(&self.proofs, &proven(to, &answer.delivery), &proof).is_err() {
            return ignored();
        }
        let level = match answer.state.as_str() {
            // That it was spoken to the end does not say that anybody listened.
            "received" | "playing" | "done" => Level::Delivered,
            "failed" => Level::Failed,
            _ => return ignored(),
        };
        Inbound::Receipt { provider_id: answer.delivery, level, at }
    }
}

fn proven(to: &str, delivery: &str) -> Vec<u8> {
    format!("{to}\n{delivery}").into_bytes()
}

/// One level of a topic.
pub(super) fn is_level(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'+' | b'#');
    !text.is_empty() && text.bytes().all(is_plain)
}

#[cfg(test)]
#[path = "profile_tests.rs"]
mod tests;
