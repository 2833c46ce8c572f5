//! x

pub mod esms;
pub mod served;
pub mod smtp;
pub mod speedsms;
