//! Proofs: all of small trees against the RFC's definitions, the vectors of transparency-dev/merkle
//! and tessera, and what must not verify.

use std::convert::Infallible;

use proptest::prelude::*;

use crate::{
    hash::{EMPTY_ROOT, Hash, leaf},
    proof::{Unprovable, consistency, inclusion, root_of},
    testing::{Log, base64_hashes, hash, hex, leaves, mth, path, subproof},
    tile::TileId,
    tree_tests::{ENTRIES, ROOTS},
    verification::{NotProven, verify_consistency, verify_inclusion},
};

/// Some hash that is in no tree here.
const SOME: &str = "abacaba000000000000000000000000000000000000000000060061e00123456";

#[test]
fn every_inclusion_in_small_trees_is_proved_as_defined() {
    let leaves = leaves(70);
    for size in 1..=leaves.len() {
        let tree = &leaves[..size];
        let (log, root) = (Log::of(tree), mth(tree));
        assert_eq!(root_of(size as u64, log.read()), Ok(root));
        for index in 0..size {
            let proof = inclusion(index as u64, size as u64, log.read()).unwrap();
            assert_eq!(proof, path(index, tree), "{index} in {size}");
            if is_corrupted(size) {
                refuse_corrupt_inclusions(tree[index], index as u64, size as u64, &proof, root);
            }
        }
    }
}

#[test]
fn every_consistency_of_small_trees_is_proved_as_defined() {
    let leaves = leaves(70);
    for new in 1..=leaves.len() {
        let (log, new_root) = (Log::of(&leaves[..new]), mth(&leaves[..new]));
        for old in 1..=new {
            let proof = consistency(old as u64, new as u64, log.read()).unwrap();
            assert_eq!(proof, subproof(old, &leaves[..new], true), "{old} to {new}");
            if is_corrupted(new) {
                let old_root = mth(&leaves[..old]);
                refuse_corrupt_consistencies(old as u64, old_root, new as u64, new_root, &proof);
            }
        }
    }
}

/// For which sizes every proof is also corrupted in every way: all would take many seconds.
fn is_corrupted(size: usize) -> bool {
    size <= 20 || (63..=66).contains(&size)
}

/// A proof that verifies, and its neighbours that must not: those of transparency-dev/merkle's
/// `corruptInclusionProof`, from which its `testdata/inclusion` is written.
fn refuse_corrupt_inclusions(leaf: Hash, index: u64, size: u64, proof: &[Hash], root: Hash) {
    assert_eq!(verify_inclusion(leaf, index, size, proof, root), Ok(()));
    let refused = |leaf, index, size, proof: &[Hash], root, what: &str| {
        assert!(verify_inclusion(leaf, index, size, proof, root).is_err(), "{what}");
    };
    let some = hash(SOME);
    refused(leaf, index.wrapping_sub(1), size, proof, root, "index - 1");
    refused(leaf, index + 1, size, proof, root, "index + 1");
    refused(leaf, index ^ 2, size, proof, root, "index ^ 2");
    refused(leaf, index, size * 2, proof, root, "size * 2");
    refused(leaf, index, size / 2, proof, root, "size / 2");
    refused(some, index, size, proof, root, "another leaf");
    refused(leaf, index, size, proof, EMPTY_ROOT, "empty root");
    refused(leaf, index, size, proof, some, "another root");
    for extra in [root, leaf, some] {
        refused(leaf, index, size, &[proof, &[extra]].concat(), root, "a hash after");
        refused(leaf, index, size, &[&[extra], proof].concat(), root, "a hash before");
    }
    for changed in changes(proof) {
        refused(leaf, index, size, &changed, root, "a hash changed or removed");
    }
}

/// The same for `corruptConsistencyProof` and `testdata/consistency`.
fn refuse_corrupt_consistencies(
    old: u64,
    old_root: Hash,
    new: u64,
    new_root: Hash,
    proof: &[Hash],
) {
    assert_eq!(verify_consistency(old, old_root, new, new_root, proof), Ok(()));
    let refused = |old, old_root, new, new_root, proof: &[Hash], what: &str| {
        let verified = verify_consistency(old, old_root, new, new_root, proof);
        assert!(verified.is_err(), "{old} to {new}: {what}");
    };
    let some = hash(SOME);
    refused(0, old_root, new, new_root, proof, "from nothing");
    refused(new + 1, old_root, new, new_root, proof, "shrinking");
    refused(old, some, new, new_root, proof, "another old root");
    refused(old, old_root, new, some, proof, "another new root");
    for extra in [old_root, new_root, some] {
        refused(old, old_root, new, new_root, &[proof, &[extra]].concat(), "a hash after");
        refused(old, old_root, new, new_root, &[&[extra], proof].concat(), "a hash before");
    }
    for changed in changes(proof) {
        refused(old, old_root, new, new_root, &changed, "a hash changed or removed");
    }
    if old < new {
        refused(old - 1, old_root, new, new_root, proof, "old size - 1");
        refused(old + 1, old_root, new, new_root, proof, "old size + 1");
        refused(old ^ 2, old_root, new, new_root, proof, "old size ^ 2");
        refused(old, old_root, new * 2, new_root, proof, "new size * 2");
        refused(old, old_root, new / 2, new_root, proof, "new size / 2");
        refused(old, new_root, new, old_root, proof, "swapped roots");
        refused(old, old_root, new, new_root, &[], "no proof");
    }
}

/// The proof with one hash less, or with one bit of one hash changed.
fn changes(proof: &[Hash]) -> impl Iterator<Item = Vec<Hash>> {
    (0..proof.len()).flat_map(move |place| {
        let mut shorter = proof.to_vec();
        shorter.remove(place);
        let mut flipped = proof.to_vec();
        let mut bytes = *proof[place].as_bytes();
        bytes[place * 7 % 32] ^= 1 << (place % 8);
        flipped[place] = bytes.into();
        [shorter, flipped]
    })
}

#[test]
fn the_proofs_of_the_corpus_verify_and_their_corruptions_do_not() {
    let tree: Vec<Hash> = ENTRIES.iter().map(|entry| leaf(&hex(entry))).collect();
    let [n1, n23, n4567] = [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ];
    let [n4, n67, n6] = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
    ];
    let n45 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
    let inclusions: [(usize, usize, &[&str]); 5] = [
        (0, 1, &[]),
        (0, 8, &[n1, n23, n4567]),
        (5, 8, &[n4, n67, ROOTS[3]]),
        (2, 3, &[ROOTS[1]]),
        (1, 5, &[ROOTS[0], n23, n4]),
    ];
    for (index, size, proof) in inclusions {
        let proof: Vec<Hash> = proof.iter().map(|text| hash(text)).collect();
        assert_eq!(path(index, &tree[..size]), proof);
        let root = hash(ROOTS[size - 1]);
        refuse_corrupt_inclusions(tree[index], index as u64, size as u64, &proof, root);
    }
    let consistencies: [(usize, usize, &[&str]); 5] = [
        (1, 1, &[]),
        (1, 8, &[n1, n23, n4567]),
        (6, 8, &[n45, n67, ROOTS[3]]),
        (2, 5, &[n23, n4]),
        (6, 7, &[n45, n6, ROOTS[3]]),
    ];
    for (old, new, proof) in consistencies {
        let proof: Vec<Hash> = proof.iter().map(|text| hash(text)).collect();
        assert_eq!(subproof(old, &tree[..new], true), proof);
        let [old_root, new_root] = [old, new].map(|size| hash(ROOTS[size - 1]));
        refuse_corrupt_consistencies(old as u64, old_root, new as u64, new_root, &proof);
    }
}

/// `testdata/inclusion/single-entry` and `testdata/consistency/additional` of
/// transparency-dev/merkle. Roots and leaves that are not 32 bytes are no [`Hash`] to begin with.
#[test]
fn what_cannot_be_asked_is_refused() {
    let [one, other] = [leaf(b"data"), leaf(b"other")];
    for (index, size) in [(0, 0), (1, 0), (1, 1), (2, 1), (u64::MAX, u64::MAX)] {
        let verified = verify_inclusion(one, index, size, &[], one);
        assert_eq!(verified, Err(NotProven::OutOfRange), "{index} in {size}");
    }
    let verified = |old, old_root, new, new_root, proof: &[Hash]| {
        verify_consistency(old, old_root, new, new_root, proof)
    };
    assert_eq!(verified(1, one, 1, one, &[]), Ok(()));
    assert_eq!(verified(1, one, 1, other, &[]), Err(NotProven::Root));
    assert_eq!(verified(1, one, 1, one, &[one]), Err(NotProven::Length));
    assert_eq!(verified(1, one, 2, other, &[]), Err(NotProven::Length));
    for (old, new) in [(0, 0), (0, 1), (1, 0), (2, 1)] {
        for proof in [&[][..], &[EMPTY_ROOT]] {
            let found = verified(old, EMPTY_ROOT, new, EMPTY_ROOT, proof);
            assert_eq!(found, Err(NotProven::OutOfRange), "{old} to {new}");
        }
    }
    let nothing = |_| Ok::<_, Infallible>(Vec::new());
    for (index, size) in [(0, 0), (1, 1), (9, 3)] {
        assert_eq!(inclusion(index, size, nothing), Err(Unprovable::OutOfRange { size }));
    }
    for (old, new) in [(0, 0), (0, 5), (6, 5)] {
        assert_eq!(consistency(old, new, nothing), Err(Unprovable::OutOfRange { size: new }));
    }
    assert_eq!(root_of(0, nothing), Ok(EMPTY_ROOT));
}

/// transparency-dev/tessera, `testdata/log`.
#[test]
fn the_proofs_of_tesseras_log_are_the_same() {
    let entries = [
        "one", "two", "three", "four", "five", "six", "seven", "eit", "nain", "ten", "ileven",
        "twelf", "threeten", "fourten", "fivten",
    ];
    let leaves: Vec<Hash> = entries.iter().map(|entry| leaf(entry.as_bytes())).collect();
    let root_5 = "gy5gl3aksFyiCO95a/1vLXz88A3dRq+0l9Sxte8ZqZQ=".parse().unwrap();
    let root_15 = "rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=".parse().unwrap();
    let log = Log::of(&leaves);
    assert_eq!(mth(&leaves[..5]), root_5);
    assert_eq!(root_of(15, log.read()), Ok(root_15));
    assert_eq!(leaves[5].to_string(), "yiM+eia4w1wsk/Ukx7kF56IQVkDW3MWUaUz/VtJu+yU=");
    let proof = base64_hashes(&[
        "zMKa4OAqd7D0V4wawXST15z0JiEEkprIBPkfxOesWvA=",
        "nk9gCR+floFqznAPtqjjcnnV64dge2jQB95D5t164Hg=",
        "zY1lN35vrXYAPixXSd59LsU29xUJtuW4o2dNNg5Y2Co=",
        "5jLpqTgjsBDSEX6SgZiRnbTMdTuRd8bQ5tSsAOxe0Ks=",
    ]);
    assert_eq!(inclusion(5, 15, log.read()), Ok(proof.clone()));
    assert_eq!(verify_inclusion(leaves[5], 5, 15, &proof, root_15), Ok(()));
    let mut proof = proof;
    proof.insert(1, leaves[5]);
    assert_eq!(consistency(5, 15, log.read()), Ok(proof.clone()));
    assert_eq!(verify_consistency(5, root_5, 15, root_15, &proof), Ok(()));
}

#[test]
fn a_proof_in_ten_million_leaves_reads_two_tiles_a_level() {
    let size = 10_000_000;
    let mut most = 0;
    for index in (0..size).step_by(99_991).chain([size - 1]) {
        let mut read = Vec::new();
        let proof = inclusion(index, size, |id: TileId| {
            read.push(id);
            Ok::<_, Infallible>(vec![0; id.bytes()])
        });
        let proof = proof.unwrap();
        assert!(proof.len() <= 24, "{} hashes", proof.len());
        let twice = read.iter().any(|id| read.iter().filter(|other| id == *other).count() > 1);
        assert!(!twice, "{index}: a tile is read twice");
        most = most.max(read.len());
    }
    assert!(most <= 6, "{most} tiles");
}

#[test]
fn tiles_that_are_too_short_are_named_and_wider_ones_are_taken() {
    let leaves = leaves(600);
    let (small, large) = (Log::of(&leaves[..520]), Log::of(&leaves));
    let proof = inclusion(515, 520, small.read()).unwrap();
    // A reader that has kept the latest partial tiles alone.
    let latest = |id: TileId| {
        let wider = TileId::within(id.level(), id.index(), 600).unwrap();
        Ok::<_, Infallible>(&large.tiles[&wider])
    };
    assert_eq!(inclusion(515, 520, latest), Ok(proof));
    let asked = TileId::within(0, 2, 520).unwrap();
    for bytes in [0, asked.bytes() - 1, asked.bytes() - 32, asked.bytes() + 1, 8192 + 32] {
        let read =
            |id: TileId| Ok::<_, Infallible>(vec![0; if id == asked { bytes } else { id.bytes() }]);
        let damaged = Unprovable::Damaged { tile: asked, bytes };
        assert_eq!(inclusion(519, 520, read), Err(damaged.clone()));
        assert_eq!(root_of(520, read), Err(damaged));
    }
    let failing = |_| Err::<Vec<u8>, _>(NotProven::Root);
    assert_eq!(inclusion(0, 2, failing), Err(Unprovable::Read(NotProven::Root)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn proofs_across_tiles_are_as_defined(
        old in 1_usize..1500,
        more in 0_usize..1500,
        at in 0_usize..1500,
    ) {
        let new = old + more;
        let leaves = leaves(new as u64);
        let log = Log::of(&leaves);
        let index = at % new;
        let proof = inclusion(index as u64, new as u64, log.read()).unwrap();
        prop_assert_eq!(proof, path(index, &leaves));
        let proof = consistency(old as u64, new as u64, log.read()).unwrap();
        prop_assert_eq!(proof, subproof(old, &leaves, true));
    }
}
