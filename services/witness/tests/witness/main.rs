//! A witness over HTTP: the requests of FiloSottile/sunlight's `internal/witness/witness_test.go`,
//! requests at the same time, and what is left after a restart or on a disk that fails.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "these are tests")]

mod disk;
mod requests;
mod stage;
mod together;
