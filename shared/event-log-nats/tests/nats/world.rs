//! What the tests share: records, a log on a server, and waits with a bound.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use domain::ids::{Home, RecordId};
use event_log::{
    follower::{Follower, Following, Role, Step},
    log::{AppendError, Durable, EventLog},
    record::{Class, Key, Kind, Record, Recorded, Seal},
};
use event_log_nats::{NatsLog, NatsOptions, Trust, testing::NatsServer};
use tempfile::TempDir;

pub(crate) const WAIT: Duration = Duration::from_secs(60);

pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(WAIT, what).await.expect("comes in time")
}

pub(crate) fn options(server: &NatsServer, data: &TempDir) -> NatsOptions {
    let mut options = NatsOptions::new(server.url(), data.path(), "test");
    options.monitor = Some(server.monitor_url());
    options.retry_every = Duration::from_millis(100);
    options.compare_every = Duration::from_millis(200);
    options.gap_patience = Duration::from_secs(2);
    options
}

pub(crate) async fn open(server: &NatsServer, data: &TempDir) -> Arc<NatsLog> {
    NatsLog::open(options(server, data)).await.expect("opens")
}

pub(crate) async fn verified(log: &NatsLog) {
    soon(log.trust().wait_for(|trust| *trust == Trust::Verified)).await.expect("is open");
}

pub(crate) async fn away(log: &NatsLog) {
    soon(log.trust().wait_for(|trust| *trust == Trust::Away)).await.expect("is open");
}

pub(crate) fn key(class: Class, entity: &str) -> Key {
    Key { class, home: Home::NATION, entity: entity.parse().expect("a name") }
}

pub(crate) fn commit_by(who: &str, entity: &str, version: u64) -> Record {
    let name = format!("{who}/{entity}/{version}");
    Record {
        id: RecordId::of_purpose(&name),
        key: key(Class::Alert, entity),
        kind: Kind::Commit { version },
        open: Bytes::from(format!("open of {name}")),
        sealed: Some(Bytes::from(format!("sealed of {name}"))),
        signature: None,
    }
}

pub(crate) fn commit(entity: &str, version: u64) -> Record {
    commit_by("me", entity, version)
}

pub(crate) fn command(name: &str) -> Record {
    Record {
        id: RecordId::of_purpose(name),
        key: key(Class::Command, "alert-of-a-command"),
        kind: Kind::Command,
        open: Bytes::from(format!("open of {name}")),
        sealed: Some(Bytes::from(format!("sealed of {name}"))),
        signature: None,
    }
}

pub(crate) async fn store(log: &NatsLog, record: Record) {
    let appended = soon(log.append(vec![record])).await.expect("is appended");
    assert_eq!(log.durable(appended.at, WAIT).await, Durable::Stored);
}

/// Appends until it is told what became of it, as callers do.
pub(crate) async fn insist(log: &NatsLog, records: Vec<Record>) {
    soon(async {
        while let Err(error) = log.append(records.clone()).await {
            assert!(matches!(error, AppendError::Unavailable(_)), "{error}");
        }
    })
    .await;
}

pub(crate) async fn history(log: &NatsLog, entity: &str) -> Vec<Arc<Recorded>> {
    soon(async {
        loop {
            if let Ok(history) = log.load(&key(Class::Alert, entity), None).await {
                return history;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

pub(crate) async fn project(log: &NatsLog, class: Class) -> Follower {
    let following = Following { class, role: Role::Projection, from: None };
    soon(log.follow(following)).await.expect("follows")
}

pub(crate) async fn next(follower: &mut Follower) -> Arc<Recorded> {
    loop {
        if let Step::Record(recorded) = soon(follower.next()).await.expect("a step") {
            return recorded;
        }
    }
}

pub(crate) async fn take(follower: &mut Follower, count: usize) -> Vec<Arc<Recorded>> {
    let mut taken = Vec::new();
    while taken.len() < count {
        taken.push(next(follower).await);
    }
    taken
}

/// Everything of a class up to its end as it is now.
pub(crate) async fn all(log: &NatsLog, class: Class) -> Vec<Arc<Recorded>> {
    let mut follower = project(log, class).await;
    let mut all = Vec::new();
    loop {
        match soon(follower.next()).await.expect("a step") {
            Step::Record(recorded) => all.push(recorded),
            Step::CaughtUp => return all,
        }
    }
}

#[track_caller]
pub(crate) fn assert_is(recorded: &Recorded, record: &Record) {
    assert_eq!((recorded.id, &recorded.open), (record.id, &record.open));
    assert_eq!(recorded.seal, record.sealed.clone().map_or(Seal::None, Seal::Here));
}
