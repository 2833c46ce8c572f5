//! Checkpoints and cosignatures: real ones of tessera, serverless-log and sunlight.

use crate::{
    checkpoint::{BadCheckpoint, SignedCheckpoint},
    cosignature::NotATime,
    hash::EMPTY_ROOT,
    key::{LogKey, VerifierKey, WitnessKey},
    note::{NotVerified, SignatureLine, parse_signatures},
    testing::{bit_changes, byte_changes},
};

/// transparency-dev/serverless-log and trillian-tessera, `testdata/log/checkpoint.15`.
const ASTRA_15: &str = "astra\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n\n\
    — astra ytWj0rJVDQTRJQewX74UJrwdh07x1AScLrx30fZCyKrXqrFF3bSuuELfDG2v2RsH36b+/QFmZxAJqqpKt0SAEVspvwA=\n";
const ASTRA_5: &str = "astra\n5\ngy5gl3aksFyiCO95a/1vLXz88A3dRq+0l9Sxte8ZqZQ=\n\n\
    — astra ytWj0icpI+5qrn28GjRIeTIuhPfzS0YRzqfj+7ivW5LePTVUF+V2oYSpTEg0lnf0WUarvb7QRL3XIHuqYOfz7+mu3Q4=\n";
const ASTRA: &str = "astra+cad5a3d2+AZJqeuyE/GnknsCNh1eCtDtwdAwKBddOlS8M2eI1Jt4b";
const ASTRA_SECRET: &str =
    "PRIVATE+KEY+astra+cad5a3d2+ASgwwenlc0uuYcdy7kI44pQvuz1fw8cS5NqS8RkZBXoy";

/// transparency-dev/tessera, `testdata/build_log.sh`: a key of published test data.
const TESSERA_SECRET: &str =
    "PRIVATE+KEY+example.com/log/testdata+33d7b496+AeymY/SZAX0jZcJ8enZ5FY1Dz+wTML2yWSkK+9DSF3eg";

/// FiloSottile/sunlight, `cmd/skylight/testdata/witness`: a checkpoint of a certificate log, whose
/// own signature is of type 0x05, with a witness's cosignature.
const ROME: &str = "rome2026h1.example.org\n300\nlCkHUpkmVBEms2r2T1K6Og69+wUuuN3MIEW1/ezu2v0=\n\n\
    — rome2026h1.example.org kVB1JgAAAZtxtEwABAMARzBFAiEAi+mTa2xjL1IdWpH82OeciGsGvwRAP+f1WkfKaSZCfFECIHoNPZ/Q3y6UNzvKOO9cuLr6V16vPNfhwhle9f6r5H/Z\n\
    — witness.example.org uKLPIAAAAABpVGeAhm2bOvKc3LaB9PFN1ruG19Y5yqslmcAAbhftnn1Zznmo0LXFZq4LGvqKqLX8jWlwLKasxEGTLIqAVusneCBmBw==\n";
const ROME_WITNESS: &str =
    "witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN";

fn key(text: &str) -> VerifierKey {
    text.parse().unwrap()
}

fn parse(text: &str) -> SignedCheckpoint {
    let checkpoint = SignedCheckpoint::parse(text.as_bytes()).unwrap();
    assert_eq!(checkpoint.to_string(), text);
    checkpoint
}

#[test]
fn published_checkpoints_are_read_verified_and_signed_the_same() {
    for (text, size) in [(ASTRA_5, 5), (ASTRA_15, 15)] {
        let parsed = parse(text);
        assert_eq!((parsed.checkpoint().origin(), parsed.checkpoint().size()), ("astra", size));
        let keys = [key(ASTRA)];
        let verified = parsed.verify(&keys).unwrap();
        assert_eq!((verified.len(), verified[0].cosigned_s), (1, None));
        let signer = LogKey::from_secret_text(ASTRA_SECRET).unwrap();
        let again = SignedCheckpoint::sign(&signer, size, parsed.checkpoint().root());
        assert_eq!(again, parsed);
    }
}

#[test]
fn a_published_cosignature_verifies_beside_a_signature_of_unknown_type() {
    let rome = parse(ROME);
    let keys = [key(ROME_WITNESS)];
    let verified = rome.verify(&keys).unwrap();
    assert_eq!((verified.len(), verified[0].cosigned_s), (1, Some(1_767_139_200)));
    // The same key as a key of notes has another id: its line is not the witness's.
    let public = *keys[0].public();
    let as_note = VerifierKey::new(keys[0].name(), crate::key::KeyType::Note, &public).unwrap();
    assert_eq!(rome.verify([&as_note]), Err(NotVerified::Unknown));
}

/// Over tessera's `testdata/log/checkpoint.15`, which its published key signs anew here.
#[test]
fn a_cosignature_over_tesseras_checkpoint_verifies() {
    let log = LogKey::from_secret_text(TESSERA_SECRET).unwrap();
    let root = "rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=".parse().unwrap();
    let mut checkpoint = SignedCheckpoint::sign(&log, 15, root);
    let line = "— Wit1 mz+y1QAAAABndIWAlNq8XAxSqvxqLnZN7Dc4OWIamxSkfa6GlqDQfwlvswOi89cFSasCcl8oxIo4YX3SNbUvCdTuA7oYohVAZqxgAA==\n";
    checkpoint.add(parse_signatures(line).unwrap().remove(0)).unwrap();
    let keys =
        [log.verifier().clone(), key("Wit1+9b3fb2d5+BFhZSmQj9+SoL+p/nN0Hh76xXmF7QcHfytUrI1XfSClk")];
    let checkpoint = parse(&checkpoint.to_string());
    let times: Vec<_> = checkpoint.verify(&keys).unwrap().iter().map(|f| f.cosigned_s).collect();
    assert_eq!(times, [None, Some(1_735_689_600)]);
}

#[test]
fn a_witness_signs_the_checkpoint_and_the_time() {
    let log = LogKey::from_seed("keng.vn/log", &[1; 32]).unwrap();
    let witness = WitnessKey::from_seed("keng.vn/witness", &[2; 32]).unwrap();
    let mut signed = SignedCheckpoint::sign(&log, 0, EMPTY_ROOT);
    for at_s in [0, 1 << 63, u64::MAX] {
        assert_eq!(witness.cosign(signed.checkpoint(), at_s), Err(NotATime { at_s }));
    }
    let at_s = (1 << 63) - 1;
    let line = witness.cosign(signed.checkpoint(), at_s).unwrap();
    assert_eq!(
        line.verify(signed.note().text(), witness.verifier()).unwrap().cosigned_s,
        Some(at_s)
    );
    let other = SignedCheckpoint::sign(&log, 1, EMPTY_ROOT);
    assert!(line.verify(other.note().text(), witness.verifier()).is_err());
    signed.add(line).unwrap();
    let at_0 = format!("cosignature/v1\ntime 0\n{}", signed.checkpoint());
    let at_0 = [&[0; 8][..], &witness.sign_bytes(at_0.as_bytes())].concat();
    let at_0 = SignatureLine::new(witness.verifier(), at_0);
    assert!(at_0.verify(signed.note().text(), witness.verifier()).is_err());
    let keys = [log.verifier(), witness.verifier()];
    assert_eq!(signed.verify(keys).unwrap().len(), 2);
    assert_eq!(WitnessKey::from_secret_text(&witness.secret_text()).unwrap().verifier(), keys[1]);
}

#[test]
fn a_changed_byte_of_a_cosigned_checkpoint_is_refused_or_is_in_a_line_of_others() {
    let keys = [key(ROME_WITNESS)];
    let others = ROME.find("— rome").unwrap()..ROME.find("— witness").unwrap();
    for changed in byte_changes(ROME.as_bytes()) {
        if let Ok(checkpoint) = SignedCheckpoint::parse(&changed) {
            assert_eq!(checkpoint.to_string().as_bytes(), changed);
        }
    }
    for (place, changed) in bit_changes(ROME.as_bytes()).enumerate() {
        if let Ok(checkpoint) = SignedCheckpoint::parse(&changed) {
            let is_accepted = checkpoint.verify(&keys).is_ok();
            assert!(!is_accepted || others.contains(&place), "{checkpoint}");
        }
    }
}

#[test]
fn a_checkpoint_is_exactly_three_lines() {
    let (text, line) = ASTRA_15.split_once("\n\n").unwrap();
    for (from, to, error) in [
        ("astra\n", "\n", BadCheckpoint::Origin),
        ("\n15\n", "\n\n", BadCheckpoint::Size),
        ("\n15\n", "\n015\n", BadCheckpoint::Size),
        ("\n15\n", "\n00\n", BadCheckpoint::Size),
        ("\n15\n", "\n+15\n", BadCheckpoint::Size),
        ("\n15\n", "\n-15\n", BadCheckpoint::Size),
        ("\n15\n", "\n 15\n", BadCheckpoint::Size),
        ("\n15\n", "\n0xf\n", BadCheckpoint::Size),
        ("\n15\n", "\n١٥\n", BadCheckpoint::Size),
        ("\n15\n", "\nfive\n", BadCheckpoint::Size),
        ("\n15\n", "\n9223372036854775808\n", BadCheckpoint::Size),
        ("\n15\n", "\n18446744073709551616\n", BadCheckpoint::Size),
        ("3cs=", "3cs", BadCheckpoint::Root),
        ("3cs=", "3ct=", BadCheckpoint::Root),
        ("rKbD", "", BadCheckpoint::Root),
        ("\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=", "", BadCheckpoint::Root),
        ("3cs=", "3cs=\nextension", BadCheckpoint::Extension),
        ("3cs=", "3cs=\n", BadCheckpoint::Extension),
    ] {
        let changed = format!("{}\n\n{line}", text.replacen(from, to, 1));
        assert_eq!(SignedCheckpoint::parse(changed.as_bytes()), Err(error), "{changed}");
    }
    let largest = ASTRA_15.replace("\n15\n", "\n9223372036854775807\n");
    assert_eq!(parse(&largest).checkpoint().size(), (1 << 63) - 1);
    assert_eq!(parse(&ASTRA_15.replace("\n15\n", "\n0\n")).checkpoint().size(), 0);
}
