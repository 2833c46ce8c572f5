//! The page of an alert: what it says, how it stands with each commune and group, and what can be
//! done with it.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, Query, State, rejection::PathRejection},
    http::StatusCode,
    response::Response,
};
use chassis::Problem;
use console::{Frame, Visitor, shown};
use domain::rights::Asker;
use serde::Deserialize;
use wire::v1;

use super::{
    acting::WORDS,
    map::Drawn,
    may::May,
    seen::{AlertSeen, PlaceSeen},
    told::Told,
    typed::{Form, Typed},
    when,
};
use crate::{
    Intake, http::alert_in, idempotency::IdempotencyKey, instructions::Instruction, request,
};

/// Of those who have not been corrected, so many have a form each.
const UNCORRECTED_SHOWN_MAX: usize = 100;

/// What can have become of what was asked for last.
const SAID: [&str; 4] = ["held", "deciding", "raised", "measured"];

#[derive(Template)]
#[template(path = "alert.html", blocks = ["now"])]
struct AlertPage<'a> {
    frame: &'a Frame,
    seen: AlertSeen<'a>,
    may: May,
    map: Option<Drawn>,
    told: Told,
    /// Whether the log could not be read: groups and instructions are missing here.
    is_partial: bool,
    /// Who has not been corrected yet.
    uncorrected: Vec<UncorrectedSeen>,
    /// How many there are that a page does not show.
    uncorrected_more: usize,
    /// What the communes that who looks keeps were told beside it.
    instructions: Vec<(String, Instruction)>,
    /// What a change would say that waits for a second person.
    pending: Option<v1::AlertFields>,
    /// What became of what was asked for last: `held`, `deciding`, `raised`, `measured`;
    /// otherwise empty.
    said: &'a str,
    /// A form that was not taken: which, what was typed, and why not.
    failed: Option<(&'a str, &'a Typed, &'a Problem)>,
    nothing_typed: Typed,
}

/// A target that has not been corrected.
struct UncorrectedSeen {
    place: String,
    group: String,
    channel: String,
    stands: String,
    needs_person: bool,
}

#[derive(Deserialize)]
pub(super) struct Said {
    #[serde(default)]
    said: String,
}

pub(super) async fn page(
    State(intake): State<Arc<Intake>>,
    Visitor { asker, frame, .. }: Visitor,
    Query(Said { said }): Query<Said>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let said = SAID.into_iter().find(|known| *known == said).unwrap_or_default();
    match drawn(&intake, &asker, &frame, id).await {
        Ok(page) => shown(StatusCode::OK, &AlertPage { said, ..page }),
        Err(problem) => frame.trouble(&problem),
    }
}

/// What changes on the page while somebody looks.
pub(super) async fn now(
    State(intake): State<Arc<Intake>>,
    Visitor { asker, frame, .. }: Visitor,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    match drawn(&intake, &asker, &frame, id).await {
        Ok(page) => shown(StatusCode::OK, &page.as_now()),
        Err(problem) => frame.trouble(&problem),
    }
}

/// The page again with a form that was not taken, as it was typed; for whoever may not see the
/// alert, only why.
pub(super) async fn refused(
    intake: &Intake,
    (asker, frame): (Asker, Frame),
    id: &str,
    failed: (&str, &Typed, &Problem),
) -> Response {
    let (_, _, problem) = failed;
    match drawn(intake, &asker, &frame, Ok(Path(id.to_owned()))).await {
        Ok(page) => shown(problem.status(), &AlertPage { failed: Some(failed), ..page }),
        Err(_) => frame.trouble(problem),
    }
}

async fn drawn<'a>(
    intake: &'a Intake,
    asker: &'a Asker,
    frame: &'a Frame,
    id: Result<Path<String>, PathRejection>,
) -> Result<AlertPage<'a>, Problem> {
    let alert = alert_in(id)?;
    let found = intake.get(asker, alert).await?;
    // While the log cannot be read, what is on the board is shown all the same.
    let told = intake.deliveries(asker, alert).await.ok();
    let instructions = intake.instructions(asker, alert).await.ok();
    let is_partial = told.is_none() || instructions.is_none();
    let seen = AlertSeen::new(frame, intake, asker, &found);
    let may = May::of(asker, &found.row);
    let mut uncorrected =
        told.as_ref().map(|told| uncorrected(intake, &seen, told)).unwrap_or_default();
    let uncorrected_more = uncorrected.len().saturating_sub(UNCORRECTED_SHOWN_MAX);
    uncorrected.truncate(UNCORRECTED_SHOWN_MAX);
    let place = |it: Instruction| (seen.place(&it.commune.to_string()), it);
    let instructions = instructions.unwrap_or_default().into_iter().map(place).collect();
    // Who does not decide about it reads nothing of it, and leaves no record of reading.
    let pending = match may.approve {
        Some(_) => intake.read_pending(asker.into(), &found.row).await?,
        None => None,
    };
    let told = told.map(|told| Told::of(intake, (asker, frame), &told)).unwrap_or_default();
    Ok(AlertPage {
        frame,
        may,
        map: seen.map(),
        told,
        is_partial,
        uncorrected,
        uncorrected_more,
        instructions,
        pending: pending.map(|(facts, text)| request::alert_fields(&facts, &text)),
        seen,
        said: "",
        failed: None,
        nothing_typed: Typed::default(),
    })
}

/// Who has not been corrected, for whom it is to know: the issuing commune of all, others of
/// their own groups.
fn uncorrected(
    intake: &Intake,
    seen: &AlertSeen<'_>,
    told: &crate::application::AlertDeliveries,
) -> Vec<UncorrectedSeen> {
    let outstanding = intake.outstanding_of(told);
    let one = |(commune, one): (domain::ids::CommuneCode, &domain::corrections::Uncorrected)| {
        UncorrectedSeen {
            place: seen.place(&commune.to_string()),
            group: one.target.group.to_string(),
            channel: one.target.channel.to_string(),
            stands: seen.frame.t(&format!("stands-{}", one.stands.as_str())),
            needs_person: one.stands.needs_a_person(),
        }
    };
    outstanding.all().map(one).collect()
}

impl AlertPage<'_> {
    /// The form of an act: empty, or as it was typed when it was not taken.
    fn form(&self, action: &str) -> Form<'_> {
        let failed = self.failed.filter(|(failed, ..)| *failed == action);
        let typed = failed.map_or(&self.nothing_typed, |(_, typed, _)| typed);
        Form { frame: self.frame, typed, problem: failed.map(|(.., problem)| problem) }
    }

    /// Why the last form was not taken.
    fn trouble(&self) -> Option<Form<'_>> {
        self.failed.map(|(action, ..)| self.form(action))
    }

    /// The form of a change: what stands, or what was typed.
    fn standing(&self) -> Typed {
        let fields = self.seen.fields();
        let mut typed = Typed::default();
        for (name, text) in
            WORDS.into_iter().zip([&fields.headline, &fields.description, &fields.instruction])
        {
            typed.add(name, text);
        }
        typed.add("expires", &when::of_rfc3339(&fields.expires));
        typed
    }

    /// What a field of a change says: typed just now, or as it stands.
    fn changed(&self, name: &str) -> String {
        match self.failed.filter(|(action, ..)| matches!(*action, "update" | "correct")) {
            Some((_, typed, _)) => typed.text(name).to_owned(),
            None => self.standing().text(name).to_owned(),
        }
    }

    fn stands(&self, name: &str) -> String {
        match self.failed.filter(|(action, ..)| matches!(*action, "update" | "correct")) {
            Some((_, typed, _)) => typed.text(&format!("was.{name}")).to_owned(),
            None => self.standing().text(name).to_owned(),
        }
    }

    /// The communes that who looks answers for.
    fn mine(&self) -> Vec<PlaceSeen<'_>> {
        self.seen.places().into_iter().filter(|place| place.is_mine).collect()
    }

    /// A key for a form: a request that is sent twice is one.
    fn key(&self) -> String {
        IdempotencyKey::fresh()
    }
}
