//! Who was told nothing, and why: groups of a commune for which nothing was planned.

use domain::{
    alert::Alert,
    delivery::may_be_told,
    directory::ChannelUse,
    ids::CommuneCode,
    relay::{Answer, Relay},
};

use super::{
    board::{Put, Stood},
    deliveries::Deliveries,
    directory::Directory,
    view::Withheld,
};

/// The channels of the commune's own groups that no plan names.
pub(super) fn withheld(
    stood: &Stood,
    (commune, put): (CommuneCode, &Put),
    directory: &Directory,
    told: &Deliveries,
) -> Vec<Withheld> {
    let Some(facts) = stood.facts() else { return vec![] };
    let is_refused = matches!(
        &put.relay.answer,
        Relay::Answered(answered) if answered.answer == Answer::Refuse
    );
    let held = stood.alert.live().is_some_and(|live| live.on_hold);
    let mut withheld = Vec::new();
    for group in directory.groups_of(commune) {
        for channel in &group.channels {
            let is_it = |target: &domain::delivery::Target| {
                target.group == group.id && target.channel == channel.id
            };
            if told.lanes.iter().any(|(target, _)| is_it(target)) {
                continue;
            }
            let why = if !may_be_told(facts.status, group.kind, group.exercises) {
                "gate"
            } else if is_refused {
                "relay-refused"
            } else if held {
                "on-hold"
            } else if matches!(channel.used, ChannelUse::Fallback { .. }) {
                "fallback"
            } else if !matches!(stood.alert, Alert::Active(_)) {
                "not-in-force"
            } else {
                "not-planned"
            };
            withheld.push(Withheld {
                commune: commune.to_string(),
                group: group.id.to_string(),
                channel: channel.id.to_string(),
                why: why.to_owned(),
            });
        }
    }
    withheld
}
