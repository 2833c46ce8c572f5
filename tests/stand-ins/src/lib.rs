//! Servers that behave as the documentation of each provider says, and devices of our own profile.
//!
//! On free ports of the loopback, each stopped by dropping it. Nothing leaves the machine.

pub mod certificate;
pub mod mqtt_broker;
pub mod mqtt_device;
