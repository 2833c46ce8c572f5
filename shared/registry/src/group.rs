//! A group as the log has recorded it: its facts, and the sealed part that fan-out needs.

use std::fmt;

use domain::{
    directory::{ChannelFacts, GroupFacts},
    ids::{ChannelId, CommuneCode, Home},
};
use prost::Message;
use sha2::{Digest, Sha256};
use wire::{directory::group_said, v1::GroupText};

/// People who are told together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What is open of it.
    pub facts: GroupFacts,
    /// The name; `None` where the sealed part is erased.
    pub name: Option<Box<str>>,
    /// Where anybody may join it; `None`: by invitation only.
    pub join: Option<Box<str>>,
    /// Where its channels lead; none where the sealed part is erased.
    addresses: Box<[(ChannelId, Address)]>,
    /// The version of the entity `group-<id>` that recorded this content.
    pub version: u64,
    /// SHA-256 of the content, open and sealed; see [`content_sha256`].
    pub content_sha256: [u8; 32],
}

impl Group {
    /// A group from its record. `text` is `None` where the sealed part is gone.
    #[must_use]
    pub fn recorded(facts: GroupFacts, text: Option<&GroupText>, version: u64) -> Self {
        let content_sha256 = content_sha256(&facts, text.unwrap_or(&GroupText::default()));
        let addresses = text.into_iter().flat_map(|text| &text.channels).filter_map(|channel| {
            let address = Address {
                url: channel.url.as_str().into(),
                secret: channel.secret.as_str().into(),
                to: channel.to.as_str().into(),
            };
            Some((channel.id.parse().ok()?, address))
        });
        let addresses = addresses.collect();
        let name = text.map(|text| text.name.as_str().into());
        let join = text.map(|text| text.join.as_str()).filter(|join| !join.is_empty());
        Self { facts, name, join: join.map(Into::into), addresses, version, content_sha256 }
    }

    /// The commune that the group belongs to; `None` where it belongs to a province as such.
    #[must_use]
    pub fn commune(&self) -> Option<CommuneCode> {
        let home = self.facts.home;
        (home != Home::of_province(home.province)).then_some(home.commune)
    }

    /// Where a channel leads; `None` where the sealed part is erased.
    #[must_use]
    pub fn address(&self, channel: &ChannelId) -> Option<&Address> {
        self.addresses.iter().find(|(id, _)| id == channel).map(|(_, address)| address)
    }

    /// The ways to reach the group, in the order of the file, and where each leads.
    pub fn channels(&self) -> impl Iterator<Item = (&ChannelFacts, Option<&Address>)> {
        self.facts.channels.iter().map(|channel| (channel, self.address(&channel.id)))
    }
}

/// Where a channel leads. It is sealed, and does not show in debug output or logs.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Address {
    /// The URL, `http` or `https`, of a webhook or a push subscription; empty otherwise.
    pub url: Box<str>,
    /// The secret that signs, as `whsec_…`; of a push subscription, its `auth`.
    pub secret: Box<str>,
    /// Who or what it is, as the provider names it: a user, a chat, a number, a mailbox, a device;
    /// of a push subscription, its `p256dh`.
    pub to: Box<str>,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(sealed)")
    }
}

/// SHA-256 over the open and the sealed content of a group, the length of the first in front.
/// It compares contents within one binary, and is never recorded.
#[must_use]
pub fn content_sha256(facts: &GroupFacts, text: &GroupText) -> [u8; 32] {
    let facts = group_said(facts).encode_to_vec();
    let mut hash = Sha256::new();
    hash.update((facts.len() as u64).to_be_bytes());
    hash.update(facts);
    hash.update(text.encode_to_vec());
    hash.finalize().into()
}
