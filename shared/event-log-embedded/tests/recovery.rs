//! What is cut at the opening, what is missing and stays so, and what does not open at all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

use std::{fs, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use domain::ids::{Home, RecordId};
use event_log::{
    Class, Durable, EventLog, Following, Key, Kind, Record, Recorded, Role, Seal, Step,
};
use event_log_embedded::{EmbeddedLog, EmbeddedOptions, OpenError};
use journal::{Journal, Options};

const PATIENCE: Duration = Duration::from_secs(30);
const SEGMENT_BYTES: u64 = 64 << 10;

fn try_open(dir: &Path) -> Result<Arc<EmbeddedLog>, OpenError> {
    EmbeddedLog::open(dir, EmbeddedOptions { segment_bytes: SEGMENT_BYTES, ..Default::default() })
}

fn open_journal(dir: &Path) -> Journal {
    let options = Options { segment_bytes: SEGMENT_BYTES, ..Options::default() };
    Journal::open(dir, options).unwrap().0
}

fn commit(version: u64, sealed: bool) -> Record {
    Record {
        id: RecordId::of_purpose(&version.to_string()),
        key: Key { class: Class::Alert, home: Home::NATION, entity: "alert-a".parse().unwrap() },
        kind: Kind::Commit { version },
        open: Bytes::from(format!("open {version}")),
        sealed: sealed.then(|| Bytes::from(format!("sealed {version}"))),
        signature: None,
    }
}

/// A log with these batches, closed.
async fn filled(dir: &Path, batches: Vec<Vec<Record>>) {
    let log = try_open(dir).unwrap();
    for batch in batches {
        let at = log.append(batch).await.unwrap().at;
        assert_eq!(log.durable(at, PATIENCE).await, Durable::Stored);
    }
    log.close().await;
}

async fn loaded(log: &EmbeddedLog) -> Vec<Arc<Recorded>> {
    log.load(&commit(1, false).key, None).await.unwrap()
}

#[tokio::test]
async fn a_suffix_whose_sealed_parts_never_arrived_is_cut_with_its_batch() {
    let dir = tempfile::tempdir().unwrap();
    let batches = vec![
        vec![commit(1, true), commit(2, false)],
        vec![commit(3, false)],
        vec![commit(4, false), commit(5, true), commit(6, true)],
        vec![commit(7, false)],
    ];
    filled(dir.path(), batches).await;
    // The power fails after the sync of the records and before that of the sealed parts.
    let sealed = open_journal(&dir.path().join("sealed"));
    sealed.cut(1).unwrap();
    sealed.close().await;

    let log = try_open(dir.path()).unwrap();
    assert_eq!(log.head(), 3);
    let left = loaded(&log).await;
    assert_eq!(left.len(), 3);
    assert_eq!(left[0].seal, Seal::Here(Bytes::from_static(b"sealed 1")));
    let again = vec![commit(4, true), commit(5, true)];
    let at = log.append(again).await.unwrap().at;
    assert_eq!((at.position, log.durable(at, PATIENCE).await), (5, Durable::Stored));
    log.close().await;
    let left = loaded(&try_open(dir.path()).unwrap()).await;
    assert_eq!(left.len(), 5);
    assert_eq!(left[4].seal, Seal::Here(Bytes::from_static(b"sealed 5")));
}

#[tokio::test]
async fn a_sealed_part_missing_before_others_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), vec![vec![commit(1, true)], vec![commit(2, true)]]).await;
    let journal = dir.path().join("sealed");
    let sealed = open_journal(&journal);
    let second = sealed.read(1).unwrap();
    sealed.cut(0).unwrap();
    let entry = sealed.append(second).unwrap();
    sealed.durable(entry).await.unwrap();
    sealed.close().await;

    let log = try_open(dir.path()).unwrap();
    let there = loaded(&log).await;
    assert_eq!(there[0].seal, Seal::Missing);
    assert_eq!(there[1].seal, Seal::Here(Bytes::from_static(b"sealed 2")));
    log.close().await;
}

#[tokio::test]
async fn a_log_without_its_sealed_directory_does_not_open() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), vec![vec![commit(1, true)]]).await;
    fs::remove_dir_all(dir.path().join("sealed")).unwrap();
    assert!(matches!(try_open(dir.path()), Err(OpenError::SealedGone { records: 1, .. })));
    assert!(matches!(try_open(dir.path()), Err(OpenError::SealedGone { .. })), "and stays so");
}

#[tokio::test]
async fn an_entry_that_is_none_of_ours_does_not_open() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), vec![vec![commit(1, true)]]).await;
    let log = open_journal(&dir.path().join("log"));
    let entry = log.append(Bytes::from_static(b"\xffsomething else")).unwrap();
    log.durable(entry).await.unwrap();
    log.close().await;
    let refused = try_open(dir.path());
    assert!(matches!(refused, Err(OpenError::NotAnEntry { position: 2, journal: "log", .. })));
}

#[tokio::test]
async fn one_process_holds_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let log = try_open(dir.path()).unwrap();
    assert!(matches!(try_open(dir.path()), Err(OpenError::Journal { .. })));
    log.close().await;
    try_open(dir.path()).unwrap();
}

async fn first_seen(log: &EmbeddedLog) -> u64 {
    let role = Role::Reactor("reader");
    let mut reactor =
        log.follow(Following { class: Class::Alert, role, from: None }).await.unwrap();
    loop {
        if let Step::Record(recorded) = reactor.next().await.unwrap() {
            reactor.acknowledge(recorded.position);
            return recorded.position;
        }
    }
}

#[tokio::test]
async fn a_reactors_place_is_kept_and_rebuilt_where_it_does_not_fit() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), vec![vec![commit(1, false), commit(2, false), commit(3, false)]]).await;
    for expected in 1..=3 {
        let log = try_open(dir.path()).unwrap();
        assert_eq!(first_seen(&log).await, expected);
        log.close().await;
    }
    let places = dir.path().join("places");
    let kept = fs::read_to_string(&places).unwrap();
    assert!(kept.starts_with("reader\talert\t3\t"), "{kept}");

    fs::write(&places, kept.replace("alert\t3", "alert\t2")).unwrap();
    let log = try_open(dir.path()).unwrap();
    assert_eq!(first_seen(&log).await, 1, "the hash is of another record");
    log.close().await;
    fs::remove_file(&places).unwrap();
    assert_eq!(first_seen(&try_open(dir.path()).unwrap()).await, 1, "a cache may be deleted");
}

/// Followers and `load` behind the tail read the journals: more than the tail holds, mixed with
/// another class.
#[tokio::test]
async fn what_the_tail_no_longer_holds_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let log = try_open(dir.path()).unwrap();
    let body = Bytes::from(vec![b'x'; 50_000]);
    let last = 400;
    let mut at = None;
    for version in 1..=last {
        let record = Record { open: body.clone(), ..commit(version, version % 3 == 0) };
        let mut other = commit(version, false);
        other.key.class = Class::News;
        log.append(vec![other]).await.unwrap();
        at = Some(log.append(vec![record]).await.unwrap().at);
    }
    assert_eq!(log.durable(at.unwrap(), PATIENCE).await, Durable::Stored);
    let role = Role::Projection;
    let mut projection =
        log.follow(Following { class: Class::Alert, role, from: None }).await.unwrap();
    for version in 1..=last {
        let Ok(Step::Record(recorded)) = projection.next().await else { panic!("a record") };
        let expected = commit(version, version % 3 == 0);
        assert_eq!((recorded.id, &recorded.open), (expected.id, &body));
        assert_eq!(recorded.seal.bytes(), expected.sealed.as_ref());
    }
    assert!(matches!(projection.next().await, Ok(Step::CaughtUp)));
    assert_eq!(loaded(&log).await.len(), 400);
    // Long gone from memory, and still known to be a repeat.
    let again = Record { open: body, ..commit(1, false) };
    assert_eq!(log.append(vec![again]).await.unwrap().at.position, 2);
    log.close().await;
}
