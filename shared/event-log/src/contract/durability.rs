//! Cases: a door opens only before what survives.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{
    Ending, Subject, WAIT, assert_all_same, assert_stored, command, commit, commits, load, sealed,
    soon, step, store,
};
use crate::{
    follower::{Following, Role, Step},
    log::{Durable, EventLog},
    record::{Class, Record},
};

/// Appends one record after another and reports each when it is stored. Ends with the log, which
/// is killed under it.
async fn write(writer: usize, log: Arc<dyn EventLog>, stored: mpsc::UnboundedSender<Record>) {
    for number in 0_u32.. {
        let record = match number % 2 {
            0 => command(&format!("ask {writer} {number}")),
            _ => sealed(commit(Class::Alert, &format!("alert-{writer}-{number}"), 1)),
        };
        let Ok(appended) = log.append(vec![record.clone()]).await else { return };
        if log.durable(appended.at, WAIT).await != Durable::Stored || stored.send(record).is_err() {
            return;
        }
    }
}

/// `durable` never says `Stored` of what would not survive: the storage is killed while it is
/// written to, and all that was said to be stored is there, with its sealed part.
pub async fn what_is_durable_survives_being_killed(subject: &mut impl Subject) {
    let (sender, mut stored) = mpsc::unbounded_channel();
    let mut writers = Vec::new();
    for writer in 0..3 {
        writers.push(tokio::spawn(write(writer, subject.open().await, sender.clone())));
    }
    let mut promised = Vec::new();
    while promised.len() < 30 {
        promised.push(soon(stored.recv()).await.expect("the writer goes on"));
    }
    subject.restart(Ending::Killed).await;
    for writer in writers {
        writer.abort();
        let _ = writer.await;
    }
    let log = subject.open().await;
    for record in &promised {
        assert_all_same(&load(&*log, record).await, std::slice::from_ref(record));
    }
    let following = Following { class: Class::Command, role: Role::Projection, from: None };
    let mut commands = soon(log.follow(following)).await.expect("follows");
    let mut met = Vec::new();
    while let Step::Record(recorded) = step(&mut commands).await {
        met.push(recorded.id);
    }
    let of_commands = promised.iter().filter(|record| record.key.class == Class::Command);
    assert!(of_commands.into_iter().all(|record| met.contains(&record.id)));
    let again = commit(Class::Alert, "alert-after", 1);
    store(&*log, vec![again]).await;
}

/// Waiting for a record waits for everything before it in its class.
pub async fn waiting_for_durability_covers_what_came_before(subject: &mut impl Subject) {
    let log = subject.open().await;
    let records = commits("alert-a", 50);
    let mut last = None;
    for record in records.clone() {
        let record = sealed(record);
        last = Some(soon(log.append(vec![record])).await.expect("is appended").at);
    }
    assert_stored(&*log, last.expect("there were some")).await;
    drop(log);
    subject.restart(Ending::Killed).await;
    let log = subject.open().await;
    let expected: Vec<Record> = records.into_iter().map(sealed).collect();
    assert_all_same(&load(&*log, &expected[0]).await, &expected);
}
