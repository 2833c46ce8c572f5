//! The calls that Zalo makes: their bytes and headers, signed as the documentation says.
//!
//! Nothing is sent from here: a test hands them to whoever it tests.

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{APP_ID, OA_ID, OA_SECRET_KEY, Zalo, world::hex};

/// One call by Zalo.
#[derive(Debug, Clone)]
pub struct Callback {
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
}

impl Callback {
    /// An event, signed over its bytes. Its field `timestamp` is a text.
    #[must_use]
    pub fn signed(event: &Value) -> Self {
        let timestamp = event["timestamp"].as_str().unwrap_or_default().to_owned();
        Self::signed_by(APP_ID, &timestamp, event.to_string())
    }

    /// Any body, signed with this id in front and this timestamp behind.
    #[must_use]
    pub fn signed_by(id: &str, timestamp: &str, body: String) -> Self {
        let mac = Sha256::new()
            .chain_update(id)
            .chain_update(&body)
            .chain_update(timestamp)
            .chain_update(OA_SECRET_KEY)
            .finalize();
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        headers.insert("x-zevent-signature", format!("mac={}", hex(&mac)).parse().unwrap());
        Self { headers, body: body.into() }
    }

    /// What Zalo posts when the address of a webhook is saved: nothing, unsigned.
    #[must_use]
    pub fn of_saving() -> Self {
        Self { headers: HeaderMap::new(), body: Bytes::from_static(b"{}") }
    }

    /// The same once more, since nobody answered in time.
    #[must_use]
    pub fn again(&self, number: u32) -> Self {
        let mut again = self.clone();
        again.headers.insert("num_retry", number.into());
        again
    }

    /// The same with a signature that somebody made up.
    #[must_use]
    pub fn forged(&self) -> Self {
        let mut forged = self.clone();
        let mac = format!("mac={}", "0".repeat(64));
        forged.headers.insert("x-zevent-signature", mac.parse().unwrap());
        forged
    }
}

impl Zalo {
    /// A follower writes.
    #[must_use]
    pub fn user_wrote(user: &str, text: &str, message_id: &str) -> Callback {
        event(json!({
            "event_name": "user_send_text",
            "sender": { "id": user },
            "user_id_by_app": "552177279717587730",
            "recipient": { "id": OA_ID },
            "message": { "text": text, "msg_id": message_id },
        }))
    }

    /// The newest message that our account has put into a chat is shown there.
    #[must_use]
    pub fn echo(&self, chat: &str, is_group: bool) -> Option<Callback> {
        let world = self.world();
        let said = world.chats.get(chat)?.iter().rfind(|entry| entry["src"] == 0)?;
        let event_name = if is_group { "oa_send_group_text" } else { "oa_send_text" };
        Some(event(json!({
            "event_name": event_name,
            "sender": { "id": OA_ID },
            "recipient": { "id": chat },
            "message": { "text": said["message"], "msg_id": said["message_id"] },
        })))
    }

    /// A message has come to a follower's phone, at this time in milliseconds since 1970.
    #[must_use]
    pub fn received(user: &str, message_id: &str, at_ms: i64) -> Callback {
        event(json!({
            "event_name": "user_received_message",
            "sender": { "id": OA_ID },
            "recipient": { "id": user },
            "message": { "msg_id": message_id, "delivery_time": at_ms.to_string() },
        }))
    }

    /// A follower has read messages.
    #[must_use]
    pub fn seen(user: &str, message_ids: &[&str]) -> Callback {
        event(json!({
            "event_name": "user_seen_message",
            "sender": { "id": OA_ID },
            "recipient": { "id": user },
            "message": { "msg_ids": message_ids },
        }))
    }
}

fn event(mut event: Value) -> Callback {
    event["app_id"] = APP_ID.into();
    event["timestamp"] = "1764000000000".into();
    Callback::signed(&event)
}
