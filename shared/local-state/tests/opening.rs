//! What is found on opening: after a crash, after damage, beside another process.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy sees helpers outside of #[test]"
)]

use std::{
    fs::{self, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::Path,
};

use local_state::{Change, Cursor, ENTRY_BYTES_MAX, LocalState, OpenError, Opened, StateError};

fn cursor(position: u64) -> Cursor {
    Cursor { position, hash: [7; 32] }
}

/// Entry `n` together with the cursor that stands on it.
fn step(n: u64) -> Change {
    Change {
        puts: vec![(n.to_be_bytes().to_vec(), vec![u8::try_from(n % 251).unwrap(); 200])],
        deletes: Vec::new(),
        cursors: vec![("alert".to_owned(), cursor(n))],
    }
}

/// Entries 1 to n are there, and nothing else, where the cursor stands on n.
fn assert_whole(state: &LocalState) -> u64 {
    let model = state.model("groups").unwrap();
    let position = model.cursor("alert").map_or(0, |cursor| cursor.position);
    let keys: Vec<u64> = model
        .scan()
        .map(|entry| u64::from_be_bytes(entry.unwrap().0.try_into().unwrap()))
        .collect();
    assert_eq!(keys, (1..=position).collect::<Vec<_>>());
    position
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

async fn filled(path: &Path, steps: u64) {
    let (state, opened) = LocalState::open(path).unwrap();
    assert_eq!(opened, Opened::Fresh);
    let model = state.model("groups").unwrap();
    for n in 1..=steps {
        model.commit(step(n)).await.unwrap();
    }
    drop(model);
    state.close().await;
}

#[tokio::test]
async fn what_was_committed_is_there_though_nobody_closed() {
    let dir = tempfile::tempdir().unwrap();
    let (state, opened) = LocalState::open(&dir.path().join("live")).unwrap();
    assert_eq!(opened, Opened::Fresh);
    let model = state.model("groups").unwrap();
    for n in 1..=50 {
        model.commit(step(n)).await.unwrap();
    }
    copy(&dir.path().join("live"), &dir.path().join("copy"));
    let (copied, opened) = LocalState::open(&dir.path().join("copy")).unwrap();
    assert_eq!(opened, Opened::Existing);
    assert_eq!(assert_whole(&copied), 50);

    drop((state, model));
    let (state, opened) = LocalState::open(&dir.path().join("live")).unwrap();
    assert_eq!(opened, Opened::Existing);
    assert_eq!(assert_whole(&state), 50);
}

#[tokio::test]
async fn a_copy_taken_at_any_moment_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let live = dir.path().join("live");
    let (state, _) = LocalState::open(&live).unwrap();
    let model = state.model("groups").unwrap();
    let writer = tokio::spawn({
        let model = model.clone();
        async move {
            for n in 1..=400 {
                model.commit(step(n)).await.unwrap();
            }
        }
    });
    for round in 0..5 {
        let before = model.cursor("alert").map_or(0, |cursor| cursor.position);
        let to = dir.path().join(format!("copy-{round}"));
        let from = live.clone();
        let target = to.clone();
        tokio::task::spawn_blocking(move || copy(&from, &target)).await.unwrap();
        // A copy made file by file is harsher than a crash: sled's own files may disagree in it,
        // and then the answer must be a fresh start, never a hole.
        let (copied, opened) = LocalState::open(&to).unwrap();
        let position = assert_whole(&copied);
        assert!(opened == Opened::Rebuilt || position >= before, "{opened:?} {position} {before}");
    }
    writer.await.unwrap();
}

#[tokio::test]
async fn entries_and_cursors_are_replaced_deleted_and_cleared() {
    let dir = tempfile::tempdir().unwrap();
    let (state, _) = LocalState::open(dir.path().join("s").as_path()).unwrap();
    let model = state.model("groups").unwrap();
    for n in 1..=3 {
        model.commit(step(n)).await.unwrap();
    }
    let change = Change {
        puts: vec![(vec![0xff; 3], Vec::new())],
        deletes: vec![2u64.to_be_bytes().to_vec()],
        cursors: vec![("cmd".to_owned(), cursor(9))],
    };
    model.commit(change).await.unwrap();
    assert_eq!(model.get(&2u64.to_be_bytes()).unwrap(), None);
    assert_eq!(model.get(&[0xff; 3]).unwrap(), Some(Vec::new()));
    assert_eq!(model.scan_prefix(&[0xff]).count(), 1);
    assert_eq!(model.cursor("alert"), Some(cursor(3)));
    assert_eq!(model.cursor("cmd"), Some(cursor(9)));
    assert_eq!(state.model("other").unwrap().scan().count(), 0);

    model.clear().await.unwrap();
    assert_eq!(model.cursor("cmd"), None);
    assert_eq!(model.scan().count(), 0);
    model.commit(step(1)).await.unwrap();
    assert_eq!(assert_whole(&state), 1);
}

#[tokio::test]
async fn another_schema_clears_the_model() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let (state, _) = LocalState::open(&path).unwrap();
    let model = state.model_with_version("groups", 1).unwrap();
    model.commit(step(1)).await.unwrap();
    let other = state.model_with_version("groups", 2);
    assert!(matches!(other, Err(StateError::OtherVersion { open: 1, asked: 2, .. })));
    drop((model, other));
    state.close().await;

    let (state, _) = LocalState::open(&path).unwrap();
    let model = state.model_with_version("groups", 2).unwrap();
    assert_eq!((model.version(), model.scan().count()), (2, 0));
    assert_eq!(model.cursor("alert"), None);
}

#[tokio::test]
async fn a_large_entry_is_refused_and_nothing_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (state, _) = LocalState::open(&dir.path().join("s")).unwrap();
    let model = state.model("groups").unwrap();
    let sized =
        |bytes: usize| Change { puts: vec![(vec![1], vec![0; bytes - 1])], ..Change::default() };
    model.commit(sized(ENTRY_BYTES_MAX)).await.unwrap();
    let refused = model.commit(sized(ENTRY_BYTES_MAX + 1)).await;
    assert!(matches!(refused, Err(StateError::TooLarge { .. })));
    assert_eq!(model.get(&[1]).unwrap().unwrap().len(), ENTRY_BYTES_MAX - 1);
    // Entries of the largest size stay out of the files that sled does not sync.
    for n in 0..200u8 {
        let value = vec![n; ENTRY_BYTES_MAX - 2];
        let puts = vec![(vec![2, n], value)];
        model.commit(Change { puts, ..Change::default() }).await.unwrap();
    }
    assert_eq!(fs::read_dir(dir.path().join("s/blobs")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_second_holder_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let (state, _) = LocalState::open(&path).unwrap();
    assert!(matches!(LocalState::open(&path), Err(OpenError::Locked { .. })));
    let model = state.model("groups").unwrap();
    state.close().await;
    assert!(matches!(LocalState::open(&path), Err(OpenError::Locked { .. })));
    assert!(matches!(model.commit(step(1)).await, Err(StateError::Closed)));
    drop(model);
    assert_eq!(LocalState::open(&path).unwrap().1, Opened::Existing);
}

#[tokio::test]
async fn what_is_damaged_is_moved_aside_once_and_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    filled(&path, 300).await;
    for round in 1..=3 {
        fs::write(path.join("conf"), "no longer a configuration").unwrap();
        let (state, opened) = LocalState::open(&path).unwrap();
        assert_eq!(opened, Opened::Rebuilt);
        assert_eq!(assert_whole(&state), 0);
        state.model("groups").unwrap().commit(step(1)).await.unwrap();
        state.close().await;
        let names = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name());
        let aside: Vec<_> =
            names.filter(|name| name.to_string_lossy().contains("broken")).collect();
        assert_eq!(aside, [format!("s.broken-{round}").as_str()]);
    }
    let (state, opened) = LocalState::open(&path).unwrap();
    assert_eq!((opened, assert_whole(&state)), (Opened::Existing, 1));
}

const KEYS: u64 = 1_500;
const ROUNDS: u64 = 24;

/// Writes `n` under one of the keys, over and over, 50 at once, so that sled moves segments and
/// writes snapshots.
async fn worn(path: &Path, writes: u64) {
    let (state, _) = LocalState::open(path).unwrap();
    let model = state.model("groups").unwrap();
    for last in (50..=writes).step_by(50) {
        let puts = (last - 49..=last).map(|n| {
            let key = (n % KEYS).to_be_bytes().to_vec();
            (key, [n.to_be_bytes().as_slice(), &[1; 150]].concat())
        });
        let cursors = vec![("alert".to_owned(), cursor(last))];
        model.commit(Change { puts: puts.collect(), deletes: Vec::new(), cursors }).await.unwrap();
    }
    drop(model);
    state.close().await;
}

/// Whether the entries are those of the moment at which the cursor stands.
fn is_worn_whole(state: &LocalState) -> (u64, bool) {
    let model = state.model("groups").unwrap();
    let position = model.cursor("alert").map_or(0, |cursor| cursor.position);
    let mut found: Vec<u64> = model
        .scan()
        .map(|entry| u64::from_be_bytes(entry.unwrap().1[..8].try_into().unwrap()))
        .collect();
    found.sort_unstable();
    let wanted: Vec<u64> = (position.saturating_sub(KEYS) + 1..=position).collect();
    (position, found == wanted)
}

/// Whatever bytes are flipped or cut off, what opens is whole: an earlier state with its earlier
/// cursor, or a fresh start.
#[tokio::test]
async fn no_damage_to_the_file_leaves_a_hole() {
    let dir = tempfile::tempdir().unwrap();
    let sound = dir.path().join("sound");
    worn(&sound, 12_000).await;
    let length = fs::metadata(sound.join("db")).unwrap().len();
    for round in 0..ROUNDS {
        let path = dir.path().join(format!("damaged-{round}"));
        copy(&sound, &path);
        let mut file = OpenOptions::new().write(true).open(path.join("db")).unwrap();
        if round % 4 == 3 {
            file.set_len(length * round / ROUNDS).unwrap();
        } else {
            file.seek(SeekFrom::Start(length * round / ROUNDS + round)).unwrap();
            file.write_all(&[0xa5; 64]).unwrap();
        }
        let (state, opened) = LocalState::open(&path).unwrap();
        let (position, whole) = is_worn_whole(&state);
        assert!(whole, "round {round}: {opened:?} at {position}");
    }
}

#[test]
fn a_place_that_cannot_be_written_is_for_the_operator() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let opened = LocalState::open(&dir.path().join("file/s"));
    assert!(matches!(opened, Err(OpenError::Unusable { .. })));
}
