//! The directory's entries: officers, groups, tokens, and the map in force.
//!
//! Officers' addresses, rosters, keys that sign, the key of links, the switches of channels too.
//! Each is an entity of its own, and all are decided alike: what is recorded is already true.

use std::sync::Arc;

use crate::{
    dated::Validity,
    decider::{Decider, Refusal},
    ids::{ChannelId, GroupId, Home, KeyId, Millis, OfficerId, RecordId, SwitchId},
    key::{Key, KeyCommand, KeyEvent, NotOfKey},
    maps::MapFacts,
    rights::{Asker, Standing},
    roster::Duty,
    values::{GroupKind, Role},
};

/// What is open of a group; its name, addresses and secrets are sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupFacts {
    /// Its id.
    pub id: GroupId,
    /// Its commune, or its province alone ([`Home::of_province`]).
    pub home: Home,
    /// What holds its people together.
    pub kind: GroupKind,
    /// How many people, as far as is known.
    pub members: u32,
    /// Whether it takes part in drills.
    pub exercises: bool,
    /// Ways to reach it; at least one.
    pub channels: Vec<ChannelFacts>,
}

/// What is open of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelFacts {
    /// Its id within the group.
    pub id: ChannelId,
    /// For example `webhook`.
    pub channel_type: String,
    /// When it is used.
    pub used: ChannelUse,
    /// The operator's account with the provider, by its name; empty where none is needed.
    pub account: String,
    /// For a poster: the type of channel by which the poster gets the task; empty otherwise.
    pub via: String,
}

/// When a channel of a group is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelUse {
    /// Always, at once.
    Always,
    /// When the others were silent for so long.
    Fallback {
        /// Seconds.
        after_s: u32,
    },
}

/// What is known of a token; the token itself is nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFacts {
    /// Its public id.
    pub id: String,
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// Whose it is.
    pub officer: OfficerId,
    /// Role and place.
    pub standing: Standing,
    /// When it ends by itself.
    pub expires_at: Option<Millis>,
    /// What it is good for.
    pub purpose: TokenPurpose,
}

/// What a token is good for; for nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TokenPurpose {
    /// Requests of programs, in their `Authorization` header.
    #[default]
    Access,
    /// Requests of a browser, in its cookie: a person who has signed in.
    Session {
        /// By this key, and no longer than it is good; `None`: without one.
        key: Option<KeyId>,
    },
    /// Asking for a passkey, once.
    Enrolment {
        /// Who gave it to the holder, and so says yes to the passkey.
        by: Asker,
    },
}

/// What is open of how an officer is reached; name and addresses are sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactFacts {
    /// Who.
    pub officer: OfficerId,
    /// Whether a way to reach the officer is recorded.
    pub reachable: bool,
}

/// Who is asked at one place, and when who is on duty: all of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RosterFacts {
    /// A commune, or a province's duty desk ([`Home::of_province`]).
    pub place: Home,
    /// In the order in which they are asked.
    pub contacts: Vec<Listed>,
    /// When who is on duty; everybody here is a contact.
    pub duties: Vec<Duty>,
}

/// Somebody who is asked at a place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Listed {
    /// Who.
    pub officer: OfficerId,
    /// As whom.
    pub role: Role,
    /// When.
    pub valid: Validity,
}

/// Something asked of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryCommand {
    /// Add or change an officer.
    RecordOfficer(OfficerId),
    /// Add or change a group.
    RecordGroup {
        /// What is open of it.
        facts: GroupFacts,
        /// The command whose sealed part holds the rest.
        content: RecordId,
    },
    /// Add a token.
    MakeToken(TokenFacts),
    /// End a token.
    RevokeToken {
        /// Its public id.
        id: String,
    },
    /// Write down which map is in force, and from when on.
    AdoptMap(MapFacts),
    /// Add or change how an officer is reached.
    RecordContact {
        /// What is open of it.
        facts: ContactFacts,
        /// The command whose sealed part holds the rest.
        content: RecordId,
    },
    /// Set who is asked at a place.
    RecordRoster(RosterFacts),
    /// Make the key by which links are signed, where there is none.
    MakeLinkKey {
        /// The command whose sealed part holds the key.
        content: RecordId,
    },
    /// Something asked of a key that signs.
    OfKey(KeyCommand),
    /// Stop all that would leave at this switch, or let it go on.
    SwitchChannel {
        /// Which.
        switch: SwitchId,
        /// Whether it is stopped from now on.
        stopped: bool,
    },
}

/// What is recorded of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryEvent {
    /// An officer is known.
    OfficerRecorded(OfficerId),
    /// A group is known, or has changed.
    GroupRecorded {
        /// What is open of it.
        facts: GroupFacts,
        /// The command whose sealed part holds the rest.
        content: RecordId,
    },
    /// A token is good.
    TokenMade(TokenFacts),
    /// A token is no longer good.
    TokenRevoked {
        /// Its public id.
        id: String,
    },
    /// A map is in force.
    MapAdopted {
        /// Which.
        map: MapFacts,
        /// The version of the map that ends where this one begins.
        ends: Option<Arc<str>>,
    },
    /// It is known how an officer is reached, or that has changed.
    ContactRecorded {
        /// What is open of it.
        facts: ContactFacts,
        /// The command whose sealed part holds the rest.
        content: RecordId,
    },
    /// Who is asked at a place is set.
    RosterRecorded(RosterFacts),
    /// Links are signed by this key.
    LinkKeyMade {
        /// The command whose sealed part holds the key.
        content: RecordId,
    },
    /// Something about a key that signs.
    OfKey(KeyEvent),
    /// A type of channel or an account is stopped, or goes on.
    ChannelSwitched {
        /// Which.
        switch: SwitchId,
        /// Whether it is stopped from now on.
        stopped: bool,
    },
}

/// Why something is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotRecorded {
    /// There is no such token.
    #[error("no such token")]
    NoSuchToken,
    /// Another map is in force, and this one is not dated later.
    #[error("another map is in force")]
    OtherMap,
    /// A key is not asked for, confirmed or ended like this.
    #[error(transparent)]
    Key(#[from] NotOfKey),
}

impl From<NotRecorded> for Refusal {
    fn from(not: NotRecorded) -> Self {
        match not {
            NotRecorded::NoSuchToken => Self { code: "not-found", field: "id" },
            NotRecorded::OtherMap => Self { code: "other-map", field: "sha256" },
            NotRecorded::Key(not) => not.into(),
        }
    }
}

/// One entry of the directory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub enum Entry {
    /// Nothing was recorded.
    #[default]
    Nothing,
    /// An officer.
    Officer,
    /// A group, and which command holds its sealed part.
    Group(RecordId),
    /// A token.
    Token {
        /// Whether it was revoked.
        revoked: bool,
    },
    /// The map in force.
    Map(MapFacts),
    /// How an officer is reached, and which command holds its sealed part.
    Contact(RecordId),
    /// Who is asked at a place.
    Roster(RosterFacts),
    /// The key of links, and which command holds it.
    LinkKey(RecordId),
    /// A key that signs.
    Key(Key),
    /// A switch of channels.
    Channel {
        /// Whether nothing leaves.
        stopped: bool,
    },
}

impl Decider for Entry {
    type Command = DirectoryCommand;
    type Event = DirectoryEvent;
    type Rejection = NotRecorded;
    type Facts = ();

    fn decide(
        &self,
        command: &DirectoryCommand,
        (): &(),
    ) -> Result<Vec<DirectoryEvent>, NotRecorded> {
        Ok(match (command, self) {
            (DirectoryCommand::RecordOfficer(_), Self::Officer) => vec![],
            (DirectoryCommand::RecordOfficer(id), _) => {
                vec![DirectoryEvent::OfficerRecorded(id.clone())]
            }
            (DirectoryCommand::RecordGroup { content, .. }, Self::Group(same))
                if same == content =>
            {
                vec![]
            }
            (DirectoryCommand::RecordGroup { facts, content }, _) => {
                vec![DirectoryEvent::GroupRecorded { facts: facts.clone(), content: *content }]
            }
            (DirectoryCommand::MakeToken(_), Self::Token { .. }) => vec![],
            (DirectoryCommand::MakeToken(facts), _) => {
                vec![DirectoryEvent::TokenMade(facts.clone())]
            }
            (DirectoryCommand::RevokeToken { .. }, Self::Token { revoked: true }) => vec![],
            (DirectoryCommand::RevokeToken { id }, Self::Token { revoked: false }) => {
                vec![DirectoryEvent::TokenRevoked { id: id.clone() }]
            }
            (DirectoryCommand::RevokeToken { .. }, _) => return Err(NotRecorded::NoSuchToken),
            (DirectoryCommand::AdoptMap(map), Self::Map(before)) => adopt_map(before, map)?,
            (DirectoryCommand::AdoptMap(map), _) => {
                vec![DirectoryEvent::MapAdopted { map: map.clone(), ends: None }]
            }
            (DirectoryCommand::RecordContact { content, .. }, Self::Contact(same))
                if same == content =>
            {
                vec![]
            }
            (DirectoryCommand::RecordContact { facts, content }, _) => {
                vec![DirectoryEvent::ContactRecorded { facts: facts.clone(), content: *content }]
            }
            (DirectoryCommand::RecordRoster(facts), Self::Roster(same)) if facts == same => vec![],
            (DirectoryCommand::RecordRoster(facts), _) => {
                vec![DirectoryEvent::RosterRecorded(facts.clone())]
            }
            // Two processes may ask at once: a second key would spoil the links of the first.
            (DirectoryCommand::MakeLinkKey { .. }, Self::LinkKey(_)) => vec![],
            (DirectoryCommand::MakeLinkKey { content }, _) => {
                vec![DirectoryEvent::LinkKeyMade { content: *content }]
            }
            (DirectoryCommand::OfKey(command), before) => {
                let unknown = Key::default();
                let key = if let Self::Key(key) = before { key } else { &unknown };
                key.decide(command)?.into_iter().map(DirectoryEvent::OfKey).collect()
            }
            (DirectoryCommand::SwitchChannel { switch, stopped }, before) => {
                switch_channel(before, switch, *stopped)
            }
        })
    }

    fn evolve(self, event: &DirectoryEvent) -> Self {
        match event {
            DirectoryEvent::OfficerRecorded(_) => Self::Officer,
            DirectoryEvent::GroupRecorded { content, .. } => Self::Group(*content),
            DirectoryEvent::TokenMade(_) => Self::Token { revoked: false },
            DirectoryEvent::TokenRevoked { .. } => Self::Token { revoked: true },
            DirectoryEvent::MapAdopted { map, .. } => Self::Map(map.clone()),
            DirectoryEvent::ContactRecorded { content, .. } => Self::Contact(*content),
            DirectoryEvent::RosterRecorded(facts) => Self::Roster(facts.clone()),
            DirectoryEvent::LinkKeyMade { content } => Self::LinkKey(*content),
            DirectoryEvent::OfKey(event) => match self {
                Self::Key(key) => Self::Key(key.evolve(event)),
                _ => Self::Key(Key::default().evolve(event)),
            },
            DirectoryEvent::ChannelSwitched { stopped, .. } => Self::Channel { stopped: *stopped },
        }
    }
}

/// Another map only where it is dated later: then the one before ends where it begins.
fn adopt_map(before: &MapFacts, map: &MapFacts) -> Result<Vec<DirectoryEvent>, NotRecorded> {
    let is_same = before.sha256 == map.sha256;
    if before.says(map) {
        return Ok(vec![]);
    }
    if !is_same && !before.gives_way_to(map) {
        return Err(NotRecorded::OtherMap);
    }
    let ends = (!is_same).then(|| before.name());
    Ok(vec![DirectoryEvent::MapAdopted { map: map.clone(), ends }])
}

/// What was never stopped goes on.
fn switch_channel(before: &Entry, switch: &SwitchId, stopped: bool) -> Vec<DirectoryEvent> {
    let was_stopped = matches!(before, Entry::Channel { stopped: true });
    if was_stopped == stopped {
        return vec![];
    }
    vec![DirectoryEvent::ChannelSwitched { switch: switch.clone(), stopped }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        given: &[DirectoryCommand],
        when: &DirectoryCommand,
        then: Result<usize, NotRecorded>,
    ) {
        let entry = given.iter().fold(Entry::default(), |entry, command| {
            let events = entry.decide(command, &()).unwrap();
            events.iter().fold(entry, Entry::evolve)
        });
        assert_eq!(entry.decide(when, &()).map(|events| events.len()), then, "{when:?}");
    }

    #[test]
    fn what_is_recorded_is_already_true() {
        let token = DirectoryCommand::MakeToken(TokenFacts {
            id: "t1".into(),
            hash: [7; 32],
            officer: "an".parse().unwrap(),
            standing: Standing::Admin,
            expires_at: None,
            purpose: TokenPurpose::Access,
        });
        let revoke = DirectoryCommand::RevokeToken { id: "t1".into() };
        let contact = |content| DirectoryCommand::RecordContact {
            facts: ContactFacts { officer: "an".parse().unwrap(), reachable: true },
            content: RecordId::of_purpose(content),
        };
        let listed = |officer: &str| Listed {
            officer: officer.parse().unwrap(),
            role: Role::Officer,
            valid: Validity::ALWAYS,
        };
        let roster = |officer| {
            DirectoryCommand::RecordRoster(RosterFacts {
                place: Home::NATION,
                contacts: vec![listed(officer)],
                duties: vec![],
            })
        };
        for (one, other) in [(contact("a"), contact("b")), (roster("an"), roster("binh"))] {
            check(&[], &one, Ok(1));
            check(std::slice::from_ref(&one), &one, Ok(0));
            check(&[one.clone(), other], &one, Ok(1));
        }
        check(&[], &token, Ok(1));
        check(std::slice::from_ref(&token), &token, Ok(0));
        check(std::slice::from_ref(&token), &revoke, Ok(1));
        check(&[token.clone(), revoke.clone()], &revoke, Ok(0));
        check(&[], &revoke, Err(NotRecorded::NoSuchToken));
    }

    #[test]
    fn a_key_of_links_is_made_once() {
        let make =
            |content| DirectoryCommand::MakeLinkKey { content: RecordId::of_purpose(content) };
        check(&[], &make("a"), Ok(1));
        check(&[make("a")], &make("a"), Ok(0));
        check(&[make("a")], &make("b"), Ok(0));
    }

    #[test]
    fn a_channel_is_stopped_and_goes_on() {
        let switch = |stopped| DirectoryCommand::SwitchChannel {
            switch: "account:oa".parse().unwrap(),
            stopped,
        };
        let (stop, go_on) = (switch(true), switch(false));
        check(&[], &go_on, Ok(0));
        check(&[], &stop, Ok(1));
        check(std::slice::from_ref(&stop), &stop, Ok(0));
        check(std::slice::from_ref(&stop), &go_on, Ok(1));
        check(&[stop.clone(), go_on.clone()], &go_on, Ok(0));
        check(&[stop.clone(), go_on], &stop, Ok(1));
    }

    #[test]
    fn another_map_is_adopted_where_it_is_dated_later() {
        let map = |hash, version: Option<&str>, from: Option<i64>| {
            let valid = Validity::of(from.map(Millis), None).unwrap();
            let version = version.map(|version| version.parse().unwrap());
            DirectoryCommand::AdoptMap(MapFacts::of([hash; 32], 1, version, valid))
        };
        let (bare, recorded_before_dates) = (map(1, None, Some(50)), map(1, None, None));
        let dated = |hash, from| map(hash, Some("v"), Some(from));
        let given = |command: &DirectoryCommand| vec![command.clone()];
        check(&[], &bare, Ok(1));
        check(&given(&bare), &map(1, None, Some(60)), Ok(0));
        // The communes have a version now; once.
        check(&given(&bare), &dated(1, 10), Ok(1));
        check(&given(&recorded_before_dates), &dated(1, 10), Ok(1));
        check(&[bare.clone(), dated(1, 10)], &dated(1, 11), Ok(0));
        check(&[bare.clone(), dated(1, 10)], &bare, Ok(0));
        // Another map.
        let other = Err(NotRecorded::OtherMap);
        check(&given(&bare), &map(2, None, Some(60)), other);
        check(&given(&bare), &dated(2, 50), other);
        check(&given(&bare), &dated(2, 51), Ok(1));
        check(&given(&recorded_before_dates), &dated(2, 51), other);
        check(&[bare.clone(), dated(2, 51)], &bare, other);
        check(&[bare.clone(), dated(2, 51)], &dated(1, 51), other);
        check(&[bare, dated(2, 51)], &dated(1, 52), Ok(1));
    }

    #[test]
    fn who_adopts_another_map_says_which_one_ends() {
        let map = |hash, version: &str, from| {
            let valid = Validity::of(Some(Millis(from)), None).unwrap();
            MapFacts::of([hash; 32], 1, Some(version.parse().unwrap()), valid)
        };
        let (before, after) = (map(1, "a", 1), map(2, "b", 2));
        let entry = Entry::Map(before);
        let events = entry.decide(&DirectoryCommand::AdoptMap(after.clone()), &()).unwrap();
        let ends = Some("a".into());
        assert_eq!(events, [DirectoryEvent::MapAdopted { map: after, ends }]);
    }
}
