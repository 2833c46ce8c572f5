//! What anyone may know of an alert by its code: whether it is real, whose, since when, and whether
//! it still holds. Nothing personal, and no words of it.

use axum::{
    Json, Router,
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use chassis::Problem;
use domain::{
    alert::{Alert, Closing},
    values::News,
};
use serde_json::{Value, json};

use crate::{Intake, http::App, refused::not_found, row::Row, view};

/// Kept for so long on the way, so that a rush of readers costs little.
pub(crate) const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=2");

/// How an alert stands, in one of four words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Real, and in force.
    Live,
    /// A drill or a test.
    Exercise,
    /// Real, in force, and something of what was told was wrong.
    Corrected,
    /// Over.
    Closed,
}

impl Standing {
    fn of(row: &Row) -> Self {
        let is_live = row.facts().is_some_and(|facts| facts.status.is_actual());
        let is_corrected = row.correction.is_some_and(|it| it.news == News::Corrected);
        match (&row.alert, is_live) {
            (Alert::Closed { .. }, _) => Self::Closed,
            (_, false) => Self::Exercise,
            (_, true) if is_corrected => Self::Corrected,
            (_, true) => Self::Live,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Exercise => "exercise",
            Self::Corrected => "corrected",
            Self::Closed => "closed",
        }
    }
}

/// An alert, for anyone.
pub(crate) struct Verified {
    pub(crate) row: Row,
    pub(crate) standing: Standing,
    /// Whether it is, or was, no real alert.
    pub(crate) is_exercise: bool,
    /// The issuing commune's name, where the map has it.
    pub(crate) commune: Option<String>,
    pub(crate) province: Option<String>,
}

impl Verified {
    /// How it ended, where it is over.
    pub(crate) fn ended(&self) -> Option<&'static str> {
        match &self.row.alert {
            Alert::Closed { how: Closing::Cancelled, .. } => Some("cancelled"),
            Alert::Closed { how: Closing::Resolved, .. } => Some("resolved"),
            Alert::Closed { how: Closing::Expired, .. } => Some("expired"),
            _ => None,
        }
    }

    fn json(&self) -> Value {
        let Self { row, standing, is_exercise, commune, province } = self;
        json!({
            "code": row.code(),
            "status": standing.as_str(),
            "exercise": is_exercise,
            "state": row.state(),
            "revision": row.revision(),
            "kind": row.facts().map(|facts| facts.kind.as_str()),
            "commune": {
                "code": row.home.commune.to_string(),
                "name": commune,
                "province": province,
            },
            "sent": row.sent.map(view::time),
        })
    }
}

impl Intake {
    /// What a code stands for; for anyone, and only what was ever in force.
    pub(crate) async fn verified(&self, code: &str) -> Result<Verified, Problem> {
        let row = self.verify(&as_typed(code)).await?;
        let map = &self.host.map;
        let commune = map.commune(row.home.commune).map(|commune| commune.name.to_string());
        let province = map.province_name(row.home.province).map(ToString::to_string);
        let is_exercise = row.facts().is_none_or(|facts| !facts.status.is_actual());
        Ok(Verified { standing: Standing::of(&row), is_exercise, commune, province, row })
    }
}

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/v1/verify/{code}", get(verify))
}

async fn verify(
    State(App(intake)): State<App>,
    code: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(code) = code.map_err(|_| not_found())?;
    let verified = intake.verified(&code).await?;
    Ok(([(header::CACHE_CONTROL, KEPT)], Json(verified.json())).into_response())
}

/// A code as people type it: any case, hyphens and spaces between, O for 0, I and L for 1.
fn as_typed(code: &str) -> String {
    let letters = code.chars().filter(|c| !matches!(c, '-' | ' ')).take(16);
    letters
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_code_is_taken_as_people_type_it() {
        assert_eq!(super::as_typed("o1il-23 4Z"), "0111234Z");
    }
}
