//! Cases: reactors, whose instances share a place, and what comes again.

use std::collections::BTreeSet;

use super::{
    Ending, Subject, assert_all_same, assert_same, commit, commits, next, positions, react, soon,
    step, store, take,
};
use crate::{follower::Step, record::Class};

/// Each record goes to one of the instances, and to one only.
pub async fn two_instances_share_one_place(subject: &mut impl Subject) {
    let (here, there) = (subject.open().await, subject.open().await);
    let records = commits("alert-a", 40);
    let mut one = react(&*here, "sharer").await;
    let mut other = react(&*there, "sharer").await;
    store(&*here, records.clone()).await;
    let mut seen = Vec::new();
    while seen.len() < records.len() {
        let (step, instance) = soon(async {
            tokio::select! {
                step = one.next() => (step, &mut one),
                step = other.next() => (step, &mut other),
            }
        })
        .await;
        if let Step::Record(recorded) = step.expect("a step") {
            instance.acknowledge(recorded.position);
            seen.push(recorded);
        }
    }
    seen.sort_by_key(|recorded| recorded.position);
    assert_all_same(&seen, &records);

    let sentinel = commit(Class::Alert, "alert-b", 1);
    store(&*there, vec![sentinel.clone()]).await;
    let last = soon(async {
        tokio::select! {
            recorded = next(&mut one) => recorded,
            recorded = next(&mut other) => recorded,
        }
    })
    .await;
    assert_same(&last, &sentinel);
}

/// Names have places of their own.
pub async fn reactors_of_different_names_each_see_everything(subject: &mut impl Subject) {
    let log = subject.open().await;
    let records = commits("alert-a", 5);
    store(&*log, records.clone()).await;
    for name in ["this", "that"] {
        let mut reactor = react(&*log, name).await;
        assert_all_same(&take(&mut reactor, 5).await, &records);
    }
}

/// What was given back comes again, after a while; what came after it need not wait.
pub async fn what_was_given_back_comes_again(subject: &mut impl Subject) {
    let log = subject.open().await;
    let records = commits("alert-a", 2);
    store(&*log, records.clone()).await;
    let mut reactor = react(&*log, "giver").await;
    let first = next(&mut reactor).await;
    assert_same(&first, &records[0]);
    reactor.give_back(first.position);
    let second = next(&mut reactor).await;
    assert_same(&second, &records[1]);
    reactor.acknowledge(second.position);
    let again = next(&mut reactor).await;
    assert_same(&again, &records[0]);
    reactor.acknowledge(again.position);

    let after = commit(Class::Alert, "alert-b", 1);
    store(&*log, vec![after.clone()]).await;
    assert_same(&next(&mut reactor).await, &after);
}

/// What an instance had and did not acknowledge goes to another when the instance is dropped.
pub async fn what_a_dropped_instance_left_comes_again(subject: &mut impl Subject) {
    let (here, there) = (subject.open().await, subject.open().await);
    let records = commits("alert-a", 4);
    store(&*here, records.clone()).await;
    let mut leaver = react(&*here, "leaver").await;
    let had = take(&mut leaver, 3).await;
    leaver.acknowledge(had[1].position);
    drop(leaver);
    let mut heir = react(&*there, "leaver").await;
    let inherited = take(&mut heir, 3).await;
    let met: BTreeSet<_> = positions(&inherited).into_iter().collect();
    assert!(met.contains(&had[0].position) && met.contains(&had[2].position));
    assert!(!met.contains(&had[1].position));
}

/// A reactor's place never passes what it did not acknowledge, whatever ends.
pub async fn what_was_not_acknowledged_comes_again_after_a_restart(subject: &mut impl Subject) {
    let records = commits("alert-a", 3);
    let log = subject.open().await;
    store(&*log, records.clone()).await;
    let mut reactor = react(&*log, "survivor").await;
    take(&mut reactor, 3).await;
    drop((reactor, log));
    for ending in [Ending::Closed, Ending::Killed] {
        subject.restart(ending).await;
        let log = subject.open().await;
        let mut reactor = react(&*log, "survivor").await;
        let mut again = take(&mut reactor, 3).await;
        again.sort_by_key(|recorded| recorded.position);
        assert_all_same(&again, &records);
    }
}

/// What was acknowledged is not seen again, by this instance or the next; in order of
/// acknowledgement or not.
pub async fn what_was_acknowledged_does_not_come_again(subject: &mut impl Subject) {
    let log = subject.open().await;
    let records = commits("alert-a", 5);
    store(&*log, records[..4].to_vec()).await;
    let mut reactor = react(&*log, "acker").await;
    for recorded in take(&mut reactor, 4).await.iter().rev() {
        reactor.acknowledge(recorded.position);
    }
    drop(reactor);
    let mut next_instance = react(&*log, "acker").await;
    store(&*log, records[4..].to_vec()).await;
    assert_same(&next(&mut next_instance).await, &records[4]);
}

/// A lone reactor is told once that it has caught up, after what was there when it began.
pub async fn a_reactor_is_told_once_that_it_has_caught_up(subject: &mut impl Subject) {
    let log = subject.open().await;
    let records = commits("alert-a", 5);
    store(&*log, records[..3].to_vec()).await;
    let mut reactor = react(&*log, "listener").await;
    for record in &records[..3] {
        match step(&mut reactor).await {
            Step::Record(recorded) => {
                assert_same(&recorded, record);
                reactor.acknowledge(recorded.position);
            }
            Step::CaughtUp => panic!("caught up before the end"),
        }
    }
    assert!(matches!(step(&mut reactor).await, Step::CaughtUp));
    for record in &records[3..] {
        store(&*log, vec![record.clone()]).await;
        match step(&mut reactor).await {
            Step::Record(recorded) => assert_same(&recorded, record),
            Step::CaughtUp => panic!("caught up twice"),
        }
    }
}
