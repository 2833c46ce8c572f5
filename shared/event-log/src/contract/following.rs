//! Cases: projections, cursors, sealed parts, bytes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use domain::ids::{KeyId, Millis};

use super::{
    Ending, Subject, assert_all_same, assert_same, command, commit, commits, follow, load, next,
    positions, project, sealed, soon, step, store, take,
};
use crate::{
    follower::{Cursor, Following, Role, Step},
    log::FollowError,
    record::{Class, Received, Record, Signature},
};

/// A follower of a class sees that class alone, in the order of positions, and goes on with what
/// is appended while it follows.
pub async fn a_follower_sees_its_class_in_order(subject: &mut impl Subject) {
    let log = subject.open().await;
    let records = commits("alert-a", 4);
    store(&*log, records[..2].to_vec()).await;
    store(&*log, vec![command("ask")]).await;
    store(&*log, vec![commit(Class::Delivery, "delivery-a", 1)]).await;
    let mut projection = project(&*log).await;
    let mut seen = take(&mut projection, 2).await;
    store(&*log, vec![commit(Class::Receipt, "receipt-a", 1)]).await;
    store(&*log, records[2..].to_vec()).await;
    seen.extend(take(&mut projection, 2).await);
    assert_all_same(&seen, &records);
    assert!(positions(&seen).is_sorted_by(|one, other| one < other));
}

/// Following what is empty is caught up with no record before it.
pub async fn an_empty_class_is_caught_up_at_once(subject: &mut impl Subject) {
    let log = subject.open().await;
    store(&*log, vec![command("ask")]).await;
    let mut projection = project(&*log).await;
    assert!(matches!(step(&mut projection).await, Step::CaughtUp));
}

/// `CaughtUp` comes after the records that were there when following began, and never again.
pub async fn caught_up_comes_exactly_once(subject: &mut impl Subject) {
    let log = subject.open().await;
    let records = commits("alert-a", 5);
    store(&*log, records[..3].to_vec()).await;
    let mut projection = project(&*log).await;
    for record in &records[..3] {
        match step(&mut projection).await {
            Step::Record(recorded) => assert_same(&recorded, record),
            Step::CaughtUp => panic!("caught up before the end"),
        }
    }
    assert!(matches!(step(&mut projection).await, Step::CaughtUp));
    for record in &records[3..] {
        store(&*log, vec![record.clone()]).await;
        match step(&mut projection).await {
            Step::Record(recorded) => assert_same(&recorded, record),
            Step::CaughtUp => panic!("caught up twice"),
        }
    }
}

/// A projection goes on behind its cursor; from a cursor at the end it is caught up.
pub async fn following_resumes_from_a_cursor(subject: &mut impl Subject) {
    let log = subject.open().await;
    let records = commits("alert-a", 5);
    store(&*log, records.clone()).await;
    let seen = take(&mut project(&*log).await, 5).await;
    for (place, recorded) in seen.iter().enumerate() {
        let from = Some(Cursor::on(recorded));
        let mut resumed = follow(&*log, Class::Alert, Role::Projection, from).await;
        assert_all_same(&take(&mut resumed, 4 - place).await, &records[place + 1..]);
        assert!(matches!(step(&mut resumed).await, Step::CaughtUp));
    }
}

/// A cursor fits after the storage was opened again, by whatever end.
pub async fn a_cursor_survives_a_restart(subject: &mut impl Subject) {
    let records = commits("alert-a", 4);
    let log = subject.open().await;
    store(&*log, records.clone()).await;
    let seen = take(&mut project(&*log).await, 2).await;
    let from = Some(Cursor::on(&seen[1]));
    drop(log);
    for ending in [Ending::Closed, Ending::Killed] {
        subject.restart(ending).await;
        let log = subject.open().await;
        let mut resumed = follow(&*log, Class::Alert, Role::Projection, from).await;
        assert_all_same(&take(&mut resumed, 2).await, &records[2..]);
    }
}

async fn assert_does_not_fit(subject: &mut impl Subject, change: impl Fn(&mut Cursor)) {
    let log = subject.open().await;
    store(&*log, commits("alert-a", 3)).await;
    let seen = take(&mut project(&*log).await, 3).await;
    let mut cursor = Cursor::on(&seen[1]);
    change(&mut cursor);
    let following = Following { class: Class::Alert, role: Role::Projection, from: Some(cursor) };
    let refused = match soon(log.follow(following)).await {
        Err(error) => error,
        Ok(mut follower) => match soon(follower.next()).await {
            Err(error) => error,
            Ok(step) => panic!("follows a cursor that does not fit: {step:?}"),
        },
    };
    assert_eq!(refused, FollowError::CursorDoesNotFit);
}

/// A cursor of another log is noticed by its hash.
pub async fn a_cursor_with_another_hash_does_not_fit(subject: &mut impl Subject) {
    assert_does_not_fit(subject, |cursor| cursor.hash = [7; 32]).await;
}

/// A cursor beyond the end is noticed: the log has lost its tail.
pub async fn a_cursor_past_the_end_does_not_fit(subject: &mut impl Subject) {
    assert_does_not_fit(subject, |cursor| cursor.position += 1_000).await;
}

/// Projections do not take records from each other, nor does acknowledging move anything.
pub async fn projections_each_see_everything(subject: &mut impl Subject) {
    let (here, there) = (subject.open().await, subject.open().await);
    let records = commits("alert-a", 6);
    store(&*here, records[..3].to_vec()).await;
    let mut projections = [project(&*here).await, project(&*there).await];
    store(&*there, records[3..].to_vec()).await;
    for projection in &mut projections {
        for record in &records {
            let recorded = next(projection).await;
            assert_same(&recorded, record);
            projection.acknowledge(recorded.position);
        }
    }
    assert_all_same(&take(&mut project(&*here).await, 6).await, &records);
}

/// The sealed part comes with its record, to load and to followers that were there already.
pub async fn the_sealed_part_comes_with_its_record(subject: &mut impl Subject) {
    let log = subject.open().await;
    let records = vec![
        sealed(commit(Class::Alert, "alert-a", 1)),
        commit(Class::Alert, "alert-a", 2),
        Record { sealed: Some(Bytes::new()), ..commit(Class::Alert, "alert-a", 3) },
    ];
    let mut early = project(&*log).await;
    store(&*log, records.clone()).await;
    assert_all_same(&take(&mut early, 3).await, &records);
    assert_all_same(&take(&mut project(&*log).await, 3).await, &records);
    assert_all_same(&load(&*log, &records[0]).await, &records);
    drop(log);
    subject.restart(Ending::Closed).await;
    let log = subject.open().await;
    assert_all_same(&take(&mut project(&*log).await, 3).await, &records);
    assert_all_same(&load(&*log, &records[0]).await, &records);
}

/// The log does not look into bytes: what nobody can decode passes, and the next record too.
pub async fn bytes_that_cannot_be_decoded_pass_unharmed(subject: &mut impl Subject) {
    let log = subject.open().await;
    let every_byte: Bytes = (0..=u8::MAX).cycle().take(3_000).collect();
    let records = vec![
        Record { open: every_byte.clone(), ..commit(Class::Alert, "alert-a", 1) },
        Record {
            open: Bytes::from_static(&[0xff, 0xff, 0xff, 0xff]),
            sealed: Some(every_byte),
            ..commit(Class::Alert, "alert-a", 2)
        },
        commit(Class::Alert, "alert-a", 3),
    ];
    store(&*log, records.clone()).await;
    assert_all_same(&take(&mut project(&*log).await, 3).await, &records);
    assert_all_same(&load(&*log, &records[0]).await, &records);
}

/// Who signed a command is told with it, byte for byte, and the one that came first stays.
pub async fn a_signature_stays_beside_its_command(subject: &mut impl Subject) {
    let received = Received { at: Millis(1_764_000_000_123), key_version: 2 };
    let value: [u8; 64] = std::array::from_fn(|place| 0xff ^ place as u8);
    let value = Bytes::copy_from_slice(&value);
    let by_writer = Signature { key: KeyId::of(&[1; 32]), value, received: None };
    let by_person = Signature { received: Some(received), ..by_writer.clone() };
    let by_passkey = Signature { value: vec![0xfe; 600].into(), ..by_person.clone() };
    let signed =
        |name, by: &Signature| Record { signature: Some(Arc::new(by.clone())), ..command(name) };
    let records = vec![
        signed("by-writer", &by_writer),
        command("by-nobody"),
        signed("by-person", &by_person),
        signed("by-passkey", &by_passkey),
    ];
    let anew = Signature { value: vec![7; 64].into(), ..by_person };
    let anew = signed("by-person", &anew);
    for ending in [None, Some(Ending::Closed)] {
        if let Some(ending) = ending {
            subject.restart(ending).await;
        }
        let log = subject.open().await;
        if ending.is_none() {
            store(&*log, records.clone()).await;
        }
        let appended = soon(log.append(vec![anew.clone()])).await.unwrap();
        assert_all_same(&appended.repeats, &records[2..3]);
        let mut commands = follow(&*log, Class::Command, Role::Projection, None).await;
        assert_all_same(&take(&mut commands, records.len()).await, &records);
        for record in &records {
            assert_all_same(&load(&*log, record).await, std::slice::from_ref(record));
        }
    }
}

/// A wait that is given up, again and again, loses no record and no order.
pub async fn dropping_the_wait_for_a_step_loses_nothing(subject: &mut impl Subject) {
    let log = subject.open().await;
    let records = commits("alert-a", 30);
    let mut projection = project(&*log).await;
    let appending = async {
        for record in records.clone() {
            store(&*log, vec![record]).await;
        }
    };
    let seeing = async {
        let mut seen = Vec::new();
        while seen.len() < records.len() {
            let patience = Duration::from_micros(50 * (seen.len() as u64 % 5));
            match tokio::time::timeout(patience, projection.next()).await {
                Ok(Ok(Step::Record(recorded))) => seen.push(recorded),
                Ok(Ok(Step::CaughtUp)) => {}
                Ok(Err(error)) => panic!("{error}"),
                Err(_given_up) => tokio::task::yield_now().await,
            }
        }
        seen
    };
    let ((), seen) = soon(async { tokio::join!(appending, seeing) }).await;
    assert_all_same(&seen, &records);
}
