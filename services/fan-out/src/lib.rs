//! To come.

pub mod channels;
pub mod render;
