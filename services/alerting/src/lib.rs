//! Alerting decides: every command gets exactly one commit.
//!
//! It knows no person, no HTTP and no channel: commands come from the log, commits go into it.

mod asking;
mod budget;
mod contacts;
mod decide;
mod escalations;
mod freezes;
mod matches;
mod relaying;
mod retention;
mod taking;
mod timers;

use std::sync::Arc;

use chassis::Host;
use event_log::{Class, projection, reactor};

/// Starts the service in this process.
pub fn start(host: &Host) {
    let stop = host.drain.token();
    let deciding = reactor::Reaction { name: "alerting", class: Class::Command, lanes: host.lanes };
    let decider = Arc::new(decide::Deciding::new(host.clone()));
    let held = Arc::downgrade(&decider);
    host.holdings.add("alerting", move || held.upgrade().map(|it| it.held()).unwrap_or_default());
    let run = reactor::run(Arc::clone(&host.log), deciding, decider, stop.clone());
    host.drain.spawn("alerting", run);

    let mut asking = asking::Asking::new(host);
    asking.watch(host, timers::Timers::default());
    asking.watch(host, escalations::Escalations::new(&host.policies));
    asking.watch(host, taking::Taking::default());
    asking.watch(host, budget::Budget::new(host));
    asking.watch(host, matches::Matches::new(&host.map));
    asking.watch(host, freezes::Freezes::default());
    asking.watch(host, retention::Retention::new(&host.policies));
    let run = projection::run(Arc::clone(&host.log), Class::Alert, asking, stop);
    host.drain.spawn("alerting-asking", run);
}
