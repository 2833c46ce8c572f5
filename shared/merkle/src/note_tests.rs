//! Keys and notes: golang.org/x/mod `sumdb/note/note_test.go`, C2SP's and tessera's keys, and what
//! must not verify. The private keys here are those of published test data.

use proptest::prelude::*;

use crate::{
    key::{BadKey, KeyType, LogKey, VerifierKey, WitnessKey},
    note::{
        BadNote, NOTE_BYTES_MAX, NotVerified, Note, SIGNATURES_MAX, SignatureLine, parse_signatures,
    },
    testing::{bit_changes, byte_changes, hex},
};

const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const PETER_SECRET: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const ENOCH: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
const PETER_LINE: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const ENOCH_LINE: &str = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

fn key(text: &str) -> VerifierKey {
    text.parse().unwrap()
}

fn note(text: &str) -> Note {
    let note = Note::parse(text.as_bytes()).unwrap();
    assert_eq!(note.to_string(), text);
    note
}

/// The names of the keys whose signatures were verified.
fn verified(note: &Note, keys: &[VerifierKey]) -> Result<Vec<String>, NotVerified> {
    let verified = note.verify(keys)?;
    Ok(verified.iter().map(|found| found.key.name().to_owned()).collect())
}

#[test]
fn keys_are_read_in_one_spelling() {
    for text in [
        PETER,
        ENOCH,
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx",
        "witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN",
    ] {
        assert_eq!(key(text).to_string(), text);
    }
    for (begin, end) in (0..PETER.len()).flat_map(|i| (i..=PETER.len()).map(move |j| (i, j))) {
        let part = &PETER[begin..end];
        assert_eq!(part.parse::<VerifierKey>().is_ok(), part == PETER, "{part}");
    }
    for changed in bit_changes(PETER.as_bytes()).filter_map(|b| String::from_utf8(b).ok()) {
        assert!(changed.parse::<VerifierKey>().is_err(), "{changed}");
    }
    let long = "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==";
    assert_eq!(long.parse::<VerifierKey>(), Err(BadKey::Text));
    let unknown = "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    assert_eq!(unknown.parse::<VerifierKey>(), Err(BadKey::Type(0x65)));
}

#[test]
fn names_of_keys_have_no_spaces_and_no_plus() {
    let public = *key(PETER).public();
    let named = |name: &str| VerifierKey::new(name, KeyType::Note, &public).map(|_| ());
    for name in ["keng.vn/log", "xã-Tân-Lập", &"x".repeat(255)] {
        assert_eq!(named(name), Ok(()), "{name}");
    }
    let wrong = ["", "a b", "a+b", "a\nb", "a\u{a0}b", "a\u{3000}b", "a\u{1}", &"x".repeat(256)];
    for name in wrong {
        assert_eq!(named(name), Err(BadKey::Name), "{name:?}");
    }
}

/// Keys of small order sign everything: C2SP/wycheproof, `ed25519_test.json`.
#[test]
fn keys_of_small_order_are_refused() {
    for public in [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ] {
        let public = hex(public).try_into().unwrap();
        let made = VerifierKey::new("weak", KeyType::Note, &public);
        assert_eq!(made, Err(BadKey::Point), "{public:?}");
    }
}

#[test]
fn secrets_are_read_in_one_spelling_and_never_shown() {
    let secret = LogKey::from_secret_text(PETER_SECRET).unwrap();
    assert_eq!(secret.secret_text(), PETER_SECRET);
    assert_eq!(secret.verifier(), &key(PETER));
    assert_eq!(format!("{secret:?}"), format!("SigningKey({PETER})"));
    let tessera = "PRIVATE+KEY+example.com/log/testdata+33d7b496+AeymY/SZAX0jZcJ8enZ5FY1Dz+wTML2yWSkK+9DSF3eg";
    let tessera = LogKey::from_secret_text(tessera).unwrap();
    let public = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
    assert_eq!(tessera.verifier().to_string(), public);
    let wrong_type = WitnessKey::from_secret_text(PETER_SECRET).map(|_| ());
    assert_eq!(wrong_type, Err(BadKey::Type(1)));
    for end in 0..PETER_SECRET.len() {
        assert!(LogKey::from_secret_text(&PETER_SECRET[..end]).is_err(), "{end}");
    }
    for changed in bit_changes(PETER_SECRET.as_bytes()) {
        let read = String::from_utf8(changed).map(|text| LogKey::from_secret_text(&text));
        assert!(!matches!(read, Ok(Ok(_))));
    }
}

#[test]
fn a_signature_is_the_one_of_gos_note_package() {
    let peter = LogKey::from_secret_text(PETER_SECRET).unwrap();
    let signed = Note::sign(TEXT.to_owned(), &peter);
    assert_eq!(signed.to_string(), format!("{TEXT}\n{PETER_LINE}"));
}

#[test]
fn unknown_signatures_are_ignored_and_known_ones_must_be_right() {
    let [peter, enoch] = [key(PETER), key(ENOCH)];
    let both = note(&format!("{TEXT}\n{PETER_LINE}{ENOCH_LINE}"));
    assert_eq!(both.text(), TEXT);
    let names = |found: &[&str]| Ok(found.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(verified(&both, std::slice::from_ref(&peter)), names(&["PeterNeumann"]));
    let all = [enoch.clone(), peter.clone()];
    assert_eq!(verified(&both, &all), names(&["PeterNeumann", "EnochRoot"]));
    assert_eq!(verified(&both, &[]), Err(NotVerified::Unknown));

    // Lines that share a name or an id, but not both, are by others.
    let other_name = PETER_LINE.replace("PeterNeumann", "CarmenSandiego");
    let other_id = PETER_LINE.replace("x08g", "xxxx");
    for line in [&other_name, &other_id] {
        let by_others = note(&format!("{TEXT}\n{line}"));
        assert_eq!(verified(&by_others, &all), Err(NotVerified::Unknown));
        let with_enoch = note(&format!("{TEXT}\n{line}{ENOCH_LINE}"));
        assert_eq!(verified(&with_enoch, &all), names(&["EnochRoot"]));
    }

    // One wrong signature by a known key refuses all, wherever it stands.
    let wrong = PETER_LINE.replace("JkuBS", "JkuCS");
    let error = NotVerified::Wrong { name: "PeterNeumann".to_owned(), id: peter.id() };
    for lines in [
        format!("{wrong}{ENOCH_LINE}"),
        format!("{ENOCH_LINE}{wrong}"),
        format!("{PETER_LINE}{ENOCH_LINE}{wrong}"),
    ] {
        let note = note(&format!("{TEXT}\n{lines}"));
        assert_eq!(verified(&note, &all), Err(error.clone()));
        assert_eq!(verified(&note, std::slice::from_ref(&enoch)), names(&["EnochRoot"]));
    }
    let twice = note(&format!("{TEXT}\n{PETER_LINE}{PETER_LINE}"));
    assert_eq!(verified(&twice, &[peter]), names(&["PeterNeumann", "PeterNeumann"]));
}

/// The note of C2SP's example.com/foo: every change of one byte makes it worthless.
#[test]
fn a_changed_byte_is_never_verified() {
    let text = "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
    let keys = [key("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")];
    assert!(note(text).verify(&keys).is_ok());
    for changed in byte_changes(text.as_bytes()) {
        if let Ok(note) = Note::parse(&changed) {
            assert_eq!(note.to_string().as_bytes(), changed);
        }
    }
    for changed in bit_changes(text.as_bytes()) {
        if let Ok(note) = Note::parse(&changed) {
            assert!(note.verify(&keys).is_err(), "{note}");
        }
    }
}

/// The same signature with S + L for S: C2SP/wycheproof, "signature malleability".
#[test]
fn a_signature_has_no_second_spelling() {
    let order = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let peter = LogKey::from_secret_text(PETER_SECRET).unwrap();
    let signature = peter.sign_bytes(TEXT.as_bytes());
    assert!(peter.verifier().signed(TEXT.as_bytes(), &signature));
    let mut second = signature;
    let mut carry = 0;
    for (byte, more) in second[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(more) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert!(!peter.verifier().signed(TEXT.as_bytes(), &second));
    for length in [0, 63] {
        assert!(!peter.verifier().signed(TEXT.as_bytes(), &signature[..length]));
    }
    let longer = [&signature[..], &[0]].concat();
    assert!(!peter.verifier().signed(TEXT.as_bytes(), &longer));
}

#[test]
fn what_is_no_note_is_refused() {
    for (bytes, error) in [
        (TEXT.to_owned(), BadNote::Text),
        (format!("{TEXT}\n"), BadNote::SignatureLine),
        (PETER_LINE.to_owned(), BadNote::Text),
        (format!("\n{PETER_LINE}"), BadNote::Text),
        (format!("{TEXT}{PETER_LINE}"), BadNote::Text),
        (format!("{TEXT}\n{}", PETER_LINE.trim_end()), BadNote::SignatureLine),
        (format!("\u{1}{TEXT}\n{PETER_LINE}"), BadNote::Text),
        (format!("{TEXT}\r\n\n{PETER_LINE}"), BadNote::Text),
        (format!("\t{TEXT}\n{PETER_LINE}"), BadNote::Text),
        (format!("{TEXT}\n{PETER_LINE}Unexpected line.\n"), BadNote::SignatureLine),
        (format!("{TEXT}\n{PETER_LINE}\n"), BadNote::SignatureLine),
        (format!("{TEXT}\n{}", PETER_LINE.replace("— ", "- ")), BadNote::SignatureLine),
        (format!("{TEXT}\n{}", PETER_LINE.replace("— ", "—  ")), BadNote::SignatureLine),
        (format!("{TEXT}\n{}", PETER_LINE.replace("PeterN", "Peter N")), BadNote::SignatureLine),
        (format!("{TEXT}\n{}", PETER_LINE.replace("PeterN", "Peter+N")), BadNote::SignatureLine),
        (format!("{TEXT}\n{}", PETER_LINE.replace('=', "")), BadNote::SignatureLine),
        (format!("{TEXT}\n{}", PETER_LINE.replace("nAM=", "nAN=")), BadNote::SignatureLine),
        (format!("{TEXT}\n— PeterNeumann x08gow==\n"), BadNote::SignatureLine),
        (format!("{TEXT}\n— PeterNeumann \n"), BadNote::SignatureLine),
    ] {
        assert_eq!(Note::parse(bytes.as_bytes()), Err(error), "{bytes:?}");
    }
    let not_utf8 = [b"\xff", TEXT.as_bytes(), b"\n", PETER_LINE.as_bytes()].concat();
    assert_eq!(Note::parse(&not_utf8), Err(BadNote::Text));
}

#[test]
fn a_note_is_separated_at_its_last_empty_line() {
    for text in ["a\n\nb\n", "a\n\n", "\n", "a\n\n\n\nb\n\n", "— a YWJjZGU=\n"] {
        let note = note(&format!("{text}\n{PETER_LINE}"));
        assert_eq!(note.text(), text);
    }
}

#[test]
fn notes_have_limits() {
    let of = |lines: usize| format!("{TEXT}\n{}", PETER_LINE.repeat(lines));
    let mut full = note(&of(SIGNATURES_MAX));
    assert_eq!(full.signatures().len(), SIGNATURES_MAX);
    assert_eq!(Note::parse(of(SIGNATURES_MAX + 1).as_bytes()), Err(BadNote::TooManySignatures));
    let line: SignatureLine = parse_signatures(PETER_LINE).unwrap().remove(0);
    assert_eq!(full.add(line.clone()), Err(BadNote::TooManySignatures));

    let largest = NOTE_BYTES_MAX - PETER_LINE.len() - 2;
    let mut largest = note(&format!("{}\n\n{PETER_LINE}", "a".repeat(largest)));
    let before = largest.clone();
    let bytes = NOTE_BYTES_MAX + PETER_LINE.len();
    assert_eq!(largest.add(line), Err(BadNote::TooLarge(bytes)));
    assert_eq!(largest, before);
    let longer = format!("a{largest}");
    let refused = Err(BadNote::TooLarge(NOTE_BYTES_MAX + 1));
    assert_eq!(Note::parse(longer.as_bytes()), refused);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_read_as_a_note_is_printed_so(
        text in "(\\PC{0,8}\n){0,3}\n?",
        lines in prop::collection::vec("— [a-z/.]{1,8} [A-Za-z0-9+/]{8}([A-Za-z0-9+/]{4}){0,9}\n", 0..4),
    ) {
        let bytes = format!("{text}\n{}", lines.concat());
        if let Ok(note) = Note::parse(bytes.as_bytes()) {
            prop_assert_eq!(note.to_string(), bytes);
        }
    }

    #[test]
    fn own_signatures_verify(seed: [u8; 32], text in "([a-z \n]{0,20}\n){1,4}") {
        let key = LogKey::from_seed("keng.vn/log", &seed).unwrap();
        let again = LogKey::from_secret_text(&key.secret_text()).unwrap();
        let note = Note::parse(Note::sign(text, &again).to_string().as_bytes()).unwrap();
        prop_assert!(note.verify([key.verifier()]).is_ok());
    }
}
