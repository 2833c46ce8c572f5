//! The directory's entries on the wire.

use bytes::Bytes;
use domain::{
    directory::{
        ChannelFacts, ChannelUse, DirectoryCommand, DirectoryEvent, Entry, GroupFacts, TokenFacts,
        TokenPurpose,
    },
    ids::{Home, KeyId, SwitchId},
    maps::MapFacts,
    rights::{Asker, Standing},
};

use crate::{
    NotDecodable, Spoken,
    actor::standing,
    key,
    roster::{contact_recalled, contact_said, hash, roster_recalled, roster_said, validity},
    spoken::{home_recalled, id_bytes, millis_or_none, record_id},
    v1::{self, command::Body, event::Event},
    values::{group_kind_recalled, group_kind_said, role_recalled, role_said},
};

/// What is open of a group, on the wire.
#[must_use]
pub fn group_said(facts: &GroupFacts) -> v1::GroupFacts {
    let whole_province = facts.home == Home::of_province(facts.home.province);
    let commune = if whole_province { String::new() } else { facts.home.commune.to_string() };
    v1::GroupFacts {
        id: facts.id.to_string(),
        commune,
        province: facts.home.province.to_string(),
        kind: group_kind_said(facts.kind),
        members: facts.members,
        exercises: facts.exercises,
        channels: facts.channels.iter().map(channel_said).collect(),
    }
}

fn channel_said(channel: &ChannelFacts) -> v1::ChannelFacts {
    let (used, after_s) = match channel.used {
        ChannelUse::Always => (v1::ChannelUse::Always, 0),
        ChannelUse::Fallback { after_s } => (v1::ChannelUse::Fallback, after_s),
    };
    v1::ChannelFacts {
        id: channel.id.to_string(),
        r#type: channel.channel_type.clone(),
        r#use: i32::from(used),
        after_s,
        account: channel.account.clone(),
        via: channel.via.clone(),
    }
}

/// What is open of a group, from the wire.
///
/// # Errors
/// Something of it is newer than this program.
pub fn group_recalled(facts: &v1::GroupFacts) -> Result<GroupFacts, NotDecodable> {
    let commune = if facts.commune.is_empty() { "00000" } else { &facts.commune };
    Ok(GroupFacts {
        id: facts.id.parse().map_err(|_| NotDecodable("a group"))?,
        home: home_recalled(&facts.province, commune)?,
        kind: group_kind_recalled(facts.kind)?,
        members: facts.members,
        exercises: facts.exercises,
        channels: facts.channels.iter().map(channel_recalled).collect::<Result<_, _>>()?,
    })
}

fn channel_recalled(channel: &v1::ChannelFacts) -> Result<ChannelFacts, NotDecodable> {
    Ok(ChannelFacts {
        id: channel.id.parse().map_err(|_| NotDecodable("a channel"))?,
        channel_type: channel.r#type.clone(),
        used: match v1::ChannelUse::try_from(channel.r#use) {
            Ok(v1::ChannelUse::Always) => ChannelUse::Always,
            Ok(v1::ChannelUse::Fallback) => ChannelUse::Fallback { after_s: channel.after_s },
            _ => return Err(NotDecodable("a channel's use")),
        },
        account: channel.account.clone(),
        via: channel.via.clone(),
    })
}

/// What is known of a token, on the wire.
#[must_use]
pub fn token_said(facts: &TokenFacts) -> v1::TokenFacts {
    let text = |code: Option<String>| code.unwrap_or_default();
    let (purpose, key, by) = match &facts.purpose {
        // As it was before there were others.
        TokenPurpose::Access => (v1::TokenPurpose::Unspecified, None, None),
        TokenPurpose::Session { key } => (v1::TokenPurpose::Session, *key, None),
        TokenPurpose::Enrolment { by } => (v1::TokenPurpose::Enrolment, None, Some(by)),
    };
    v1::TokenFacts {
        id: facts.id.clone(),
        hash: Bytes::copy_from_slice(&facts.hash),
        officer: facts.officer.to_string(),
        role: role_said(facts.standing.role()),
        commune: text(facts.standing.commune().map(|code| code.to_string())),
        province: text(facts.standing.province().map(|code| code.to_string())),
        expires_at_ms: facts.expires_at.map_or(0, |at| at.0),
        purpose: purpose.into(),
        key: text(key.map(|key| key.to_string())),
        given_by: text(by.map(|by| by.officer.to_string())),
        given_by_owner: by.is_some_and(|by| by.standing == Standing::Local),
    }
}

/// What is known of a token, from the wire.
///
/// # Errors
/// Something of it is newer than this program.
pub fn token_recalled(facts: &v1::TokenFacts) -> Result<TokenFacts, NotDecodable> {
    let role = role_recalled(facts.role)?;
    Ok(TokenFacts {
        id: facts.id.clone(),
        hash: facts.hash.as_ref().try_into().map_err(|_| NotDecodable("a hash"))?,
        officer: facts.officer.parse().map_err(|_| NotDecodable("an officer"))?,
        standing: standing(role, &facts.province, &facts.commune)?,
        expires_at: millis_or_none(facts.expires_at_ms),
        purpose: match v1::TokenPurpose::try_from(facts.purpose) {
            Ok(v1::TokenPurpose::Unspecified | v1::TokenPurpose::Access) => TokenPurpose::Access,
            Ok(v1::TokenPurpose::Session) => TokenPurpose::Session { key: key_of(&facts.key)? },
            Ok(v1::TokenPurpose::Enrolment) => {
                let officer = facts.given_by.parse().map_err(|_| NotDecodable("who gave it"))?;
                let is_owner = facts.given_by_owner;
                let standing = if is_owner { Standing::Local } else { Standing::Admin };
                TokenPurpose::Enrolment { by: Asker { officer, standing } }
            }
            Err(_) => return Err(NotDecodable("a token's purpose")),
        },
    })
}

/// The key of a session; none where it is empty.
fn key_of(key: &str) -> Result<Option<KeyId>, NotDecodable> {
    let parse = |key: &str| key.parse().map_err(|_| NotDecodable("a key"));
    Some(key).filter(|key| !key.is_empty()).map(parse).transpose()
}

/// Which map is asked to be in force, on the wire.
#[must_use]
pub fn map_said(map: &MapFacts) -> v1::AdoptMap {
    v1::AdoptMap {
        sha256: Bytes::copy_from_slice(&map.sha256),
        communes: map.communes,
        version: map.name().to_string(),
        valid_from_ms: map.valid.from().map(|at| at.0),
        valid_to_ms: map.valid.to().map(|at| at.0),
    }
}

fn map_recalled(map: &v1::AdoptMap) -> Result<MapFacts, NotDecodable> {
    let version = match map.version.as_str() {
        "" => None,
        version => Some(version.parse().map_err(|_| NotDecodable("a map's version"))?),
    };
    let valid = validity(map.valid_from_ms, map.valid_to_ms)?;
    Ok(MapFacts::of(hash(&map.sha256)?, map.communes, version, valid))
}

fn adopted_said(map: &MapFacts, ends: Option<&str>) -> v1::MapAdopted {
    let v1::AdoptMap { sha256, communes, version, valid_from_ms, valid_to_ms } = map_said(map);
    let ends = ends.unwrap_or_default().to_owned();
    v1::MapAdopted { sha256, communes, version, valid_from_ms, valid_to_ms, ends }
}

fn adopted_recalled(adopted: &v1::MapAdopted) -> Result<DirectoryEvent, NotDecodable> {
    let v1::MapAdopted { sha256, communes, version, valid_from_ms, valid_to_ms, ends } =
        adopted.clone();
    let map =
        map_recalled(&v1::AdoptMap { sha256, communes, version, valid_from_ms, valid_to_ms })?;
    Ok(DirectoryEvent::MapAdopted { map, ends: (!ends.is_empty()).then(|| ends.into()) })
}

fn switch(channel: &str) -> Result<SwitchId, NotDecodable> {
    channel.parse().map_err(|_| NotDecodable("a switch of channels"))
}

impl Spoken for Entry {
    fn hear(command: &v1::Command) -> Result<DirectoryCommand, NotDecodable> {
        Ok(match command.body.as_ref() {
            Some(Body::RecordOfficer(record)) => DirectoryCommand::RecordOfficer(
                record.officer.parse().map_err(|_| NotDecodable("an officer"))?,
            ),
            Some(Body::RecordGroup(record)) => DirectoryCommand::RecordGroup {
                facts: group_recalled(record.facts.as_ref().ok_or(NotDecodable("facts"))?)?,
                content: record_id(&command.id)?,
            },
            Some(Body::MakeToken(make)) => DirectoryCommand::MakeToken(token_recalled(
                make.facts.as_ref().ok_or(NotDecodable("facts"))?,
            )?),
            Some(Body::RevokeToken(revoke)) => {
                DirectoryCommand::RevokeToken { id: revoke.id.clone() }
            }
            Some(Body::AdoptMap(map)) => DirectoryCommand::AdoptMap(map_recalled(map)?),
            Some(Body::RecordContact(record)) => DirectoryCommand::RecordContact {
                facts: contact_recalled(record.facts.as_ref())?,
                content: record_id(&command.id)?,
            },
            Some(Body::RecordRoster(record)) => {
                DirectoryCommand::RecordRoster(roster_recalled(record.facts.as_ref())?)
            }
            Some(Body::MakeLinkKey(v1::MakeLinkKey {})) => {
                DirectoryCommand::MakeLinkKey { content: record_id(&command.id)? }
            }
            Some(Body::SwitchChannel(v1::SwitchChannel { channel, stopped })) => {
                DirectoryCommand::SwitchChannel { switch: switch(channel)?, stopped: *stopped }
            }
            _ => {
                let of_key = key::hear(command)?.ok_or(NotDecodable("a command to the directory"));
                DirectoryCommand::OfKey(of_key?)
            }
        })
    }

    fn say(event: &DirectoryEvent) -> Event {
        match event {
            DirectoryEvent::OfficerRecorded(id) => {
                Event::OfficerRecorded(v1::OfficerRecorded { officer: id.to_string() })
            }
            DirectoryEvent::GroupRecorded { facts, content } => {
                let (facts, content) = (Some(group_said(facts)), id_bytes(content.0));
                Event::GroupRecorded(v1::GroupRecorded { facts, content })
            }
            DirectoryEvent::TokenMade(facts) => {
                Event::TokenMade(v1::TokenMade { facts: Some(token_said(facts)) })
            }
            DirectoryEvent::TokenRevoked { id } => {
                Event::TokenRevoked(v1::TokenRevoked { id: id.clone() })
            }
            DirectoryEvent::MapAdopted { map, ends } => {
                Event::MapAdopted(adopted_said(map, ends.as_deref()))
            }
            DirectoryEvent::ContactRecorded { facts, content } => {
                let (facts, content) = (Some(contact_said(facts)), id_bytes(content.0));
                Event::ContactRecorded(v1::ContactRecorded { facts, content })
            }
            DirectoryEvent::RosterRecorded(facts) => {
                Event::RosterRecorded(v1::RosterRecorded { facts: Some(roster_said(facts)) })
            }
            DirectoryEvent::LinkKeyMade { content } => {
                Event::LinkKeyMade(v1::LinkKeyMade { content: id_bytes(content.0) })
            }
            DirectoryEvent::OfKey(event) => key::say(event),
            DirectoryEvent::ChannelSwitched { switch, stopped } => {
                let (channel, stopped) = (switch.to_string(), *stopped);
                Event::ChannelSwitched(v1::ChannelSwitched { channel, stopped })
            }
        }
    }

    fn recall(event: &Event) -> Result<DirectoryEvent, NotDecodable> {
        Ok(match event {
            Event::OfficerRecorded(recorded) => DirectoryEvent::OfficerRecorded(
                recorded.officer.parse().map_err(|_| NotDecodable("an officer"))?,
            ),
            Event::GroupRecorded(recorded) => DirectoryEvent::GroupRecorded {
                facts: group_recalled(recorded.facts.as_ref().ok_or(NotDecodable("facts"))?)?,
                content: record_id(&recorded.content)?,
            },
            Event::TokenMade(made) => DirectoryEvent::TokenMade(token_recalled(
                made.facts.as_ref().ok_or(NotDecodable("facts"))?,
            )?),
            Event::TokenRevoked(revoked) => DirectoryEvent::TokenRevoked { id: revoked.id.clone() },
            Event::MapAdopted(adopted) => adopted_recalled(adopted)?,
            Event::ContactRecorded(recorded) => DirectoryEvent::ContactRecorded {
                facts: contact_recalled(recorded.facts.as_ref())?,
                content: record_id(&recorded.content)?,
            },
            Event::RosterRecorded(recorded) => {
                DirectoryEvent::RosterRecorded(roster_recalled(recorded.facts.as_ref())?)
            }
            Event::LinkKeyMade(made) => {
                DirectoryEvent::LinkKeyMade { content: record_id(&made.content)? }
            }
            Event::ChannelSwitched(v1::ChannelSwitched { channel, stopped }) => {
                DirectoryEvent::ChannelSwitched { switch: switch(channel)?, stopped: *stopped }
            }
            _ => {
                let of_key = key::recall(event)?.ok_or(NotDecodable("an event of the directory"));
                DirectoryEvent::OfKey(of_key?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::{dated::Validity, ids::Millis};

    use super::*;

    #[test]
    fn a_map_comes_back_as_it_was_said() {
        let valid = Validity::of(Some(Millis(-7)), Some(Millis(9))).unwrap();
        let dated = MapFacts::of([7; 32], 3, Some("2025-07-01".parse().unwrap()), valid);
        let bare = MapFacts::of([8; 32], 3, None, valid.until(Millis(8)));
        for (map, ends) in [(dated, Some("2024".into())), (bare, None)] {
            let body = Some(Body::AdoptMap(map_said(&map)));
            let heard = Entry::hear(&v1::Command { body, ..v1::Command::default() });
            assert_eq!(heard, Ok(DirectoryCommand::AdoptMap(map.clone())));
            let adopted = DirectoryEvent::MapAdopted { map, ends };
            assert_eq!(Entry::recall(&Entry::say(&adopted)), Ok(adopted));
        }
    }

    #[test]
    fn a_key_of_links_and_a_switch_come_back_as_they_were_said() {
        let content = domain::ids::RecordId::of_purpose("key");
        let switch: SwitchId = "account:oa".parse().unwrap();
        let said = DirectoryEvent::ChannelSwitched { switch: switch.clone(), stopped: true };
        for event in [said, DirectoryEvent::LinkKeyMade { content }] {
            assert_eq!(Entry::recall(&Entry::say(&event)), Ok(event));
        }
        let hear = |body| {
            let id = id_bytes(content.0);
            Entry::hear(&v1::Command { id, body: Some(body), ..v1::Command::default() })
        };
        let make = hear(Body::MakeLinkKey(v1::MakeLinkKey {}));
        assert_eq!(make, Ok(DirectoryCommand::MakeLinkKey { content }));
        let stop = |channel: &str| {
            let channel = channel.to_owned();
            hear(Body::SwitchChannel(v1::SwitchChannel { channel, stopped: true }))
        };
        let stopped = Ok(DirectoryCommand::SwitchChannel { switch, stopped: true });
        assert_eq!(stop("account:oa"), stopped);
        assert!(stop("").is_err() && stop("a b").is_err());
    }

    #[test]
    fn a_map_that_was_adopted_before_maps_had_dates_is_known_by_its_hash() {
        let sha256 = Bytes::from_static(&[0xab; 32]);
        let old = v1::MapAdopted { sha256, communes: 3, ..v1::MapAdopted::default() };
        let Ok(DirectoryEvent::MapAdopted { map, ends: None }) =
            Entry::recall(&Event::MapAdopted(old.clone()))
        else {
            panic!("it is not recalled");
        };
        assert_eq!((&*map.name(), map.valid), ("abababababab", Validity::ALWAYS));
        let wrong = v1::MapAdopted { version: "ba / bốn".to_owned(), ..old };
        assert!(Entry::recall(&Event::MapAdopted(wrong)).is_err());
    }
}
