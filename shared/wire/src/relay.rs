//! The relay on the wire.

use domain::{
    ids::{AlertId, CommuneCode, Home, OfficerId},
    relay::{
        Answer, Answered, Relay, RelayCommand,
        escalation::Step,
        protocol::{Escalated, Instructed, RelayAsk, RelayEvent, RelayProtocol, RelayedOnward},
    },
};

use crate::{
    NotDecodable, Spoken,
    spoken::{alert_id, home_recalled, home_said, id_bytes, millis_or_none, record_id},
    v1::{self, command::Body, event::Event},
};

/// Which alert, and where it is at home, a command to a relay is about.
///
/// # Errors
/// The command is none to a relay.
pub fn relay_subject(command: &v1::Command) -> Result<(AlertId, Home, CommuneCode), NotDecodable> {
    let (alert, home) = match command.body.as_ref() {
        Some(Body::AcknowledgeRelay(answer)) => (&answer.alert, &answer.alert_home),
        Some(Body::RefuseRelay(answer)) => (&answer.alert, &answer.alert_home),
        Some(Body::EscalateRelay(escalate)) => (&escalate.alert, &escalate.alert_home),
        Some(Body::InstructRelay(instruct)) => (&instruct.alert, &instruct.alert_home),
        Some(Body::RelayOnward(onward)) => (&onward.alert, &onward.alert_home),
        _ => return Err(NotDecodable("a command to a relay")),
    };
    let home = home.as_ref().ok_or(NotDecodable("a home"))?;
    let entity = command.entity.as_ref().ok_or(NotDecodable("an entity"))?;
    let commune = entity.commune.parse().map_err(|_| NotDecodable("a commune"))?;
    Ok((alert_id(alert)?, home_recalled(&home.province, &home.commune)?, commune))
}

/// The step on the wire.
#[must_use]
pub fn step_said(step: Step) -> i32 {
    i32::from(match step {
        Step::SecondContact => v1::EscalationStep::SecondContact,
        Step::ProvinceDesk => v1::EscalationStep::ProvinceDesk,
    })
}

/// The step from the wire.
///
/// # Errors
/// It is unspecified, or newer than this program.
pub fn step_recalled(step: i32) -> Result<Step, NotDecodable> {
    match v1::EscalationStep::try_from(step) {
        Ok(v1::EscalationStep::SecondContact) => Ok(Step::SecondContact),
        Ok(v1::EscalationStep::ProvinceDesk) => Ok(Step::ProvinceDesk),
        _ => Err(NotDecodable("a step of an escalation")),
    }
}

impl Spoken for Relay {
    fn hear(command: &v1::Command) -> Result<RelayCommand, NotDecodable> {
        let answer = match command.body.as_ref() {
            Some(Body::AcknowledgeRelay(_)) => Answer::Acknowledge,
            Some(Body::RefuseRelay(_)) => Answer::Refuse,
            _ => return Err(NotDecodable("an answer to a relay")),
        };
        Ok(RelayCommand {
            by: officer(command),
            note: record_id(&command.id)?,
            valid_until: millis_or_none(command.valid_until_ms),
            answer,
        })
    }

    fn say(event: &Answered) -> Event {
        let (officer, note) = (event.by.clone(), id_bytes(event.note.0));
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
            _ => return Err(NotDecodable("an answer of a relay")),
        };
        Ok(Answered { answer, by: by.clone(), note: record_id(note)? })
    }
}

impl Spoken for RelayProtocol {
    /// Whom an escalation asks is not in the command: whoever decides looks it up.
    fn hear(command: &v1::Command) -> Result<RelayAsk, NotDecodable> {
        let valid_until = millis_or_none(command.valid_until_ms);
        Ok(match command.body.as_ref() {
            Some(Body::AcknowledgeRelay(_) | Body::RefuseRelay(_)) => {
                RelayAsk::Answer(Relay::hear(command)?)
            }
            Some(Body::EscalateRelay(escalate)) => {
                RelayAsk::Escalate { step: step_recalled(escalate.step)?, to: vec![] }
            }
            Some(Body::InstructRelay(_)) => RelayAsk::Instruct {
                by: officer(command),
                content: record_id(&command.id)?,
                valid_until,
            },
            Some(Body::RelayOnward(onward)) => RelayAsk::RelayOnward {
                by: officer(command),
                note: record_id(&command.id)?,
                valid_until,
                to: onward
                    .communes
                    .iter()
                    .map(|code| code.parse().map_err(|_| NotDecodable("a commune")))
                    .collect::<Result<_, _>>()?,
            },
            _ => return Err(NotDecodable("a command to a relay")),
        })
    }

    fn say(event: &RelayEvent) -> Event {
        match event {
            RelayEvent::Answered(answered) => Relay::say(answered),
            RelayEvent::Escalated(Escalated { step, to }) => {
                let officers = to.iter().map(ToString::to_string).collect();
                Event::RelayEscalated(v1::RelayEscalated { step: step_said(*step), officers })
            }
            RelayEvent::Instructed(Instructed { by, content }) => {
                let (officer, content) = (by.clone(), id_bytes(content.0));
                Event::RelayInstructed(v1::RelayInstructed { officer, content })
            }
            RelayEvent::RelayedOnward(RelayedOnward { by, note, to, hops }) => {
                Event::RelayedOnward(v1::RelayedOnward {
                    officer: by.clone(),
                    note: id_bytes(note.0),
                    communes: to.iter().copied().map(home_said).collect(),
                    hops: *hops,
                })
            }
        }
    }

    fn recall(event: &Event) -> Result<RelayEvent, NotDecodable> {
        let asked = |id: &String| id.parse::<OfficerId>().map_err(|_| NotDecodable("an officer"));
        Ok(match event {
            Event::RelayEscalated(escalated) => RelayEvent::Escalated(Escalated {
                step: step_recalled(escalated.step)?,
                to: escalated.officers.iter().map(asked).collect::<Result<_, _>>()?,
            }),
            Event::RelayInstructed(instructed) => RelayEvent::Instructed(Instructed {
                by: instructed.officer.clone(),
                content: record_id(&instructed.content)?,
            }),
            Event::RelayedOnward(onward) => RelayEvent::RelayedOnward(RelayedOnward {
                by: onward.officer.clone(),
                note: record_id(&onward.note)?,
                to: onward
                    .communes
                    .iter()
                    .map(|home| home_recalled(&home.province, &home.commune))
                    .collect::<Result<_, _>>()?,
                hops: onward.hops,
            }),
            event => RelayEvent::Answered(Relay::recall(event)?),
        })
    }
}

fn officer(command: &v1::Command) -> String {
    command.actor.as_ref().map(|actor| actor.officer.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use domain::ids::RecordId;

    use super::*;

    fn id(name: &str) -> RecordId {
        RecordId::of_purpose(name)
    }

    #[test]
    fn every_event_comes_back_as_it_was_said() {
        let home = |commune: &str| Home {
            province: "38".parse().unwrap(),
            commune: commune.parse().unwrap(),
        };
        let answered = |answer| Answered { answer, by: "binh".into(), note: id("note") };
        let events = [
            RelayEvent::Answered(answered(Answer::Acknowledge)),
            RelayEvent::Answered(answered(Answer::Refuse)),
            RelayEvent::Escalated(Escalated { step: Step::SecondContact, to: vec![] }),
            RelayEvent::Escalated(Escalated {
                step: Step::ProvinceDesk,
                to: vec!["chi".parse().unwrap(), "dung".parse().unwrap()],
            }),
            RelayEvent::Instructed(Instructed { by: "binh".into(), content: id("words") }),
            RelayEvent::RelayedOnward(RelayedOnward {
                by: "binh".into(),
                note: id("note"),
                to: vec![home("15946"), home("15949")],
                hops: 2,
            }),
        ];
        for event in events {
            assert_eq!(RelayProtocol::recall(&RelayProtocol::say(&event)), Ok(event));
        }
    }

    #[test]
    fn what_is_newer_than_this_program_is_never_taken_for_something_known() {
        let newer = v1::RelayEscalated { step: 99, officers: vec![] };
        assert!(RelayProtocol::recall(&Event::RelayEscalated(newer)).is_err());
        let unsaid = v1::RelayEscalated { step: 0, officers: vec![] };
        assert!(RelayProtocol::recall(&Event::RelayEscalated(unsaid)).is_err());
    }
}
