//! Enrolment: how a person comes to a passkey, by a link that works once.
//!
//! Two persons take part: who gave the link says yes to the passkey that it brings. What a browser
//! says when a passkey is made is signed by nobody, so the passkey signs at once that it is for its
//! holder; that proof is recorded, and an auditor checks it as this does.

use askama::Template;
use axum::{
    Json, Router,
    extract::{State, rejection::JsonRejection},
    http::{HeaderMap, Method, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chassis::{
    Problem,
    admin::{hash_of, of_clerk},
    auth::forbidden,
    keys::of_key,
    session::is_own,
};
use domain::{
    directory::TokenPurpose,
    ids::{KeyId, RecordId},
    key::{Holder, KeyFacts, Passkey, PublicKey},
    rights::Asker,
};
use prost::Message as _;
use registry::KeyState;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wire::{
    actor::person,
    passkey::{ALGORITHMS, NotAsserted, asserted, challenge_of, made},
    signing::{is_proven, proof_of},
};

use crate::{
    Console, Site,
    frame::{Frame, shown},
    passkeys::{Asserted, decoded, encoded, sent},
    visitor::Anyone,
};

pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/enrol", get(page))
        .route("/enrol/begin", post(begin))
        .route("/enrol/made", post(was_made))
        .route("/enrol/finish", post(finish))
}

/// Who may ask for a passkey.
pub(crate) struct Enrolment {
    /// Whose it will be.
    pub(crate) asker: Asker,
    /// Who gave the link.
    pub(crate) by: Asker,
    /// The link's public id; `None` for the first admin's, of which nothing is written down.
    pub(crate) token: Option<String>,
}

#[derive(Template)]
#[template(path = "enrol.html")]
struct EnrolPage<'a> {
    frame: &'a Frame,
    site: &'a Site,
}

async fn page(State(console): State<Console>, Anyone(frame): Anyone) -> Response {
    shown(StatusCode::OK, &EnrolPage { frame: &frame, site: &console.site })
}

#[derive(Deserialize)]
struct Begin {
    token: String,
}

/// What a browser is to be asked for: a passkey that is found without a name, and wants its person
/// verified. Nobody asks who made the authenticator.
async fn begin(
    State(console): State<Console>,
    Anyone(frame): Anyone,
    headers: HeaderMap,
    body: Result<Json<Begin>, JsonRejection>,
) -> Result<Response, Problem> {
    let Begin { token } = sent(body)?;
    let Enrolment { asker, .. } = console.enrolment(&headers, &token)?;
    let officer = asker.officer.as_str();
    let algorithms = ALGORITHMS.map(|alg| json!({ "type": "public-key", "alg": alg }));
    let told = json!({
        "officer": officer,
        "role": frame.role(asker.standing.role()),
        "rp": { "id": console.site.rp(), "name": "Kẻng" },
        // No name of a person: an authenticator shows it, and gives it to whoever asks.
        "user": { "id": encoded(&Sha256::digest(officer)), "name": officer },
        "algorithms": algorithms,
        "known": console.passkeys_of(&asker),
    });
    Ok(Json(told).into_response())
}

#[derive(Deserialize)]
struct Made {
    token: String,
    authenticator_data: String,
}

/// What the new passkey is to sign.
async fn was_made(
    State(console): State<Console>,
    headers: HeaderMap,
    body: Result<Json<Made>, JsonRejection>,
) -> Result<Response, Problem> {
    let Made { token, authenticator_data } = sent(body)?;
    let enrolment = console.enrolment(&headers, &token)?;
    let passkey = console.passkey_in(&authenticator_data)?;
    let told = json!({
        "credential": encoded(&passkey.credential),
        "challenge": encoded(&proof_wanted(&enrolment.asker, &passkey)),
    });
    Ok(Json(told).into_response())
}

#[derive(Deserialize)]
struct Finish {
    token: String,
    authenticator_data: String,
    proof: Asserted,
}

async fn finish(
    State(console): State<Console>,
    headers: HeaderMap,
    body: Result<Json<Finish>, JsonRejection>,
) -> Result<Response, Problem> {
    let Finish { token, authenticator_data, proof } = sent(body)?;
    let enrolment = console.enrolment(&headers, &token)?;
    let passkey = console.passkey_in(&authenticator_data)?;
    let proof = proof.read().ok_or_else(|| not_proven(NotAsserted::Unreadable))?;
    let wanted = proof_wanted(&enrolment.asker, &passkey);
    asserted(&passkey, &wanted, &proof).map_err(not_proven)?;
    let facts = KeyFacts {
        public: PublicKey::Passkey(passkey),
        holder: Holder::Officer(enrolment.asker.clone()),
        proof: proof.encode_to_vec(),
    };
    if console.is_another(&facts) {
        return Err(not_taken("đã có khóa khác mang mã này / another passkey has this id"));
    }
    // What is taken here is taken in a court, too.
    if !is_proven(&facts.public, enrolment.asker.officer.as_str(), &facts.proof) {
        return Err(not_proven(NotAsserted::Unreadable));
    }
    console.record(&enrolment, &facts).await?;
    Ok((StatusCode::CREATED, Json(json!({ "key": facts.id().to_string() }))).into_response())
}

/// What a passkey answers to, to prove that it is for its holder.
fn proof_wanted(holder: &Asker, passkey: &Passkey) -> [u8; 32] {
    challenge_of(&proof_of(holder.officer.as_str(), &passkey.public))
}

impl Console {
    /// Who this link is for, while it works.
    fn enrolment(&self, headers: &HeaderMap, token: &str) -> Result<Enrolment, Problem> {
        if !is_own(&Method::POST, headers) {
            return Err(forbidden());
        }
        let first = self.first.enrolment(&self.host, token);
        first.or_else(|| self.given(token)).ok_or_else(no_link)
    }

    fn given(&self, token: &str) -> Option<Enrolment> {
        let directory = self.host.directory.read();
        let facts = directory.token(&hash_of(token), self.host.clock.now())?;
        let TokenPurpose::Enrolment { by } = &facts.purpose else { return None };
        let asker = Asker { officer: facts.officer.clone(), standing: facts.standing };
        Some(Enrolment { asker, by: by.clone(), token: Some(facts.id.clone()) })
    }

    fn passkey_in(&self, authenticator_data: &str) -> Result<Passkey, Problem> {
        let data = decoded(authenticator_data).unwrap_or_default();
        made(&data, self.site.rp()).map_err(|why| not_taken(&why.to_string()))
    }

    /// The passkeys that the person has here: an authenticator makes no second one.
    fn passkeys_of(&self, asker: &Asker) -> Vec<Value> {
        let directory = self.host.directory.read();
        let own = directory.signers().all().filter(|(_, key)| {
            key.state != KeyState::Revoked && key.facts.holder.id() == &asker.officer
        });
        let passkeys = own.filter_map(|(_, key)| key.facts.public.passkey());
        passkeys.map(|passkey| encoded(&passkey.credential).into()).collect()
    }

    /// Writes down that the passkey was asked for, and that who gave the link says yes; ends the
    /// link. A link brings one passkey, whoever uses it twice: the first under its id wins.
    async fn record(&self, enrolment: &Enrolment, facts: &KeyFacts) -> Result<(), Problem> {
        let Enrolment { asker, by, token } = enrolment;
        let (clerk, now, key) = (&self.host.clerk, self.host.clock.now(), facts.id());
        let link = token.clone().unwrap_or_else(|| key.to_string());
        let id = |step: &str| RecordId::of_purpose(&format!("enrol/{link}/{step}"));
        clerk.register_key(id("ask"), person(asker), facts, now).await.map_err(of_key)?;
        if !self.is_known(key) {
            return Err(no_link());
        }
        clerk.confirm_key(id("confirm"), person(by), key, now).await.map_err(of_key)?;
        if let Some(token) = token {
            clerk.revoke_token(person(by), token, now).await.map_err(of_clerk)?;
        }
        tracing::info!(%key, of = %asker.officer, by = %by.officer, "a passkey was enrolled");
        Ok(())
    }

    /// Whether the id by which an authenticator knows this passkey is another one's already.
    fn is_another(&self, facts: &KeyFacts) -> bool {
        let directory = self.host.directory.read();
        let passkey = facts.public.passkey();
        let known = passkey.and_then(|it| directory.signers().of_credential(&it.credential));
        known.is_some_and(|(id, _)| id != facts.id())
    }

    fn is_known(&self, key: KeyId) -> bool {
        self.host.directory.read().signing_key(key).is_some()
    }
}

fn no_link() -> Problem {
    let detail = "Liên kết này không còn dùng được. Hãy xin liên kết khác. / \
                  This link no longer works. Ask for another one.";
    Problem::new(StatusCode::FORBIDDEN, "no-enrolment", detail)
}

fn not_proven(why: NotAsserted) -> Problem {
    not_taken(&why.to_string())
}

fn not_taken(why: &str) -> Problem {
    let detail = format!("Khóa này không dùng được ở đây: {why}");
    Problem::new(StatusCode::BAD_REQUEST, "no-passkey", detail)
}
