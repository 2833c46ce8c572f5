//! `keng verify DIR|URL`: whether an exported log, or a server's, is whole, and who signed what is
//! in it. The first thing that is wrong is named; of signatures, the first few.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use bytes::Bytes;
use chassis::ExitCode;
use clap::Args;
use history::Tally;
use tlog::{
    Folder,
    check::{self, Beside, Entry, Whole},
};

use super::{
    KEYS, RECORDS,
    court_check::{self, Court},
    demand::DemandArgs,
    export,
    keys::KeyFile,
    quorum::{Quorum, QuorumArgs},
    seen::{Seen, SeenArgs},
    stamps::Stamps,
    words::Words,
};
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
    #[command(flatten)]
    demand: DemandArgs,
    #[command(flatten)]
    seen: SeenArgs,
    #[command(flatten)]
    quorum: QuorumArgs,
}

/// What an auditor asks of a log beside that it is whole.
struct Asked<'a> {
    key: Option<&'a Path>,
    seen: Vec<Seen>,
    quorum: Option<Quorum>,
}

/// `keng verify`.
pub(crate) async fn verify(args: VerifyArgs) -> Result<u8, Failed> {
    let tally = Tally::demanding(args.demand.read()?);
    let asked =
        Asked { key: args.key.as_deref(), seen: args.seen.read()?, quorum: args.quorum.read()? };
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
        return checked(&copy.0, &asked, tally);
    }
    let folder = Path::new(&args.log);
    if !folder.is_dir() {
        let why = "không có thư mục này / there is no such folder";
        return Err(Failed::Usage(format!("{}: {why}", folder.display())));
    }
    checked(folder, &asked, tally)
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

fn checked(folder: &Path, asked: &Asked<'_>, mut tally: Tally) -> Result<u8, Failed> {
    let failed = |why: String| Failed::Trouble(anyhow!(why));
    let trusted = asked.key.map(KeyFile::read).transpose()?;
    let own = KeyFile::of_export(folder).map_err(failed)?;
    let keys = match trusted {
        Some(trusted) => trusted.of_the_log_of(&own).map_err(failed)?,
        None => own,
    };
    let keys = keys.trusting(asked.quorum.iter().flat_map(Quorum::witnesses));
    let (tree, readable) = if folder.join(RECORDS).is_dir() {
        let court = court_check::check(folder, keys.keys(), &mut tally).map_err(failed)?;
        say_court(&court, &tally);
        (court.whole, Some(court.readable))
    } else {
        let whole = whole(folder, &keys, &mut tally).map_err(failed)?;
        say_tree(&whole);
        (whole, None)
    };
    asked.seen.iter().try_for_each(|seen| seen.check(folder, &tree, keys.keys().log))?;
    if let Some(quorum) = &asked.quorum {
        quorum.check(&tree).map_err(failed)?;
    }
    say_signatures(&tally)?;
    readable.map_or(Ok(()), |readable| readable.check(folder)).map_err(failed)?;
    match asked.key {
        Some(_) => line("nguyên vẹn / whole"),
        None => {
            let own = keys.keys().log;
            line(&format!("khớp với chính khóa của nó / consistent with its own key {own}"));
        }
    }
    Ok(ExitCode::DONE)
}

fn say_court(court: &Court, tally: &Tally) {
    say_tree(&court.whole);
    let records = court.records;
    line(&format!("{records} bản ghi nằm trong nhật ký / records are in it"));
    if let Some(Words { matching, erased, .. }) = court.words {
        line(&format!(
            "phần niêm phong / sealed parts: {matching} khớp cam kết / as committed to, \
             {erased} đã xóa theo lệnh / erased by order"
        ));
    }
    // Whose key it is, the log's keeper is not the one to ask.
    for ((officer, key), count) in &tally.persons {
        line(&format!("{officer} ký bằng khóa / signed by the key {key}: {count}"));
    }
}

fn say_tree(whole: &Whole) {
    let tree = whole.checkpoint.checkpoint();
    line(&format!("{}  {} bản ghi / records", tree.origin(), tree.size()));
    line(&format!("gốc / root {}", tree.root()));
    line(&format!("ký bởi / signed by {}", whole.signers.join(", ")));
}

/// Says who signed the commands.
///
/// # Errors
/// Some signature is not what it must be; the first are named.
fn say_signatures(tally: &Tally) -> Result<(), Failed> {
    let Tally { persons, services, nobody, wrong, wrong_count, .. } = tally;
    let (of_persons, of_services): (u64, u64) = (persons.values().sum(), services.values().sum());
    let how: Vec<String> = services.iter().map(|(how, count)| format!("{how} {count}")).collect();
    let how = if how.is_empty() { String::new() } else { format!(" ({})", how.join(", ")) };
    line(&format!(
        "chữ ký / signatures: {of_persons} của cán bộ / by persons, {of_services} của dịch vụ / \
         by services{how}, {nobody} không có / by nobody"
    ));
    if *wrong_count == 0 {
        return Ok(());
    }
    let mut said: Vec<String> = wrong.iter().map(|wrong| format!("SAI / WRONG: {wrong}")).collect();
    let others = wrong_count.saturating_sub(wrong.len() as u64);
    if others > 0 {
        said.push(format!("… và {others} bản ghi khác / and {others} more"));
    }
    Err(Failed::Trouble(anyhow!(said.join("\n"))))
}

fn whole(folder: &Path, keys: &KeyFile, tally: &mut Tally) -> Result<Whole, String> {
    let all = Folder::at(folder).files().map_err(|why| format!("SAI / WRONG: .: {why}"))?;
    let stamps = Stamps::among(all.iter());
    let files = stamps.files().chain([KEYS.to_owned()]).collect();
    let beside = Beside { signatures: true, files };
    let each = |index: u64, entry: Entry<'_>| {
        // What is wrong with a signature is said when the tree is known to be right: before that
        // it would be said of whatever was altered.
        tally.next(index, &Bytes::copy_from_slice(entry.open), entry.signature);
        if (index + 1).is_multiple_of(SAID_EVERY) {
            aside(&format!("{} bản ghi / records", index + 1));
        }
        Ok(())
    };
    let whole = check::whole(&Folder::at(folder), keys.keys(), &beside, each);
    let whole = whole.map_err(|why| format!("SAI / WRONG: {why}"))?;
    stamps.check(folder, keys.keys(), &whole)?;
    Ok(whole)
}
