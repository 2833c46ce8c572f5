//! Every byte of a log counts: each is flipped, and each is found.

use std::{fs, path::Path};

use merkle::{LogKey, bundle};
use tempfile::TempDir;

use super::*;

const SEED: [u8; 32] = [7; 32];

fn log_key() -> LogKey {
    LogKey::from_seed("keng.example.vn", &SEED).unwrap()
}

fn entry(index: u64) -> Vec<u8> {
    format!("record {index}").into_bytes()
}

/// Every third is signed.
fn signature(index: u64) -> Vec<u8> {
    if index.is_multiple_of(3) { format!("by {index}").into_bytes() } else { Vec::new() }
}

fn put(dir: &Path, path: &str, bytes: &[u8]) {
    let path = dir.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A log of so many entries, as its writer leaves it.
fn log(size: u64) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut tiles = TileWriter::default();
    for index in 0..size {
        for tile in tiles.push(leaf(&entry(index))) {
            put(dir.path(), &tile.id.to_string(), &tile.bytes);
        }
    }
    tiles.partial_since(0).for_each(|tile| put(dir.path(), &tile.id.to_string(), &tile.bytes));
    for id in bundles_since(0, size) {
        let (mut bytes, mut signatures) = (Vec::new(), Vec::new());
        for index in (id.index() * 256..).take(id.width().into()) {
            bundle::append(&mut bytes, &entry(index)).unwrap();
            bundle::append(&mut signatures, &signature(index)).unwrap();
        }
        put(dir.path(), &id.to_string(), &bytes);
        put(dir.path(), &id.signatures(), &signatures);
    }
    let checkpoint = SignedCheckpoint::sign(&log_key(), size, tiles.root());
    put(dir.path(), CHECKPOINT, checkpoint.to_string().as_bytes());
    dir
}

fn check(dir: &Path) -> Result<Whole, Wrong> {
    let key = log_key();
    let keys = Keys { log: key.verifier(), witnesses: &[] };
    whole(&Folder::at(dir), keys, &signed(), |index, found| match () {
        () if found.open != entry(index) => Err("another entry".to_owned()),
        () if found.signature != signature(index) => Err("another signature".to_owned()),
        () => Ok(()),
    })
}

fn signed() -> Beside {
    Beside { signatures: true, files: BTreeSet::new() }
}

#[test]
fn whole_logs_of_all_sizes_pass() {
    for size in [0, 1, 2, 255, 256, 257, 600, 70_000] {
        let dir = log(size);
        let found = check(dir.path()).unwrap();
        assert_eq!(found.checkpoint.checkpoint().size(), size);
        assert_eq!(found.signers, ["keng.example.vn"]);
    }
}

/// The tree alone: whatever an entry says is taken.
fn check_tree(dir: &Path) -> Result<Whole, Wrong> {
    let key = log_key();
    let keys = Keys { log: key.verifier(), witnesses: &[] };
    whole(&Folder::at(dir), keys, &signed(), |_, _| Ok(()))
}

/// What finds an altered byte of a file. Signatures lie outside of the tree: no hash covers them,
/// and whether each is of its entry, by a key of the log, is `history::Tally`'s matter; here they
/// are compared with what they were.
fn checking(path: &str) -> fn(&Path) -> Result<Whole, Wrong> {
    if path.starts_with("tile/signatures/") { check } else { check_tree }
}

/// Flips bits of every byte of a small log.
#[test]
fn every_byte_of_a_small_log_counts() {
    let dir = log(5);
    let folder = Folder::at(dir.path());
    let mut flips = 0;
    for path in folder.files().unwrap() {
        let file = dir.path().join(&path);
        let (bytes, check) = (fs::read(&file).unwrap(), checking(&path));
        for at in 0..bytes.len() {
            for bit in [0x01, 0x20, 0x80] {
                let mut flipped = bytes.clone();
                flipped[at] ^= bit;
                fs::write(&file, flipped).unwrap();
                assert!(check(dir.path()).is_err(), "{path}: byte {at}, bit {bit:#x}");
                flips += 1;
            }
        }
        // Nor can it be cut, or made longer.
        fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
        assert!(check(dir.path()).is_err(), "{path}: cut");
        fs::write(&file, [&bytes[..], b"\n"].concat()).unwrap();
        assert!(check(dir.path()).is_err(), "{path}: longer");
        fs::write(&file, bytes).unwrap();
    }
    assert!(flips > 1_000, "{flips}");
    check_tree(dir.path()).unwrap();
}

/// The root and the signature depend on all of them, so a sample does.
#[test]
fn a_sample_of_the_bytes_of_a_large_log_counts() {
    let dir = log(1_000);
    let files = Folder::at(dir.path()).files().unwrap();
    for path in files {
        let file = dir.path().join(&path);
        let bytes = fs::read(&file).unwrap();
        for at in (0..bytes.len()).step_by(bytes.len() / 5 + 1) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            fs::write(&file, flipped).unwrap();
            assert!(checking(&path)(dir.path()).is_err(), "{path}: byte {at}");
        }
        fs::write(&file, bytes).unwrap();
    }
    check(dir.path()).unwrap();
}

/// Entries of one length, so that no frame is moved.
#[test]
fn two_entries_that_changed_places_are_found() {
    for (size, one, other) in [(5, 1, 3), (300, 10, 11), (300, 256, 299)] {
        let dir = log(size);
        let id = BundleId::within(one / 256, size).unwrap();
        let file = dir.path().join(id.to_string());
        let bytes = fs::read(&file).unwrap();
        let mut entries: Vec<Vec<u8>> =
            id.entries(&bytes).unwrap().into_iter().map(<[u8]>::to_vec).collect();
        let (one, other) = ((one % 256) as usize, (other % 256) as usize);
        assert_eq!(entries[one].len(), entries[other].len());
        entries.swap(one, other);
        let mut swapped = Vec::new();
        entries.iter().for_each(|entry| bundle::append(&mut swapped, entry).unwrap());
        assert_eq!(swapped.len(), bytes.len());
        fs::write(&file, swapped).unwrap();
        let found = check_tree(dir.path()).unwrap_err();
        assert!(matches!(found, Wrong::Tile(_)), "{size}: {found}");
    }
}

#[test]
fn what_is_missing_too_much_or_in_another_place_is_named() {
    let dir = log(600);
    let named = |change: &dyn Fn(&Path)| {
        let dir = log(600);
        change(dir.path());
        check(dir.path()).unwrap_err().to_string()
    };
    check(dir.path()).unwrap();
    let remove = |path: &'static str| named(&move |dir| fs::remove_file(dir.join(path)).unwrap());
    assert_eq!(remove("tile/0/001"), "tile/0/001: it is missing");
    assert_eq!(remove("tile/signatures/001"), "tile/signatures/001: it is missing");
    assert_eq!(remove("checkpoint"), "checkpoint: there is none");
    let add = named(&|dir| put(dir, "tile/0/003", b"x"));
    assert_eq!(add, "tile/0/003: a log of this size has no such file");
    let note = named(&|dir| put(dir, "note.txt", b"x"));
    assert_eq!(note, "note.txt: a log of this size has no such file");
    let swapped = named(&|dir| {
        let (one, other) = (dir.join("tile/entries/000"), dir.join("tile/entries/001"));
        let held = fs::read(&one).unwrap();
        fs::copy(&other, &one).unwrap();
        fs::write(&other, held).unwrap();
    });
    assert_eq!(swapped, "entry 0: another entry");
    let swapped = named(&|dir| {
        let (one, other) = (dir.join("tile/signatures/000"), dir.join("tile/signatures/001"));
        let held = fs::read(&one).unwrap();
        fs::copy(&other, &one).unwrap();
        fs::write(&other, held).unwrap();
    });
    assert_eq!(swapped, "entry 0: another signature");
    // An old checkpoint of the same log, with its files gone on.
    let old = log(500);
    let old = fs::read(old.path().join(CHECKPOINT)).unwrap();
    let rolled = named(&move |dir| fs::write(dir.join(CHECKPOINT), &old).unwrap());
    assert_eq!(rolled, "tile/0/001.p/244: it is missing");
    // Where signatures are not asked for there must be none.
    let key = log_key();
    let keys = Keys { log: key.verifier(), witnesses: &[] };
    let bare = whole(&Folder::at(dir.path()), keys, &Beside::default(), |_, _| Ok(()));
    let bare = bare.unwrap_err().to_string();
    assert_eq!(bare, "tile/signatures/000: a log of this size has no such file");
}

#[test]
fn signatures_are_of_the_keys_that_are_given_and_of_no_other() {
    let dir = log(3);
    let path = dir.path().join(CHECKPOINT);
    let mut checkpoint = SignedCheckpoint::parse(&fs::read(&path).unwrap()).unwrap();
    let witness = merkle::WitnessKey::from_seed("tinh.example.vn", &[9; 32]).unwrap();
    let line = witness.cosign(checkpoint.checkpoint(), 1_735_689_600).unwrap();
    checkpoint.add(line).unwrap();
    fs::write(&path, checkpoint.to_string()).unwrap();
    let unknown = check(dir.path()).unwrap_err().to_string();
    assert!(unknown.contains("a signature of tinh.example.vn"), "{unknown}");
    let key = log_key();
    let witnesses = [witness.verifier().clone()];
    let keys = Keys { log: key.verifier(), witnesses: &witnesses };
    let folder = Folder::at(dir.path());
    let found = whole(&folder, keys, &signed(), |_, _| Ok(())).unwrap();
    assert_eq!(found.signers, ["keng.example.vn", "tinh.example.vn"]);
    // Somebody else's log under the same name.
    let other = LogKey::from_seed("keng.example.vn", &[8; 32]).unwrap();
    let keys = Keys { log: other.verifier(), witnesses: &witnesses };
    assert!(whole(&folder, keys, &signed(), |_, _| Ok(())).is_err());
}

#[test]
fn a_narrow_file_that_is_gone_is_the_beginning_of_the_full_one() {
    let (before, after) = (log(300), log(600));
    let (before, after) = (Folder::at(before.path()), Folder::at(after.path()));
    let tile = TileId::within(0, 1, 300).unwrap();
    let bundle = bundles_since(0, 300).last().unwrap();
    assert_eq!(bundle.to_string(), "tile/entries/001.p/44");
    assert_eq!(after.tile(tile).unwrap(), before.tile(tile).unwrap());
    assert_eq!(after.bundle(bundle).unwrap(), before.bundle(bundle).unwrap());
    assert!(bundle.of_wider(&[0, 1]).is_err());
}

#[test]
fn a_log_has_grown_from_what_was_seen_of_it_or_is_refused() {
    let size = 600;
    let dir = log(size);
    let folder = Folder::at(dir.path());
    let now = check_tree(dir.path()).unwrap();
    let seen = |entries: &mut dyn Iterator<Item = Vec<u8>>| {
        let mut tiles = TileWriter::default();
        entries.for_each(|entry| drop(tiles.push(leaf(&entry))));
        SignedCheckpoint::sign(&log_key(), tiles.size(), tiles.root())
    };
    let grown = |seen: SignedCheckpoint| grown_from(&folder, &now, seen.checkpoint());
    for before in [0, 1, 2, 255, 256, 257, 300, 512, 513, 599, 600] {
        grown(seen(&mut (0..before).map(entry))).unwrap();
    }
    let later = grown(seen(&mut (0..601).map(entry))).unwrap_err();
    assert!(matches!(later, Wrong::Shrunk { size: 600, seen: 601 }), "{later}");
    for before in [1, 256, 300, 600] {
        let other = |index| if index == before / 2 { b"other".to_vec() } else { entry(index) };
        let found = grown(seen(&mut (0..before).map(other))).unwrap_err();
        let said = found.to_string();
        assert!(said.contains(&format!("the first {before} of {size} entries")), "{said}");
    }
}
