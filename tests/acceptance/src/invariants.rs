//! What must hold at the end of every story, whatever it tells.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use domain::{delivery::delivery_id, ids::RecordId};
use event_log::{Class, Kind};
use standardwebhooks::Webhook;
use support::Call;

use crate::{asked::NAME, group::path_of, timeline::Timeline};

/// Checks them all.
///
/// # Errors
/// One does not hold.
pub fn check(timeline: &Timeline) -> Result<()> {
    each_command_has_one_commit(timeline)?;
    versions_are_whole(timeline)?;
    for (group, wanted) in &timeline.groups {
        let calls = timeline.calls_to(group);
        for call in &calls {
            signed(call, &wanted.secret()).with_context(|| format!("a call to {group}"))?;
            ensure!(!String::from_utf8_lossy(&call.body).contains(NAME), "{group}: {call:?}");
        }
        in_order(&calls).with_context(|| format!("the calls to {group}"))?;
    }
    let known: Vec<String> = timeline.groups.keys().map(|group| path_of(group)).collect();
    for call in timeline.calls() {
        ensure!(known.contains(&call.path), "somebody unknown was told: {call:?}");
    }
    nobody_was_told_without_a_plan(timeline)
}

/// Every command ends in exactly one commit, refusals included.
fn each_command_has_one_commit(timeline: &Timeline) -> Result<()> {
    let ledger = timeline.read()?;
    let wrong: Vec<(&RecordId, &usize)> =
        ledger.commits().iter().filter(|(_, commits)| **commits != 1).collect();
    ensure!(wrong.is_empty(), "commands without exactly one commit: {wrong:?}");
    Ok(())
}

/// An entity's versions are 1, 2, 3, …, and every command stands under an id of its own.
fn versions_are_whole(timeline: &Timeline) -> Result<()> {
    let mut versions: BTreeMap<(Class, String), u64> = BTreeMap::new();
    for recorded in timeline.log.records() {
        let Kind::Commit { version } = recorded.kind else { continue };
        let entity = (recorded.key.class, recorded.key.entity.as_str().to_owned());
        let last = versions.entry(entity).or_default();
        *last += 1;
        ensure!(*last == version, "{} has no version {last}", recorded.key.entity);
    }
    Ok(())
}

/// Signed by Standard Webhooks with the group's secret. The time that is signed is the virtual
/// one, so that it is not compared with now.
fn signed(call: &Call, secret: &str) -> Result<()> {
    let time_s: i64 = call.header("webhook-timestamp").parse()?;
    let wanted = Webhook::new(secret)?.sign(call.id(), time_s, &call.body)?;
    ensure!(call.header("webhook-signature") == wanted, "another signature: {:?}", call.headers);
    let told = call.json();
    let id = told.pointer("/data/delivery/id").and_then(|id| id.as_str());
    ensure!(id == Some(call.id()), "another delivery: {told}");
    Ok(())
}

/// Within an alert revisions never go back: a cancel neither overtakes nor is overtaken. Every
/// retry of a delivery has the bytes of the first attempt.
fn in_order(calls: &[Call]) -> Result<()> {
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    let mut bodies: BTreeMap<&str, &[u8]> = BTreeMap::new();
    for call in calls {
        let told = call.json();
        let alert = told.pointer("/data/alert/id").and_then(|id| id.as_str()).context("an id")?;
        let revision = told.pointer("/data/alert/revision").and_then(|it| it.as_u64());
        let revision = revision.context("a revision")?;
        let before = last.insert(alert.to_owned(), revision).unwrap_or_default();
        ensure!(before <= revision, "revision {revision} of {alert} came after {before}");
        let first = bodies.entry(call.id()).or_insert(&call.body);
        ensure!(*first == &*call.body, "a retry says something else: {told}");
    }
    Ok(())
}

/// Every call is one that the log intended, of a delivery that has its receipts.
fn nobody_was_told_without_a_plan(timeline: &Timeline) -> Result<()> {
    let ledger = timeline.read()?;
    let mut planned: BTreeMap<String, u32> = BTreeMap::new();
    for ((alert, _), lanes) in ledger.lanes() {
        for (target, delivery) in lanes.iter() {
            planned.insert(delivery_id(*alert, delivery.revision, target), delivery.attempts);
        }
    }
    let mut called: BTreeMap<String, u32> = BTreeMap::new();
    for call in timeline.calls() {
        *called.entry(call.id().to_owned()).or_default() += 1;
    }
    for (id, calls) in called {
        let attempts = planned.get(&id).with_context(|| format!("{id} was never planned"))?;
        ensure!(calls <= *attempts, "{id} has {attempts} receipts and {calls} calls");
    }
    Ok(())
}
