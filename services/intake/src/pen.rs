//! The pen: how a person's own device makes and signs a command, without asking anybody.
//!
//! The same rules as at the edge make it, so that what the server makes of it is the same, byte
//! for byte. For the command line, and for whoever tells stories.

mod said;
mod seen;

use bytes::Bytes;
use chassis::Problem;
use domain::{
    ids::{KeyId, Millis},
    rights::Asker,
};
use wire::{
    seal::{SALT_BYTES, commit, salt},
    signing::Signer,
    v1,
};

pub use self::said::Said;
use crate::{
    acts::{Command, Made, raising},
    application::Request,
    idempotency::IdempotencyKey,
    refused::not_stored,
    request::{Draft, Envelope},
    signed::PATH,
};

/// Who holds a pen: where the key is by which a command is signed.
#[derive(Debug, Clone, Copy)]
pub enum Hand<'a> {
    /// Here: what is made is signed at once.
    Own(&'a Signer),
    /// In a browser's authenticator, which signs what is made afterwards.
    Passkey(KeyId),
}

/// A person with a key, about to sign one command.
pub struct Pen<'a> {
    /// The key.
    pub hand: Hand<'a>,
    /// Who signs, with role and place as the key was registered.
    pub asker: &'a Asker,
    /// The `Idempotency-Key` under which the envelope is sent.
    pub key: &'a IdempotencyKey,
    /// When.
    pub at: Millis,
}

impl Pen<'_> {
    /// Raises an alert.
    ///
    /// # Errors
    /// No randomness.
    pub fn raise(&self, draft: Draft) -> Result<Envelope, Problem> {
        self.sign(raising(self.request(), draft, self.at))
    }

    fn request(&self) -> Request {
        let command = self.key.command_id(&self.asker.officer, PATH);
        Request { command, sha256: [0; 32] }
    }

    fn sign(&self, command: Command) -> Result<Envelope, Problem> {
        let salt: [u8; SALT_BYTES] = salt().map_err(|_| not_stored())?;
        let content =
            v1::SealedContent { request_sha256: Bytes::new(), content: command.content.clone() };
        let content = Bytes::from(prost::Message::encode_to_vec(&content));
        let record = command.draft(Made::signed(self.asker, self.at, salt)).record();
        let (key, signature) = match self.hand {
            Hand::Own(signer) => (signer.id(), signer.sign(&record.open)),
            Hand::Passkey(key) => (key, Bytes::new()),
        };
        Ok(Envelope {
            id: record.id,
            key,
            commitment: commit(&salt, &content),
            salt,
            content,
            signature,
            open: record.open,
        })
    }
}
