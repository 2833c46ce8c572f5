//! The relay on the wire.

use domain::{
    ids::{AlertId, CommuneCode, Home},
    relay::{Answer, Answered, Relay, RelayCommand},
};

use crate::{
    NotDecodable, Spoken,
    spoken::{alert_id, home_recalled, millis_or_none, record_id},
    v1::{self, command::Body, event::Event},
};

/// Which alert, and where it is at home, an answer is about.
///
/// # Errors
/// The command is no answer to a relay.
pub fn relay_subject(command: &v1::Command) -> Result<(AlertId, Home, CommuneCode), NotDecodable> {
    let (alert, home) = match command.body.as_ref() {
        Some(Body::AcknowledgeRelay(answer)) => (&answer.alert, &answer.alert_home),
        Some(Body::RefuseRelay(answer)) => (&answer.alert, &answer.alert_home),
        _ => return Err(NotDecodable("an answer to a relay")),
    };
    let home = home.as_ref().ok_or(NotDecodable("a home"))?;
    let entity = command.entity.as_ref().ok_or(NotDecodable("an entity"))?;
    let commune = entity.commune.parse().map_err(|_| NotDecodable("a commune"))?;
    Ok((alert_id(alert)?, home_recalled(&home.province, &home.commune)?, commune))
}

impl Spoken for Relay {
    fn hear(command: &v1::Command) -> Result<RelayCommand, NotDecodable> {
        let answer = match command.body.as_ref() {
            Some(Body::AcknowledgeRelay(_)) => Answer::Acknowledge,
            Some(Body::RefuseRelay(_)) => Answer::Refuse,
            _ => return Err(NotDecodable("an answer to a relay")),
        };
        Ok(RelayCommand {
            by: command.actor.as_ref().map(|actor| actor.officer.clone()).unwrap_or_default(),
            note: record_id(&command.id)?,
            valid_until: millis_or_none(command.valid_until_ms),
            answer,
        })
    }

    fn say(event: &Answered) -> Event {
        let (officer, note) = (event.by.clone(), crate::spoken::id_bytes(event.note.0));
        match event.answer {
            Answer::Acknowledge => {
                Event::RelayAcknowledged(v1::RelayAcknowledged { officer, note })
            }
            Answer::Refuse => Event::RelayRefused(v1::RelayRefused { officer, note }),
        }
    }

    fn recall(event: &Event) -> Result<Answered, NotDecodable> {
        let (answer, by, note) = match event {
            Event::RelayAcknowledged(yes) => (Answer::Acknowledge, &yes.officer, &yes.note),
            Event::RelayRefused(no) => (Answer::Refuse, &no.officer, &no.note),
            _ => return Err(NotDecodable("an event of a relay")),
        };
        Ok(Answered { answer, by: by.clone(), note: record_id(note)? })
    }
}
