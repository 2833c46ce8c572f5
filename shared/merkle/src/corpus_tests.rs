//! Values that others publish to check implementations with, as they are published.
//!
//! transparency-dev/merkle @ 65362ac, 73a0db1, 8c666a7, bcba819 `testdata`;
//! transparency-dev/trillian-tessera (now tessera) @ 842b908, a508c5b `testdata/log/checkpoint.*`;
//! C2SP/wycheproof @ 00de17e `testvectors_v1/ed25519_test.json`.

use crate::{
    checkpoint::SignedCheckpoint,
    hash::{EMPTY_ROOT, Hash, NotAHash, leaf},
    key::{KeyType, VerifierKey},
    testing::hex,
    tree::Frontier,
    verification::{verify_consistency, verify_inclusion},
};

const ROOT_1: &str = "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=";
const ROOT_5: &str = "Tju7H3tHjc/nH7YxYxUZo7yhLJrvyhYSv85ME6hiZNQ=";
const ROOT_6: &str = "duZ9rbzfHhDht03cYIq9L5jfsW+851J3tSMqEn8gh+8=";
const ROOT_8: &str = "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=";
const NOTHING: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
const DONT_CARE: [&str; 2] = ["ZG9uJ3QgY2FyZSAx", "ZG9uJ3QgY2FyZSAy"];

/// Proofs: of leaf 5 in 8, of leaf 1 in 5, from 6 to 8.
const OF_5_IN_8: [&str; 3] = [
    "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=",
    "yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA=",
    "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
];
const OF_1_IN_5: [&str; 3] = [
    ROOT_1,
    "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=",
    "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=",
];
const FROM_6_TO_8: [&str; 3] = [
    "DrxdNDf74tsVi58Sah0RjjCBgQMdCpSfje3t68VY72o=",
    "yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA=",
    "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
];
const LEAF_5: &str = "QnGia+DYqE8L1UyMMC58s6O10fpngKQLzOKHNHfatlg=";
const LEAF_1: &str = "lqKW0iTyhcZ77pPDD4owkVfw2qNdxbh+QQt4YwoJz8c=";
const GARBAGE: &str = "q6yroAAAAAAAAAAAAAAAAAAAAAAAAAAAAGAGHgASNFY=";
const ALONE: &str = "DTrtAjFI/9KiWfvQzcf7PPl1ZYdg03dbgq9vkKrMLfw=";

fn hashes(texts: &[&str]) -> Result<Vec<Hash>, NotAHash> {
    texts.iter().map(|text| text.parse()).collect()
}

/// Whether it verifies; what is no hash does not.
fn is_included(leaf: &str, index: u64, size: u64, proof: &[&str], root: &str) -> bool {
    let read = || Ok::<_, NotAHash>((leaf.parse()?, hashes(proof)?, root.parse()?));
    read()
        .is_ok_and(|(leaf, proof, root)| verify_inclusion(leaf, index, size, &proof, root).is_ok())
}

/// The same for two sizes with their roots.
fn is_consistent(old: (u64, &str), new: (u64, &str), proof: &[&str]) -> bool {
    let read = || Ok::<_, NotAHash>((old.1.parse()?, new.1.parse()?, hashes(proof)?));
    read().is_ok_and(|(old_root, new_root, proof)| {
        verify_consistency(old.0, old_root, new.0, new_root, &proof).is_ok()
    })
}

#[test]
fn inclusions_of_the_corpus_end_as_it_says() {
    let [a, b, c] = OF_5_IN_8;
    let inserted = [a, GARBAGE, b, c];
    for (what, is_good, found) in [
        ("0/happy-path", true, is_included(ROOT_1, 0, 1, &[], ROOT_1)),
        ("2/happy-path", true, is_included(LEAF_5, 5, 8, &OF_5_IN_8, ROOT_8)),
        ("2/inserted-component", false, is_included(LEAF_5, 5, 8, &inserted, ROOT_8)),
        ("4/happy-path", true, is_included(LEAF_1, 1, 5, &OF_1_IN_5, ROOT_5)),
        ("4/removed-component", false, is_included(LEAF_1, 1, 5, &OF_1_IN_5[..2], ROOT_5)),
        ("single-entry/matching-root-and-leaf", true, is_included(ALONE, 0, 1, &[], ALONE)),
        ("single-entry/empty-root-and-leaf", false, is_included("", 0, 1, &[], "")),
    ] {
        assert_eq!(found, is_good, "inclusion/{what}");
    }
}

/// The corpus takes two empty trees of equal roots for consistent, whatever these are; here an old
/// size of 0 is an error always.
#[test]
fn consistencies_of_the_corpus_end_as_it_says() {
    let (six, eight) = ((6, ROOT_6), (8, ROOT_8));
    let [one, other] = DONT_CARE;
    for (what, is_good, found) in [
        ("0/happy-path", true, is_consistent((1, ROOT_1), (1, ROOT_1), &[])),
        ("2/happy-path", true, is_consistent(six, eight, &FROM_6_TO_8)),
        ("2/swapped-roots", false, is_consistent((6, ROOT_8), (8, ROOT_6), &FROM_6_TO_8)),
        ("2/truncated-proof", false, is_consistent(six, eight, &FROM_6_TO_8[..2])),
        (
            "additional/consistency-check-on-empty-tree-(size1-is-zero)-is-useless",
            false,
            is_consistent((0, NOTHING), (1, NOTHING), &[NOTHING]),
        ),
        (
            "additional/size1-is-zero-and-does-not-equal-size2",
            false,
            is_consistent((0, one), (1, other), &[]),
        ),
        (
            "additional/size1-is-zero-and-size2-is-not-zero",
            false,
            is_consistent((0, NOTHING), (1, other), &[]),
        ),
    ] {
        assert_eq!(found, is_good, "consistency/{what}");
    }
    // The last two have roots that are no hashes: with hashes they are refused for their sizes.
    assert_eq!(NOTHING.parse(), Ok(EMPTY_ROOT));
    for proof in [&[][..], &[NOTHING]] {
        assert!(!is_consistent((0, NOTHING), (1, ROOT_1), proof));
    }
}

/// The entries of the log, each a word.
const TESSERA_ENTRIES: &str =
    "one two three four five six seven eit nain ten ileven twelf threeten fourten fivten";
const TESSERA: &str =
    "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
/// The signatures of its checkpoints of 0 to 15 entries.
const TESSERA_SIGNATURES: [&str; 16] = [
    "M9e0lhxJACzE1KoUdqKuPa+9p6R7dSW8BlEvrg/noo8FkGg6PbJoRNOcdjqjOq89wVvTA60eubCc4oufo5BvIVEgtQc=",
    "M9e0lhr9kuLxGdAtaUrhm84TQffVsLdcy808sN0a3WyniNlfcr9+bywoiIke1YYciCNjJGkCgIlQ8b16jhsmg/SChAM=",
    "M9e0llH4NKmlf0u7C8tkJioQOmi7l5ELqljXgKRg6R3G5JJ7vx7emDWo5fpqKuA/Dk/jRrI6il+7QCVirNhyUAWGoAk=",
    "M9e0lvAQRtH832pk2RTbeSeZMkp4FZSdJYFBUjO5SKxuRbywPUF3cx+HUrb50kjd3rUWW/fj53Wj1dwcwh9bGQnqVAg=",
    "M9e0lnFuWt0cp60moO4jAkeXvMNLIIOGn4WdyeHQurBt9mBi0tWdfkldiAt9k0FpwuZymvttsVn9uwyouXU3vPpeNAc=",
    "M9e0lmn5eDHyHP10zJObZdFAX2y1V8fdDKBi4IiHbDYf1TCUBwxZOhqwv2QZCqrdda2zTRTrmnwjwscN5RBTEmZUYAs=",
    "M9e0ln+nHSdGSHEZBcjvqyYDXDbG8WxDwCDjbbGAMv/NTynAtJWhckSXIpuwpN3yJ4PTtzUbD34YGqIZr6RgJRn16gU=",
    "M9e0luA5JhTRUki/BBQD0QNiH6AEJ2pdtsA5CQjqJErViuuKrN6513RCTL2640wXJv0dCed3neRGI6dMzBq9uANf2Qc=",
    "M9e0lq1EK37dHtgv9O3UzPxisw5vwIPcJsX9ab0xt4mvVfbdUR1fbMjN6sBFYpBoBEmD4+cWhj/AVgI5MitCO5+mews=",
    "M9e0ls3mdnWX0qk4P3uGG0eYiFRWSwPR+RdeD1ARmrHPHjXP0x9UJWASPFTOTqJo0mp7Epck2O9RFB0J9IjDdAewagw=",
    "M9e0lrmwaVEOWFZ+HS5ITnRd2YMOSWE5QeoYu+6DHwJLnJ+SVeJ2ZiYeD7lVC5oGJx76gbfLSyCUEq6D8JkarrsuiQQ=",
    "M9e0lqbRtWirJwbUy4w3VrK2RyzfW8P+OIkc8t6b6AVG/tQd1Q2SN+uCLYzNNFnf/PhzeCdURSGQe1MRnohCxPu21wg=",
    "M9e0lrFzoTgi+ovhrqX0DpsEAp3wLu1coMLIkeCwSkGfS4Ox4pLXo2LHudqm4merh0ZkCNzHr8kQwq5gS5mmimIvdA4=",
    "M9e0liO8x8xfEOGmZVYODUjQajkEpjccPQ9EkG3yEEDet4K3BWE/DFRPH6H+b6gFFFaG5KS1bBmYS/xeZJs8lj+z+wM=",
    "M9e0lu8roIpjC+NXEG7JDkajIahoYDYWgxDtxfx/6rzLoztU9t/PvivZ48xt8ygJpjzaboSpkbVv3Jb+D3NdXWQf5wo=",
    "M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1zfcBOhg+CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/dlPWF74ewI=",
];

/// The root that each is of is reckoned from the entries: a signature over another would fail.
#[test]
fn each_checkpoint_of_tesseras_log_is_of_its_first_entries() {
    let key: VerifierKey = TESSERA.parse().unwrap();
    let mut tree = Frontier::default();
    let mut entries = TESSERA_ENTRIES.split(' ');
    for (size, signature) in TESSERA_SIGNATURES.iter().enumerate() {
        let (name, root) = (key.name(), tree.root());
        let note = format!("{name}\n{size}\n{root}\n\n— {name} {signature}\n");
        let checkpoint = SignedCheckpoint::parse(note.as_bytes()).unwrap();
        assert_eq!(checkpoint.verify([&key]).map(|by| by.len()), Ok(1), "size {size}");
        tree.push(leaf(entries.next().unwrap_or_default().as_bytes()));
    }
    assert_eq!((tree.size(), entries.next()), (16, None));
}

const WYCHEPROOF: &str = "7d4d0e7f6153a69b6242b522abbee685fda4420f8834b108c3bdae369ef549fa";
const BOUNDARY: &str = "100fdf47fb94f1536a4f7c3fda27383fa03375a8f527c537e6f1703c47f94f86";
const R: &str = "7c38e026f29e14aabd059a0f2db8b0cd783040609a8be684db12f82a27774ab0";

fn is_signed(public: &str, message: &str, signature: &str) -> bool {
    let public = hex(public).try_into().unwrap();
    let key = VerifierKey::new("wycheproof", KeyType::Note, &public).unwrap();
    key.signed(&hex(message), &hex(signature))
}

#[test]
fn signatures_of_wycheproof_are_good_in_one_spelling() {
    let test = "54657374";
    let is_of_test = |s: &str| is_signed(WYCHEPROOF, test, &format!("{R}{s}"));
    // Case 3.
    assert!(is_of_test("7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b30d"));
    // Cases 63 to 70: s + L, + 2L, + 4L, + 8L, + 2^253, + 2^254, + 2^255, + p.
    for s in [
        "67654bce3832c2d76f8f6f5dafc08d9339d4eef676573336a5c51eb6f946b31d",
        "5439412b5395d42f462c67008eba6ca839d4eef676573336a5c51eb6f946b32d",
        "2ee12ce5875bf9dff26556464bae2ad239d4eef676573336a5c51eb6f946b34d",
        "e2300459f1e742404cd934d2c595a6253ad4eef676573336a5c51eb6f946b38d",
        "7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b32d",
        "7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b34d",
        "7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b38d",
        "679155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b38d",
    ] {
        assert!(!is_of_test(s), "{s}");
    }
    // Case 84: s just below L.
    let message = "124e583f8b8eca58bb29c271b41d36986bbc45541f8e51f9cb0133eca447601e";
    let r = "dac119d6ca87fc59ae611c157048f4d4fc932a149dbe20ec6effd1436abf83ea";
    let s = "05c7df0fef06147241259113909bc71bd3c53ba4464ffcad3c0968f2ffffff0f";
    assert!(is_signed(BOUNDARY, message, &format!("{r}{s}")));
}

/// Cases 10 to 29: r and s of 0, 1, L - 1, L and p.
#[test]
fn signatures_of_special_numbers_are_none() {
    let zero = "0".repeat(64);
    let one = format!("01{}", "0".repeat(62));
    let order = |first: &str| format!("{first}d3f55c1a631258d69cf7a2def9de14{:0>32}", "10");
    let (below, order) = (order("ec"), order("ed"));
    let prime = format!("ed{}7f", "f".repeat(60));
    for r in [&zero, &one, &order, &prime] {
        for s in [&zero, &one, &below, &order, &prime] {
            assert!(!is_signed(WYCHEPROOF, "3f", &format!("{r}{s}")), "{r} {s}");
        }
    }
}
