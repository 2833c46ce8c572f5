//! What every page for people has in common: its frame, its words in each language, who is signed
//! in, and what a browser may load.
//!
//! Pages are HTML made here, whole without a script; what must be live is done by small modules of
//! our own. A service brings the pages of its own work; signing in and out is at every process.

mod admin;
mod assets;
mod enrol;
mod first;
mod frame;
mod offline;
mod open;
mod passkeys;
mod sign_in;
mod site;
mod texts;
mod tickets;
mod visitor;

use std::sync::Arc;

use axum::{Router, extract::FromRef, routing::get};
use chassis::Host;

use self::{first::First, tickets::Tickets};

pub use self::{
    frame::{Frame, kept, see, shown},
    open::{Open, qr},
    passkeys::sent,
    site::Site,
    texts::{NotTexts, Texts},
    visitor::{Anyone, Visitor},
};

/// What pages are made of, in every service of a process.
#[derive(Clone)]
pub struct Console {
    host: Host,
    texts: Arc<Texts>,
    site: Arc<Site>,
    tickets: Arc<Tickets>,
    first: Arc<First>,
}

impl Console {
    /// The pages of this process.
    ///
    /// # Errors
    /// The operating system gives no randomness: a broken assumption.
    pub fn new(host: &Host, texts: Texts, site: Site) -> Result<Self, getrandom::Error> {
        Ok(Self {
            host: host.clone(),
            texts: Arc::new(texts),
            site: Arc::new(site),
            tickets: Arc::new(Tickets::new()?),
            first: Arc::default(),
        })
    }

    /// Where no admin is known, the link by which one person becomes it, for the terminal.
    #[must_use]
    pub fn invite_first_admin(&self) -> Option<String> {
        let path = self.first.invite(&self.host)?;
        Some(format!("{}{path}", self.site.origin))
    }
}

impl FromRef<Console> for Host {
    fn from_ref(console: &Console) -> Self {
        console.host.clone()
    }
}

/// The routes that every process has: signing in and out, the language, styles and scripts.
pub fn router(console: Console) -> Router {
    Router::new()
        .merge(admin::routes())
        .merge(sign_in::routes())
        .merge(passkeys::routes())
        .merge(enrol::routes())
        .merge(offline::routes())
        .route("/", get(visitor::first))
        .route("/lang/{tag}", get(visitor::choose))
        .route("/assets/{version}/{name}", get(assets::asset))
        .with_state(console)
}
