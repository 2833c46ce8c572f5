//! What officers write, and what they see of it.

use std::time::Duration;

use anyhow::{Result, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{Client, eventually, town::HOME};

/// A lost child in Đạ Tẻh, for the next hour; `what` makes it another one.
#[must_use]
pub fn lost_child(what: &str) -> Value {
    let now = Timestamp::now();
    json!({
        "kind": "lost-child",
        "status": "actual",
        "commune": HOME,
        "headline": format!("Tìm cháu bé 4 tuổi đi lạc {what}"),
        "description": "Áo xanh, dép đỏ.",
        "last_seen": {
            "at": (now - SignedDuration::from_mins(10)).to_string(),
            "lat": 11.5816, "lon": 107.4599, "place": "chợ Đạ Tẻh",
        },
        "travel": "on-foot",
        "person": {"age": 4, "sex": "male", "name": "Nguyễn Văn A"},
        "expires": (now + SignedDuration::from_hours(1)).to_string(),
        "reach": {"mode": "auto"},
    })
}

/// The same with other fields.
#[must_use]
pub fn but(mut alert: Value, fields: &Value) -> Value {
    if let (Some(alert), Some(fields)) = (alert.as_object_mut(), fields.as_object()) {
        for (name, value) in fields {
            match value {
                Value::Null => drop(alert.remove(name)),
                value => drop(alert.insert(name.clone(), value.clone())),
            }
        }
    }
    alert
}

/// Waits until the alert is in this state.
///
/// # Errors
/// It was not, within the time.
pub async fn state(client: &Client, alert: &str, state: &str, within: Duration) -> Result<Value> {
    let path = format!("/v1/alerts/{alert}");
    eventually(within, async || {
        let answer = client.get(&path).await?.expect(200)?;
        ensure!(answer.text_at("/state") == state, "not {state}: {}", answer.text);
        Ok(answer.json)
    })
    .await
}

/// Waits until every delivery of the alert is delivered, and returns them.
///
/// # Errors
/// There were not `count`, all delivered, within the time.
pub async fn delivered(
    client: &Client,
    alert: &str,
    count: usize,
    within: Duration,
) -> Result<Vec<Value>> {
    let path = format!("/v1/alerts/{alert}/deliveries");
    eventually(within, async || {
        let answer = client.get(&path).await?.expect(200)?;
        let all = answer.at("/deliveries").as_array().cloned().unwrap_or_default();
        let done = all.iter().filter(|one| text(one, "/state") == "delivered").count();
        ensure!((done, all.len()) == (count, count), "{done} of {count}: {}", answer.text);
        Ok(all)
    })
    .await
}

/// The text at a JSON pointer; empty where there is none.
#[must_use]
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
