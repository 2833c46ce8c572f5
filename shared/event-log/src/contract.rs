//! The contract suite: what every log must do, told once and run on each.
//!
//! An adapter implements [`Subject`] for its tests and writes, in a test binary of its own,
//! `event_log::contract_tests!(make_subject);` where `make_subject` is an `async fn() -> impl
//! Subject` that begins with an empty storage. Each case becomes a `#[tokio::test]`.
//! No case sleeps: each waits for what must come, at most [`WAIT`], and shows that something
//! does not come again by what comes instead.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use domain::ids::{EntityName, Home, RecordId};
use futures::future::BoxFuture;

use crate::{
    follower::{Cursor, Follower, Following, Role, Step},
    log::{Appended, At, Durable, EventLog},
    record::{Class, Key, Kind, Position, Record, Recorded, Seal},
};

mod appending;
mod durability;
mod erasing;
mod following;
mod reactors;
mod refusing;

pub use self::{appending::*, durability::*, erasing::*, following::*, reactors::*, refusing::*};

/// The longest that a case waits for something that must come.
pub const WAIT: Duration = Duration::from_secs(30);

/// A storage on which logs are opened: what an adapter puts under test.
pub trait Subject: Send {
    /// Opens a log on the storage. Called twice without a restart between, it gives what two
    /// processes at the same storage would have: two clients of one broker, or, where one
    /// process alone may hold the storage, the same log again.
    fn open(&mut self) -> BoxFuture<'_, Arc<dyn EventLog>>;

    /// Ends whatever holds the storage and starts it again. Logs opened before are of no further
    /// use (and the cases have let go of them, or do not care); the next `open` works on what
    /// has survived.
    fn restart(&mut self, ending: Ending) -> BoxFuture<'_, ()>;
}

/// How a storage's holder ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// In order: closed, and all that was appended is on disk.
    Closed,
    /// As by SIGKILL or a power cut, with no warning: what was not yet durable may be gone.
    Killed,
}

/// Makes a `#[tokio::test]` of each case. The argument is the path of an
/// `async fn() -> impl Subject` whose storage is empty and its own.
#[macro_export]
macro_rules! contract_tests {
    ($make:path) => {
        $crate::contract_tests! { $make:
            // appending
            what_was_appended_is_there_after_reopening,
            loading_what_is_not_there_gives_nothing,
            a_command_is_loaded_by_its_id,
            a_taken_version_is_a_conflict_and_nothing_of_the_batch_is_appended,
            a_conflict_leaves_what_it_repeats_whole,
            a_version_ahead_of_its_entity_is_a_conflict,
            of_two_writers_exactly_one_wins,
            a_batch_may_hold_several_versions_and_entities,
            a_repeated_command_is_answered_by_the_first,
            a_repeated_command_is_answered_by_the_first_after_reopening,
            a_repeated_batch_of_commits_counts_as_appended,
            // refusing
            a_record_too_long_is_refused,
            a_batch_too_long_is_refused,
            the_longest_record_and_the_longest_batch_are_taken,
            an_empty_batch_is_refused,
            a_class_that_does_not_fit_its_kind_is_refused,
            records_of_mixed_class_are_refused,
            // durability
            what_is_durable_survives_being_killed,
            waiting_for_durability_covers_what_came_before,
            // erasing
            what_was_erased_is_gone_and_nothing_else,
            no_sealed_part_is_taken_after_an_erasure,
            an_erasure_survives_being_killed,
            // following
            a_follower_sees_its_class_in_order,
            an_empty_class_is_caught_up_at_once,
            caught_up_comes_exactly_once,
            following_resumes_from_a_cursor,
            a_cursor_survives_a_restart,
            a_cursor_with_another_hash_does_not_fit,
            a_cursor_past_the_end_does_not_fit,
            projections_each_see_everything,
            the_sealed_part_comes_with_its_record,
            bytes_that_cannot_be_decoded_pass_unharmed,
            a_signature_stays_beside_its_command,
            dropping_the_wait_for_a_step_loses_nothing,
            // reactors
            two_instances_share_one_place,
            reactors_of_different_names_each_see_everything,
            what_was_given_back_comes_again,
            what_a_dropped_instance_left_comes_again,
            what_was_not_acknowledged_comes_again_after_a_restart,
            what_was_acknowledged_does_not_come_again,
            a_reactor_is_told_once_that_it_has_caught_up,
        }
    };
    ($make:path: $($case:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let mut subject = $make().await;
                $crate::contract::$case(&mut subject).await;
            }
        )*
    };
}

/// The key of an entity at home nowhere in particular.
fn key(class: Class, entity: &str) -> Key {
    let entity: EntityName = entity.parse().expect("cases use names that fit");
    Key { class, home: Home::NATION, entity }
}

/// A commit with an open part made of its name, and none sealed.
fn commit(class: Class, entity: &str, version: u64) -> Record {
    let name = format!("{entity}/{version}");
    Record {
        id: RecordId::of_purpose(&name),
        key: key(class, entity),
        kind: Kind::Commit { version },
        open: Bytes::from(format!("open of {name}")),
        sealed: None,
        signature: None,
    }
}

/// The commits 1 to `last` of an entity of class `Alert`.
fn commits(entity: &str, last: u64) -> Vec<Record> {
    (1..=last).map(|version| commit(Class::Alert, entity, version)).collect()
}

/// A command with an open and a sealed part made of its name.
fn command(name: &str) -> Record {
    Record {
        id: RecordId::of_purpose(name),
        key: key(Class::Command, "alert-of-a-command"),
        kind: Kind::Command,
        open: Bytes::from(format!("open of {name}")),
        sealed: Some(Bytes::from(format!("sealed of {name}"))),
        signature: None,
    }
}

/// The record's sealed part, made of its name.
fn sealed(mut record: Record) -> Record {
    record.sealed = Some(Bytes::from(format!("sealed of {}", record.id)));
    record
}

/// Asserts that what stands in the log is what was appended.
#[track_caller]
fn assert_same(recorded: &Arc<Recorded>, record: &Record) {
    assert_eq!(recorded.id, record.id);
    assert_eq!(recorded.key, record.key);
    assert_eq!(recorded.kind, record.kind);
    assert_eq!(recorded.open, record.open);
    assert_eq!(recorded.signature, record.signature);
    let seal = record.sealed.clone().map_or(Seal::None, Seal::Here);
    assert_eq!(recorded.seal, seal);
}

/// Asserts the same of a list.
#[track_caller]
fn assert_all_same(recorded: &[Arc<Recorded>], records: &[Record]) {
    assert_eq!(recorded.len(), records.len());
    recorded.iter().zip(records).for_each(|(recorded, record)| assert_same(recorded, record));
}

/// Waits for what must come.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(WAIT, what).await.expect("comes while the case waits")
}

/// Appends, and waits until it is stored.
async fn store(log: &dyn EventLog, records: Vec<Record>) -> Appended {
    let appended = soon(log.append(records)).await.expect("is appended");
    assert_stored(log, appended.at).await;
    appended
}

async fn assert_stored(log: &dyn EventLog, at: At) {
    assert_eq!(log.durable(at, WAIT).await, Durable::Stored);
}

/// What stands under the key of a record: for a command, that command.
async fn load(log: &dyn EventLog, record: &Record) -> Vec<Arc<Recorded>> {
    let id = (record.kind == Kind::Command).then_some(record.id);
    soon(log.load(&record.key, id)).await.expect("is loaded")
}

async fn follow(log: &dyn EventLog, class: Class, role: Role, from: Option<Cursor>) -> Follower {
    soon(log.follow(Following { class, role, from })).await.expect("follows")
}

/// A projection of the class `Alert`, from the start.
async fn project(log: &dyn EventLog) -> Follower {
    follow(log, Class::Alert, Role::Projection, None).await
}

/// An instance of a reactor to the class `Alert`.
async fn react(log: &dyn EventLog, name: &'static str) -> Follower {
    follow(log, Class::Alert, Role::Reactor(name), None).await
}

async fn step(follower: &mut Follower) -> Step {
    soon(follower.next()).await.expect("a step")
}

/// The next record, whatever else comes before it.
async fn next(follower: &mut Follower) -> Arc<Recorded> {
    loop {
        if let Step::Record(recorded) = step(follower).await {
            return recorded;
        }
    }
}

/// The next `count` records.
async fn take(follower: &mut Follower, count: usize) -> Vec<Arc<Recorded>> {
    let mut taken = Vec::with_capacity(count);
    while taken.len() < count {
        taken.push(next(follower).await);
    }
    taken
}

fn positions(recorded: &[Arc<Recorded>]) -> Vec<Position> {
    recorded.iter().map(|recorded| recorded.position).collect()
}
