//! `keng alert deliveries ID`: who was told what, over which channel, when, and how far it came.

use anyhow::Context;
use chassis::ExitCode;
use history::known::state_words;
use reqwest::Method;
use serde_json::Value;

use crate::{
    Failed,
    args::ServerArgs,
    client::{Client, send},
    feeds::line,
    local_time::clock_of,
};

/// Shows the deliveries as they stand.
pub(crate) async fn deliveries(id: &str, server: &ServerArgs) -> Result<u8, Failed> {
    let client = Client::of_person(server)?;
    let request = client.request(Method::GET, &format!("/v1/alerts/{id}/deliveries"));
    let answer: Value = send(request).await?.json().await.context("the answer")?;
    shown(&answer).iter().for_each(|text| line(text));
    Ok(ExitCode::DONE)
}

fn shown(answer: &Value) -> Vec<String> {
    let all = answer.get("deliveries").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if all.is_empty() {
        return vec!["chưa báo cho ai / nobody was told".to_owned()];
    }
    attested(answer).into_iter().chain(all.iter().map(one)).collect()
}

/// How it is known who raised the alert.
fn attested(answer: &Value) -> Option<String> {
    match answer.get("attested").and_then(Value::as_str)? {
        "key" => Some("cán bộ đã ký / signed by the officer".to_owned()),
        "token" => Some("chỉ bằng mã truy cập / by token alone".to_owned()),
        _ => None,
    }
}

fn one(one: &Value) -> String {
    let text = |name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str| one.get(name).and_then(Value::as_u64).unwrap_or_default();
    let (commune, group, channel) = (text("commune"), text("group"), text("channel"));
    let told = format!("bản / revision {} ({})", number("revision"), text("news"));
    let mut said = format!("{commune}  {group}  {channel}  {told}  {}", state_words(text("state")));
    let attempts = number("attempts");
    if attempts > 1 {
        said.push_str(&format!("  {attempts} lần / attempts"));
    }
    if !text("trouble").is_empty() {
        said.push_str(&format!("  [{}]", text("trouble")));
    }
    for (name, vi, en) in [
        ("handed_over_at", "giao lúc", "handed over"),
        ("posted_at", "đăng lúc", "posted"),
        ("accepted_at", "nhận lúc", "taken"),
        ("delivered_at", "tới lúc", "arrived"),
        ("read_at", "đọc lúc", "read"),
        ("next_attempt_at", "lần tới", "next"),
    ] {
        if !text(name).is_empty() {
            said.push_str(&format!("  {vi} / {en} {}", clock_of(text(name))));
        }
    }
    if one.get("overdue").and_then(Value::as_bool).unwrap_or_default() {
        said.push_str("  QUÁ HẠN / OVERDUE");
    }
    said
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_says_who_what_and_no_more_than_is_known() {
        let lines = shown(&json!({ "deliveries": [
            { "commune": "15958", "group": "g-1", "channel": "telegram-1", "revision": 2,
              "news": "issued", "state": "accepted", "attempts": 2,
              "accepted_at": "2026-11-22T08:00:00.000Z", "trouble": null },
            { "commune": "15958", "group": "g-2", "channel": "poster-1", "revision": 2,
              "news": "issued", "state": "handed-over", "attempts": 1, "overdue": true,
              "handed_over_at": "2026-11-22T08:00:00.000Z" },
            { "commune": "15958", "group": "g-3", "channel": "sms-1", "revision": 2,
              "news": "issued", "state": "no-such-target", "attempts": 0 },
        ] }));
        assert!(lines[0].contains("taken, not known to have arrived  2 lần / attempts"));
        assert!(!lines[0].contains("delivered") && !lines[0].contains("đã tới  "), "{lines:?}");
        assert!(lines[1].contains("handed over") && lines[1].ends_with("QUÁ HẠN / OVERDUE"));
        assert!(lines[2].ends_with("stopped: no-such-target"), "{lines:?}");
        assert_eq!(shown(&json!({ "deliveries": [] })), ["chưa báo cho ai / nobody was told"]);
    }
}
