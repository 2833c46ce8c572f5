//! The pages of officers and of communes: what the routes of programs say, drawn for people.
//!
//! A page asks the same application as HTTP and gRPC do, and shows what they would. A form is a
//! request like any other; its `Idempotency-Key` stands in the form.

mod acting;
mod alert;
mod board;
mod commune;
mod map;
mod may;
mod naming;
mod open;
mod queues;
mod raise;
mod said;
mod seen;
mod signing;
mod told;
mod typed;
mod when;

use std::sync::Arc;

use axum::{
    Router,
    extract::FromRef,
    routing::{get, post},
};
use console::Console;

use crate::Intake;

/// What a page is made from.
#[derive(Clone)]
struct Pages {
    intake: Arc<Intake>,
    console: Console,
}

impl FromRef<Pages> for Console {
    fn from_ref(pages: &Pages) -> Self {
        pages.console.clone()
    }
}

impl FromRef<Pages> for Arc<Intake> {
    fn from_ref(pages: &Pages) -> Self {
        Arc::clone(&pages.intake)
    }
}

pub(crate) fn router(intake: Arc<Intake>, console: Console) -> Router {
    Router::new()
        .route("/v/{code}", get(open::verify))
        .route("/v/{code}/qr.svg", get(open::code))
        .route("/xa/{commune}", get(commune::page))
        .route("/xa/{commune}/nhom/{group}", get(commune::join))
        .route("/xa/{commune}/nhom/{group}/qr.svg", get(commune::join_code))
        .route("/board", get(board::page))
        .route("/board/{id}", get(board::card))
        .route("/queues", get(queues::page))
        .route("/matches/{id}/{verdict}", post(queues::decide))
        .route("/alerts/new", get(raise::begin).post(raise::confirm))
        .route("/alerts/new/check", post(raise::check))
        .route("/alerts/new/edit", post(raise::edit))
        .route("/alerts/{id}", get(alert::page))
        .route("/alerts/{id}/now", get(alert::now))
        .route("/alerts/{id}/{action}", post(acting::act))
        .route("/sign/prepare", post(signing::prepare))
        .with_state(Pages { intake, console })
}
