//! The invariants of the architecture, checked when a history has come to rest. What must hold at
//! each step (no effect before its plan is on disk, dense versions) is checked where it happens.

use std::collections::BTreeMap;

use domain::{
    alert::{Alert, Closing},
    ids::AlertId,
    lane::Progress,
};
use event_log::{Class, Kind, Recorded};

use crate::{
    broker::Broker,
    reading::{BookId, Reading},
    script::Script,
    target::{Answer, Arrival},
    town::{groups_of, takes_exercises},
};

/// All that a history left behind.
pub struct Left<'a> {
    /// The records.
    pub broker: &'a Broker,
    /// What they say.
    pub reading: &'a Reading,
    /// The calls.
    pub arrivals: &'a [Arrival],
    /// What was asked for.
    pub script: &'a Script,
    /// The raises that were accepted.
    pub accepted: &'a [AlertId],
}

/// Checks them all; says what does not hold.
#[must_use]
pub fn broken(left: &Left<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    one_commit_each(left, &mut broken);
    versions(left, &mut broken);
    accepted(left, &mut broken);
    order_at_targets(left, &mut broken);
    exercises(left, &mut broken);
    nobody_else(left, &mut broken);
    confirmed(left, &mut broken);
    everybody_who_was_told(left, &mut broken);
    everybody_else(left, &mut broken);
    broken
}

/// 3: every command gets exactly one commit.
fn one_commit_each(left: &Left<'_>, broken: &mut Vec<String>) {
    for (command, commits) in &left.reading.commits {
        if commits.own > 1 || commits.own + commits.recovered == 0 {
            broken.push(format!("command {command} has {commits:?}"));
        }
    }
}

/// An entity's versions are 1, 2, 3, …, and no id stands twice.
fn versions(left: &Left<'_>, broken: &mut Vec<String>) {
    let mut versions: BTreeMap<(Class, &str), u64> = BTreeMap::new();
    let mut ids = BTreeMap::new();
    let standing = left.broker.standing();
    for recorded in standing.iter().map(|recorded| -> &Recorded { recorded }) {
        if ids.insert(recorded.id, ()).is_some() {
            broken.push(format!("{} stands twice", recorded.id));
        }
        let Kind::Commit { version } = recorded.kind else { continue };
        let last = versions.entry((recorded.key.class, recorded.key.entity.as_str())).or_default();
        *last += 1;
        if *last != version {
            broken.push(format!("{} has no version {last}", recorded.key.entity));
        }
    }
}

/// 2: what was accepted is there.
fn accepted(left: &Left<'_>, broken: &mut Vec<String>) {
    for alert in left.accepted {
        let raised = left.script.alerts.iter().find(|raised| raised.id == *alert);
        let there = raised.is_some_and(|raised| left.reading.commits.contains_key(&raised.command));
        if !there {
            broken.push(format!("alert {alert} was accepted, and is not in the log"));
        }
    }
}

/// 10: at a target nothing older comes after something newer.
fn order_at_targets(left: &Left<'_>, broken: &mut Vec<String>) {
    let mut last: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for call in left.arrivals {
        let before = last.entry((&call.alert, &call.group)).or_default();
        if *before > call.revision {
            let (group, revision) = (&call.group, call.revision);
            broken.push(format!("{group} heard of revision {revision} after {before}: {call:?}"));
        }
        *before = call.revision.max(*before);
    }
}

/// 9: an exercise or test never reaches the public.
fn exercises(left: &Left<'_>, broken: &mut Vec<String>) {
    for call in left.arrivals {
        let raised = left.script.alerts.iter().find(|raised| raised.id.to_string() == call.alert);
        if raised.is_some_and(|raised| raised.exercise) && !takes_exercises(&call.group) {
            broken.push(format!("an exercise reached {}", call.group));
        }
    }
}

/// 11: nobody is told what was not put to the own commune.
fn nobody_else(left: &Left<'_>, broken: &mut Vec<String>) {
    for call in left.arrivals {
        let Ok(alert) = call.alert.parse::<AlertId>() else {
            broken.push(format!("a call of no alert: {call:?}"));
            continue;
        };
        let mut told = left.reading.told.keys().filter(|(id, _)| *id == alert);
        if !told.any(|(_, commune)| groups_of(commune.as_str()).any(|group| group == call.group)) {
            broken.push(format!("{} was told of {alert}, which is none of its", call.group));
        }
    }
}

/// Nothing is claimed that is not known: what the log calls delivered was taken.
fn confirmed(left: &Left<'_>, broken: &mut Vec<String>) {
    for ((alert, _), lanes) in &left.reading.lanes {
        for (target, delivery) in lanes.iter() {
            let id = domain::delivery::delivery_id(*alert, delivery.revision, target);
            let mut calls = left.arrivals.iter().filter(|call| call.delivery == id);
            let taken = calls.any(|call| matches!(call.answer, Answer::Taken | Answer::Slow(_)));
            if matches!(delivery.progress, Progress::Delivered(_)) && !taken {
                broken.push(format!("{id} counts as delivered, and was not"));
            }
        }
    }
}

/// 10: whoever heard of an alert heard of its end, and took it.
fn everybody_who_was_told(left: &Left<'_>, broken: &mut Vec<String>) {
    let mut last: BTreeMap<(&str, &str), &Arrival> = BTreeMap::new();
    for call in left.arrivals {
        last.insert((&call.alert, &call.group), call);
    }
    for ((alert, group), call) in last {
        let known = alert.parse::<AlertId>().ok().and_then(|id| left.reading.alerts.get(&id));
        let Some(Alert::Closed { live, how }) = known else {
            broken.push(format!("{group} was told of an alert that has no end: {call:?}"));
            continue;
        };
        let end = live.content.revision;
        let took = |call: &Arrival| {
            (call.alert.as_str(), call.group.as_str(), call.revision) == (alert, group, end)
                && matches!(call.answer, Answer::Taken | Answer::Slow(_))
        };
        if call.revision != end {
            broken.push(format!(
                "{group} was told, and never of the end ({how:?}, revision {end}): {call:?}"
            ));
        } else if !left.arrivals.iter().any(took) {
            broken.push(format!("{group} never took the end: {call:?}"));
        }
    }
}

/// Whoever was to be told of an alert was told, or the log says why not.
fn everybody_else(left: &Left<'_>, broken: &mut Vec<String>) {
    for (book, revision) in &left.reading.told {
        let exercise = left.script.alerts.iter().any(|a| a.id == book.0 && a.exercise);
        for group in groups_of(book.1.as_str()) {
            if exercise && !takes_exercises(group) {
                continue;
            }
            if let Some(why) = untold(left, book, *revision, group) {
                broken.push(format!("{group} was not told of {} in {}: {why}", book.0, book.1));
            }
        }
    }
}

fn untold(left: &Left<'_>, book: &BookId, revision: u64, group: &str) -> Option<String> {
    let was_told = |call: &Arrival| call.group == group && call.alert == book.0.to_string();
    if left.arrivals.iter().any(was_told) {
        return None;
    }
    let lanes = left.reading.lanes.get(book);
    let mut of_group = lanes.into_iter().flat_map(|lanes| lanes.iter());
    match of_group.find(|(target, of)| target.group.as_str() == group && of.revision == revision) {
        Some((_, delivery)) => match delivery.progress {
            Progress::Stopped(_) | Progress::Failed => None,
            ref other => Some(format!("{other:?}")),
        },
        // Refused or closed before it was planned: then nobody there is told.
        None => {
            let closed = left.reading.alerts.get(&book.0);
            let by_hand = matches!(
                closed,
                Some(Alert::Closed { how: Closing::Cancelled | Closing::Resolved, .. })
            );
            let refused = lanes.is_some_and(|lanes| lanes.targets() == 0);
            (!by_hand && !refused).then(|| "it was never planned".to_owned())
        }
    }
}
