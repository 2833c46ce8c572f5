//! `keng export --out DIR [--alert ID]`: the whole log as files, or one alert's records with their
//! proofs; with who signed each record. Nothing personal leaves but by `--with-words`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use chassis::ExitCode;
use clap::Args;
use tlog::{CHECKPOINT, files_of, signatures_of};

use super::{KEYS, court, fetch::Fetched, stamps};
use crate::{
    Failed,
    args::ServerArgs,
    client::Client,
    feeds::line,
    write::{aside, let_go},
};

/// So many files between two words of how far it is.
const SAID_EVERY: u64 = 1_000;

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Thư mục mới / A folder that is not there yet, or empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Chỉ một tin, kèm chứng cứ cho từng bản ghi / One alert's records, each with its proof
    #[arg(long, value_name = "ID")]
    alert: Option<String>,
    /// Kèm phần niêm phong (dữ liệu cá nhân) của tin / With the alert's sealed parts: personal data
    #[arg(long, requires = "alert", requires = "reason")]
    with_words: bool,
    /// Lý do xem dữ liệu cá nhân / Why personal data is read
    #[arg(long, value_name = "TEXT", requires = "with_words")]
    reason: Option<String>,
}

/// `keng export`.
pub(crate) async fn export(args: ExportArgs) -> Result<u8, Failed> {
    make(&args.out)?;
    let (client, direct) = Client::of_signed_log(&args.server).await?;
    let reason = args.reason.as_deref().filter(|_| args.with_words);
    let done = match &args.alert {
        None => whole(&client, &args.out).await,
        Some(alert) => court::export(&client, alert, reason, &args.out).await,
    };
    let_go(direct).await;
    line(&done?);
    Ok(ExitCode::DONE)
}

/// Makes the folder, which must hold nothing: an export is not mixed with another.
fn make(out: &Path) -> Result<(), Failed> {
    let wrong = |why: String| Failed::Usage(format!("--out {}: {why}", out.display()));
    fs::create_dir_all(out).map_err(|why| wrong(why.to_string()))?;
    let mut inside = fs::read_dir(out).map_err(|why| wrong(why.to_string()))?;
    match inside.next() {
        None => Ok(()),
        Some(_) => Err(wrong("thư mục không rỗng / it is not empty".to_owned())),
    }
}

/// Puts a file into an export.
pub(super) fn put(out: &Path, path: &str, bytes: impl AsRef<[u8]>) -> Result<(), Failed> {
    let file = out.join(path);
    let folder = file.parent().unwrap_or(out);
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    fs::write(&file, bytes).with_context(|| file.display().to_string())?;
    Ok(())
}

/// The whole log, as it was signed last; answers with what is to be said.
pub(super) async fn whole(client: &Client, out: &Path) -> Result<String, Failed> {
    let log = Fetched::from(client).await?;
    put(out, CHECKPOINT, log.checkpoint.to_string())?;
    put(out, KEYS, log.file("v1/audit/key").await?)?;
    let mut count = 0_u64;
    let put = |path: &str, bytes: &[u8]| {
        count += 1;
        if count.is_multiple_of(SAID_EVERY) {
            aside(&format!("{count} tệp / files"));
        }
        put(out, path, bytes)
    };
    log.files(files_of(log.size()).chain(signatures_of(log.size())), put).await?;
    let stamps = stamps::export(&log, out).await?;
    let (size, out) = (log.size(), out.display());
    Ok(format!("{size} bản ghi / records, {stamps} dấu thời gian / time stamps → {out}"))
}
