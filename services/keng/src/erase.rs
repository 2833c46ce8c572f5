//! `keng erase …` and `keng legal-hold …`: an alert's personal data, by two persons.

use anyhow::Context;
use chassis::ExitCode;
use clap::{Args as ClapArgs, Subcommand};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    Failed,
    args::ServerArgs,
    client::{Client, send},
    feeds::line,
    signing::{self, Say, SignArgs},
};

const BASES: [&str; 4] = ["subject-request", "purpose-ended", "authority", "other-law"];

#[derive(Debug, ClapArgs)]
pub(crate) struct EraseArgs {
    #[command(subcommand)]
    command: EraseCommand,
}

#[derive(Debug, Subcommand)]
enum EraseCommand {
    /// Xin xoá / Ask; a second person has to confirm
    Ask(AskArgs),
    /// Đồng ý xoá / Confirm, as the second person: nothing brings it back
    Confirm(ConfirmArgs),
    /// Xem / Show how it stands
    Show(OneArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LegalHoldArgs {
    #[command(subcommand)]
    command: LegalHoldCommand,
}

#[derive(Debug, Subcommand)]
enum LegalHoldCommand {
    /// Giữ lại / Keep everything; two persons have to
    Set(NoteArgs),
    /// Thôi giữ / Lift; two persons have to
    Lift(NoteArgs),
}

#[derive(Debug, ClapArgs)]
struct OneArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Mã tin / Id of the alert
    alert: String,
}

#[derive(Debug, ClapArgs)]
struct NoteArgs {
    #[command(flatten)]
    one: OneArgs,
    #[command(flatten)]
    sign: SignArgs,
    /// Lý do / Why
    #[arg(long)]
    note: Option<String>,
}

#[derive(Debug, ClapArgs)]
struct AskArgs {
    #[command(flatten)]
    with: NoteArgs,
    /// Căn cứ / Basis
    #[arg(long, value_parser = BASES)]
    basis: String,
}

#[derive(Debug, ClapArgs)]
struct ConfirmArgs {
    #[command(flatten)]
    one: OneArgs,
    #[command(flatten)]
    sign: SignArgs,
    /// Căn cứ đã xin / The basis that was asked for
    #[arg(long, value_parser = BASES)]
    basis: String,
}

/// `keng erase …`.
pub(crate) async fn erase(args: EraseArgs) -> Result<u8, Failed> {
    match args.command {
        EraseCommand::Ask(AskArgs { with, basis }) => {
            let mut body = note_body(with.note);
            if let Some(body) = body.as_object_mut() {
                body.insert("basis".to_owned(), basis.into());
            }
            change((&with.one, &with.sign), "erase", &body).await
        }
        EraseCommand::Confirm(ConfirmArgs { one, sign, basis }) => {
            change((&one, &sign), "erase/confirm", &json!({ "basis": basis })).await
        }
        EraseCommand::Show(one) => {
            let client = Client::of_person(&one.server)?;
            let path = format!("/v1/alerts/{}/erasure", one.alert);
            show(&answer(client.request(Method::GET, &path)).await?);
            Ok(ExitCode::DONE)
        }
    }
}

/// `keng legal-hold …`.
pub(crate) async fn legal_hold(args: LegalHoldArgs) -> Result<u8, Failed> {
    let (with, action) = match args.command {
        LegalHoldCommand::Set(with) => (with, "legal-hold"),
        LegalHoldCommand::Lift(with) => (with, "legal-hold/lift"),
    };
    change((&with.one, &with.sign), action, &note_body(with.note)).await
}

fn note_body(note: Option<String>) -> Value {
    note.map_or_else(|| json!({}), |note| json!({ "note": note }))
}

async fn change(
    (one, sign): (&OneArgs, &SignArgs),
    action: &str,
    body: &Value,
) -> Result<u8, Failed> {
    // Who repeats it asks for what is so already.
    let key = Uuid::now_v7().to_string();
    let path = format!("/v1/alerts/{}/{action}", one.alert);
    let say = Say { path: &path, commune: None, body: &body.to_string() };
    show(&answer(signing::request(&one.server, sign, say, &key).await?).await?);
    Ok(ExitCode::DONE)
}

async fn answer(request: RequestBuilder) -> Result<Value, Failed> {
    Ok(send(request).await?.json().await.context("the answer")?)
}

fn show(erasure: &Value) {
    let text = |at: &str| erasure.pointer(at).and_then(Value::as_str).unwrap_or("-");
    let words =
        ["/state", "/alert", "/basis", "/asked_by", "/confirmed_by", "/until", "/note"].map(text);
    line(&words.join("\t"));
    let hold = ["/state", "/asked_by", "/confirmed_by", "/lift_asked_by", "/note"];
    let hold = hold.map(|at| text(&format!("/legal_hold{at}")));
    line(&format!("giữ lại / legal hold\t{}", hold.join("\t")));
    if let Some(held) = erasure.get("request").and_then(Value::as_str) {
        line(held);
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    enum Line {
        Erase(EraseArgs),
        LegalHold(LegalHoldArgs),
    }

    #[test]
    fn an_erasure_has_a_basis_that_a_person_may_give() {
        let parse = |line: &str| Line::try_parse_from(line.split(' '));
        for good in [
            "k erase ask a --basis subject-request --note n",
            "k erase confirm a --basis authority",
            "k erase show a",
            "k legal-hold set a --note n",
            "k legal-hold lift a",
            "k erase confirm a --basis authority --sign-with an.key",
            "k legal-hold set a --sign-with an.key",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for wrong in ["k erase ask a", "k erase ask a --basis retention", "k legal-hold set"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
