//! How a process ends, and the errors that are the operator's to mend.

use std::{io, net::SocketAddr, path::PathBuf};

/// The exit codes of every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitCode;

impl ExitCode {
    /// Done.
    pub const DONE: u8 = 0;
    /// Failed.
    pub const FAILED: u8 = 1;
    /// Refused by the server; the reason is on standard error.
    pub const REFUSED: u8 = 2;
    /// Wrong usage or configuration, before any port is bound.
    pub const WRONG_USAGE: u8 = 64;

    /// The code for an error of the command line; asking for help or the version is none.
    #[must_use]
    pub fn of_usage(error: &clap::Error) -> u8 {
        if error.use_stderr() { Self::WRONG_USAGE } else { Self::DONE }
    }
}

/// A wrong configuration: the operator must act; the process ends with
/// [`ExitCode::WRONG_USAGE`] before any port is bound.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value that cannot be right.
    #[error("{name} không đúng: {why} / {name} is wrong: {why}")]
    Wrong {
        /// The option, as `--http`, or the variable.
        name: &'static str,
        /// Why.
        why: String,
    },
    /// A service that needs an option that is not given.
    #[error("`keng {service}` cần {name} / `keng {service}` needs {name}")]
    Missing {
        /// The service.
        service: &'static str,
        /// The option.
        name: &'static str,
    },
    /// Two servers on one address.
    #[error("--http và --grpc trùng địa chỉ {0} / --http and --grpc are both {0}")]
    SameAddress(SocketAddr),
    /// The configuration file cannot be read, or has a key or value that nobody knows.
    #[error(
        "tệp cấu hình {} không đúng: {why} / configuration file {0} is wrong: {why}",
        path.display()
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and key.
        why: String,
    },
    /// Demo and real data never share a directory.
    #[error(
        "thư mục {} là của {found}, không dùng cho {asked} được / \
         directory {0} is for {found} data, not for {asked} data",
        path.display()
    )]
    OtherKind {
        /// The directory.
        path: PathBuf,
        /// What it is marked for.
        found: &'static str,
        /// What it was opened for.
        asked: &'static str,
    },
    /// Another server holds the data directory.
    #[error(
        "thư mục {} đang được một tiến trình khác dùng / directory {0} is held by another process",
        path.display()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The data directory, or a file in it, cannot be used.
    #[error("không dùng được {}: {source} / cannot use {0}: {source}", path.display())]
    Unusable {
        /// The directory or file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file in the data directory does not say what it should.
    #[error("tệp {} bị hỏng: {why} / file {0} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
}

impl ConfigError {
    /// Always [`ExitCode::WRONG_USAGE`].
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        ExitCode::WRONG_USAGE
    }
}
