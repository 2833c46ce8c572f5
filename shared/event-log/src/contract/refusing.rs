//! Cases: what can never be appended as it is, and ends as `Refused`.

use bytes::Bytes;
use domain::ids::RecordId;

use super::{Subject, assert_all_same, command, commit, commits, load, sealed, soon, store};
use crate::{
    log::{AppendError, EventLog},
    record::{BATCH_RECORDS_MAX, Class, Kind, RECORD_BYTES_MAX, Record},
};

async fn assert_refused(log: &dyn EventLog, records: Vec<Record>) {
    let first = records.first().cloned();
    let refused = soon(log.append(records)).await;
    assert!(matches!(refused, Err(AppendError::Refused(_))), "{refused:?}");
    if let Some(first) = first {
        assert!(load(log, &first).await.is_empty(), "nothing of it was appended");
    }
}

/// One byte over the limit, in the open part or in the sealed one.
pub async fn a_record_too_long_is_refused(subject: &mut impl Subject) {
    let log = subject.open().await;
    let long = Bytes::from(vec![b'x'; RECORD_BYTES_MAX + 1]);
    let open = Record { open: long.clone(), ..commit(Class::Alert, "alert-a", 1) };
    assert_refused(&*log, vec![open]).await;
    let sealed = Record { sealed: Some(long), ..commit(Class::Alert, "alert-a", 1) };
    assert_refused(&*log, vec![sealed]).await;
    let asked = Record { open: vec![0; RECORD_BYTES_MAX + 1].into(), ..command("long") };
    assert_refused(&*log, vec![command("short"), asked]).await;
}

/// One record over the limit.
pub async fn a_batch_too_long_is_refused(subject: &mut impl Subject) {
    let log = subject.open().await;
    assert_refused(&*log, commits("alert-a", BATCH_RECORDS_MAX as u64 + 1)).await;
}

/// The limits themselves are allowed.
pub async fn the_longest_record_and_the_longest_batch_are_taken(subject: &mut impl Subject) {
    let log = subject.open().await;
    let full = Bytes::from(vec![b'x'; RECORD_BYTES_MAX]);
    let long = Record {
        open: full.clone(),
        sealed: Some(full),
        ..sealed(commit(Class::Alert, "alert-long", 1))
    };
    store(&*log, vec![long.clone()]).await;
    assert_all_same(&load(&*log, &long).await, std::slice::from_ref(&long));
    let many = commits("alert-many", BATCH_RECORDS_MAX as u64);
    store(&*log, many.clone()).await;
    assert_all_same(&load(&*log, &many[0]).await, &many);
}

/// An append of nothing has no place to wait for: a mistake of the program.
pub async fn an_empty_batch_is_refused(subject: &mut impl Subject) {
    let log = subject.open().await;
    assert_refused(&*log, Vec::new()).await;
}

/// A command is of class `Command`, and nothing else is; version 0 is no commit's.
pub async fn a_class_that_does_not_fit_its_kind_is_refused(subject: &mut impl Subject) {
    let log = subject.open().await;
    let id = RecordId::of_purpose("misplaced");
    let command = Record { id, kind: Kind::Command, ..commit(Class::Alert, "alert-a", 1) };
    let refused = soon(log.append(vec![command])).await;
    assert!(matches!(refused, Err(AppendError::Refused(_))), "{refused:?}");
    let commit_among_commands = commit(Class::Command, "alert-a", 1);
    let refused = soon(log.append(vec![commit_among_commands])).await;
    assert!(matches!(refused, Err(AppendError::Refused(_))), "{refused:?}");
    assert_refused(&*log, vec![commit(Class::Alert, "alert-a", 0)]).await;
}

/// One append is of one class.
pub async fn records_of_mixed_class_are_refused(subject: &mut impl Subject) {
    let log = subject.open().await;
    let mixed = vec![commit(Class::Alert, "alert-a", 1), commit(Class::Delivery, "delivery-a", 1)];
    assert_refused(&*log, mixed).await;
    assert_refused(&*log, vec![command("ask"), commit(Class::Alert, "alert-a", 1)]).await;
}
