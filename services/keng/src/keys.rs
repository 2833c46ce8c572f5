//! `keng key …`: keys by which persons sign, each in a file of its owner's.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use chassis::{ExitCode, durable_file, keys::registration};
use clap::{Args as ClapArgs, Subcommand};
use domain::{
    hex::{hex, unhex},
    ids::Home,
    rights::{Asker, Standing},
    values::Role,
};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;
use wire::signing::Signer;

use crate::{
    Failed,
    args::ServerArgs,
    client::{Client, send},
    feeds::line,
    write::json_of,
};

#[derive(Debug, ClapArgs)]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Tạo khóa trong một tệp / Make a key in a file that only its owner can read
    New {
        /// Tệp mới / The file, which must not be there yet
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Xin dùng khóa; người thứ hai xác nhận / Ask for a key; a second person confirms it
    Register {
        #[command(flatten)]
        server: ServerArgs,
        /// Tệp khóa / The file of the key
        file: PathBuf,
        /// Mã cán bộ của mình / The own id, as the token has it
        #[arg(long, value_name = "ID")]
        officer: String,
    },
    /// Xác nhận khóa của người khác / Confirm another person's key
    Confirm(IdArgs),
    /// Thu hồi khóa / Revoke a key, at once
    Revoke(IdArgs),
    /// Liệt kê / List the keys of one's place
    List(ServerArgs),
}

#[derive(Debug, ClapArgs)]
struct IdArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Mã khóa / Id of the key
    id: String,
}

/// `keng key …`.
pub(crate) async fn key(args: KeyArgs) -> Result<u8, Failed> {
    match args.command {
        KeyCommand::New { out } => new(&out)?,
        KeyCommand::Register { server, file, officer } => {
            register(&server, &file, &officer).await?;
        }
        KeyCommand::Confirm(args) => change(&args, "confirm").await?,
        KeyCommand::Revoke(args) => change(&args, "revoke").await?,
        KeyCommand::List(server) => list(&server).await?,
    }
    Ok(ExitCode::DONE)
}

fn new(out: &Path) -> Result<(), Failed> {
    if out.exists() {
        let why = "đã có tệp này / the file is there already";
        return Err(Failed::Usage(format!("--out {}: {why}", out.display())));
    }
    let signer = Signer::fresh().map_err(|why| Failed::Trouble(anyhow::anyhow!(why)))?;
    KeyFile { signer, holder: None }.write(out)
}

async fn register(server: &ServerArgs, file: &Path, officer: &str) -> Result<(), Failed> {
    let KeyFile { signer, .. } = KeyFile::read(file)?;
    let client = Client::of_person(server)?;
    let body = registration(&signer, officer);
    let key = Uuid::now_v7().to_string();
    let answer = json_of(client.post("/v1/keys", &key).json(&body)).await?;
    let holder = Some(holder(&answer).context("the answer")?);
    // Who it is stands in the file from now on: what signs needs no server for it.
    KeyFile { signer, holder }.write(file)?;
    show(&answer);
    line(
        "chờ người thứ hai: keng key confirm MÃ / \
         waits for a second person: keng key confirm ID",
    );
    Ok(())
}

async fn change(args: &IdArgs, what: &str) -> Result<(), Failed> {
    let (client, direct) = match &args.server.bearer {
        Some(_) => (Client::of_person(&args.server)?, None),
        // The owner of the machine keeps the directory.
        None => Client::new(&args.server).await?,
    };
    let key = Uuid::now_v7().to_string();
    let answer = send(client.post(&format!("/v1/keys/{}/{what}", args.id), &key)).await;
    crate::write::let_go(direct).await;
    show(&answer?.json().await.context("the answer")?);
    Ok(())
}

async fn list(server: &ServerArgs) -> Result<(), Failed> {
    let (client, direct) = match &server.bearer {
        Some(_) => (Client::of_person(server)?, None),
        None => Client::new(server).await?,
    };
    let answer = json_of(client.request(Method::GET, "/v1/keys")).await;
    crate::write::let_go(direct).await;
    answer?.get("keys").and_then(Value::as_array).into_iter().flatten().for_each(show);
    Ok(())
}

fn show(key: &Value) {
    let text = |name: &str| key.get(name).and_then(Value::as_str).unwrap_or("-");
    line(&["id", "state", "role", "officer", "commune", "province"].map(text).join("\t"));
    if let Some(held) = key.get("request").and_then(Value::as_str) {
        line(held);
    }
}

/// What a key's file says.
#[derive(Debug)]
pub(crate) struct KeyFile {
    pub(crate) signer: Signer,
    /// Who signs, once the key was asked for.
    pub(crate) holder: Option<Asker>,
}

impl KeyFile {
    /// Reads a file that nobody else can read.
    pub(crate) fn read(file: &Path) -> Result<Self, Failed> {
        let wrong = |why: &str| Failed::Usage(format!("{}: {why}", file.display()));
        let mode = fs::metadata(file).map_err(|why| wrong(&why.to_string()))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(wrong("người khác đọc được: chmod 600 / others can read it: chmod 600"));
        }
        let text = fs::read_to_string(file).map_err(|why| wrong(&why.to_string()))?;
        let none = || wrong("không phải tệp khóa / it is no file of a key");
        let said: Value = serde_json::from_str(&text).map_err(|_| none())?;
        let secret = said.get("secret").and_then(Value::as_str).and_then(unhex);
        let secret = secret.and_then(|bytes| bytes.try_into().ok()).ok_or_else(none)?;
        let holder = match said.get("holder") {
            None | Some(Value::Null) => None,
            Some(said) => Some(holder(said).ok_or_else(none)?),
        };
        Ok(Self { signer: Signer::of_secret(&secret), holder })
    }

    fn write(&self, file: &Path) -> Result<(), Failed> {
        let holder = self.holder.as_ref().map(|holder| {
            let standing = holder.standing;
            json!({
                "officer": holder.officer.to_string(),
                "role": standing.role().as_str(),
                "commune": standing.commune().map(|code| code.to_string()),
                "province": standing.province().map(|code| code.to_string()),
            })
        });
        let said = json!({
            "id": self.signer.id().to_string(),
            "secret": hex(&self.signer.secret()),
            "holder": holder,
        });
        let parts = (file.parent(), file.file_name().and_then(|name| name.to_str()));
        let (Some(dir), Some(name)) = parts else {
            return Err(Failed::Usage(format!("{}: không phải tệp / no file", file.display())));
        };
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        durable_file::write(dir, name, format!("{said}\n"))
            .with_context(|| file.display().to_string())?;
        line(&format!("khóa / key {}", self.signer.id()));
        Ok(())
    }
}

/// Who holds a key, as the server says it.
fn holder(said: &Value) -> Option<Asker> {
    let text = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
    let province = || text("province").parse().ok();
    let home = || Some(Home { province: province()?, commune: text("commune").parse().ok()? });
    let standing = match text("role").parse().ok()? {
        Role::Officer => Standing::Officer(home()?),
        Role::Commander => Standing::Commander(home()?),
        Role::Province => Standing::Province(province()?),
        Role::Auditor | Role::Admin => return None,
    };
    Some(Asker { officer: text("officer").parse().ok()?, standing })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        key: KeyArgs,
    }

    #[test]
    fn a_key_is_made_registered_confirmed_and_revoked() {
        let parse = |line: &str| Line::try_parse_from(line.split(' '));
        for good in [
            "k new --out a",
            "k register a --officer an",
            "k confirm 0123",
            "k revoke 0123",
            "k list",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for wrong in ["k", "k new", "k register a", "k confirm", "k revoke"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_file_keeps_the_key_and_who_signs_and_nobody_else_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("an.key");
        new(&file).unwrap();
        assert!(matches!(new(&file), Err(Failed::Usage(_))), "a key is never written over");
        let KeyFile { signer, holder: nobody } = KeyFile::read(&file).unwrap();
        assert_eq!(nobody, None);
        let home = Home { province: "68".parse().unwrap(), commune: "25126".parse().unwrap() };
        for standing in [Standing::Officer(home), Standing::Province(home.province)] {
            let holder = Some(Asker { officer: "an".parse().unwrap(), standing });
            KeyFile { signer: signer.clone(), holder: holder.clone() }.write(&file).unwrap();
            let read = KeyFile::read(&file).unwrap();
            assert_eq!((read.signer.id(), read.holder), (signer.id(), holder));
        }
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(KeyFile::read(&file), Err(Failed::Usage(_))));
        assert!(matches!(KeyFile::read(Path::new("/nowhere/x")), Err(Failed::Usage(_))));
    }
}
