//! The pages of who keeps the directory: keys, tokens, groups, officers, channels, and what is in
//! force.
//!
//! A form is a request like any other: it does what the route of programs does, under that path;
//! its `Idempotency-Key` stands in the form.

mod groups;
mod import;
mod keys;
mod officers;
mod registry;
mod tokens;

use ::registry::Map;
use axum::{
    Router,
    extract::{DefaultBodyLimit, Form, FromRequest, FromRequestParts, Request},
    http::{StatusCode, request::Parts},
    response::Response,
    routing::{get, post},
};
use chassis::{
    Problem,
    admin::{Changed, administers, too_large},
};
use domain::{
    hex::hex,
    rights::{Asker, Standing},
};
use serde::Deserialize;

use crate::{Console, Frame, Visitor, see};

/// The lines of a file in a form: larger files are for `keng groups import`.
const LINES_BYTES_MAX: usize = 16 << 20;
/// So many rows a page shows at most; a search finds the others.
const ROWS_MAX: usize = 200;
/// What a page says of what was just done.
const SAID: [&str; 7] =
    ["confirmed", "revoked", "held", "recorded", "nothing-new", "stopped", "started"];
/// The parts: where, and the key of the name.
const PARTS: [(&str, &str); 5] = [
    ("/admin", "admin-keys"),
    ("/admin/tokens", "admin-tokens"),
    ("/admin/groups", "admin-groups"),
    ("/admin/officers", "admin-officers"),
    ("/admin/registry", "admin-registry"),
];

pub(crate) fn routes() -> Router<Console> {
    let lines = DefaultBodyLimit::max(LINES_BYTES_MAX);
    Router::new()
        .route("/admin", get(keys::page))
        .route("/admin/keys/{id}/{verdict}", post(keys::decide))
        .route("/admin/tokens", get(tokens::page).post(tokens::make))
        .route("/admin/tokens/{id}/revoke", post(tokens::revoke))
        .route("/admin/groups", get(groups::page).post(groups::import).layer(lines))
        .route("/admin/officers", get(officers::page).post(officers::import).layer(lines))
        .route("/admin/registry", get(registry::page))
        .route("/admin/channels/{word}", post(registry::switch))
}

/// Somebody who administers, and the frame of the page. Everybody else is told that they may not.
struct Admin {
    asker: Asker,
    frame: Frame,
}

impl FromRequestParts<Console> for Admin {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Response> {
        let Visitor { asker, frame, .. } = Visitor::from_request_parts(parts, console).await?;
        match administers(&asker) {
            Ok(()) => Ok(Self { asker, frame }),
            Err(problem) => Err(frame.trouble(&problem)),
        }
    }
}

/// The fields of a form, as they were typed.
#[derive(Default)]
struct Typed(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Typed {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let form = Form::from_request(request, state).await;
        form.map(|Form(fields)| Self(fields)).map_err(|_| too_large())
    }
}

/// A form of a page, sent to the page's own path, and who has sent it. One that cannot be read is
/// said to be so.
struct Filled {
    asker: Asker,
    frame: Frame,
    typed: Typed,
}

impl FromRequest<Console> for Filled {
    type Rejection = Response;

    async fn from_request(request: Request, console: &Console) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let admin = Admin::from_request_parts(&mut parts, console).await?;
        let Admin { asker, mut frame } = admin;
        parts.uri.path().clone_into(&mut frame.path);
        match Typed::from_request(Request::from_parts(parts, body), console).await {
            Ok(typed) => Ok(Self { asker, frame, typed }),
            Err(problem) => Err(frame.trouble(&problem)),
        }
    }
}

impl Typed {
    /// What a field says, without the space around it; empty where there is none.
    fn text(&self, name: &str) -> &str {
        let field = self.0.iter().find(|(of, _)| of == name);
        field.map(|(_, value)| value.trim()).unwrap_or_default()
    }

    /// As [`Self::text`]; `None` where nothing was typed.
    fn given(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }
}

/// What was just done, as the next page is told.
#[derive(Default, Deserialize)]
struct Said {
    #[serde(default)]
    said: String,
    #[serde(default)]
    count: u64,
}

/// What a page says of what was just asked: that it is done, or why not.
#[derive(Default)]
struct Told {
    said: &'static str,
    count: u64,
    problem: Option<Problem>,
}

impl From<Said> for Told {
    fn from(Said { said, count }: Said) -> Self {
        let said = SAID.into_iter().find(|known| *known == said).unwrap_or_default();
        Self { said, count, problem: None }
    }
}

impl From<Problem> for Told {
    fn from(problem: Problem) -> Self {
        Self { problem: Some(problem), ..Self::default() }
    }
}

impl Told {
    fn status(&self) -> StatusCode {
        self.problem.as_ref().map_or(StatusCode::OK, Problem::status)
    }

    /// What was done, in words; empty where nothing was.
    fn done(&self, frame: &Frame) -> String {
        match self.said {
            "" => String::new(),
            said => frame.t1(&format!("admin-said-{said}"), "count", self.count),
        }
    }

    /// Why it was not done, in one sentence; empty where nothing is wrong.
    fn trouble(&self, frame: &Frame) -> String {
        match &self.problem {
            Some(problem) if problem.code() == "already-made" => frame.t("admin-already-made"),
            Some(problem) => frame.half(problem.detail()).to_owned(),
            None => String::new(),
        }
    }

    /// Each field at fault, and why. Of a file it is the line and the field.
    fn faults(&self, frame: &Frame) -> Vec<(String, String)> {
        let errors = self.problem.iter().flat_map(Problem::errors);
        let named = errors.filter(|error| !error.field.is_empty());
        let named = named.map(|error| {
            let line = error.field.split_once(':').filter(|(line, _)| line.parse::<u64>().is_ok());
            let field = match line {
                Some((line, "")) => frame.t1("admin-line", "line", line),
                Some((line, field)) => {
                    format!("{} · {field}", frame.t1("admin-line", "line", line))
                }
                None => error.field.clone(),
            };
            (field, frame.half(&error.reason).to_owned())
        });
        named.collect()
    }

    /// Why this field was not taken; empty where it was.
    fn fault(&self, frame: &Frame, field: &str) -> String {
        let mut errors = self.problem.iter().flat_map(Problem::errors);
        let fault = errors.find(|error| error.field == field);
        fault.map(|error| frame.half(&error.reason).to_owned()).unwrap_or_default()
    }

    /// The parts: where, the name, and whether the reader is there.
    fn parts(&self, frame: &Frame) -> Vec<(&'static str, String, bool)> {
        let here = frame.path.split('?').next().unwrap_or_default();
        PARTS.into_iter().map(|(path, key)| (path, frame.t(key), path == here)).collect()
    }
}

/// Shows a part after a change.
fn see_changed(path: &str, changed: Changed, said: &str) -> Response {
    let said = if changed == Changed::Held { "held" } else { said };
    see(&format!("{path}?said={said}"))
}

/// An `Idempotency-Key` for a form. Where there is no randomness it is empty, and refused.
fn fresh_key() -> String {
    let mut key = [0; 16];
    getrandom::fill(&mut key).map(|()| hex(&key)).unwrap_or_default()
}

/// Where a role holds: the name and the code; empty for those that hold everywhere.
fn place_of(map: &Map, standing: Standing) -> String {
    if let Some(code) = standing.commune() {
        let name = map.commune(code).map_or("", |commune| &commune.name);
        return format!("{name} ({code})");
    }
    let province = standing.province();
    let named = |code| format!("{} ({code})", map.province_name(code).unwrap_or_default());
    province.map(named).unwrap_or_default()
}
