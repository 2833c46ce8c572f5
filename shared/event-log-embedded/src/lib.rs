//! The event log on one machine: a journal of records and, beside it, one of their sealed parts.
//!
//! A record is ordered, and seen by followers, before it is on disk: decisions run ahead, doors
//! wait for [`event_log::EventLog::durable`], which waits for both journals. No broker, and no
//! second process at the same directory. Syncs nothing itself: that is the journals' work.

mod entry;
mod erasing;
mod errors;
mod index;
mod log;
mod options;
mod ordering;
mod places;
mod recovery;
mod run;
mod store;
mod tail;

pub use crate::{
    errors::OpenError,
    log::{EmbeddedLog, Syncs},
    options::EmbeddedOptions,
};
