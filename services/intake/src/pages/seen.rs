//! An alert as a template reads it.

use console::Frame;
use domain::{criteria::Criteria, ids::Millis, rights::Asker};
use rendering::text::clock;
use wire::v1;

use super::{
    map::{Drawn, Place, drawn},
    said::half,
};
use crate::{
    Intake, application::Shown, idempotency::IdempotencyKey, refused::refused, row::Refused, view,
};

/// An alert, for who looks at it.
pub(crate) struct AlertSeen<'a> {
    pub(crate) frame: &'a Frame,
    pub(crate) alert: v1::AlertView,
    intake: &'a Intake,
    asker: &'a Asker,
}

/// A commune's part in it.
pub(crate) struct PlaceSeen<'a> {
    pub(crate) name: String,
    pub(crate) view: &'a v1::CommuneView,
    /// Whether who looks may answer for it, and it has not answered.
    pub(crate) may_answer: bool,
    /// Whether who looks stands for it, and did not issue the alert there.
    pub(crate) is_mine: bool,
}

impl<'a> AlertSeen<'a> {
    pub(crate) fn new(
        frame: &'a Frame,
        intake: &'a Intake,
        asker: &'a Asker,
        shown: &Shown,
    ) -> Self {
        let alert = view::message(&shown.row, shown.text.as_deref(), shown.held);
        Self { frame, alert, intake, asker }
    }

    /// What was asked for; empty where it is not known yet.
    pub(crate) fn fields(&self) -> v1::AlertFields {
        self.alert.fields.clone().unwrap_or_default()
    }

    /// Whether it is real. What is not known to be real is not.
    pub(crate) fn is_live(&self) -> bool {
        self.alert.fields.as_ref().is_some_and(|fields| fields.status == "actual")
    }

    /// Real or not, in a word.
    pub(crate) fn mark(&self) -> String {
        let status = self.alert.fields.as_ref().map_or("", |fields| fields.status.as_str());
        self.frame.mark(status)
    }

    pub(crate) fn kind(&self) -> String {
        self.frame.t(&format!("kind-{}", self.fields().kind))
    }

    pub(crate) fn state(&self) -> String {
        self.frame.t(&format!("state-{}", self.alert.state))
    }

    /// Whether it is over, in whatever way.
    pub(crate) fn is_over(&self) -> bool {
        !matches!(self.alert.state.as_str(), "deciding" | "held" | "awaiting-approval" | "active")
    }

    pub(crate) fn is_active(&self) -> bool {
        self.alert.state == "active"
    }

    /// The headline; where the words are gone, that they are.
    pub(crate) fn headline(&self) -> String {
        match self.fields().headline {
            empty if empty.is_empty() => self.frame.t("words-gone"),
            headline => headline,
        }
    }

    /// A commune by its code.
    pub(crate) fn place(&self, code: &str) -> String {
        self.intake.host.map.called(code)
    }

    /// A time, as it is in Viet Nam.
    pub(crate) fn when(&self, rfc3339: &str) -> String {
        let at = rfc3339.parse::<jiff::Timestamp>();
        at.map_or_else(|_| String::new(), |at| clock(Millis(at.as_millisecond())))
    }

    /// The time of day, as it is in Viet Nam.
    pub(crate) fn hour(&self, rfc3339: &str) -> String {
        self.when(rfc3339).split(' ').next().unwrap_or_default().to_owned()
    }

    /// The communes that it was put to, its own first.
    pub(crate) fn places(&self) -> Vec<PlaceSeen<'_>> {
        let own = self.fields().commune;
        let mut places: Vec<_> = self.alert.communes.iter().map(|it| self.place_seen(it)).collect();
        places.sort_by_key(|it| (it.view.code != own, it.name.clone()));
        places
    }

    fn place_seen<'v>(&self, view: &'v v1::CommuneView) -> PlaceSeen<'v> {
        let home = view.code.parse().ok().and_then(|code| self.intake.host.map.home(code));
        let is_mine = view.code != self.fields().commune
            && home.is_some_and(|home| self.asker.standing.acts_for(home));
        let may_answer = is_mine && self.is_active() && view.answer.is_empty();
        PlaceSeen { name: self.place(&view.code), view, may_answer, is_mine }
    }

    /// The communes, drawn as they stand.
    pub(crate) fn map(&self) -> Option<Drawn> {
        let own = self.fields().commune;
        let place = |view: &v1::CommuneView| {
            let class = match (view.code == own, view.standing.as_str()) {
                (true, _) => "own",
                (_, "acknowledged") => "acknowledged",
                (_, "refused") => "refused",
                (_, "silent") => "silent",
                _ => "asked",
            };
            let said = self.frame.t(&format!("standing-{class}"));
            Some(Place { code: view.code.parse().ok()?, class, said })
        };
        let places = self.alert.communes.iter().filter_map(place).collect();
        drawn(&self.intake.host.map, places)
    }

    /// The communes for which who looks has yet to answer.
    pub(crate) fn to_answer(&self) -> Vec<PlaceSeen<'_>> {
        self.places().into_iter().filter(|place| place.may_answer).collect()
    }

    /// How many communes have taken it, and how many were asked.
    pub(crate) fn answers(&self) -> String {
        let own = self.fields().commune;
        let asked = self.alert.communes.iter().filter(|it| it.code != own);
        let taken = asked.clone().filter(|it| it.answer == "acknowledged").count();
        let filled = [("taken", taken.into()), ("asked", asked.count().into())];
        self.frame.tn("answers", &filled)
    }

    /// Communes by their codes, in one line.
    pub(crate) fn names(&self, codes: &[String]) -> String {
        let names: Vec<String> = codes.iter().map(|code| self.place(code)).collect();
        names.join(", ")
    }

    /// Who it is about, field by field; what is not known has no entry.
    pub(crate) fn about(&self) -> Vec<(&'static str, String)> {
        let fields = self.fields();
        let person = fields.person.unwrap_or_default();
        let seen = fields.last_seen.unwrap_or_default();
        let age = person.age.map(|age| age.to_string()).unwrap_or_default();
        let point = seen.lat.zip(seen.lon).map(|(lat, lon)| format!("{lat:.5}, {lon:.5}"));
        let mut about = vec![
            ("field-person-name", person.name),
            ("field-person-age", age),
            ("field-person-clothing", person.clothing),
            ("field-person-description", person.description),
            ("field-last-seen-place", seen.place),
            ("field-last-seen-at", self.when(&seen.at)),
            ("alert-point", point.unwrap_or_default()),
            ("field-legal-basis", fields.legal_basis),
        ];
        about.retain(|(_, value)| !value.is_empty());
        about
    }

    /// What was not answered when it was asked for, each as it is asked.
    pub(crate) fn missing(&self) -> Vec<String> {
        let ids = self.alert.checklist.as_ref().map_or(&[][..], |it| it.missing.as_slice());
        let kind = self.fields().kind.parse().ok();
        let asked = kind.into_iter().flat_map(|kind| Criteria::built_in().of(kind));
        let missing = asked.filter(|criterion| ids.contains(&criterion.id));
        missing
            .map(|it| half(self.frame, &format!("{} / {}", it.question_vi, it.question_en)))
            .collect()
    }

    /// Why it was refused.
    pub(crate) fn refusal(&self) -> Option<String> {
        let v1::RefusalView { code, field } = self.alert.refusal.clone()?;
        Some(half(self.frame, refused(&Refused { code, field }).detail()))
    }

    /// What must be known of it, and forbids nothing.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.alert.warnings.iter().map(|it| half(self.frame, &it.detail)).collect()
    }

    /// A key for a form: a request that is sent twice is one.
    pub(crate) fn key(&self) -> String {
        IdempotencyKey::fresh()
    }
}
