//! What became of a relay, as people see it: answered, silent, escalated, instructed.
//!
//! Silence is shown once it is recorded, so that everybody is shown the same.

use domain::{
    alert::Alert,
    decider::Decider,
    ids::{Home, Millis, RecordId},
    relay::{
        Answer, Relay,
        escalation::{AnswerTimes, standing},
        protocol::{Escalated, Instructed, RelayEvent, RelayProtocol},
    },
    state_hash::StateHash,
};
use serde_json::{Map, Value, json};
use wire::v1;

use crate::{
    row::{RelayRow, Row},
    view::time,
};

/// A relay, folded from its records.
#[derive(Debug, Clone, Default)]
pub(crate) struct RelayStory {
    relay: RelayProtocol,
    answered_at: Option<Millis>,
    escalations: Vec<(Escalated, Millis)>,
    instructed: Option<(Instructed, Millis)>,
    /// From when on an answer is waited for: put to the commune then, or in force again.
    asked_at: Option<Millis>,
    /// How long the receiving commune's silence is borne.
    times: AnswerTimes,
}

impl RelayStory {
    /// Takes an event of the relay in.
    pub(crate) fn apply(&mut self, event: &RelayEvent, at: Millis) {
        match event {
            RelayEvent::Answered(_) => self.answered_at = Some(at),
            RelayEvent::Escalated(escalated) => self.escalations.push((escalated.clone(), at)),
            RelayEvent::Instructed(instructed) => self.instructed = Some((instructed.clone(), at)),
            RelayEvent::RelayedOnward(_) => {}
        }
        self.relay = std::mem::take(&mut self.relay).evolve(event);
    }

    /// The alert names the commune; `anew` where it is in force again.
    pub(crate) fn asked(&mut self, at: Millis, anew: bool) {
        if anew || self.asked_at.is_none() {
            self.asked_at = Some(at);
        }
    }

    /// How long this commune's silence is borne, by its policy.
    pub(crate) fn bears(&mut self, times: AnswerTimes) {
        self.times = times;
    }

    /// What its records come to.
    pub(crate) fn state(&self) -> StateHash {
        StateHash::of(&self.relay)
    }

    /// The answer, and when it was given.
    pub(crate) fn answer(&self) -> Option<(Answer, Millis)> {
        match &self.relay.answer {
            Relay::Unanswered => None,
            Relay::Answered(answered) => Some((answered.answer, self.answered_at?)),
        }
    }

    /// The newest instructions: the command that holds the words, who gave them, and when.
    pub(crate) fn instructed(&self) -> Option<(RecordId, &str, Millis)> {
        let (instructed, at) = self.instructed.as_ref()?;
        Some((instructed.content, &instructed.by, *at))
    }
}

/// A relay as it is shown; nothing of this is waited for from the issuing commune.
struct Seen<'a> {
    story: &'a RelayStory,
    standing: Option<&'static str>,
    answer_due: Option<Millis>,
}

fn seen<'a>(row: &Row, relay: &'a RelayRow) -> Seen<'a> {
    let story = &relay.story;
    let times = story.times;
    let kind = row.facts().map(|facts| facts.kind);
    let asked = story.asked_at.zip(kind).filter(|_| is_asked(row, relay.reached.home));
    // Where nothing says otherwise, it is the beginning of time.
    let stands = |(at, kind)| standing(&story.relay, at, kind, &times, Millis(i64::MIN)).as_str();
    let waits =
        matches!(row.alert, Alert::Active { .. }) && story.relay.answer == Relay::Unanswered;
    Seen {
        story,
        standing: asked.map(stands),
        answer_due: asked
            .filter(|_| waits)
            .map(|(at, kind)| at.plus_ms(times.of(kind).second_contact_ms)),
    }
}

/// Who raised it has it.
fn is_asked(row: &Row, home: Home) -> bool {
    home.commune != row.home.commune
}

/// What is shown of a relay beside its answer, as JSON.
pub(crate) fn json(row: &Row, relay: &RelayRow) -> Map<String, Value> {
    let Seen { story, standing, answer_due } = seen(row, relay);
    let escalated_to = story.escalations.iter().map(|(escalated, at)| {
        let officers: Vec<&str> = escalated.to.iter().map(|officer| officer.as_str()).collect();
        json!({ "step": escalated.step.as_str(), "officers": officers, "at": time(*at) })
    });
    let mut shown = Map::new();
    shown.insert("standing".into(), json!(standing));
    shown.insert("answer_due".into(), json!(answer_due.map(time)));
    shown.insert("escalated_to".into(), escalated_to.collect());
    let instructed_at = story.instructed().map(|(_, _, at)| time(at));
    shown.insert("instructed_at".into(), json!(instructed_at));
    shown
}

/// The same over gRPC.
pub(crate) fn message(row: &Row, relay: &RelayRow, view: v1::CommuneView) -> v1::CommuneView {
    let Seen { story, standing, answer_due } = seen(row, relay);
    let text = |at: Option<Millis>| at.map(time).unwrap_or_default();
    let escalated_to = story.escalations.iter().map(|(escalated, at)| v1::EscalationView {
        step: escalated.step.as_str().to_owned(),
        officers: escalated.to.iter().map(ToString::to_string).collect(),
        at: time(*at),
    });
    v1::CommuneView {
        answered_at: text(story.answer().map(|(_, at)| at)),
        standing: standing.unwrap_or_default().to_owned(),
        answer_due: text(answer_due),
        escalated_to: escalated_to.collect(),
        instructed_at: text(story.instructed().map(|(_, _, at)| at)),
        ..view
    }
}

#[cfg(test)]
mod tests {
    use domain::relay::{Answered, escalation::Step};

    use super::*;

    #[test]
    fn a_story_keeps_every_step_the_newest_words_and_the_answer() {
        let id = RecordId::of_purpose;
        let mut story = RelayStory::default();
        story.asked(Millis(1), true);
        // An update or a wider reach asks nobody again; an alert that is in force anew does.
        story.asked(Millis(2), false);
        assert_eq!(story.asked_at, Some(Millis(1)));
        story.asked(Millis(3), true);
        assert_eq!(story.asked_at, Some(Millis(3)));
        for (step, at) in [(Step::SecondContact, 4), (Step::ProvinceDesk, 5)] {
            let escalated = Escalated { step, to: vec![] };
            story.apply(&RelayEvent::Escalated(escalated), Millis(at));
        }
        assert_eq!((story.escalations.len(), story.answer()), (2, None));
        let (note, answer) = (id("note"), Answer::Acknowledge);
        let answered = Answered { answer, by: "binh".into(), note };
        story.apply(&RelayEvent::Answered(answered), Millis(6));
        assert_eq!(story.answer(), Some((Answer::Acknowledge, Millis(6))));
        for (words, at) in [("a", 7), ("b", 8)] {
            let instructed = Instructed { by: "binh".into(), content: id(words) };
            story.apply(&RelayEvent::Instructed(instructed), Millis(at));
        }
        assert_eq!(story.instructed(), Some((id("b"), "binh", Millis(8))));
    }
}
