//! An officer's own device: a key, and envelopes that it makes without asking anybody.

use anyhow::{Result, anyhow};
use axum::{
    body::Body,
    http::{Method, Request, header},
};
use chassis::{Problem, keys::registration};
use domain::{
    ids::Millis,
    rights::{Asker, Standing},
};
use event_log::Recorded;
use history::{Signatures, Tally, Verdict, beside::beside_of};
use intake::{
    idempotency::IdempotencyKey,
    pen::{Hand, Pen, Said},
    request::{self, EdgeKnown, Envelope},
};
use serde_json::{Value, json};
use support::Answer;
use wire::signing::Signer;

use crate::{people::Person, timeline::Timeline};

/// A device with a key of its own.
pub struct Phone {
    /// Whose it is, by the token with which the key is asked for.
    pub person: Person,
    asker: Asker,
    signer: Signer,
}

/// An envelope, and the key under which it is sent.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// What was made.
    pub envelope: Envelope,
    /// The `Idempotency-Key`.
    pub key: String,
}

impl Phone {
    /// The id of its key.
    #[must_use]
    pub fn key(&self) -> String {
        self.signer.id().to_string()
    }

    /// The key itself, for what nobody should do with it.
    #[must_use]
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The same person's words, with another device's key.
    #[must_use]
    pub fn with_key_of(&self, other: &Self) -> Self {
        Self {
            person: self.person.clone(),
            asker: self.asker.clone(),
            signer: other.signer.clone(),
        }
    }

    /// Makes an envelope that raises this alert, at this moment, under this key.
    ///
    /// # Errors
    /// The alert is not one.
    pub fn raises(
        &self,
        day: &Timeline,
        (alert, at): (&Value, Millis),
        key: &str,
    ) -> Result<Sealed> {
        let known = EdgeKnown { now: at, map: day.host.map.as_ref() };
        let draft = request::raise(alert.to_string().as_bytes(), &known)
            .map_err(|bad| anyhow!("{bad:?}"))?;
        self.seals(key, at, |pen| pen.raise(draft))
    }

    /// Makes an envelope that asks what this path and body would ask with a token, now; what has to
    /// be seen for it is looked at with the token.
    ///
    /// # Errors
    /// It is not to be seen, or nothing that is signed.
    pub async fn says(
        &self,
        day: &Timeline,
        path: &str,
        body: &Value,
        key: &str,
    ) -> Result<Sealed> {
        let at = day.now();
        let known = EdgeKnown { now: at, map: day.host.map.as_ref() };
        let body = body.to_string();
        let said = Said { path, commune: None, body: body.as_bytes() };
        let needs = said.needs(&self.asker).map_err(|problem| anyhow!("{problem:?}"))?;
        let mut seen = vec![];
        for path in needs {
            seen.push(day.get(&self.person, &path).await?.expect(200)?.json);
        }
        self.seals(key, at, |pen| pen.say(said, &seen, &known))
    }

    /// Makes an envelope that does something with an alert, now.
    ///
    /// # Errors
    /// As [`Self::says`].
    pub async fn acts(
        &self,
        day: &Timeline,
        (alert, action): (&str, &str),
        body: &Value,
        key: &str,
    ) -> Result<Sealed> {
        self.says(day, &format!("/v1/alerts/{alert}/{action}"), body, key).await
    }

    fn seals(
        &self,
        key: &str,
        at: Millis,
        make: impl FnOnce(&Pen<'_>) -> Result<Envelope, Problem>,
    ) -> Result<Sealed> {
        let idempotency = IdempotencyKey::of_headers([key.as_bytes()]);
        let idempotency = idempotency.map_err(|bad| anyhow!("{bad:?}"))?;
        let pen = Pen { hand: Hand::Own(&self.signer), asker: &self.asker, key: &idempotency, at };
        let envelope = make(&pen).map_err(|problem| anyhow!("{problem:?}"))?;
        Ok(Sealed { envelope, key: key.to_owned() })
    }
}

impl Timeline {
    /// A device of this person, whose key nobody knows yet.
    ///
    /// # Errors
    /// The token could not be made.
    pub async fn phone(&self, officer: &str, standing: Standing, secret: u8) -> Result<Phone> {
        let person = self.person(officer, standing).await?;
        let asker = Asker { officer: officer.parse()?, standing };
        Ok(Phone { person, asker, signer: Signer::of_secret(&[secret; 32]) })
    }

    /// Asks for the key of a device.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn asks_for_key(&self, phone: &Phone) -> Result<Answer> {
        let body = registration(&phone.signer, phone.asker.officer.as_str());
        self.post(&phone.person, "/v1/keys", &body).await
    }

    /// A second person's yes to the key of a device.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn confirms_key(&self, second: &Person, phone: &Phone) -> Result<Answer> {
        let path = format!("/v1/keys/{}/confirm", phone.key());
        self.post(second, &path, &json!({})).await
    }

    /// Ends the key of a device.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn revokes_key(&self, by: &Person, phone: &Phone) -> Result<Answer> {
        self.post(by, &format!("/v1/keys/{}/revoke", phone.key()), &json!({})).await
    }

    /// Hands an envelope over: no token goes with it.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn gives(&self, sealed: &Sealed) -> Result<Answer> {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/v1/commands")
            .header("idempotency-key", &sealed.key)
            .header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(sealed.envelope.json().to_string()))?).await
    }

    /// The signatures of the whole log, as an auditor counts them with nothing but the leaves and
    /// what lies beside them.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for (index, recorded) in (0..).zip(self.log.records()) {
            tally.next(index, &recorded.open, &beside_of(&recorded));
        }
        tally
    }

    /// The verdict on each command of the log, in its order.
    #[must_use]
    pub fn verdicts(&self) -> Vec<(Recorded, Verdict)> {
        let mut signatures = Signatures::new();
        let all = self.log.records().into_iter();
        all.filter_map(|recorded| {
            let verdict = signatures.next(&recorded)?;
            Some(((*recorded).clone(), verdict))
        })
        .collect()
    }
}
