//! Cases: appending, comparing versions, repeating, loading.

use bytes::Bytes;
use domain::ids::RecordId;

use super::{
    Ending, Subject, assert_all_same, assert_same, assert_stored, command, commit, commits, key,
    load, next, project, sealed, soon, step, store,
};
use crate::{
    follower::Step,
    log::AppendError,
    record::{Class, Record},
};

/// What was appended and is durable is there after the storage was closed and opened again, by
/// load and by follower, byte for byte.
pub async fn what_was_appended_is_there_after_reopening(subject: &mut impl Subject) {
    let mut records = commits("alert-a", 3);
    records.push(sealed(commit(Class::Alert, "alert-a", 4)));
    let asked = command("asked");
    {
        let log = subject.open().await;
        store(&*log, records.clone()).await;
        store(&*log, vec![asked.clone()]).await;
        assert_all_same(&load(&*log, &records[0]).await, &records);
    }
    subject.restart(Ending::Closed).await;
    let log = subject.open().await;
    assert_all_same(&load(&*log, &records[0]).await, &records);
    assert_all_same(&load(&*log, &asked).await, std::slice::from_ref(&asked));
    let mut projection = project(&*log).await;
    for record in &records {
        assert_same(&next(&mut projection).await, record);
    }
}

/// An entity without commits, and a command that nobody gave, are empty, not an error.
pub async fn loading_what_is_not_there_gives_nothing(subject: &mut impl Subject) {
    let log = subject.open().await;
    assert!(load(&*log, &commit(Class::Alert, "alert-nowhere", 1)).await.is_empty());
    assert!(load(&*log, &command("never given")).await.is_empty());
    store(&*log, commits("alert-there", 1)).await;
    assert!(load(&*log, &commit(Class::Alert, "alert-nowhere", 1)).await.is_empty());
}

/// A key of class `Command` with an id gives that one command.
pub async fn a_command_is_loaded_by_its_id(subject: &mut impl Subject) {
    let log = subject.open().await;
    let (one, other) = (command("one"), command("other"));
    store(&*log, vec![one.clone(), other.clone()]).await;
    assert_all_same(&load(&*log, &one).await, std::slice::from_ref(&one));
    assert_all_same(&load(&*log, &other).await, std::slice::from_ref(&other));
    let id = RecordId::of_purpose("neither");
    assert!(soon(log.load(&one.key, Some(id))).await.unwrap().is_empty());
}

fn other_commit(entity: &str, version: u64) -> Record {
    Record {
        id: RecordId::of_purpose(&format!("another {entity}/{version}")),
        open: Bytes::from_static(b"decided elsewhere"),
        ..commit(Class::Alert, entity, version)
    }
}

/// A commit whose version is taken ends its whole batch, the records before it included.
pub async fn a_taken_version_is_a_conflict_and_nothing_of_the_batch_is_appended(
    subject: &mut impl Subject,
) {
    let log = subject.open().await;
    let first = commits("alert-a", 2);
    store(&*log, first.clone()).await;
    let fresh = commit(Class::Alert, "alert-b", 1);
    let batch = vec![fresh.clone(), other_commit("alert-a", 2)];
    let refused = soon(log.append(batch)).await;
    assert!(matches!(refused, Err(AppendError::Conflict(_))), "{refused:?}");
    assert_all_same(&load(&*log, &first[0]).await, &first);
    assert!(load(&*log, &fresh).await.is_empty());

    store(&*log, vec![fresh.clone()]).await;
    let mut projection = project(&*log).await;
    for record in first.iter().chain([&fresh]) {
        assert_same(&next(&mut projection).await, record);
    }
}

/// A batch that is a conflict takes nothing from the record that it repeats: that one stands, with
/// its sealed part.
pub async fn a_conflict_leaves_what_it_repeats_whole(subject: &mut impl Subject) {
    let log = subject.open().await;
    let standing = sealed(commit(Class::Alert, "alert-a", 1));
    store(&*log, vec![standing.clone()]).await;
    store(&*log, commits("alert-b", 1)).await;
    let batch = vec![standing.clone(), sealed(other_commit("alert-b", 1))];
    let refused = soon(log.append(batch)).await;
    assert!(matches!(refused, Err(AppendError::Conflict(_))), "{refused:?}");
    drop(log);
    // Read by whoever has nothing of it in memory.
    subject.restart(Ending::Closed).await;
    let log = subject.open().await;
    assert_all_same(&load(&*log, &standing).await, std::slice::from_ref(&standing));
}

/// A commit must follow its entity's last, without a gap.
pub async fn a_version_ahead_of_its_entity_is_a_conflict(subject: &mut impl Subject) {
    let log = subject.open().await;
    for ahead in [
        vec![commit(Class::Alert, "alert-a", 2)],
        vec![commit(Class::Alert, "alert-a", 1), commit(Class::Alert, "alert-a", 3)],
    ] {
        let refused = soon(log.append(ahead)).await;
        assert!(matches!(refused, Err(AppendError::Conflict(_))), "{refused:?}");
    }
    let first = commits("alert-a", 1);
    assert!(load(&*log, &first[0]).await.is_empty());
    store(&*log, first).await;
}

/// Two that decide on the same version at once: one commit stands, the other's is a conflict.
pub async fn of_two_writers_exactly_one_wins(subject: &mut impl Subject) {
    let (here, there) = (subject.open().await, subject.open().await);
    for round in 0..10 {
        let entity = format!("alert-{round}");
        let (mine, yours) = (commit(Class::Alert, &entity, 1), other_commit(&entity, 1));
        let (one, two) = soon(async {
            tokio::join!(here.append(vec![mine.clone()]), there.append(vec![yours.clone()]))
        })
        .await;
        let winner = match (one, two) {
            (Ok(_), Err(AppendError::Conflict(_))) => mine,
            (Err(AppendError::Conflict(_)), Ok(_)) => yours,
            neither => panic!("exactly one wins: {neither:?}"),
        };
        assert_all_same(&load(&*here, &winner).await, std::slice::from_ref(&winner));
        assert_all_same(&load(&*there, &winner).await, std::slice::from_ref(&winner));
    }
}

/// A batch is not bound to one commit or one entity; its records keep their order.
pub async fn a_batch_may_hold_several_versions_and_entities(subject: &mut impl Subject) {
    let log = subject.open().await;
    let batch = vec![
        commit(Class::Alert, "alert-a", 1),
        commit(Class::Alert, "relay-a", 1),
        sealed(commit(Class::Alert, "alert-a", 2)),
        commit(Class::Alert, "relay-a", 2),
    ];
    let appended = store(&*log, batch.clone()).await;
    let mut projection = project(&*log).await;
    let mut last = 0;
    for record in &batch {
        let recorded = next(&mut projection).await;
        assert_same(&recorded, record);
        assert!(recorded.position > last);
        last = recorded.position;
    }
    assert_eq!(appended.at.position, last);
    assert_eq!(appended.at.id, batch[3].id);
    let alert = load(&*log, &batch[0]).await;
    assert_same(&alert[0], &batch[0]);
    assert_same(&alert[1], &batch[2]);
}

/// The first record under an id wins, whatever bytes the repeat has; the rest of the repeat's
/// batch is appended.
pub async fn a_repeated_command_is_answered_by_the_first(subject: &mut impl Subject) {
    let log = subject.open().await;
    let first = command("ask");
    let stored = store(&*log, vec![first.clone()]).await;
    assert!(stored.repeats.is_empty());

    let again = store(&*log, vec![first.clone()]).await;
    assert_eq!(again.at, stored.at);
    assert_all_same(&again.repeats, std::slice::from_ref(&first));

    let mut changed = first.clone();
    changed.open = Bytes::from_static(b"other bytes");
    changed.sealed = Some(Bytes::from_static(b"other sealed bytes"));
    let beside = command("beside");
    let again = store(&*log, vec![changed, beside.clone()]).await;
    assert_all_same(&again.repeats, std::slice::from_ref(&first));
    assert_all_same(&load(&*log, &first).await, std::slice::from_ref(&first));
    assert_all_same(&load(&*log, &beside).await, std::slice::from_ref(&beside));
}

/// The same, where the first was given before a restart, and through another client.
pub async fn a_repeated_command_is_answered_by_the_first_after_reopening(
    subject: &mut impl Subject,
) {
    let first = command("ask");
    let log = subject.open().await;
    store(&*log, vec![first.clone()]).await;
    drop(log);
    subject.restart(Ending::Closed).await;
    let mut changed = first.clone();
    changed.open = Bytes::from_static(b"other bytes");
    for log in [subject.open().await, subject.open().await] {
        let again = store(&*log, vec![changed.clone()]).await;
        assert_all_same(&again.repeats, std::slice::from_ref(&first));
        assert_all_same(&load(&*log, &first).await, std::slice::from_ref(&first));
    }
}

/// A writer whose answer was lost repeats its batch: it counts as appended, and stands once,
/// also where the entity has gone on, and after a restart.
pub async fn a_repeated_batch_of_commits_counts_as_appended(subject: &mut impl Subject) {
    let batch = vec![
        sealed(commit(Class::Alert, "alert-a", 1)),
        commit(Class::Alert, "alert-a", 2),
        commit(Class::Alert, "relay-a", 1),
    ];
    let log = subject.open().await;
    let first = store(&*log, batch.clone()).await;
    let again = soon(log.append(batch.clone())).await.expect("a repeat is appended");
    assert_eq!(again.at.position, first.at.position);
    let onward = commit(Class::Alert, "alert-a", 3);
    store(&*log, vec![onward.clone()]).await;
    let again = soon(log.append(batch.clone())).await.expect("a repeat is appended");
    assert_stored(&*log, again.at).await;
    drop(log);

    subject.restart(Ending::Closed).await;
    let log = subject.open().await;
    let again = soon(log.append(batch.clone())).await.expect("a repeat is appended");
    assert_stored(&*log, again.at).await;
    let mut projection = project(&*log).await;
    for record in batch.iter().chain([&onward]) {
        assert_same(&next(&mut projection).await, record);
    }
    assert!(matches!(step(&mut projection).await, Step::CaughtUp));
    let alert = soon(log.load(&key(Class::Alert, "alert-a"), None)).await.unwrap();
    assert_eq!(alert.len(), 3);
}
