//! SMS, by whichever provider the account is with: what a text may hold, the provider's way back
//! to us, and what an answer says by its status alone.
//!
//! Texts are unaccented unless the account says otherwise: marks halve what fits (`channels.md`,
//! 6.4). A template that the carriers have registered is between the operator and the provider.
//! A number is sealed: it stands in a request and nowhere else.

pub mod esms;
pub mod speedsms;

use std::borrow::Cow;

use domain::channel::ChannelType;
use rendering::{Letters, Unit, plain::unaccented};
use reqwest::{StatusCode, Url};
use ring::hmac;
use serde_json::Value;

use crate::{
    channels::{
        Caps, Confirms, Health, NotReceived, NotRendered, Outcome, PhotoRule, Rendered, Repeats,
        View,
        address::{base, stays_here},
        http::Answer,
    },
    secret::Secret,
};

/// What carriers take as one message.
const SEGMENTS: std::ops::RangeInclusive<u8> = 1..=3;
/// GSM-7 and UCS-2: characters of a message alone, and of one of several.
const GSM_CHARS: (usize, usize) = (160, 153);
const UCS2_CHARS: (usize, usize) = (70, 67);
/// What a secret in an address must have, so that nobody guesses it.
const PATH_BYTES: std::ops::RangeInclusive<usize> = 20..=200;

/// How an account writes.
#[derive(Debug, Clone, Copy)]
struct Writing {
    is_unicode: bool,
    chars_max: usize,
}

impl Writing {
    /// # Errors
    /// What is wrong, with the field's name.
    fn of(is_unicode: bool, segments: Option<u8>) -> Result<Self, String> {
        let segments = segments.unwrap_or(*SEGMENTS.end());
        if !SEGMENTS.contains(&segments) {
            return Err("segments: phải từ 1 đến 3 / is not 1 to 3".to_owned());
        }
        let (alone, of_several) = if is_unicode { UCS2_CHARS } else { GSM_CHARS };
        let chars_max = if segments == 1 { alone } else { of_several * usize::from(segments) };
        Ok(Self { is_unicode, chars_max })
    }

    /// UCS-2 counts as UTF-16 does; the unaccented text is ASCII, one septet each.
    fn unit(self) -> Unit {
        if self.is_unicode { Unit::Utf16 } else { Unit::Bytes }
    }

    fn caps(self, confirms: Confirms, repeats: Repeats) -> Caps {
        Caps {
            channel_type: ChannelType::Sms,
            text_max: self.chars_max,
            unit: self.unit(),
            confirms,
            repeats,
            photo: PhotoRule::None,
            shares_account: true,
            // By contract: the operator says.
            per_minute: None,
            per_minute_a_target: None,
        }
    }

    fn render(self, view: &View<'_>) -> Result<Rendered, NotRendered> {
        let letters = if self.is_unicode { Letters::Vietnamese } else { Letters::Plain };
        // Whether it is real, what must be said, who says it and where to check are never cut.
        let fitted = view.told.brief(self.chars_max, letters).ok_or(NotRendered("too-long"))?;
        let warnings = if fitted.is_cut { vec!["text-cut"] } else { vec![] };
        Ok(Rendered { warnings, ..Rendered::text(fitted.text) })
    }

    /// A few words to one person, none of which is cut; a link that lost a letter opens nothing.
    fn note(self, text: &str) -> Option<Rendered> {
        let written = if self.is_unicode { text.to_owned() } else { unaccented(text) };
        let mut links = text.split_whitespace().filter(|word| word.contains("://"));
        let is_whole = links.all(|link| written.split_whitespace().any(|word| word == link));
        let fits = is_whole && self.unit().len(&written) <= self.chars_max;
        fits.then(|| Rendered::text(written))
    }
}

/// Where a provider that signs nothing calls us: an address that only it knows, and that leads to
/// fan-out, since receipts are its own.
struct WayBack {
    url: String,
    key: hmac::Key,
    tag: hmac::Tag,
}

impl WayBack {
    /// `callback_url` is the beginning of the address, as the account has it; without one the
    /// public address is. A provider elsewhere than on this machine must reach it.
    ///
    /// # Errors
    /// What is wrong, with the field's name.
    fn of(
        account: &str,
        secret: &Secret,
        callback_url: Option<&str>,
        (public_url, provider_url): (&str, &str),
    ) -> Result<Self, String> {
        let path = secret.reveal();
        let is_plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
        if !PATH_BYTES.contains(&path.len()) || !path.bytes().all(is_plain) {
            return Err("callback-secret: phải từ 20 ký tự A-Z a-z 0-9 - _ / \
                        must be at least 20 of A-Z a-z 0-9 - _"
                .to_owned());
        }
        let base_url = base("callback-url", callback_url.unwrap_or(public_url))?;
        let is_here = |url: &str| Url::parse(url).is_ok_and(|url| stays_here(&url));
        if is_here(&base_url) && !is_here(provider_url) {
            return Err("callback-url: nhà cung cấp không gọi tới chính máy này được, \
                        hãy đặt callback-url hay --public-url / no provider reaches this machine \
                        itself: set callback-url or --public-url"
                .to_owned());
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, path.as_bytes());
        let tag = hmac::sign(&key, path.as_bytes());
        Ok(Self { url: format!("{base_url}/v1/channels/{account}/callback/{path}"), key, tag })
    }

    /// In constant time, whatever is given.
    fn verify(&self, path: &str) -> Result<(), NotReceived> {
        hmac::verify(&self.key, path.as_bytes(), self.tag.as_ref())
            .map_err(|_| NotReceived::NotSigned)
    }
}

/// A provider's base URL, without a slash at the end.
fn base_url(given: Option<&str>, usual: &str) -> Result<String, String> {
    base("base-url", given.unwrap_or(usual))
}

/// What an answer says that has no code of the provider's.
fn by_status(answer: &Answer, now_s: i64) -> Outcome {
    let after_s = answer.retry_after_s(now_s);
    match answer.status {
        StatusCode::TOO_MANY_REQUESTS => Outcome::Retry { after_s, why: "rate" },
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => down("key"),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => down("base-url"),
        status if status.is_client_error() => refused("status"),
        status if status.is_success() => Outcome::Unknown { after_s: None, why: "unreadable" },
        _ => Outcome::Unknown { after_s, why: "status" },
    }
}

/// What an answer says whose code nobody has explained to us.
fn unlisted(answer: &Answer, now_s: i64) -> Outcome {
    if answer.status.is_success() {
        return Outcome::Unknown { after_s: None, why: "code" };
    }
    by_status(answer, now_s)
}

/// How an account is, by what an attempt would have come to.
fn health(outcome: Outcome) -> Health {
    match outcome {
        Outcome::Accepted { .. } => Health::Works,
        Outcome::ChannelDown { code } => Health::Down { code },
        other => Health::NotKnown { why: Cow::Owned(other.trouble().to_owned()) },
    }
}

/// A field that is a text in one version and a number in the next; empty where it is neither.
fn word(object: &Value, field: &str) -> String {
    match object.get(field) {
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn refused(code: &'static str) -> Outcome {
    Outcome::Permanent { code: Cow::Borrowed(code) }
}

fn gone(why: &'static str) -> Outcome {
    Outcome::TargetGone { why: Cow::Borrowed(why) }
}

fn down(code: &'static str) -> Outcome {
    Outcome::ChannelDown { code: Cow::Borrowed(code) }
}
