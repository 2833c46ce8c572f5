//! Intake takes alerts from officers and answers from communes.
//!
//! It authenticates, authorises, validates, writes the command down and only then says
//! "accepted". It decides nothing: it waits a bounded time for the decision, and otherwise says
//! plainly that it is being decided. HTTP and gRPC share the application.

mod acts;
mod application;
mod board;
mod following;
mod grpc;
mod http;
mod notices;
mod refused;
mod row;
mod stream;
mod view;

pub mod idempotency;
pub mod request;

use std::sync::Arc;

use axum::Router;
use chassis::Host;
use event_log::{Class, projection};

pub use application::Intake;
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
    intake
}

/// The routes of people: officers, communes, and anyone who verifies an alert.
pub fn router(intake: Arc<Intake>) -> Router {
    http::router(intake)
}
