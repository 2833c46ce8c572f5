//! What Zalo knows, and what it answers: one call after another, each whole or not at all.

use std::{collections::HashMap, fmt::Write};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    APP_ID, APP_SECRET, Call, FIRST_ACCESS, FIRST_REFRESH, GET_OA, IN_GROUP, NOW_MS, OA_ID,
    TO_GROUP, TO_USER, TOKEN, UPLOAD, WITH_USER,
};

/// A picture has at most so many bytes.
const PICTURE_BYTES_MAX: usize = 1024 * 1024;
/// A text has at most so many characters.
const TEXT_CHARS_MAX: usize = 2_000;
/// A page of a conversation has at most so many messages.
const PAGE_MAX: usize = 10;

type Headers = Vec<(&'static str, String)>;

pub(super) struct World {
    pub(super) access: String,
    pub(super) refresh: String,
    pub(super) is_expired: bool,
    pub(super) asks_proof: bool,
    /// How many a window takes, and how many it still does.
    pub(super) limit: Option<(u32, u32)>,
    pub(super) users: HashMap<String, i64>,
    pub(super) groups: HashMap<String, i64>,
    /// Which pictures are there, and whether they still live.
    pub(super) uploads: HashMap<String, bool>,
    /// The oldest first.
    pub(super) chats: HashMap<String, Vec<Value>>,
    pub(super) now_ms: i64,
    serial: u32,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            access: FIRST_ACCESS.to_owned(),
            refresh: FIRST_REFRESH.to_owned(),
            is_expired: false,
            asks_proof: false,
            limit: None,
            users: HashMap::new(),
            groups: HashMap::new(),
            uploads: HashMap::new(),
            chats: HashMap::new(),
            now_ms: NOW_MS,
            serial: 0,
        }
    }

    /// Takes one call, and answers it.
    pub(super) fn take(&mut self, call: &Call) -> (Value, Headers) {
        if call.path == TOKEN {
            return (self.renew(call), vec![]);
        }
        let mut headers = vec![];
        if let Some((limit, left)) = self.limit {
            headers.push(("x-ratelimit-limit", limit.to_string()));
            headers.push(("x-ratelimit-remain", left.saturating_sub(1).to_string()));
            if left == 0 {
                return (refused(-32, "Out of request per minute limit"), headers);
            }
            self.limit = Some((limit, left - 1));
        }
        let reply = match self.trouble_with(call) {
            Some(reply) => reply,
            None => match call.path.as_str() {
                TO_USER => self.tell_user(&call.json()),
                TO_GROUP => self.tell_group(&call.json()),
                UPLOAD => self.upload(call),
                GET_OA => {
                    done(json!({ "oa_id": OA_ID, "name": "Công an xã", "is_verified": true }))
                }
                IN_GROUP => self.page_of_group(call),
                WITH_USER => self.page_of_user(call),
                _ => refused(-404, "unknown path"),
            },
        };
        (reply, headers)
    }

    fn renew(&mut self, call: &Call) -> Value {
        let form = call.form();
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        let failed = |error: i64, name: &str| {
            json!({
                "error": error, "error_name": name, "error_reason": name,
                "ref_doc": "https://developers.zalo.me",
            })
        };
        if field("app_id") != APP_ID {
            return failed(-14_002, "Invalid appId");
        }
        if call.header("secret_key") != APP_SECRET {
            return failed(-14_004, "Invalid secret key");
        }
        let is_form = call.header("content-type") == "application/x-www-form-urlencoded";
        if !is_form
            || field("grant_type") != "refresh_token"
            || field("refresh_token") != self.refresh
        {
            return failed(-14_014, "Invalid refresh token");
        }
        self.serial += 1;
        self.access = format!("access-{}+/=", self.serial);
        self.refresh = format!("refresh-{}+/=&", self.serial);
        self.is_expired = false;
        json!({
            "access_token": self.access, "refresh_token": self.refresh, "expires_in": "90000",
        })
    }

    fn trouble_with(&self, call: &Call) -> Option<Value> {
        if call.header("access_token") != self.access {
            return Some(refused(-216, "Access token is invalid"));
        }
        if self.is_expired {
            return Some(refused(-220, "access_token is expired or removed"));
        }
        let proof = hex(&hmac(APP_SECRET.as_bytes(), self.access.as_bytes()));
        (self.asks_proof && call.header("appsecret_proof") != proof)
            .then(|| refused(-242, "appsecret_proof provided in the API is invalid"))
    }

    fn tell_user(&mut self, body: &Value) -> Value {
        let user = body["recipient"]["user_id"].as_str().unwrap_or_default().to_owned();
        let known = self.users.get(&user).copied().unwrap_or(-213);
        match self.message_id(known, &user, &body["message"]) {
            Ok(message_id) => done(json!({
                "message_id": message_id,
                "user_id": user,
                "sent_time": self.now_ms.to_string(),
                "quota": { "quota_type": "reply" },
            })),
            Err(refusal) => refusal,
        }
    }

    fn tell_group(&mut self, body: &Value) -> Value {
        let group = body["recipient"]["group_id"].as_str().unwrap_or_default().to_owned();
        let known = self.groups.get(&group).copied().unwrap_or(-403);
        match self.message_id(known, &group, &body["message"]) {
            Ok(message_id) => {
                json!({ "data": { "message_id": message_id, "group_id": group }, "error": 0 })
            }
            Err(refusal) => refusal,
        }
    }

    fn message_id(&mut self, known: i64, chat: &str, message: &Value) -> Result<String, Value> {
        if known != 0 {
            return Err(refused(known, "not to this one"));
        }
        let text = message["text"].as_str().unwrap_or_default();
        if text.is_empty() || text.chars().count() > TEXT_CHARS_MAX {
            return Err(refused(-210, "message text is invalid or too long"));
        }
        let mut kind = "text";
        if let Some(attachment) = message.get("attachment") {
            let element = &attachment["payload"]["elements"][0];
            let id = element["attachment_id"].as_str().unwrap_or_default();
            let is_media = attachment["type"] == "template"
                && attachment["payload"]["template_type"] == "media"
                && element["media_type"] == "image";
            if !is_media {
                return Err(refused(-201, "attachment is invalid"));
            }
            if self.uploads.get(id) != Some(&true) {
                return Err(refused(-100, "attachment is expired"));
            }
            kind = "photo";
        }
        Ok(self.say(chat, "0", OA_ID, kind, text))
    }

    /// Puts a message into a chat: as the oldest numbers of a real reply are, `src` is a number and
    /// `time` a text.
    pub(super) fn say(
        &mut self,
        chat: &str,
        src: &str,
        from: &str,
        kind: &str,
        text: &str,
    ) -> String {
        self.serial += 1;
        let message_id = format!("96d3cdf3af1504{:05}", self.serial);
        self.now_ms += 1;
        let entry = json!({
            "src": src.parse::<i64>().unwrap(),
            "time": self.now_ms.to_string(),
            "type": kind,
            "message": text,
            "message_id": message_id,
            "from_id": from,
        });
        self.chats.entry(chat.to_owned()).or_default().push(entry);
        message_id
    }

    fn upload(&mut self, call: &Call) -> Value {
        let Some(file) = file_of(call) else { return refused(-201, "file is missing") };
        if file.len() > PICTURE_BYTES_MAX {
            return refused(-210, "file is larger than 1MB");
        }
        if !file.starts_with(&[0xff, 0xd8]) {
            return refused(-201, "file is no picture");
        }
        self.serial += 1;
        let id = format!("attachment-{}", self.serial);
        self.uploads.insert(id.clone(), true);
        done(json!({ "attachment_id": id }))
    }

    fn page_of_group(&self, call: &Call) -> Value {
        let form = call.form();
        let field = |name: &str| form.get(name).cloned().unwrap_or_default();
        self.page(&field("group_id"), &field("offset"), &field("count"))
    }

    fn page_of_user(&self, call: &Call) -> Value {
        let form = call.form();
        let data = form.get("data").map_or("", String::as_str);
        let data: Value = serde_json::from_str(data).unwrap_or_default();
        let user = data["user_id"].as_str().unwrap_or_default();
        self.page(user, &data["offset"].to_string(), &data["count"].to_string())
    }

    /// The newest first.
    fn page(&self, chat: &str, offset: &str, count: &str) -> Value {
        let (Ok(offset), Ok(count)) = (offset.parse::<usize>(), count.parse::<usize>()) else {
            return refused(-201, "offset or count is invalid");
        };
        if count == 0 || count > PAGE_MAX {
            return refused(-201, "count is invalid");
        }
        let said = self.chats.get(chat).into_iter().flatten().rev();
        done(said.skip(offset).take(count).cloned().collect())
    }
}

fn done(data: Value) -> Value {
    json!({ "data": data, "error": 0, "message": "Success" })
}

fn refused(error: i64, message: &str) -> Value {
    json!({ "error": error, "message": message })
}

/// The one file of a multipart body, in the field `file`.
fn file_of(call: &Call) -> Option<&[u8]> {
    let boundary = call.header("content-type").strip_prefix("multipart/form-data; boundary=")?;
    let body = &call.body[..];
    let begins = format!("--{boundary}\r\n");
    let ends = format!("\r\n--{boundary}--\r\n");
    let part = body.strip_prefix(begins.as_bytes())?.strip_suffix(ends.as_bytes())?;
    let head = part.windows(4).position(|four| four == b"\r\n\r\n")?;
    let is_file = String::from_utf8_lossy(&part[..head]).contains("name=\"file\"; filename=\"");
    is_file.then(|| &part[head + 4..])
}

/// RFC 2104 by the book, so that a proof is not checked by what made it.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let inner =
        Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    let outer = Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner);
    outer.finalize().to_vec()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
