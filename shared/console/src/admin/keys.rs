//! Keys and passkeys: those that wait for a second person, and those that sign.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use chassis::{
    Host, Problem,
    admin::{Changed, command_under},
    keys::{confirm_key, confirm_path, no_such_key, revoke_key, revoke_path},
};
use domain::{
    ids::KeyId,
    key::Holder,
    rights::{Asker, Standing},
};
use registry::{KeyState, SigningKey};
use rendering::text::clock;
use serde::Deserialize;

use super::{Admin, ROWS_MAX, Said, Told, Typed, fresh_key, place_of, see_changed};
use crate::{Frame, shown};

const PATH: &str = "/admin";

#[derive(Template)]
#[template(path = "admin_keys.html")]
struct KeysPage<'a> {
    frame: &'a Frame,
    told: Told,
    officer: &'a str,
    waiting: Vec<KeySeen>,
    registered: Vec<KeySeen>,
    /// How many more sign.
    left_out: usize,
}

struct KeySeen {
    id: String,
    officer: String,
    role: String,
    place: String,
    is_passkey: bool,
    at: String,
}

impl KeysPage<'_> {
    fn key(&self) -> String {
        fresh_key()
    }
}

#[derive(Default, Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    pub(super) officer: String,
}

pub(super) async fn page(
    State(host): State<Host>,
    Admin { frame, .. }: Admin,
    Query(search): Query<Search>,
    Query(said): Query<Said>,
) -> Response {
    drawn(&host, &frame, search.officer.trim(), said.into())
}

fn drawn(host: &Host, frame: &Frame, officer: &str, told: Told) -> Response {
    let directory = host.directory.read();
    let of_state =
        |state: KeyState| directory.signers().all().filter(move |(_, key)| key.state == state);
    let seen = |(id, key): (&KeyId, &SigningKey)| KeySeen::of(host, frame, *id, key);
    let mut waiting: Vec<_> = of_state(KeyState::Asked).collect();
    waiting.sort_by_key(|(_, key)| key.at);
    let is_sought =
        |(_, key): &(&KeyId, &SigningKey)| key.facts.holder.id().as_str().contains(officer);
    let mut registered: Vec<_> = of_state(KeyState::Registered).filter(is_sought).collect();
    registered.sort_by_key(|(_, key)| key.facts.holder.id());
    let page = KeysPage {
        frame,
        officer,
        waiting: waiting.into_iter().map(seen).collect(),
        left_out: registered.len().saturating_sub(ROWS_MAX),
        registered: registered.into_iter().take(ROWS_MAX).map(seen).collect(),
        told,
    };
    shown(page.told.status(), &page)
}

impl KeySeen {
    fn of(host: &Host, frame: &Frame, id: KeyId, key: &SigningKey) -> Self {
        let standing: Option<Standing> = match &key.facts.holder {
            Holder::Officer(holder) => Some(holder.standing),
            Holder::Service(_) => None,
        };
        Self {
            id: id.to_string(),
            officer: key.facts.holder.id().to_string(),
            role: standing.map_or_else(|| frame.t("admin-service"), |it| frame.role(it.role())),
            place: standing.map(|it| place_of(&host.map, it)).unwrap_or_default(),
            is_passkey: key.facts.public.passkey().is_some(),
            at: clock(key.at),
        }
    }
}

pub(super) async fn decide(
    State(host): State<Host>,
    Admin { asker, mut frame }: Admin,
    Path((id, verdict)): Path<(String, String)>,
    typed: Result<Typed, Problem>,
) -> Response {
    match decided(&host, &asker, (&id, &verdict), typed).await {
        Ok((changed, said)) => see_changed(PATH, changed, said),
        Err(problem) => {
            PATH.clone_into(&mut frame.path);
            drawn(&host, &frame, "", problem.into())
        }
    }
}

async fn decided(
    host: &Host,
    asker: &Asker,
    (id, verdict): (&str, &str),
    typed: Result<Typed, Problem>,
) -> Result<(Changed, &'static str), Problem> {
    let typed = typed?;
    let key: KeyId = id.parse().map_err(|_| no_such_key())?;
    if host.directory.read().signers().get(key).is_none() {
        return Err(no_such_key());
    }
    let command = |path: String| command_under(asker, &path, typed.given("key"));
    match verdict {
        "confirm" => {
            confirm_key(host, asker, command(confirm_path(key))?, key).await?;
            Ok((Changed::Written, "confirmed"))
        }
        "revoke" => {
            let changed = revoke_key(host, asker, command(revoke_path(key))?, key).await?;
            Ok((changed, "revoked"))
        }
        _ => Err(Problem::no_such_path()),
    }
}
