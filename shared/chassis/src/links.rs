//! Links that open one thing for a while, to whoever has them: a poster's task, a picture.
//!
//! A token is when it ends and an HMAC-SHA256 over that and its purpose, base64url without
//! padding. It names nobody and can be taken back by nothing but its end. No clock, no I/O.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::ids::Millis;
use registry::LinkKey;
use ring::hmac;

/// Seconds since 1970 as five bytes: enough for 34,000 years.
const EXPIRY_BYTES: usize = 5;
const EXPIRY_S_MAX: i64 = (1 << (8 * EXPIRY_BYTES)) - 1;
/// So much of the HMAC: 128 bits, which nobody guesses, in a link that still fits into an SMS.
const MAC_BYTES: usize = 16;
/// What no other use of the key begins with.
const DOMAIN: &[u8] = b"keng.v1.link\0";

/// Why a link opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLink {
    /// It was not signed here, or for something else.
    #[error("not signed by this installation, or for something else")]
    Forged,
    /// Its time is over.
    #[error("the link has expired")]
    Expired,
}

/// A token that opens what `purpose` names until `expires_at`, to the second below. 28 characters
/// of `A–Z a–z 0–9 - _`.
#[must_use]
pub fn sign(key: &LinkKey, purpose: &str, expires_at: Millis) -> String {
    let expiry_s = expires_at.0.div_euclid(1_000).clamp(0, EXPIRY_S_MAX);
    // The three highest of the eight bytes are zero.
    let mut token: Vec<u8> = expiry_s.to_be_bytes().into_iter().skip(8 - EXPIRY_BYTES).collect();
    let mac = mac(&hmac_key(key), purpose, &token);
    token.extend(mac);
    BASE64_URL_SAFE_NO_PAD.encode(token)
}

/// Whether a token opens what `purpose` names now, and until when. Takes the same time whatever
/// part of a forged one is right.
///
/// # Errors
/// [`BadLink`]; expired only what was good once.
pub fn verify(key: &LinkKey, purpose: &str, token: &str, now: Millis) -> Result<Millis, BadLink> {
    if token.len() != (EXPIRY_BYTES + MAC_BYTES) * 8 / 6 {
        return Err(BadLink::Forged);
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).map_err(|_| BadLink::Forged)?;
    let (expiry, given) = bytes.split_at_checked(EXPIRY_BYTES).ok_or(BadLink::Forged)?;
    let key = hmac_key(key);
    // An HMAC of both is compared, which ring does in constant time; of parts of one it does not.
    let wanted = hmac::sign(&key, &mac(&key, purpose, expiry));
    hmac::verify(&key, given, wanted.as_ref()).map_err(|_| BadLink::Forged)?;
    let expiry_s = expiry.iter().fold(0_i64, |bits, byte| (bits << 8) | i64::from(*byte));
    let expires_at = Millis(expiry_s.saturating_mul(1_000));
    if expires_at <= now {
        return Err(BadLink::Expired);
    }
    Ok(expires_at)
}

/// What the link of a picture opens: this size of it and no other.
#[must_use]
pub fn photo_purpose(id: &str, size: &str) -> String {
    format!("photo/{id}/{size}")
}

/// The address of a picture, open to whoever has it until `expires_at`. `base` is where people
/// reach intake, without a slash at its end; `size` as the crate `photos` names it.
#[must_use]
pub fn photo_url(
    key: &LinkKey,
    base: &str,
    (id, size): (&str, &str),
    expires_at: Millis,
) -> String {
    let token = sign(key, &photo_purpose(id, size), expires_at);
    format!("{base}/v1/photos/{id}?size={size}&sig={token}")
}

/// What the link of a poster's task opens: one delivery, to be read and attested.
#[must_use]
pub fn task_purpose(delivery: &str) -> String {
    format!("posted/{delivery}")
}

/// The path of a poster's task, open to whoever has it until `expires_at`: at most 60 characters,
/// for an SMS. It names the alert by its code and the revision; which of the commune's targets it
/// is only the token says, which is signed for that delivery and no other.
#[must_use]
pub fn task_path(
    key: &LinkKey,
    (code, commune, revision): (&str, &str, u64),
    delivery: &str,
    expires_at: Millis,
) -> String {
    let token = sign(key, &task_purpose(delivery), expires_at);
    format!("/p/{code}/{commune}/{revision}/{token}")
}

fn hmac_key(key: &LinkKey) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key.reveal())
}

/// Over the expiry, whose length is fixed, and then the purpose: no two pairs give the same bytes.
fn mac(key: &hmac::Key, purpose: &str, expiry: &[u8]) -> Vec<u8> {
    let mut context = hmac::Context::with_key(key);
    context.update(DOMAIN);
    context.update(expiry);
    context.update(purpose.as_bytes());
    context.sign().as_ref().iter().take(MAC_BYTES).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_795_257_000_123);

    fn key(byte: u8) -> LinkKey {
        LinkKey::of([byte; 32])
    }

    #[test]
    fn a_link_opens_one_thing_until_it_ends() {
        let token = sign(&key(1), "task/a", NOW.plus_ms(60_000));
        assert_eq!(token.len(), 28);
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
        let until = Millis(1_795_257_060_000);
        assert_eq!(verify(&key(1), "task/a", &token, NOW), Ok(until));
        assert_eq!(verify(&key(1), "task/a", &token, Millis(until.0 - 1)), Ok(until));
        assert_eq!(verify(&key(1), "task/a", &token, until), Err(BadLink::Expired));
        assert_eq!(verify(&key(1), "task/b", &token, NOW), Err(BadLink::Forged));
        assert_eq!(verify(&key(2), "task/a", &token, NOW), Err(BadLink::Forged));
        // What was forged is not called expired, however late it is.
        assert_eq!(verify(&key(2), "task/a", &token, until), Err(BadLink::Forged));
    }

    #[test]
    fn no_letter_of_a_link_may_change() {
        let token = sign(&key(1), "task/a", NOW.plus_ms(60_000));
        for place in 0..token.len() {
            let mut letters: Vec<char> = token.chars().collect();
            letters[place] = if letters[place] == 'A' { 'B' } else { 'A' };
            let other: String = letters.into_iter().collect();
            assert_eq!(verify(&key(1), "task/a", &other, NOW), Err(BadLink::Forged), "{place}");
        }
        let (longer, shorter) = (format!("{token}A"), &token[..24]);
        for wrong in ["", "a", "=", &longer, shorter, "ạ".repeat(14).as_str()] {
            assert_eq!(verify(&key(1), "task/a", wrong, NOW), Err(BadLink::Forged), "{wrong}");
        }
    }

    #[test]
    fn the_link_of_a_task_opens_one_delivery_and_fits_into_an_sms() {
        let path = task_path(&key(1), ("0123456789", "15961", 1), "a:1:g:c", NOW.plus_ms(9_000));
        let (front, token) = path.rsplit_once('/').unwrap();
        assert_eq!(front, "/p/0123456789/15961/1");
        assert!(path.len() <= 60, "{path}");
        let check = |delivery: &str| verify(&key(1), &task_purpose(delivery), token, NOW).is_ok();
        assert!(check("a:1:g:c") && !check("a:1:g:d") && !check("a:2:g:c"));
    }

    #[test]
    fn times_that_nobody_means_are_held_within_bounds() {
        let before = sign(&key(1), "a", Millis(-1));
        assert_eq!(verify(&key(1), "a", &before, Millis(-1)), Ok(Millis(0)));
        let after = sign(&key(1), "a", Millis(i64::MAX));
        assert_eq!(verify(&key(1), "a", &after, NOW), Ok(Millis(EXPIRY_S_MAX * 1_000)));
    }

    #[test]
    fn the_link_of_a_picture_opens_one_size_of_it() {
        let url = photo_url(&key(1), "https://a.vn", ("ab", "medium"), NOW.plus_ms(1_000));
        let (path, token) = url.split_once("&sig=").unwrap();
        assert_eq!(path, "https://a.vn/v1/photos/ab?size=medium");
        let check = |purpose: &str| verify(&key(1), purpose, token, NOW).is_ok();
        assert!(check(&photo_purpose("ab", "medium")) && !check(&photo_purpose("ab", "full")));
    }
}
