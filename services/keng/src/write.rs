//! Commands that change something at a server: raise, token, groups.

use anyhow::Context;
use chassis::ExitCode;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    Failed,
    args::{GroupsArgs, GroupsCommand, MakeToken, RaiseArgs, TokenArgs, TokenCommand},
    client::{Client, send},
    feeds::line,
};

/// `keng raise KIND …`.
pub(crate) async fn raise(args: RaiseArgs) -> Result<u8, Failed> {
    let client = Client::of_person(&args.server)?;
    let body = Value::Object(body(&args)?);
    let key = args.key.clone().unwrap_or_else(|| Uuid::now_v7().to_string());
    let sent = send(client.post("/v1/alerts", &key).json(&body)).await?;
    let alert: Value = sent.json().await.context("the answer")?;
    let text = |name: &str| alert.get(name).and_then(Value::as_str).unwrap_or_default();
    line(&format!("{}  {}  {}", text("state"), text("code"), text("id")));
    if text("state") == "held" {
        line("giữ tại đây, chưa gửi / held here, not yet sent");
    }
    let communes = alert.get("communes").and_then(Value::as_array);
    for commune in communes.into_iter().flatten() {
        let text = |name: &str| commune.get(name).and_then(Value::as_str).unwrap_or_default();
        line(&format!("  → {} ({})", text("code"), text("reason")));
    }
    Ok(ExitCode::DONE)
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

fn text(value: &Option<String>) -> Option<Value> {
    value.clone().map(Value::from)
}

fn some(fields: &[(&str, Option<Value>)]) -> Value {
    let fields = fields.iter().filter_map(|(name, value)| Some(((*name).to_owned(), value.clone()?)));
    Value::Object(fields.collect())
}

fn point(text: &str) -> Result<(f64, f64), Failed> {
    let wrong = || Failed::Usage(format!("--at {text}: LAT,LON"));
    let (lat, lon) = text.split_once(',').ok_or_else(wrong)?;
    match (lat.trim().parse(), lon.trim().parse()) {
        (Ok(lat), Ok(lon)) => Ok((lat, lon)),
        _ => Err(wrong()),
    }
}

fn reach(text: &str) -> Result<Value, Failed> {
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

/// `keng token …`.
pub(crate) async fn token(args: TokenArgs) -> Result<u8, Failed> {
    match (args.command, args.make) {
        (Some(TokenCommand::List(server)), _) => {
            let request = Client::new(&server)?.request(Method::GET, "/v1/tokens");
            let answer: Value = send(request).await?.json().await.context("the answer")?;
            for token in answer.get("tokens").and_then(Value::as_array).into_iter().flatten() {
                let text = |name: &str| token.get(name).and_then(Value::as_str).unwrap_or("-");
                let names = ["id", "state", "role", "officer", "commune", "province", "expires"];
                line(&names.map(text).join("\t"));
            }
        }
        (Some(TokenCommand::Revoke { server, id }), _) => {
            let key = Uuid::now_v7().to_string();
            send(Client::new(&server)?.post(&format!("/v1/tokens/{id}/revoke"), &key)).await?;
            line(&format!("đã thu hồi / revoked {id}"));
        }
        (None, Some(make)) => make_token(make).await?,
        (None, None) => {
            return Err(Failed::Usage("token: --officer and --role are needed".to_owned()));
        }
    }
    Ok(ExitCode::DONE)
}

async fn make_token(make: MakeToken) -> Result<(), Failed> {
    let body = some(&[
        ("officer", Some(json!(make.officer))),
        ("role", Some(json!(make.role))),
        ("commune", text(&make.commune)),
        ("province", text(&make.province)),
        ("expires", text(&make.expires)),
    ]);
    let key = Uuid::now_v7().to_string();
    let request = Client::new(&make.server)?.post("/v1/tokens", &key).json(&body);
    let answer: Value = send(request).await?.json().await.context("the answer")?;
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
    line(&format!("mã số / id {}", text("id")));
    line(text("token"));
    Ok(())
}

/// `keng groups import FILE`.
pub(crate) async fn groups(args: GroupsArgs) -> Result<u8, Failed> {
    let GroupsCommand::Import { server, file } = args.command;
    let unreadable = |why| Failed::Usage(format!("{}: {why}", file.display()));
    let bytes = std::fs::read(&file).map_err(unreadable)?;
    let key = Uuid::now_v7().to_string();
    let request = Client::new(&server)?.post("/v1/groups", &key).body(bytes);
    let answer: Value = send(request).await?.json().await.context("the answer")?;
    let recorded = answer.get("recorded").and_then(Value::as_u64).unwrap_or_default();
    line(&format!("đã ghi / recorded {recorded}"));
    Ok(ExitCode::DONE)
}
