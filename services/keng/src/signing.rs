//! Signing on the command line: what `--sign-with FILE` asks for is made and signed here, and
//! handed over without a token.

use std::path::{Path, PathBuf};

use chassis::{Clock, Problem, SystemClock};
use clap::Args as ClapArgs;
use domain::rights::Asker;
use intake::{
    idempotency::IdempotencyKey,
    pen::{Hand, Pen, Said},
    request::{EdgeKnown, Envelope},
};
use registry::Map;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use crate::{
    Failed,
    args::ServerArgs,
    client::{Client, refusal},
    keys::KeyFile,
    write::json_of,
};

/// By which key a command is signed.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct SignArgs {
    /// Tệp khóa để ký / Sign with the key in this file (keng key new), without a token
    #[arg(long, env = "KENG_SIGN_WITH", value_name = "FILE")]
    pub(crate) sign_with: Option<PathBuf>,
}

/// What is asked: a path over HTTP, the commune that the query names, and a body.
pub(crate) struct Say<'a> {
    pub(crate) path: &'a str,
    pub(crate) commune: Option<&'a str>,
    pub(crate) body: &'a str,
}

/// The request that asks this under a key: signed where a key's file is given, otherwise with a
/// token.
pub(crate) async fn request(
    server: &ServerArgs,
    sign: &SignArgs,
    say: Say<'_>,
    key: &str,
) -> Result<RequestBuilder, Failed> {
    let Some(file) = &sign.sign_with else {
        let request = Client::of_person(server)?.post(say.path, key);
        let request = match say.commune {
            Some(commune) => request.query(&[("commune", commune)]),
            None => request,
        };
        return Ok(request.header("content-type", "application/json").body(say.body.to_owned()));
    };
    let desk = Desk::open(file, key)?;
    let commune = say.commune.map(str::parse).transpose();
    let wrong = |_| Failed::Usage("--commune: năm chữ số / five digits".to_owned());
    let body = if say.body.is_empty() { "{}" } else { say.body };
    let said = Said { path: say.path, commune: commune.map_err(wrong)?, body: body.as_bytes() };
    let mut seen = vec![];
    for path in said.needs(&desk.holder).map_err(|problem| not_signed(&problem))? {
        // What is shown is shown to a token alone.
        let client = Client::of_person(server)?;
        seen.push(json_of(client.request(Method::GET, &path)).await?);
    }
    let envelope = desk.sign(said, &seen)?;
    let client = Client::of_nobody(server)?;
    Ok(client.post("/v1/commands", key).json(&envelope.json()))
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

    fn sign(&self, said: Said<'_>, seen: &[Value]) -> Result<Envelope, Failed> {
        let at = SystemClock.now();
        let pen =
            Pen { hand: Hand::Own(&self.file.signer), asker: &self.holder, key: &self.key, at };
        let known = EdgeKnown { now: at, map: &self.map };
        pen.say(said, seen, &known).map_err(|problem| not_signed(&problem))
    }
}

/// What the server would refuse at its edge.
fn not_signed(problem: &Problem) -> Failed {
    let errors = problem.errors().iter();
    let errors = errors.map(|error| format!("{}: {}", error.field, error.reason));
    let first = format!("{}: {}", problem.code(), problem.detail());
    refusal(&std::iter::once(first).chain(errors).collect::<Vec<_>>())
}
