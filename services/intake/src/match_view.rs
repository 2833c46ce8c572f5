//! What people see of a proposal, as JSON and over gRPC.
//!
//! An alert that the asker may not read is shown as the public sees it: no name, no photo, no
//! exact place, no reach. What is public is listed here, so that a new field is not shown by
//! itself.

use domain::{
    ids::AlertId,
    matching::{
        decision::{Outcome, Verdict},
        likeness::Reason,
    },
};
use serde_json::{Map, Value, json};
use wire::v1::{self, AlertText};

use crate::{
    match_board::{MatchRow, Related},
    matches::{MatchShown, SideShown},
    view::{self, time},
};

/// What anyone may see of an alert.
const PUBLIC: [&str; 13] = [
    "id",
    "code",
    "revision",
    "state",
    "kind",
    "status",
    "commune",
    "headline",
    "description",
    "instruction",
    "last_seen",
    "person",
    "expires",
];
/// The words of a list's filter.
pub(crate) const STATES: [(&str, Outcome); 4] = [
    ("open", Outcome::Open),
    ("confirmed", Outcome::Confirmed),
    ("dismissed", Outcome::Dismissed),
    ("disputed", Outcome::Disputed),
];

/// An entry of an alert's `related`.
pub(crate) fn related((other, related): (&AlertId, &Related)) -> Value {
    let (kind, state) = (related.kind.as_str(), related.outcome.as_str());
    json!({ "alert": other.to_string(), "kind": kind, "state": state })
}

/// The same over gRPC.
pub(crate) fn related_message((other, related): (&AlertId, &Related)) -> v1::RelatedView {
    v1::RelatedView {
        alert: other.to_string(),
        kind: related.kind.as_str().to_owned(),
        state: related.outcome.as_str().to_owned(),
    }
}

/// A proposal as JSON.
pub(crate) fn json_of(shown: &MatchShown) -> Value {
    let row = &shown.row;
    let reasons: Vec<Value> = row.proposed.reasons.iter().map(reason).collect();
    let sides: Vec<Value> = shown.sides.iter().map(|side| side_json(row, side)).collect();
    json!({
        "id": row.id.to_string(),
        "kind": row.proposed.kind.as_str(),
        "state": row.outcome().as_str(),
        "score_per_mille": row.proposed.score_per_mille,
        "reasons": reasons,
        "proposed_at": time(row.proposed_at),
        "sides": sides,
    })
}

/// A proposal over gRPC.
pub(crate) fn message(shown: &MatchShown) -> v1::MatchView {
    let row = &shown.row;
    v1::MatchView {
        id: row.id.to_string(),
        kind: row.proposed.kind.as_str().to_owned(),
        state: row.outcome().as_str().to_owned(),
        score_per_mille: row.proposed.score_per_mille,
        reasons: row.proposed.reasons.iter().map(reason_message).collect(),
        proposed_at: time(row.proposed_at),
        sides: shown.sides.iter().map(|side| side_message(row, side)).collect(),
    }
}

/// The figures of a reason: which it has, depends on what it is.
#[derive(Default)]
struct Figures {
    distance_m: Option<u64>,
    distance_m_max: Option<u64>,
    minutes: Option<u64>,
    years: Option<u8>,
}

fn figures(reason: Reason) -> Figures {
    let none = Figures::default();
    match reason {
        Reason::Apart { distance_m, distance_m_max } => {
            Figures { distance_m: Some(distance_m), distance_m_max: Some(distance_m_max), ..none }
        }
        Reason::Later { minutes } => Figures { minutes: Some(minutes), ..none },
        Reason::AgesApart { years } => Figures { years: Some(years), ..none },
        Reason::SameCommune
        | Reason::BorderingCommunes
        | Reason::TimeUnknown
        | Reason::SameSex
        | Reason::SexUnknown
        | Reason::AgeUnknown => none,
    }
}

fn reason(reason: &Reason) -> Value {
    let figures = figures(*reason);
    let mut said = Map::new();
    said.insert("code".into(), json!(reason.as_str()));
    for (name, figure) in [
        ("distance_m", figures.distance_m),
        ("distance_m_max", figures.distance_m_max),
        ("minutes", figures.minutes),
        ("years", figures.years.map(u64::from)),
    ] {
        if let Some(figure) = figure {
            said.insert(name.into(), json!(figure));
        }
    }
    said.insert("words".into(), json!(reason.sentence().to_string()));
    said.into()
}

fn reason_message(reason: &Reason) -> v1::MatchReasonView {
    let Figures { distance_m, distance_m_max, minutes, years } = figures(*reason);
    v1::MatchReasonView {
        code: reason.as_str().to_owned(),
        distance_m,
        distance_m_max,
        minutes,
        years: years.map(u32::from),
        words: reason.sentence().to_string(),
    }
}

fn answer_of(row: &MatchRow, side: &SideShown) -> Option<&'static str> {
    let answer = row.state.answers.get(&side.row.id)?;
    Some(match answer.verdict {
        Verdict::Confirm => "confirmed",
        Verdict::Dismiss => "dismissed",
    })
}

fn side_json(row: &MatchRow, side: &SideShown) -> Value {
    let mut said = json!({
        "commune": side.row.home.commune.to_string(),
        "view": view_word(side),
        "answer": answer_of(row, side),
        "alert": match side.is_full {
            true => view::alert(&side.row, side.text.as_deref(), false),
            false => public(side),
        },
    });
    if let Some(said) = said.as_object_mut() {
        if let Some(at) = row.answered_at.get(&side.row.id) {
            said.insert("answered_at".into(), json!(time(*at)));
        }
        if let Some(note) = &side.note {
            said.insert("note".into(), json!(note));
        }
    }
    said
}

fn side_message(row: &MatchRow, side: &SideShown) -> v1::MatchSideView {
    let answered_at = row.answered_at.get(&side.row.id).copied();
    v1::MatchSideView {
        commune: side.row.home.commune.to_string(),
        view: view_word(side).to_owned(),
        alert: Some(match side.is_full {
            true => view::message(&side.row, side.text.as_deref(), false),
            false => public_message(side),
        }),
        answer: answer_of(row, side).unwrap_or_default().to_owned(),
        answered_at: answered_at.map(time).unwrap_or_default(),
        note: side.note.clone().unwrap_or_default(),
    }
}

fn view_word(side: &SideShown) -> &'static str {
    if side.is_full { "full" } else { "public" }
}

/// The words without what is nobody else's: then the place is the rounded one.
fn public_text(side: &SideShown) -> Option<AlertText> {
    let text = side.text.as_deref()?;
    Some(AlertText {
        headline: text.headline.clone(),
        description: text.description.clone(),
        instruction: text.instruction.clone(),
        place: text.place.clone(),
        person_clothing: text.person_clothing.clone(),
        person_description: text.person_description.clone(),
        ..AlertText::default()
    })
}

fn public(side: &SideShown) -> Value {
    let mut all = view::alert(&side.row, public_text(side).as_ref(), false);
    if let Some(all) = all.as_object_mut() {
        all.retain(|field, _| PUBLIC.contains(&field.as_str()));
    }
    all
}

fn public_message(side: &SideShown) -> v1::AlertView {
    let all = view::message(&side.row, public_text(side).as_ref(), false);
    let fields = all.fields.map(|fields| v1::AlertFields {
        kind: fields.kind,
        status: fields.status,
        commune: fields.commune,
        headline: fields.headline,
        description: fields.description,
        instruction: fields.instruction,
        last_seen: fields.last_seen,
        person: fields.person,
        expires: fields.expires,
        ..v1::AlertFields::default()
    });
    v1::AlertView {
        id: all.id,
        code: all.code,
        revision: all.revision,
        state: all.state,
        fields,
        ..v1::AlertView::default()
    }
}
