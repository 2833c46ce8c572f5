//! The channel `zalo-bot`: a bot of the Zalo Bot Platform in a chat. Source: `channels.md`, 3.
//!
//! Plain text or a picture with a caption, one POST; no markup mode, so that nothing which a
//! citizen said is markup. No receipt, no idempotency, no read-back: what may have been sent stays
//! unknown. Certain (A) are envelope and methods; not (C) groups, and texts of errors.

use std::{borrow::Cow, sync::Arc};

use domain::channel::ChannelType;
use futures::future::{BoxFuture, FutureExt};
use registry::Address;
use rendering::Unit;
use serde::Deserialize;
use serde_json::{Value, json};
use toml::Table;

use crate::{
    accounts::{Tools, fields},
    channels::{
        Caps, Channel, Confirms, Health, Inbound, Intent, NotReceived, NotRendered, Outcome,
        PhotoRule, RawRequest, Received, Rendered, Repeats, Sent, View,
        bot::{Attempt, Bot, CallSecret, Reply, name, photo_of},
        http::Http,
    },
    secret::Secret,
};

/// Of a message and of a caption alike. In what Zalo counts is not said: in UTF-16, as its
/// offsets are, nothing is shorter than in characters.
const TEXT_MAX: usize = 2_000;

const CAPS: Caps = Caps {
    channel_type: ChannelType::ZaloBot,
    text_max: TEXT_MAX,
    unit: Unit::Utf16,
    confirms: Confirms::Accepted,
    repeats: Repeats::ShownTwice,
    photo: PhotoRule::ByUrl,
    shares_account: true,
    // One a second; the quota is not published (C).
    per_minute: Some(60),
    per_minute_a_target: None,
};

const URL: &str = "https://bot-api.zaloplatforms.com";
const CALL_SECRET: &str = "x-bot-api-secret-token";
/// What `setWebhook` takes.
const CALL_SECRET_BYTES: std::ops::RangeInclusive<usize> = 8..=256;

/// Somebody writes. The last comes in the place of what a protected sender wrote (a child, a
/// disabled person), whose words the law withholds: nothing to read, and an answer to give.
const TIPS: [&str; 5] = [
    "message.text.received",
    "message.image.received",
    "message.sticker.received",
    "message.voice.received",
    "message.unsupported.received",
];

/// The channel.
pub struct ZaloBot {
    bot: Bot,
    /// `None` where the provider does not call us.
    calls: Option<CallSecret>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Fields {
    token: Secret,
    webhook_secret: Option<Secret>,
    url: Option<String>,
}

/// Opens an account of the type `zalo-bot`.
///
/// # Errors
/// What is wrong with its table, by field.
pub fn open(_: &str, table: Table, tools: &Tools) -> Result<Vec<Arc<dyn Channel>>, String> {
    Ok(vec![Arc::new(ZaloBot::of(table, &tools.http)?)])
}

impl ZaloBot {
    fn of(table: Table, http: &Http) -> Result<Self, String> {
        let Fields { token, webhook_secret, url } = fields(table)?;
        let fits = |secret: &Secret| CALL_SECRET_BYTES.contains(&secret.reveal().len());
        if !webhook_secret.as_ref().is_none_or(fits) {
            return Err(
                "webhook-secret: phải từ 8 đến 256 byte / must be 8 to 256 bytes".to_owned()
            );
        }
        let bot = Bot::new(http, url.as_deref().unwrap_or(URL), &token)?;
        Ok(Self { bot, calls: webhook_secret.as_ref().map(CallSecret::new) })
    }

    async fn post(&self, method: &str, body: &Value, attempt: Attempt) -> Sent {
        match self.bot.call(method, body, attempt).await {
            Ok(reply) => of_reply(&reply),
            Err(no) => Outcome::from(no).into(),
        }
    }

    async fn attempt(&self, message: &Rendered, to: &str, intent: &Intent<'_>) -> Sent {
        let (attempt, text) = (self.bot.begin(intent.now), message.as_text());
        if let Some(photo) = photo_of(message, intent) {
            let body = json!({"chat_id": to, "photo": photo.url, "caption": text});
            let sent = self.post("sendPhoto", &body, attempt).await;
            if !matches!(sent.outcome, Outcome::Permanent { .. }) {
                return sent;
            }
            // Surely not sent, and it may be for the picture: the words must not fall with it.
            metrics::counter!("keng_pictures_refused_total", "channel" => "zalo-bot").increment(1);
        }
        self.post("sendMessage", &json!({"chat_id": to, "text": text}), attempt).await
    }
}

impl Channel for ZaloBot {
    fn caps(&self) -> &Caps {
        &CAPS
    }

    fn render(&self, view: &View<'_>) -> Result<Rendered, NotRendered> {
        let fitted = view.told.fit(TEXT_MAX, CAPS.unit).ok_or(NotRendered("too-long"))?;
        let warnings = if fitted.is_cut { vec!["text-cut"] } else { vec![] };
        Ok(Rendered { photo: view.photo.cloned(), warnings, ..Rendered::text(fitted.text) })
    }

    fn note(&self, text: &str, _: &str) -> Option<Rendered> {
        (CAPS.unit.len(text) <= TEXT_MAX).then(|| Rendered::text(text))
    }

    fn send<'a>(
        &'a self,
        message: &'a Rendered,
        to: &'a Address,
        intent: Intent<'a>,
    ) -> BoxFuture<'a, Sent> {
        async move { self.attempt(message, &to.to, &intent).await }.boxed()
    }

    fn receive(&self, request: RawRequest<'_>) -> Result<Received, NotReceived> {
        let calls = self.calls.as_ref().ok_or(NotReceived::Unsupported)?;
        if !calls.is_in(request.headers, CALL_SECRET) {
            return Err(NotReceived::NotSigned);
        }
        let call: Value =
            serde_json::from_slice(request.body).map_err(|_| NotReceived::NotReadable)?;
        let event = call.get("result").unwrap_or(&Value::Null);
        Ok(Received { inbound: vec![inbound(event)?], answer: "" })
    }

    fn probe(&self) -> BoxFuture<'_, Health> {
        self.bot.health(of_reply).boxed()
    }
}

fn inbound(event: &Value) -> Result<Inbound, NotReceived> {
    let event_name = event.get("event_name").and_then(Value::as_str).unwrap_or_default();
    if !TIPS.contains(&event_name) {
        return Ok(Inbound::Ignored { event: event_name.to_owned() });
    }
    let text = |pointer: &str| event.pointer(pointer).and_then(name);
    // An answer goes to the chat; that of one person has the person's id.
    let from = text("/message/chat/id").or_else(|| text("/message/from/id"));
    let message_id = text("/message/message_id").or_else(|| text("/message/date"));
    let (from, message_id) = from.zip(message_id).ok_or(NotReceived::NotReadable)?;
    Ok(Inbound::Tip { from, message_id })
}

/// By Zalo's own table of codes, which come at HTTP 200 as well as at a status alike.
fn of_reply(reply: &Reply) -> Sent {
    let outcome = match reply.code {
        _ if reply.is_done() => Outcome::Accepted { provider_id: reply.message_id() },
        // Whoever answers so, nothing went through.
        429 => Outcome::Retry { after_s: reply.after_s, why: "rate" },
        401 => Outcome::ChannelDown { code: Cow::Borrowed("token") },
        400 | 404 if reply.is_refused() && has_no_chat(reply) => {
            Outcome::TargetGone { why: Cow::Borrowed("chat-not-found") }
        }
        400 if reply.is_refused() => Outcome::Permanent { code: Cow::Borrowed("bad-request") },
        404 if reply.is_refused() => Outcome::Permanent { code: Cow::Borrowed("not-found") },
        // 403 is "internal server error" there, and no matter of rights; 408 a time-out, within.
        // Both are to be tried again, and neither says that nobody was told: who counted as not
        // reached would not be told of a correction.
        _ => reply.unknown(),
    };
    Sent::with(outcome, reply.code)
}

/// How Zalo words it is not documented (C); what does not read so is the message's own fault.
fn has_no_chat(reply: &Reply) -> bool {
    let is_missing = ["not found", "not exist"].iter().any(|words| reply.says(words));
    is_missing && ["chat", "user", "group"].iter().any(|word| reply.says(word))
}

#[cfg(test)]
#[path = "zalo_bot_tests.rs"]
mod tests;
