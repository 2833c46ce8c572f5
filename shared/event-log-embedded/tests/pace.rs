//! Decisions run ahead of the disk: command, decision and plan share one sync, and no door opens
//! before it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use domain::ids::{Home, RecordId};
use event_log::{Class, Durable, EventLog, Following, Key, Kind, Record, Role, Step, log::At};
use event_log_embedded::{EmbeddedLog, EmbeddedOptions};
use tokio::sync::mpsc;

/// Longer than any test: a sync begins because the reactors are at the head, or never.
const HOLD: Duration = Duration::from_secs(600);
const PATIENCE: Duration = Duration::from_secs(30);

fn open(dir: &Path) -> Arc<EmbeddedLog> {
    let options = EmbeddedOptions { hold: HOLD, segment_bytes: 64 << 10, ..Default::default() };
    EmbeddedLog::open(dir, options).unwrap()
}

fn record(class: Class, entity: &str) -> Record {
    let command = class == Class::Command;
    Record {
        id: RecordId::of_purpose(&format!("{class:?} {entity}")),
        key: Key { class, home: Home::NATION, entity: entity.parse().unwrap() },
        kind: if command { Kind::Command } else { Kind::Commit { version: 1 } },
        open: Bytes::from_static(b"open"),
        // Decisions and plans seal nothing: what is sealed came with the command.
        sealed: command.then(|| Bytes::from_static(b"sealed")),
        signature: None,
    }
}

/// Answers each record of `class` with one of class `answer`, and tells where that stands.
async fn react(
    log: Arc<EmbeddedLog>,
    name: &'static str,
    class: Class,
    answer: Option<Class>,
    told: mpsc::UnboundedSender<Option<At>>,
) {
    let following = Following { class, role: Role::Reactor(name), from: None };
    let mut follower = log.follow(following).await.unwrap();
    while let Ok(step) = follower.next().await {
        let at = match (step, answer) {
            (Step::Record(recorded), Some(answer)) => {
                let entity = format!("{answer:?}-to-{}", recorded.position);
                Some(log.append(vec![record(answer, &entity)]).await.unwrap().at)
            }
            _ => None,
        };
        told.send(at).unwrap();
    }
}

/// One thread: when the test goes on, each reactor waits at the head.
#[tokio::test]
async fn command_decision_and_plan_share_one_sync() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let (sender, mut alerting) = mpsc::unbounded_channel();
    tokio::spawn(react(log.clone(), "alerting", Class::Command, Some(Class::Alert), sender));
    let (sender, mut fan_out) = mpsc::unbounded_channel();
    tokio::spawn(react(log.clone(), "fan-out", Class::Alert, Some(Class::Delivery), sender));
    assert_eq!((alerting.recv().await, fan_out.recv().await), (Some(None), Some(None)));

    for round in 1..=3 {
        let command = record(Class::Command, &format!("alert-{round}"));
        let command = log.append(vec![command]).await.unwrap().at;
        let decision = alerting.recv().await.flatten().unwrap();
        let plan = fan_out.recv().await.flatten().unwrap();
        assert_eq!(
            [command, decision, plan].map(|at| at.position),
            [3 * round - 2, 3 * round - 1, 3 * round]
        );
        for at in [command, decision, plan] {
            assert_eq!(log.durable(at, PATIENCE).await, Durable::Stored);
        }
        let syncs = log.syncs();
        assert_eq!((syncs.log, syncs.sealed), (round, round));
    }
    log.close().await;
}

#[tokio::test]
async fn no_door_opens_before_the_sync() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let following = Following { class: Class::Delivery, role: Role::Reactor("busy"), from: None };
    let mut busy = log.follow(following).await.unwrap();
    let at = log.append(vec![record(Class::Command, "alert-a")]).await.unwrap().at;
    let little = Duration::from_millis(20);
    assert_eq!(log.durable(at, little).await, Durable::Unknown, "a reactor is not at the head");
    assert_eq!(log.syncs().log, 0);

    // It passes over what is of another class: that counts as having seen it.
    let asking = tokio::spawn(async move {
        assert!(matches!(busy.next().await, Ok(Step::CaughtUp)));
        busy.next().await
    });
    assert_eq!(log.durable(at, PATIENCE).await, Durable::Stored);
    let nowhere = At { position: at.position + 1, ..at };
    assert_eq!(log.durable(nowhere, PATIENCE).await, Durable::Unknown, "there is no such record");
    log.close().await;
    assert!(asking.await.unwrap().is_err(), "closing ends the followers");
    assert!(log.append(vec![record(Class::Command, "alert-b")]).await.is_err());
}

#[tokio::test]
async fn without_reactors_a_sync_begins_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let following = Following { class: Class::Command, role: Role::Reactor("gone"), from: None };
    let gone = log.follow(following).await.unwrap();
    let first = log.append(vec![record(Class::Command, "alert-a")]).await.unwrap().at;
    drop(gone);
    assert_eq!(log.durable(first, PATIENCE).await, Durable::Stored, "nobody is waited for");
    let second = log.append(vec![record(Class::Command, "alert-b")]).await.unwrap().at;
    assert_eq!(log.durable(second, PATIENCE).await, Durable::Stored);
    log.close().await;
}
