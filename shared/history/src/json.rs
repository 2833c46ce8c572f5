//! Messages as JSON by the descriptor set: the names of proto fields, numbers as numbers, enums
//! by name, ids as UUIDs, other bytes as hex.
//!
//! Not ProtoJSON to the letter: that has 64-bit numbers as strings and bytes as base64, which
//! nobody can compare with an id by eye. Fields that are not set are left out.

use std::sync::LazyLock;

use bytes::Bytes;
use domain::hex::hex;
use prost_reflect::{
    DescriptorPool, DynamicMessage, Kind, MessageDescriptor, ReflectMessage, Value as Dynamic,
};
use serde_json::{Map, Value};
use uuid::Uuid;

static POOL: LazyLock<Option<DescriptorPool>> =
    LazyLock::new(|| DescriptorPool::decode(wire::DESCRIPTORS).ok());

/// A message by its name, as `Commit`; `None` where the bytes are none, or the name is unknown.
#[must_use]
pub fn decode(name: &str, bytes: &Bytes) -> Option<DynamicMessage> {
    DynamicMessage::decode(descriptor(name)?, bytes.clone()).ok()
}

fn descriptor(name: &str) -> Option<MessageDescriptor> {
    POOL.as_ref()?.get_message_by_name(&format!("keng.v1.{name}"))
}

/// The names of the messages that one field of a message may hold.
#[cfg(test)]
pub(crate) fn names_in(message: &str, oneof: &str) -> Vec<String> {
    let message = descriptor(message).unwrap();
    let oneof = message.oneofs().find(|one| one.name() == oneof).unwrap();
    let names =
        oneof.fields().filter_map(|field| Some(field.kind().as_message()?.name().to_owned()));
    names.collect()
}

/// The message as JSON.
#[must_use]
pub fn json(message: &DynamicMessage) -> Value {
    if message.descriptor().name() == "Recovered" {
        return recovered(message);
    }
    let fields = message.fields().map(|(field, value)| {
        let kind = field.kind();
        (field.name().to_owned(), value_json(value, &kind))
    });
    Value::Object(fields.collect())
}

/// The lost commit itself, which is a message too.
fn recovered(message: &DynamicMessage) -> Value {
    let original = message.get_field_by_name("original");
    let bytes = original.as_deref().and_then(Dynamic::as_bytes).cloned().unwrap_or_default();
    let commit = decode("Commit", &bytes);
    let value = commit.map_or_else(|| Value::String(hex(&bytes)), |commit| json(&commit));
    Value::Object(Map::from_iter([("original".to_owned(), value)]))
}

fn value_json(value: &Dynamic, kind: &Kind) -> Value {
    match value {
        Dynamic::Bool(value) => (*value).into(),
        Dynamic::I32(value) => (*value).into(),
        Dynamic::I64(value) => (*value).into(),
        Dynamic::U32(value) => (*value).into(),
        Dynamic::U64(value) => (*value).into(),
        Dynamic::F32(value) => (*value).into(),
        Dynamic::F64(value) => (*value).into(),
        Dynamic::String(value) => value.clone().into(),
        Dynamic::Bytes(bytes) => bytes_said(bytes).into(),
        Dynamic::EnumNumber(number) => enum_json(*number, kind),
        Dynamic::Message(message) => json(message),
        Dynamic::List(values) => {
            values.iter().map(|value| value_json(value, kind)).collect::<Vec<_>>().into()
        }
        // No message of ours has a map; hashes are over bytes, and maps have no order.
        Dynamic::Map(_) => Value::Null,
    }
}

fn enum_json(number: i32, kind: &Kind) -> Value {
    let named = match kind {
        Kind::Enum(values) => values.get_value(number),
        _ => None,
    };
    named.map_or_else(|| number.into(), |value| value.name().into())
}

/// 16 bytes are an id, others a hash.
#[must_use]
pub fn bytes_said(bytes: &[u8]) -> String {
    match Uuid::from_slice(bytes) {
        Ok(id) => id.as_hyphenated().to_string(),
        Err(_) => hex(bytes),
    }
}
