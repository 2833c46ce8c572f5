//! The pages of auditors: which alerts there were, what a commune knew at a moment, an alert's life
//! with a slider through time, and each record's proof, checked in the browser.
//!
//! They show what the audit's routes of programs answer, and no personal data.

mod alert;
mod known;
mod list;

use axum::{Router, extract::FromRef, response::Response, routing::get};
use chassis::{Host, Problem, auth::forbidden};
use console::{Console, Frame, Visitor};

use crate::replay::Replayer;

/// What a page is made from.
#[derive(Clone)]
struct Pages {
    host: Host,
    replayer: Replayer,
    console: Console,
}

impl FromRef<Pages> for Console {
    fn from_ref(pages: &Pages) -> Self {
        pages.console.clone()
    }
}

impl FromRef<Pages> for Host {
    fn from_ref(pages: &Pages) -> Self {
        pages.host.clone()
    }
}

impl FromRef<Pages> for Replayer {
    fn from_ref(pages: &Pages) -> Self {
        pages.replayer.clone()
    }
}

/// The pages of auditors.
pub fn pages(host: Host, replayer: Replayer, console: Console) -> Router {
    Router::new()
        .route("/audit", get(list::page))
        .route("/audit/alerts/{id}", get(alert::page))
        .route("/audit/alerts/{id}/known", get(alert::known))
        .with_state(Pages { host, replayer, console })
}

/// A page for auditors; everybody else is told so.
async fn for_auditors(
    visitor: Visitor,
    page: impl AsyncFnOnce(&Frame) -> Result<Response, Problem>,
) -> Response {
    let Visitor { asker, frame, .. } = visitor;
    if !asker.standing.reads_audit() {
        return frame.trouble(&forbidden());
    }
    match page(&frame).await {
        Ok(response) => response,
        Err(problem) => frame.trouble(&problem),
    }
}
