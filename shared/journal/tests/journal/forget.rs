//! The oldest entries are forgotten, a file at a time, and what is left stays as it was.

use std::fs;

use journal::{Forgotten, OpenError, ReadError};

use crate::{files, filled, open, small, wait};

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index:04} {}", "of what was said ".repeat(30)).into_bytes()
}

fn filled_with(count: u64) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let entries: Vec<Vec<u8>> = (0..count).map(entry).collect();
    filled(dir.path(), entries.iter().map(Vec::as_slice));
    dir
}

#[test]
fn whole_files_before_an_entry_go_and_the_rest_is_read_as_before() {
    let dir = filled_with(60);
    let (journal, _) = open(dir.path(), small());
    let before = files(dir.path()).len();

    let Forgotten { begin, bytes } = journal.forget_before(33).unwrap();
    assert!(bytes > begin * entry(0).len() as u64);
    assert!((20..=33).contains(&begin), "{begin}");
    assert_eq!(journal.begin(), begin);
    assert!(files(dir.path()).len() < before);
    assert_eq!(journal.read(begin).unwrap(), entry(begin));
    assert_eq!(journal.read(59).unwrap(), entry(59));
    let Err(ReadError::Forgotten { index, begin: at }) = journal.read(begin - 1) else {
        panic!("it is gone");
    };
    assert_eq!((index, at), (begin - 1, begin));
    assert_eq!(
        journal.forget_before(3).unwrap(),
        Forgotten { begin, bytes: 0 },
        "what is forgotten stays forgotten"
    );
    let next = journal.append(entry(60).into()).unwrap();
    assert_eq!(next, 60);
    wait(journal.durable(next)).unwrap();
    wait(journal.close());

    let (journal, recovery) = open(dir.path(), small());
    assert_eq!((journal.begin(), recovery.entries), (begin, 61));
    assert_eq!(journal.read(60).unwrap(), entry(60));
    wait(journal.close());
}

#[test]
fn the_file_that_is_written_to_stays() {
    let dir = filled_with(60);
    let (journal, _) = open(dir.path(), small());
    let begin = journal.forget_before(u64::MAX).unwrap().begin;
    assert!(begin < 60, "{begin}");
    assert_eq!(journal.read(59).unwrap(), entry(59));
    assert_eq!(journal.append(entry(60).into()).unwrap(), 60);
    wait(journal.close());
}

#[test]
fn what_a_cut_interrupted_is_ended_by_the_next_start() {
    let dir = filled_with(60);
    let kept = files(dir.path());
    let (journal, _) = open(dir.path(), small());
    let begin = journal.forget_before(33).unwrap().begin;
    wait(journal.close());
    let left: Vec<_> = files(dir.path()).into_iter().map(|(path, _)| path).collect();
    // The power went after the beginning was written down, and before any file was removed.
    for (path, bytes) in kept.iter().filter(|(path, _)| !left.contains(path)) {
        fs::write(path, bytes).unwrap();
    }

    let (journal, _) = open(dir.path(), small());
    assert_eq!(journal.begin(), begin);
    assert_eq!(journal.read(59).unwrap(), entry(59));
    wait(journal.close());
    let mut now: Vec<_> = files(dir.path()).into_iter().map(|(path, _)| path).collect();
    let mut left = left;
    now.sort();
    left.sort();
    assert_eq!(now, left);
}

#[test]
fn a_first_file_that_is_missing_is_not_taken_for_forgotten() {
    let dir = filled_with(60);
    let (journal, _) = open(dir.path(), small());
    let begin = journal.forget_before(33).unwrap().begin;
    wait(journal.close());
    fs::remove_file(dir.path().join(format!("{begin:020}.seg"))).unwrap();
    let refused = journal::Journal::open(dir.path(), small());
    assert!(matches!(refused, Err(OpenError::Corrupt { index, .. }) if index == begin));

    // Nor is one that somebody else took away.
    let dir = filled_with(60);
    fs::remove_file(dir.path().join(format!("{:020}.seg", 0))).unwrap();
    let refused = journal::Journal::open(dir.path(), small());
    assert!(matches!(refused, Err(OpenError::Corrupt { index: 0, .. })));

    // Where it begins is damaged: nothing is guessed.
    let dir = filled_with(10);
    fs::write(dir.path().join("begins"), [7; 12]).unwrap();
    let refused = journal::Journal::open(dir.path(), small());
    assert!(matches!(refused, Err(OpenError::Io { path, .. }) if path.ends_with("begins")));
}
