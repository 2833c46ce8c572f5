//! `keng key-file …`: the keys under which what is sealed is encrypted at rest.

use std::path::PathBuf;

use chassis::{ConfigError, ExitCode};
use clap::{Args as ClapArgs, Subcommand};
use keyring::Keyring;

use crate::{Failed, feeds::line};

#[derive(Debug, ClapArgs)]
pub(crate) struct KeyFileArgs {
    #[command(subcommand)]
    command: KeyFileCommand,
}

#[derive(Debug, Subcommand)]
enum KeyFileCommand {
    /// Tạo tệp với một khóa mới / Make a file with a new key, that only its owner can read
    New {
        /// Tệp mới / The file, which must not be there yet
        file: PathBuf,
    },
}

/// `keng key-file …`.
pub(crate) fn key_file(args: &KeyFileArgs) -> Result<u8, Failed> {
    let KeyFileCommand::New { file } = &args.command;
    let made = Keyring::make(file)
        .map_err(|source| ConfigError::Unusable { path: file.clone(), source })?;
    let id = made.newest().map(|id| id.to_string()).unwrap_or_default();
    line(&format!("khóa / key {id}"));
    line("hãy cất một bản nơi khác, xa các bản sao lưu / keep a copy, apart from the backups");
    Ok(ExitCode::DONE)
}
