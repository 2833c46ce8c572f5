//! An append whose answer is lost, and which then meets its own success, is a success.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::{self, stream::LastRawMessageErrorKind};
use event_log::{
    log::{AppendError, At, Durable, EventLog},
    record::{Class, Record},
};
use event_log_nats::{NatsLog, NatsOptions, testing::NatsServer};

use crate::{
    severed::Wire,
    world::{
        all, assert_is, command, commit, commit_by, history, insist, key, open, options, soon,
        store, verified,
    },
};

/// Waits until the broker has something on this subject, as another client sees it.
async fn stands(context: &jetstream::Context, stream: &str, subject: &str) {
    let stream = context.get_stream(stream).await.expect("is there");
    soon(async {
        while let Err(error) = stream.get_last_raw_message_by_subject(subject).await {
            assert_eq!(error.kind(), LastRawMessageErrorKind::NoMessageFound, "{error}");
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn subject(record: &Record) -> String {
    match record.key.class {
        Class::Command => format!("keng.v1.*.command.*.*.{}", record.id),
        _ => format!("keng.v1.*.alert.*.*.{}", record.key.entity),
    }
}

/// Appends while the answer is lost: the broker has it all, and then the connection is cut.
async fn append_unheard(
    log: &Arc<NatsLog>,
    wire: &Wire,
    context: &jetstream::Context,
    records: &[Record],
) -> Result<event_log::log::Appended, AppendError> {
    let last = records.last().expect("some");
    wire.deafen_after(&last.open);
    let (appender, batch) = (Arc::clone(log), records.to_vec());
    let appending = tokio::spawn(async move { appender.append(batch).await });
    wire.deafened().await;
    let stream = if last.key.class == Class::Command { "CMD" } else { "ALERT" };
    stands(context, stream, &subject(last)).await;
    wire.cut();
    soon(appending).await.expect("no panic")
}

/// With the broker's memory of ids, or with none: then it sees only that a version is taken.
async fn a_lost_answer(window: Option<Duration>) {
    let server = NatsServer::start().await.expect("a server");
    let wire = Wire::to(&server.url()).await;
    let (mine, yours) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
    let through = NatsOptions { url: wire.url.clone(), ..options(&server, &mine) };
    let log = NatsLog::open(through).await.expect("opens");
    verified(&log).await;
    let client = async_nats::connect(server.url()).await.expect("connects");
    let context = jetstream::new(client);
    if let Some(window) = window {
        for name in ["CMD", "ALERT", "SEALED"] {
            let mut stream = context.get_stream(name).await.expect("is there");
            let mut config = stream.info().await.expect("is told").config.clone();
            config.duplicate_window = window;
            context.update_stream(config).await.expect("is set");
        }
    }

    store(&log, commit("alert-a", 1)).await;
    let single = [commit("alert-a", 2)];
    let batch = [commit("alert-a", 3), commit("alert-b", 1), commit("alert-a", 4)];
    for records in [&single[..], &batch] {
        let appended = append_unheard(&log, &wire, &context, records).await.expect("a success");
        assert_eq!(log.durable(appended.at, crate::world::WAIT).await, Durable::Stored);
        let last = records.last().expect("some");
        let there = history(&log, last.key.entity.as_str()).await;
        let position = there.last().expect("is there").position;
        assert_eq!((appended.at.position, appended.at.id), (position, last.id));
    }
    let asked = command("asked");
    let appended = append_unheard(&log, &wire, &context, std::slice::from_ref(&asked)).await;
    // Either is true: the broker was asked again in time, or the command is on its way.
    let at = At { position: At::UNPLACED, ..appended.expect("is taken").at };
    assert_eq!(log.durable(at, crate::world::WAIT).await, Durable::Stored);

    // Nothing was lost, doubled, or taken for another's; and the next decision finds its place.
    insist(&log, vec![commit("alert-a", 5)]).await;
    let another = open(&server, &yours).await;
    verified(&another).await;
    let taken = soon(another.append(vec![commit_by("you", "alert-a", 5)])).await;
    assert!(matches!(taken, Err(AppendError::Conflict(_))), "{taken:?}");
    let there = soon(another.load(&key(Class::Alert, "alert-a"), None)).await.expect("is read");
    assert_eq!(there.len(), 5);
    for (version, recorded) in (1..).zip(&there) {
        assert_is(recorded, &commit("alert-a", version));
    }
    assert_eq!(all(&another, Class::Alert).await.len(), 6);
    let commands = all(&another, Class::Command).await;
    assert_eq!(commands.len(), 1);
    assert_is(&commands[0], &asked);
    log.close().await;
    another.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_remembers_the_id_names_a_duplicate() {
    a_lost_answer(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_has_forgotten_the_id_names_a_conflict() {
    a_lost_answer(Some(Duration::from_millis(100))).await;
}
