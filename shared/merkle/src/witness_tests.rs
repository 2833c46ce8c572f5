//! A witness: the requests of FiloSottile/sunlight's `internal/witness/witness_test.go`, in their
//! order, and the order of its checks.

use crate::{
    checkpoint::{BadCheckpoint, Checkpoint, SignedCheckpoint},
    hash::{EMPTY_ROOT, leaf},
    key::{KeyType, LogKey, VerifierKey, WitnessKey},
    note::BadNote,
    proof::consistency,
    testing::{Log, bit_changes, byte_changes, hash, hex, leaves},
    verification::NotProven,
    witness::{BadRequest, REQUEST_BYTES_MAX, Refusal, Request, decide},
};

const SIGSUM: &str =
    "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562";
const SIGSUM_KEY: &str = "ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f";
const ROOT_1: &str = "KgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const ROOT_3: &str = "RcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=";
const ROOT_5: &str = "QrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=";
const SIGNED_1: &str =
    "UgIom7fPZTqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXpNUbIQY=";
const SIGNED_3: &str =
    "UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6go=";
const SIGNED_5: &str =
    "UgIomw/EOJmWi0i1FQsOj+etB7F8IccFam/jgd6wzRns4QPVmyEZtdvl1U2KEmLOZ/ASRcWJi0tW90dJWAShei7sDww=";
const PROOF_1_3: [&str; 2] = [
    "KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
];
const PROOF_3_5: [&str; 4] = [
    "KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "KgMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "wgiIFdZfYNv6WU1OllBKsWnLYIS/DBMqt8Uh/S4OukE=",
    "KgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
];

/// A witness that keeps what it decided.
struct Witness {
    trusted: Vec<VerifierKey>,
    last: Option<SignedCheckpoint>,
}

impl Witness {
    fn trusting(key: VerifierKey) -> Self {
        Self { trusted: vec![key], last: None }
    }

    fn ask(&mut self, body: &str) -> Result<(), Refusal> {
        let request = Request::parse(body.as_bytes())?;
        assert_eq!(request.to_string(), body);
        let last = self.last.as_ref().map(SignedCheckpoint::checkpoint);
        self.last = Some(decide(last, &request, &self.trusted)?);
        Ok(())
    }

    /// The HTTP status of the answer.
    fn status(&mut self, body: &str) -> u16 {
        self.ask(body).map_or_else(|refusal| refusal.status(), |()| 200)
    }
}

fn body(old: u64, proof: &[&str], origin: &str, size: &str, root: &str, signature: &str) -> String {
    let proof: String = proof.iter().map(|hash| format!("{hash}\n")).collect();
    format!("old {old}\n{proof}\n{origin}\n{size}\n{root}\n\n— {origin} {signature}\n")
}

#[test]
fn the_requests_of_sunlight_are_answered_the_same() {
    let public = hex(SIGSUM_KEY).try_into().unwrap();
    let key = VerifierKey::new(SIGSUM, KeyType::Note, &public).unwrap();
    let mut witness = Witness::trusting(key);
    let mut ask = |status: u16, what: &str, body: String| {
        assert_eq!(witness.status(&body), status, "{what}");
    };
    ask(200, "first cosignature at size 1", body(0, &[], SIGSUM, "1", ROOT_1, SIGNED_1));
    let invalid = SIGNED_3.replace("x6go=", "x6gx=");
    assert!(Request::parse(body(1, &PROOF_1_3, SIGSUM, "3", ROOT_3, &invalid).as_bytes()).is_err());
    let invalid = SIGNED_3.replace("x6go=", "x6gw=");
    ask(403, "invalid signature", body(1, &PROOF_1_3, SIGSUM, "3", ROOT_3, &invalid));
    let unknown = SIGSUM.replace("e562", "e563");
    ask(404, "unknown log", body(1, &PROOF_1_3, &unknown, "3", ROOT_3, SIGNED_3));
    ask(422, "missing proof", body(1, &[], SIGSUM, "3", ROOT_3, SIGNED_3));
    let wrong = PROOF_1_3[1].replace("AAAA=", "ABAA=");
    ask(422, "wrong proof", body(1, &[PROOF_1_3[0], &wrong], SIGSUM, "3", ROOT_3, SIGNED_3));
    ask(200, "grow to size 3", body(1, &PROOF_1_3, SIGSUM, "3", ROOT_3, SIGNED_3));
    ask(409, "another old size", body(1, &PROOF_1_3, SIGSUM, "5", ROOT_5, SIGNED_5));
    ask(200, "grow to size 5", body(3, &PROOF_3_5, SIGSUM, "5", ROOT_5, SIGNED_5));
    ask(200, "size 5 again", body(5, &[], SIGSUM, "5", ROOT_5, SIGNED_5));
    ask(409, "old size 0", body(0, &[], SIGSUM, "5", ROOT_5, SIGNED_5));
    ask(400, "no note", format!("old 5\n\n{SIGSUM}\n5\n{ROOT_5}\n"));
    let five = "UgIom4JTC2MerrFcJ5xDcWHzRPVB6zzGBIw4OFqcKDflqjH4q4xY5vMxUxyczvdIlEwFYf7ivQU4KoWan2bLmzLx0go=";
    ask(400, "no checkpoint", body(5, &[], SIGSUM, "five", ROOT_1, five));
    let refusal = witness.ask(&body(0, &[], SIGSUM, "5", ROOT_5, SIGNED_5));
    assert_eq!(refusal, Err(Refusal::Conflict { last_size: 5 }));
}

fn log_key() -> LogKey {
    LogKey::from_seed("example.com/log", &[1; 32]).unwrap()
}

/// A request by a log with the leaves of the tests.
fn request(old: u64, new: u64) -> String {
    let log = Log::of(&leaves(new));
    let proof = if old == 0 { Vec::new() } else { consistency(old, new, log.read()).unwrap() };
    let checkpoint = SignedCheckpoint::sign(&log_key(), new, log.writer.root());
    Request { old_size: old, proof, checkpoint }.to_string()
}

#[test]
fn a_log_grows_from_nothing_and_in_steps() {
    let mut witness = Witness::trusting(log_key().verifier().clone());
    for (old, new) in [(0, 0), (0, 0), (0, 5), (5, 5), (5, 256), (256, 300), (300, 301)] {
        assert_eq!(witness.ask(&request(old, new)), Ok(()), "{old} to {new}");
    }
    assert_eq!(witness.ask(&request(5, 300)), Err(Refusal::Conflict { last_size: 301 }));
}

#[test]
fn from_size_zero_the_root_is_the_empty_one_and_the_proof_is_empty() {
    let key = log_key();
    let other_root = SignedCheckpoint::sign(&key, 0, leaf(b"")).to_string();
    let mut witness = Witness::trusting(key.verifier().clone());
    for _ in 0..2 {
        let refusal = witness.ask(&format!("old 0\n\n{other_root}"));
        assert_eq!(refusal.map_err(|refusal| refusal.status()), Err(422));
        let with_proof = request(0, 5).replace("old 0\n", &format!("old 0\n{EMPTY_ROOT}\n"));
        assert_eq!(witness.ask(&with_proof), Err(Refusal::Inconsistent(NotProven::Length)));
        assert_eq!(witness.ask(&request(0, 0)), Ok(()));
    }
}

#[test]
fn at_the_same_size_the_root_is_the_same_and_the_proof_is_empty() {
    let key = log_key();
    let mut witness = Witness::trusting(key.verifier().clone());
    assert_eq!(witness.ask(&request(0, 5)), Ok(()));
    let split_view = SignedCheckpoint::sign(&key, 5, EMPTY_ROOT);
    let refusal = witness.ask(&format!("old 5\n\n{split_view}"));
    assert_eq!(refusal, Err(Refusal::Inconsistent(NotProven::Root)));
    let with_proof = request(5, 5).replace("old 5\n", &format!("old 5\n{EMPTY_ROOT}\n"));
    assert_eq!(witness.ask(&with_proof), Err(Refusal::Inconsistent(NotProven::Length)));
}

/// Each request has every fault from its own on; the first is told.
#[test]
fn faults_are_told_in_the_order_of_the_specification() {
    let (key, stranger) = (log_key(), LogKey::from_seed("example.com/log", &[9; 32]).unwrap());
    let mut witness = Witness::trusting(key.verifier().clone());
    assert_eq!(witness.ask(&request(0, 3)), Ok(()));
    let root = hash("00000000000000000000000000000000000000000000000000000000000000ff");
    let unknown = LogKey::from_seed("example.com/other", &[1; 32]).unwrap();
    let of = |old, key: &LogKey, size| {
        format!("old {old}\n{EMPTY_ROOT}\n\n{}", SignedCheckpoint::sign(key, size, root))
    };
    assert_eq!(witness.status(&of(9, &unknown, 5).replace("\n5\n", "\n05\n")), 400);
    assert_eq!(witness.status(&of(9, &unknown, 5)), 404);
    assert_eq!(witness.status(&of(9, &stranger, 5)), 403);
    assert_eq!(witness.ask(&of(9, &key, 5)), Err(Refusal::Shrinking));
    assert_eq!(Refusal::Shrinking.status(), 400);
    assert_eq!(witness.ask(&of(0, &key, 0)), Err(Refusal::Conflict { last_size: 3 }));
    assert_eq!(witness.status(&of(3, &key, 5)), 422);
}

#[test]
fn only_lines_of_trusted_keys_are_kept() {
    let key = log_key();
    let own = WitnessKey::from_seed("example.com/witness", &[2; 32]).unwrap();
    let signed = SignedCheckpoint::sign(&key, 0, EMPTY_ROOT);
    let good = own.cosign(signed.checkpoint(), 1).unwrap().to_string();
    let (name, _) = good.rsplit_once(' ').unwrap();
    // The id of the own key, and a signature of zeros.
    let forged = format!("{name} {}A{}=\n", &good[name.len() + 1..][..5], "A".repeat(85));
    let poisoned = format!("old 0\n\n{signed}{forged}");
    let mut witness = Witness::trusting(key.verifier().clone());
    assert_eq!(witness.ask(&poisoned), Ok(()));
    let mut kept = witness.last.clone().unwrap();
    assert_eq!(kept, signed);
    let line = own.cosign(kept.checkpoint(), 1_800_000_000).unwrap();
    kept.add(line).unwrap();
    assert_eq!(kept.verify([key.verifier(), own.verifier()]).unwrap().len(), 2);
    assert_eq!(witness.ask(&request(0, 5)), Ok(()));
}

#[test]
fn what_is_no_request_is_refused() {
    let text = request(3, 5);
    let extension = BadRequest::Checkpoint(BadCheckpoint::Extension);
    for (from, to, error) in [
        ("old 3", "new 3", BadRequest::Text),
        ("old 3", "old 03", BadRequest::Text),
        ("old 3", "old  3", BadRequest::Text),
        ("old 3\n", "old 3\nold 3\n", BadRequest::Proof),
        ("old 3\n", "\n", BadRequest::Text),
        ("\n\n— ", "\nextra extension line\n\n— ", extension),
        ("\n\n— ", "\n— ", BadRequest::Checkpoint(BadNote::Text.into())),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        assert_eq!(Request::parse(changed.as_bytes()), Err(error), "{changed}");
        assert_eq!(Refusal::from(error).status(), 400);
    }
    let long = text.replace("old 3\n", &format!("old 3\n{}", format!("{EMPTY_ROOT}\n").repeat(64)));
    assert_eq!(Request::parse(long.as_bytes()), Err(BadRequest::Proof));
    let large = vec![b'a'; REQUEST_BYTES_MAX + 1];
    assert_eq!(Request::parse(&large), Err(BadRequest::TooLarge(large.len())));
}

#[test]
fn a_changed_byte_is_refused() {
    let key = log_key();
    let last = SignedCheckpoint::sign(&key, 3, Log::of(&leaves(3)).writer.root());
    let last: &Checkpoint = last.checkpoint();
    let trusted = [key.verifier().clone()];
    let text = request(3, 5);
    assert!(decide(Some(last), &Request::parse(text.as_bytes()).unwrap(), &trusted).is_ok());
    for changed in byte_changes(text.as_bytes()) {
        if let Ok(request) = Request::parse(&changed) {
            assert_eq!(request.to_string().as_bytes(), changed);
        }
    }
    for changed in bit_changes(text.as_bytes()) {
        if let Ok(request) = Request::parse(&changed) {
            assert!(decide(Some(last), &request, &trusted).is_err(), "{request}");
        }
    }
}
