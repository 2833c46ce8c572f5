//! The directory: groups, officers, rosters, tokens and the map in force, folded from the log.
//!
//! A projection: it decides nothing, and is rebuilt from the log at every start. Sealed parts
//! (names, addresses, secrets, the key of links) stand in memory only.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use domain::{
    dated::{Adopted, Versions},
    directory::{ChannelUse, DirectoryEvent, Entry, GroupFacts, TokenFacts, TokenPurpose},
    ids::{CommuneCode, EntityName, GroupId, KeyId, Millis, OfficerId, ProvinceCode, SwitchId},
    maps::{MapFacts, Maps},
    roster::Rosters,
};
use event_log::{Class, Kind, Position, Recorded};
use prost::Message;
use wire::{
    NotDecodable, Spoken, seal,
    v1::{Commit, ContactText, GroupText, commit::Outcome, event::Event, sealed_content::Content},
};

use crate::{
    drills::Drills,
    group::Group,
    link_key::LinkKey,
    signers::{Signers, SigningKey},
    staff::Staff,
    token::Token,
};

/// A session is known for so long after its end: a record of it may be late.
const SESSION_KEPT_MS: i64 = 24 * 3_600_000;

/// How deep a recovered commit may itself stand in a recovered commit.
const RECOVERED_DEPTH_MAX: usize = 8;

/// A record of the directory that this binary cannot read. The caller sets it aside, counts it
/// and raises an alarm; the directory holds its whole entity: a held token is good for nothing, a
/// held group stays as it was last known, since its people are still to be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{entity} is held at position {position}: {cause}")]
pub struct Unreadable {
    /// The entity that is held from here on.
    pub entity: EntityName,
    /// Where the record stands in its class.
    pub position: Position,
    /// Why. Names nothing personal.
    pub cause: NotDecodable,
}

/// The read model.
#[derive(Debug, Default)]
pub struct Directory {
    groups: HashMap<GroupId, Arc<Group>>,
    /// The groups of each commune, sorted by id.
    of_communes: HashMap<CommuneCode, Vec<Arc<Group>>>,
    /// The groups that belong to a province as such, sorted by id.
    of_provinces: HashMap<ProvinceCode, Vec<Arc<Group>>>,
    /// How many groups have a channel that is used where the others are silent.
    fallbacks: usize,
    officers: BTreeSet<OfficerId>,
    tokens: BTreeMap<String, Token>,
    token_ids: HashMap<[u8; 32], String>,
    /// The tokens of sessions, as they were made: until when, and the id.
    sessions: VecDeque<(Millis, String)>,
    /// The ids of revoked tokens, also of ones whose making was lost with a broker's tail.
    revoked: BTreeSet<String>,
    maps: Maps,
    staff: Staff,
    drills: Drills,
    signers: Signers,
    link_key: Option<LinkKey>,
    /// The switches at which nothing leaves.
    stopped: BTreeSet<SwitchId>,
    versions: HashMap<EntityName, u64>,
    held: BTreeSet<EntityName>,
}

impl Directory {
    /// Takes in one record, in the order of its class. Of other entities only drills are noted;
    /// what was taken in already changes nothing.
    pub fn apply(&mut self, recorded: &Recorded) -> Result<(), Unreadable> {
        self.drills.apply(recorded);
        let entity = &recorded.key.entity;
        let Kind::Commit { version } = recorded.kind else { return Ok(()) };
        if recorded.key.class != Class::Alert || !is_of_directory(entity) {
            return Ok(());
        }
        if version <= self.version(entity) {
            return Ok(());
        }
        let taken_in = if self.held.contains(entity) {
            Err(NotDecodable("an earlier record of the entity"))
        } else {
            changes(recorded)
        };
        match taken_in {
            Ok(changes) => {
                self.versions.insert(entity.clone(), version);
                changes.into_iter().for_each(|change| self.change(change, version));
                Ok(())
            }
            Err(cause) => {
                self.held.insert(entity.clone());
                Err(Unreadable { entity: entity.clone(), position: recorded.position, cause })
            }
        }
    }

    /// Refuses a token from now on; see `SharedDirectory::revoke_here`.
    pub(crate) fn revoke_here(&mut self, token: &str) {
        self.revoked.insert(token.to_owned());
        if let Some(token) = self.tokens.get_mut(token) {
            token.revoked = true;
        }
    }

    /// Takes a token from now on; see `SharedDirectory::know_token_here`.
    pub(crate) fn know_token_here(&mut self, facts: TokenFacts) {
        self.make_token(facts);
    }

    /// Refuses a key from now on; see `SharedDirectory::revoke_key_here`.
    pub(crate) fn revoke_key_here(&mut self, id: KeyId) {
        self.signers.revoke(id);
    }

    /// The groups of a commune, sorted by id.
    #[must_use]
    pub fn groups_of(&self, commune: CommuneCode) -> &[Arc<Group>] {
        self.of_communes.get(&commune).map_or(&[], Vec::as_slice)
    }

    /// The groups that belong to a province as such, not to one of its communes; sorted by id.
    #[must_use]
    pub fn groups_of_province(&self, province: ProvinceCode) -> &[Arc<Group>] {
        self.of_provinces.get(&province).map_or(&[], Vec::as_slice)
    }

    /// A group.
    #[must_use]
    pub fn group(&self, id: &GroupId) -> Option<&Arc<Group>> {
        self.groups.get(id)
    }

    /// Whether any group has a channel that is used where the others are silent.
    #[must_use]
    pub fn has_fallbacks(&self) -> bool {
        self.fallbacks > 0
    }

    /// All groups, in no order.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = &Arc<Group>> {
        self.groups.values()
    }

    /// The token with this SHA-256, where it is good now: neither revoked, nor expired, nor held.
    #[must_use]
    pub fn token(&self, hash: &[u8; 32], now: Millis) -> Option<&TokenFacts> {
        let token = self.tokens.get(self.token_ids.get(hash)?)?;
        let is_held = self.held.contains(&EntityName::token(&token.facts.id));
        (token.is_good(now) && !is_held).then_some(&token.facts)
    }

    /// All tokens, revoked and expired ones too, sorted by id.
    pub fn tokens(&self) -> impl ExactSizeIterator<Item = &Token> {
        self.tokens.values()
    }

    /// All keys that sign, revoked ones too.
    #[must_use]
    pub fn signers(&self) -> &Signers {
        &self.signers
    }

    /// A key that signs, as it stands; a held one is nobody's.
    #[must_use]
    pub fn signing_key(&self, id: KeyId) -> Option<&SigningKey> {
        self.signers.get(id).filter(|_| !self.held.contains(&EntityName::key(id)))
    }

    /// Whether an officer was recorded.
    #[must_use]
    pub fn officer_known(&self, officer: &OfficerId) -> bool {
        self.officers.contains(officer)
    }

    /// All officers that were recorded, sorted by id.
    pub fn officers(&self) -> impl ExactSizeIterator<Item = &OfficerId> {
        self.officers.iter()
    }

    /// The map in force.
    #[must_use]
    pub fn adopted_map(&self) -> Option<&MapFacts> {
        self.maps.last()
    }

    /// All maps that were adopted.
    #[must_use]
    pub fn maps(&self) -> &Maps {
        &self.maps
    }

    /// Who is asked at which commune and at which province's duty desk, and who is on duty there.
    #[must_use]
    pub fn rosters(&self) -> &Rosters {
        self.staff.rosters()
    }

    /// Everybody who can be asked, and how.
    #[must_use]
    pub fn staff(&self) -> &Staff {
        &self.staff
    }

    /// Who took part in a drill.
    #[must_use]
    pub fn drills(&self) -> &Drills {
        &self.drills
    }

    /// The key by which links are signed; `None` where none was made, or it is not here.
    #[must_use]
    pub fn link_key(&self) -> Option<&LinkKey> {
        self.link_key.as_ref()
    }

    /// Whether nothing may leave on this type of channel, or through this account; empty where the
    /// channel needs none.
    #[must_use]
    pub fn is_stopped(&self, channel_type: &str, account: &str) -> bool {
        if self.stopped.is_empty() {
            return false;
        }
        let is_off = |switch: &str| self.stopped.iter().any(|stopped| stopped.as_str() == switch);
        is_off(channel_type) || (!account.is_empty() && is_off(&format!("account:{account}")))
    }

    /// The switches at which nothing leaves, sorted.
    pub fn stopped(&self) -> impl ExactSizeIterator<Item = &SwitchId> {
        self.stopped.iter()
    }

    /// How many commits of this entity were taken in; 0 where it has none.
    #[must_use]
    pub fn version(&self, entity: &EntityName) -> u64 {
        self.versions.get(entity).copied().unwrap_or(0)
    }

    /// The entities that are held, for the alarm.
    pub fn held(&self) -> impl ExactSizeIterator<Item = &EntityName> {
        self.held.iter()
    }

    fn change(&mut self, change: Change, version: u64) {
        let Change { said, text, at, is_recovered } = change;
        let event = match said {
            Said::Adopted(adopted) => return self.staff.adopt(&adopted),
            Said::Entry(event) => event,
        };
        match event {
            DirectoryEvent::OfficerRecorded(officer) => {
                self.officers.insert(officer);
            }
            // What was recovered is older than what took its ordinal, and yields to it.
            DirectoryEvent::GroupRecorded { facts, .. } => {
                if !(is_recovered && self.groups.contains_key(&facts.id)) {
                    let text = text.and_then(Text::of_group);
                    self.record_group(facts, text.as_ref(), version);
                }
            }
            DirectoryEvent::ContactRecorded { facts, .. } => {
                if !(is_recovered && self.staff.person(&facts.officer).is_some()) {
                    let text = text.and_then(Text::of_contact);
                    self.staff.record_contact(facts, text.as_ref());
                }
            }
            DirectoryEvent::RosterRecorded(facts) => {
                if !(is_recovered && self.staff.place(facts.place).is_some()) {
                    self.staff.record_roster(facts);
                }
            }
            DirectoryEvent::TokenMade(facts) => self.make_token(facts),
            DirectoryEvent::TokenRevoked { id } => {
                if let Some(token) = self.tokens.get_mut(&id) {
                    token.revoked = true;
                }
                self.revoked.insert(id);
            }
            DirectoryEvent::MapAdopted { map, .. } => {
                if !(is_recovered && self.maps.last().is_some()) {
                    self.maps.adopt(&map);
                }
            }
            // The first that was made stays, whatever comes back later.
            DirectoryEvent::LinkKeyMade { .. } => {
                let made = text.and_then(Text::of_link_key);
                self.link_key = self.link_key.take().or(made);
            }
            DirectoryEvent::OfKey(event) => self.signers.apply(event, (version, at)),
            // In the log's order, recovered ones too, as the decider has it.
            DirectoryEvent::ChannelSwitched { switch, stopped } => {
                if stopped {
                    self.stopped.insert(switch);
                } else {
                    self.stopped.remove(&switch);
                }
            }
        }
    }

    fn record_group(&mut self, facts: GroupFacts, text: Option<&GroupText>, version: u64) {
        let group = Arc::new(Group::recorded(facts, text, version));
        let id = &group.facts.id;
        self.fallbacks += usize::from(falls_back(&group));
        if let Some(old) = self.groups.insert(id.clone(), Arc::clone(&group)) {
            self.fallbacks = self.fallbacks.saturating_sub(usize::from(falls_back(&old)));
            self.of_home(&old).retain(|other| other.facts.id != *id);
        }
        let of_home = self.of_home(&group);
        let place = of_home.partition_point(|other| other.facts.id < *id);
        of_home.insert(place, Arc::clone(&group));
    }

    fn of_home(&mut self, group: &Group) -> &mut Vec<Arc<Group>> {
        match group.commune() {
            Some(commune) => self.of_communes.entry(commune).or_default(),
            None => self.of_provinces.entry(group.facts.home.province).or_default(),
        }
    }

    /// The first record of a token wins: nothing about a token changes but that it is revoked.
    fn make_token(&mut self, facts: TokenFacts) {
        if !self.tokens.contains_key(&facts.id) {
            let revoked = self.revoked.contains(&facts.id);
            self.token_ids.entry(facts.hash).or_insert_with(|| facts.id.clone());
            if let (TokenPurpose::Session { .. }, Some(end)) = (&facts.purpose, facts.expires_at) {
                self.forget_sessions(end);
                self.sessions.push_back((end, facts.id.clone()));
            }
            self.tokens.insert(facts.id.clone(), Token { facts, revoked });
        }
    }
}

impl Directory {
    /// Forgets the sessions that ended at least a day before the newest one will: so many are made
    /// every day, and they are over for ever.
    fn forget_sessions(&mut self, newest_end: Millis) {
        let is_over = |(end, _): &mut (Millis, String)| end.plus_ms(SESSION_KEPT_MS) <= newest_end;
        while let Some((_, id)) = self.sessions.pop_front_if(is_over) {
            if let Some(token) = self.tokens.remove(&id) {
                self.token_ids.remove(&token.facts.hash);
            }
            self.revoked.remove(&id);
            self.versions.remove(&EntityName::token(&id));
        }
    }
}

fn falls_back(group: &Group) -> bool {
    group.facts.channels.iter().any(|channel| channel.used != ChannelUse::Always)
}

fn is_of_directory(entity: &EntityName) -> bool {
    let name = entity.as_str();
    let kinds = ["group-", "officer-", "token-", "contact-", "roster-", "channel-", "key-"];
    [EntityName::map(), EntityName::directory(), EntityName::link_key()].contains(entity)
        || kinds.iter().any(|kind| name.starts_with(kind))
}

/// An event, the sealed text of its commit, when it was decided, and whether a broker had lost it.
struct Change {
    said: Said,
    text: Option<Text>,
    at: Millis,
    is_recovered: bool,
}

enum Said {
    Entry(DirectoryEvent),
    Adopted(Adopted),
}

enum Text {
    Group(GroupText),
    Contact(ContactText),
    LinkKey(LinkKey),
}

impl Text {
    fn of_group(self) -> Option<GroupText> {
        if let Self::Group(text) = self { Some(text) } else { None }
    }

    fn of_contact(self) -> Option<ContactText> {
        if let Self::Contact(text) = self { Some(text) } else { None }
    }

    fn of_link_key(self) -> Option<LinkKey> {
        if let Self::LinkKey(key) = self { Some(key) } else { None }
    }
}

/// What a record says. A kind of event that this binary does not know, or one about another entity
/// than the record's, makes it unreadable.
fn changes(recorded: &Recorded) -> Result<Vec<Change>, NotDecodable> {
    let mut changes = Vec::new();
    // A recovered commit stands in another one; from the outermost to the innermost.
    let mut inside = vec![recorded.open.clone()];
    for depth in 0..=RECOVERED_DEPTH_MAX {
        let mut recovered = Vec::new();
        for open in inside {
            read_commit(recorded, open, depth > 0, &mut changes, &mut recovered)?;
        }
        if recovered.is_empty() {
            return Ok(changes);
        }
        inside = recovered;
    }
    Err(NotDecodable("a commit recovered too often"))
}

fn read_commit(
    recorded: &Recorded,
    open: Bytes,
    is_recovered: bool,
    changes: &mut Vec<Change>,
    recovered: &mut Vec<Bytes>,
) -> Result<(), NotDecodable> {
    let commit = Commit::decode(open).map_err(|_| NotDecodable("a commit"))?;
    let at = Millis(commit.decided_at_ms);
    let events = match commit.outcome {
        Some(Outcome::Events(events)) => events.events,
        Some(Outcome::AlreadyTrue(_) | Outcome::Refused(_)) => return Ok(()),
        None => return Err(NotDecodable("a commit's outcome")),
    };
    for event in events {
        let event = event.event.ok_or(NotDecodable("an event"))?;
        if let Event::Recovered(lost) = event {
            recovered.push(lost.original);
            continue;
        }
        let said = match event {
            Event::DirectoryAdopted(_) => Said::Adopted(Versions::recall(&event)?),
            _ => Said::Entry(Entry::recall(&event)?),
        };
        if subject(&said) != recorded.key.entity {
            return Err(NotDecodable("an event of another entity"));
        }
        let text = text_of(&said, recorded, &commit.commitment)?;
        changes.push(Change { said, text, at, is_recovered });
    }
    Ok(())
}

/// The entity that an event of the directory is about.
fn subject(said: &Said) -> EntityName {
    let event = match said {
        Said::Adopted(_) => return EntityName::directory(),
        Said::Entry(event) => event,
    };
    match event {
        DirectoryEvent::OfficerRecorded(officer) => EntityName::officer(officer),
        DirectoryEvent::GroupRecorded { facts, .. } => EntityName::group(&facts.id),
        DirectoryEvent::TokenMade(facts) => EntityName::token(&facts.id),
        DirectoryEvent::TokenRevoked { id } => EntityName::token(id),
        DirectoryEvent::MapAdopted { .. } => EntityName::map(),
        DirectoryEvent::ContactRecorded { facts, .. } => EntityName::contact(&facts.officer),
        DirectoryEvent::RosterRecorded(facts) => EntityName::roster(facts.place),
        DirectoryEvent::LinkKeyMade { .. } => EntityName::link_key(),
        DirectoryEvent::OfKey(event) => EntityName::key(event.id()),
        DirectoryEvent::ChannelSwitched { switch, .. } => EntityName::channel(switch),
    }
}

/// The sealed part of a group's, a contact's or the link key's commit; `None` where it is not here,
/// or erased.
fn text_of(
    said: &Said,
    recorded: &Recorded,
    commitment: &[u8],
) -> Result<Option<Text>, NotDecodable> {
    let Said::Entry(event) = said else { return Ok(None) };
    let wanted = match event {
        DirectoryEvent::GroupRecorded { .. } => "a group's sealed content",
        DirectoryEvent::ContactRecorded { .. } => "a contact's sealed content",
        DirectoryEvent::LinkKeyMade { .. } => "the link key's sealed content",
        _ => return Ok(None),
    };
    let Some(sealed) = recorded.seal.bytes() else { return Ok(None) };
    let text = match (event, seal::open(sealed, commitment)?.content) {
        (DirectoryEvent::GroupRecorded { .. }, Some(Content::Group(text))) => Text::Group(text),
        (DirectoryEvent::ContactRecorded { .. }, Some(Content::Contact(text))) => {
            Text::Contact(text)
        }
        (DirectoryEvent::LinkKeyMade { .. }, Some(Content::LinkKey(text))) => {
            let key = text.key.as_ref().try_into().map_err(|_| NotDecodable(wanted))?;
            Text::LinkKey(LinkKey::of(key))
        }
        _ => return Err(NotDecodable(wanted)),
    };
    Ok(Some(text))
}
