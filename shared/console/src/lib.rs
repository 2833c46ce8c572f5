//! What every page for people has in common: its frame, its words in each language, who is signed
//! in, and what a browser may load.
//!
//! Pages are HTML made here, whole without a script; what must be live is done by small modules of
//! our own. A service brings the pages of its own work; signing in and out is at every process.

mod assets;
mod frame;
mod offline;
mod sign_in;
mod texts;
mod visitor;

use std::sync::Arc;

use axum::{Router, extract::FromRef, routing::get};
use chassis::Host;

pub use self::{
    frame::{Frame, see, shown},
    texts::{NotTexts, Texts},
    visitor::{Anyone, Visitor},
};

/// What pages are made of, in every service of a process.
#[derive(Clone)]
pub struct Console {
    host: Host,
    texts: Arc<Texts>,
}

impl Console {
    /// The pages of this process.
    #[must_use]
    pub fn new(host: &Host, texts: Texts) -> Self {
        Self { host: host.clone(), texts: Arc::new(texts) }
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
        .merge(sign_in::routes())
        .merge(offline::routes())
        .route("/", get(visitor::first))
        .route("/lang/{tag}", get(visitor::choose))
        .route("/assets/{version}/{name}", get(assets::asset))
        .with_state(console)
}
