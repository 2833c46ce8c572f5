//! Servers that behave as the documentation of each provider says, one file each.
//!
//! Real small servers on a free port of the loopback; dropping one stops it. None of the crates
//! under test is a dependency.

pub mod push_service;
