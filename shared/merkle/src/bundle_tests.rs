//! Entry bundles: exactly so many entries, nothing after them.

use proptest::prelude::*;

use crate::{
    bundle::{BadBundle, BundleId, ENTRY_BYTES_MAX, EntryTooLarge, append},
    testing::byte_changes,
};

fn bundle(entries: &[&[u8]]) -> (BundleId, Vec<u8>) {
    let mut bytes = Vec::new();
    entries.iter().for_each(|entry| append(&mut bytes, entry).unwrap());
    (BundleId::within(0, entries.len() as u64).unwrap(), bytes)
}

/// The beginning of transparency-dev/tessera's `testdata/log/tile/entries/000.p/15`.
#[test]
fn entries_are_written_after_their_lengths() {
    let (id, bytes) = bundle(&[b"one", b"two", b""]);
    assert_eq!(bytes, b"\0\x03one\0\x03two\0\0");
    assert_eq!(id.entries(&bytes).unwrap(), [&b"one"[..], b"two", b""]);
}

#[test]
fn more_or_less_than_the_entries_is_refused() {
    let (id, bytes) = bundle(&[b"one", b"two"]);
    for end in 0..bytes.len() {
        assert_eq!(id.entries(&bytes[..end]), Err(BadBundle::Short), "{end} bytes");
    }
    let longer = [&bytes[..], b"\0\0"].concat();
    assert_eq!(id.entries(&longer), Err(BadBundle::Trailing(2)));
    let other = BundleId::within(0, 3).unwrap();
    assert_eq!(other.entries(&bytes), Err(BadBundle::Short));
    assert!(other.entries(&longer).is_ok());
}

#[test]
fn signatures_lie_beside_the_entries_under_one_spelling() {
    let id = BundleId::within(1_234, 1_234 * 256 + 7).unwrap();
    assert_eq!(id.signatures(), "tile/signatures/x001/234.p/7");
    assert_eq!(BundleId::of_signatures(&id.signatures()), Ok(id));
    for wrong in ["tile/entries/000", "tile/signatures/0", "tile/signatures/000.p/256"] {
        assert!(BundleId::of_signatures(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn an_entry_has_a_longest_length() {
    let mut bytes = Vec::new();
    let longest = vec![7; ENTRY_BYTES_MAX];
    append(&mut bytes, &longest).unwrap();
    let before = bytes.clone();
    let too_long = vec![7; ENTRY_BYTES_MAX + 1];
    let refused = append(&mut bytes, &too_long);
    assert_eq!(refused, Err(EntryTooLarge { bytes: ENTRY_BYTES_MAX + 1 }));
    assert_eq!(bytes, before);
    assert_eq!(BundleId::within(0, 1).unwrap().entries(&bytes).unwrap(), [longest]);
}

#[test]
fn a_changed_byte_is_refused_or_changes_the_entries() {
    let (id, bytes) = bundle(&[b"tieng", b"", b"keng"]);
    for changed in byte_changes(&bytes) {
        if let Ok(entries) = id.entries(&changed) {
            assert_eq!(bundle(&entries).1, changed);
        }
    }
}

proptest! {
    #[test]
    fn entries_come_back(entries: Vec<Vec<u8>>) {
        let entries: Vec<&[u8]> = entries.iter().take(256).map(Vec::as_slice).collect();
        if !entries.is_empty() {
            let (id, bytes) = bundle(&entries);
            prop_assert_eq!(id.entries(&bytes).unwrap(), entries);
        }
    }
}
