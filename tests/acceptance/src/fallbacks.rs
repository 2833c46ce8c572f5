//! Fallbacks: which other channels of a group are to be used, and when, since none of those that
//! are used at once has done what can be known to be done.
//!
//! From the log and the directory alone: nothing of fan-out is asked.

use std::collections::BTreeMap;

use domain::{
    delivery::Target,
    directory::ChannelUse,
    ids::{GroupId, Millis},
    lane::{Lanes, Progress},
};
use registry::SharedDirectory;

/// The groups, as they are known.
#[derive(Default)]
pub struct Fallbacks(SharedDirectory);

/// How a group stands with the newest revision.
struct Standing {
    since: Millis,
    over: bool,
    /// It needs no other way, or is to have none.
    settled: bool,
}

impl Fallbacks {
    /// Of this directory.
    #[must_use]
    pub fn of(directory: SharedDirectory) -> Self {
        Self(directory)
    }

    /// When which group is to be told another way; `now` where nothing else is tried any more.
    #[must_use]
    pub fn due(&self, lanes: &Lanes, now: Millis) -> Vec<(GroupId, Millis)> {
        let directory = self.0.read();
        if !directory.has_fallbacks() {
            return vec![];
        }
        let mut due = Vec::new();
        for (group, standing) in standings(lanes).into_iter().filter(|(_, at)| !at.settled) {
            let Some(known) = directory.group(&group) else { continue };
            for channel in &known.facts.channels {
                let ChannelUse::Fallback { after_s } = channel.used else { continue };
                let target = Target {
                    group: group.clone(),
                    channel: channel.id.clone(),
                    channel_type: channel.channel_type.as_str().into(),
                };
                let after = standing.since.plus_ms(i64::from(after_s) * 1_000);
                if !lanes.iter().any(|(planned, _)| *planned == target) {
                    due.push((group.clone(), if standing.over { now } else { after }));
                }
            }
        }
        due
    }
}

fn standings(lanes: &Lanes) -> BTreeMap<GroupId, Standing> {
    let mut standings: BTreeMap<GroupId, Standing> = BTreeMap::new();
    for (target, delivery) in lanes.iter().filter(|(_, d)| d.revision == lanes.newest()) {
        let since = match delivery.progress {
            Progress::Waiting(at) if delivery.attempts == 0 => at,
            _ => delivery.planned_at,
        };
        let is_stopped = matches!(delivery.progress, Progress::Stopped(_)) && !delivery.is_dead();
        let standing = standings.entry(target.group.clone());
        let standing = standing.or_insert(Standing { since, over: true, settled: false });
        standing.since = standing.since.min(since);
        standing.over &= delivery.is_dead();
        standing.settled |= delivery.has_succeeded() || is_stopped;
    }
    standings
}
