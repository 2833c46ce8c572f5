//! A form of an alert: the same request that a program would make, from a form's fields.

use std::sync::Arc;

use axum::{
    Form,
    extract::{Path, Query, State, rejection::PathRejection},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use chassis::{Problem, session::HasPasskey};
use console::{Visitor, see};
use domain::{
    ids::{AlertId, CommuneCode},
    rights::Asker,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Pages,
    signing::{Asked, Prepare},
};
use crate::{
    Intake,
    application::{Request, Shown},
    http::commune_of,
    idempotency::{IdempotencyKey, request_sha256},
    refused::{bad_request, not_found},
};

/// What the forms of an alert have; each act takes what it knows.
#[derive(Deserialize)]
pub(super) struct Fields {
    /// The `Idempotency-Key`.
    key: String,
    /// For which commune.
    #[serde(default)]
    commune: String,
    /// Exactly which revision is meant.
    revision: Option<u64>,
    #[serde(default)]
    note: String,
}

impl Fields {
    /// The body that a program would send; empty where there is nothing to say.
    fn body(&self) -> Vec<u8> {
        let mut body = Map::new();
        if let Some(revision) = self.revision {
            body.insert("revision".into(), revision.into());
        }
        if !self.note.trim().is_empty() {
            body.insert("note".into(), self.note.trim().into());
        }
        if body.is_empty() { vec![] } else { Value::Object(body).to_string().into_bytes() }
    }

    fn commune(&self) -> Result<Option<CommuneCode>, Problem> {
        let commune = Some(&self.commune).filter(|code| !code.is_empty());
        commune.map(|code| commune_of(code)).transpose()
    }

    /// The same as a program would ask it.
    fn asked(&self, id: &str, action: &str) -> Result<Asked, Problem> {
        Ok(Asked {
            path: format!("/v1/alerts/{id}/{action}"),
            commune: self.commune()?,
            body: self.body(),
            key: self.key.clone(),
            then: Some(format!("/alerts/{id}")),
        })
    }
}

pub(super) async fn act(
    State(pages): State<Pages>,
    visitor: Visitor,
    path: Result<Path<(String, String)>, PathRejection>,
    Query(prepare): Query<Prepare>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    let Ok(Path((id, action))) = path else { return visitor.frame.trouble(&not_found()) };
    if prepare.is_wanted() {
        return match fields.asked(&id, &action) {
            Ok(asked) => pages.prepared(&visitor, &headers, &asked).await,
            Err(problem) => problem.into_response(),
        };
    }
    let Visitor { asker, key, frame } = visitor;
    let by = (&asker, HasPasskey(key.is_some()));
    match done(&pages.intake, by, (&id, &action), &fields).await {
        Ok(shown) => {
            let said = match (shown.request_held, shown.pending) {
                (true, _) => "?said=held",
                (false, true) => "?said=deciding",
                (false, false) => "",
            };
            see(&format!("/alerts/{id}{said}"))
        }
        Err(problem) => frame.trouble(&problem),
    }
}

async fn done(
    intake: &Arc<Intake>,
    by: (&Asker, HasPasskey),
    (id, action): (&str, &str),
    fields: &Fields,
) -> Result<Shown, Problem> {
    let alert: AlertId = id.parse().map_err(|_| not_found())?;
    let key =
        IdempotencyKey::of_headers([fields.key.as_bytes()]).map_err(|bad| bad_request(&bad))?;
    let (asker, commune, body) = (by.0, fields.commune()?, fields.body());
    let act = intake.asked_act(asker, alert, action, (&body, commune)).await?;
    let command = key.command_id(&asker.officer, &format!("/v1/alerts/{id}/{action}"));
    let request = Request { command, sha256: request_sha256(&body) };
    intake.act(by, request, alert, act).await
}
