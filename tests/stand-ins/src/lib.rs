//! x

pub mod zalo;
