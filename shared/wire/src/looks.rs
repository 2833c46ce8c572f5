//! Looks on the wire.

use domain::{
    ids::Millis,
    looks::{Duty, Look, Looks, What},
};

use crate::{
    NotDecodable, Spoken,
    spoken::{alert_id, id_bytes, record_id},
    v1::{self, Looked, command::Body, event::Event},
};

/// What was read, on the wire.
#[must_use]
pub fn looked_said(what: What) -> i32 {
    i32::from(match what {
        What::Words => Looked::Words,
        What::Photo => Looked::Photo,
        What::Poster => Looked::Poster,
        What::Notes => Looked::Notes,
    })
}

/// By what right, on the wire.
#[must_use]
pub fn duty_said(duty: Duty) -> i32 {
    i32::from(match duty {
        Duty::Issued => v1::Duty::Issued,
        Duty::Relayed => v1::Duty::Relayed,
        Duty::Province => v1::Duty::Province,
        Duty::Matched => v1::Duty::Matched,
        Duty::Link => v1::Duty::Link,
        Duty::Audit => v1::Duty::Audit,
    })
}

fn what(said: i32) -> Result<What, NotDecodable> {
    let found = What::ALL.into_iter().find(|what| looked_said(*what) == said);
    found.ok_or(NotDecodable("what was read"))
}

fn duty(said: i32) -> Result<Duty, NotDecodable> {
    let found = Duty::ALL.into_iter().find(|duty| duty_said(*duty) == said);
    found.ok_or(NotDecodable("by what right it was read"))
}

impl Spoken for Looks {
    fn hear(command: &v1::Command) -> Result<Look, NotDecodable> {
        let Some(Body::RecordLook(look)) = command.body.as_ref() else {
            return Err(NotDecodable("a command to looks"));
        };
        let actor = command.actor.as_ref().ok_or(NotDecodable("an actor"))?;
        let is_said = command.sealed_fields.iter().any(|field| field == "note");
        Ok(Look {
            alert: alert_id(&look.alert)?,
            reader: actor.officer.clone(),
            commune: actor.commune.parse().ok(),
            what: what(look.looked)?,
            duty: duty(look.duty)?,
            reason: is_said.then(|| record_id(&command.id)).transpose()?,
            at: Millis(command.written_at_ms),
        })
    }

    fn say(look: &Look) -> Event {
        Event::PersonalDataRead(v1::PersonalDataRead {
            alert: id_bytes(look.alert.0),
            reader: look.reader.clone(),
            commune: look.commune.map(|code| code.to_string()).unwrap_or_default(),
            looked: looked_said(look.what),
            duty: duty_said(look.duty),
            reason: look.reason.map(|id| id_bytes(id.0)).unwrap_or_default(),
            at_ms: look.at.0,
        })
    }

    fn recall(event: &Event) -> Result<Look, NotDecodable> {
        let Event::PersonalDataRead(read) = event else {
            return Err(NotDecodable("an event of looks"));
        };
        Ok(Look {
            alert: alert_id(&read.alert)?,
            reader: read.reader.clone(),
            commune: read.commune.parse().ok(),
            what: what(read.looked)?,
            duty: duty(read.duty)?,
            reason: (!read.reason.is_empty()).then(|| record_id(&read.reason)).transpose()?,
            at: Millis(read.at_ms),
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::{AlertId, RecordId};

    use super::*;

    #[test]
    fn what_is_said_of_a_look_is_recalled() {
        for what in What::ALL {
            for duty in Duty::ALL {
                let look = Look {
                    alert: AlertId::raised_by(RecordId::of_purpose("a")),
                    reader: "an".to_owned(),
                    commune: "25126".parse().ok(),
                    what,
                    duty,
                    reason: Some(RecordId::of_purpose("why")),
                    at: Millis(7),
                };
                assert_eq!(Looks::recall(&Looks::say(&look)), Ok(look));
            }
        }
        let nobody = Looks::recall(&Event::PersonalDataRead(v1::PersonalDataRead::default()));
        assert!(nobody.is_err(), "{nobody:?}");
    }
}
