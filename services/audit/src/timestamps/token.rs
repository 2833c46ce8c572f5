//! What is asked of an authority of time stamps, and whether its answer is one (RFC 3161, sections
//! 2.4.1 and 2.4.2; CMS of RFC 5652). Its signature is not verified here.

use super::der::{
    BOOLEAN, EXPLICIT_0, EXPLICIT_1, GENERALIZED_TIME, INTEGER, NULL, OBJECT_IDENTIFIER,
    OCTET_STRING, Reader, SEQUENCE, SET, short,
};

/// 2.16.840.1.101.3.4.2.1
const SHA_256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// 1.2.840.113549.1.7.2
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// 1.2.840.113549.1.9.16.1.4
const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
const VERSION_1: &[u8] = &[1];

/// Why an answer is no time stamp of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoStamp {
    /// The bytes are not of that form.
    #[error("it is no answer of RFC 3161")]
    Form,
    /// The authority said no.
    #[error("it is not granted")]
    NotGranted,
    /// The hash in it is another one.
    #[error("it is over something else")]
    Imprint,
    /// The nonce in it is another one.
    #[error("it answers another question")]
    Nonce,
}

/// A question over a hash; the nonce is of this question alone.
pub(super) struct Question {
    imprint: [u8; 32],
    nonce: [u8; 8],
}

impl Question {
    pub(super) fn new(imprint: [u8; 32], mut nonce: [u8; 8]) -> Self {
        let [first, ..] = &mut nonce;
        // A positive number whose shortest form has eight bytes.
        *first = *first & 0x3f | 0x40;
        Self { imprint, nonce }
    }

    /// `TimeStampReq`, with the wish for the authority's certificate.
    pub(super) fn request(&self) -> Vec<u8> {
        let algorithm =
            short(SEQUENCE, &[&short(OBJECT_IDENTIFIER, &[SHA_256]), &short(NULL, &[])]);
        let imprint = short(SEQUENCE, &[&algorithm, &short(OCTET_STRING, &[&self.imprint])]);
        let nonce = short(INTEGER, &[&self.nonce]);
        let version = short(INTEGER, &[VERSION_1]);
        short(SEQUENCE, &[&version, &imprint, &nonce, &short(BOOLEAN, &[&[0xff]])])
    }

    /// Makes sure of `TimeStampResp`: granted, over this hash, for this question. Says the time in
    /// it, as it stands there.
    pub(super) fn check(&self, response: &[u8]) -> Result<String, NoStamp> {
        let (time, nonce) = stamp(response, &self.imprint)?;
        match nonce == Some(self.nonce.as_slice()) {
            true => Ok(time),
            false => Err(NoStamp::Nonce),
        }
    }
}

/// The time in a `TimeStampResp`, as it stands there, and the nonce: granted, over this hash.
pub(super) fn stamp<'a>(
    response: &'a [u8],
    imprint: &[u8; 32],
) -> Result<(String, Option<&'a [u8]>), NoStamp> {
    let mut outer = Reader::of(response);
    let mut response = outer.enter(SEQUENCE).ok_or(NoStamp::Form)?;
    let mut status = response.enter(SEQUENCE).ok_or(NoStamp::Form)?;
    match status.expect(INTEGER).ok_or(NoStamp::Form)? {
        // granted, grantedWithMods
        [0 | 1] => {}
        _ => return Err(NoStamp::NotGranted),
    }
    let info = info(&mut response).ok_or(NoStamp::Form)?;
    if !response.is_empty() || !outer.is_empty() {
        return Err(NoStamp::Form);
    }
    of_info(info, imprint)
}

/// `TSTInfo`.
fn of_info<'a>(info: &'a [u8], over: &[u8; 32]) -> Result<(String, Option<&'a [u8]>), NoStamp> {
    let mut info = Reader::of(info).enter(SEQUENCE).ok_or(NoStamp::Form)?;
    info.expect(INTEGER).filter(|version| *version == VERSION_1).ok_or(NoStamp::Form)?;
    info.expect(OBJECT_IDENTIFIER).ok_or(NoStamp::Form)?;
    let mut imprint = info.enter(SEQUENCE).ok_or(NoStamp::Form)?;
    let mut algorithm = imprint.enter(SEQUENCE).ok_or(NoStamp::Form)?;
    let algorithm = algorithm.expect(OBJECT_IDENTIFIER);
    if algorithm != Some(SHA_256) || imprint.expect(OCTET_STRING) != Some(over) {
        return Err(NoStamp::Imprint);
    }
    info.expect(INTEGER).ok_or(NoStamp::Form)?;
    let time = info.expect(GENERALIZED_TIME).ok_or(NoStamp::Form)?;
    let time = str::from_utf8(time).map_err(|_| NoStamp::Form)?.to_owned();
    // Accuracy and ordering may stand before it.
    info.skip(SEQUENCE);
    info.skip(BOOLEAN);
    Ok((time, info.expect(INTEGER)))
}

/// The `TSTInfo` in a `TimeStampToken`, which somebody signed.
fn info<'a>(response: &mut Reader<'a>) -> Option<&'a [u8]> {
    let mut content = response.enter(SEQUENCE)?;
    content.expect(OBJECT_IDENTIFIER).filter(|kind| *kind == SIGNED_DATA)?;
    let mut signed = content.enter(EXPLICIT_0)?.enter(SEQUENCE)?;
    signed.expect(INTEGER)?;
    signed.expect(SET)?;
    let mut inside = signed.enter(SEQUENCE)?;
    inside.expect(OBJECT_IDENTIFIER).filter(|kind| *kind == TST_INFO)?;
    let info = inside.enter(EXPLICIT_0)?.expect(OCTET_STRING)?;
    signed.skip(EXPLICIT_0);
    signed.skip(EXPLICIT_1);
    let signers = signed.enter(SET)?;
    (!signers.is_empty()).then_some(info)
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
