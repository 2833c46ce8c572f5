//! JSON into raw fields, with the path of the field that is at fault.
//!
//! Objects are objects only (serde would take an array for a struct), fields stand once, and no
//! type here is recursive, so that depth costs no stack: what is nested deeper than the interface
//! is a field of the wrong type.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{BadRequest, FieldError};

/// The most characters of a path that an answer repeats: an unknown field may be a long one.
const FIELD_CHARS_MAX: usize = 200;

/// Reads a body as one object with the fields of `T`.
pub(super) fn parse<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, BadRequest> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let at = error.valid_up_to();
        let reason = format!("không phải UTF-8 từ byte {at} / is not UTF-8 from byte offset {at}");
        BadRequest::NotUtf8(FieldError { field: String::new(), reason })
    })?;
    let mut json = serde_json::Deserializer::from_str(text);
    let Object(value) = serde_path_to_error::deserialize::<_, Object<T>>(&mut json)
        .map_err(|error| refusal(&error.path().to_string(), error.inner()))?;
    json.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> BadRequest {
    let reason = format!("không phải JSON / is not JSON: {error}");
    BadRequest::MalformedJson(FieldError { field: String::new(), reason })
}

fn refusal(path: &str, error: &serde_json::Error) -> BadRequest {
    if !error.is_data() {
        return malformed(error);
    }
    let message = error.to_string();
    let path = if path == "." { "" } else { path };
    let (field, reason) = if message.starts_with("unknown field `") {
        (path.to_owned(), "không có trường này / unknown field")
    } else if let Some(rest) = message.strip_prefix("duplicate field `") {
        (child(path, rest.split('`').next().unwrap_or_default()), "bị ghi hai lần / is given twice")
    } else {
        (path.to_owned(), wrong_type(&message))
    };
    let field = field.chars().take(FIELD_CHARS_MAX).collect();
    BadRequest::InvalidFields(vec![FieldError { field, reason: reason.to_owned() }])
}

/// The path of a field of the object at `path`.
fn child(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The reason without the value that was sent, which serde's message would repeat.
fn wrong_type(message: &str) -> &'static str {
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    match message.rsplit_once(", expected ").map(|(_, expected)| expected) {
        Some("a string") => "phải là chuỗi / must be a string",
        Some("f64") => "phải là số / must be a number",
        Some("i64") => "phải là số nguyên / must be a whole number",
        Some("a sequence") => "phải là mảng / must be an array",
        Some("an object") => "phải là đối tượng / must be an object",
        _ => "sai kiểu / has the wrong type",
    }
}

/// A JSON object with the fields of `T`.
#[derive(Debug, Default)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Fields(PhantomData))
    }
}
