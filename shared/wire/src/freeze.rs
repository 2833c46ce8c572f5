//! The freeze on the wire.

use domain::{
    freeze::{Freeze, FreezeAsk, FreezeCommand, FreezeEvent, Frozen, Wish},
    ids::{Millis, OfficerId},
};

use crate::{
    NotDecodable, Spoken,
    actor::role_of,
    spoken::{id_bytes, record_id},
    v1::{self, command::Body, event::Event, frozen::Who},
};

/// Whom a freeze is about, on the wire.
#[must_use]
pub fn frozen_said(of: &Frozen) -> v1::Frozen {
    let who = match of {
        Frozen::Officer(officer) => Who::Officer(officer.to_string()),
        Frozen::Commune(commune) => Who::Commune(commune.to_string()),
    };
    v1::Frozen { who: Some(who) }
}

fn frozen_recalled(of: Option<&v1::Frozen>) -> Result<Frozen, NotDecodable> {
    match of.and_then(|of| of.who.as_ref()) {
        Some(Who::Officer(id)) => officer(id).map(Frozen::Officer),
        Some(Who::Commune(code)) => {
            code.parse().map(Frozen::Commune).map_err(|_| NotDecodable("a commune"))
        }
        None => Err(NotDecodable("whom a freeze is about")),
    }
}

fn officer(id: &str) -> Result<OfficerId, NotDecodable> {
    id.parse().map_err(|_| NotDecodable("an officer"))
}

impl Spoken for Freeze {
    fn hear(command: &v1::Command) -> Result<FreezeCommand, NotDecodable> {
        let note = record_id(&command.id)?;
        let (of, ask) = match command.body.as_ref() {
            Some(Body::AskFreeze(ask)) => {
                (&ask.of, FreezeAsk::Freeze { until: Millis(ask.until_ms), note })
            }
            Some(Body::ConfirmFreeze(yes)) => {
                (&yes.of, FreezeAsk::Confirm { until: Millis(yes.until_ms) })
            }
            Some(Body::LiftFreeze(lift)) => (&lift.of, FreezeAsk::Lift { note }),
            Some(Body::EndFreeze(end)) => (&end.of, FreezeAsk::End { until: Millis(end.until_ms) }),
            _ => return Err(NotDecodable("a command to a freeze")),
        };
        let actor = command.actor.as_ref().ok_or(NotDecodable("an actor"))?;
        Ok(FreezeCommand {
            by: officer(&actor.officer)?,
            role: role_of(Some(actor)),
            // Roles without a commune have an empty one.
            commune: actor.commune.parse().ok(),
            of: frozen_recalled(of.as_ref())?,
            ask,
        })
    }

    fn say(event: &FreezeEvent) -> Event {
        match event {
            FreezeEvent::Asked(wish) => Event::FreezeAsked(v1::FreezeAsked {
                of: Some(frozen_said(&wish.of)),
                by: wish.by.to_string(),
                until_ms: wish.until.0,
                note: id_bytes(wish.note.0),
            }),
            FreezeEvent::Began { by } => Event::FreezeBegan(v1::FreezeBegan { by: by.to_string() }),
            FreezeEvent::LiftAsked { by, note } => Event::FreezeLiftAsked(v1::FreezeLiftAsked {
                by: by.to_string(),
                note: id_bytes(note.0),
            }),
            FreezeEvent::Lifted { by } => {
                Event::FreezeLifted(v1::FreezeLifted { by: by.to_string() })
            }
            FreezeEvent::Ended => Event::FreezeEnded(v1::FreezeEnded {}),
        }
    }

    fn recall(event: &Event) -> Result<FreezeEvent, NotDecodable> {
        Ok(match event {
            Event::FreezeAsked(asked) => FreezeEvent::Asked(Wish {
                of: frozen_recalled(asked.of.as_ref())?,
                by: officer(&asked.by)?,
                until: Millis(asked.until_ms),
                note: record_id(&asked.note)?,
            }),
            Event::FreezeBegan(began) => FreezeEvent::Began { by: officer(&began.by)? },
            Event::FreezeLiftAsked(asked) => {
                FreezeEvent::LiftAsked { by: officer(&asked.by)?, note: record_id(&asked.note)? }
            }
            Event::FreezeLifted(lifted) => FreezeEvent::Lifted { by: officer(&lifted.by)? },
            Event::FreezeEnded(_) => FreezeEvent::Ended,
            _ => return Err(NotDecodable("an event of a freeze")),
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::RecordId;

    use super::*;

    #[test]
    fn what_is_said_of_a_freeze_is_recalled() {
        let by = || "an".parse().unwrap();
        let note = RecordId::of_purpose("note");
        let wish = |of| Wish { of, by: by(), until: Millis(7), note };
        for event in [
            FreezeEvent::Asked(wish(Frozen::Officer("x:1".parse().unwrap()))),
            FreezeEvent::Asked(wish(Frozen::Commune("25126".parse().unwrap()))),
            FreezeEvent::Began { by: by() },
            FreezeEvent::LiftAsked { by: by(), note },
            FreezeEvent::Lifted { by: by() },
            FreezeEvent::Ended,
        ] {
            assert_eq!(Freeze::recall(&Freeze::say(&event)), Ok(event));
        }
        assert!(Freeze::recall(&Event::AlertExpired(v1::AlertExpired::default())).is_err());
    }

    #[test]
    fn a_command_says_who_asks_with_which_role_and_from_where() {
        let of = Frozen::Commune("25126".parse().unwrap());
        let mut command = v1::Command {
            id: id_bytes(RecordId::of_purpose("c").0),
            actor: Some(v1::Actor {
                officer: "an".to_owned(),
                role: i32::from(v1::Role::Commander),
                commune: "25135".to_owned(),
                ..v1::Actor::default()
            }),
            body: Some(Body::ConfirmFreeze(v1::ConfirmFreeze {
                of: Some(frozen_said(&of)),
                until_ms: 7,
            })),
            ..v1::Command::default()
        };
        let heard = Freeze::hear(&command).unwrap();
        assert_eq!((heard.by.as_str(), heard.of), ("an", of));
        assert_eq!(heard.commune, Some("25135".parse().unwrap()));
        assert_eq!(heard.ask, FreezeAsk::Confirm { until: Millis(7) });
        command.body = Some(Body::LiftFreeze(v1::LiftFreeze { of: None }));
        assert!(Freeze::hear(&command).is_err());
    }
}
