//! The match on the wire.

use domain::{
    ids::{AlertId, Home},
    matching::{
        ProposalKind,
        decision::{Match, MatchCommand, MatchEvent, Pair, Proposed, SideAnswered, Verdict},
        likeness::Reason,
    },
};

use crate::{
    NotDecodable, Spoken,
    spoken::{alert_id, home_recalled, home_said, id_bytes, millis_or_none, record_id},
    v1::{self, MatchAspect, command::Body, event::Event},
};

/// One of two alerts, and where it is at home.
pub type Side = (AlertId, Home);

/// The two alerts that a command about a match names, the smaller id first.
///
/// # Errors
/// The command is none about a match, or its sides are no pair in order.
pub fn match_sides(command: &v1::Command) -> Result<[Side; 2], NotDecodable> {
    match command.body.as_ref() {
        Some(Body::ProposeMatch(propose)) => sides_recalled(&propose.sides),
        Some(Body::ConfirmMatch(confirm)) => sides_recalled(&confirm.sides),
        Some(Body::DismissMatch(dismiss)) => sides_recalled(&dismiss.sides),
        _ => Err(NotDecodable("a command to a match")),
    }
}

/// The command that proposes.
#[must_use]
pub fn propose_said(proposed: &Proposed) -> v1::ProposeMatch {
    v1::ProposeMatch {
        sides: sides_said(proposed),
        kind: kind_said(proposed.kind),
        score_per_mille: proposed.score_per_mille,
        reasons: proposed.reasons.iter().map(reason_said).collect(),
    }
}

/// The command that answers for one side of what was proposed.
#[must_use]
pub fn answer_said(proposed: &Proposed, side: AlertId, verdict: Verdict) -> Body {
    let (sides, alert) = (sides_said(proposed), id_bytes(side.0));
    match verdict {
        Verdict::Confirm => Body::ConfirmMatch(v1::ConfirmMatch { sides, alert }),
        Verdict::Dismiss => Body::DismissMatch(v1::DismissMatch { sides, alert }),
    }
}

fn sides_said(proposed: &Proposed) -> Vec<v1::MatchSide> {
    let sides = proposed.pair.alerts().into_iter().zip(proposed.homes);
    sides.map(side_said).collect()
}

fn side_said((alert, home): Side) -> v1::MatchSide {
    v1::MatchSide { alert: id_bytes(alert.0), home: Some(home_said(home)) }
}

fn side_recalled(side: &v1::MatchSide) -> Result<Side, NotDecodable> {
    let home = side.home.as_ref().ok_or(NotDecodable("a home"))?;
    Ok((alert_id(&side.alert)?, home_recalled(&home.province, &home.commune)?))
}

fn sides_recalled(sides: &[v1::MatchSide]) -> Result<[Side; 2], NotDecodable> {
    let [first, second] = sides else { return Err(NotDecodable("the sides of a match")) };
    let (first, second) = (side_recalled(first)?, side_recalled(second)?);
    match first.0 < second.0 {
        true => Ok([first, second]),
        false => Err(NotDecodable("the sides of a match")),
    }
}

fn kind_said(kind: ProposalKind) -> i32 {
    i32::from(match kind {
        ProposalKind::Match => v1::ProposalKind::Match,
        ProposalKind::Merge => v1::ProposalKind::Merge,
    })
}

fn kind_recalled(kind: i32) -> Result<ProposalKind, NotDecodable> {
    match v1::ProposalKind::try_from(kind) {
        Ok(v1::ProposalKind::Match) => Ok(ProposalKind::Match),
        Ok(v1::ProposalKind::Merge) => Ok(ProposalKind::Merge),
        _ => Err(NotDecodable("a kind of proposal")),
    }
}

fn reason_said(reason: &Reason) -> v1::MatchReason {
    let said = |aspect: MatchAspect| v1::MatchReason {
        aspect: i32::from(aspect),
        ..v1::MatchReason::default()
    };
    match *reason {
        Reason::Apart { distance_m, distance_m_max } => {
            v1::MatchReason { distance_m, distance_m_max, ..said(MatchAspect::Apart) }
        }
        Reason::SameCommune => said(MatchAspect::SameCommune),
        Reason::BorderingCommunes => said(MatchAspect::BorderingCommunes),
        Reason::Later { minutes } => v1::MatchReason { minutes, ..said(MatchAspect::Later) },
        Reason::TimeUnknown => said(MatchAspect::TimeUnknown),
        Reason::SameSex => said(MatchAspect::SameSex),
        Reason::SexUnknown => said(MatchAspect::SexUnknown),
        Reason::AgesApart { years } => {
            v1::MatchReason { years: u32::from(years), ..said(MatchAspect::AgesApart) }
        }
        Reason::AgeUnknown => said(MatchAspect::AgeUnknown),
    }
}

fn reason_recalled(reason: &v1::MatchReason) -> Result<Reason, NotDecodable> {
    Ok(match MatchAspect::try_from(reason.aspect) {
        Ok(MatchAspect::Apart) => {
            let (distance_m, distance_m_max) = (reason.distance_m, reason.distance_m_max);
            Reason::Apart { distance_m, distance_m_max }
        }
        Ok(MatchAspect::SameCommune) => Reason::SameCommune,
        Ok(MatchAspect::BorderingCommunes) => Reason::BorderingCommunes,
        Ok(MatchAspect::Later) => Reason::Later { minutes: reason.minutes },
        Ok(MatchAspect::TimeUnknown) => Reason::TimeUnknown,
        Ok(MatchAspect::SameSex) => Reason::SameSex,
        Ok(MatchAspect::SexUnknown) => Reason::SexUnknown,
        Ok(MatchAspect::AgesApart) => {
            let years = u8::try_from(reason.years).map_err(|_| NotDecodable("an age"))?;
            Reason::AgesApart { years }
        }
        Ok(MatchAspect::AgeUnknown) => Reason::AgeUnknown,
        Ok(MatchAspect::Unspecified) | Err(_) => return Err(NotDecodable("a reason of a match")),
    })
}

fn proposed_recalled(
    sides: &[v1::MatchSide],
    kind: i32,
    score_per_mille: u32,
    reasons: &[v1::MatchReason],
) -> Result<Proposed, NotDecodable> {
    let [(first, one), (second, two)] = sides_recalled(sides)?;
    Ok(Proposed {
        pair: Pair::of(first, second).ok_or(NotDecodable("the sides of a match"))?,
        homes: [one, two],
        kind: kind_recalled(kind)?,
        score_per_mille,
        reasons: reasons.iter().map(reason_recalled).collect::<Result<_, _>>()?,
    })
}

fn answered_recalled(
    side: Option<&v1::MatchSide>,
    verdict: Verdict,
    (officer, note): (&str, &bytes::Bytes),
) -> Result<MatchEvent, NotDecodable> {
    let (side, home) = side_recalled(side.ok_or(NotDecodable("a side of a match"))?)?;
    let (by, note) = (officer.to_owned(), record_id(note)?);
    Ok(MatchEvent::Answered(SideAnswered { side, home, verdict, by, note }))
}

impl Spoken for Match {
    fn hear(command: &v1::Command) -> Result<MatchCommand, NotDecodable> {
        let (side, verdict) = match command.body.as_ref() {
            Some(Body::ProposeMatch(said)) => {
                let (score, reasons) = (said.score_per_mille, &said.reasons);
                let proposed = proposed_recalled(&said.sides, said.kind, score, reasons)?;
                return Ok(MatchCommand::Propose(proposed));
            }
            Some(Body::ConfirmMatch(said)) => (&said.alert, Verdict::Confirm),
            Some(Body::DismissMatch(said)) => (&said.alert, Verdict::Dismiss),
            _ => return Err(NotDecodable("a command to a match")),
        };
        Ok(MatchCommand::Answer {
            by: command.actor.as_ref().map(|actor| actor.officer.clone()).unwrap_or_default(),
            note: record_id(&command.id)?,
            valid_until: millis_or_none(command.valid_until_ms),
            side: alert_id(side)?,
            verdict,
        })
    }

    fn say(event: &MatchEvent) -> Event {
        let answered = match event {
            MatchEvent::Proposed(proposed) => {
                let v1::ProposeMatch { sides, kind, score_per_mille, reasons } =
                    propose_said(proposed);
                let said = v1::MatchProposed { sides, kind, score_per_mille, reasons };
                return Event::MatchProposed(said);
            }
            MatchEvent::Answered(answered) => answered,
        };
        let side = Some(side_said((answered.side, answered.home)));
        let (officer, note) = (answered.by.clone(), id_bytes(answered.note.0));
        match answered.verdict {
            Verdict::Confirm => Event::MatchConfirmed(v1::MatchConfirmed { side, officer, note }),
            Verdict::Dismiss => Event::MatchDismissed(v1::MatchDismissed { side, officer, note }),
        }
    }

    fn recall(event: &Event) -> Result<MatchEvent, NotDecodable> {
        match event {
            Event::MatchProposed(said) => {
                let (score, reasons) = (said.score_per_mille, &said.reasons);
                proposed_recalled(&said.sides, said.kind, score, reasons).map(MatchEvent::Proposed)
            }
            Event::MatchConfirmed(said) => {
                let by = (said.officer.as_str(), &said.note);
                answered_recalled(said.side.as_ref(), Verdict::Confirm, by)
            }
            Event::MatchDismissed(said) => {
                let by = (said.officer.as_str(), &said.note);
                answered_recalled(said.side.as_ref(), Verdict::Dismiss, by)
            }
            _ => Err(NotDecodable("an event of a match")),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::RecordId;

    use super::*;

    fn alert(name: &str) -> AlertId {
        AlertId::raised_by(RecordId::of_purpose(name))
    }

    fn home(commune: &str) -> Home {
        Home { province: "42".parse().unwrap(), commune: commune.parse().unwrap() }
    }

    fn proposed(kind: ProposalKind) -> Proposed {
        Proposed {
            pair: Pair::of(alert("a"), alert("b")).unwrap(),
            homes: [home("18121"), home("18124")],
            kind,
            score_per_mille: 815,
            reasons: vec![
                Reason::Apart { distance_m: 900, distance_m_max: 10_000 },
                Reason::SameCommune,
                Reason::BorderingCommunes,
                Reason::Later { minutes: 70 },
                Reason::TimeUnknown,
                Reason::SameSex,
                Reason::SexUnknown,
                Reason::AgesApart { years: 2 },
                Reason::AgeUnknown,
            ],
        }
    }

    #[test]
    fn every_event_comes_back_as_it_was_said() {
        let answered = |verdict| {
            let (side, home) = (alert("a"), home("18121"));
            let note = RecordId::of_purpose("note");
            MatchEvent::Answered(SideAnswered { side, home, verdict, by: "an".into(), note })
        };
        for event in [
            MatchEvent::Proposed(proposed(ProposalKind::Match)),
            MatchEvent::Proposed(proposed(ProposalKind::Merge)),
            answered(Verdict::Confirm),
            answered(Verdict::Dismiss),
        ] {
            assert_eq!(Match::recall(&Match::say(&event)).unwrap(), event);
        }
    }

    #[test]
    fn a_command_asks_for_what_was_written() {
        let command = |body| v1::Command {
            id: id_bytes(RecordId::of_purpose("command").0),
            actor: Some(v1::Actor { officer: "an".into(), ..v1::Actor::default() }),
            body: Some(body),
            ..v1::Command::default()
        };
        let proposed = proposed(ProposalKind::Match);
        let heard = command(Body::ProposeMatch(propose_said(&proposed)));
        assert_eq!(Match::hear(&heard), Ok(MatchCommand::Propose(proposed.clone())));
        let [first, second] = proposed.pair.alerts();
        let sides = [(first, home("18121")), (second, home("18124"))];
        assert_eq!(match_sides(&heard), Ok(sides));
        let dismiss = command(answer_said(&proposed, second, Verdict::Dismiss));
        assert_eq!(match_sides(&dismiss), Ok(sides));
        let answer = MatchCommand::Answer {
            by: "an".into(),
            note: RecordId::of_purpose("command"),
            valid_until: None,
            side: second,
            verdict: Verdict::Dismiss,
        };
        assert_eq!(Match::hear(&dismiss), Ok(answer));
    }

    #[test]
    fn what_is_no_pair_in_order_is_not_taken() {
        let mut said = propose_said(&proposed(ProposalKind::Match));
        said.sides.reverse();
        assert!(
            Match::recall(&Event::MatchProposed(v1::MatchProposed {
                sides: said.sides.clone(),
                kind: said.kind,
                score_per_mille: said.score_per_mille,
                reasons: vec![],
            }))
            .is_err()
        );
        said.sides.truncate(1);
        let body = Some(Body::ProposeMatch(said));
        assert!(match_sides(&v1::Command { body, ..v1::Command::default() }).is_err());
    }
}
