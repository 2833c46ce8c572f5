//! What an alert says to those who are told: the body of a webhook, and the text that people read.
//!
//! Pure: the same alert, revision and delivery give the same bytes at every attempt and in every
//! process. No channel's wire format stands here, only what all of them say.

pub mod body;
mod layout;
pub mod plain;
pub mod text;

pub use body::{Body, Sheet, with_local};
pub use layout::{Fitted, Unit};
pub use text::{Letters, Told};
