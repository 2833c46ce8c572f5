//! Whether a message stands in a conversation, asked where nobody knows how its attempt ended.
//!
//! Arrived is what is seen there. That it did not arrive is said only where all that was said since
//! the attempt began has been read; everything else cannot be told. Shapes: `channels.md`, 2.1, 2.4
//! (B); a message has `src` (0: ours), `from_id`, `time`, `message`, `message_id`.

use domain::ids::Millis;
use serde_json::Value;

use super::{
    Attempt,
    api::{self, Ask, Recipient},
};
use crate::channels::{Intent, Reconciled, Rendered};

/// Zalo gives at most so many messages at once (B).
const PAGE: usize = 10;
/// Whoever talks more than this since an attempt hides it from us.
const PAGES_MAX: usize = 5;
/// Zalo's clock and ours may differ by so much.
const SKEW_MS: i64 = 10 * 60 * 1_000;

/// Looks for a message. `intent.now` is when its attempt began; what a provider may yet do with a
/// request that was cut off is not seen, so the caller lets some time pass first.
pub(super) async fn look(
    attempt: &mut Attempt<'_>,
    whom: Recipient<'_>,
    message: &Rendered,
    intent: &Intent<'_>,
) -> Reconciled {
    let oa_id = attempt.account.api.app.oa_id.clone();
    let wanted = Wanted::of(&oa_id, message.as_text(), intent);
    let (mut is_unclear, mut offset) = (false, 0);
    for _ in 0..PAGES_MAX {
        let ask = Ask::Said { whom, offset, count: PAGE };
        let by = attempt.end;
        let Ok(reply) = attempt.call(ask, by).await else { return Reconciled::CannotTell };
        let Some(said) = Some(&reply.data).filter(|_| reply.error == 0).and_then(Value::as_array)
        else {
            return Reconciled::CannotTell;
        };
        // A page may have less than was asked for: only an empty one is the end.
        let mut is_all = said.is_empty();
        offset += said.len();
        for one in said {
            match wanted.compare(one) {
                Seen::It(provider_id) => return Reconciled::Arrived { provider_id },
                Seen::Unclear => is_unclear = true,
                Seen::Before => is_all = true,
                Seen::Other => {}
            }
        }
        if is_all {
            return if is_unclear { Reconciled::CannotTell } else { Reconciled::NotArrived };
        }
    }
    Reconciled::CannotTell
}

struct Wanted<'a> {
    oa_id: &'a str,
    code: String,
    text: String,
    /// The line that it begins with.
    first_line: String,
    /// The line by which it is verified; empty where it has none.
    verify_line: String,
    /// Whether nothing of this alert was told there before.
    is_first: bool,
    since: Millis,
}

enum Seen {
    It(Option<String>),
    /// It may be it.
    Unclear,
    /// It is older than the attempt.
    Before,
    Other,
}

impl<'a> Wanted<'a> {
    fn of(oa_id: &'a str, message: &str, intent: &Intent<'_>) -> Self {
        let code = intent.alert.code();
        let verify_line = message.lines().rfind(|line| line.contains(&code)).map(evened);
        let first_line = message.lines().map(evened).find(|line| !line.is_empty());
        Self {
            oa_id,
            text: evened(message),
            first_line: first_line.unwrap_or_default(),
            verify_line: verify_line.unwrap_or_default(),
            is_first: intent.revision == intent.first_revision,
            since: intent.now.plus_ms(-SKEW_MS),
            code,
        }
    }

    /// Whether it is this message: the whole of it; or, where nothing of this alert was told there
    /// before, what begins and is verified as it, however it was changed on its way. The code alone
    /// says nothing: another alert's text may quote it.
    fn is_it(&self, text: &str) -> bool {
        let begins = self.begins(text) && !self.verify_line.is_empty();
        text == self.text || (self.is_first && begins && text.contains(&self.verify_line))
    }

    fn begins(&self, text: &str) -> bool {
        let rest = text.strip_prefix(&self.first_line).filter(|_| !self.first_line.is_empty());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    }

    /// An alert's code stands in all that was told of it, and its first line in what is left of it
    /// where Zalo shows only the beginning.
    fn compare(&self, one: &Value) -> Seen {
        let text = ["message", "text", "description"].iter().find_map(|name| one.get(name));
        let text = text.and_then(Value::as_str).map(evened).unwrap_or_default();
        let at = ["time", "sent_time", "timestamp"].iter().find_map(|name| one.get(name));
        let at = at.and_then(api::number).map(Millis);
        if text.contains(&self.code) || self.begins(&text) {
            return match self.is_ours(one) {
                Some(true) if self.is_it(&text) => {
                    Seen::It(one.get("message_id").and_then(api::id))
                }
                // What was told of it before, or this one, changed on its way.
                Some(true) if at.is_some_and(|at| at < self.since) => Seen::Before,
                // Somebody has copied it.
                Some(false) => Seen::Other,
                Some(true) | None => Seen::Unclear,
            };
        }
        match at {
            Some(at) if at < self.since => Seen::Before,
            Some(_) => Seen::Other,
            // Without a time nothing is known of the order.
            None => Seen::Unclear,
        }
    }

    fn is_ours(&self, one: &Value) -> Option<bool> {
        let src = one.get("src").and_then(api::number).map(|src| src == 0);
        src.or_else(|| Some(one.get("from_id").and_then(api::id)? == self.oa_id))
    }
}

/// White space is not ours to compare.
fn evened(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
