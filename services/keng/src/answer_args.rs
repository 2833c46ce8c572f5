//! The command line of a commune that an alert was relayed to.

use clap::Args;

use crate::{args::ServerArgs, signing::SignArgs};

/// Which alert, and for which commune.
#[derive(Debug, Args)]
pub(crate) struct RelayedArgs {
    /// Mã tin / Id of the alert
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Mã xã / Code of the commune, where the token stands for several
    #[arg(long)]
    pub(crate) commune: Option<String>,
    /// Khóa chống gửi trùng / Idempotency key [default: a new one]
    #[arg(long)]
    pub(crate) key: Option<String>,
    #[command(flatten)]
    pub(crate) sign: SignArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AnswerArgs {
    #[command(flatten)]
    pub(crate) relayed: RelayedArgs,
    /// Ghi chú / Note, at most 1,000 characters
    #[arg(long)]
    pub(crate) note: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct InstructArgs {
    #[command(flatten)]
    pub(crate) relayed: RelayedArgs,
    /// Hướng dẫn / What the own groups are to do, at most 500 characters
    #[arg(long, value_name = "TEXT")]
    pub(crate) instruction: String,
}

#[derive(Debug, Args)]
pub(crate) struct OnwardArgs {
    #[command(flatten)]
    pub(crate) relayed: RelayedArgs,
    /// Đến các xã, cách nhau bằng dấu phẩy / To these communes, with commas between
    #[arg(long, value_delimiter = ',', required = true, value_name = "CODES")]
    pub(crate) to: Vec<String>,
    /// Ghi chú / Note, at most 1,000 characters
    #[arg(long)]
    pub(crate) note: Option<String>,
}
