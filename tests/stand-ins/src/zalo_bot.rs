//! The Zalo Bot Platform, as far as a bot needs it that tells and listens. Source: `channels.md`, 3
//! (A; C: the status and the text by which an unknown chat is refused).

use std::{collections::BTreeSet, io};

use serde_json::{Value, json};

use crate::bot::{Call, Fate, Provider, Server, Update};

const TEXT_MAX: usize = 2_000;
const SECRET: &str = "X-Bot-Api-Secret-Token";
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 8..=256;
const NOW_MS: u64 = 1_795_257_600_000;

/// A message in a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Where.
    pub chat: String,
    /// The text, or the caption.
    pub text: String,
    /// The address of the picture.
    pub photo: Option<String>,
}

/// The provider. Dropping it stops it.
pub struct ZaloBot {
    server: Server<State>,
}

struct State {
    token: String,
    chats: BTreeSet<String>,
    posted: Vec<Posted>,
    takes_pictures: bool,
    /// How many messages more are within the quota.
    quota: Option<u32>,
    /// Whether a refusal comes with the status 200 and says so in the body alone.
    refuses_at_200: bool,
    /// Whether the address of a webhook answers when it is set.
    hook_answers: bool,
    hook: Option<String>,
    secret: String,
    next_message: u64,
}

impl ZaloBot {
    /// Starts with one bot of this token, in these chats.
    ///
    /// # Errors
    /// No port could be had.
    pub async fn start(token: &str, chats: &[&str]) -> io::Result<Self> {
        let server = Server::start(State {
            token: token.to_owned(),
            chats: chats.iter().map(|chat| (*chat).to_owned()).collect(),
            posted: Vec::new(),
            takes_pictures: true,
            quota: None,
            refuses_at_200: false,
            hook_answers: true,
            hook: None,
            secret: String::new(),
            next_message: 1,
        });
        Ok(Self { server: server.await? })
    }

    /// The base URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// From now on, another token is the bot's.
    pub fn change_token(&self, token: &str) {
        token.clone_into(&mut self.server.provider().token);
    }

    /// From now on, no picture can be fetched.
    pub fn refuse_pictures(&self) {
        self.server.provider().takes_pictures = false;
    }

    /// So many messages more are taken.
    pub fn set_quota(&self, messages: u32) {
        self.server.provider().quota = Some(messages);
    }

    /// From now on, every refusal comes with the status 200.
    pub fn refuse_at_200(&self) {
        self.server.provider().refuses_at_200 = true;
    }

    /// From now on, an address that is set as a webhook does not answer.
    pub fn break_hook(&self) {
        self.server.provider().hook_answers = false;
    }

    /// What becomes of the next call that has no fate yet.
    pub fn next(&self, fate: Fate) {
        self.server.next(fate);
    }

    /// The next call is refused with this code.
    pub fn refuse_next(&self, code: u16, description: &str) {
        let (status, body) = self.server.provider().error(code, description);
        self.next(Fate::Answer(status, body.to_string()));
    }

    /// Every call so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.server.calls()
    }

    /// Every message so far that is shown in a chat.
    #[must_use]
    pub fn posted(&self) -> Vec<Posted> {
        self.server.provider().posted.clone()
    }

    /// The secret that events carry, as set by `setWebhook`.
    pub fn set_secret(&self, secret: &str) {
        secret.clone_into(&mut self.server.provider().secret);
    }

    /// An event about a message, as `message.text.received`, with these fields in the message.
    #[must_use]
    pub fn event(&self, event_name: &str, chat: &str, fields: &Value) -> Update {
        let mut state = self.server.provider();
        let mut message = json!({
            "from": {"id": "6ede9afa66b88fe6d6a9", "display_name": "Ân", "is_bot": false},
            "chat": {"id": chat, "chat_type": "PRIVATE"},
            "message_id": format!("2d758cb5e222177a{:04}", state.next_message),
            "date": NOW_MS,
        });
        state.next_message += 1;
        if let (Some(message), Some(fields)) = (message.as_object_mut(), fields.as_object()) {
            message.extend(fields.clone());
        }
        let event = json!({"event_name": event_name, "message": message});
        Update {
            secret: (SECRET, state.secret.clone()),
            body: json!({"ok": true, "result": event}).to_string(),
        }
    }

    /// Somebody writes.
    #[must_use]
    pub fn writes(&self, chat: &str, text: &str) -> Update {
        self.event("message.text.received", chat, &json!({"text": text}))
    }

    /// A protected sender writes: a child, a disabled person. The words are withheld.
    #[must_use]
    pub fn withholds(&self, chat: &str) -> Update {
        self.event("message.unsupported.received", chat, &json!({}))
    }
}

fn done(result: Value) -> (u16, Value) {
    (200, json!({"ok": true, "result": result}))
}

impl Provider for State {
    fn answer(&mut self, token: &str, method: &str, body: &Value) -> (u16, Value) {
        if token != self.token {
            return self.error(401, "Unauthorized");
        }
        match method {
            "getMe" => done(json!({"id": "1", "account_name": "bot.keng",
                "account_type": "BASIC", "can_join_groups": true})),
            "sendMessage" => self.send(body, "text"),
            "sendPhoto" => self.send(body, "caption"),
            // Nobody has written; with a webhook it is refused.
            "getUpdates" if self.hook.is_none() => self.error(408, "Request timeout"),
            "setWebhook" => self.set_hook(body),
            "deleteWebhook" => {
                self.hook = None;
                done(json!({"url": "", "updated_at": NOW_MS}))
            }
            "getWebhookInfo" => match &self.hook {
                Some(url) => done(json!({"url": url, "updated_at": NOW_MS})),
                None => self.error(404, "Webhook not found"),
            },
            _ => self.error(400, "Bad request"),
        }
    }
}

impl State {
    fn error(&self, code: u16, description: &str) -> (u16, Value) {
        let status = if self.refuses_at_200 { 200 } else { code };
        (status, json!({"ok": false, "error_code": code, "description": description}))
    }

    fn send(&mut self, body: &Value, field: &str) -> (u16, Value) {
        let text_of = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let (chat, text, photo) = (text_of("chat_id"), text_of(field), text_of("photo"));
        if !(1..=TEXT_MAX).contains(&text.encode_utf16().count()) {
            return self.error(400, "Bad request: text");
        }
        if !self.chats.contains(chat) {
            return self.error(404, "Chat not found");
        }
        let has_photo = field == "caption";
        if has_photo && (!self.takes_pictures || !photo.starts_with("http")) {
            return self.error(400, "Bad request: photo");
        }
        match &mut self.quota {
            Some(0) => return self.error(429, "Quota exceeded"),
            Some(left) => *left -= 1,
            None => {}
        }
        let photo = has_photo.then(|| photo.to_owned());
        self.posted.push(Posted { chat: chat.to_owned(), text: text.to_owned(), photo });
        let message_id = format!("82599fa32f56d{:07}", self.posted.len());
        done(json!({"message_id": message_id, "date": NOW_MS}))
    }

    /// The address is kept even where it does not answer.
    fn set_hook(&mut self, body: &Value) -> (u16, Value) {
        let text_of = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let (url, secret) = (text_of("url"), text_of("secret_token"));
        if !url.starts_with("https://") || !SECRET_BYTES.contains(&secret.len()) {
            return self.error(400, "Bad request");
        }
        self.hook = Some(url.to_owned());
        secret.clone_into(&mut self.secret);
        let verification = if self.hook_answers {
            json!({"ok": true, "outcome": "success", "status_code": 200})
        } else {
            json!({"ok": false, "outcome": "timeout", "status_code": 0, "hint": "no answer"})
        };
        done(json!({"url": url, "updated_at": NOW_MS, "verification": verification}))
    }
}
