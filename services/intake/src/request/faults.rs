//! All that is wrong with the fields of one request, gathered before it is refused.

use std::fmt::Display;

use domain::text::{NotText, Shape, plain};

use super::{BadRequest, FieldError};

/// Why a text is not taken, as people are told.
pub(super) fn told(not: NotText) -> String {
    match not {
        NotText::Blank => format!("không được để trống / {not}"),
        NotText::Control => format!("không được có ký tự điều khiển / {not}"),
        NotText::TooLong { chars_max } => format!("không được quá {chars_max} ký tự / {not}"),
    }
}

/// Why a word is not taken: the words that are.
pub(crate) fn one_of(allowed: &str) -> String {
    format!("phải là một trong: {allowed} / must be one of: {allowed}")
}

/// What is wrong so far, in the order of the interface's fields.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<FieldError>);

impl Faults {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, field: impl Into<String>, reason: impl Into<String>) {
        self.0.push(FieldError { field: field.into(), reason: reason.into() });
    }

    /// The value, or `None` and a fault.
    pub(super) fn note<T>(&mut self, field: &str, found: Result<T, impl Display>) -> Option<T> {
        found.map_err(|reason| self.add(field, reason.to_string())).ok()
    }

    /// The value, which must have been given.
    pub(super) fn required<T>(&mut self, field: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.add(field, "bắt buộc phải có / is required");
        }
        value
    }

    /// A word of a closed list; the fault names the words that are allowed.
    pub(super) fn word<T: Copy>(
        &mut self,
        field: &str,
        value: &str,
        all: &[T],
        name: fn(T) -> &'static str,
    ) -> Option<T> {
        let found = all.iter().copied().find(|word| name(*word) == value);
        if found.is_none() {
            let allowed = all.iter().map(|word| name(*word)).collect::<Vec<_>>().join(", ");
            self.add(field, one_of(&allowed));
        }
        found
    }

    /// A text that may be absent: `None` and the empty text are. Empty where absent or at fault.
    pub(super) fn text(
        &mut self,
        field: &str,
        value: Option<&str>,
        shape: Shape,
        chars_max: usize,
    ) -> String {
        value
            .filter(|text| !text.is_empty())
            .and_then(|text| self.note(field, plain(text, shape, chars_max).map_err(told)))
            .unwrap_or_default()
    }

    /// The refusal that names them all.
    pub(super) fn refused(self) -> BadRequest {
        BadRequest::InvalidFields(self.0)
    }
}
