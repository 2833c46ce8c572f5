//! The pages of a raise before it is looked at: the kinds, and the form of one.

use askama::Template;
use chassis::Problem;
use console::Frame;
use domain::{
    criteria::Criteria,
    expiry::{default_hours, limit_hours},
    rights::{Asker, Standing},
    values::{AlertKind, AlertStatus, Sex, Travel},
};
use photos::{PhotoId, Size};
use registry::{Commune, Map};

use super::{
    KINDS,
    body::{HOURS, PHOTOS},
};
use crate::{
    Intake,
    pages::{
        naming,
        said::half,
        typed::{Form, Typed},
    },
};

/// After so many hours an alert may end by itself.
const HOURS_OFFERED: [u32; 8] = [6, 12, 24, 48, 72, 168, 336, 720];
/// So many minutes ago something may have been seen.
pub(super) const MINUTES_AGO: [u32; 9] = [5, 15, 30, 60, 120, 180, 360, 720, 1_440];
/// Reaches that can be chosen, in the order of the form.
const MODES: [&str; 4] = ["auto", "rings", "communes", "province"];

#[derive(Template)]
#[template(path = "raise_kinds.html")]
pub(super) struct KindsPage<'a> {
    pub(super) frame: &'a Frame,
}

impl KindsPage<'_> {
    /// Each kind: its word, and what it is called.
    fn kinds(&self) -> Vec<(&'static str, String)> {
        let said = |kind: &AlertKind| {
            let word = kind.as_str();
            (word, self.frame.t(&format!("kind-{word}")))
        };
        KINDS.iter().map(said).collect()
    }
}

/// A choice: the word, and what it is called.
struct Choice {
    word: String,
    name: String,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "raise_form.html")]
pub(super) struct RaisePage<'a> {
    frame: &'a Frame,
    form: Form<'a>,
    kind: AlertKind,
    intake: &'a Intake,
    asker: &'a Asker,
}

impl<'a> RaisePage<'a> {
    pub(super) fn new(
        (intake, asker): (&'a Intake, &'a Asker),
        frame: &'a Frame,
        typed: &'a Typed,
        problem: Option<&'a Problem>,
    ) -> Self {
        let kind = typed.text("kind").parse().unwrap_or(AlertKind::Notice);
        Self { frame, form: Form { frame, typed, problem }, kind, intake, asker }
    }

    fn kind_name(&self) -> String {
        self.frame.t(&format!("kind-{}", self.kind.as_str()))
    }

    /// LIVE or EXERCISE; a demo is never live. A technical test is a program's.
    fn statuses(&self) -> Vec<Choice> {
        let is_offered = |status: &&AlertStatus| match status {
            AlertStatus::Actual => !self.frame.is_demo,
            AlertStatus::Exercise => true,
            AlertStatus::Test => self.form.chose("status", status.as_str()),
        };
        let offered = AlertStatus::ALL.iter().filter(is_offered);
        let choice = |status: &AlertStatus| {
            let name = match status {
                AlertStatus::Actual => "live",
                AlertStatus::Exercise => "exercise",
                AlertStatus::Test => "test",
            };
            self.choice("status", status.as_str(), self.frame.t(name))
        };
        offered.map(choice).collect()
    }

    /// Whether it is about somebody.
    fn has_person(&self) -> bool {
        matches!(
            self.kind,
            AlertKind::LostChild
                | AlertKind::FoundChild
                | AlertKind::MissingPerson
                | AlertKind::FoundPerson
                | AlertKind::Suspect
        )
    }

    /// Whether somebody may be on the move.
    fn may_move(&self) -> bool {
        matches!(self.kind, AlertKind::LostChild | AlertKind::MissingPerson | AlertKind::Suspect)
    }

    /// Whether it has a place; those that need one say so.
    fn has_place(&self) -> bool {
        self.needs_place() || matches!(self.kind, AlertKind::Suspect | AlertKind::Hazard)
    }

    fn needs_place(&self) -> bool {
        self.kind.needs_last_seen()
    }

    fn needs_basis(&self) -> bool {
        self.kind == AlertKind::Suspect
    }

    fn takes_photos(&self) -> bool {
        self.intake.pictures.is_some()
    }

    /// The pictures that were taken in: id, and where one can be seen.
    fn photos(&self) -> Vec<(String, String)> {
        shown_photos(self.intake, self.form.typed)
    }

    fn choice(&self, field: &str, word: &str, name: String) -> Choice {
        Choice { word: word.to_owned(), name, is_chosen: self.form.chose(field, word) }
    }

    /// The communes that the asker may raise for: one, or those of the province.
    fn own(&self) -> Vec<Choice> {
        let map = &self.intake.host.map;
        let own: Vec<&Commune> = match self.asker.standing {
            Standing::Province(province) => map.of_province(province).collect(),
            standing => standing.commune().and_then(|code| map.commune(code)).into_iter().collect(),
        };
        own.into_iter().map(|it| self.commune("commune", it)).collect()
    }

    fn commune(&self, field: &str, commune: &Commune) -> Choice {
        self.choice(field, &commune.code.to_string(), naming::shown(commune))
    }

    /// The communes around the own one.
    fn nearby(&self) -> Vec<Choice> {
        let near = nearby(&self.intake.host.map, self.form.value("commune"));
        near.into_iter().map(|(code, name)| self.choice("reach.communes", &code, name)).collect()
    }

    /// Every commune of the province, to be found by its name.
    fn of_province(&self) -> Vec<String> {
        let map = &self.intake.host.map;
        let of = |province| map.of_province(province).map(naming::shown).collect();
        self.asker.standing.province().map(of).unwrap_or_default()
    }

    fn modes(&self) -> Vec<Choice> {
        let name = |mode: &str| self.frame.t(&format!("reach-{mode}"));
        MODES.iter().map(|mode| self.choice("reach.mode", mode, name(mode))).collect()
    }

    fn sexes(&self) -> Vec<Choice> {
        let name = |sex: &Sex| self.frame.t(&format!("sex-{}", sex.as_str()));
        Sex::ALL.iter().map(|sex| self.choice("person.sex", sex.as_str(), name(sex))).collect()
    }

    fn travels(&self) -> Vec<Choice> {
        let name = |travel: &Travel| self.frame.t(&format!("travel-{}", travel.as_str()));
        let choice = |travel: &Travel| self.choice("travel", travel.as_str(), name(travel));
        Travel::ALL.iter().map(choice).collect()
    }

    fn minutes_ago(&self) -> Vec<Choice> {
        let choice = |minutes: &u32| {
            let name = match minutes {
                minutes if minutes % 60 == 0 => self.frame.t1("ago-hours", "count", minutes / 60),
                minutes => self.frame.t1("ago-minutes", "count", *minutes),
            };
            self.choice("ago", &minutes.to_string(), name)
        };
        MINUTES_AGO.iter().map(choice).collect()
    }

    fn hours(&self) -> Vec<Choice> {
        let most = limit_hours(self.kind);
        let chosen: Option<u32> = self.form.value(HOURS).parse().ok();
        let chosen = chosen.filter(|hours| *hours <= most);
        let mut hours: Vec<u32> = HOURS_OFFERED.into_iter().filter(|it| *it <= most).collect();
        hours.extend(chosen);
        hours.sort_unstable();
        hours.dedup();
        let choice = |hours: u32| {
            let name = match hours {
                hours if hours % 24 == 0 => self.frame.t1("in-days", "count", hours / 24),
                hours => self.frame.t1("in-hours", "count", hours),
            };
            self.choice(HOURS, &hours.to_string(), name)
        };
        hours.into_iter().map(choice).collect()
    }

    /// What only the officer can answer: of each it can be said that nobody knows.
    fn questions(&self) -> Vec<Choice> {
        let asked = Criteria::built_in().of(self.kind);
        let choice = |it: &domain::criteria::Criterion| {
            let both = format!("{} / {}", it.question_vi, it.question_en);
            self.choice("dont_know", &it.id, half(self.frame, &both))
        };
        asked.map(choice).collect()
    }
}

/// The pictures that a form names: id, and where one can be seen.
pub(super) fn shown_photos(intake: &Intake, typed: &Typed) -> Vec<(String, String)> {
    let seen = |id: &str| {
        let path = id.parse().ok().and_then(|id: PhotoId| intake.photo_path(&id, Size::Medium));
        (id.to_owned(), path.unwrap_or_default())
    };
    typed.all(PHOTOS).filter(|id| !id.is_empty()).map(seen).collect()
}

/// The communes that border on one: code and name.
pub(super) fn nearby(map: &Map, commune: &str) -> Vec<(String, String)> {
    let around = commune.parse().map(|code| map.neighbours(code)).unwrap_or_default();
    let around = around.iter().filter_map(|code| map.commune(*code));
    around.map(|it| (it.code.to_string(), naming::shown(it))).collect()
}

/// A form as it begins.
pub(super) fn proposed(frame: &Frame, asker: &Asker, kind: AlertKind) -> Typed {
    let mut typed = Typed::default();
    typed.add("kind", kind.as_str());
    typed.add("reach.mode", "auto");
    typed.add(HOURS, &default_hours(kind).to_string());
    typed.add("instruction", &frame.t(&format!("proposed-{}", kind.as_str())));
    if let Some(commune) = asker.standing.commune() {
        typed.add("commune", &commune.to_string());
    }
    typed
}
