//! A person at a browser: pages over the real routes, a cookie, and an authenticator.

#![allow(clippy::indexing_slicing, reason = "what is not in a JSON object is null")]

use anyhow::{Context, Result};
use axum::{
    body::Body,
    http::{Method, Request, header},
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use prost::Message;
use serde_json::{Value, json};
use stand_ins::authenticator::{Asserted, Authenticator, Gesture};
use support::Answer;
use wire::v1::Assertion;

use crate::timeline::Timeline;

/// Where the pages of a timeline are.
pub const ORIGIN: &str = "https://keng.example.vn";

/// A browser, with its person's authenticator at hand.
#[derive(Clone)]
pub struct Browser {
    /// The authenticator.
    pub authenticator: Authenticator,
    /// What is done with it, and where.
    pub gesture: Gesture,
    cookie: Option<String>,
}

impl Browser {
    /// A browser on our pages; each seed has a passkey of its own.
    #[must_use]
    pub fn of_seed(seed: u8) -> Self {
        let authenticator = Authenticator::of_seed(seed);
        Self { authenticator, gesture: Gesture::at(ORIGIN), cookie: None }
    }

    /// Answers to a challenge, as the scripts of our pages send it.
    ///
    /// # Errors
    /// The challenge is not base64url.
    pub fn asserts(&self, challenge: &str) -> Result<Asserted> {
        Ok(self.authenticator.asserts(&decoded(challenge)?, &self.gesture))
    }

    /// Signs what was prepared: the envelope.
    ///
    /// # Errors
    /// It was not prepared.
    pub fn signs(&self, prepared: &Value) -> Result<Value> {
        let challenge = prepared["challenge"].as_str().context("a challenge")?;
        let Asserted { authenticator_data, client_data, signature } = self.asserts(challenge)?;
        let assertion = Assertion {
            authenticator_data: authenticator_data.into(),
            client_data: client_data.into(),
            signature: signature.into(),
        };
        let mut envelope = prepared["envelope"].clone();
        envelope["signature"] = BASE64_STANDARD.encode(assertion.encode_to_vec()).into();
        Ok(envelope)
    }
}

fn decoded(text: &str) -> Result<Vec<u8>> {
    Ok(BASE64_URL_SAFE_NO_PAD.decode(text)?)
}

fn encoded(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn told(asserted: &Asserted) -> Value {
    json!({
        "authenticator_data": encoded(&asserted.authenticator_data),
        "client_data": encoded(&asserted.client_data),
        "signature": encoded(&asserted.signature),
    })
}

impl Timeline {
    /// `GET` of a page or a route, in this browser.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn browses(&self, browser: &Browser, path: &str) -> Result<Answer> {
        self.asks_as(browser, Method::GET, path, Body::empty()).await
    }

    /// `POST` of JSON, by a script of our own pages.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn scripts(&self, browser: &Browser, path: &str, body: &Value) -> Result<Answer> {
        self.asks_as(browser, Method::POST, path, Body::from(body.to_string())).await
    }

    /// What this browser would send if a page of somebody else had it do so: all that each of our
    /// routes for scripts could want.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn is_asked_from_elsewhere(
        &self,
        browser: &Browser,
        path: &str,
        challenge: &Answer,
        link: &str,
    ) -> Result<Answer> {
        let challenge = challenge.text_at("/challenge");
        let mut body = told(&browser.asserts(challenge)?);
        body["challenge"] = challenge.into();
        body["credential"] = encoded(&browser.authenticator.credential).into();
        body["token"] = link.split_once('#').context("no link")?.1.into();
        body["path"] = "/v1/alerts".into();
        body["key"] = "k-1".into();
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header("sec-fetch-site", "cross-site")
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(cookie) = &browser.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        self.send(request.body(Body::from(body.to_string()))?).await
    }

    async fn asks_as(
        &self,
        browser: &Browser,
        method: Method,
        path: &str,
        body: Body,
    ) -> Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("sec-fetch-site", "same-origin")
            .header("idempotency-key", format!("browser{path}"))
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(cookie) = &browser.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        self.send(request.body(body)?).await
    }

    /// Enrols the browser's passkey by a link, as `/enrol` does it.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn enrols(&self, browser: &Browser, link: &str) -> Result<Answer> {
        let token = link.split_once('#').context("no link")?.1;
        let begun = self.scripts(browser, "/enrol/begin", &json!({ "token": token })).await?;
        if begun.status != 200 {
            return Ok(begun);
        }
        let data = encoded(&browser.authenticator.made(&browser.gesture));
        let made = json!({ "token": token, "authenticator_data": data });
        let made = self.scripts(browser, "/enrol/made", &made).await?;
        if made.status != 200 {
            return Ok(made);
        }
        let proof = browser.asserts(made.text_at("/challenge"))?;
        let all = json!({ "token": token, "authenticator_data": data, "proof": told(&proof) });
        self.scripts(browser, "/enrol/finish", &all).await
    }

    /// Signs in by the browser's passkey.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn signs_in(&self, browser: &mut Browser) -> Result<Answer> {
        let challenge = self.browses(browser, "/sign-in/challenge").await?.expect(200)?;
        self.answers(browser, challenge.text_at("/challenge")).await
    }

    /// The same, to a challenge that was given before.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn answers(&self, browser: &mut Browser, challenge: &str) -> Result<Answer> {
        let mut body = told(&browser.asserts(challenge)?);
        body["challenge"] = challenge.into();
        body["credential"] = encoded(&browser.authenticator.credential).into();
        body["next"] = "/board".into();
        let answer = self.scripts(browser, "/sign-in/passkey", &body).await?;
        let cookie = answer.headers.get(header::SET_COOKIE).and_then(|it| it.to_str().ok());
        if let Some(pair) = cookie.and_then(|cookie| cookie.split(';').next()) {
            browser.cookie = Some(pair.to_owned());
        }
        Ok(answer)
    }

    /// What a program would send to this path, as a command to be signed.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn prepares(
        &self,
        browser: &Browser,
        (path, body): (&str, &Value),
        key: &str,
    ) -> Result<Answer> {
        let asked = json!({ "path": path, "body": body, "key": key });
        self.scripts(browser, "/sign/prepare", &asked).await
    }

    /// Prepares it, has the passkey sign it, and gives it.
    ///
    /// # Errors
    /// It could not be prepared, or there was no answer.
    pub async fn commands(
        &self,
        browser: &Browser,
        asked: (&str, &Value),
        key: &str,
    ) -> Result<Answer> {
        let prepared = self.prepares(browser, asked, key).await?.expect(200)?;
        let envelope = browser.signs(&prepared.json)?;
        self.gives_json(&envelope, key).await
    }

    /// Hands an envelope over: no token goes with it.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn gives_json(&self, envelope: &Value, key: &str) -> Result<Answer> {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/v1/commands")
            .header("idempotency-key", key)
            .header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(envelope.to_string()))?).await
    }
}
