//! Tokens, sessions and enrolment links: who has them, new ones, and their end.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
};
use chassis::{
    Host, Problem,
    admin::{
        TOKENS_PATH, TokenAsked, TokenMade, command_under, make_token, purpose_word, revoke_token,
        state_word,
    },
};
use domain::{ids::Millis, rights::Asker, values::Role};
use registry::Token;
use rendering::text::clock;
use serde::Deserialize;

use super::{Admin, Filled, ROWS_MAX, Said, Told, Typed, fresh_key, place_of, see_changed};
use crate::{
    Console, Frame,
    open::{Drawn, drawn_in_page},
    shown,
};

const PATH: &str = "/admin/tokens";
const STATES: [&str; 3] = ["valid", "expired", "revoked"];

#[derive(Template)]
#[template(path = "admin_tokens.html")]
struct TokensPage<'a> {
    frame: &'a Frame,
    told: Told,
    typed: &'a Typed,
    search: &'a Search,
    tokens: Vec<TokenSeen>,
    /// How many more there are.
    left_out: usize,
}

struct TokenSeen {
    id: String,
    officer: String,
    role: String,
    place: String,
    purpose: &'static str,
    /// Empty: it does not end.
    expires: String,
    state: &'static str,
}

/// A form that makes a token, with what was typed into it.
struct TokenForm<'a> {
    frame: &'a Frame,
    told: &'a Told,
    purpose: &'static str,
    /// What was typed into this one and not taken; `None`: into none, or into the other.
    typed: Option<&'a Typed>,
}

/// What is shown once, and never again.
#[derive(Template)]
#[template(path = "admin_made.html")]
struct MadePage<'a> {
    frame: &'a Frame,
    told: Told,
    officer: &'a str,
    made: &'a TokenMade,
    link: String,
    code: Option<Drawn>,
}

#[derive(Default, Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    officer: String,
    #[serde(default)]
    state: String,
}

impl Search {
    /// Where nothing else is sought, what works.
    fn state(&self) -> &'static str {
        STATES.into_iter().find(|state| *state == self.state).unwrap_or("valid")
    }
}

impl TokensPage<'_> {
    fn key(&self) -> String {
        fresh_key()
    }

    fn states(&self) -> [&'static str; 3] {
        STATES
    }

    fn forms(&self) -> [TokenForm<'_>; 2] {
        ["enrolment", "access"].map(|purpose| TokenForm {
            frame: self.frame,
            told: &self.told,
            purpose,
            typed: Some(self.typed).filter(|typed| typed.text("purpose") == purpose),
        })
    }
}

impl TokenForm<'_> {
    fn key(&self) -> String {
        fresh_key()
    }

    fn value(&self, field: &str) -> &str {
        self.typed.map(|typed| typed.text(field)).unwrap_or_default()
    }

    fn fault(&self, field: &str) -> String {
        self.typed.map(|_| self.told.fault(self.frame, field)).unwrap_or_default()
    }

    /// The roles: word, name, whether it was chosen.
    fn roles(&self) -> Vec<(&'static str, String, bool)> {
        let role = |role: &Role| {
            let word = role.as_str();
            (word, self.frame.role(*role), self.value("role") == word)
        };
        Role::ALL.iter().map(role).collect()
    }
}

pub(super) async fn page(
    State(host): State<Host>,
    Admin { frame, .. }: Admin,
    Query(search): Query<Search>,
    Query(said): Query<Said>,
) -> Response {
    drawn(&host, &frame, &search, (&Typed::default(), said.into()))
}

fn drawn(host: &Host, frame: &Frame, search: &Search, (typed, told): (&Typed, Told)) -> Response {
    let (now, officer) = (host.clock.now(), search.officer.trim());
    let directory = host.directory.read();
    let is_sought = |token: &&Token| {
        state_word(token, now) == search.state() && token.facts.officer.as_str().contains(officer)
    };
    let mut tokens: Vec<&Token> = directory.tokens().filter(is_sought).collect();
    tokens.sort_by_key(|token| (&token.facts.officer, &token.facts.id));
    let page = TokensPage {
        frame,
        typed,
        search,
        left_out: tokens.len().saturating_sub(ROWS_MAX),
        tokens: tokens
            .into_iter()
            .take(ROWS_MAX)
            .map(|token| TokenSeen::of(host, frame, token, now))
            .collect(),
        told,
    };
    shown(page.told.status(), &page)
}

impl TokenSeen {
    fn of(host: &Host, frame: &Frame, token: &Token, now: Millis) -> Self {
        let facts = &token.facts;
        Self {
            id: facts.id.clone(),
            officer: facts.officer.to_string(),
            role: frame.role(facts.standing.role()),
            place: place_of(&host.map, facts.standing),
            purpose: purpose_word(&facts.purpose),
            expires: facts.expires_at.map(clock).unwrap_or_default(),
            state: state_word(token, now),
        }
    }
}

pub(super) async fn make(
    State(console): State<Console>,
    Filled { asker, frame, typed }: Filled,
) -> Response {
    let made = match made(&console.host, &asker, &typed).await {
        Ok(made) => made,
        Err(problem) => {
            let search = Search::default();
            return drawn(&console.host, &frame, &search, (&typed, problem.into()));
        }
    };
    let link = made.path.as_ref().map(|path| format!("{}{path}", console.site.origin));
    let page = MadePage {
        frame: &frame,
        told: Told::default(),
        officer: typed.text("officer"),
        made: &made,
        code: link.as_deref().and_then(drawn_in_page),
        link: link.unwrap_or_default(),
    };
    shown(StatusCode::CREATED, &page)
}

async fn made(host: &Host, asker: &Asker, typed: &Typed) -> Result<TokenMade, Problem> {
    let given = |name: &str| typed.given(name).map(str::to_owned);
    let asked = TokenAsked {
        officer: given("officer"),
        role: given("role"),
        commune: given("commune"),
        province: given("province"),
        expires: typed.given("expires").map(in_viet_nam),
        purpose: given("purpose"),
    };
    let command = command_under(asker, TOKENS_PATH, typed.given("key"))?;
    make_token(host, asker, command, &asked).await
}

/// What `datetime-local` has, in the time of Việt Nam, as RFC 3339. What is no such time stays as
/// it is, and is told.
fn in_viet_nam(local: &str) -> String {
    match local.len() {
        16 => format!("{local}:00+07:00"),
        _ => local.to_owned(),
    }
}

pub(super) async fn revoke(
    State(host): State<Host>,
    Admin { asker, mut frame }: Admin,
    Path(id): Path<String>,
    typed: Result<Typed, Problem>,
) -> Response {
    let revoked = async {
        command_under(&asker, &format!("{TOKENS_PATH}/revoke"), typed?.given("key"))?;
        revoke_token(&host, &asker, &id).await
    };
    match revoked.await {
        Ok(changed) => see_changed(PATH, changed, "revoked"),
        Err(problem) => {
            PATH.clone_into(&mut frame.path);
            drawn(&host, &frame, &Search::default(), (&Typed::default(), problem.into()))
        }
    }
}
