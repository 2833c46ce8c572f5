//! How a decider's commands and events are said on the wire.

use bytes::Bytes;
use domain::{
    decider::Decider,
    ids::{AlertId, Home, Millis, RecordId},
};

use crate::v1;

/// A record whose bytes decode, but do not say anything this program knows. An old binary in a
/// rolling upgrade meets these: the record's whole entity is held until a newer one runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot be decoded: {0}")]
pub struct NotDecodable(pub &'static str);

/// A decider whose commands and events are records.
pub trait Spoken: Decider {
    /// What a command's record asks of this entity.
    ///
    /// # Errors
    /// It asks something else, or something newer than this program.
    fn hear(command: &v1::Command) -> Result<Self::Command, NotDecodable>;

    /// The event as it is recorded.
    fn say(event: &Self::Event) -> v1::event::Event;

    /// A recorded event of this entity.
    ///
    /// # Errors
    /// It is none of this entity's, or newer than this program.
    fn recall(event: &v1::event::Event) -> Result<Self::Event, NotDecodable>;
}

/// The id in these 16 bytes.
pub(crate) fn record_id(bytes: &Bytes) -> Result<RecordId, NotDecodable> {
    RecordId::from_slice(bytes).ok_or(NotDecodable("a record's id"))
}

/// The alert's id in these 16 bytes.
pub(crate) fn alert_id(bytes: &Bytes) -> Result<AlertId, NotDecodable> {
    AlertId::from_slice(bytes).ok_or(NotDecodable("an alert's id"))
}

/// The 16 bytes of an id.
#[must_use]
pub fn id_bytes(id: uuid::Uuid) -> Bytes {
    Bytes::copy_from_slice(id.as_bytes())
}

/// `home` on the wire.
#[must_use]
pub fn home_said(home: Home) -> v1::Home {
    v1::Home { province: home.province.to_string(), commune: home.commune.to_string() }
}

/// A home from the wire.
///
/// # Errors
/// The codes are no codes.
pub fn home_recalled(province: &str, commune: &str) -> Result<Home, NotDecodable> {
    match (province.parse(), commune.parse()) {
        (Ok(province), Ok(commune)) => Ok(Home { province, commune }),
        _ => Err(NotDecodable("a home")),
    }
}

/// 0 stands for none.
pub(crate) fn millis_or_none(ms: i64) -> Option<Millis> {
    (ms != 0).then_some(Millis(ms))
}
