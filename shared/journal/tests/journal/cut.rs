//! Cutting what nobody was promised.

use journal::CutError;

use super::*;

/// Entries 0 to 19 in several segments; 5, 6 and 7 are a group.
fn twenty(dir: &Path) -> Vec<Vec<u8>> {
    let (journal, _) = open(dir, small());
    let entries: Vec<_> = (0..20u8).map(|n| vec![n + 1; 700]).collect();
    let payload = |n: usize| bytes::Bytes::from(entries[n].clone());
    for n in 0..5 {
        journal.append(payload(n)).unwrap();
    }
    journal.append_all((5..8).map(payload).collect()).unwrap();
    for n in 8..20 {
        journal.append(payload(n)).unwrap();
    }
    wait(journal.close());
    entries
}

#[test]
fn a_cut_forgets_what_comes_after_for_good() {
    for index in 0..=20 {
        let dir = tempfile::tempdir().unwrap();
        let entries = twenty(dir.path());
        let (journal, _) = open(dir.path(), small());
        let left = journal.cut(index).unwrap();
        let expected = if (5..8).contains(&index) { 5 } else { index };
        assert_eq!(left, expected);
        assert_eq!((journal.end(), journal.durable_end()), (left, left));
        assert_eq!(all(&journal), entries[..left as usize]);
        drop(journal);
        let (journal, recovery) = open(dir.path(), small());
        assert_eq!(recovery, Recovery { entries: left, torn_bytes: 0, promised: left });
        assert_eq!(journal.append("new".into()).unwrap(), left);
        wait(journal.durable(left)).unwrap();
        assert!(matches!(journal.cut(0), Err(CutError::InUse)));
        drop(journal);
        let (journal, recovery) = open(dir.path(), small());
        assert_eq!(recovery.entries, left + 1);
        assert_eq!(journal.read(left).unwrap(), "new");
    }
}

#[test]
fn cuts_may_follow_one_another_before_the_first_append() {
    let dir = tempfile::tempdir().unwrap();
    let entries = twenty(dir.path());
    let (journal, _) = open(dir.path(), small());
    assert!(matches!(journal.cut(21), Err(CutError::Beyond { index: 21, end: 20 })));
    assert_eq!(journal.cut(18).unwrap(), 18);
    assert_eq!(journal.cut(18).unwrap(), 18);
    assert_eq!(journal.cut(3).unwrap(), 3);
    assert!(matches!(journal.cut(18), Err(CutError::Beyond { index: 18, end: 3 })));
    assert_eq!(journal.append("new".into()).unwrap(), 3);
    assert_eq!(journal.read_from(2, 9, 9999).unwrap(), [entries[2].as_slice(), b"new"]);
    wait(journal.durable(3)).unwrap();
    assert_eq!(journal.read(2).unwrap(), entries[2]);
}
