//! To come.

pub mod idempotency;
pub mod request;
