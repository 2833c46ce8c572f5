//! What the public is told of an alert: the body of a webhook. Pure.
//!
//! Never the name of a person, exact coordinates, photos, legal bases or notes.
//! One alert goes to thousands of groups: what they share is written once, see [`Body`].

use std::fmt;

use bytes::Bytes;
use domain::{
    alert::AlertFacts,
    follow_up,
    gate::watermark,
    guard::mandatory_text,
    ids::{AlertId, Millis},
    values::{AlertKind, AlertStatus, News},
};
use jiff::{Timestamp, tz::Offset};
use serde_json::Value;
use wire::v1::AlertText;

use crate::plain::harmless;

/// An alert as it stands at one revision, with its words.
#[derive(Clone, PartialEq)]
pub struct Sheet {
    /// The alert.
    pub alert: AlertId,
    /// Ten characters that people type to verify.
    pub code: String,
    /// The revision that is told.
    pub revision: u64,
    /// The state's word, as `active`.
    pub state: &'static str,
    /// What is open of it.
    pub facts: AlertFacts,
    /// Its words, unsealed. More stands here than is rendered.
    pub text: AlertText,
    /// When it was issued.
    pub sent: Millis,
}

impl fmt::Debug for Sheet {
    /// Without the words: they are sealed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sheet({} revision {})", self.alert, self.revision)
    }
}

/// The body of one news for all its deliveries: everything but the delivery, serialised once.
///
/// The words are what the public may read, and many a receiver shows them as they stand: mentions
/// and links in them are made harmless (`plain`). An ordinary text is the same to the byte. The
/// only link is `verify`.
#[derive(Clone)]
pub struct Body {
    /// JSON up to and with `"delivery":`.
    front: String,
}

impl Body {
    /// The common part. `at` is when the news was recorded, so that a retry has the same body;
    /// `verify_base` is where codes are verified, as `https://keng.example.vn/v`.
    #[must_use]
    pub fn of_alert(news: News, at: Millis, sheet: &Sheet, verify_base: &str) -> Self {
        let front = format!(
            "{{\"type\":\"alert.{}\",\"timestamp\":\"{}\",\"data\":{{\"alert\":{},\"delivery\":",
            news.as_str(),
            rfc3339(at),
            alert(news, sheet, verify_base).close(),
        );
        Self { front }
    }

    /// The whole body, as it is signed and sent: the common part and this delivery.
    #[must_use]
    pub fn for_delivery(&self, id: &str, group: &str, commune: &str, channel: &str) -> Bytes {
        let fields = [("id", id), ("group", group), ("commune", commune), ("channel", channel)];
        let room: usize = fields.iter().map(|(name, text)| name.len() + text.len() + 6).sum();
        let mut body = Vec::with_capacity(self.front.len() + room + 4);
        body.extend_from_slice(self.front.as_bytes());
        for (place, (name, text)) in fields.into_iter().enumerate() {
            body.extend_from_slice(if place == 0 { b"{\"" } else { b",\"" });
            body.extend_from_slice(name.as_bytes());
            body.extend_from_slice(b"\":");
            // Writing to a vector cannot fail.
            let _ = serde_json::to_writer(&mut body, text);
        }
        body.extend_from_slice(b"}}}");
        Bytes::from(body)
    }
}

fn alert(news: News, sheet: &Sheet, verify_base: &str) -> Object {
    let Sheet { facts, text, .. } = sheet;
    let mut alert = Object::default();
    alert.put("id", sheet.alert.to_string());
    alert.put("code", sheet.code.as_str());
    alert.put("revision", sheet.revision);
    alert.put("state", sheet.state);
    alert.put("kind", facts.kind.as_str());
    alert.put("status", facts.status.as_str());
    alert.put("commune", facts.home.commune.as_str());
    alert.put("headline", marked(facts.status, news, &harmless(&text.headline)));
    alert.put_text("description", &harmless(&text.description));
    let given = harmless(&text.instruction);
    alert.put_text("instruction", &instruction(facts.kind, news, &given));
    alert.put_object("last_seen", last_seen(facts, text));
    alert.put_object("person", person(facts, text));
    alert.put("sent", rfc3339(sheet.sent));
    alert.put("expires", rfc3339(facts.expires_at));
    let verify = format!("{}/{}", verify_base.trim_end_matches('/'), sheet.code);
    alert.put("verify", verify);
    alert
}

/// R5: who reads no more than the headline must still see that it is not real, or is over.
pub(crate) fn marked(status: AlertStatus, news: News, headline: &str) -> String {
    let marks = [follow_up::mark(news), watermark(status)];
    marks.into_iter().flatten().fold(headline.to_owned(), |line, mark| mark.on(&line))
}

/// What an alert of this kind must carry comes first (R20), then what its news asks for.
fn instruction(kind: AlertKind, news: News, given: &str) -> String {
    let given =
        Some(given).filter(|given| !given.is_empty() && follow_up::keeps_instructions(news));
    let prepared = [mandatory_text(kind, None), follow_up::words(news)];
    let prepared = prepared.into_iter().flatten().map(|sentence| sentence.to_string());
    prepared.chain(given.map(str::to_owned)).collect::<Vec<_>>().join("\n")
}

/// What a commune adds for its own groups comes last, with its name: whoever shows the text as it
/// stands shows whose word it is.
#[must_use]
pub fn with_local(instruction: &str, commune: &str, local: &str) -> String {
    let line = if instruction.is_empty() { "" } else { "\n" };
    format!("{instruction}{line}{commune}: {local}")
}

/// To about a hundred metres, from what is open; the exact point stays sealed.
fn last_seen(facts: &AlertFacts, text: &AlertText) -> Object {
    let mut last_seen = Object::default();
    let Some(facts) = facts.last_seen else { return last_seen };
    if let Some(at) = facts.at {
        last_seen.put("at", rfc3339(at));
    }
    if let Some(point) = facts.point {
        last_seen.put("lat", f64::from(point.lat_millideg) / 1_000.0);
        last_seen.put("lon", f64::from(point.lon_millideg) / 1_000.0);
    }
    last_seen.put_text("place", &harmless(&text.place));
    last_seen
}

fn person(facts: &AlertFacts, text: &AlertText) -> Object {
    let mut person = Object::default();
    if let Some(age) = facts.person.and_then(|facts| facts.age_years) {
        person.put("age", age);
    }
    if let Some(sex) = facts.person.and_then(|facts| facts.sex) {
        person.put("sex", sex.as_str());
    }
    person.put_text("clothing", &harmless(&text.person_clothing));
    person.put_text("description", &harmless(&text.person_description));
    person
}

/// In the time of Việt Nam, which has one zone and no summer time: whoever shows the text as it
/// stands shows the right hour. An instant outside the calendar becomes its nearest end.
#[must_use]
pub fn rfc3339(at: Millis) -> String {
    const VIET_NAM: Offset = jiff::tz::offset(7);
    let end = if at.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(at.0).unwrap_or(end).display_with_offset(VIET_NAM).to_string()
}

/// A JSON object in the making: fields stay in their order, and nothing can fail. Field names are
/// ours and need no escapes.
#[derive(Default)]
struct Object(String);

impl Object {
    fn put(&mut self, name: &'static str, value: impl Into<Value>) {
        self.put_raw(name, &value.into().to_string());
    }

    /// An empty text is an absent field.
    fn put_text(&mut self, name: &'static str, text: &str) {
        if !text.is_empty() {
            self.put(name, text);
        }
    }

    /// An empty object is an absent field.
    fn put_object(&mut self, name: &'static str, object: Self) {
        if !object.0.is_empty() {
            self.put_raw(name, &object.close());
        }
    }

    fn put_raw(&mut self, name: &'static str, json: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
        self.0.push_str(json);
    }

    fn close(mut self) -> String {
        if self.0.is_empty() {
            self.0.push('{');
        }
        self.0.push('}');
        self.0
    }
}

#[cfg(test)]
#[path = "body_tests.rs"]
pub(crate) mod tests;
