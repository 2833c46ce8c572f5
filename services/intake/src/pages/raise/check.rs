//! What a raise will do, before it is done: whom it reaches and why, what is missing, who must
//! approve; and the one confirmation.

use askama::Template;
use chassis::Problem;
use console::Frame;
use domain::{
    criteria::{Answer, Need},
    policy::SecondPerson,
    preflight::Severity,
    reach::CommuneReached,
    rights::Asker,
};
use rendering::text::clock;

use super::drawn::shown_photos;
use crate::{
    Intake,
    idempotency::IdempotencyKey,
    pages::{
        map::{Drawn, Place, drawn},
        said::{half, sentence},
        typed::{Form, Typed},
    },
    preflight::Seen,
    request::Draft,
};

/// What was seen before.
pub(super) type Checked = Box<Seen>;

/// What a raise would do.
pub(super) async fn checked(
    intake: &Intake,
    asker: &Asker,
    draft: Draft,
) -> Result<Checked, Problem> {
    intake.preflight(asker, draft).await.map(Box::new)
}

#[derive(Template)]
#[template(path = "raise_check.html")]
pub(super) struct CheckPage<'a> {
    frame: &'a Frame,
    intake: &'a Intake,
    form: Form<'a>,
    /// The body, as it will be sent.
    body: String,
    seen: Checked,
}

/// One commune that will be told.
pub(crate) struct PlaceTold {
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) reason: String,
    pub(crate) groups: usize,
    pub(crate) people: u64,
    pub(crate) on_duty: bool,
}

/// Something that will not work.
pub(crate) struct Warned {
    pub(crate) severity: &'static str,
    pub(crate) sentence: String,
}

impl<'a> CheckPage<'a> {
    pub(super) fn new(
        intake: &'a Intake,
        frame: &'a Frame,
        typed: &'a Typed,
        (body, seen): (String, Checked),
    ) -> Self {
        Self { frame, intake, form: Form { frame, typed, problem: None }, body, seen }
    }

    fn is_live(&self) -> bool {
        self.seen.facts.status.is_actual()
    }

    fn mark(&self) -> String {
        self.frame.mark(self.seen.facts.status.as_str())
    }

    fn kind(&self) -> String {
        self.frame.t(&format!("kind-{}", self.seen.facts.kind.as_str()))
    }

    fn key(&self) -> String {
        IdempotencyKey::fresh()
    }

    /// What will happen, in figures: `9 xã, 42 nhóm, khoảng 3100 người`.
    fn counts(&self) -> String {
        counted(self.frame, &self.seen)
    }

    /// What was typed, field by field, as it will be read.
    fn said(&self) -> Vec<(String, String)> {
        let texts = ["person.name", "person.age", "person.clothing", "person.description"];
        let rest = ["last_seen.place", "description", "instruction", "legal_basis"];
        let value = |name: &&str| (self.form.label(name), self.form.value(name).to_owned());
        let mut said: Vec<_> = texts.iter().chain(&rest).map(value).collect();
        let seen_at = self.seen.facts.last_seen.and_then(|seen| seen.at);
        said.push((self.form.label("last_seen.at"), seen_at.map(clock).unwrap_or_default()));
        said.push((self.form.label("expires"), clock(self.seen.facts.expires_at)));
        said.retain(|(_, value)| !value.is_empty());
        said
    }

    fn photos(&self) -> Vec<(String, String)> {
        shown_photos(self.intake, self.form.typed)
    }

    /// The communes, drawn, with why each is told.
    fn map(&self) -> Option<Drawn> {
        let own = self.seen.facts.home.commune;
        let place = |told: PlaceTold| {
            let code = told.code.parse().ok()?;
            let class = if code == own { "own" } else { "told" };
            Some(Place { code, class, said: told.reason })
        };
        drawn(&self.intake.host.map, self.places().into_iter().filter_map(place).collect())
    }

    fn places(&self) -> Vec<PlaceTold> {
        places(self.intake, self.frame, &self.seen)
    }

    fn missing(&self) -> Vec<(bool, String)> {
        missing(self.frame, &self.seen)
    }

    fn warned(&self) -> Vec<Warned> {
        warned(self.frame, &self.seen)
    }

    /// Who must agree: `not-needed`, `reviews`, `approves`.
    fn second_person(&self) -> &'static str {
        second_person(&self.seen)
    }

    /// Until when some are not told, since it is quiet there.
    fn quiet_until(&self) -> Option<String> {
        self.seen.quiet_until.map(clock)
    }

    /// When the reach grows by itself, and by whom.
    fn next(&self) -> Option<(String, String)> {
        let next = self.seen.reached.next.as_ref()?;
        let names: Vec<String> = next.communes.iter().map(|it| name_of(self.intake, it)).collect();
        Some((clock(next.at), names.join(", ")))
    }

    /// Where some groups have been told often of late.
    fn fatigue(&self) -> Option<String> {
        let fatigue = &self.seen.fatigue;
        (!fatigue.over.is_empty()).then(|| sentence(self.frame, &fatigue.told()))
    }
}

pub(crate) fn counted(frame: &Frame, seen: &Seen) -> String {
    let counts = seen.looked.preflight.counts;
    let filled = [
        ("communes", counts.communes.into()),
        ("groups", counts.groups.into()),
        ("people", counts.people.into()),
    ];
    frame.tn("counts", &filled)
}

pub(crate) fn places(intake: &Intake, frame: &Frame, seen: &Seen) -> Vec<PlaceTold> {
    let pairs = seen.reached.communes.iter().zip(&seen.looked.places);
    let told = pairs.map(|(reached, place)| PlaceTold {
        code: reached.home.commune.to_string(),
        name: name_of(intake, reached),
        reason: frame.t(&format!("reason-{}", reached.reason.as_str())),
        groups: place.groups.len(),
        people: place.people,
        on_duty: place.on_duty,
    });
    told.collect()
}

/// What was not answered: whether it should not go without, and the question.
pub(crate) fn missing(frame: &Frame, seen: &Seen) -> Vec<(bool, String)> {
    let items = seen.checklist.items.iter().filter(|item| item.answer == Answer::Missing);
    let mut missing: Vec<_> = items
        .map(|item| {
            let both = format!("{} / {}", item.criterion.question_vi, item.criterion.question_en);
            (item.criterion.need == Need::Required, half(frame, &both))
        })
        .collect();
    missing.sort_by_key(|(is_required, _)| !is_required);
    missing
}

pub(crate) fn warned(frame: &Frame, seen: &Seen) -> Vec<Warned> {
    let found = seen.looked.preflight.found.iter();
    found
        .filter(|found| found.finding.severity() != Severity::Note)
        .map(|found| Warned {
            severity: found.finding.severity().as_str(),
            sentence: sentence(frame, &found.sentence),
        })
        .collect()
}

fn second_person(seen: &Seen) -> &'static str {
    match seen.second_person {
        SecondPerson::NotNeeded => "not-needed",
        SecondPerson::Reviews => "reviews",
        SecondPerson::Approves => "approves",
    }
}

fn name_of(intake: &Intake, reached: &CommuneReached) -> String {
    intake.host.map.called(&reached.home.commune.to_string())
}
