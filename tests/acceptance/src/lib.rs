//! Timelines: the real services in one process, over the log in memory, in virtual time.
//!
//! A story moves the clock, asks as people do over HTTP, and says what the groups must have been
//! told by then. Nothing sleeps: after every step the timeline waits until the log says that all
//! that is due has been done. What must hold in every story is checked at the end of each, in
//! [`invariants`].

pub mod asked;
pub mod browser;
pub mod encounter;
pub mod expectation;
pub mod fallbacks;
mod folder;
pub mod group;
pub mod instance;
pub mod invariants;
pub mod ledger;
pub mod link;
pub mod maps;
pub mod pages;
pub mod people;
pub mod phone;
pub mod silence;
pub mod slow_disk;
pub mod staff;
pub mod target;
pub mod thaw;
pub mod timeline;
pub mod turn;

pub use expectation::{Expected, delivery, posted, quiet, state, verified};
pub use group::{Group, group};
pub use instance::Instance;
pub use people::Person;
pub use slow_disk::SlowDisk;
pub use timeline::{Started, Timeline};
