//! `keng verify DIR|URL`: whether an exported log, or a server's, is whole; the first thing that is
//! wrong is named.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use chassis::ExitCode;
use clap::Args;
use tlog::{
    Folder,
    check::{self, Whole},
};

use super::{KEYS, RECORDS, court, export, keys::KeyFile};
use crate::{Failed, args::ServerArgs, client::Client, feeds::line, write::aside};

/// So many entries between two words of how far it is.
const SAID_EVERY: u64 = 100_000;

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Thư mục đã xuất, hay địa chỉ máy chủ / A folder that was exported, or a server's address
    #[arg(value_name = "DIR|URL")]
    log: String,
    /// Các khóa mà mình tin / A file of the keys that you trust: the log's, and its witnesses'
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Mã truy cập của kiểm toán viên, cho máy chủ / An auditor's token, for a server
    #[arg(long, env = "KENG_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    bearer: Option<String>,
}

/// `keng verify`.
pub(crate) async fn verify(args: VerifyArgs) -> Result<u8, Failed> {
    if args.log.starts_with("http://") || args.log.starts_with("https://") {
        let server = ServerArgs {
            server: Some(args.log.clone()),
            bearer: args.bearer.clone(),
            data: PathBuf::new(),
            key_file: None,
        };
        let copy = Copy::make()?;
        let (client, _) = Client::new(&server).await?;
        aside(&export::whole(&client, &copy.0).await?);
        return checked(&copy.0, args.key.as_deref());
    }
    let folder = Path::new(&args.log);
    if !folder.is_dir() {
        let why = "không có thư mục này / there is no such folder";
        return Err(Failed::Usage(format!("{}: {why}", folder.display())));
    }
    checked(folder, args.key.as_deref())
}

/// A server's log, copied to be checked; gone when this is dropped.
struct Copy(PathBuf);

impl Copy {
    fn make() -> Result<Self, Failed> {
        let path = std::env::temp_dir().join(format!("keng-verify-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if let Err(why) = std::fs::remove_dir_all(&self.0) {
            aside(&format!("{}: {why}", self.0.display()));
        }
    }
}

fn checked(folder: &Path, key: Option<&Path>) -> Result<u8, Failed> {
    let own = folder.join(KEYS);
    let keys = KeyFile::read(key.unwrap_or(&own))?;
    let is_of_alert = folder.join(RECORDS).is_dir();
    let found = match is_of_alert {
        true => court::check(folder, keys.keys()),
        false => whole(folder, &keys),
    };
    let (whole, records) = found.map_err(|why| Failed::Trouble(anyhow!(why)))?;
    let tree = whole.checkpoint.checkpoint();
    line(&format!("{}  {} bản ghi / records", tree.origin(), tree.size()));
    line(&format!("gốc / root {}", tree.root()));
    line(&format!("ký bởi / signed by {}", whole.signers.join(", ")));
    if is_of_alert {
        line(&format!("{records} bản ghi của tin nằm trong nhật ký / of the alert are in it"));
    }
    match key {
        Some(_) => line("nguyên vẹn / whole"),
        None => {
            let own = keys.keys().log;
            line(&format!("khớp với chính khóa của nó / consistent with its own key {own}"));
        }
    }
    Ok(ExitCode::DONE)
}

fn whole(folder: &Path, keys: &KeyFile) -> Result<(Whole, u64), String> {
    let beside = BTreeSet::from([KEYS.to_owned()]);
    let mut count = 0;
    let each = |index: u64, _: &[u8]| {
        count = index + 1;
        if count.is_multiple_of(SAID_EVERY) {
            aside(&format!("{count} bản ghi / records"));
        }
        Ok(())
    };
    let whole = check::whole(&Folder::at(folder), keys.keys(), &beside, each);
    let whole = whole.map_err(|why| format!("SAI / WRONG: {why}"))?;
    Ok((whole, count))
}
