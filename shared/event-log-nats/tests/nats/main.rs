//! What only a broker can do to a log: die, forget, lie, be away, lose an answer. Each test has
//! servers of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod broker;
mod cluster;
mod erasing;
mod lost_answer;
mod lost_class;
mod proofs;
mod severed;
mod world;
