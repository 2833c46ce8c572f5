//! Small things that every server gives out: lines, the OpenAPI document.

use std::io::Write;

use axum::{Router, http::header, routing::get};

/// The interface, for programs.
const OPEN_API: &str = include_str!("../openapi.json");

/// Prints a line of the answer to standard output, at once.
pub(crate) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    // Whoever read it may be gone; there is nobody else to tell.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// `/openapi.json`.
pub(crate) fn open_api() -> Router {
    let document = ([(header::CONTENT_TYPE, "application/json")], OPEN_API);
    Router::new().route("/openapi.json", get(async move || document))
}
