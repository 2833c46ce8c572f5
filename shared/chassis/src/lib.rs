//! What each process needs: options, data directory, telemetry, health, clock, drain, and the
//! routes and errors that every server has in common.
//!
//! Nothing here knows a disk's log or a broker; only `host` knows the port of the log, which each
//! service is given.

pub mod admin;
pub mod attesting;
pub mod auth;
pub mod clock;
pub mod data_dir;
pub mod disk;
pub mod drain;
pub mod durable_file;
pub mod erasing;
pub mod erasures;
pub mod exit;
pub mod health;
pub mod holdings;
pub mod host;
pub mod instance;
pub mod kept;
pub mod key_file;
pub mod keys;
pub mod links;
pub mod looks;
pub mod officers;
pub mod operators;
pub mod options;
pub mod problem;
pub mod session;
pub mod sheets;
pub mod socket;
pub mod switches;
pub mod telemetry;
pub mod variables;

mod followers;

pub use clock::{Clock, SystemClock, VirtualClock};
pub use data_dir::{DataDir, Kind};
pub use drain::Drain;
pub use exit::{ConfigError, ExitCode};
pub use health::Health;
pub use host::{Host, HostParts};
pub use key_file::KeyFile;
pub use options::{PhotosUrl, ServerOptions, Service, Settings, TlsFiles};
pub use problem::Problem;
