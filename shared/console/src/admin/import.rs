//! A file of lines in a form: what of it is recorded, or what is wrong with it, line by line.

use axum::response::Response;
use chassis::{Problem, admin::command_under};
use domain::rights::Asker;

use super::{Typed, fresh_key};
use crate::see;

/// The form that takes a file.
pub(super) struct Lines<'a> {
    /// Where it is sent to.
    pub(super) action: &'static str,
    /// The key of what the lines are.
    pub(super) hint: &'static str,
    /// What was typed, and not taken.
    pub(super) typed: &'a str,
}

impl Lines<'_> {
    pub(super) fn key(&self) -> String {
        fresh_key()
    }
}

/// The lines of a form, which has a good key; `path` is the route of programs.
pub(super) fn lines_of<'t>(
    asker: &Asker,
    path: &str,
    typed: &'t Typed,
) -> Result<&'t [u8], Problem> {
    command_under(asker, path, typed.given("key"))?;
    Ok(typed.text("lines").as_bytes())
}

/// Shows a part after an import.
pub(super) fn see_recorded(path: &str, recorded: usize) -> Response {
    match recorded {
        0 => see(&format!("{path}?said=nothing-new")),
        count => see(&format!("{path}?said=recorded&count={count}")),
    }
}
