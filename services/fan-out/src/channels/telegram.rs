//! The channel `telegram`: a bot in a chat. Source: `channels.md`, 4 (M: the Bot API's own pages).
//!
//! Off unless the account says otherwise: Telegram is ordered blocked in Việt Nam. Plain text or
//! a picture with a caption, one POST; no markup mode. No receipt, no idempotency, no read-back, no
//! reply to the first message, whose id is kept nowhere.

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
        Caps, Channel, Confirms, Health, Inbound, Intent, NotReceived, NotRendered, Outcome, Photo,
        PhotoRule, RawRequest, Received, Rendered, Repeats, Sent, View,
        bot::{Attempt, Bot, CallSecret, Reply, name, photo_of},
        http::{Http, NoAnswer},
    },
    secret::Secret,
};

const TEXT_MAX: usize = 4_096;
/// A text that is longer goes without its picture: what to do outweighs it.
const CAPTION_MAX: usize = 1_024;

const CAPS: Caps = Caps {
    channel_type: ChannelType::Telegram,
    text_max: TEXT_MAX,
    unit: Unit::Utf16,
    confirms: Confirms::Accepted,
    repeats: Repeats::ShownTwice,
    photo: PhotoRule::ByUrl,
    shares_account: true,
    // 25 a second, of about 30 that a bot may.
    per_minute: Some(1_500),
    // Of 20 that a group may be sent.
    per_minute_a_target: Some(18),
};

const URL: &str = "https://api.telegram.org";
const CALL_SECRET: &str = "x-telegram-bot-api-secret-token";
/// What `setWebhook` takes.
const CALL_SECRET_BYTES: std::ops::RangeInclusive<usize> = 1..=256;

const OFF: &str = "enabled: Telegram bị yêu cầu chặn ở Việt Nam (Cục Viễn thông, công văn \
    2312/CVT-CS, tháng 5/2025), nên kênh này tắt; ai vẫn được dùng thì đặt enabled = true / \
    Telegram is ordered blocked in Viet Nam (Cục Viễn thông, công văn 2312/CVT-CS, May 2025), so \
    this channel is off; who may use it all the same sets enabled = true";

/// What a group writes about itself in the form of a message: nobody says anything.
const OF_THE_GROUP: [&str; 10] = [
    "new_chat_members",
    "left_chat_member",
    "new_chat_title",
    "new_chat_photo",
    "delete_chat_photo",
    "group_chat_created",
    "supergroup_chat_created",
    "migrate_to_chat_id",
    "migrate_from_chat_id",
    "pinned_message",
];

/// The channel.
pub struct Telegram {
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

/// Opens an account of the type `telegram`.
///
/// # Errors
/// It is not switched on, with the reason; or what is wrong with its table, by field.
pub fn open(_: &str, table: Table, tools: &Tools) -> Result<Vec<Arc<dyn Channel>>, String> {
    Ok(vec![Arc::new(Telegram::of(table, &tools.http)?)])
}

impl Telegram {
    fn of(mut table: Table, http: &Http) -> Result<Self, String> {
        // Said first, before anything else is found wrong with the table.
        if table.remove("enabled").and_then(|enabled| enabled.as_bool()) != Some(true) {
            return Err(OFF.to_owned());
        }
        let Fields { token, webhook_secret, url } = fields(table)?;
        if !webhook_secret.as_ref().is_none_or(|secret| is_call_secret(secret.reveal())) {
            return Err("webhook-secret: phải từ 1 đến 256 ký tự A-Z a-z 0-9 - _ / \
                        must be 1 to 256 of A-Z a-z 0-9 - _"
                .to_owned());
        }
        let bot = Bot::new(http, url.as_deref().unwrap_or(URL), &token)?;
        Ok(Self { bot, calls: webhook_secret.as_ref().map(CallSecret::new) })
    }

    async fn call(
        &self,
        chat: &Value,
        text: &str,
        photo: Option<&Photo>,
        attempt: Attempt,
    ) -> Result<Reply, NoAnswer> {
        let (method, body) = match photo {
            Some(photo) => {
                ("sendPhoto", json!({"chat_id": chat, "photo": photo.url, "caption": text}))
            }
            // A preview of the address to verify would say nothing, and push the words up.
            None => (
                "sendMessage",
                json!({"chat_id": chat, "text": text, "link_preview_options": {"is_disabled": true}}),
            ),
        };
        self.bot.call(method, &body, attempt).await
    }

    /// Three calls at most: to where the chat has moved, once, and without the picture, once.
    /// Before each, the one before was refused, so that nothing was sent.
    async fn attempt(&self, message: &Rendered, to: &str, intent: &Intent<'_>) -> Sent {
        let attempt = self.bot.begin(intent.now);
        let mut chat = to.parse::<i64>().map_or_else(|_| Value::from(to), Value::from);
        let mut photo = photo_of(message, intent);
        let mut has_moved = false;
        loop {
            let reply = match self.call(&chat, message.as_text(), photo, attempt).await {
                Ok(reply) => reply,
                Err(no) => return Outcome::from(no).into(),
            };
            let sent = of_reply(&reply);
            match (moved_to(&reply), &sent.outcome) {
                (Some(new), _) if !has_moved => {
                    tell_of_move(intent);
                    chat = new.clone();
                    has_moved = true;
                }
                (None, Outcome::Permanent { .. }) if photo.is_some() => {
                    metrics::counter!("keng_pictures_refused_total", "channel" => "telegram")
                        .increment(1);
                    photo = None;
                }
                _ => return sent,
            }
        }
    }
}

impl Channel for Telegram {
    fn caps(&self) -> &Caps {
        &CAPS
    }

    fn render(&self, view: &View<'_>) -> Result<Rendered, NotRendered> {
        let fitted = view.told.fit(TEXT_MAX, CAPS.unit).ok_or(NotRendered("too-long"))?;
        let is_caption = CAPS.unit.len(&fitted.text) <= CAPTION_MAX;
        let photo = view.photo.filter(|_| is_caption).cloned();
        let left_out = view.photo.is_some() && photo.is_none();
        let warnings = [(fitted.is_cut, "text-cut"), (left_out, "photo-left-out")];
        let warnings = warnings.into_iter().filter(|(is_so, _)| *is_so).map(|(_, what)| what);
        Ok(Rendered { photo, warnings: warnings.collect(), ..Rendered::text(fitted.text) })
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
        let update: Value =
            serde_json::from_slice(request.body).map_err(|_| NotReceived::NotReadable)?;
        Ok(Received { inbound: vec![inbound(&update)?], answer: "" })
    }

    fn probe(&self) -> BoxFuture<'_, Health> {
        self.bot.health(of_reply).boxed()
    }
}

fn is_call_secret(secret: &str) -> bool {
    CALL_SECRET_BYTES.contains(&secret.len())
        && secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// An update is told until it is answered with 2xx; a repeat is known by its `update_id`, since a
/// message's own id is one only within its chat.
fn inbound(update: &Value) -> Result<Inbound, NotReceived> {
    let id = update.get("update_id").and_then(name).ok_or(NotReceived::NotReadable)?;
    let ignored = |event: &str| Ok(Inbound::Ignored { event: event.to_owned() });
    let chat = |of: &Value| of.pointer("/chat/id").and_then(name).ok_or(NotReceived::NotReadable);
    if let Some(message) = update.get("message") {
        return match OF_THE_GROUP.iter().find(|told| message.get(**told).is_some()) {
            Some(told) => ignored(told),
            None => Ok(Inbound::Tip { from: chat(message)?, message_id: id }),
        };
    }
    if let Some(member) = update.get("my_chat_member") {
        return Ok(match (is_in(member, "old_chat_member"), is_in(member, "new_chat_member")) {
            (_, Some(false)) => Inbound::Left { target: chat(member)? },
            (Some(false), Some(true)) => Inbound::Joined { target: chat(member)? },
            // Rights were given or taken.
            _ => Inbound::Ignored { event: "my_chat_member".to_owned() },
        });
    }
    let other = update.as_object().and_then(|all| all.keys().find(|key| *key != "update_id"));
    ignored(other.map_or("", String::as_str))
}

/// Whether a member is one; `None` where it does not say. In a private chat, who blocks the bot
/// has `kicked` it.
fn is_in(update: &Value, member: &str) -> Option<bool> {
    let member = update.get(member)?;
    match member.get("status").and_then(Value::as_str)? {
        "left" | "kicked" => Some(false),
        "restricted" => Some(member.get("is_member").and_then(Value::as_bool).unwrap_or(true)),
        _ => Some(true),
    }
}

fn of_reply(reply: &Reply) -> Sent {
    let outcome = match reply.code {
        _ if reply.is_done() => Outcome::Accepted { provider_id: reply.message_id() },
        // Whoever answers so, nothing went through.
        429 => Outcome::Retry { after_s: reply.after_s, why: "rate" },
        401 => Outcome::ChannelDown { code: Cow::Borrowed("token") },
        _ if !reply.is_refused() => reply.unknown(),
        // So Telegram answers to a token that is none.
        404 => Outcome::ChannelDown { code: Cow::Borrowed("token") },
        400 if moved_to(reply).is_some() => Outcome::Retry { after_s: None, why: "chat-moved" },
        400 if reply.says("chat not found") => {
            Outcome::TargetGone { why: Cow::Borrowed("chat-not-found") }
        }
        400 if reply.says("too long") => Outcome::Permanent { code: Cow::Borrowed("too-long") },
        400 => Outcome::Permanent { code: Cow::Borrowed("bad-request") },
        // Every reason for it lies with the chat: the bot may not write there.
        403 => Outcome::TargetGone { why: Cow::Borrowed(forbidden(reply)) },
        _ => reply.unknown(),
    };
    Sent::with(outcome, reply.code)
}

fn forbidden(reply: &Reply) -> &'static str {
    let known = ["blocked", "kicked", "deactivated"];
    known.into_iter().find(|word| reply.says(word)).unwrap_or("forbidden")
}

/// A group that became a supergroup has another id from then on.
fn moved_to(reply: &Reply) -> Option<&Value> {
    reply.parameter("migrate_to_chat_id").filter(|_| reply.code == 400 && reply.is_refused())
}

/// The groups file must be corrected: until then each message costs a call more. The delivery
/// names the group; neither id of the chat is told.
fn tell_of_move(intent: &Intent<'_>) {
    metrics::counter!("keng_chats_moved_total", "channel" => "telegram").increment(1);
    tracing::warn!(delivery = intent.delivery, "a chat has a new id: correct the groups file");
}

#[cfg(test)]
#[path = "telegram_tests.rs"]
mod tests;
