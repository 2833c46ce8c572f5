//! A group as the log has recorded it, and the content that two versions of it are compared by.

use std::{borrow::Cow, fmt};

use domain::ids::{ChannelId, CommuneCode, GroupId, Home, ProvinceCode};
use prost::Message;
use sha2::{Digest, Sha256};
use wire::v1::{ChannelFacts, ChannelUse, GroupFacts, GroupKind, GroupText};

/// People who are told together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The id.
    pub id: GroupId,
    /// The commune that it belongs to; of a province's group the commune is `00000`.
    pub home: Home,
    /// What holds its people together.
    pub kind: GroupKind,
    /// How many people; 0 where that is not known.
    pub members: u32,
    /// Whether it takes part in drills.
    pub exercises: bool,
    /// The name; `None` where the sealed part is erased.
    pub name: Option<Box<str>>,
    /// The ways to reach it, in the order of the file.
    pub channels: Box<[Channel]>,
    /// The version of the entity `group-<id>` that recorded this content.
    pub version: u64,
    /// SHA-256 of the content, open and sealed; see [`content_sha256`].
    pub content_sha256: [u8; 32],
}

impl Group {
    /// The commune that the group belongs to; `None` where it belongs to a province.
    #[must_use]
    pub fn commune(&self) -> Option<CommuneCode> {
        commune_of(self.home)
    }
}

/// A way to reach a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// The id, of its own within the group.
    pub id: ChannelId,
    /// The type, for example `webhook`; one that this binary does not know may stand here.
    pub channel_type: Cow<'static, str>,
    /// When it is used.
    pub used: Use,
    /// Where it leads; `None` where the sealed part is erased.
    pub address: Option<Address>,
}

/// When a channel is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// At once.
    Always,
    /// When the others have confirmed nothing.
    Fallback {
        /// So many seconds after the others were used.
        after_s: u32,
    },
}

/// Where a channel leads. It is sealed, and does not show in debug output or logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// The URL, `http` or `https`.
    pub url: Box<str>,
    /// The secret that signs, as `whsec_…`.
    pub secret: Box<str>,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(sealed)")
    }
}

/// SHA-256 over the open and the sealed content of a group, the length of the first in front.
/// It compares contents within one binary; it is never recorded.
#[must_use]
pub fn content_sha256(facts: &GroupFacts, text: &GroupText) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update((facts.encoded_len() as u64).to_be_bytes());
    hash.update(facts.encode_to_vec());
    hash.update(text.encode_to_vec());
    hash.finalize().into()
}

pub(crate) fn commune_of(home: Home) -> Option<CommuneCode> {
    (home != Home::of_province(home.province)).then_some(home.commune)
}

/// A group from its record. `text` is `None` where the sealed part is gone.
pub(crate) fn from_record(
    facts: &GroupFacts,
    text: Option<&GroupText>,
    version: u64,
) -> Result<Group, String> {
    let channels: Result<_, String> =
        facts.channels.iter().map(|channel| channel_from_record(channel, text)).collect();
    Ok(Group {
        id: parse(&facts.id)?,
        home: home_from_record(facts)?,
        kind: facts.kind(),
        members: facts.members,
        exercises: facts.exercises,
        name: text.map(|text| text.name.as_str().into()),
        channels: channels?,
        version,
        content_sha256: content_sha256(facts, text.unwrap_or(&GroupText::default())),
    })
}

fn home_from_record(facts: &GroupFacts) -> Result<Home, String> {
    let province: ProvinceCode = parse(&facts.province)?;
    match facts.commune.as_str() {
        "" => Ok(Home::of_province(province)),
        commune => Ok(Home { province, commune: parse(commune)? }),
    }
}

fn channel_from_record(facts: &ChannelFacts, text: Option<&GroupText>) -> Result<Channel, String> {
    let address = text.and_then(|text| text.channels.iter().find(|other| other.id == facts.id));
    Ok(Channel {
        id: parse(&facts.id)?,
        channel_type: match facts.r#type.as_str() {
            "webhook" => Cow::Borrowed("webhook"),
            other => Cow::Owned(other.to_owned()),
        },
        // A use that this binary does not know counts as `always`: rather told early than not.
        used: match facts.r#use() {
            ChannelUse::Fallback => Use::Fallback { after_s: facts.after_s },
            ChannelUse::Always | ChannelUse::Unspecified => Use::Always,
        },
        address: address.map(|address| Address {
            url: address.url.as_str().into(),
            secret: address.secret.as_str().into(),
        }),
    })
}

fn parse<T: std::str::FromStr<Err: fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|reason| format!("`{text}` is {reason}"))
}
