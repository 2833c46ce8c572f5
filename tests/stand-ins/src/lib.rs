//! Servers that behave as the documentation of each provider says, for tests: on loopback, on free
//! ports, stopped when dropped. No message leaves the machine.

pub mod authenticator;
pub mod bot;
pub mod certificate;
pub mod esms;
pub mod mqtt_broker;
pub mod mqtt_device;
pub mod push_service;
pub mod served;
pub mod smtp;
pub mod speedsms;
pub mod telegram;
pub mod timestamps;
pub mod zalo;
pub mod zalo_bot;
