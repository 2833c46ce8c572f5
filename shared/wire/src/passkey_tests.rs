use prost::Message as _;
use stand_ins::authenticator::{Asserted, Authenticator, Gesture, VERIFIED};

use super::*;
use crate::signing::{is_proven, is_signed_by, proof_of};
use domain::key::PublicKey;

const ORIGIN: &str = "https://keng.example.vn";
const RP: &str = "keng.example.vn";

fn passkey(authenticator: &Authenticator) -> Passkey {
    made(&authenticator.made(&Gesture::at(ORIGIN)), RP).unwrap()
}

fn assertion(asserted: Asserted) -> Assertion {
    let Asserted { authenticator_data, client_data, signature } = asserted;
    Assertion {
        authenticator_data: authenticator_data.into(),
        client_data: client_data.into(),
        signature: signature.into(),
    }
}

#[test]
fn a_passkey_is_read_from_what_its_authenticator_says() {
    let phone = Authenticator::of_seed(7);
    let here = Gesture::at(ORIGIN);
    let data = phone.made(&here);
    let passkey = made(&data, RP).unwrap();
    assert_eq!((&passkey.credential, &passkey.public), (&phone.credential, &phone.public()));
    let with = |at: usize, byte: u8| {
        let mut data = data.clone();
        data[at] = byte;
        made(&data, RP)
    };
    for (wrong, why) in [
        (made(&data, "evil.vn"), NotAPasskey::OtherSite),
        (made(b"", RP), NotAPasskey::Unreadable),
        (made(&data[..60], RP), NotAPasskey::Unreadable),
        (made(&[&data[..], b"x"].concat(), RP), NotAPasskey::Unreadable),
        (made(&phone.made(&Gesture { flags: 0x01, ..here.clone() }), RP), NotAPasskey::NotVerified),
        (made(&phone.made(&Gesture { flags: 0x04, ..here }), RP), NotAPasskey::NotVerified),
        // No key, extensions that are not there, no credential, another kind of key.
        (with(32, VERIFIED), NotAPasskey::Unreadable),
        (with(32, 0xc5), NotAPasskey::Unreadable),
        (with(53, 0xff), NotAPasskey::Unreadable),
        (with(71 + 4, 0x27), NotAPasskey::OtherAlgorithm),
    ] {
        assert_eq!(wrong, Err(why));
    }
    let mut extended = [&data[..], b"\xa0"].concat();
    extended[32] = 0xc5;
    assert_eq!(made(&extended, RP), Ok(passkey));
}

#[test]
fn an_assertion_is_of_this_challenge_this_place_and_this_key() {
    let (phone, other) = (Authenticator::of_seed(7), Authenticator::of_seed(8));
    let passkey = passkey(&phone);
    let here = Gesture::at(ORIGIN);
    let good = |gesture: &Gesture| assertion(phone.asserts(b"asked", gesture));
    assert_eq!(asserted(&passkey, b"asked", &good(&here)), Ok(()));
    let at_port = Gesture { origin: format!("{ORIGIN}:8443"), ..here.clone() };
    assert_eq!(asserted(&passkey, b"asked", &good(&at_port)), Ok(()));
    let wrong = |change: &dyn Fn(&mut Gesture)| {
        let mut gesture = here.clone();
        change(&mut gesture);
        good(&gesture)
    };
    let mut altered = good(&here);
    altered.authenticator_data = [&altered.authenticator_data[..36], b"\x01"].concat().into();
    let mut not_json = good(&here);
    not_json.client_data = "{".into();
    let mut short = good(&here);
    short.authenticator_data.truncate(36);
    for (assertion, why) in [
        (assertion(phone.asserts(b"else", &here)), NotAsserted::OtherChallenge),
        (wrong(&|it| it.kind = "webauthn.create"), NotAsserted::OtherChallenge),
        (wrong(&|it| it.origin = "https://evil.vn".into()), NotAsserted::OtherSite),
        (wrong(&|it| it.origin = "http://keng.example.vn".into()), NotAsserted::OtherSite),
        (wrong(&|it| it.origin = "https://x.keng.example.vn".into()), NotAsserted::OtherSite),
        (wrong(&|it| it.is_cross_origin = true), NotAsserted::OtherSite),
        (wrong(&|it| it.rp = "example.vn".into()), NotAsserted::OtherSite),
        (wrong(&|it| it.flags = 0x01), NotAsserted::NotVerified),
        (wrong(&|it| it.flags = 0x04), NotAsserted::NotVerified),
        (assertion(other.asserts(b"asked", &here)), NotAsserted::WrongSignature),
        (altered, NotAsserted::WrongSignature),
        (not_json, NotAsserted::Unreadable),
        (short, NotAsserted::Unreadable),
        (Assertion::default(), NotAsserted::Unreadable),
    ] {
        assert_eq!(asserted(&passkey, b"asked", &assertion), Err(why));
    }
    let no_key = Passkey { public: vec![7; 77], ..passkey };
    let why = Err(NotAsserted::WrongSignature);
    assert_eq!(asserted(&no_key, b"asked", &good(&here)), why);
}

#[test]
fn a_page_is_of_a_place_by_its_host_alone() {
    for (origin, rp, is) in [
        ("https://keng.vn", "keng.vn", true),
        ("https://keng.vn:8443", "keng.vn", true),
        ("http://localhost:8080", "localhost", true),
        ("https://localhost", "localhost", true),
        ("http://keng.vn", "keng.vn", false),
        ("https://keng.vn.evil.vn", "keng.vn", false),
        ("https://keng.vn:x", "keng.vn", false),
        ("android:apk-key-hash:x", "keng.vn", false),
        ("https://", "", false),
        ("", "", false),
    ] {
        assert_eq!(is_origin_of(origin, rp), is, "{origin}");
    }
}

#[test]
fn a_passkey_signs_bytes_and_proves_itself_in_one_spelling() {
    let phone = Authenticator::of_seed(7);
    let public = PublicKey::Passkey(passkey(&phone));
    let here = Gesture::at(ORIGIN);
    let signs = |message: &[u8]| assertion(phone.asserts(&challenge_of(message), &here));
    let value = signs(b"open").encode_to_vec();
    assert!(is_signed_by(&public, b"open", &value));
    assert!(!is_signed_by(&public, b"other", &value));
    // The same message with a field that is not ours; one too long.
    assert!(!is_signed_by(&public, b"open", &[&value[..], b"\x20\x00"].concat()));
    assert!(!is_signed_by(&public, b"open", &[7; 64]));
    let proof = signs(&proof_of("an", public.bytes())).encode_to_vec();
    assert!(is_proven(&public, "an", &proof));
    assert!(!is_proven(&public, "binh", &proof) && !is_proven(&public, "an", &value));
}

/// RFC 8032, section 7.1, test 1, as an authenticator's key; and a key of 2,048 bits.
#[test]
fn other_kinds_of_keys_are_read() {
    let text = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let point = domain::hex::unhex(text).unwrap();
    let cose = [EDDSA, point.as_slice()].concat();
    let text = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc\
                61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
    let (key, rest) = Key::first_in(&cose).unwrap();
    assert!(rest.is_empty() && key.has_signed(b"", &domain::hex::unhex(text).unwrap()));
    assert!(!key.has_signed(b"x", &domain::hex::unhex(text).unwrap()));
    let rsa = [RS256.0, &[0x80; 256], RS256.1, b"\x01\x00\x01", b"rest"].concat();
    let (key, rest) = Key::first_in(&rsa).unwrap();
    assert_eq!((key.to_vec().len(), rest), (272, b"rest".as_slice()));
    assert!(!key.has_signed(b"", &[1; 256]));
    for length in 0..rsa.len() - 4 {
        assert!(Key::first_in(&rsa[..length]).is_none(), "{length}");
    }
}
