//! Intents: which deliveries a record plans.

use domain::delivery::{Delivery, DeliveryEvent, delivery_id};
use event_log::{Class, Recorded};
use prost::Message;
use wire::{Spoken, commit::events_of, v1};

/// The ids of the deliveries that a record of class `Delivery` plans.
#[must_use]
pub fn intents_of(recorded: &Recorded) -> Vec<String> {
    if recorded.key.class != Class::Delivery {
        return vec![];
    }
    let commit = v1::Commit::decode(recorded.open.clone());
    let events = commit.ok().and_then(|commit| events_of(commit).ok()).unwrap_or_default();
    let mut intended = Vec::new();
    for event in &events {
        if let Ok(DeliveryEvent::Planned { plan, .. }) = Delivery::recall(event) {
            let id = |target| delivery_id(plan.alert, plan.revision, target);
            intended.extend(plan.targets.iter().map(id));
        }
    }
    intended
}
