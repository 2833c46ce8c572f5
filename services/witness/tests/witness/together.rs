//! Requests at the same time: whoever is slow never takes anything back.

use std::collections::BTreeMap;

use axum::body::Body;
use bytes::Bytes;
use futures::{StreamExt, channel::mpsc, future::join_all};

use crate::stage::{Stage, log_key, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_from_one_size_one_is_cosigned_and_the_others_learn_its_size() {
    let dir = tempfile::tempdir().unwrap();
    let log = log_key().verifier().clone();
    let stage = Stage::open(dir.path(), vec![log.clone()]);
    let mut last = 0;
    for round in 1..=5_u64 {
        let sizes: Vec<u64> = (1..=20).map(|more| round * 100 + more).collect();
        let asked: Vec<_> = sizes.iter().map(|size| request(last, *size)).collect();
        let answers = join_all(asked.iter().map(|body| stage.add(body))).await;
        let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
        answers.iter().for_each(|answer| *statuses.entry(answer.status.as_u16()).or_default() += 1);
        assert_eq!(statuses, BTreeMap::from([(200, 1), (409, 19)]), "round {round}");
        let won = answers.iter().zip(&sizes).find(|(answer, _)| answer.status == 200);
        last = *won.unwrap().1;
        assert!(
            answers.iter().all(|answer| answer.status == 200 || answer.text == format!("{last}\n"))
        );
        assert_eq!(stage.last_size(&log).await, Some(last));
    }
}

#[tokio::test]
async fn a_slow_request_behind_a_larger_one_rolls_nothing_back() {
    let dir = tempfile::tempdir().unwrap();
    let log = log_key().verifier().clone();
    let stage = Stage::open(dir.path(), vec![log.clone()]);
    assert_eq!(stage.status(&request(0, 3)).await, 200);
    // N has begun, and hangs in the middle of its body.
    let slow = request(3, 5);
    let (first, second) = slow.split_at(slow.len() / 2);
    let (pieces, body) = mpsc::unbounded();
    pieces.unbounded_send(Bytes::copy_from_slice(first.as_bytes())).unwrap();
    let body = Body::from_stream(body.map(Ok::<_, std::io::Error>));
    let slow = stage.call("POST", "/add-checkpoint", body);
    let quick = async {
        assert_eq!(stage.status(&request(3, 9)).await, 200);
        pieces.unbounded_send(Bytes::copy_from_slice(second.as_bytes())).unwrap();
        drop(pieces);
    };
    let (slow, ()) = tokio::join!(slow, quick);
    assert_eq!((slow.status.as_u16(), &*slow.text), (409, "9\n"));
    assert_eq!(stage.last_size(&log).await, Some(9));
}

#[tokio::test]
async fn one_log_does_not_wait_for_another_nor_share_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let log = log_key().verifier().clone();
    let other = merkle::LogKey::from_seed("keng.other.vn", &[5; 32]).unwrap();
    let stage = Stage::open(dir.path(), vec![log.clone(), other.verifier().clone()]);
    assert_eq!(stage.status(&request(0, 3)).await, 200);
    assert!(stage.last(other.verifier()).await.is_none());
    // Signed by a key that is trusted, for another log.
    let crossed = request(0, 3).replace("keng.example.vn", "keng.other.vn");
    assert_eq!(stage.status(&crossed).await, 403);
}
