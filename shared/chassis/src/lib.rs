//! What each process needs: options, data directory, telemetry, health, clock, drain, and the
//! routes and errors that every server has in common.
//!
//! Nothing here knows an alert, a log or a broker.

pub mod clock;
pub mod data_dir;
pub mod disk;
pub mod drain;
pub mod exit;
pub mod health;
pub mod instance;
pub mod operators;
pub mod options;
pub mod problem;
pub mod socket;
pub mod telemetry;

mod durable_file;

pub use clock::{Clock, SystemClock, VirtualClock};
pub use data_dir::{DataDir, Kind};
pub use drain::Drain;
pub use exit::{ConfigError, ExitCode};
pub use health::Health;
pub use options::{ServerOptions, Service, Settings};
pub use problem::Problem;
