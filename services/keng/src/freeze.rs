//! `keng freeze …` and `keng recall …`: what guards the system against a stolen token.

use anyhow::Context;
use chassis::ExitCode;
use clap::{Args as ClapArgs, Subcommand};
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    Failed,
    args::ServerArgs,
    client::{Client, send},
    feeds::line,
    signing::{self, Say, SignArgs},
    write::aside,
};

#[derive(Debug, ClapArgs)]
pub(crate) struct FreezeArgs {
    #[command(subcommand)]
    pub(crate) command: FreezeCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FreezeCommand {
    /// Xin khóa phát tin / Ask for a freeze; a second person has to confirm it
    Ask(AskArgs),
    /// Đồng ý khóa / Confirm, as the second person
    Confirm(ConfirmArgs),
    /// Mở khóa / Lift before its time; two persons have to
    Lift(LiftArgs),
    /// Liệt kê / List those that stand
    List(ServerArgs),
}

/// Whom it is about.
#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = false)]
pub(crate) struct Whom {
    /// Mã cán bộ / Id of an officer
    #[arg(long, value_name = "ID")]
    pub(crate) officer: Option<String>,
    /// Mã xã / Code of a commune
    #[arg(long, value_name = "CODE")]
    pub(crate) commune: Option<String>,
}

/// To which server, and by which key.
#[derive(Debug, ClapArgs)]
pub(crate) struct With {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) sign: SignArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct AskArgs {
    #[command(flatten)]
    pub(crate) with: With,
    #[command(flatten)]
    pub(crate) whom: Whom,
    /// Số giờ / Hours, at most 24
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(i64).range(1..=24))]
    pub(crate) hours: i64,
    /// Lý do / Why
    #[arg(long)]
    pub(crate) note: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ConfirmArgs {
    #[command(flatten)]
    pub(crate) with: With,
    /// Tên lệnh khóa / The freeze, as officer-an or commune-25126
    pub(crate) id: String,
    /// Giờ hết khóa đã xin / The end that was asked for, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(crate) until: String,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LiftArgs {
    #[command(flatten)]
    pub(crate) with: With,
    /// Tên lệnh khóa / The freeze, as officer-an or commune-25126
    pub(crate) id: String,
    /// Lý do / Why
    #[arg(long)]
    pub(crate) note: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RecallArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) whom: Whom,
    /// Từ lúc / What was raised since, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(crate) since: String,
    /// Lý do / Why
    #[arg(long)]
    pub(crate) note: Option<String>,
    /// Khóa chống gửi trùng / Idempotency key [default: a new one]
    #[arg(long)]
    pub(crate) key: Option<String>,
}

/// `keng freeze …`.
pub(crate) async fn freeze(args: FreezeArgs) -> Result<u8, Failed> {
    match args.command {
        FreezeCommand::Ask(args) => {
            let until = Timestamp::now() + SignedDuration::from_hours(args.hours);
            // Whole seconds: the second person types it.
            let until = until.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            let body = about(&args.whom, ("until", &until), args.note.as_deref());
            change(&args.with, "/v1/freezes", &body).await
        }
        FreezeCommand::Confirm(args) => {
            let path = format!("/v1/freezes/{}/confirm", args.id);
            change(&args.with, &path, &json!({ "until": args.until })).await
        }
        FreezeCommand::Lift(args) => {
            let path = format!("/v1/freezes/{}/lift", args.id);
            let body = args.note.map_or_else(|| json!({}), |note| json!({ "note": note }));
            change(&args.with, &path, &body).await
        }
        FreezeCommand::List(server) => {
            let client = Client::of_person(&server)?;
            let answer = answer(client.request(Method::GET, "/v1/freezes")).await?;
            let freezes = answer.get("freezes").and_then(Value::as_array);
            freezes.into_iter().flatten().for_each(show);
            Ok(ExitCode::DONE)
        }
    }
}

/// `keng recall …`: each alert as it stands now, the newest first.
pub(crate) async fn recall(args: RecallArgs) -> Result<u8, Failed> {
    let client = Client::of_person(&args.server)?;
    let body = about(&args.whom, ("since", &args.since), args.note.as_deref());
    let key = args.key.clone().unwrap_or_else(|| Uuid::now_v7().to_string());
    // If the answer is lost, the same command with this key has the effect of one.
    aside(&format!("--key {key}"));
    let answer = answer(client.post("/v1/recalls", &key).json(&body)).await?;
    let alerts = answer.get("alerts").and_then(Value::as_array);
    for alert in alerts.into_iter().flatten() {
        let text = |name: &str| alert.get(name).and_then(Value::as_str).unwrap_or_default();
        let words = ["state", "code", "id", "headline"].map(text);
        line(&words.join("  "));
    }
    let remaining = answer.get("remaining").and_then(Value::as_u64).unwrap_or_default();
    if remaining > 0 {
        line(&format!("còn {remaining}: gọi lại lần nữa / {remaining} are left: recall again"));
    }
    Ok(ExitCode::DONE)
}

fn about(whom: &Whom, (name, time): (&str, &str), note: Option<&str>) -> Value {
    let mut body = json!({});
    let fields = [
        ("officer", whom.officer.as_deref()),
        ("commune", whom.commune.as_deref()),
        (name, Some(time)),
        ("note", note),
    ];
    if let Some(body) = body.as_object_mut() {
        for (name, value) in fields {
            if let Some(value) = value {
                body.insert(name.to_owned(), value.into());
            }
        }
    }
    body
}

async fn change(with: &With, path: &str, body: &Value) -> Result<u8, Failed> {
    let key = Uuid::now_v7().to_string();
    let say = Say { path, commune: None, body: &body.to_string() };
    show(&answer(signing::request(&with.server, &with.sign, say, &key).await?).await?);
    Ok(ExitCode::DONE)
}

async fn answer(request: RequestBuilder) -> Result<Value, Failed> {
    Ok(send(request).await?.json().await.context("the answer")?)
}

fn show(freeze: &Value) {
    let text = |name: &str| freeze.get(name).and_then(Value::as_str).unwrap_or("-");
    let words = ["state", "id", "until", "asked_by", "confirmed_by", "lift_asked_by", "note"];
    line(&words.map(text).join("\t"));
    if let Some(held) = freeze.get("request").and_then(Value::as_str) {
        line(held);
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        freeze: FreezeArgs,
    }

    #[test]
    fn a_freeze_is_of_an_officer_or_of_a_commune() {
        let parse = |line: &str| Line::try_parse_from(line.split(' '));
        for good in [
            "k ask --officer x",
            "k ask --commune 25126 --hours 24 --note a",
            "k confirm officer-x --until 2026-11-22T08:00:00Z",
            "k lift commune-25126",
            "k ask --officer x --sign-with an.key",
            "k lift commune-25126 --sign-with an.key",
            "k list",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for wrong in ["k ask", "k ask --officer x --commune 25126", "k ask --officer x --hours 25"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_given_has_no_field() {
        let whom = Whom { officer: Some("x".to_owned()), commune: None };
        let body = about(&whom, ("since", "2026-11-22T08:00:00Z"), None);
        assert_eq!(body, json!({ "officer": "x", "since": "2026-11-22T08:00:00Z" }));
    }
}
