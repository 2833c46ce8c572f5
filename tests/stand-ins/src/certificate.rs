//! A certificate for `localhost`, made anew for each test: no key stands in the tree.
//!
//! X.509 v3 by hand (RFC 5280, RFC 8410): self-signed, Ed25519, of use to its own holder alone.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use rumqttc::tokio_rustls::TlsAcceptor;
use rustls::{
    ServerConfig,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// The object identifiers, as they stand in DER.
const ED25519: [u8; 5] = [0x06, 0x03, 0x2b, 0x65, 0x70];
const COMMON_NAME: [u8; 5] = [0x06, 0x03, 0x55, 0x04, 0x03];
const ALTERNATIVE_NAME: [u8; 5] = [0x06, 0x03, 0x55, 0x1d, 0x11];
const NAME: &[u8] = b"localhost";

/// A certificate, and what a server needs to show it.
pub struct Certificate {
    /// What a client trusts, as a PEM file.
    pub pem: String,
    /// Its key, as a PEM file.
    pub private_pem: String,
    /// For a server.
    pub acceptor: TlsAcceptor,
}

/// A new one; `None` where the machine has no chance or the library no TLS.
#[must_use]
pub fn localhost() -> Option<Certificate> {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).ok()?;
    let key = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).ok()?;
    let der = certificate(&key);
    let pem = pem("CERTIFICATE", &der);
    let private_pem = self::pem("PRIVATE KEY", pkcs8.as_ref());
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8.as_ref().to_vec()));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .ok()?
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(der)], private)
        .ok()?;
    Some(Certificate { pem, private_pem, acceptor: Arc::new(config).into() })
}

fn pem(what: &str, der: &[u8]) -> String {
    let bytes = BASE64_STANDARD.encode(der);
    format!("-----BEGIN {what}-----\n{bytes}\n-----END {what}-----\n")
}

fn certificate(key: &Ed25519KeyPair) -> Vec<u8> {
    let algorithm = der(SEQUENCE, &[&ED25519]);
    let common = der(SEQUENCE, &[&COMMON_NAME, &der(0x0c, &[NAME])]);
    let name = der(SEQUENCE, &[&der(SET, &[&common])]);
    let validity =
        der(SEQUENCE, &[&der(0x17, &[b"200101000000Z"]), &der(0x18, &[b"21200101000000Z"])]);
    let bits = der(0x03, &[&[0], key.public_key().as_ref()]);
    let names = der(SEQUENCE, &[&der(0x82, &[NAME])]);
    let extension = der(SEQUENCE, &[&ALTERNATIVE_NAME, &der(0x04, &[&names])]);
    let signed = der(
        SEQUENCE,
        &[
            &der(0xa0, &[&der(0x02, &[&[2]])]),
            &der(0x02, &[&[1]]),
            &algorithm,
            &name,
            &validity,
            &name,
            &der(SEQUENCE, &[&algorithm, &bits]),
            &der(0xa3, &[&der(SEQUENCE, &[&extension])]),
        ],
    );
    let signature = key.sign(&signed);
    der(SEQUENCE, &[&signed, &algorithm, &der(0x03, &[&[0], signature.as_ref()])])
}

/// A tag, a length, and what is in it.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let inside = parts.concat();
    let mut out = vec![tag];
    match u16::try_from(inside.len()).unwrap_or(u16::MAX).to_be_bytes() {
        [0, short] if short < 0x80 => out.push(short),
        [0, long] => out.extend([0x81, long]),
        long => {
            out.push(0x82);
            out.extend(long);
        }
    }
    out.extend(inside);
    out
}
