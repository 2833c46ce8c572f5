//! Cases: destroying sealed parts.

use std::sync::Arc;

use domain::ids::{AlertId, EntityName, RecordId};

use super::{Ending, Subject, assert_all_same, command, load, next, sealed, soon, step, store};
use crate::{
    follower::{Follower, Role, Step},
    log::EventLog,
    record::{Class, Key, Record, Recorded, Seal},
};

fn alert(name: &str) -> AlertId {
    AlertId::raised_by(RecordId::of_purpose(name))
}

/// A command to the alert with this name.
fn of(to: &str, name: &str) -> Record {
    let record = command(name);
    let key = Key { entity: EntityName::alert(alert(to)), ..record.key };
    sealed(Record { key, ..record })
}

async fn erase(log: &dyn EventLog, record: &Record) -> u64 {
    let entity = record.key.entity.clone();
    let alert = entity.alert_id().expect("cases erase alerts");
    soon(log.erase(alert, &[entity])).await.expect("is erased")
}

#[track_caller]
fn assert_erased(recorded: &[Arc<Recorded>], record: &Record) {
    let [recorded] = recorded else { panic!("{recorded:?}") };
    assert_eq!((recorded.id, &recorded.open), (record.id, &record.open));
    assert!(matches!(recorded.seal, Seal::Missing | Seal::None), "{:?}", recorded.seal);
}

async fn follow(log: &dyn EventLog) -> Follower {
    super::follow(log, Class::Command, Role::Projection, None).await
}

/// What was erased is missing, by load and by follower, also after reopening; open parts, and the
/// parts of other entities, stay as they are.
pub async fn what_was_erased_is_gone_and_nothing_else(subject: &mut impl Subject) {
    let (one, two, other) = (of("alert-a", "one"), of("alert-a", "two"), of("alert-b", "three"));
    {
        let log = subject.open().await;
        store(&*log, vec![one.clone(), other.clone(), two.clone()]).await;
        assert_eq!(erase(&*log, &one).await, 2);
        assert_erased(&load(&*log, &one).await, &one);
        assert_eq!(erase(&*log, &one).await, 0, "what is gone is gone");
    }
    subject.restart(Ending::Closed).await;
    let log = subject.open().await;
    assert_eq!(erase(&*log, &one).await, 0, "also after reopening");
    assert_erased(&load(&*log, &two).await, &two);
    assert_all_same(&load(&*log, &other).await, std::slice::from_ref(&other));
    let mut follower = follow(&*log).await;
    let mut seen = Vec::new();
    while let Step::Record(recorded) = step(&mut follower).await {
        seen.push(recorded);
    }
    let found = |record: &Record| -> Vec<Arc<Recorded>> {
        seen.iter().filter(|recorded| recorded.id == record.id).cloned().collect()
    };
    assert_erased(&found(&one), &one);
    assert_erased(&found(&two), &two);
    assert_all_same(&found(&other), std::slice::from_ref(&other));
}

/// What comes after an erasure leaves no sealed part; a repeat of what was erased meets it.
pub async fn no_sealed_part_is_taken_after_an_erasure(subject: &mut impl Subject) {
    let log = subject.open().await;
    let (first, late) = (of("alert-a", "first"), of("alert-a", "late"));
    store(&*log, vec![first.clone()]).await;
    assert_eq!(erase(&*log, &first).await, 1);
    store(&*log, vec![late.clone()]).await;
    assert_erased(&load(&*log, &late).await, &late);
    let repeated = store(&*log, vec![first.clone()]).await;
    assert_erased(&repeated.repeats, &first);
    assert_eq!(erase(&*log, &first).await, 0);
    let mut follower = follow(&*log).await;
    assert_erased(&[next(&mut follower).await], &first);
    assert_erased(&[next(&mut follower).await], &late);
}

/// Erasing is durable when it returns.
pub async fn an_erasure_survives_being_killed(subject: &mut impl Subject) {
    let (gone, kept) = (of("alert-a", "gone"), of("alert-b", "kept"));
    {
        let log = subject.open().await;
        store(&*log, vec![gone.clone(), kept.clone()]).await;
        assert_eq!(erase(&*log, &gone).await, 1);
    }
    subject.restart(Ending::Killed).await;
    let log = subject.open().await;
    assert_erased(&load(&*log, &gone).await, &gone);
    assert_all_same(&load(&*log, &kept).await, std::slice::from_ref(&kept));
}
