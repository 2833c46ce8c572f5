//! Torn tails are cut, damage is refused.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
};

use journal::OpenError;

use super::*;

/// Three entries; the last one is torn and flipped.
const ENTRIES: [&[u8]; 3] = [b"one", b"two two two", &[0xa5; 100]];

fn three() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), ENTRIES);
    dir
}

/// Where entry `n` of the three begins.
fn start(n: usize) -> usize {
    HEADER + ENTRIES[..n].iter().map(|entry| frame(entry.len())).sum::<usize>()
}

fn write(path: &Path, at: usize, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, at as u64).unwrap();
}

fn flip(path: &Path, at: usize) {
    let byte = fs::read(path).unwrap()[at];
    write(path, at, &[byte ^ 0x40]);
}

/// Opening is refused, and leaves everything as it is.
fn refused(dir: &Path) -> (PathBuf, u64, u64) {
    let before = files(dir);
    let error = Journal::open(dir, small()).unwrap_err();
    assert_eq!(files(dir), before);
    let OpenError::Corrupt { segment, offset, index } = error else { panic!("{error}") };
    (segment, offset, index)
}

#[test]
fn a_tail_torn_at_any_byte_is_cut() {
    let whole = three();
    for torn in 0..frame(ENTRIES[2].len()) {
        let dir = copy(whole.path());
        promise(dir.path(), 2);
        let from = start(2) + torn;
        write(&segment(dir.path(), 0), from, &vec![0; start(3) - from]);
        let (journal, recovery) = open(dir.path(), small());
        // The end of the frame is padding: zeros in any case.
        let kept = if torn < 108 { 2 } else { 3 };
        assert_eq!((recovery.entries, recovery.promised), (kept, 2), "torn at {torn}");
        let left = if kept == 2 { 0..torn as u64 + 1 } else { 0..1 };
        assert!(left.contains(&recovery.torn_bytes), "torn at {torn}: {recovery:?}");
        assert_eq!(all(&journal), ENTRIES[..kept as usize]);
        // What comes after takes its place, and nothing of the old one shows up behind it.
        assert_eq!(journal.append("new".into()).unwrap(), kept);
        drop(journal);
        let (journal, recovery) = open(dir.path(), small());
        assert_eq!((recovery.entries, recovery.torn_bytes), (kept + 1, 0));
        assert_eq!(journal.read(kept).unwrap(), "new");
    }
}

#[test]
fn a_tail_is_cut_at_any_flipped_byte() {
    let whole = three();
    for byte in start(2)..start(3) {
        let dir = copy(whole.path());
        promise(dir.path(), 2);
        flip(&segment(dir.path(), 0), byte);
        let (journal, recovery) = open(dir.path(), small());
        assert_eq!(recovery.entries, 2, "flipped at {byte}");
        assert!(recovery.torn_bytes > 0);
        assert_eq!(all(&journal), ENTRIES[..2]);
    }
}

#[test]
fn any_flipped_byte_that_was_promised_is_refused() {
    let whole = three();
    for byte in 0..start(3) {
        let dir = copy(whole.path());
        flip(&segment(dir.path(), 0), byte);
        let (_, _, index) = refused(dir.path());
        let expected = (0..3).rfind(|n| byte >= start(*n)).unwrap_or(0);
        assert_eq!(index, expected as u64, "flipped at {byte}");
    }
}

#[test]
fn a_promised_entry_that_is_missing_is_refused() {
    let dir = three();
    write(&segment(dir.path(), 0), start(2), &[0; 108]);
    assert_eq!(refused(dir.path()), (segment(dir.path(), 0), start(2) as u64, 2));
    fs::remove_file(segment(dir.path(), 0)).unwrap();
    assert_eq!(refused(dir.path()).2, 0);
}

#[test]
fn damage_before_a_later_batch_is_refused_without_a_watermark() {
    let dir = three();
    promise(dir.path(), 0);
    flip(&segment(dir.path(), 0), start(1) + 10);
    assert_eq!(refused(dir.path()).2, 1);
    fs::remove_file(dir.path().join("promised")).unwrap();
    assert_eq!(refused(dir.path()).2, 1);
}

#[test]
fn a_lost_watermark_costs_nothing() {
    for damage in [None, Some(b"".as_slice()), Some(b"scrambled...")] {
        let dir = three();
        match damage {
            Some(bytes) => fs::write(dir.path().join("promised"), bytes).unwrap(),
            None => fs::remove_file(dir.path().join("promised")).unwrap(),
        }
        let (journal, recovery) = open(dir.path(), small());
        assert_eq!((recovery.entries, recovery.promised), (3, 0));
        drop(journal);
        assert_eq!(open(dir.path(), small()).1.promised, 3);
    }
}

/// A directory of several segments, and their bases.
fn many_segments() -> (tempfile::TempDir, Vec<u64>) {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), std::iter::repeat_n([9u8; 1000].as_slice(), 14));
    let bases: Vec<_> = files(dir.path())
        .iter()
        .filter_map(|(path, _)| path.file_name()?.to_str()?.strip_suffix(".seg")?.parse().ok())
        .collect();
    assert_eq!(bases, [0, 4, 8, 12]);
    (dir, bases)
}

#[test]
fn damaged_segments_are_refused() {
    let (whole, bases) = many_segments();
    for base in &bases[..3] {
        let dir = copy(whole.path());
        promise(dir.path(), 0);
        fs::remove_file(segment(dir.path(), *base)).unwrap();
        refused(dir.path());
        // The bad frame is the last of its segment; a later segment stands on it.
        let dir = copy(whole.path());
        promise(dir.path(), 0);
        flip(&segment(dir.path(), *base), HEADER + 3 * frame(1000) + 20);
        assert_eq!(refused(dir.path()).2, base + 3);
    }
    // Foreign, empty, and in the wrong place.
    for (base, content) in [(12, b"Rar!".repeat(1024)), (12, Vec::new()), (0, vec![0; 4096])] {
        let dir = copy(whole.path());
        promise(dir.path(), 0);
        fs::write(segment(dir.path(), base), content).unwrap();
        assert_eq!(refused(dir.path()), (segment(dir.path(), base), 0, base));
    }
    let dir = copy(whole.path());
    fs::copy(segment(dir.path(), 8), segment(dir.path(), 12)).unwrap();
    assert_eq!(refused(dir.path()).2, 12);
}

#[test]
fn a_newest_segment_that_was_never_used_is_fine() {
    let (whole, _) = many_segments();
    for headed in [false, true] {
        let dir = copy(whole.path());
        promise(dir.path(), 12);
        let mut bytes = fs::read(segment(dir.path(), 12)).unwrap();
        let from = if headed { HEADER } else { 0 };
        bytes[from..].fill(0);
        fs::write(segment(dir.path(), 12), &bytes).unwrap();
        // After a power cut a later page may be there without the first.
        let mut later = bytes.clone();
        later[2000..3000].fill(7);
        for (bytes, torn) in [(bytes, 0), (later, 3000 - HEADER as u64)] {
            fs::write(segment(dir.path(), 12), bytes).unwrap();
            promise(dir.path(), 12);
            let (journal, recovery) = open(dir.path(), small());
            assert_eq!((recovery.entries, recovery.torn_bytes), (12, torn));
            journal.append("next".into()).unwrap();
            wait(journal.close());
            let (journal, recovery) = open(dir.path(), small());
            assert_eq!((recovery.entries, recovery.torn_bytes), (13, 0));
            assert_eq!(journal.read(12).unwrap(), "next");
        }
    }
}

#[test]
fn a_torn_group_is_cut_whole() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), [b"before".as_slice()]);
    let (journal, _) = open(dir.path(), small());
    journal.append_all(vec!["a".into(), "b".into(), "c".into()]).unwrap();
    wait(journal.close());
    let third = HEADER + frame(6) + 2 * frame(1);
    for tear in [0, 8] {
        let dir = copy(dir.path());
        promise(dir.path(), 1);
        write(&segment(dir.path(), 0), third + tear, &[0; 8]);
        let (journal, recovery) = open(dir.path(), small());
        assert_eq!(recovery.entries, 1);
        assert!(recovery.torn_bytes > 0);
        assert_eq!(all(&journal), [b"before"]);
    }
}
