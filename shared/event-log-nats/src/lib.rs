//! The event log on NATS JetStream, and the outbox of what this process has said.
//!
//! [`NatsLog`] implements the port `EventLog`. It publishes nothing to a broker that is not known
//! to sync before it acknowledges, holds commands on this machine's disk while the broker is away,
//! and compares the outbox with the streams, so that what a broker lost is sent again.
//! No deciding and no decoding: records are addresses, ids and bytes.

mod acks;
mod again;
mod alarm;
mod append;
mod broker;
mod cache;
mod client;
mod erasing;
mod follow;
mod heal;
mod held;
mod keeper;
mod log;
mod message;
mod monitor;
mod options;
mod outbox;
mod owed;
mod proving;
mod read;
mod sealed;
mod sealed_ahead;
mod sealing;
mod state;
mod streams;
mod subject;
mod suspicion;
#[cfg(feature = "testing")]
pub mod testing;
mod trust;
mod writer;

pub use crate::{
    log::NatsLog,
    options::{NatsOptions, OpenError},
    outbox::Loss,
    proving::{Proofs, Show},
    trust::Trust,
};
