//! Ids and names: newtypes, parsed at the edge and trusted inside.

use std::{fmt, str::FromStr, sync::Arc};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    freeze::Frozen,
    hex::{hex, unhex},
};

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not {what}")]
pub struct NotAnId {
    what: &'static str,
}

/// An instant: milliseconds since 1970-01-01T00:00:00Z. May be negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub i64);

impl Millis {
    /// This instant and `ms` milliseconds, saturating.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this instant; 0 where `earlier` is later.
    #[must_use]
    pub fn since_ms(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

/// The official code of a commune: five digits, as in the list of 1 July 2025.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommuneCode([u8; 5]);

/// The official code of a province: two digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProvinceCode([u8; 2]);

macro_rules! digits {
    ($name:ident, $what:literal) => {
        impl $name {
            /// The digits.
            #[must_use]
            pub fn as_str(&self) -> &str {
                std::str::from_utf8(&self.0).unwrap_or_default()
            }
        }
        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                text.as_bytes()
                    .try_into()
                    .ok()
                    .filter(|digits: &[u8; _]| digits.iter().all(u8::is_ascii_digit))
                    .map(Self)
                    .ok_or(NotAnId { what: $what })
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
digits!(CommuneCode, "a commune code of five digits");
digits!(ProvinceCode, "a province code of two digits");

/// Where an entity is at home. What belongs to no commune is at home in `00/00000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Home {
    /// The province.
    pub province: ProvinceCode,
    /// The commune.
    pub commune: CommuneCode,
}

impl Home {
    /// The home of what belongs to the whole nation.
    pub const NATION: Self =
        Self { province: ProvinceCode(*b"00"), commune: CommuneCode(*b"00000") };

    /// The home of what belongs to a province and none of its communes.
    #[must_use]
    pub fn of_province(province: ProvinceCode) -> Self {
        Self { province, commune: CommuneCode(*b"00000") }
    }
}

/// The name of an entity: kind and id, as `alert-<uuid>`; at most 120 characters of
/// `A–Z a–z 0–9 - _ :`, so that it can stand in a subject of a broker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityName(String);

impl EntityName {
    /// `alert-<alert>`: content, state, reach.
    #[must_use]
    pub fn alert(alert: AlertId) -> Self {
        Self(format!("alert-{alert}"))
    }
    /// `relay-<alert>-<commune>`: a commune's answer to an alert.
    #[must_use]
    pub fn relay(alert: AlertId, commune: CommuneCode) -> Self {
        Self(format!("relay-{alert}-{commune}"))
    }
    /// `delivery-<alert>-<commune>`: plans and leases.
    #[must_use]
    pub fn delivery(alert: AlertId, commune: CommuneCode) -> Self {
        Self(format!("delivery-{alert}-{commune}"))
    }
    /// `receipt-<alert>-<commune>`: what the holder of the lease saw.
    #[must_use]
    pub fn receipt(alert: AlertId, commune: CommuneCode) -> Self {
        Self(format!("receipt-{alert}-{commune}"))
    }
    /// `match-<alert>-<alert>`: whether two alerts speak of the same; the smaller id first.
    #[must_use]
    pub fn matching(one: AlertId, other: AlertId) -> Self {
        Self(format!("match-{}-{}", one.min(other), one.max(other)))
    }
    /// `erasure-<alert>`: whether the alert's personal data is kept, held or erased.
    #[must_use]
    pub fn erasure(alert: AlertId) -> Self {
        Self(format!("erasure-{alert}"))
    }
    /// `group-<id>`.
    #[must_use]
    pub fn group(id: &GroupId) -> Self {
        Self(format!("group-{id}"))
    }
    /// `freeze-officer-<id>` or `freeze-commune-<code>`: whether somebody is kept from raising.
    #[must_use]
    pub fn freeze(of: &Frozen) -> Self {
        Self(of.to_string())
    }
    /// `officer-<id>`.
    #[must_use]
    pub fn officer(id: &OfficerId) -> Self {
        Self(format!("officer-{id}"))
    }
    /// `contact-<officer>`: how an officer is reached.
    #[must_use]
    pub fn contact(officer: &OfficerId) -> Self {
        Self(format!("contact-{officer}"))
    }
    /// `roster-<commune>`, or `roster-p<province>` of a province's duty desk: who is asked there.
    #[must_use]
    pub fn roster(place: Home) -> Self {
        if place == Home::of_province(place.province) {
            return Self(format!("roster-p{}", place.province));
        }
        Self(format!("roster-{}", place.commune))
    }
    /// `directory`: which version of it holds when.
    #[must_use]
    pub fn directory() -> Self {
        Self("directory".to_owned())
    }
    /// `token-<id>`.
    #[must_use]
    pub fn token(id: &str) -> Self {
        Self(format!("token-{id}"))
    }
    /// `key-<id>`: a key by which a person, or a service, signs.
    #[must_use]
    pub fn key(id: KeyId) -> Self {
        Self(format!("key-{id}"))
    }
    /// `link-key`: the key by which links are signed.
    #[must_use]
    pub fn link_key() -> Self {
        Self("link-key".to_owned())
    }
    /// `channel-<switch>`: whether a type of channel or an account is stopped.
    #[must_use]
    pub fn channel(switch: &SwitchId) -> Self {
        Self(format!("channel-{switch}"))
    }
    /// `drill-<commune>`: what was measured in the commune's exercises.
    #[must_use]
    pub fn drill(commune: CommuneCode) -> Self {
        Self(format!("drill-{commune}"))
    }
    /// `losses-<instance>`: what a broker lost of what this process said.
    ///
    /// # Errors
    /// The instance's id cannot stand in a name.
    pub fn losses(instance: &str) -> Result<Self, NotAnId> {
        format!("losses-{instance}").parse()
    }
    /// `looks-<alert>`: who has read its personal data.
    #[must_use]
    pub fn looks(alert: AlertId) -> Self {
        Self(format!("looks-{alert}"))
    }

    /// `map`: which map is in force.
    #[must_use]
    pub fn map() -> Self {
        Self("map".to_owned())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The commune of a `relay-…`, `delivery-…` or `receipt-…`.
    #[must_use]
    pub fn commune(&self) -> Option<CommuneCode> {
        self.alert_id()?;
        self.0.rsplit_once('-')?.1.parse().ok()
    }

    /// The alert that this entity belongs to, if it belongs to one.
    #[must_use]
    pub fn alert_id(&self) -> Option<AlertId> {
        let (kind, rest) = self.0.split_once('-')?;
        match kind {
            "alert" | "relay" | "delivery" | "receipt" => rest.get(..36)?.parse().ok(),
            _ => None,
        }
    }

    /// The two alerts of a `match-…`.
    #[must_use]
    pub fn matched(&self) -> Option<[AlertId; 2]> {
        let both = self.0.strip_prefix("match-")?;
        let (one, other) = (both.get(..36)?.parse().ok()?, both.get(37..)?.parse().ok()?);
        (*self == Self::matching(one, other)).then_some([one, other])
    }

    /// The alert of an `erasure-…`.
    #[must_use]
    pub fn erasure_of(&self) -> Option<AlertId> {
        self.0.strip_prefix("erasure-")?.parse().ok()
    }

    /// The alert of a `looks-…`.
    #[must_use]
    pub fn looks_of(&self) -> Option<AlertId> {
        self.0.strip_prefix("looks-")?.parse().ok()
    }

    /// Whether this is of the alert's history: its own, that of its erasure and of the looks at
    /// it, or that of a match with another one.
    #[must_use]
    pub fn is_of(&self, alert: AlertId) -> bool {
        self.alert_id().or_else(|| self.erasure_of()).or_else(|| self.looks_of()) == Some(alert)
            || self.matched().is_some_and(|both| both.contains(&alert))
    }
}

impl TryFrom<String> for EntityName {
    type Error = NotAnId;
    fn try_from(text: String) -> Result<Self, NotAnId> {
        let fits = !text.is_empty() && text.len() <= 120 && text.bytes().all(is_name_byte);
        if fits { Ok(Self(text)) } else { Err(NotAnId { what: "an entity's name" }) }
    }
}

impl FromStr for EntityName {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        text.to_owned().try_into()
    }
}

impl fmt::Display for EntityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':')
}

/// The id of a record: UUIDv8 derived from its cause, or UUIDv7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(pub Uuid);

/// The id of an alert: UUIDv8 derived from the command that raised it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertId(pub Uuid);

macro_rules! uuids {
    ($name:ident, $what:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }
        impl FromStr for $name {
            type Err = NotAnId;
            /// Takes the hyphenated lower-case form only, so that an id has one spelling.
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                Uuid::try_parse(text)
                    .ok()
                    .filter(|id| id.as_hyphenated().to_string() == text)
                    .map(Self)
                    .ok_or(NotAnId { what: $what })
            }
        }
        impl $name {
            /// The 16 bytes of the id.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                Uuid::from_slice(bytes).ok().map(Self)
            }
        }
    };
}
uuids!(RecordId, "a record's id");
uuids!(AlertId, "an alert's id");

impl RecordId {
    /// The id of an officer's command: UUIDv8 of SHA-256(officer, path, idempotency key).
    #[must_use]
    pub fn of_command(officer: &str, path: &str, idempotency_key: &str) -> Self {
        Self(derive(&["command", officer, path, idempotency_key]))
    }

    /// The id of a command that a reactor gives, derived from cause and purpose, as
    /// `expire/<alert>/<expires>`.
    #[must_use]
    pub fn of_purpose(purpose: &str) -> Self {
        Self(derive(&["purpose", purpose]))
    }
}

impl AlertId {
    /// The id of the alert that a command raises.
    #[must_use]
    pub fn raised_by(command: RecordId) -> Self {
        Self(derive(&["alert", &command.to_string()]))
    }

    /// The alert's code: ten characters of Crockford's base 32 (50 bits), which people type.
    #[must_use]
    pub fn code(self) -> String {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let digest = Sha256::digest([b"keng.v1.code\0".as_slice(), self.0.as_bytes()].concat());
        let bits = digest.iter().take(8).fold(0u64, |bits, byte| (bits << 8) | u64::from(*byte));
        (0..10)
            .filter_map(|place| {
                let index = usize::try_from((bits >> (5 * place)) & 31).unwrap_or(0);
                ALPHABET.get(index).map(|letter| char::from(*letter))
            })
            .collect()
    }
}

/// The id of a key that signs: the first 16 bytes of SHA-256 over the public key; 32 digits of hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 16]);

impl KeyId {
    /// The id of this public key.
    #[must_use]
    pub fn of(public: &[u8]) -> Self {
        let mut id = [0; 16];
        id.iter_mut().zip(Sha256::digest(public)).for_each(|(to, from)| *to = from);
        Self(id)
    }

    /// The id in these 16 bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Its 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl FromStr for KeyId {
    type Err = NotAnId;
    /// Takes lower-case digits only, so that an id has one spelling.
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        unhex(text).as_deref().and_then(Self::from_slice).ok_or(NotAnId { what: "a key's id" })
    }
}

/// UUIDv8 of SHA-256 over the parts, each with its length in front, so that no two lists of
/// parts give the same bytes.
fn derive(parts: &[&str]) -> Uuid {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut bytes = [0u8; 16];
    bytes.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    Uuid::new_v8(bytes)
}

/// The id of an officer: one person, whatever tokens it has. 1 to 64 characters of
/// `A–Z a–z 0–9 - _ :`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OfficerId(Arc<str>);

/// The id of a group: 1 to 64 characters of `A–Z a–z 0–9 - _ :`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(Arc<str>);

/// The id of a channel within its group: 1 to 32 characters of `A–Z a–z 0–9 - _ :`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(Arc<str>);

/// What is stopped at one switch: a type of channel, as `sms`, or `account:` and the name of an
/// account. 1 to 64 characters of `A–Z a–z 0–9 - _ :`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SwitchId(Arc<str>);

/// The version of a map, as its file names it: 1 to 32 characters of `A–Z a–z 0–9 - _ :`, as
/// `2025-07-01`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MapVersion(Arc<str>);

macro_rules! names {
    ($name:ident, $most:literal, $what:literal) => {
        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let fits =
                    !text.is_empty() && text.len() <= $most && text.bytes().all(is_name_byte);
                if fits { Ok(Self(text.into())) } else { Err(NotAnId { what: $what }) }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
names!(OfficerId, 64, "an officer's id (1 to 64 of A-Z a-z 0-9 - _ :)");
names!(GroupId, 64, "a group's id (1 to 64 of A-Z a-z 0-9 - _ :)");
names!(ChannelId, 32, "a channel's id (1 to 32 of A-Z a-z 0-9 - _ :)");
names!(SwitchId, 64, "a switch of channels (1 to 64 of A-Z a-z 0-9 - _ :)");
names!(MapVersion, 32, "a map's version (1 to 32 of A-Z a-z 0-9 - _ :)");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_ten_letters_that_nobody_confuses() {
        let code = AlertId::raised_by(RecordId::of_command("an", "/v1/alerts", "k")).code();
        assert_eq!(code.len(), 10);
        assert!(!code.contains(['I', 'L', 'O', 'U']));
    }

    #[test]
    fn parts_cannot_be_shifted_into_each_other() {
        assert_ne!(RecordId::of_command("a", "bc", "d"), RecordId::of_command("ab", "c", "d"));
    }

    #[test]
    fn an_entity_tells_its_alert() {
        let alert = AlertId::raised_by(RecordId::of_purpose("x"));
        let commune = "25126".parse().unwrap();
        for name in [
            EntityName::alert(alert),
            EntityName::relay(alert, commune),
            EntityName::delivery(alert, commune),
            EntityName::receipt(alert, commune),
        ] {
            assert_eq!(name.alert_id(), Some(alert));
        }
        assert_eq!(EntityName::relay(alert, commune).commune(), Some(commune));
        assert_eq!(EntityName::alert(alert).commune(), None);
        assert_eq!(EntityName::token("abc").alert_id(), None);
        let erasure = EntityName::erasure(alert);
        assert_eq!((erasure.alert_id(), erasure.erasure_of()), (None, Some(alert)));
        assert!(erasure.is_of(alert) && EntityName::alert(alert).erasure_of().is_none());
        // A match belongs to two alerts, and so to neither.
        let other = AlertId::raised_by(RecordId::of_purpose("y"));
        assert_eq!(EntityName::matching(alert, other), EntityName::matching(other, alert));
        assert_eq!(EntityName::matching(alert, other).alert_id(), None);
        let (smaller, larger) = (alert.min(other), alert.max(other));
        assert_eq!(EntityName::matching(alert, other).matched(), Some([smaller, larger]));
        assert!(EntityName::matching(alert, other).is_of(other));
        assert!(EntityName::alert(alert).is_of(alert) && !EntityName::alert(alert).is_of(other));
        for wrong in [format!("match-{larger}-{smaller}"), format!("match-{alert}")] {
            assert_eq!(wrong.parse::<EntityName>().unwrap().matched(), None);
        }
    }

    #[test]
    fn a_key_has_one_id_with_one_spelling() {
        let id = KeyId::of(&[7; 32]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(KeyId::from_slice(id.as_bytes()), Some(id));
        assert_eq!(EntityName::key(id).as_str(), format!("key-{id}"));
        let text = id.to_string();
        for wrong in [&text.to_uppercase(), &text[1..], "", "é"] {
            assert!(wrong.parse::<KeyId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn codes_are_digits_and_nothing_else() {
        assert!("25126".parse::<CommuneCode>().is_ok());
        for wrong in ["2512", "251260", "2512a", "２５１２６", ""] {
            assert!(wrong.parse::<CommuneCode>().is_err(), "{wrong}");
        }
    }
}
