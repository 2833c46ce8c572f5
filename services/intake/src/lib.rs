//! Intake takes alerts from officers and answers from communes.
//!
//! It authenticates, authorises, validates, writes the command down and only then says
//! "accepted". It decides nothing: it waits a bounded time for the decision, and otherwise says
//! plainly that it is being decided. HTTP and gRPC share the application.

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
mod following;
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
mod match_board;
mod match_grpc;
mod match_http;
mod match_view;
mod matches;
mod measuring;
mod notices;
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
mod stream;
mod uncorrected;
mod view;

pub mod idempotency;
pub mod request;

use std::sync::Arc;

use axum::Router;
use chassis::Host;
use event_log::{Class, projection};

pub use application::Intake;
pub use freeze_grpc::FreezeGrpc;
pub use grpc::Grpc;

/// Starts the service in this process.
#[must_use]
pub fn start(host: &Host) -> Arc<Intake> {
    let intake = Arc::new(Intake::new(host));
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

/// The routes of the machine's owner: whether the installation is fit for a real alert.
pub fn local_router(intake: Arc<Intake>) -> Router {
    preflight_http::local_routes(intake)
}
