//! Telegram's Bot API, as far as a bot needs it that tells and listens. Source: `channels.md`, 4
//! (M: core.telegram.org/bots/api), and texts of errors as clients have met them.

use std::{collections::BTreeMap, io};

use serde_json::{Value, json};

use crate::bot::{Call, Fate, Provider, Server, Update};

const TEXT_MAX: usize = 4_096;
const CAPTION_MAX: usize = 1_024;
const SECRET: &str = "X-Telegram-Bot-Api-Secret-Token";

/// How the bot stands to a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chat {
    /// It may write there.
    Here,
    /// The group has put it out.
    Kicked,
    /// The user has blocked it.
    Blocked,
    /// The user's account is no more.
    Deactivated,
    /// The group became a supergroup, of this id.
    MovedTo(i64),
}

/// A message in a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Where.
    pub chat: i64,
    /// The text, or the caption.
    pub text: String,
    /// The address of the picture.
    pub photo: Option<String>,
    /// Whether addresses in it are shown with a preview.
    pub has_preview: bool,
}

/// The provider. Dropping it stops it.
pub struct Telegram {
    server: Server<State>,
}

struct State {
    token: String,
    chats: BTreeMap<i64, Chat>,
    posted: Vec<Posted>,
    takes_pictures: bool,
    next_update: u64,
    secret: String,
}

impl Telegram {
    /// Starts with one bot of this token, in no chat.
    ///
    /// # Errors
    /// No port could be had.
    pub async fn start(token: &str) -> io::Result<Self> {
        let server = Server::start(State {
            token: token.to_owned(),
            chats: BTreeMap::new(),
            posted: Vec::new(),
            takes_pictures: true,
            next_update: 870_000_001,
            secret: String::new(),
        });
        Ok(Self { server: server.await? })
    }

    /// The base URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// How the bot stands to a chat from now on.
    pub fn set_chat(&self, id: i64, chat: Chat) {
        self.server.provider().chats.insert(id, chat);
    }

    /// From now on, another token is the bot's.
    pub fn change_token(&self, token: &str) {
        token.clone_into(&mut self.server.provider().token);
    }

    /// From now on, no picture can be fetched.
    pub fn refuse_pictures(&self) {
        self.server.provider().takes_pictures = false;
    }

    /// What becomes of the next call that has no fate yet.
    pub fn next(&self, fate: Fate) {
        self.server.next(fate);
    }

    /// The next call is one too many.
    pub fn limit_next(&self, retry_after_s: u32) {
        let mut told = error(429, &format!("Too Many Requests: retry after {retry_after_s}"));
        if let Some(told) = told.1.as_object_mut() {
            told.insert("parameters".to_owned(), json!({"retry_after": retry_after_s}));
        }
        self.next(Fate::Answer(told.0, told.1.to_string()));
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

    /// The secret that updates carry, as set by `setWebhook`.
    pub fn set_secret(&self, secret: &str) {
        secret.clone_into(&mut self.server.provider().secret);
    }

    /// Somebody writes in a chat.
    #[must_use]
    pub fn writes(&self, chat: i64, text: &str) -> Update {
        let message = json!({
            "message_id": 77, "date": 1_795_257_600, "text": text,
            "from": {"id": 4242, "is_bot": false, "first_name": "Ân"},
            "chat": {"id": chat, "type": "group", "title": "Thôn Tây"},
        });
        self.update("message", &message)
    }

    /// The bot's standing in a chat changes, as from `member` to `kicked`.
    #[must_use]
    pub fn becomes(&self, chat: i64, old: &str, new: &str) -> Update {
        let bot = json!({"id": 1, "is_bot": true, "first_name": "Kẻng"});
        let changed = json!({
            "chat": {"id": chat, "type": "group", "title": "Thôn Tây"}, "date": 1_795_257_600,
            "from": {"id": 4242, "is_bot": false, "first_name": "Ân"},
            "old_chat_member": {"user": bot, "status": old},
            "new_chat_member": {"user": bot, "status": new},
        });
        self.update("my_chat_member", &changed)
    }

    /// An update of any kind.
    #[must_use]
    pub fn update(&self, kind: &str, content: &Value) -> Update {
        let mut state = self.server.provider();
        let id = state.next_update;
        state.next_update += 1;
        Update {
            secret: (SECRET, state.secret.clone()),
            body: json!({"update_id": id, kind: content}).to_string(),
        }
    }
}

fn error(code: u16, description: &str) -> (u16, Value) {
    (code, json!({"ok": false, "error_code": code, "description": description}))
}

fn utf16(text: &str) -> usize {
    text.encode_utf16().count()
}

impl Provider for State {
    fn answer(&mut self, token: &str, method: &str, body: &Value) -> (u16, Value) {
        let parts = token.split_once(':');
        if parts.is_none_or(|(id, _)| id.parse::<u64>().is_err()) {
            return error(404, "Not Found");
        }
        if token != self.token {
            return error(401, "Unauthorized");
        }
        match method {
            "getMe" => {
                let me = json!({"id": 1, "is_bot": true, "first_name": "Kẻng", "username": "k"});
                (200, json!({"ok": true, "result": me}))
            }
            "sendMessage" => self.send(body, "text", TEXT_MAX),
            "sendPhoto" => self.send(body, "caption", CAPTION_MAX),
            "setWebhook" => self.hook(body),
            _ => error(404, "Not Found: method not found"),
        }
    }
}

impl State {
    fn send(&mut self, body: &Value, field: &str, most: usize) -> (u16, Value) {
        let id = body.get("chat_id");
        let chat = id.and_then(|id| id.as_i64().or_else(|| id.as_str()?.parse().ok()));
        let known = chat.and_then(|chat| Some((chat, *self.chats.get(&chat)?)));
        let Some((chat, standing)) = known else {
            return error(400, "Bad Request: chat not found");
        };
        let forbidden = |why: &str| error(403, &format!("Forbidden: {why}"));
        match standing {
            Chat::Here => {}
            Chat::Kicked => return forbidden("bot was kicked from the supergroup chat"),
            Chat::Blocked => return forbidden("bot was blocked by the user"),
            Chat::Deactivated => return forbidden("user is deactivated"),
            Chat::MovedTo(new) => {
                let told = "Bad Request: group chat was upgraded to a supergroup chat";
                let moved = json!({"ok": false, "error_code": 400, "description": told,
                    "parameters": {"migrate_to_chat_id": new}});
                return (400, moved);
            }
        }
        let text = body.get(field).and_then(Value::as_str).unwrap_or_default();
        let photo = body.get("photo").and_then(Value::as_str);
        match (field, utf16(text)) {
            ("text", 0) => return error(400, "Bad Request: message text is empty"),
            ("text", length) if length > most => {
                return error(400, "Bad Request: message is too long");
            }
            (_, length) if length > most => {
                return error(400, "Bad Request: message caption is too long");
            }
            _ => {}
        }
        if field == "caption" && (!self.takes_pictures || photo.is_none()) {
            return error(400, "Bad Request: failed to get HTTP URL content");
        }
        let has_preview = body.pointer("/link_preview_options/is_disabled") != Some(&json!(true));
        self.posted.push(Posted {
            chat,
            text: text.to_owned(),
            photo: photo.map(str::to_owned),
            has_preview: has_preview && photo.is_none(),
        });
        let sent = json!({"message_id": 1_000 + self.posted.len(), "chat": {"id": chat}});
        (200, json!({"ok": true, "result": sent}))
    }

    fn hook(&mut self, body: &Value) -> (u16, Value) {
        let secret = body.get("secret_token").and_then(Value::as_str).unwrap_or_default();
        let is_secret = secret.len() <= 256
            && secret.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'));
        if !is_secret {
            return error(400, "Bad Request: secret token contains unallowed characters");
        }
        secret.clone_into(&mut self.secret);
        (200, json!({"ok": true, "result": true, "description": "Webhook was set"}))
    }
}
