//! Erasures and legal holds on the wire.

use domain::{
    erasure::{Basis, Erasure, ErasureAsk, ErasureCommand, ErasureEvent, Order, Wish},
    ids::{Millis, OfficerId},
};

use crate::{
    NotDecodable, Spoken,
    actor::role_of,
    spoken::{id_bytes, record_id},
    v1::{self, EraseBasis, command::Body, event::Event},
};

/// Why something is erased, on the wire.
#[must_use]
pub fn basis_said(basis: Basis) -> i32 {
    i32::from(match basis {
        Basis::SubjectRequest => EraseBasis::SubjectRequest,
        Basis::PurposeEnded => EraseBasis::PurposeEnded,
        Basis::Authority => EraseBasis::Authority,
        Basis::OtherLaw => EraseBasis::OtherLaw,
        Basis::Retention => EraseBasis::Retention,
        Basis::Restored => EraseBasis::Restored,
    })
}

fn basis(said: i32) -> Result<Basis, NotDecodable> {
    match EraseBasis::try_from(said) {
        Ok(EraseBasis::SubjectRequest) => Ok(Basis::SubjectRequest),
        Ok(EraseBasis::PurposeEnded) => Ok(Basis::PurposeEnded),
        Ok(EraseBasis::Authority) => Ok(Basis::Authority),
        Ok(EraseBasis::OtherLaw) => Ok(Basis::OtherLaw),
        Ok(EraseBasis::Retention) => Ok(Basis::Retention),
        Ok(EraseBasis::Restored) => Ok(Basis::Restored),
        Ok(EraseBasis::Unspecified) | Err(_) => Err(NotDecodable("the basis of an erasure")),
    }
}

fn officer(id: &str) -> Result<OfficerId, NotDecodable> {
    id.parse().map_err(|_| NotDecodable("an officer"))
}

/// Both officers, or none.
fn officers_said(order: &Order) -> (String, String) {
    let both =
        order.officers.as_ref().map(|(asked, agreed)| (asked.to_string(), agreed.to_string()));
    both.unwrap_or_default()
}

fn order((said, asked_by, confirmed_by): (i32, &str, &str)) -> Result<Order, NotDecodable> {
    let officers = match (asked_by, confirmed_by) {
        ("", "") => None,
        (asked_by, confirmed_by) => Some((officer(asked_by)?, officer(confirmed_by)?)),
    };
    Ok(Order { basis: basis(said)?, officers })
}

impl Spoken for Erasure {
    fn hear(command: &v1::Command) -> Result<ErasureCommand, NotDecodable> {
        let note = record_id(&command.id)?;
        let ask = match command.body.as_ref() {
            Some(Body::AskErasure(ask)) => ErasureAsk::Ask { basis: basis(ask.basis)?, note },
            Some(Body::ConfirmErasure(yes)) => ErasureAsk::Confirm { basis: basis(yes.basis)? },
            Some(Body::SetLegalHold(_)) => ErasureAsk::Hold { note },
            Some(Body::LiftLegalHold(_)) => ErasureAsk::Lift,
            Some(Body::RetireAlert(_)) => ErasureAsk::Retire,
            Some(Body::RestoreErasure(_)) => ErasureAsk::Restore,
            Some(Body::FinishErasure(done)) => {
                ErasureAsk::Finish { parts: done.parts, pictures: done.pictures }
            }
            _ => return Err(NotDecodable("a command to an erasure")),
        };
        let actor = command.actor.as_ref().ok_or(NotDecodable("an actor"))?;
        Ok(ErasureCommand { by: actor.officer.clone(), role: role_of(Some(actor)), ask })
    }

    fn say(event: &ErasureEvent) -> Event {
        match event {
            ErasureEvent::Asked(wish) => Event::EraseAsked(v1::EraseAsked {
                basis: basis_said(wish.basis),
                by: wish.by.to_string(),
                until_ms: wish.until.0,
                note: id_bytes(wish.note.0),
            }),
            ErasureEvent::Ordered(order) => {
                let (asked_by, confirmed_by) = officers_said(order);
                let basis = basis_said(order.basis);
                Event::EraseOrdered(v1::EraseOrdered { basis, asked_by, confirmed_by })
            }
            ErasureEvent::Erased { order, parts, pictures } => {
                let (asked_by, confirmed_by) = officers_said(order);
                let (basis, parts, pictures) = (basis_said(order.basis), *parts, *pictures);
                let erased = v1::AlertErased { basis, asked_by, confirmed_by, parts, pictures };
                Event::AlertErased(erased)
            }
            ErasureEvent::HoldAsked { by, note } => Event::LegalHoldAsked(v1::LegalHoldAsked {
                by: by.to_string(),
                note: id_bytes(note.0),
            }),
            ErasureEvent::HoldBegan { by } => {
                Event::LegalHoldBegan(v1::LegalHoldBegan { by: by.to_string() })
            }
            ErasureEvent::LiftAsked { by } => {
                Event::LegalHoldLiftAsked(v1::LegalHoldLiftAsked { by: by.to_string() })
            }
            ErasureEvent::Lifted { by } => {
                Event::LegalHoldLifted(v1::LegalHoldLifted { by: by.to_string() })
            }
        }
    }

    fn recall(event: &Event) -> Result<ErasureEvent, NotDecodable> {
        Ok(match event {
            Event::EraseAsked(asked) => ErasureEvent::Asked(Wish {
                basis: basis(asked.basis)?,
                by: officer(&asked.by)?,
                until: Millis(asked.until_ms),
                note: record_id(&asked.note)?,
            }),
            Event::EraseOrdered(said) => {
                ErasureEvent::Ordered(order((said.basis, &said.asked_by, &said.confirmed_by))?)
            }
            Event::AlertErased(said) => ErasureEvent::Erased {
                order: order((said.basis, &said.asked_by, &said.confirmed_by))?,
                parts: said.parts,
                pictures: said.pictures,
            },
            Event::LegalHoldAsked(said) => {
                ErasureEvent::HoldAsked { by: officer(&said.by)?, note: record_id(&said.note)? }
            }
            Event::LegalHoldBegan(said) => ErasureEvent::HoldBegan { by: officer(&said.by)? },
            Event::LegalHoldLiftAsked(said) => ErasureEvent::LiftAsked { by: officer(&said.by)? },
            Event::LegalHoldLifted(said) => ErasureEvent::Lifted { by: officer(&said.by)? },
            _ => return Err(NotDecodable("an event of an erasure")),
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::RecordId;

    use super::*;

    #[test]
    fn what_is_said_of_an_erasure_is_recalled() {
        let by = || "an".parse().unwrap();
        let note = RecordId::of_purpose("note");
        let wish = |basis| Wish { basis, by: by(), until: Millis(7), note };
        let order = |officers| Order { basis: Basis::Authority, officers };
        let two = Some((by(), "binh".parse().unwrap()));
        let retired = Order { basis: Basis::Retention, officers: None };
        let mut events = vec![
            ErasureEvent::Ordered(order(two.clone())),
            ErasureEvent::Ordered(retired.clone()),
            ErasureEvent::Ordered(Order { basis: Basis::Restored, officers: None }),
            ErasureEvent::Erased { order: order(two), parts: 3, pictures: 1 },
            ErasureEvent::Erased { order: retired, parts: 0, pictures: 0 },
            ErasureEvent::HoldAsked { by: by(), note },
            ErasureEvent::HoldBegan { by: by() },
            ErasureEvent::LiftAsked { by: by() },
            ErasureEvent::Lifted { by: by() },
        ];
        events.extend(Basis::GIVEN.map(|basis| ErasureEvent::Asked(wish(basis))));
        for event in events {
            assert_eq!(Erasure::recall(&Erasure::say(&event)), Ok(event));
        }
        assert!(Erasure::recall(&Event::AlertExpired(v1::AlertExpired::default())).is_err());
        let one = v1::EraseOrdered {
            basis: basis_said(Basis::Authority),
            asked_by: "an".to_owned(),
            confirmed_by: String::new(),
        };
        assert!(Erasure::recall(&Event::EraseOrdered(one)).is_err(), "one officer is not two");
    }

    #[test]
    fn a_service_is_heard_as_none_of_the_roles() {
        let command = |actor, body| v1::Command {
            id: id_bytes(RecordId::of_purpose("c").0),
            actor: Some(actor),
            body: Some(body),
            ..v1::Command::default()
        };
        let retire = Body::RetireAlert(v1::RetireAlert::default());
        let heard = Erasure::hear(&command(crate::actor::service("alerting"), retire)).unwrap();
        assert_eq!((heard.role, heard.ask), (None, ErasureAsk::Retire));
        let nothing = Body::AskErasure(v1::AskErasure::default());
        assert!(Erasure::hear(&command(crate::actor::service("x"), nothing)).is_err());
    }
}
