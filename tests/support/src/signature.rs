//! The check of a webhook's signature, twice: by the reference implementation of Standard
//! Webhooks, and by HMAC-SHA256 as RFC 2104 has it, which shares no code with what signed.

use anyhow::{Context, Result, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use hyper::HeaderMap;
use sha2::{Digest, Sha256};
use standardwebhooks::Webhook;

/// The block of SHA-256, in bytes.
const BLOCK: usize = 64;

/// Checks a webhook as its receiver does: signed with `secret`, within five minutes of now.
///
/// # Errors
/// A header is missing, the signature is another's, or the time is not now.
pub fn verify(headers: &HeaderMap, body: &[u8], secret: &str) -> Result<()> {
    Webhook::new(secret)?.verify(body, headers)?;
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let id = header("webhook-id").context("no webhook-id")?;
    let timestamp = header("webhook-timestamp").context("no webhook-timestamp")?;
    let signatures = header("webhook-signature").context("no webhook-signature")?;
    let key = secret.strip_prefix("whsec_").context("a secret begins with whsec_")?;
    let key = BASE64_STANDARD.decode(key)?;
    let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    let expected = format!("v1,{}", BASE64_STANDARD.encode(hmac_sha256(&key, &signed)));
    ensure!(signatures.split(' ').any(|one| one == expected), "signed with another secret");
    Ok(())
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> impl AsRef<[u8]> {
    let hashed;
    let key = if key.len() > BLOCK {
        hashed = Sha256::digest(key);
        hashed.as_slice()
    } else {
        key
    };
    let mut block = [0u8; BLOCK];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let inner =
        Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_the_specification_fits() {
        let key = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}";
        let signature = BASE64_STANDARD.encode(hmac_sha256(&key, signed));
        assert_eq!(signature, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn another_secret_another_body_or_another_time_does_not_pass() {
        let secret = |byte: u8| format!("whsec_{}", BASE64_STANDARD.encode([byte; 24]));
        let now_s = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64;
        let headers = |timestamp_s: i64| {
            let signature = Webhook::new(&secret(1)).unwrap().sign("id", timestamp_s, b"{}");
            let mut headers = HeaderMap::new();
            headers.insert("webhook-id", "id".parse().unwrap());
            headers.insert("webhook-timestamp", timestamp_s.into());
            headers.insert("webhook-signature", signature.unwrap().parse().unwrap());
            headers
        };
        assert!(verify(&headers(now_s), b"{}", &secret(1)).is_ok());
        assert!(verify(&headers(now_s), b"{}", &secret(2)).is_err());
        assert!(verify(&headers(now_s), b"[]", &secret(1)).is_err());
        assert!(verify(&headers(now_s - 600), b"{}", &secret(1)).is_err());
        assert!(verify(&HeaderMap::new(), b"{}", &secret(1)).is_err());
    }
}
