//! Answers with one thing wrong at a time. Real ones, by openssl, are in the tests of the crate.

use super::*;

const IMPRINT: [u8; 32] = [7; 32];
const NONCE: [u8; 8] = [0x41, 2, 3, 4, 5, 6, 7, 8];
const TIME: &[u8] = b"20261122120000Z";

/// An answer's parts, each of which a test may change.
struct Parts {
    status: u8,
    imprint: [u8; 32],
    nonce: Option<[u8; 8]>,
    signed_data: &'static [u8],
    signers: &'static [u8],
}

impl Default for Parts {
    fn default() -> Self {
        let (imprint, nonce) = (IMPRINT, Some(NONCE));
        Self { status: 0, imprint, nonce, signed_data: SIGNED_DATA, signers: &[SEQUENCE, 0] }
    }
}

fn long(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let inside = parts.concat();
    match inside.len() {
        ..0x80 => short(tag, parts),
        length => [&[tag, 0x81, u8::try_from(length).unwrap()], &inside[..]].concat(),
    }
}

fn answer(parts: &Parts) -> Vec<u8> {
    let oid = |oid: &[u8]| short(OBJECT_IDENTIFIER, &[oid]);
    let imprint = short(
        SEQUENCE,
        &[&short(SEQUENCE, &[&oid(SHA_256)]), &short(OCTET_STRING, &[&parts.imprint])],
    );
    let accuracy = short(SEQUENCE, &[&short(INTEGER, &[&[1]])]);
    let nonce = parts.nonce.map(|nonce| short(INTEGER, &[&nonce])).unwrap_or_default();
    let info = long(
        SEQUENCE,
        &[
            &short(INTEGER, &[VERSION_1]),
            &oid(&[0x2a, 0x03]),
            &imprint,
            &short(INTEGER, &[&[9]]),
            &short(GENERALIZED_TIME, &[TIME]),
            &accuracy,
            &nonce,
        ],
    );
    let inside = long(EXPLICIT_0, &[&long(OCTET_STRING, &[&info])]);
    let signed = long(
        SEQUENCE,
        &[
            &short(INTEGER, &[&[3]]),
            &short(SET, &[]),
            &long(SEQUENCE, &[&oid(TST_INFO), &inside]),
            &short(SET, &[parts.signers]),
        ],
    );
    let token = long(SEQUENCE, &[&oid(parts.signed_data), &long(EXPLICIT_0, &[&signed])]);
    long(SEQUENCE, &[&short(SEQUENCE, &[&short(INTEGER, &[&[parts.status]])]), &token])
}

fn check(parts: &Parts) -> Result<String, NoStamp> {
    Question::new(IMPRINT, NONCE).check(&answer(parts))
}

#[test]
fn a_granted_stamp_over_this_hash_for_this_question_is_taken() {
    assert_eq!(check(&Parts::default()).as_deref(), Ok("20261122120000Z"));
    assert!(check(&Parts { status: 1, ..Parts::default() }).is_ok());
}

#[test]
fn what_is_refused_or_over_something_else_is_not() {
    let of = |parts: Parts| check(&parts);
    assert_eq!(of(Parts { status: 2, ..Parts::default() }), Err(NoStamp::NotGranted));
    assert_eq!(of(Parts { imprint: [8; 32], ..Parts::default() }), Err(NoStamp::Imprint));
    assert_eq!(of(Parts { nonce: Some([0x42; 8]), ..Parts::default() }), Err(NoStamp::Nonce));
    assert_eq!(of(Parts { nonce: None, ..Parts::default() }), Err(NoStamp::Nonce));
    assert_eq!(of(Parts { signed_data: TST_INFO, ..Parts::default() }), Err(NoStamp::Form));
    assert_eq!(of(Parts { signers: &[], ..Parts::default() }), Err(NoStamp::Form));
}

#[test]
fn what_is_cut_or_longer_is_no_answer() {
    let question = Question::new(IMPRINT, NONCE);
    let whole = answer(&Parts::default());
    for end in 0..whole.len() {
        assert!(question.check(&whole[..end]).is_err(), "cut at {end}");
    }
    assert_eq!(question.check(&[&whole[..], &[0]].concat()), Err(NoStamp::Form));
    // A refusal has no token.
    let refused = [SEQUENCE, 5, SEQUENCE, 3, INTEGER, 1, 2];
    assert_eq!(question.check(&refused), Err(NoStamp::NotGranted));
}

#[test]
fn the_nonce_is_a_positive_number_of_eight_bytes() {
    for nonce in [[0; 8], [0xff; 8]] {
        let request = Question::new(IMPRINT, nonce).request();
        let at = request.len() - 3 - 8;
        assert_eq!(request[at - 2..at], [INTEGER, 8]);
        assert!((0x40..0x80).contains(&request[at]));
    }
}
