//! Alerting decides: every command gets exactly one commit.
//!
//! It knows no person, no HTTP and no channel: commands come from the log, commits go into it.

mod contacts;
mod decide;
mod escalations;
mod freezes;
mod matches;
mod onward;
mod relaying;
mod timers;

use std::sync::Arc;

use chassis::Host;
use event_log::{Class, projection, reactor};

/// Starts the service in this process.
pub fn start(host: &Host) {
    let stop = host.drain.token();
    let deciding = reactor::Reaction { name: "alerting", class: Class::Command, lanes: host.lanes };
    let decider = Arc::new(decide::Deciding::new(host.clone()));
    let run = reactor::run(Arc::clone(&host.log), deciding, decider, stop.clone());
    host.drain.spawn("alerting", run);

    let (timers, ticking) = timers::timers(host);
    let run = projection::run(Arc::clone(&host.log), Class::Alert, timers, stop.clone());
    host.drain.spawn("alerting-timers", run);
    host.drain.spawn("alerting-ticking", ticking.run());

    let (escalations, asking) = escalations::escalations(host);
    let run = projection::run(Arc::clone(&host.log), Class::Alert, escalations, stop.clone());
    host.drain.spawn("alerting-escalations", run);
    host.drain.spawn("alerting-asking", asking.run());

    let (matches, comparing) = matches::matches(host);
    let run = projection::run(Arc::clone(&host.log), Class::Alert, matches, stop.clone());
    host.drain.spawn("alerting-matches", run);
    host.drain.spawn("alerting-comparing", comparing.run());

    let (freezes, ending) = freezes::freezes(host);
    let run = projection::run(Arc::clone(&host.log), Class::Alert, freezes, stop);
    host.drain.spawn("alerting-freezes", run);
    host.drain.spawn("alerting-thawing", ending.run());
}
