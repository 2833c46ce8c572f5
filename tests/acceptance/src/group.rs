//! Groups of a story: who is told, and where.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

/// One group with one webhook, or with the channels that a story gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The id, as `g-1`.
    pub id: String,
    /// The commune's code.
    pub commune: String,
    /// What holds it together.
    pub kind: String,
    /// How many people.
    pub members: u32,
    /// Whether it takes part in drills.
    pub exercises: bool,
    /// The webhook's URL; the timeline's own sink where it is `None`.
    pub url: Option<String>,
    /// Its channels as the groups' file has them; one webhook where there is none.
    pub channels: Vec<Value>,
}

/// A hamlet of 120 people, at the timeline's own sink.
#[must_use]
pub fn group(id: &str, commune: &str) -> Group {
    let (id, commune, kind) = (id.to_owned(), commune.to_owned(), "hamlet".to_owned());
    Group { id, commune, kind, members: 120, exercises: false, url: None, channels: vec![] }
}

impl Group {
    /// Of this kind.
    #[must_use]
    pub fn kind(mut self, kind: &str) -> Self {
        kind.clone_into(&mut self.kind);
        self
    }

    /// Of so many people.
    #[must_use]
    pub fn members(mut self, members: u32) -> Self {
        self.members = members;
        self
    }

    /// Whether it takes part in drills.
    #[must_use]
    pub fn exercises(mut self, exercises: bool) -> Self {
        self.exercises = exercises;
        self
    }

    /// Somewhere else than at the timeline's own sink; `base` is `http://HOST:PORT`.
    #[must_use]
    pub fn at(mut self, base: &str) -> Self {
        self.url = Some(format!("{base}{}", path_of(&self.id)));
        self
    }

    /// One channel more, as the groups' file has it, in place of the one webhook. A webhook needs
    /// neither URL nor secret here: it gets the group's own.
    #[must_use]
    pub fn channel(mut self, channel: Value) -> Self {
        self.channels.push(channel);
        self
    }

    /// The secret that signs: another one for each group, the same in every run.
    #[must_use]
    pub fn secret(&self) -> String {
        let bytes: Vec<u8> = self.id.bytes().cycle().zip(0..32).map(|(b, n)| b ^ n).collect();
        format!("whsec_{}", BASE64_STANDARD.encode(bytes))
    }

    /// A line of the groups' file.
    #[must_use]
    pub fn to_json(&self, sink: &str) -> Value {
        let url = self.url.clone().unwrap_or_else(|| format!("{sink}{}", path_of(&self.id)));
        let webhook = |mut channel: Value| {
            let is_webhook = channel.pointer("/type") == Some(&json!("webhook"));
            if let Some(fields) = channel.as_object_mut().filter(|_| is_webhook) {
                fields.entry("url").or_insert_with(|| json!(url));
                fields.entry("secret").or_insert_with(|| json!(self.secret()));
            }
            channel
        };
        let channels = match self.channels.as_slice() {
            [] => vec![json!({ "type": "webhook" })],
            channels => channels.to_vec(),
        };
        let channels: Vec<Value> = channels.into_iter().map(webhook).collect();
        json!({
            "id": self.id,
            "commune": self.commune,
            "name": format!("Nhóm {}", self.id),
            "kind": self.kind,
            "members": self.members,
            "exercises": self.exercises,
            "channels": channels,
        })
    }
}

/// Where a group is called.
#[must_use]
pub fn path_of(group: &str) -> String {
    format!("/g/{group}")
}
