//! What the stories of this crate share: a town with its groups, four processes over one broker,
//! officers who raise without a pause, and the history that an auditor replays.
//!
//! Everything is seen from outside: processes, HTTP, the command line. No crate under test is
//! asked.

pub mod canaries;
pub mod cluster;
pub mod history;
pub mod people;
pub mod raising;
pub mod terminal;
pub mod town;

use std::time::Duration;

/// Longer than anything takes that does not wait for a lease, on a machine that is busy.
pub const SOON: Duration = Duration::from_secs(20);
/// The same for what waits for a lease of 10 s first.
pub const AFTER_A_LEASE: Duration = Duration::from_secs(35);
