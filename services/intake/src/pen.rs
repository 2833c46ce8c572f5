//! The pen: how a person's own device makes and signs a command, without asking anybody.
//!
//! The same rules as at the edge make it, so that what the server makes of it is the same, byte
//! for byte. For the command line, and for whoever tells stories.

use bytes::Bytes;
use chassis::Problem;
use domain::{
    ids::{AlertId, CommuneCode, Home, Millis},
    rights::Asker,
};
use serde_json::Value;
use wire::{
    seal::{SALT_BYTES, commit, salt},
    signing::Signer,
    v1::{self, ChangeHow},
};

use crate::{
    act_words::act_in_words,
    acts::{Act, Command, Made, command_of, raising},
    alert_acts::AlertAct,
    application::Request,
    idempotency::IdempotencyKey,
    refused::{bad_request, not_stored},
    request::{self, Draft, EdgeKnown, Envelope},
    row::Row,
    signed::PATH,
};

/// A person with a key, about to sign one command.
pub struct Pen<'a> {
    /// The key.
    pub signer: &'a Signer,
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

    /// Does something with an alert of the home named: the last word of the path over HTTP, and the
    /// body.
    ///
    /// # Errors
    /// What the server would refuse at its edge; an act that this cannot make is no such path.
    pub fn act(
        &self,
        (alert, home): (AlertId, Home),
        action: &str,
        (body, commune): (&[u8], Option<CommuneCode>),
        known: &EdgeKnown<'_>,
    ) -> Result<Envelope, Problem> {
        let act = match action {
            "release" => {
                request::nothing(body).map_err(|bad| bad_request(&bad))?;
                Act::OfAlert(AlertAct::Release { words: None })
            }
            action => act_in_words(action, (body, commune), known)
                .map_err(|bad| bad_request(&bad))?
                .ok_or_else(Problem::no_such_path)?,
        };
        self.sign_act(&Row::new(alert, home), act)
    }

    /// Updates or corrects an alert, which stands as `shown` (the answer of `GET /v1/alerts/{id}`).
    ///
    /// # Errors
    /// What the server would refuse at its edge.
    pub fn change(
        &self,
        (alert, how): (AlertId, ChangeHow),
        shown: &Value,
        body: &[u8],
        known: &EdgeKnown<'_>,
    ) -> Result<Envelope, Problem> {
        let bad = |bad| bad_request(&bad);
        let stands = request::standing(shown, known).map_err(bad)?;
        let stands = (&stands.facts, &stands.text);
        let wanted = request::change(body, stands, known).map_err(bad)?.draft;
        // Again by the shortest patch, which the server finds too.
        let patch = request::patch(stands, (&wanted.facts, &wanted.text));
        let changed = Box::new(request::change(&patch, stands, known).map_err(bad)?);
        let act = Act::OfAlert(AlertAct::Change { how, changed });
        self.sign_act(&Row::new(alert, stands.0.home), act)
    }

    fn sign_act(&self, row: &Row, act: Act) -> Result<Envelope, Problem> {
        self.sign(command_of(self.asker, self.request(), row, act, self.at)?)
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
        Ok(Envelope {
            id: record.id,
            key: self.signer.id(),
            commitment: commit(&salt, &content),
            salt,
            content,
            signature: self.signer.sign(&record.open),
            open: record.open,
        })
    }
}
