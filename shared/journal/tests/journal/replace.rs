//! Replacing entries: gone from every file, also after a crash at any step.

use std::{collections::BTreeMap, io::Write as _};

use journal::ReplaceError;

use super::*;

const SECRET: u8 = 0xc3;

/// Forty entries in several segments; every third is secret.
fn forty(dir: &Path) -> (Vec<Vec<u8>>, BTreeMap<u64, bytes::Bytes>) {
    let is_secret = |n: u8| n % 3 == 1;
    let entries: Vec<Vec<u8>> = (0..40u8)
        .map(|n| vec![if is_secret(n) { SECRET } else { n + 1 }; 100 + n as usize])
        .collect();
    filled(dir, entries.iter().map(Vec::as_slice));
    let secret = (0..40u8).filter(|n| is_secret(*n));
    let new = secret.map(|n| (u64::from(n), vec![0xee; 100 + n as usize].into())).collect();
    (entries, new)
}

fn after(mut entries: Vec<Vec<u8>>, new: &BTreeMap<u64, bytes::Bytes>) -> Vec<Vec<u8>> {
    new.iter().for_each(|(n, bytes)| entries[*n as usize] = bytes.to_vec());
    entries
}

fn holds_secret(dir: &Path) -> bool {
    files(dir).iter().any(|(_, bytes)| bytes.windows(64).any(|part| part == [SECRET; 64]))
}

#[test]
fn what_is_replaced_is_in_no_file_and_the_rest_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (entries, new) = forty(dir.path());
    assert!(holds_secret(dir.path()), "the search finds what is there");
    let (journal, _) = open(dir.path(), small());
    // A hole for the old file's blocks: whoever has it open sees it written over.
    let open_still = fs::File::open(segment(dir.path(), 0)).unwrap();
    journal.replace(&new).unwrap();
    let mut old = Vec::new();
    std::io::Read::read_to_end(&mut &open_still, &mut old).unwrap();
    assert!(!old.is_empty() && old.iter().all(|byte| *byte == 0), "written over");
    let expected = after(entries, &new);
    assert_eq!(all(&journal), expected);
    assert!(!holds_secret(dir.path()));
    // It goes on as before: the segment that is written to was replaced too.
    let index = journal.append("new".into()).unwrap();
    wait(journal.durable(index)).unwrap();
    assert_eq!(index, 40);
    drop(journal);
    let (journal, recovery) = open(dir.path(), small());
    assert_eq!((recovery.entries, recovery.torn_bytes), (41, 0));
    assert_eq!(all(&journal)[..40], expected);
    assert_eq!(journal.read(40).unwrap(), "new");
    assert!(!holds_secret(dir.path()));
}

#[test]
fn entries_written_at_the_same_time_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (entries, new) = forty(dir.path());
    let (journal, _) = open(dir.path(), Options { segment_bytes: 1 << 20, ..small() });
    let writer = journal.clone();
    let writing = std::thread::spawn(move || {
        (0..400u32).for_each(|n| {
            let index = writer.append(n.to_le_bytes().to_vec().into()).unwrap();
            wait(writer.durable(index)).unwrap();
        });
    });
    let mut rounds = 0;
    while !writing.is_finished() {
        journal.replace(&new).unwrap();
        assert_eq!(all(&journal)[..40], after(entries.clone(), &new));
        rounds += 1;
    }
    writing.join().unwrap();
    assert!(rounds > 0);
    drop(journal);
    let (journal, _) = open(dir.path(), small());
    let written = all(&journal);
    assert_eq!(written.len(), 440);
    assert!(written[40..].iter().zip(0..400u32).all(|(entry, n)| *entry == n.to_le_bytes()));
}

#[test]
fn a_crash_leaves_the_old_form_or_the_new_one_and_nothing_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let (entries, new) = forty(dir.path());
    let before = copy(dir.path());
    let (journal, _) = open(dir.path(), small());
    journal.replace(&new).unwrap();
    drop(journal);
    let name = segment(Path::new(""), 0).display().to_string();
    let (old, fresh) = (segment(before.path(), 0), segment(dir.path(), 0));
    let in_part = |form: &str, dir: &Path| dir.join(format!("{name}.{form}"));
    // While it is copied; after the second name was given; after the new form has its name.
    for step in ["copied", "linked", "renamed"] {
        let crashed = copy(before.path());
        let at = crashed.path();
        match step {
            "copied" => {
                let mut half = fs::File::create(in_part("new", at)).unwrap();
                half.write_all(&fs::read(&old).unwrap()[..2_000]).unwrap();
            }
            "linked" => {
                fs::copy(&fresh, in_part("new", at)).unwrap();
                fs::hard_link(segment(at, 0), in_part("old", at)).unwrap();
            }
            _ => {
                fs::rename(segment(at, 0), in_part("old", at)).unwrap();
                fs::copy(&fresh, segment(at, 0)).unwrap();
            }
        }
        let (journal, recovery) = open(at, small());
        assert_eq!(recovery.entries, 40, "{step}");
        let first = new.range(..1 + 1).next().map(|(index, _)| *index).unwrap();
        let is_new = journal.read(first).unwrap() == new[&first];
        assert_eq!(is_new, step == "renamed", "{step}");
        let left: Vec<_> = files(at).into_iter().map(|(path, _)| path).collect();
        let beside = |path: &&PathBuf| path.extension().is_some_and(|e| e == "new" || e == "old");
        assert_eq!(left.iter().find(beside), None, "{step}");
        // And it is done again.
        journal.replace(&new).unwrap();
        assert_eq!(all(&journal), after(entries.clone(), &new), "{step}");
        assert!(!holds_secret(at), "{step}");
    }
}

#[test]
fn only_what_is_on_disk_is_replaced_and_by_as_many_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (entries, _) = forty(dir.path());
    let (journal, _) = open(dir.path(), small());
    let one = |index: u64, bytes: usize| BTreeMap::from([(index, vec![1; bytes].into())]);
    let beyond = journal.replace(&one(40, 3));
    assert!(matches!(beyond, Err(ReplaceError::NotOnDisk { index: 40, end: 40 })));
    let longer = journal.replace(&one(5, 106));
    let says = ReplaceError::OtherLength { index: 5, bytes: 106, bytes_were: 105 };
    assert_eq!(longer.unwrap_err().to_string(), says.to_string());
    journal.replace(&BTreeMap::new()).unwrap();
    assert_eq!(all(&journal), entries);
}
