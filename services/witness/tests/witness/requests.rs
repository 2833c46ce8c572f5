//! What is asked, and what is answered.

use axum::{body::Body, http::StatusCode};
use merkle::{
    SignedCheckpoint, VerifierKey, WitnessKey,
    hash::{EMPTY_ROOT, leaf},
    key::KeyType,
    note::parse_signatures,
};

use crate::stage::{History, NOW_S, Stage, folder_of, log_key, path_of, request};

const SIGSUM: &str =
    "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562";
const SIGSUM_KEY: [u8; 32] = [
    0xff, 0xdc, 0x2d, 0x4d, 0x98, 0xe4, 0x12, 0x4d, 0x3f, 0xea, 0xf7, 0x88, 0xc0, 0xc2, 0xf9, 0xab,
    0xfd, 0x79, 0x60, 0x83, 0xd1, 0xf0, 0x49, 0x54, 0x37, 0xf3, 0x02, 0xec, 0x79, 0xcf, 0x10, 0x0f,
];
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

fn body(old: u64, proof: &[&str], origin: &str, size: &str, root: &str, signature: &str) -> String {
    let proof: String = proof.iter().map(|hash| format!("{hash}\n")).collect();
    format!("old {old}\n{proof}\n{origin}\n{size}\n{root}\n\n— {origin} {signature}\n")
}

/// `TestAddCheckpoint`.
#[tokio::test]
async fn the_requests_of_sunlight_are_answered_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let log = VerifierKey::new(SIGSUM, KeyType::Note, &SIGSUM_KEY).unwrap();
    let stage = Stage::open(dir.path(), vec![log.clone()]);
    assert!(stage.last(&log).await.is_none());
    let unknown = SIGSUM.replace("e562", "e563");
    let invalid = SIGNED_3.replace("x6go=", "x6gw=");
    let wrong = PROOF_1_3[1].replace("AAAA=", "ABAA=");
    let three = |proof: &[&str], origin: &str, signature: &str| {
        body(1, proof, origin, "3", ROOT_3, signature)
    };
    for (what, status, body) in [
        ("first, at size 1", 200, body(0, &[], SIGSUM, "1", ROOT_1, SIGNED_1)),
        ("invalid signature", 403, three(&PROOF_1_3, SIGSUM, &invalid)),
        ("unknown log", 404, three(&PROOF_1_3, &unknown, SIGNED_3)),
        ("missing proof", 422, three(&[], SIGSUM, SIGNED_3)),
        ("wrong proof", 422, three(&[PROOF_1_3[0], &wrong], SIGSUM, SIGNED_3)),
        ("grow to size 3", 200, three(&PROOF_1_3, SIGSUM, SIGNED_3)),
        ("another old size", 409, body(1, &PROOF_1_3, SIGSUM, "5", ROOT_5, SIGNED_5)),
        ("grow to size 5", 200, body(3, &PROOF_3_5, SIGSUM, "5", ROOT_5, SIGNED_5)),
        ("size 5 again", 200, body(5, &[], SIGSUM, "5", ROOT_5, SIGNED_5)),
        ("old size 0", 409, body(0, &[], SIGSUM, "5", ROOT_5, SIGNED_5)),
        ("old larger than new", 400, body(6, &[], SIGSUM, "5", ROOT_5, SIGNED_5)),
        ("no note", 400, format!("old 5\n\n{SIGSUM}\n5\n{ROOT_5}\n")),
        ("no checkpoint", 400, body(5, &[], SIGSUM, "five", ROOT_5, SIGNED_5)),
    ] {
        assert_eq!(stage.status(&body).await, status, "{what}");
    }
    let conflict = stage.add(&body(0, &[], SIGSUM, "5", ROOT_5, SIGNED_5)).await;
    assert_eq!((&*conflict.kind, &*conflict.text), ("text/x.tlog.size", "5\n"));
    assert_eq!(stage.last_size(&log).await, Some(5));
}

/// `TestGrowFromSizeZero`.
#[tokio::test]
async fn a_log_grows_from_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let stage = Stage::open(dir.path(), vec![log_key().verifier().clone()]);
    for (old, new) in [(0, 0), (0, 0), (0, 5), (5, 5), (5, 256), (256, 300), (300, 301)] {
        assert_eq!(stage.status(&request(old, new)).await, 200, "{old} to {new}");
        assert_eq!(stage.last_size(log_key().verifier()).await, Some(new));
    }
}

/// `TestSizeZeroRequiresEmptyRoot`, `TestSizeZeroRejectsProof`.
#[tokio::test]
async fn from_size_zero_the_root_is_the_empty_one_and_the_proof_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    let stage = Stage::open(dir.path(), vec![log_key().verifier().clone()]);
    let other_root = SignedCheckpoint::sign(&log_key(), 0, leaf(b""));
    for _ in 0..2 {
        assert_eq!(stage.status(&format!("old 0\n\n{other_root}")).await, 422);
        let with_proof = request(0, 5).replace("old 0\n", &format!("old 0\n{EMPTY_ROOT}\n"));
        assert_eq!(stage.status(&with_proof).await, 422);
        assert_eq!(stage.status(&request(0, 0)).await, 200);
    }
}

/// `TestRejectsExtensions`.
#[tokio::test]
async fn extension_lines_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let stage = Stage::open(dir.path(), vec![log_key().verifier().clone()]);
    let with_extension = request(0, 5).replacen("\n\n— ", "\nan extension\n\n— ", 1);
    let refused = stage.add(&with_extension).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert_eq!(refused.kind, "application/problem+json");
    assert!(refused.text.contains("\"field\":\"body\""), "{}", refused.text);
    assert!(stage.last(log_key().verifier()).await.is_none());
}

/// `TestResponseIsOnlyWitnessCosignature`.
#[tokio::test]
async fn the_answer_is_the_witness_own_line_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let stage = Stage::open(dir.path(), vec![log_key().verifier().clone()]);
    let other = WitnessKey::from_seed("other.example.vn", &[3; 32]).unwrap();
    let checkpoint = History::of("a", 5).checkpoint();
    let line = other.cosign(checkpoint.checkpoint(), NOW_S).unwrap();
    let answer = stage.add(&format!("{}{line}\n", request(0, 5))).await;
    assert_eq!((answer.status, &*answer.kind), (StatusCode::OK, "text/plain; charset=utf-8"));
    let lines = parse_signatures(&answer.text).unwrap();
    assert_eq!(lines.len(), 1);
    let verified = lines[0].verify(checkpoint.note().text(), &stage.key).unwrap();
    assert_eq!(verified.cosigned_s, Some(NOW_S));
    // Nor is a stranger's line kept.
    let last = stage.last(log_key().verifier()).await.unwrap();
    assert_eq!(last.note().signatures().len(), 2);
}

/// `TestForgedWitnessSigLineDoesNotPoisonState`.
#[tokio::test]
async fn a_forged_line_of_the_witness_does_not_poison_what_it_keeps() {
    let dir = tempfile::tempdir().unwrap();
    let logs = vec![log_key().verifier().clone()];
    let stage = Stage::open(dir.path(), logs.clone());
    let own = stage.key.clone();
    let good = stage.add(&request(0, 5)).await.text;
    let (name, base64) = good.trim_end().rsplit_once(' ').unwrap();
    // The id of the own key, at the time 0, and a signature of zeros.
    let zeros = "A".repeat(base64.trim_end_matches('=').len() - 6);
    let forged = format!("{name} {}{zeros}==\n", &base64[..6]);
    assert!(parse_signatures(&forged).unwrap()[0].is_by(&own));
    assert_eq!(stage.status(&format!("{}{forged}", request(5, 7))).await, 200);
    assert_eq!(stage.last_size(&logs[0]).await, Some(7));
    drop(stage);
    let stage = Stage::open(dir.path(), logs.clone());
    assert_eq!(stage.key, own);
    assert_eq!(stage.last_size(&logs[0]).await, Some(7));
    assert_eq!(stage.status(&request(7, 9)).await, 200);
}

#[tokio::test]
async fn what_cannot_stand_beside_what_was_cosigned_is_kept_as_evidence_once() {
    let dir = tempfile::tempdir().unwrap();
    let log = log_key().verifier().clone();
    let stage = Stage::open(dir.path(), vec![log.clone()]);
    let evidence = dir.path().join("logs").join(folder_of(&log)).join("evidence");
    assert_eq!(stage.status(&request(0, 5)).await, 200);
    // An honest client that does not know, and one that came too late.
    assert_eq!(stage.status(&request(0, 5)).await, 409);
    assert_eq!(stage.status(&request(0, 3)).await, 409);
    assert!(!evidence.exists() && stage.health.banners().is_empty());

    let other = History::of("b", 5);
    for (old, status) in [(5, 422), (5, 422), (0, 409)] {
        assert_eq!(stage.status(&other.since(old)).await, status);
    }
    let longer = History::of("b", 8);
    assert_eq!(stage.status(&longer.since(5)).await, 422);
    let names: Vec<String> = std::fs::read_dir(&evidence)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    let requests = names.iter().filter(|name| name.ends_with(".request"));
    assert_eq!((requests.count(), names.len()), (2, 4), "{names:?}");
    assert_eq!(stage.health.banners().len(), 1);
    assert_eq!(
        stage.last(&log).await.unwrap().checkpoint(),
        History::of("a", 5).checkpoint().checkpoint()
    );
    // The next start says it again.
    drop(stage);
    assert_eq!(Stage::open(dir.path(), vec![log]).health.banners().len(), 1);
}

#[tokio::test]
async fn large_bodies_other_paths_and_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let log = log_key().verifier().clone();
    let stage = Stage::open(dir.path(), vec![log.clone()]);
    assert_eq!(stage.status(&"a".repeat(100_000)).await, 400);
    assert_eq!(stage.status("").await, 400);
    let key = stage.call("GET", "/key", Body::empty()).await;
    assert_eq!(key.text.trim_end().parse::<VerifierKey>().unwrap(), stage.key);
    for path in ["/00/checkpoint".to_owned(), path_of(&log), path_of(&log).to_uppercase()] {
        let answer = stage.call("GET", &path, Body::empty()).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
}
