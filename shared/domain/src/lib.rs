//! The rules: what an alert is, who decides what, and how far it reaches.
//!
//! Pure. No async, no serialisation, no clock, no randomness, no I/O: time and chance are
//! arguments. Everything here can be tried in a table of given / when / then.

pub mod alert;
pub mod channel;
pub mod corrections;
pub mod criteria;
pub mod dated;
pub mod decider;
pub mod delivery;
pub mod directory;
pub mod drill;
pub mod erasure;
pub mod expiry;
pub mod fatigue;
pub mod follow_up;
pub mod freeze;
pub mod gate;
pub mod guard;
pub mod headline;
pub mod hex;
pub mod ids;
pub mod key;
pub mod lane;
pub mod limits;
pub mod looks;
pub mod loss;
pub mod maps;
pub mod matching;
pub mod policy;
pub mod preflight;
pub mod quiet;
pub mod reach;
pub mod recall;
pub mod receipts;
pub mod relay;
pub mod rights;
pub mod roster;
pub mod schedule;
pub mod sentence;
pub mod state_hash;
pub mod text;
pub mod values;
