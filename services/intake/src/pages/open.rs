//! The page where anyone checks an alert by its code.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use console::{Open, kept, qr};
use rendering::text::clock;

use crate::{
    Intake,
    refused::not_found,
    verified::{KEPT, Standing, Verified},
};

#[derive(Template)]
#[template(path = "verify.html")]
struct VerifyPage<'a> {
    open: &'a Open,
    /// The keys of the verdict, and of what to do about it; its look.
    key: &'static str,
    advice: &'static str,
    class: &'static str,
    verified: Option<&'a Verified>,
    /// The keys of the alert's kind and state.
    kind: String,
    state: String,
    sent: String,
}

impl<'a> VerifyPage<'a> {
    fn of(open: &'a Open, verified: &'a Verified) -> Self {
        let (key, advice, class) = match (verified.standing, verified.ended()) {
            (Standing::Live, _) => ("verify-live", "verify-live-advice", "live"),
            (Standing::Corrected, _) => {
                ("verify-corrected", "verify-corrected-advice", "corrected")
            }
            (Standing::Exercise, _) => ("verify-exercise", "verify-exercise-advice", "drill"),
            (Standing::Closed, Some("cancelled")) => {
                ("verify-closed", "verify-cancelled-advice", "closed")
            }
            (Standing::Closed, _) => ("verify-closed", "verify-closed-advice", "closed"),
        };
        let kind = verified.row.facts().map_or("notice", |facts| facts.kind.as_str());
        Self {
            open,
            key,
            advice,
            class,
            kind: format!("kind-{kind}"),
            state: format!("state-{}", verified.row.state()),
            sent: verified.row.sent.map(clock).unwrap_or_default(),
            verified: Some(verified),
        }
    }

    /// No alert has, or had, this code.
    fn unknown(open: &'a Open, key: &'static str, advice: &'static str) -> Self {
        let (kind, state, sent) = Default::default();
        Self { open, key, advice, class: "closed", verified: None, kind, state, sent }
    }
}

pub(super) async fn verify(
    State(intake): State<Arc<Intake>>,
    open: Open,
    code: Result<Path<String>, PathRejection>,
) -> Response {
    let found = match code {
        Ok(Path(code)) => intake.verified(&code).await,
        Err(_) => Err(not_found()),
    };
    match found {
        Ok(verified) => kept(StatusCode::OK, &VerifyPage::of(&open, &verified), KEPT),
        Err(problem) if problem.status() == StatusCode::NOT_FOUND => {
            let page = VerifyPage::unknown(&open, "verify-unknown", "verify-unknown-advice");
            kept(StatusCode::NOT_FOUND, &page, KEPT)
        }
        Err(problem) => {
            let page = VerifyPage::unknown(&open, "verify-trouble", "verify-trouble-advice");
            console::shown(problem.status(), &page)
        }
    }
}

/// The code as a camera reads it: where it is checked.
pub(super) async fn code(
    State(intake): State<Arc<Intake>>,
    code: Result<Path<String>, PathRejection>,
) -> Response {
    let verified = match code {
        Ok(Path(code)) => intake.verified(&code).await.ok(),
        Err(_) => None,
    };
    let drawn = verified.and_then(|it| qr(&format!("{}/v/{}", intake.public_url, it.row.code())));
    drawn.unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}
