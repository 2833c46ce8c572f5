//! Replay of a log in memory: the order, its limit, and what follows alive.

use std::sync::Arc;

use domain::ids::EntityName;
use event_log::{Class, EventLog, Record, memory::MemoryLog};
use futures::{FutureExt, StreamExt};

use crate::{
    filter::Filter,
    merge::{Merge, Met},
    replay::replay_of_log,
    testing::{alert, cancel, command, commit, true_already},
};

async fn append(log: &MemoryLog, record: Record) {
    log.append(vec![record]).await.unwrap();
}

/// Two alerts, one after the other, each with a command, its commit and a plan. The plans are
/// written first, and their clocks are right.
async fn filled() -> Arc<MemoryLog> {
    let log = Arc::new(MemoryLog::new());
    for (name, time) in [("a", 100), ("b", 200)] {
        let entity = EntityName::alert(alert(name));
        let told = EntityName::delivery(alert(name), "25126".parse().unwrap());
        let decided = commit(Class::Alert, &entity, 1, name, time + 1, true_already());
        let plan = commit(Class::Delivery, &told, 1, "x", time + 2, true_already());
        append(&log, plan).await;
        append(&log, command(name, &entity, time, cancel())).await;
        append(&log, decided).await;
    }
    log
}

async fn replayed(log: &Arc<MemoryLog>, filter: Filter, limit: usize) -> Vec<(u64, i64, String)> {
    let log = Arc::clone(log) as Arc<dyn EventLog>;
    let lines: Vec<_> = replay_of_log(log, filter, limit).collect().await;
    let shown = |line: crate::Line| (line.position, line.at.0, line.kind);
    lines.into_iter().map(|line| shown(line.unwrap())).collect()
}

#[tokio::test]
async fn a_log_is_replayed_by_the_times_of_its_records() {
    let log = filled().await;
    let times: Vec<_> = replayed(&log, Filter::default(), 100)
        .await
        .into_iter()
        .map(|(n, at, _)| (n, at))
        .collect();
    assert_eq!(times, [(1, 100), (2, 101), (3, 102), (4, 200), (5, 201), (6, 202)]);
    assert_eq!(replayed(&log, Filter::default(), 2).await.len(), 2);
    let of_b = Filter { alert: Some(alert("b")), ..Filter::default() };
    let of_b: Vec<_> = replayed(&log, of_b, 100).await.into_iter().map(|(n, ..)| n).collect();
    assert_eq!(of_b, [4, 5, 6]);
}

#[tokio::test]
async fn a_commit_whose_command_is_not_there_is_not_shown() {
    let log = filled().await;
    let entity = EntityName::alert(alert("c"));
    append(&log, commit(Class::Alert, &entity, 1, "lost", 0, true_already())).await;
    assert_eq!(replayed(&log, Filter::default(), 100).await.len(), 6);
    assert!(replayed(&Arc::default(), Filter::default(), 100).await.is_empty());
}

#[tokio::test]
async fn what_comes_after_the_end_is_followed_alive() {
    let log = filled().await;
    let mut merge = Merge::live(Arc::clone(&log) as Arc<dyn EventLog>, |_| None);
    for _ in 0..6 {
        assert!(matches!(merge.next(false).await, Met::Record(_)));
    }
    assert!(matches!(merge.next(false).await, Met::CaughtUp));
    assert!(merge.next(false).now_or_never().is_none());
    let entity = EntityName::alert(alert("c"));
    append(&log, command("c", &entity, 300, cancel())).await;
    append(&log, commit(Class::Alert, &entity, 1, "c", 300, true_already())).await;
    // Other classes wait while only commands are wanted.
    for class in [Class::Command, Class::Alert] {
        let Met::Record(reading) = merge.next(class == Class::Command).await else { panic!() };
        assert_eq!(reading.recorded.key.class, class);
        assert!(merge.next(true).now_or_never().is_none());
    }
}

#[tokio::test]
async fn a_cursor_of_another_log_begins_anew() {
    let log = filled().await;
    let cursor = event_log::follower::Cursor { position: 2, hash: [7; 32] };
    let from = move |class| (class == Class::Command).then_some(cursor);
    let mut merge = Merge::live(Arc::clone(&log) as Arc<dyn EventLog>, from);
    assert!(matches!(merge.next(false).await, Met::Anew(Class::Command)));
    for _ in 0..6 {
        assert!(matches!(merge.next(false).await, Met::Record(_)));
    }
}
