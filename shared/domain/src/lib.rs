//! The rules: what an alert is, who decides what, and how far it reaches.
//!
//! Pure. No async, no serialisation, no clock, no randomness, no I/O: time and chance are
//! arguments. Everything here can be tried in a table of given / when / then.

pub mod alert;
pub mod decider;
pub mod delivery;
pub mod directory;
pub mod ids;
pub mod lane;
pub mod reach;
pub mod receipts;
pub mod relay;
pub mod rights;
pub mod schedule;
pub mod text;
pub mod values;
