//! `keng matches` and `keng match confirm|dismiss`: what may be the same, and what an officer
//! says to it.

use anyhow::Context;
use chassis::ExitCode;
use clap::{Args as ClapArgs, Subcommand};
use reqwest::Method;
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
pub(crate) struct MatchesArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Mã xã / Code of the commune [default: the token's own]
    #[arg(long)]
    commune: Option<String>,
    /// open, confirmed, dismissed, disputed [default: what waits for an answer]
    #[arg(long)]
    state: Option<String>,
    /// Xem tiếp sau đề xuất này / Go on behind this proposal
    #[arg(long, value_name = "ID")]
    after: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct MatchArgs {
    #[command(subcommand)]
    command: MatchCommand,
}

#[derive(Debug, Subcommand)]
enum MatchCommand {
    /// Là một / It is the same
    Confirm(AnswerArgs),
    /// Không phải một / It is not the same
    Dismiss(AnswerArgs),
}

#[derive(Debug, ClapArgs)]
struct AnswerArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Mã đề xuất, như match-… / Id of the proposal, as match-…
    id: String,
    /// Ghi chú / Note, for the officers of both communes
    #[arg(long)]
    note: Option<String>,
    /// Mã xã trả lời / The commune that answers; needed where the token stands for both
    #[arg(long)]
    commune: Option<String>,
    /// Khóa chống gửi trùng / Idempotency key [default: a new one]
    #[arg(long)]
    key: Option<String>,
    #[command(flatten)]
    sign: SignArgs,
}

/// `keng matches`.
pub(crate) async fn list(args: MatchesArgs) -> Result<u8, Failed> {
    let client = Client::of_person(&args.server)?;
    let filters = [("commune", &args.commune), ("state", &args.state), ("after", &args.after)];
    let query: Vec<(&str, &String)> =
        filters.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))).collect();
    let sent = send(client.request(Method::GET, "/v1/matches").query(&query)).await?;
    let page: Value = sent.json().await.context("the answer")?;
    let matches = page.get("matches").and_then(Value::as_array);
    matches.into_iter().flatten().flat_map(lines_of).for_each(|text| line(&text));
    if let Some(next) = page.get("next").and_then(Value::as_str) {
        aside(&format!("còn nữa / more: --after {next}"));
    }
    Ok(ExitCode::DONE)
}

/// `keng match confirm|dismiss ID`.
pub(crate) async fn answer(args: MatchArgs) -> Result<u8, Failed> {
    let (action, args) = match args.command {
        MatchCommand::Confirm(args) => ("confirm", args),
        MatchCommand::Dismiss(args) => ("dismiss", args),
    };
    let key = args.key.unwrap_or_else(|| Uuid::now_v7().to_string());
    // If the answer is lost, the same command with this key has the effect of one.
    aside(&format!("--key {key}"));
    let body = args.note.map_or_else(|| json!({}), |note| json!({ "note": note }));
    let (path, body) = (format!("/v1/matches/{}/{action}", args.id), body.to_string());
    let say = Say { path: &path, commune: args.commune.as_deref(), body: &body };
    let request = signing::request(&args.server, &args.sign, say, &key).await?;
    let shown: Value = send(request).await?.json().await.context("the answer")?;
    lines_of(&shown).iter().for_each(|text| line(text));
    if let Some(held) = shown.get("request").and_then(Value::as_str) {
        line(held);
    }
    Ok(ExitCode::DONE)
}

/// A proposal as people read it: what, how alike and why, and both alerts.
pub(crate) fn lines_of(shown: &Value) -> Vec<String> {
    let text = |path: &str| shown.pointer(path).and_then(Value::as_str).unwrap_or("-");
    let kind = match text("/kind") {
        "merge" => "một vụ hai tin? / one incident?",
        _ => "mất và tìm thấy? / missing and found?",
    };
    let score = shown.get("score_per_mille").and_then(Value::as_u64).unwrap_or_default();
    let mut lines =
        vec![format!("{}  {}  {score}/1000  {kind}", text("/id"), state_words(text("/state")))];
    let list = |name: &str| shown.get(name).and_then(Value::as_array).into_iter().flatten();
    for reason in list("reasons").filter_map(|reason| reason.get("words")?.as_str()) {
        lines.push(format!("  - {reason}"));
    }
    for side in list("sides") {
        let text = |path: &str| side.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let said = match text("/answer") {
            "confirmed" => "  đã xác nhận / confirmed",
            "dismissed" => "  đã bác / dismissed",
            _ => "",
        };
        lines.push(format!(
            "  {}  {}  {}  {}  {}{said}",
            text("/commune"),
            text("/alert/kind"),
            text("/alert/code"),
            text("/alert/state"),
            text("/alert/headline"),
        ));
        if !text("/note").is_empty() {
            lines.push(format!("    “{}”", text("/note")));
        }
    }
    lines
}

fn state_words(state: &str) -> &str {
    match state {
        "open" => "chờ trả lời / open",
        "confirmed" => "đã xác nhận / confirmed",
        "dismissed" => "đã bác / dismissed",
        "disputed" => "hai bên nói khác nhau / disputed",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposal_is_read_in_vietnamese_first() {
        let shown = json!({
            "id": "match-a-b",
            "kind": "match",
            "state": "open",
            "score_per_mille": 815,
            "reasons": [{ "code": "same-sex", "words": "cùng giới tính / the same sex" }],
            "sides": [
                { "commune": "18121", "answer": null, "alert": {
                    "kind": "found-child", "code": "0123456789", "state": "active",
                    "headline": "Tìm người thân" } },
                { "commune": "18124", "answer": "dismissed", "note": "Không phải.", "alert": {} },
            ],
        });
        assert_eq!(
            lines_of(&shown),
            [
                "match-a-b  chờ trả lời / open  815/1000  mất và tìm thấy? / missing and found?",
                "  - cùng giới tính / the same sex",
                "  18121  found-child  0123456789  active  Tìm người thân",
                "  18124          đã bác / dismissed",
                "    “Không phải.”",
            ]
        );
    }
}
