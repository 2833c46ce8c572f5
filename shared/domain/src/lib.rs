//! The rules: what an alert is, who decides what, and how far it reaches.
//!
//! Pure. No async, no serialisation, no clock, no randomness, no I/O: time and chance are
//! arguments. Everything here can be tried in a table of given / when / then.

pub mod ids;
