//! Sealed parts at rest: encrypted under the newest key, read under any that is here, and not
//! opened at all where one is missing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use domain::ids::{AlertId, EntityName, Home, RecordId};
use event_log::{Class, Durable, EventLog, Following, Key, Kind, Record, Role, Seal, Step};
use event_log_embedded::{EmbeddedLog, EmbeddedOptions, OpenError};
use journal::{Journal, Options};
use keyring::Keyring;

const PATIENCE: Duration = Duration::from_secs(30);
const WORDS: &str = "Canary headline";

fn alert() -> AlertId {
    AlertId::raised_by(RecordId::of_purpose("alert"))
}

fn try_open(dir: &Path, keyring: &Keyring) -> Result<Arc<EmbeddedLog>, OpenError> {
    let keyring = keyring.clone();
    EmbeddedLog::open(dir, EmbeddedOptions { keyring, ..Default::default() })
}

fn commit(version: u64) -> Record {
    let entity = EntityName::alert(alert());
    Record {
        id: RecordId::of_purpose(&version.to_string()),
        key: Key { class: Class::Alert, home: Home::NATION, entity },
        kind: Kind::Commit { version },
        open: Bytes::from(format!("open {version}")),
        sealed: Some(format!("{WORDS} {version}").into()),
        signature: None,
    }
}

async fn append(dir: &Path, keyring: &Keyring, version: u64) {
    let log = try_open(dir, keyring).unwrap();
    let at = log.append(vec![commit(version)]).await.unwrap().at;
    assert_eq!(log.durable(at, PATIENCE).await, Durable::Stored);
    log.close().await;
}

async fn words(dir: &Path, keyring: &Keyring) -> Vec<Option<Bytes>> {
    let log = try_open(dir, keyring).unwrap();
    let found = log.load(&commit(1).key, None).await.unwrap();
    log.close().await;
    found.iter().map(|recorded| recorded.seal.bytes().cloned()).collect()
}

/// How often the words stand in the files of the sealed parts.
fn on_disk(dir: &Path) -> usize {
    let files = fs::read_dir(dir.join("sealed")).unwrap().map(|file| file.unwrap().path());
    let bytes = files.map(|file| fs::read(file).unwrap());
    let times = |bytes: Vec<u8>| {
        bytes.windows(WORDS.len()).filter(|part| *part == WORDS.as_bytes()).count()
    };
    bytes.map(times).sum()
}

#[tokio::test]
async fn what_was_written_without_a_key_or_under_an_older_one_is_still_read() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    let (none, old) = (Keyring::default(), Keyring::make(&file).unwrap());
    let dir = dir.path().join("events");
    append(&dir, &none, 1).await;
    assert_eq!(on_disk(&dir), 1);
    append(&dir, &old, 2).await;
    let text = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    Keyring::make(&file).unwrap();
    fs::write(&file, fs::read_to_string(&file).unwrap() + &text).unwrap();
    let both = Keyring::read(&file).unwrap();
    append(&dir, &both, 3).await;
    let here = |version| commit(version).sealed;
    assert_eq!(words(&dir, &both).await, [here(1), here(2), here(3)]);
    assert_eq!(on_disk(&dir), 1, "only what was there before the key");
    for (lacking, key) in [(&old, both.newest()), (&none, old.newest())] {
        let refused = try_open(&dir, lacking).unwrap_err();
        assert!(matches!(refused, OpenError::NoKey { key: named, .. } if Some(named) == key));
    }
}

#[tokio::test]
async fn what_is_erased_leaves_no_ciphertext() {
    let dir = tempfile::tempdir().unwrap();
    let keys = Keyring::fresh().unwrap();
    append(dir.path(), &keys, 1).await;
    let files = || fs::read_dir(dir.path().join("sealed")).unwrap();
    let segments = || files().map(|file| fs::read(file.unwrap().path()).unwrap());
    let holds =
        |part: &[u8]| segments().any(|bytes| bytes.windows(part.len()).any(|found| found == part));
    // A piece of the ciphertext: what stands behind the word, the key and the nonce.
    let place = |bytes: &Vec<u8>| bytes.windows(5).position(|part| part == b"keng1");
    let (bytes, at) = segments().find_map(|bytes| place(&bytes).map(|at| (bytes, at))).unwrap();
    let ciphertext = bytes[at + 25..at + 41].to_vec();
    assert!(holds(&ciphertext));
    let log = try_open(dir.path(), &keys).unwrap();
    assert_eq!(log.erase(alert(), &[]).await.unwrap(), 1);
    assert!(!holds(&ciphertext) && !holds(b"keng1"), "neither it nor its key's id is left");
    let left = log.load(&commit(1).key, None).await.unwrap();
    assert_eq!(left[0].seal, Seal::Missing);
}

#[tokio::test]
async fn a_log_is_followed_up_to_the_first_part_that_cannot_be_opened() {
    let dir = tempfile::tempdir().unwrap();
    let keys = Keyring::fresh().unwrap();
    for version in 1..=6 {
        append(dir.path(), &keys, version).await;
    }
    // The fourth part is altered as no disk alters one: its checksum is right.
    let sealed = Journal::open(&dir.path().join("sealed"), Options::default()).unwrap().0;
    let mut altered = sealed.read(3).unwrap().to_vec();
    *altered.last_mut().unwrap() ^= 1;
    sealed.replace(&BTreeMap::from([(3, altered.into())])).unwrap();
    sealed.close().await;

    let log = try_open(dir.path(), &keys).unwrap();
    let following = Following { class: Class::Alert, role: Role::Projection, from: None };
    let mut projection = log.follow(following).await.unwrap();
    for version in 1..=3 {
        let Step::Record(recorded) = projection.next().await.unwrap() else { panic!("a record") };
        assert_eq!(recorded.seal.bytes(), commit(version).sealed.as_ref());
    }
    assert!(projection.next().await.is_err(), "it is not passed over");
    log.close().await;
}

#[tokio::test]
async fn a_log_is_followed_up_to_the_first_entry_that_the_disk_has_lost() {
    let keys = Keyring::fresh().unwrap();
    for journal in ["log", "sealed"] {
        let dir = tempfile::tempdir().unwrap();
        for version in 1..=6 {
            append(dir.path(), &keys, version).await;
        }
        let log = try_open(dir.path(), &keys).unwrap();
        // While it is open: what is damaged at the opening is found there.
        damage(&dir.path().join(journal), &commit(4));
        let following = Following { class: Class::Alert, role: Role::Projection, from: None };
        let mut projection = log.follow(following).await.unwrap();
        for version in 1..=3 {
            let step = projection.next().await.unwrap();
            let Step::Record(recorded) = step else { panic!("a record") };
            assert_eq!(recorded.open, commit(version).open, "{journal}");
        }
        assert!(projection.next().await.is_err(), "{journal}: it is not passed over");
        log.close().await;
    }
}

/// Flips a bit of the id of this record, where it lies in the files of a journal.
fn damage(journal: &Path, record: &Record) {
    let id = record.id.0.as_bytes();
    let mut places = 0;
    for file in fs::read_dir(journal).unwrap().map(|file| file.unwrap().path()) {
        let mut bytes = fs::read(&file).unwrap();
        if let Some(at) = bytes.windows(id.len()).position(|found| found == id) {
            *bytes.get_mut(at).unwrap() ^= 1;
            fs::write(&file, bytes).unwrap();
            places += 1;
        }
    }
    assert_eq!(places, 1);
}
