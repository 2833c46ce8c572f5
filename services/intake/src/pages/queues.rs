//! What waits for people: approvals, reviews, matches, what could not be delivered, how ready the
//! commune is and how its last drills went; each with what is needed to decide.

use std::{collections::BTreeSet, sync::Arc};

use askama::Template;
use axum::{
    Form,
    extract::{Path, Query, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use chassis::{Problem, auth::forbidden};
use console::{Frame, Visitor, see, shown};
use domain::{
    alert::Alert,
    drill::DrillResult,
    ids::CommuneCode,
    matching::decision::Verdict,
    preflight::Severity,
    rights::{Asker, Standing},
};
use rendering::text::clock;
use serde_json::json;
use wire::v1;

use super::{
    Pages,
    may::{owes_review, waiting, waits_under},
    raise::{counted, missing, warned},
    said::{half, sentence},
    seen::AlertSeen,
    signing::{Asked, Prepare},
    told::{GroupTold, Told},
    typed::Typed,
};
use crate::{
    Intake,
    application::{Filter, Request, Shown},
    http::{commune_of, scope_of},
    idempotency::{IdempotencyKey, request_sha256},
    match_http::{match_id, path_of},
    match_view,
    matches::{MatchAnswer, no_such_match},
    refused::bad_request,
    request,
};

/// Of so many alerts that wait it is looked at what approving them would do.
const LOOKED_AT_MAX: usize = 20;
/// Of so many alerts, the newest, it is looked at what is left to do.
const OPEN_MAX: usize = 20;

#[derive(Template)]
#[template(path = "queues.html")]
struct QueuesPage<'a> {
    frame: &'a Frame,
    intake: &'a Intake,
    approvals: Vec<ToApprove<'a>>,
    /// What the asker asked for, and another person has to approve.
    asked: Vec<AlertSeen<'a>>,
    reviews: Vec<AlertSeen<'a>>,
    matches: Vec<v1::MatchView>,
    /// What could not be delivered, is in a poster's hand, or was not corrected yet.
    open: Vec<Unfinished<'a>>,
    /// What an alert now would meet; `None` for whom no commune is the own one.
    ready: Option<Ready>,
    drills: Vec<DrillSeen>,
}

/// An alert that waits for this person.
struct ToApprove<'a> {
    seen: AlertSeen<'a>,
    by: String,
    /// What approving it would do; `None` where too many wait, or it cannot be known now.
    will: Option<Will>,
}

/// What an approval would do.
struct Will {
    counts: String,
    missing: Vec<(bool, String)>,
    warned: Vec<String>,
}

/// What is left to do of an alert for people.
struct Unfinished<'a> {
    seen: AlertSeen<'a>,
    /// What could not be delivered: the commune, and the channel of a group.
    dead: Vec<(String, GroupTold)>,
    /// How many tasks posters have in hand.
    tasks: usize,
    /// How many have not been corrected yet.
    uncorrected: usize,
}

/// How ready a commune and its neighbours are.
struct Ready {
    counts: String,
    findings: Vec<(&'static str, String)>,
}

/// The last measured drill of a commune.
struct DrillSeen {
    place: String,
    at: String,
    result: DrillResult,
}

pub(super) async fn page(
    State(intake): State<Arc<Intake>>,
    Visitor { asker, frame, .. }: Visitor,
) -> Response {
    match drawn(&intake, &asker, &frame).await {
        Ok(page) => shown(StatusCode::OK, &page),
        Err(problem) => frame.trouble(&problem),
    }
}

async fn drawn<'a>(
    intake: &'a Intake,
    asker: &'a Asker,
    frame: &'a Frame,
) -> Result<QueuesPage<'a>, Problem> {
    let (alerts, _) = intake.list(asker, &Filter::default()).await?;
    let seen = |alert: &Shown| AlertSeen::new(frame, intake, asker, alert);
    let is_mine = |alert: &&Shown| {
        let waits = waiting(&alert.row);
        waits.is_some_and(|(_, by)| by == asker.officer.as_str())
    };
    let is_owed = |alert: &&Shown| {
        asker.standing.approves_for(alert.row.home) && owes_review(&alert.row, asker)
    };
    let scope = scope_of(intake, asker, None)?;
    let (matches, _) = intake.matches(asker, scope, None, None).await?;
    Ok(QueuesPage {
        frame,
        intake,
        approvals: approvals(intake, (asker, frame), &alerts).await,
        asked: alerts.iter().filter(is_mine).map(seen).collect(),
        reviews: alerts.iter().filter(is_owed).map(seen).collect(),
        matches: matches.iter().map(match_view::message).collect(),
        open: unfinished(intake, (asker, frame), &alerts).await?,
        ready: ready(intake, asker, frame).await?,
        drills: drills(intake, asker)?,
    })
}

async fn approvals<'a>(
    intake: &'a Intake,
    (asker, frame): (&'a Asker, &'a Frame),
    alerts: &[Shown],
) -> Vec<ToApprove<'a>> {
    let mut approvals = vec![];
    for alert in alerts.iter().filter(|alert| asker.standing.approves_for(alert.row.home)) {
        if waits_under(&alert.row, asker).is_none() {
            continue;
        }
        let will = match approvals.len() < LOOKED_AT_MAX {
            true => will(intake, asker, frame, alert).await,
            false => None,
        };
        let by = waiting(&alert.row).map(|(_, by)| by.to_owned()).unwrap_or_default();
        let seen = AlertSeen::new(frame, intake, asker, alert);
        approvals.push(ToApprove { seen, by, will });
    }
    approvals
}

async fn will(intake: &Intake, asker: &Asker, frame: &Frame, alert: &Shown) -> Option<Will> {
    let (_, seen) = intake.preflight_of(asker, alert.row.id).await.ok()?;
    Some(Will {
        counts: counted(frame, &seen),
        missing: missing(frame, &seen),
        warned: warned(frame, &seen).into_iter().map(|it| it.sentence).collect(),
    })
}

async fn unfinished<'a>(
    intake: &'a Intake,
    (asker, frame): (&'a Asker, &'a Frame),
    alerts: &[Shown],
) -> Result<Vec<Unfinished<'a>>, Problem> {
    let mut open = vec![];
    let is_looked_at = |alert: &&Shown| {
        matches!(alert.row.alert, Alert::Active(_)) || alert.row.correction.is_some()
    };
    for alert in alerts.iter().filter(is_looked_at).take(OPEN_MAX) {
        let deliveries = intake.deliveries(asker, alert.row.id).await?;
        let uncorrected = intake.outstanding_of(&deliveries).all().count();
        let told = Told::of(intake, (asker, frame), &deliveries);
        let tasks = told.tasks().len();
        let seen = AlertSeen::new(frame, intake, asker, alert);
        let place = |(commune, group): (CommuneCode, _)| (seen.place(&commune.to_string()), group);
        let dead: Vec<_> = told.into_dead().map(place).collect();
        if !dead.is_empty() || tasks + uncorrected > 0 {
            open.push(Unfinished { seen, dead, tasks, uncorrected });
        }
    }
    Ok(open)
}

async fn ready(intake: &Intake, asker: &Asker, frame: &Frame) -> Result<Option<Ready>, Problem> {
    let own = asker.standing.commune().and_then(|code| intake.host.map.home(code));
    let Some(own) = own else { return Ok(None) };
    let looked = intake.readiness(asker, own).await?;
    let counts = looked.preflight.counts;
    let filled = [
        ("communes", counts.communes.into()),
        ("groups", counts.groups.into()),
        ("people", counts.people.into()),
    ];
    let found = looked.preflight.found.iter();
    let findings = found
        .filter(|found| found.finding.severity() != Severity::Note)
        .map(|it| (it.finding.severity().as_str(), sentence(frame, &it.sentence)));
    Ok(Some(Ready { counts: frame.tn("counts", &filled), findings: findings.collect() }))
}

fn drills(intake: &Intake, asker: &Asker) -> Result<Vec<DrillSeen>, Problem> {
    let last = intake.last_drills(asker, None)?;
    let seen = last.into_iter().map(|last| {
        let commune = intake.host.map.commune(last.result.commune);
        DrillSeen {
            place: commune.map(|it| it.name.to_string()).unwrap_or_default(),
            at: clock(last.measured_at),
            result: last.result,
        }
    });
    Ok(seen.collect())
}

impl QueuesPage<'_> {
    fn key(&self) -> String {
        IdempotencyKey::fresh()
    }

    /// Whether who looks stands for both communes, and has to say for which.
    fn is_of_both(&self, one: &v1::MatchView) -> bool {
        let Some(Standing::Province(own)) = self.frame.asker.as_ref().map(|it| it.standing) else {
            return false;
        };
        let home = |side: &v1::MatchSideView| self.intake.host.map.home(side.commune.parse().ok()?);
        let codes: BTreeSet<&str> = one.sides.iter().map(|it| it.commune.as_str()).collect();
        codes.len() > 1 && one.sides.iter().filter_map(home).all(|home| home.province == own)
    }

    /// A commune by its code.
    fn place(&self, code: &str) -> String {
        self.intake.host.map.called(code)
    }

    fn half(&self, both: &str) -> String {
        half(self.frame, both)
    }
}

/// The answer to a proposal, from its form.
pub(super) async fn decide(
    State(pages): State<Pages>,
    visitor: Visitor,
    path: Result<Path<(String, String)>, PathRejection>,
    Query(prepare): Query<Prepare>,
    headers: HeaderMap,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let Ok(Path((id, verdict))) = path else { return visitor.frame.trouble(&no_such_match()) };
    let typed = Typed::of(fields);
    if prepare.is_wanted() {
        return pages.prepared(&visitor, &headers, to_sign((&id, &verdict), &typed)).await;
    }
    let Visitor { asker, frame, .. } = visitor;
    match decided(&pages.intake, &asker, (&id, &verdict), &typed).await {
        Ok(()) => see("/queues#matches"),
        Err(problem) => frame.trouble(&problem),
    }
}

/// What a form asks, as a program would, for the person's passkey to sign.
fn to_sign((id, verdict): (&str, &str), typed: &Typed) -> Result<Asked, Problem> {
    let note = typed.given("note").map(|note| json!({ "note": note }).to_string());
    Ok(Asked {
        path: format!("/v1/matches/{id}/{verdict}"),
        commune: typed.given("commune").map(commune_of).transpose()?,
        body: note.unwrap_or_default().into_bytes(),
        key: typed.text("key").to_owned(),
        then: Some("/queues#matches".to_owned()),
    })
}

async fn decided(
    intake: &Intake,
    asker: &Asker,
    (id, verdict): (&str, &str),
    typed: &Typed,
) -> Result<(), Problem> {
    if !asker.standing.reads_alerts() {
        return Err(forbidden());
    }
    let id = match_id(id).ok_or_else(no_such_match)?;
    let verdict = match verdict {
        "confirm" => Verdict::Confirm,
        "dismiss" => Verdict::Dismiss,
        _ => return Err(Problem::no_such_path()),
    };
    let bad = |bad| bad_request(&bad);
    let key = IdempotencyKey::of_headers([typed.text("key").as_bytes()]).map_err(bad)?;
    let note = request::note_text(typed.text("note"), false).map_err(bad)?;
    let commune = typed.given("commune").map(commune_of).transpose()?;
    let command = key.command_id(&asker.officer, &path_of(&id, verdict));
    let sha256 = request_sha256(typed.text("note").as_bytes());
    let answer = MatchAnswer { verdict, commune, note };
    intake.answer_match(asker, Request { command, sha256 }, &id, answer).await?;
    Ok(())
}
