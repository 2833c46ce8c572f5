//! Proof files: written, read and verified by what a policy trusts.

use crate::{
    checkpoint::{BadCheckpoint, SignedCheckpoint},
    hash::{Hash, leaf},
    key::{LogKey, WitnessKey},
    policy::{NotAccepted, Policy},
    proof::inclusion,
    proof_file::{BadProofFile, NotLogged, PROOF_FILE_BYTES_MAX, ProofFile},
    testing::{Log, bit_changes, byte_changes, leaves},
    verification::NotProven,
};

fn issue(extra: &[u8]) -> (Hash, ProofFile, Policy) {
    let leaves = leaves(5);
    let log = Log::of(&leaves);
    let key = LogKey::from_seed("keng.vn/log", &[1; 32]).unwrap();
    let witness = WitnessKey::from_seed("keng.vn/witness", &[2; 32]).unwrap();
    let mut checkpoint = SignedCheckpoint::sign(&key, 5, log.writer.root());
    let line = witness.cosign(checkpoint.checkpoint(), 1_800_000_000).unwrap();
    checkpoint.add(line).unwrap();
    let proof = inclusion(2, 5, log.read()).unwrap();
    let file = ProofFile { extra: extra.to_vec(), index: 2, proof, checkpoint };
    let policy = format!("log {}\nwitness w {}\nquorum w\n", key.verifier(), witness.verifier());
    (leaves[2], file, Policy::parse(policy.as_bytes()).unwrap())
}

#[test]
fn a_proof_file_proves_its_entry_alone() {
    for extra in [&b""[..], b"a", b"\0\xff"] {
        let (leaf_hash, file, policy) = issue(extra);
        let text = file.to_string();
        let read = ProofFile::parse(text.as_bytes()).unwrap();
        assert_eq!((&read, read.to_string()), (&file, text));
        let accepted = read.verify(leaf_hash, &policy).unwrap();
        assert_eq!(accepted.log.name(), "keng.vn/log");
        assert_eq!(accepted.cosigned_s, [(&policy.witnesses()[0].key, 1_800_000_000)]);
        let other = read.verify(leaf(b"another"), &policy);
        assert_eq!(other, Err(NotLogged::Proof(NotProven::Root)));
    }
    let (leaf_hash, mut file, policy) = issue(b"");
    file.index = 5;
    assert_eq!(file.verify(leaf_hash, &policy), Err(NotLogged::Proof(NotProven::OutOfRange)));
    let nobody = Policy::parse(b"quorum none\n").unwrap();
    let refused = file.verify(leaf_hash, &nobody);
    assert_eq!(refused, Err(NotLogged::Policy(NotAccepted::UnknownLog)));
}

#[test]
fn a_changed_byte_is_refused_or_is_in_what_nothing_authenticates() {
    let (leaf_hash, file, policy) = issue(b"extra");
    let text = file.to_string();
    for changed in byte_changes(text.as_bytes()) {
        if let Ok(read) = ProofFile::parse(&changed) {
            assert_eq!(read.to_string().as_bytes(), changed);
        }
    }
    for changed in bit_changes(text.as_bytes()) {
        let Ok(read) = ProofFile::parse(&changed) else { continue };
        let is_verified = read.verify(leaf_hash, &policy).is_ok();
        assert!(!is_verified || read.extra != file.extra, "{read}");
    }
}

#[test]
fn what_is_no_proof_file_is_refused() {
    let text = issue(b"extra").1.to_string();
    let hash = issue(b"").1.proof[0].to_string();
    let no_root = BadProofFile::Checkpoint(BadCheckpoint::Origin);
    for (from, to, error) in [
        ("@v1\n", "@v2\n", BadProofFile::Text),
        ("c2sp", "\nc2sp", BadProofFile::Text),
        ("extra ZXh0cmE=\n", "extra ZXh0cmE\n", BadProofFile::Extra),
        ("extra ZXh0cmE=\n", "extra \n", BadProofFile::Extra),
        ("extra ZXh0cmE=\n", "extra ZXh0cmE=\nextra ZXh0cmE=\n", BadProofFile::Index),
        ("extra ZXh0cmE=\n", "\n", BadProofFile::Index),
        ("extra ", "Extra ", BadProofFile::Index),
        ("index 2\n", "", BadProofFile::Index),
        ("index 2\n", "index 02\n", BadProofFile::Index),
        ("index 2\n", "index  2\n", BadProofFile::Index),
        ("index 2\n", "index -2\n", BadProofFile::Index),
        ("index 2\n", "index 9223372036854775808\n", BadProofFile::Index),
        ("index 2\n", "index 2\nno hash\n", BadProofFile::Proof),
        ("index 2\n", "index 2\r\n", BadProofFile::Index),
        ("\n\nkeng", "\n\n\nkeng", no_root),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        assert_eq!(ProofFile::parse(changed.as_bytes()), Err(error), "{changed}");
    }
    let with_hashes = |count: usize| {
        let (head, rest) = text.split_once("index 2\n").unwrap();
        let (_, checkpoint) = rest.split_once("\n\n").unwrap();
        format!("{head}index 2\n{}\n{checkpoint}", format!("{hash}\n").repeat(count))
    };
    assert!(ProofFile::parse(with_hashes(0).as_bytes()).is_ok());
    assert!(ProofFile::parse(with_hashes(63).as_bytes()).is_ok());
    assert_eq!(ProofFile::parse(with_hashes(64).as_bytes()), Err(BadProofFile::Proof));
    let long = vec![b'a'; PROOF_FILE_BYTES_MAX + 1];
    assert_eq!(ProofFile::parse(&long), Err(BadProofFile::TooLarge(long.len())));
}
