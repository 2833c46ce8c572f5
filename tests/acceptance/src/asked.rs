//! What people ask in the stories: the bodies of requests.

use anyhow::Result;
use serde_json::{Value, json};

use crate::timeline::Timeline;

/// The name of the person in every alert here. It is sealed: no call to a group may hold it.
pub const NAME: &str = "Nguyễn Văn Kín";

impl Timeline {
    /// An alert of this kind in this commune, up to `expires`, for the own commune and its
    /// neighbours. A story changes what is particular to it with [`with`].
    ///
    /// # Errors
    /// `expires` is no time.
    pub fn alert_of(&self, kind: &str, commune: &str, expires: &str) -> Result<Value> {
        let mut alert = json!({
            "kind": kind,
            "status": "actual",
            "commune": commune,
            "headline": "Tìm cháu bé 4 tuổi đi lạc",
            "description": "Áo thun xanh, quần đùi, đi dép đỏ.",
            "instruction": "Ai thấy xin gọi công an xã.",
            "last_seen": { "place": "thôn Tây Anh Vinh" },
            "person": { "age": 4, "sex": "male", "name": NAME },
            "expires": self.rfc3339(expires)?,
            "reach": { "mode": "auto" },
        });
        if kind == "suspect" {
            alert = with(&alert, "/legal_basis", json!("btths-2015-d113"));
            // This basis does not allow the name.
            alert = with(&alert, "/person/name", Value::Null);
        }
        Ok(alert)
    }
}

/// The same with another value at a JSON pointer, which may name a new field of an object.
#[must_use]
pub fn with(alert: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = alert.clone();
    if let Some((object, field)) = pointer.rsplit_once('/')
        && let Some(object) = changed.pointer_mut(object).and_then(Value::as_object_mut)
    {
        object.insert(field.to_owned(), value);
    }
    changed
}

/// The same without a field of the whole.
#[must_use]
pub fn without(alert: &Value, field: &str) -> Value {
    let mut changed = alert.clone();
    if let Some(object) = changed.as_object_mut() {
        object.remove(field);
    }
    changed
}
