//! Roots: the vectors of transparency-dev/merkle (`rfc6962_test.go`, `verify_test.go`), and the
//! RFC's definition.

use sha2::{Digest, Sha256};

use crate::{
    hash::{EMPTY_ROOT, Hash, NotAHash, leaf, node},
    testing::{hash, hex, leaves, mth},
    tree::{Frontier, NotAnEdge, SIZE_MAX},
};

/// The eight leaves of the vectors, and the roots of the trees of the first 1 to 8.
pub(crate) const ENTRIES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];
pub(crate) const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// The vectors' own node has children of four bytes, which are no [`Hash`]: it is reckoned by the
/// rule, and a node of hashes is shown to follow the same rule.
#[test]
fn leaves_and_nodes_hash_as_the_vectors_say() {
    let by_rule = |left: &[u8], right: &[u8]| -> Hash {
        let hash = Sha256::new().chain_update([1]).chain_update(left).chain_update(right);
        <[u8; 32]>::from(hash.finalize()).into()
    };
    let of_n123_n456 = "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb";
    assert_eq!(by_rule(b"N123", b"N456"), hash(of_n123_n456));
    let (left, right) = (leaf(b"N123"), leaf(b"N456"));
    assert_eq!(node(left, right), by_rule(left.as_bytes(), right.as_bytes()));
    let of_l123456 = "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56";
    assert_eq!(leaf(b"L123456"), hash(of_l123456));
    assert_eq!(leaf(b""), hash(ROOTS[0]));
    assert_eq!(node(leaf(b""), leaf(&[0])), hash(ROOTS[1]));
    let of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(EMPTY_ROOT, hash(of_nothing));
}

#[test]
fn roots_are_those_of_the_vectors() {
    let mut frontier = Frontier::default();
    assert_eq!(frontier.root(), EMPTY_ROOT);
    for (entry, root) in ENTRIES.iter().zip(ROOTS) {
        frontier.push(leaf(&hex(entry)));
        assert_eq!(frontier.root(), hash(root), "size {}", frontier.size());
    }
}

#[test]
fn a_frontier_has_the_root_of_the_definition_and_comes_back_from_its_parts() {
    let leaves = leaves(300);
    let mut frontier = Frontier::default();
    for size in 0..leaves.len() {
        assert_eq!(frontier.root(), mth(&leaves[..size]), "size {size}");
        let parts = frontier.edge().to_vec();
        frontier = Frontier::from_parts(frontier.size(), parts).unwrap();
        frontier.push(leaves[size]);
    }
}

#[test]
fn parts_of_another_size_are_refused() {
    let [one, other] = [leaf(b"1"), leaf(b"2")];
    assert_eq!(Frontier::from_parts(4, vec![one, other]), Err(NotAnEdge { size: 4, hashes: 2 }));
    assert!(Frontier::from_parts(5, vec![one, other]).is_ok());
    assert!(Frontier::from_parts(SIZE_MAX + 1, vec![one]).is_err());
}

#[test]
fn hashes_of_other_lengths_and_other_spellings_are_none() {
    let text = leaf(b"").to_string();
    assert_eq!(text.parse(), Ok(leaf(b"")));
    // The last character before the padding has two bits that no byte needs.
    let second_spelling = text.replace("B0=", "B1=");
    assert_ne!(second_spelling, text);
    for wrong in
        ["", "AA==", &text[..43], &format!("{text}A"), &format!("{text}\n"), &second_spelling]
    {
        assert_eq!(wrong.parse::<Hash>(), Err(NotAHash), "{wrong}");
    }
    for length in [0, 31, 33, 64] {
        assert_eq!(Hash::try_from(vec![0; length].as_slice()), Err(NotAHash));
    }
}
