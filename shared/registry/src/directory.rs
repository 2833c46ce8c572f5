//! The directory: groups, officers, tokens and the map in force, folded from the log.
//!
//! A projection: it decides nothing, and is rebuilt from the log at every start. Sealed parts
//! (names, addresses, secrets) stand in memory only.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use domain::ids::{CommuneCode, EntityName, GroupId, Home, Millis, OfficerId, ProvinceCode};
use event_log::{Class, Kind, Position, Recorded};
use prost::Message;
use wire::v1::{
    Commit, GroupRecorded, GroupText, Sealed, SealedContent, TokenMade, commit::Outcome,
    event::Event, sealed_content::Content,
};

use crate::{
    group::{self, Group},
    token::{self, Token},
};

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
    pub cause: String,
}

/// The read model.
#[derive(Debug, Default)]
pub struct Directory {
    groups: HashMap<GroupId, Arc<Group>>,
    /// The groups of each commune, sorted by id.
    of_communes: HashMap<CommuneCode, Vec<Arc<Group>>>,
    /// The groups that belong to a province as such, sorted by id.
    of_provinces: HashMap<ProvinceCode, Vec<Arc<Group>>>,
    officers: BTreeSet<OfficerId>,
    tokens: BTreeMap<Box<str>, Token>,
    token_ids: HashMap<[u8; 32], Box<str>>,
    /// The ids of revoked tokens, also of ones whose making was lost with a broker's tail.
    revoked: BTreeSet<Box<str>>,
    map: Option<[u8; 32]>,
    versions: HashMap<EntityName, u64>,
    held: BTreeSet<EntityName>,
}

impl Directory {
    /// Takes in one record, in the order of its class. Records of other entities change nothing,
    /// nor does one that was taken in already.
    pub fn apply(&mut self, recorded: &Recorded) -> Result<(), Unreadable> {
        let entity = &recorded.key.entity;
        let Kind::Commit { version } = recorded.kind else { return Ok(()) };
        if recorded.key.class != Class::Alert || !is_of_directory(entity) {
            return Ok(());
        }
        if version <= self.version(entity) {
            return Ok(());
        }
        let unreadable = |cause: String| Unreadable {
            entity: entity.clone(),
            position: recorded.position,
            cause,
        };
        if self.held.contains(entity) {
            return Err(unreadable("an earlier record of it could not be read".to_owned()));
        }
        let text = group_text(recorded);
        let changes =
            text.and_then(|text| Ok((changes(entity, &recorded.open, RECOVERED_DEPTH_MAX)?, text)));
        match changes {
            Err(cause) => {
                self.held.insert(entity.clone());
                Err(unreadable(cause))
            }
            Ok((changes, text)) => {
                self.versions.insert(entity.clone(), version);
                for change in changes {
                    self.change(change, text.as_ref(), version).map_err(|cause| {
                        self.held.insert(entity.clone());
                        unreadable(cause)
                    })?;
                }
                Ok(())
            }
        }
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

    /// All groups, in no order.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = &Arc<Group>> {
        self.groups.values()
    }

    /// The token with this SHA-256, where it is good now: neither revoked, nor expired, nor held.
    #[must_use]
    pub fn token(&self, hash: &[u8; 32], now: Millis) -> Option<&Token> {
        let token = self.tokens.get(self.token_ids.get(hash)?)?;
        let is_held = self.held.contains(&EntityName::token(&token.id));
        (token.is_good(now) && !is_held).then_some(token)
    }

    /// All tokens, revoked and expired ones too, sorted by id.
    pub fn tokens(&self) -> impl ExactSizeIterator<Item = &Token> {
        self.tokens.values()
    }

    /// Whether an officer was recorded.
    #[must_use]
    pub fn officer_known(&self, officer: &OfficerId) -> bool {
        self.officers.contains(officer)
    }

    /// The SHA-256 of the map in force, as [`crate::Map::sha256`] gives it.
    #[must_use]
    pub fn adopted_map(&self) -> Option<[u8; 32]> {
        self.map
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

    fn change(
        &mut self,
        change: Change,
        text: Option<&GroupText>,
        version: u64,
    ) -> Result<(), String> {
        let Change { event, is_recovered } = change;
        match event {
            Event::OfficerRecorded(recorded) => {
                let officer = recorded.officer.parse();
                self.officers.insert(officer.map_err(|reason| format!("not read: {reason}"))?);
            }
            Event::GroupRecorded(recorded) => {
                self.record_group(&recorded, text, version, is_recovered)?;
            }
            Event::TokenMade(made) => self.make_token(&made)?,
            Event::TokenRevoked(revoked) => self.revoke_token(&revoked.id),
            Event::MapAdopted(adopted) => {
                let sha256 = adopted.sha256.as_ref().try_into();
                let sha256 = sha256.map_err(|_| "a map's hash that has not 32 bytes".to_owned())?;
                if !(is_recovered && self.map.is_some()) {
                    self.map = Some(sha256);
                }
            }
            _ => return Err("an event that does not belong to the directory".to_owned()),
        }
        Ok(())
    }

    /// A recovered content is older than the one that took its ordinal, and yields to it.
    fn record_group(
        &mut self,
        recorded: &GroupRecorded,
        text: Option<&GroupText>,
        version: u64,
        is_recovered: bool,
    ) -> Result<(), String> {
        let facts = recorded.facts.as_ref().ok_or("a group without facts")?;
        let group = Arc::new(group::from_record(facts, text, version)?);
        if is_recovered && self.groups.contains_key(&group.id) {
            return Ok(());
        }
        if let Some(old) = self.groups.insert(group.id.clone(), Arc::clone(&group)) {
            let of_home = self.of_home(old.home);
            of_home.retain(|other| other.id != old.id);
        }
        let of_home = self.of_home(group.home);
        let place = of_home.partition_point(|other| other.id < group.id);
        of_home.insert(place, group);
        Ok(())
    }

    fn of_home(&mut self, home: Home) -> &mut Vec<Arc<Group>> {
        match group::commune_of(home) {
            Some(commune) => self.of_communes.entry(commune).or_default(),
            None => self.of_provinces.entry(home.province).or_default(),
        }
    }

    /// The first record of a token wins: nothing about a token changes but that it is revoked.
    fn make_token(&mut self, made: &TokenMade) -> Result<(), String> {
        let facts = made.facts.as_ref().ok_or("a token without facts")?;
        let mut token = token::from_record(facts)?;
        token.revoked = self.revoked.contains(&token.id);
        if !self.tokens.contains_key(&token.id) {
            self.token_ids.entry(token.hash).or_insert_with(|| token.id.clone());
            self.tokens.insert(token.id.clone(), token);
        }
        Ok(())
    }

    fn revoke_token(&mut self, id: &str) {
        self.revoked.insert(id.into());
        if let Some(token) = self.tokens.get_mut(id) {
            token.revoked = true;
        }
    }
}

fn is_of_directory(entity: &EntityName) -> bool {
    let name = entity.as_str();
    name == EntityName::map().as_str()
        || ["group-", "officer-", "token-"].iter().any(|kind| name.starts_with(kind))
}

/// An event, and whether it comes from a commit that a broker had lost.
struct Change {
    event: Event,
    is_recovered: bool,
}

/// The events of a commit, those of recovered commits among them. A kind of event that this binary
/// does not know, or one about another entity than the commit's, makes the commit unreadable.
fn changes(entity: &EntityName, open: &[u8], depth: usize) -> Result<Vec<Change>, String> {
    let commit = Commit::decode(open).map_err(|error| format!("not a commit: {error}"))?;
    let events = match commit.outcome {
        Some(Outcome::Events(events)) => events.events,
        Some(Outcome::AlreadyTrue(_) | Outcome::Refused(_)) => return Ok(Vec::new()),
        None => return Err("an outcome that this binary does not know".to_owned()),
    };
    let mut changes = Vec::with_capacity(events.len());
    for event in events {
        match event.event {
            Some(Event::Recovered(_)) if depth == 0 => {
                return Err("a commit recovered too often".to_owned());
            }
            Some(Event::Recovered(recovered)) => {
                let inner = self::changes(entity, &recovered.original, depth - 1)?;
                changes.extend(inner.into_iter().map(|c| Change { is_recovered: true, ..c }));
            }
            Some(event) if subject(&event).is_some_and(|name| name == entity.as_str()) => {
                changes.push(Change { event, is_recovered: false });
            }
            Some(_) => return Err("an event about another entity".to_owned()),
            None => return Err("an event that this binary does not know".to_owned()),
        }
    }
    Ok(changes)
}

/// The name of the entity that an event of the directory is about.
fn subject(event: &Event) -> Option<String> {
    Some(match event {
        Event::OfficerRecorded(recorded) => format!("officer-{}", recorded.officer),
        Event::GroupRecorded(recorded) => format!("group-{}", recorded.facts.as_ref()?.id),
        Event::TokenMade(made) => format!("token-{}", made.facts.as_ref()?.id),
        Event::TokenRevoked(revoked) => format!("token-{}", revoked.id),
        Event::MapAdopted(_) => EntityName::map().as_str().to_owned(),
        _ => return None,
    })
}

/// The sealed part of a group's commit; `None` where the record has none here.
fn group_text(recorded: &Recorded) -> Result<Option<GroupText>, String> {
    let Some(bytes) = recorded.seal.bytes() else { return Ok(None) };
    // The cause says nothing of the content: prost's errors name fields, never values.
    let wrong = |error: prost::DecodeError| format!("its sealed part cannot be read: {error}");
    let sealed = Sealed::decode(bytes.clone()).map_err(wrong)?;
    let content = SealedContent::decode(sealed.content).map_err(wrong)?;
    match content.content {
        Some(Content::Group(text)) => Ok(Some(text)),
        _ => Ok(None),
    }
}
