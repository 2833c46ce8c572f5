//! The audit over the log in memory and the embedded one: order, restart, duplicates, a broken
//! chain, filters, routes, the tree, witnesses and time stamps.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

mod court;
mod routes;
mod stage;
mod timestamps;
mod tree;
mod witnesses;

use std::{collections::HashMap, sync::Arc};

use audit::{Audit, OpenError};
use domain::ids::RecordId;
use event_log::{Class, memory::MemoryLog};
use event_log_embedded::{EmbeddedLog, EmbeddedOptions};
use history::{Asked, Filter};
use journal::{Journal, Options};
use prost::Message;
use stage::{Stage, alert, append, case, command, commit, name};

/// The ids of the lines, in order.
fn shown(audit: &Audit, filter: Filter) -> Vec<String> {
    let lines = audit.replay(Asked { filter, after: 0 });
    lines.map(|line| line.unwrap().id).collect()
}

fn all(audit: &Audit) -> Vec<String> {
    shown(audit, Filter::default())
}

#[tokio::test]
async fn every_record_is_kept_in_order_and_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new());
    append(&*log, &case("a", 100)).await;
    let stage = Stage::begin(log.clone(), dir.path());
    stage.caught_up().await;
    stage.holds(4).await;
    append(&*log, &case("b", 200)).await;
    stage.holds(8).await;
    let before = all(&stage.audit);
    assert_eq!(before.len(), 8);
    let decided = commit(Class::Alert, &name("a"), 1, "a", 101);
    assert_eq!(stage.audit.position_of(decided.id), Some(2));
    assert_eq!(stage.audit.position_of(RecordId::of_purpose("nobody")), None);
    stage.end().await;

    // Nothing but the journal is needed to go on.
    append(&*log, &case("c", 300)).await;
    let stage = Stage::begin(log.clone(), dir.path());
    stage.holds(12).await;
    let after = all(&stage.audit);
    assert_eq!((&after[..8], after.len()), (&before[..], 12));
    assert_eq!(stage.audit.position_of(decided.id), Some(2));
    let of_b = Filter { alert: Some(alert("b")), ..Filter::default() };
    assert_eq!(shown(&stage.audit, of_b), before[4..]);
    let later = Asked { after: 8, ..Asked::default() };
    let positions: Vec<u64> =
        stage.audit.replay(later).map(|line| line.unwrap().position).collect();
    assert_eq!(positions, [9, 10, 11, 12]);
    stage.end().await;
}

#[tokio::test]
async fn nothing_is_copied_before_it_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new());
    let stage = Stage::begin(log.clone(), dir.path());
    stage.caught_up().await;
    log.hold_durability();
    append(&*log, &case("a", 100)).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(*stage.audit.subscribe().borrow(), 0);
    log.make_durable_up_to(4);
    stage.holds(4).await;
    stage.end().await;
}

#[tokio::test]
async fn a_commit_waits_for_its_command_and_others_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new());
    let early = commit(Class::Alert, &name("early"), 1, "early", 10);
    append(&*log, std::slice::from_ref(&early)).await;
    append(&*log, &case("a", 100)).await;
    let stage = Stage::begin(log.clone(), dir.path());
    stage.caught_up().await;
    stage.holds(4).await;
    assert_eq!(stage.audit.position_of(early.id), None);
    stage.end().await;

    // It is still remembered after a restart, though later ones of its class have their places.
    let stage = Stage::begin(log.clone(), dir.path());
    stage.caught_up().await;
    append(&*log, &[command("early", 5)]).await;
    stage.holds(6).await;
    assert_eq!(stage.audit.position_of(early.id), Some(6));
    assert_eq!(all(&stage.audit).len(), 6);
    stage.end().await;
}

#[tokio::test]
async fn a_log_that_is_another_is_read_again_and_each_record_kept_once() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new());
    append(&*log, &case("a", 100)).await;
    let stage = Stage::begin(log, dir.path());
    stage.holds(4).await;
    let before = all(&stage.audit);
    stage.end().await;

    // As after a broker lost its tail and got it back in another order.
    let healed = Arc::new(MemoryLog::new());
    append(&*healed, &case("b", 50)).await;
    append(&*healed, &case("a", 100)).await;
    let stage = Stage::begin(healed.clone(), dir.path());
    stage.caught_up().await;
    stage.holds(8).await;
    let after = all(&stage.audit);
    assert_eq!((&after[..4], after.len()), (&before[..], 8));
    append(&*healed, &case("c", 300)).await;
    stage.holds(12).await;
    stage.end().await;
}

#[tokio::test]
async fn a_changed_entry_is_found_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new());
    append(&*log, &case("a", 100)).await;
    let stage = Stage::begin(log.clone(), dir.path());
    stage.holds(4).await;
    stage.end().await;

    let journal = Journal::open(&dir.path().join("audit"), Options::default()).unwrap().0;
    let mut entries = journal.read_from(0, 10, 1 << 20).unwrap();
    journal.cut(0).unwrap();
    let mut second = wire::v1::AuditEntry::decode(entries[1].clone()).unwrap();
    second.record.as_mut().unwrap().commune = "00001".to_owned();
    entries[1] = second.encode_to_vec().into();
    journal.append_all(entries).unwrap();
    journal.close().await;

    let refused = Stage::try_begin(log, dir.path());
    assert!(matches!(refused, Err(OpenError::ChainBroken { position: 3 })), "the one behind it");
}

#[tokio::test]
async fn what_is_no_entry_does_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(&dir.path().join("audit"), Options::default()).unwrap().0;
    journal.append(bytes::Bytes::from_static(b"\xffsomething else")).unwrap();
    journal.close().await;
    let refused = Stage::try_begin(Arc::new(MemoryLog::new()), dir.path());
    assert!(matches!(refused, Err(OpenError::NotAnEntry { position: 1, .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_log_is_followed_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let open = || EmbeddedLog::open(&dir.path().join("log"), EmbeddedOptions::default()).unwrap();
    let mut wanted = 0;
    for round in 0..3_i64 {
        let log = open();
        let stage = Stage::begin(log.clone(), dir.path());
        for n in 0..20_i64 {
            append(&*log, &case(&format!("{round}/{n}"), 100 * (20 * round + n))).await;
            wanted += 4;
        }
        stage.holds(wanted).await;
        // Whatever the threads do, an alert's records stand in the order of their causes.
        let mut of_alert: HashMap<String, Vec<i64>> = HashMap::new();
        for line in stage.audit.replay(Asked::default()).map(Result::unwrap) {
            let alert = line.entity.split_once('-').unwrap().1[..36].to_owned();
            of_alert.entry(alert).or_default().push(line.at.0);
        }
        assert_eq!(of_alert.len() as u64 * 4, wanted);
        assert!(of_alert.values().all(|times| times.is_sorted()), "{of_alert:?}");
        stage.end().await;
        log.close().await;
    }
}

#[tokio::test]
async fn an_audit_that_stops_is_said_and_nothing_else_stops() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new());
    let stage = Stage::begin(log, dir.path());
    stage.caught_up().await;
    audit::say_stopped(&stage.host, &"a test");
    assert_eq!(stage.host.health.banners().len(), 1);
    assert!(stage.host.health.readiness().ready, "alerts go on");
    stage.end().await;
}
