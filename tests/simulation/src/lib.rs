//! Deterministic simulation: one seed is one history of the real deciders, reactors, projections
//! and planners, over a log and targets that are nasty by the seed, in virtual time.
//!
//! Each seed runs twice and must give the same history. Nothing of the product is replaced but
//! the log, the clocks and the people; the calls to groups go over the loopback. No disk, no
//! broker: those are under test in `tests/system` and in the contract suite.

pub mod auditor;
pub mod broker;
pub mod chance;
pub mod course;
pub mod digest;
pub mod faults;
mod following;
pub mod intents;
pub mod invariants;
pub mod machine;
pub mod nasty;
pub mod place;
pub mod reading;
pub mod script;
pub mod seeds;
pub mod target;
pub mod time;
pub mod town;
