//! Tiles: which there are, their paths, and a writer that stops and goes on at any size.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::{
    bundle::{BundleId, bundles_since},
    proof::root_of,
    testing::{Log, leaves, mth},
    tile::{TileId, tiles_since},
    tile_writer::TileWriter,
};

fn paths(old: u64, new: u64) -> Vec<String> {
    tiles_since(old, new).map(|tile| tile.to_string()).collect()
}

#[test]
fn a_size_has_these_tiles() {
    assert_eq!(paths(0, 0), [""; 0]);
    assert_eq!(paths(0, 1), ["tile/0/000.p/1"]);
    assert_eq!(paths(0, 255), ["tile/0/000.p/255"]);
    assert_eq!(paths(0, 256), ["tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(paths(0, 257), ["tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"]);
    let of_70_000 = paths(0, 70_000);
    let (full, rest) = of_70_000.split_at(273);
    assert_eq!((full[0].as_str(), full[272].as_str()), ("tile/0/000", "tile/0/272"));
    assert_eq!(rest, ["tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]);
    let bundles: Vec<_> = bundles_since(0, 70_000).map(|bundle| bundle.to_string()).collect();
    assert_eq!(bundles.len(), 274);
    assert_eq!(bundles[273], "tile/entries/273.p/112");
}

#[test]
fn a_size_has_these_tiles_that_a_smaller_one_had_not() {
    assert_eq!(paths(5, 5), [""; 0]);
    assert_eq!(paths(6, 5), [""; 0]);
    assert_eq!(paths(5, 6), ["tile/0/000.p/6"]);
    assert_eq!(paths(255, 256), ["tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(paths(256, 257), ["tile/0/001.p/1"]);
    assert_eq!(paths(511, 513), ["tile/0/001", "tile/0/002.p/1", "tile/1/000.p/2"]);
    assert_eq!(
        paths(65_535, 65_536),
        ["tile/0/255", "tile/1/000", "tile/2/000.p/1"],
        "three levels at once"
    );
    let bundles: Vec<_> = bundles_since(250, 600).map(|bundle| bundle.to_string()).collect();
    assert_eq!(bundles, ["tile/entries/000", "tile/entries/001", "tile/entries/002.p/88"]);
    // Nothing is computed for tiles that nobody takes, and no shift overflows.
    assert_eq!(tiles_since(0, u64::MAX).next(), TileId::within(0, 0, u64::MAX));
}

#[test]
fn a_tile_stands_in_a_tree_or_does_not() {
    let tile = TileId::within(1, 2, 140_000).unwrap();
    assert_eq!((tile.level(), tile.index(), tile.width(), tile.bytes()), (1, 2, 34, 34 * 32));
    assert!(!tile.is_full() && TileId::within(1, 1, 140_000).unwrap().is_full());
    assert_eq!(TileId::within(1, 3, 140_000), None);
    assert_eq!(TileId::within(0, u64::MAX, u64::MAX), None);
    assert_eq!(TileId::within(63, 0, u64::MAX), None);
    assert_eq!(BundleId::within(1, 256), None);
    assert_eq!(BundleId::within(1, 257).map(BundleId::width), Some(1));
}

#[test]
fn only_one_spelling_of_a_path_is_read() {
    for path in [
        "tile/0/000",
        "tile/0/000.p/1",
        "tile/63/999.p/255",
        "tile/1/x001/x234/067",
        "tile/0/x018/x446/x744/x073/x709/x551/615",
    ] {
        assert_eq!(path.parse::<TileId>().unwrap().to_string(), path);
        let entries = path.replacen(|level: char| level.is_ascii_digit(), "entries", 1);
        let entries = entries.replace("entries3", "entries");
        assert_eq!(entries.parse::<BundleId>().unwrap().to_string(), entries);
    }
    for path in [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/0/000/",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/+1/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/+00",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/0/x001/x000",
        "tile/0/X001/000",
        "tile/0/xx01/000",
        "tile/0/000.p/0",
        "tile/0/000.p/00",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/65537",
        "tile/0/000.p/+1",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000.p/1.p/1",
        "tile/0/000.p/1/",
        "tile/8/0/000",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x001/x018/x446/x744/x073/x709/x551/615",
        "tile/0/０００",
    ] {
        assert!(path.parse::<TileId>().is_err(), "{path}");
        assert!(path.replacen("/0/", "/entries/", 1).parse::<BundleId>().is_err(), "{path}");
    }
    assert!("tile/entries/000".parse::<TileId>().is_err());
}

#[test]
fn a_writer_writes_every_tile_of_every_checkpoint() {
    let leaves = leaves(70_000);
    let mut log = Log::default();
    let mut before = 0;
    for size in [1, 2, 255, 256, 257, 300, 511, 512, 65_535, 65_536, 65_537, 70_000] {
        log.tiles.clear();
        log.append(&leaves[before..size]);
        let written: BTreeSet<TileId> = log.tiles.keys().copied().collect();
        let new: BTreeSet<TileId> = tiles_since(before as u64, size as u64).collect();
        assert_eq!(written, new, "{before} to {size}");
        assert!(log.tiles.iter().all(|(tile, bytes)| tile.bytes() == bytes.len()));
        before = size;
    }
    assert_eq!(log.writer.root(), mth(&leaves));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_writer_goes_on_from_its_tiles(before in 0_usize..1200, after in 0_usize..800) {
        let leaves = leaves((before + after) as u64);
        let (first, second) = leaves.split_at(before);
        let mut log = Log::of(first);
        log.writer = TileWriter::resume(before as u64, log.read()).unwrap();
        prop_assert_eq!(log.writer.root(), mth(first));
        log.append(second);
        let whole = Log::of(&leaves);
        prop_assert_eq!(log.writer.root(), whole.writer.root());
        prop_assert_eq!(log.writer.size(), whole.writer.size());
        for (tile, bytes) in &whole.tiles {
            prop_assert_eq!(log.tiles.get(tile), Some(bytes), "{}", tile);
        }
        prop_assert_eq!(root_of(leaves.len() as u64, log.read()), Ok(mth(&leaves)));
    }

    #[test]
    fn paths_come_back(level in 0_u8..8, index: u64, size: u64) {
        if let Some(tile) = TileId::within(level, index % (1 + (size >> 8)), size) {
            prop_assert_eq!(tile.to_string().parse(), Ok(tile));
        }
    }

    #[test]
    fn what_is_read_as_a_path_is_printed_so(path in "tile/(6?[0-9]|entries)/(x[0-9]{3}/){0,3}[0-9]{2,4}(\\.p/[0-9]{1,3})?") {
        if let Ok(tile) = path.parse::<TileId>() {
            prop_assert_eq!(tile.to_string(), path);
        } else if let Ok(bundle) = path.parse::<BundleId>() {
            prop_assert_eq!(bundle.to_string(), path);
        }
    }
}
