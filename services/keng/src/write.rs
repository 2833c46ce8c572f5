//! Commands that change something at a server: raise, token, groups.

use anyhow::Context;
use chassis::{ExitCode, problem::HELD_HERE};
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, RequestBuilder};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    Failed,
    args::{GroupsArgs, GroupsCommand, RaiseArgs, ServerArgs, TokenArgs, TokenCommand},
    client::{Client, send},
    direct::Direct,
    feeds::line,
    preflight,
    signing::{self, Say},
};

/// `keng raise KIND …`.
pub(crate) async fn raise(args: RaiseArgs) -> Result<u8, Failed> {
    let body = Value::Object(body(&args)?);
    if args.dry_run {
        return preflight::of_raise(&Client::of_person(&args.server)?, &body).await;
    }
    let key = args.key.clone().unwrap_or_else(|| Uuid::now_v7().to_string());
    // If the answer is lost, the same command with this key has the effect of one.
    aside(&format!("--key {key}"));
    let body = body.to_string();
    let say = Say { path: "/v1/alerts", commune: None, body: &body };
    let sent = send(signing::request(&args.server, &args.sign, say, &key).await?).await?;
    let alert: Value = sent.json().await.context("the answer")?;
    let text = |name: &str| alert.get(name).and_then(Value::as_str).unwrap_or_default();
    line(&format!("{}  {}  {}", text("state"), text("code"), text("id")));
    if text("state") == "held" {
        line(HELD_HERE);
    }
    if text("state") == "refused" {
        let code = alert.pointer("/refusal/code").and_then(Value::as_str).unwrap_or_default();
        return Err(Failed::Refused(format!("bị từ chối / refused: {code}")));
    }
    let communes = alert.get("communes").and_then(Value::as_array);
    for commune in communes.into_iter().flatten() {
        let text = |name: &str| commune.get(name).and_then(Value::as_str).unwrap_or_default();
        line(&format!("  → {} ({})", text("code"), text("reason")));
    }
    Ok(ExitCode::DONE)
}

/// Says something beside the answer.
#[allow(clippy::print_stderr, reason = "what is no part of the answer goes to standard error")]
pub(crate) fn aside(text: &str) {
    eprintln!("keng: {text}");
}

fn body(args: &RaiseArgs) -> Result<Map<String, Value>, Failed> {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    put("kind", json!(args.kind));
    put("status", json!(args.status));
    put("commune", json!(args.commune));
    put("headline", json!(args.headline));
    let optional = [
        ("description", &args.description),
        ("instruction", &args.instruction),
        ("travel", &args.travel),
        ("legal_basis", &args.legal_basis),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            put(name, json!(value));
        }
    }
    let expires = match &args.expires {
        Some(expires) => expires.clone(),
        None => (Timestamp::now() + SignedDuration::from_hours(24)).to_string(),
    };
    put("expires", json!(expires));
    put("reach", reach(&args.reach)?);
    if args.age.is_some() || args.sex.is_some() {
        put("person", some(&[("age", args.age.map(Value::from)), ("sex", text(&args.sex))]));
    }
    if args.place.is_some() || args.at.is_some() || args.seen.is_some() {
        let (lat, lon) = args.at.as_deref().map(point).transpose()?.unzip();
        put(
            "last_seen",
            some(&[
                ("at", text(&args.seen)),
                ("place", text(&args.place)),
                ("lat", lat.map(Value::from)),
                ("lon", lon.map(Value::from)),
            ]),
        );
    }
    Ok(body)
}

/// A text that may not be given.
pub(crate) fn text(value: &Option<String>) -> Option<Value> {
    value.clone().map(Value::from)
}

/// The fields that are given, as an object.
pub(crate) fn some(fields: &[(&str, Option<Value>)]) -> Value {
    let fields =
        fields.iter().filter_map(|(name, value)| Some(((*name).to_owned(), value.clone()?)));
    Value::Object(fields.collect())
}

/// `LAT,LON`.
pub(crate) fn point(text: &str) -> Result<(f64, f64), Failed> {
    let wrong = || Failed::Usage(format!("--at {text}: LAT,LON"));
    let (lat, lon) = text.split_once(',').ok_or_else(wrong)?;
    match (lat.trim().parse(), lon.trim().parse()) {
        (Ok(lat), Ok(lon)) => Ok((lat, lon)),
        _ => Err(wrong()),
    }
}

/// `auto`, `province`, `rings:N`, or communes with commas between.
pub(crate) fn reach(text: &str) -> Result<Value, Failed> {
    match text.split_once(':') {
        Some(("rings", rings)) => {
            let wrong = |_| Failed::Usage(format!("--reach {text}: rings:N"));
            let rings: u32 = rings.parse().map_err(wrong)?;
            Ok(json!({ "mode": "rings", "rings": rings }))
        }
        _ if matches!(text, "auto" | "province") => Ok(json!({ "mode": text })),
        _ => Ok(json!({ "mode": "communes", "communes": text.split(',').collect::<Vec<_>>() })),
    }
}

pub(crate) async fn json_of(request: RequestBuilder) -> Result<Value, Failed> {
    Ok(send(request).await?.json().await.context("the answer")?)
}

/// Lets a directory go that was held for this command alone.
pub(crate) async fn let_go(direct: Option<Direct>) {
    if let Some(direct) = direct {
        direct.let_go().await;
    }
}

/// `keng token …`.
pub(crate) async fn token(args: TokenArgs) -> Result<u8, Failed> {
    match args.command {
        Some(TokenCommand::List(server)) => list_tokens(&server).await?,
        Some(TokenCommand::Revoke { server, id }) => {
            let key = Uuid::now_v7().to_string();
            let (client, direct) = Client::new(&server).await?;
            let sent = send(client.post(&format!("/v1/tokens/{id}/revoke"), &key)).await;
            let_go(direct).await;
            sent?;
            line(&format!("đã thu hồi / revoked {id}"));
        }
        None => make_token(&args).await?,
    }
    Ok(ExitCode::DONE)
}

async fn list_tokens(server: &ServerArgs) -> Result<(), Failed> {
    let (client, direct) = Client::new(server).await?;
    let answer = json_of(client.request(Method::GET, "/v1/tokens")).await;
    let_go(direct).await;
    let answer = answer?;
    for token in answer.get("tokens").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| token.get(name).and_then(Value::as_str).unwrap_or("-");
        let names = ["id", "state", "role", "officer", "commune", "province", "expires"];
        line(&names.map(text).join("\t"));
    }
    Ok(())
}

async fn make_token(args: &TokenArgs) -> Result<(), Failed> {
    let body = some(&[
        ("officer", text(&args.officer)),
        ("role", text(&args.role)),
        ("commune", text(&args.commune)),
        ("province", text(&args.province)),
        ("expires", text(&args.expires)),
        ("purpose", args.enrol.then(|| "enrolment".into())),
    ]);
    let key = Uuid::now_v7().to_string();
    let (client, direct) = Client::new(&args.server).await?;
    let answer = json_of(client.post("/v1/tokens", &key).json(&body)).await;
    let_go(direct).await;
    let answer = answer?;
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
    line(&format!("mã số / id {}", text("id")));
    match args.enrol {
        // The page is at the server's own address, which a socket does not tell.
        true => line(&format!("{}{}", args.server.server.as_deref().unwrap_or(""), text("path"))),
        false => line(text("token")),
    }
    Ok(())
}

/// `keng groups import FILE`.
pub(crate) async fn groups(args: GroupsArgs) -> Result<u8, Failed> {
    let GroupsCommand::Import { server, file } = args.command;
    let unreadable = |why| Failed::Usage(format!("{}: {why}", file.display()));
    let bytes = std::fs::read(&file).map_err(unreadable)?;
    let key = Uuid::now_v7().to_string();
    let (client, direct) = Client::new(&server).await?;
    let answer = json_of(client.post("/v1/groups", &key).body(bytes)).await;
    let_go(direct).await;
    let answer = answer?;
    let recorded = answer.get("recorded").and_then(Value::as_u64).unwrap_or_default();
    line(&format!("đã ghi / recorded {recorded}"));
    Ok(ExitCode::DONE)
}
