//! The ways to reach a group, one file each. One try a call: when to try again is the lane's.

pub mod address;
pub mod webhook;
