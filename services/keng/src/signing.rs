//! Signing on the command line: what `--sign-with FILE` asks for is made and signed here, and
//! handed over without a token.

use std::path::{Path, PathBuf};

use anyhow::Context;
use chassis::{Clock, Problem, SystemClock};
use clap::Args as ClapArgs;
use domain::{
    ids::{AlertId, Home},
    rights::{Asker, Standing},
};
use intake::{
    idempotency::IdempotencyKey,
    pen::Pen,
    request::{self, EdgeKnown, Envelope},
};
use registry::Map;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use wire::v1::ChangeHow;

use crate::{
    Failed,
    args::ServerArgs,
    client::{Client, refusal, send},
    keys::KeyFile,
};

/// By which key a command is signed.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct SignArgs {
    /// Tệp khóa để ký / Sign with the key in this file (keng key new), without a token
    #[arg(long, env = "KENG_SIGN_WITH", value_name = "FILE")]
    pub(crate) sign_with: Option<PathBuf>,
}

/// An act on an alert that is there.
pub(crate) struct SignedAct<'a> {
    pub(crate) alert: &'a str,
    pub(crate) action: &'a str,
    pub(crate) body: &'a str,
    pub(crate) commune: Option<&'a str>,
}

/// The request that raises this alert, signed.
pub(crate) fn raise(
    server: &ServerArgs,
    file: &Path,
    body: &Value,
    key: &str,
) -> Result<RequestBuilder, Failed> {
    let desk = Desk::open(file, key)?;
    let draft = request::raise(body.to_string().as_bytes(), &desk.known());
    let draft =
        draft.map_err(|bad| refusal(&bad.errors().iter().map(of_field).collect::<Vec<_>>()))?;
    desk.hand_over(server, desk.pen(|pen| pen.raise(draft))?)
}

/// The request that does something with an alert, signed.
pub(crate) async fn act(
    server: &ServerArgs,
    file: &Path,
    act: SignedAct<'_>,
    key: &str,
) -> Result<RequestBuilder, Failed> {
    let desk = Desk::open(file, key)?;
    let wrong = |what: &str| Failed::Usage(format!("{}: {what}", act.alert));
    let alert: AlertId =
        act.alert.parse().map_err(|_| wrong("không phải mã tin / not an alert's id"))?;
    let how = match act.action {
        "update" => Some(ChangeHow::Update),
        "correct" => Some(ChangeHow::Correct),
        _ => None,
    };
    let commune = act.commune.map(str::parse).transpose();
    let commune = commune.map_err(|_| wrong("--commune: năm chữ số / five digits"))?;
    let envelope = match (how, desk.holder.standing) {
        (Some(how), _) => {
            let shown = shown(server, act.alert).await?;
            let (body, known) = (act.body.as_bytes(), desk.known());
            desk.pen(|pen| pen.change((alert, how), &shown, body, &known))?
        }
        (None, standing) => {
            let home = match standing {
                // What an officer of a commune acts on is at home there.
                Standing::Officer(home) | Standing::Commander(home) => home,
                _ => desk.home_of(&shown(server, act.alert).await?)?,
            };
            let (words, known) = ((act.body.as_bytes(), commune), desk.known());
            desk.pen(|pen| pen.act((alert, home), act.action, words, &known))?
        }
    };
    desk.hand_over(server, envelope)
}

/// The alert as it stands, which only a token shows.
async fn shown(server: &ServerArgs, alert: &str) -> Result<Value, Failed> {
    let client = Client::of_person(server)?;
    let request = client.request(Method::GET, &format!("/v1/alerts/{alert}"));
    Ok(send(request).await?.json().await.context("the answer")?)
}

/// All that signing needs.
struct Desk {
    file: KeyFile,
    holder: Asker,
    key: IdempotencyKey,
    map: Map,
}

impl Desk {
    fn open(path: &Path, key: &str) -> Result<Self, Failed> {
        let file = KeyFile::read(path)?;
        let missing = "chưa xin dùng khóa này: keng key register / \
                       the key was not asked for: keng key register";
        let holder = file.holder.clone();
        let holder =
            holder.ok_or_else(|| Failed::Usage(format!("{}: {missing}", path.display())))?;
        let key = IdempotencyKey::of_headers([key.as_bytes()])
            .map_err(|bad| Failed::Usage(format!("--key: {bad}")))?;
        let map = Map::builtin().map_err(|why| Failed::Usage(why.to_string()))?;
        Ok(Self { file, holder, key, map })
    }

    fn known(&self) -> EdgeKnown<'_> {
        EdgeKnown { now: SystemClock.now(), map: &self.map }
    }

    fn home_of(&self, shown: &Value) -> Result<Home, Failed> {
        let commune = shown.get("commune").and_then(Value::as_str).unwrap_or_default();
        let home = commune.parse().ok().and_then(|commune| self.map.home(commune));
        Ok(home.context("the alert's commune is not on the map")?)
    }

    fn pen(
        &self,
        make: impl FnOnce(&Pen<'_>) -> Result<Envelope, Problem>,
    ) -> Result<Envelope, Failed> {
        let at = SystemClock.now();
        let pen = Pen { signer: &self.file.signer, asker: &self.holder, key: &self.key, at };
        make(&pen).map_err(|problem| {
            let errors = problem.errors().iter();
            let errors = errors.map(|error| format!("{}: {}", error.field, error.reason));
            let first = format!("{}: {}", problem.code(), problem.detail());
            refusal(&std::iter::once(first).chain(errors).collect::<Vec<_>>())
        })
    }

    fn hand_over(&self, server: &ServerArgs, sealed: Envelope) -> Result<RequestBuilder, Failed> {
        let client = Client::of_nobody(server)?;
        Ok(client.post("/v1/commands", self.key.as_str()).json(&sealed.json()))
    }
}

fn of_field(error: &request::FieldError) -> String {
    format!("{}: {}", error.field, error.reason)
}
