//! Order, sharing of syncs, hold and release, segments, limits of one process.

use std::{fs, os::unix::fs::PermissionsExt, thread, time::Instant};

use bytes::Bytes;
use journal::{AppendError, OpenError, Options, ReadError, Stopped};

use super::*;

#[test]
fn indexes_are_dense_and_in_the_order_of_the_calls() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, recovery) = open(&dir.path().join("a/b"), small());
    assert_eq!(recovery, Recovery { entries: 0, torn_bytes: 0, promised: 0 });
    let threads: Vec<_> = (0..4u8)
        .map(|writer| {
            let journal = journal.clone();
            thread::spawn(move || {
                let append = |n| journal.append(Bytes::from(vec![writer, n])).unwrap();
                (0..100).map(append).collect::<Vec<_>>()
            })
        })
        .collect();
    let indexes: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    for (writer, of_one) in indexes.iter().enumerate() {
        assert!(of_one.is_sorted());
        for (n, index) in of_one.iter().enumerate() {
            assert_eq!(journal.read(*index).unwrap().as_ref(), [writer as u8, n as u8]);
        }
    }
    let mut seen: Vec<_> = indexes.concat();
    seen.sort_unstable();
    assert_eq!(seen, (0..400).collect::<Vec<_>>());
    assert_eq!(journal.end(), 400);
    wait(journal.durable(399)).unwrap();
    assert_eq!(journal.durable_end(), 400);
}

#[test]
fn all_who_wait_share_one_sync() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), Options { hold: FOR_EVER, ..Options::default() });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let ends = journal.subscribe_durable();
    runtime.block_on(async {
        let waiters: Vec<_> = (0..1000u64)
            .map(|n| {
                assert_eq!(journal.append(Bytes::from(vec![7; 100])).unwrap(), n);
                let journal = journal.clone();
                tokio::spawn(async move { journal.durable(n).await })
            })
            .collect();
        assert_eq!(journal.durable_end(), 0);
        journal.release();
        for waiter in waiters {
            tokio::time::timeout(FOR_EVER, waiter).await.unwrap().unwrap().unwrap();
        }
    });
    assert_eq!(journal.syncs(), 1);
    assert_eq!(*ends.borrow(), 1000);
}

#[test]
fn syncs_are_shared_without_a_hold_too() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::default().with_sync_delay(Duration::from_millis(20));
    let (journal, _) = open(dir.path(), options);
    for _ in 0..1000 {
        journal.append(Bytes::from_static(b"gong")).unwrap();
    }
    wait(journal.durable(999)).unwrap();
    assert!(journal.syncs() < 50, "{} syncs", journal.syncs());
}

#[test]
fn a_hold_ends_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let hold = Duration::from_millis(30);
    let (journal, _) = open(dir.path(), Options { hold, ..small() });
    journal.release();
    let start = Instant::now();
    journal.append(Bytes::from_static(b"gong")).unwrap();
    wait(journal.durable(0)).unwrap();
    assert!(start.elapsed() >= hold, "an early release is for nothing that comes later");
    assert_eq!(journal.syncs(), 1);
}

#[test]
fn entries_are_read_before_they_are_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), [b"one".as_slice(), b"two"]);
    let (journal, _) = open(dir.path(), Options { hold: FOR_EVER, ..small() });
    assert_eq!(journal.append_all(vec!["three".into(), "four".into()]).unwrap(), 2);
    journal.append("five".into()).unwrap();
    assert_eq!(journal.durable_end(), 2);
    assert_eq!(journal.read(3).unwrap(), "four");
    let words = |index, limit, bytes| {
        let read = journal.read_from(index, limit, bytes).unwrap();
        read.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(words(0, 9, 999), ["one", "two", "three", "four", "five"]);
    assert_eq!(words(1, 3, 999), ["two", "three", "four"]);
    assert_eq!(words(1, 9, 8), ["two", "three"]);
    assert_eq!(words(1, 9, 0), ["two"], "one entry always fits");
    assert_eq!(words(4, 9, 9), ["five"]);
    assert!(words(5, 9, 9).is_empty() && words(77, 9, 9).is_empty() && words(0, 0, 9).is_empty());
    assert!(matches!(journal.read(5), Err(ReadError::Beyond { index: 5, end: 5 })));
}

#[test]
fn segments_follow_one_another() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), small());
    let entry = |n: u64| vec![n as u8 + 1; 300 + n as usize];
    for n in 0..100 {
        journal.append(entry(n).into()).unwrap();
        if n % 3 == 0 {
            wait(journal.durable(n)).unwrap();
        }
    }
    let expected: Vec<_> = (0..100).map(entry).collect();
    assert_eq!(all(&journal), expected);
    wait(journal.close());
    let segments: Vec<_> = files(dir.path())
        .into_iter()
        .filter(|(path, _)| path.extension().is_some_and(|extension| extension == "seg"))
        .collect();
    assert!(segments.len() >= 9, "{} segments", segments.len());
    assert!(segments.iter().all(|(_, bytes)| bytes.len() == 4096));
    let (journal, recovery) = open(dir.path(), small());
    assert_eq!(recovery, Recovery { entries: 100, torn_bytes: 0, promised: 100 });
    assert_eq!(all(&journal), expected);
    assert_eq!(journal.read(63).unwrap(), entry(63));
}

#[test]
fn a_group_larger_than_a_segment_gets_one_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), small());
    let large = |n: u8| Bytes::from(vec![n; 100_000]);
    assert_eq!(journal.append_all((1..5).map(large).collect()).unwrap(), 0);
    journal.append(large(5)).unwrap();
    journal.append("small".into()).unwrap();
    wait(journal.close());
    let (journal, recovery) = open(dir.path(), small());
    assert_eq!(recovery.entries, 6);
    assert_eq!(journal.read(3).unwrap(), large(4));
    assert_eq!(journal.read(5).unwrap(), "small");
}

#[test]
fn closing_brings_everything_to_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), Options { hold: FOR_EVER, ..small() });
    let other = journal.clone();
    journal.append("gong".into()).unwrap();
    let mut ends = journal.subscribe_durable();
    wait(journal.close());
    assert_eq!(other.append("late".into()), Err(AppendError::Stopped(Stopped)));
    assert_eq!(wait(other.durable(0)), Ok(()));
    assert_eq!(wait(other.durable(1)), Err(Stopped));
    assert_eq!(other.read(0).unwrap(), "gong");
    assert!(wait(ends.wait_for(|end| *end == 1)).is_ok());
    assert!(wait(ends.changed()).is_err());
    // A drop does the same.
    let (journal, _) = open(dir.path(), Options { hold: FOR_EVER, ..small() });
    journal.append("gong".into()).unwrap();
    drop(journal);
    assert_eq!(open(dir.path(), small()).1.entries, 2);
}

#[test]
fn one_directory_is_open_once_and_private() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("journal");
    let (journal, _) = open(&dir, small());
    assert!(matches!(Journal::open(&dir, small()), Err(OpenError::Locked(_))));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for (path, _) in files(&dir) {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    drop(journal);
    open(&dir, small());
}

#[test]
fn some_entries_are_read_and_those_between_them_are_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let entry = |index: u64| format!("entry {index} {}", "x".repeat(40)).into_bytes();
    let entries: Vec<Vec<u8>> = (0..300).map(entry).collect();
    filled(dir.path(), entries.iter().map(Vec::as_slice));
    let (journal, _) = open(dir.path(), small());
    let lend = |asked: &[u64], bytes| journal.lend(asked, bytes, |at, lent| (at, lent.to_vec()));
    let read = |asked: &[u64]| {
        let (mut left, mut read) = (asked, Vec::new());
        while !left.is_empty() {
            let some = lend(left, 1 << 20).unwrap();
            assert!(!some.is_empty() && some.len() <= left.len());
            left = &left[some.len()..];
            read.extend(some);
        }
        read
    };
    for asked in [vec![0], vec![299], vec![3, 4, 90, 91, 250, 299], (0..300).step_by(7).collect()] {
        let expected: Vec<_> = asked.iter().map(|index| (*index, entry(*index))).collect();
        assert_eq!(read(&asked), expected);
    }
    assert!(lend(&[], 1).unwrap().is_empty());
    assert_eq!(lend(&[7, 8, 9], 1).unwrap(), [(7, entry(7))], "one always comes");
    journal.append(entry(300).into()).unwrap();
    assert_eq!(read(&[5, 300]), [(5, entry(5)), (300, entry(300))], "on disk or not yet");
    assert!(matches!(lend(&[301], 1), Err(ReadError::Beyond { index: 301, .. })));
    wait(journal.close());
}
