//! Intake takes alerts from officers and answers from communes.
//!
//! It authenticates, authorises, validates, writes the command down and only then says
//! "accepted". It decides nothing: it waits a bounded time for the decision, and otherwise says
//! plainly that it is being decided. HTTP and gRPC share the application.

mod act_words;
mod acts;
mod alert_acts;
mod alert_grpc;
mod application;
mod board;
mod correction_grpc;
mod correction_http;
mod deliveries;
mod drill_http;
mod drill_view;
mod drills;
mod erase_grpc;
mod erase_http;
mod erasures;
mod following;
mod form;
mod freeze_grpc;
mod freeze_http;
mod freezes;
mod freezing;
mod gone;
mod grpc;
mod guard;
mod http;
mod installation;
mod instructions;
mod life_view;
mod look_http;
mod looks;
mod match_board;
mod match_grpc;
mod match_http;
mod match_view;
mod matches;
mod measuring;
mod notices;
mod pages;
mod photo_http;
mod photos;
mod poster_http;
mod poster_page;
mod posters;
mod preflight;
mod preflight_grpc;
mod preflight_http;
mod preflight_view;
mod recalls;
mod refused;
mod relay_acts;
mod relay_grpc;
mod relay_http;
mod relay_story;
mod row;
mod signable;
mod signed;
mod signed_api;
mod stream;
mod uncorrected;
mod uploads;
mod verified;
mod view;
mod words;
mod writing;

pub mod idempotency;
pub mod pen;
pub mod request;

use std::sync::Arc;

use ::photos::Photos;
use axum::Router;
use chassis::Host;
use console::Console;
use event_log::{Class, projection};
use tokio::sync::mpsc;

pub use application::Intake;
pub use erase_grpc::ErasureGrpc;
pub use freeze_grpc::FreezeGrpc;
pub use grpc::Grpc;

/// How this service is set.
#[derive(Default)]
pub struct IntakeOptions {
    /// Where people reach intake, without a slash at the end: it stands in the text that a poster
    /// posts.
    pub public_url: String,
    /// The store of pictures. Without one none is taken or shown, and an alert may name any.
    pub photos: Option<Photos>,
}

/// Starts the service in this process, without pictures, and for nobody outside.
#[must_use]
pub fn start(host: &Host) -> Arc<Intake> {
    start_with(host, IntakeOptions::default())
}

/// Starts the service in this process, with pictures.
#[must_use]
pub fn start_with_photos(host: &Host, photos: Photos) -> Arc<Intake> {
    start_with(host, IntakeOptions { photos: Some(photos), ..IntakeOptions::default() })
}

/// Starts the service in this process.
#[must_use]
pub fn start_with(host: &Host, options: IntakeOptions) -> Arc<Intake> {
    let intake = Intake::new(host, &options.public_url);
    let intake = match options.photos {
        Some(photos) => {
            let (claims, claimed) = mpsc::unbounded_channel();
            let run = erasures::keep_claims(host.clone(), photos.clone(), claimed);
            host.drain.spawn("photo-claims", run);
            intake.with_photos(photos, claims)
        }
        None => intake,
    };
    let intake = Arc::new(intake);
    let held = Arc::downgrade(&intake);
    host.holdings.add("intake", move || held.upgrade().map(|it| it.held()).unwrap_or_default());
    host.erasing.add(Arc::new(erasures::Kept(Arc::downgrade(&intake))));
    for class in [Class::Command, Class::Alert, Class::Delivery, Class::Receipt] {
        let following = following::Following::new(host, &intake, class);
        let run = projection::run(Arc::clone(&host.log), class, following, host.drain.token());
        host.drain.spawn("board", run);
    }
    host.drain.spawn("freeze-banners", Arc::clone(&intake).keep_banners());
    intake
}

/// The routes of people: officers, communes, and anyone who verifies an alert.
pub fn router(intake: Arc<Intake>) -> Router {
    http::router(intake)
}

/// The pages of people.
pub fn pages(intake: Arc<Intake>, console: Console) -> Router {
    pages::router(intake, console)
}

/// The routes of the machine's owner: whether the installation is fit for a real alert.
pub fn local_router(intake: Arc<Intake>) -> Router {
    preflight_http::local_routes(intake)
}
