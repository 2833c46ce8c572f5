//! Fan-out takes each alert's news to the groups of each commune it was relayed to.
//!
//! It records each intent before it acts, and never claims more than it knows. It decides
//! nothing about alerts.

mod behind;
mod book;
mod lease;
mod plan;
mod post;
mod receive;
mod send;
mod sheets;
mod turn;

pub mod channels;
pub mod render;

use std::sync::Arc;

use channels::webhook::{NoWebhooks, Webhook, WebhookOptions};
use chassis::Host;
use event_log::{Class, projection, reactor};
use tokio_util::task::TaskTracker;

/// What must have been read before anything is planned or sent. The audit is not among them.
const READ: [&str; 3] = ["directory", "plans", "receipts"];

/// How this service is set.
#[derive(Debug, Clone)]
pub struct FanOutOptions {
    /// Whether webhooks may lead to loopback and private addresses.
    pub allow_private_targets: bool,
    /// Where people verify an alert: `http://HOST:PORT/v1/verify`.
    pub verify_base: String,
    /// Deliveries under way at once, slow ones apart.
    pub in_flight_max: usize,
}

impl FanOutOptions {
    /// 32 in flight were best on two cores: `cargo xtask bench` tries others.
    pub const IN_FLIGHT_MAX: usize = 32;
}

/// Starts the service in this process.
///
/// # Errors
/// The HTTP client cannot be set up on this machine.
pub fn start(host: &Host, options: &FanOutOptions) -> Result<(), NoWebhooks> {
    let webhook = Webhook::new(&WebhookOptions {
        allow_private_targets: options.allow_private_targets,
        ..WebhookOptions::default()
    })?;
    let stop = host.drain.token();
    let books = book::Books::default();
    let attempts = TaskTracker::new();
    let (receipts, batching) = receive::batching(host, &attempts);
    let desk = send::Desk::new(host, &books, webhook, (receipts, attempts), options);
    let desk = Arc::new(desk);

    for class in [Class::Delivery, Class::Receipt] {
        let following = book::Following::new(host, &books, &desk, class);
        let run = projection::run(Arc::clone(&host.log), class, following, stop.clone());
        host.drain.spawn("fan-out-books", run);
    }
    host.drain.spawn("fan-out-receipts", batching.run());
    host.drain.spawn("fan-out-retries", Arc::clone(&desk).run());

    let planning = Arc::new(plan::Planning::new(host, &books));
    let reaction = reactor::Reaction { name: "fan-out", class: Class::Alert, lanes: host.lanes };
    let host_ = host.clone();
    let log = Arc::clone(&host.log);
    host.drain.spawn("fan-out", async move {
        // A plan made before the books are read would tell more people than it must.
        tokio::select! { () = host_.caught_up_of(&READ) => {}, () = stop.cancelled() => return }
        reactor::run(log, reaction, planning, stop).await;
    });
    Ok(())
}
