//! What a commune says to an alert that was relayed to it: acknowledge, refuse, instruct, relay.

use anyhow::Context;
use chassis::ExitCode;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    Failed,
    answer_args::{AnswerArgs, InstructArgs, OnwardArgs, RelayedArgs},
    client::send,
    feeds::line,
    signing::{self, Say},
    write::aside,
};

/// `keng acknowledge ID` and `keng refuse ID`.
pub(crate) async fn answer(action: &str, args: AnswerArgs) -> Result<u8, Failed> {
    post(&args.relayed, action, with_note(Map::new(), args.note)).await
}

/// `keng instruct ID --instruction TEXT`.
pub(crate) async fn instruct(args: InstructArgs) -> Result<u8, Failed> {
    let body = Map::from_iter([("instruction".to_owned(), json!(args.instruction))]);
    post(&args.relayed, "instructions", body).await
}

/// `keng relay ID --to CODES`.
pub(crate) async fn onward(args: OnwardArgs) -> Result<u8, Failed> {
    let body = Map::from_iter([("communes".to_owned(), json!(args.to))]);
    post(&args.relayed, "relay", with_note(body, args.note)).await
}

fn with_note(mut body: Map<String, Value>, note: Option<String>) -> Map<String, Value> {
    if let Some(note) = note {
        body.insert("note".to_owned(), json!(note));
    }
    body
}

async fn post(args: &RelayedArgs, action: &str, body: Map<String, Value>) -> Result<u8, Failed> {
    let key = args.key.clone().unwrap_or_else(|| Uuid::now_v7().to_string());
    // If the answer is lost, the same command with this key has the effect of one.
    aside(&format!("--key {key}"));
    let (path, body) = (format!("/v1/alerts/{}/{action}", args.id), Value::Object(body));
    let say = Say { path: &path, commune: args.commune.as_deref(), body: &body.to_string() };
    let sent = send(signing::request(&args.server, &args.sign, say, &key).await?).await?;
    let alert: Value = sent.json().await.context("the answer")?;
    shown(&alert).iter().for_each(|text| line(text));
    Ok(ExitCode::DONE)
}

/// The alert, and where it stands with each commune.
pub(crate) fn shown(alert: &Value) -> Vec<String> {
    let text = |of: &Value, name: &str| {
        of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let mut lines =
        vec![format!("{}  {}  {}", text(alert, "state"), text(alert, "code"), text(alert, "id"))];
    let communes = alert.get("communes").and_then(Value::as_array);
    for commune in communes.into_iter().flatten() {
        let standing = match text(commune, "standing").as_str() {
            "relayed" => "đã chuyển / relayed",
            "silent" => "im lặng / silent",
            "acknowledged" => "đã xác nhận / acknowledged",
            "refused" => "đã từ chối / refused",
            _ => "phát tin / raised it",
        };
        lines.push(format!("  → {}  {standing}", text(commune, "code")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_s_commands_are_typed_like_this() {
        use clap::Parser;
        for (typed, is_one) in [
            (vec!["acknowledge", "ID", "--note", "Đã rõ"], true),
            (vec!["refuse", "ID", "--commune", "15925"], true),
            (vec!["instruct", "ID", "--instruction", "Ra bờ sông"], true),
            (vec!["instruct", "ID"], false),
            (vec!["relay", "ID", "--to", "15946,15949"], true),
            (vec!["relay", "ID"], false),
            (vec!["acknowledge", "ID", "--sign-with", "an.key"], true),
            (vec!["relay", "ID", "--to", "15946", "--sign-with", "an.key"], true),
        ] {
            let parsed = crate::args::Args::try_parse_from([vec!["keng"], typed.clone()].concat());
            assert_eq!(parsed.is_ok(), is_one, "{typed:?}");
        }
    }

    #[test]
    fn everybody_s_answer_is_shown() {
        let alert = json!({
            "state": "active", "code": "0123456789", "id": "x",
            "communes": [
                { "code": "15958", "standing": null },
                { "code": "15925", "standing": "silent" },
            ],
        });
        let lines = shown(&alert);
        let wanted = [
            "active  0123456789  x",
            "  → 15958  phát tin / raised it",
            "  → 15925  im lặng / silent",
        ];
        assert_eq!(lines, wanted);
    }
}
