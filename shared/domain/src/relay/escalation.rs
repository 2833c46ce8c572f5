//! Silence escalates: to the commune's second contact, then to its province's duty desk.
//!
//! Pure: what is due, and when. Who is asked stands in the roster; `protocol` decides and records.
//! It follows from the log alone, so that a restart neither forgets nor repeats a step (R25, R27).

use super::{Answer, Relay, protocol::RelayProtocol};
use crate::{
    ids::{AlertId, CommuneCode, Millis, RecordId},
    values::{AlertKind, Urgency},
};

const MINUTE_MS: i64 = 60_000;

/// Who is asked after silence. The later outranks the earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The commune's next contact.
    SecondContact,
    /// The duty desk of the commune's province.
    ProvinceDesk,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 2] = [Self::SecondContact, Self::ProvinceDesk];

    /// The step's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SecondContact => "second-contact",
            Self::ProvinceDesk => "province-desk",
        }
    }
}

impl std::str::FromStr for Step {
    type Err = crate::values::UnknownWord;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|step| step.as_str() == text).ok_or(crate::values::UnknownWord)
    }
}

/// How long silence is borne, counted from the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerTime {
    /// Then the second contact is asked.
    pub second_contact_ms: i64,
    /// Then the province's duty desk is asked; not before the second contact.
    pub province_desk_ms: i64,
}

impl AnswerTime {
    fn of(self, step: Step) -> i64 {
        match step {
            Step::SecondContact => self.second_contact_ms,
            Step::ProvinceDesk => self.province_desk_ms.max(self.second_contact_ms),
        }
    }
}

/// How long silence is borne, by urgency. A policy; the default is 5 and 10 minutes where
/// people must act at once, 30 and 60 otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerTimes {
    /// Whoever is told must act at once.
    pub urgent: AnswerTime,
    /// Everything else.
    pub usual: AnswerTime,
}

impl Default for AnswerTimes {
    fn default() -> Self {
        let minutes = |second, desk| AnswerTime {
            second_contact_ms: second * MINUTE_MS,
            province_desk_ms: desk * MINUTE_MS,
        };
        Self { urgent: minutes(5, 10), usual: minutes(30, 60) }
    }
}

impl AnswerTimes {
    /// For alerts of this kind.
    #[must_use]
    pub fn of(&self, kind: AlertKind) -> AnswerTime {
        if kind.urgency() == Urgency::Immediate { self.urgent } else { self.usual }
    }
}

/// The next step, and when it is due; a time that has passed means at once. `None` where there is
/// an answer, or nobody is left to ask. Where a step found nobody, the next one is due with it.
///
/// It does not depend on when it is asked, so that every instance gives the same command
/// ([`escalation_id`]). An alert that is reopened counts from then: pass that as `relayed_at`.
/// An answer is to the alert, not to a revision: an update or a correction never escalates anew.
#[must_use]
pub fn next_escalation(
    relay: &RelayProtocol,
    relayed_at: Millis,
    kind: AlertKind,
    times: &AnswerTimes,
) -> Option<(Millis, Step)> {
    if relay.answer != Relay::Unanswered {
        return None;
    }
    let time = times.of(kind);
    let (step, counted_as) = match &relay.escalated {
        None => (Step::SecondContact, Step::SecondContact),
        Some(before) if before.step == Step::ProvinceDesk => return None,
        Some(before) if before.to.is_empty() => (Step::ProvinceDesk, Step::SecondContact),
        Some(_) => (Step::ProvinceDesk, Step::ProvinceDesk),
    };
    Some((relayed_at.plus_ms(time.of(counted_as)), step))
}

/// The id of the command that escalates: the same from every instance.
#[must_use]
pub fn escalation_id(alert: AlertId, commune: CommuneCode, step: Step, due_at: Millis) -> RecordId {
    RecordId::of_purpose(&format!("escalate/{alert}/{commune}/{}/{}", step.as_str(), due_at.0))
}

/// What the issuing officer sees of a relay; never more than is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Put to the commune; there is still time to answer.
    Relayed,
    /// No answer in time, or somebody else was asked already.
    Silent {
        /// Who was asked last, if anybody.
        escalated: Option<Step>,
    },
    /// The commune has it.
    Acknowledged,
    /// The commune does not take it.
    Refused,
}

impl Standing {
    /// The standing's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Relayed => "relayed",
            Self::Silent { .. } => "silent",
            Self::Acknowledged => "acknowledged",
            Self::Refused => "refused",
        }
    }
}

/// Where a relay stands at `now`.
#[must_use]
pub fn standing(
    relay: &RelayProtocol,
    relayed_at: Millis,
    kind: AlertKind,
    times: &AnswerTimes,
    now: Millis,
) -> Standing {
    let escalated = relay.escalated.as_ref().map(|escalated| escalated.step);
    match &relay.answer {
        Relay::Answered(answered) if answered.answer == Answer::Refuse => Standing::Refused,
        Relay::Answered(_) => Standing::Acknowledged,
        Relay::Unanswered => {
            let late = now >= relayed_at.plus_ms(times.of(kind).second_contact_ms);
            if late || escalated.is_some() {
                Standing::Silent { escalated }
            } else {
                Standing::Relayed
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        decider::Decider,
        relay::{
            Answered,
            protocol::{Escalated, RelayEvent},
        },
    };

    fn answered(answer: Answer) -> RelayEvent {
        let note = RecordId::of_purpose("note");
        RelayEvent::Answered(Answered { answer, by: "binh".into(), note })
    }

    fn escalated(step: Step, somebody: bool) -> RelayEvent {
        let to = somebody.then(|| "chi".parse().unwrap()).into_iter().collect();
        RelayEvent::Escalated(Escalated { step, to })
    }

    fn check(given: &[RelayEvent], kind: AlertKind, then: Option<(i64, Step)>) {
        let relay = given.iter().fold(RelayProtocol::default(), RelayProtocol::evolve);
        let relayed_at = Millis(1_000_000);
        let next = next_escalation(&relay, relayed_at, kind, &AnswerTimes::default());
        let then = then.map(|(minutes, step)| (relayed_at.plus_ms(minutes * MINUTE_MS), step));
        assert_eq!(next, then, "given {given:?}");
    }

    #[test]
    fn silence_escalates_by_urgency_and_an_answer_ends_it() {
        use AlertKind::{LostChild, Notice};
        use Step::{ProvinceDesk, SecondContact};
        check(&[], LostChild, Some((5, SecondContact)));
        check(&[], Notice, Some((30, SecondContact)));
        check(&[escalated(SecondContact, true)], LostChild, Some((10, ProvinceDesk)));
        check(&[escalated(SecondContact, true)], Notice, Some((60, ProvinceDesk)));
        // Nobody could be asked: the desk does not wait for what nobody will answer.
        check(&[escalated(SecondContact, false)], LostChild, Some((5, ProvinceDesk)));
        check(&[escalated(ProvinceDesk, true)], LostChild, None);
        for answer in [Answer::Acknowledge, Answer::Refuse] {
            check(&[answered(answer)], LostChild, None);
            check(&[escalated(SecondContact, true), answered(answer)], LostChild, None);
            // A step that was ordered after the answer starts nothing again.
            check(&[answered(answer), escalated(SecondContact, false)], LostChild, None);
        }
    }

    #[test]
    fn the_officer_sees_no_more_than_is_known() {
        let see = |given: &[RelayEvent], minutes| {
            let relay = given.iter().fold(RelayProtocol::default(), RelayProtocol::evolve);
            let (times, now) = (AnswerTimes::default(), Millis(minutes * MINUTE_MS));
            standing(&relay, Millis(0), AlertKind::LostChild, &times, now).as_str()
        };
        assert_eq!(see(&[], 4), "relayed");
        assert_eq!(see(&[], 5), "silent");
        assert_eq!(see(&[escalated(Step::SecondContact, true)], 4), "silent");
        assert_eq!(see(&[answered(Answer::Acknowledge)], 90), "acknowledged");
        assert_eq!(see(&[answered(Answer::Refuse)], 1), "refused");
    }

    #[test]
    fn a_step_has_one_command_whoever_gives_it() {
        let alert = AlertId::raised_by(RecordId::of_purpose("a"));
        let id = |step, at| escalation_id(alert, "25126".parse().unwrap(), step, Millis(at));
        assert_eq!(id(Step::SecondContact, 1), id(Step::SecondContact, 1));
        assert_ne!(id(Step::SecondContact, 1), id(Step::ProvinceDesk, 1));
        assert_ne!(id(Step::SecondContact, 1), id(Step::SecondContact, 2));
    }
}
