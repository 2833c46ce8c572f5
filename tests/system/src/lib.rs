//! What the stories of this crate share: a town with its groups, four processes over one broker,
//! officers who raise without a pause, and the history that an auditor replays.
//!
//! Everything is seen from outside: processes, HTTP, the command line. No crate under test is
//! asked.

pub mod canaries;
pub mod cluster;
pub mod history;
pub mod raising;
pub mod terminal;

use std::time::Duration;

pub use support::{people, town};

/// Longer than anything takes that does not wait for a lease, on a machine that is busy.
pub const SOON: Duration = Duration::from_secs(20);
/// The same for what waits for a lease of 10 s first.
pub const AFTER_A_LEASE: Duration = Duration::from_secs(35);
