//! `keng alert uncorrected ID`: who has not been corrected yet, until the list is empty.

use anyhow::Context;
use chassis::ExitCode;
use reqwest::Method;
use serde_json::Value;

use crate::{
    Failed,
    args::ServerArgs,
    client::{Client, send},
    feeds::line,
};

/// Shows the list as it stands.
pub(crate) async fn uncorrected(id: &str, server: &ServerArgs) -> Result<u8, Failed> {
    let client = Client::of_person(server)?;
    let request = client.request(Method::GET, &format!("/v1/alerts/{id}/uncorrected"));
    let list: Value = send(request).await?.json().await.context("the answer")?;
    shown(&list).iter().for_each(|text| line(text));
    Ok(ExitCode::DONE)
}

fn shown(list: &Value) -> Vec<String> {
    let Some(revision) = list.get("revision").and_then(Value::as_u64) else {
        return vec!["chưa có gì phải đính chính / there was nothing to correct".to_owned()];
    };
    let news = list.get("news").and_then(Value::as_str).unwrap_or_default();
    let all = list.get("uncorrected").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if all.is_empty() {
        return vec![format!(
            "bản {revision} ({news}): không còn ai phải báo / nobody is left to be corrected"
        )];
    }
    let count = all.len();
    let mut lines = vec![format!(
        "bản {revision} ({news}): còn {count} nơi chưa được báo / {count} not corrected yet"
    )];
    lines.extend(all.iter().map(one));
    lines
}

fn one(one: &Value) -> String {
    let text = |name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default();
    let is = |name: &str| one.get(name).and_then(Value::as_bool).unwrap_or_default();
    let heard = one.get("heard").and_then(Value::as_u64).unwrap_or_default();
    let stands = match text("stands") {
        "not-planned" => "chưa lên kế hoạch / not planned yet".to_owned(),
        "under-way" => "đang gửi / under way".to_owned(),
        "retrying" => format!("gửi lại lúc / tried again at {}", text("next_attempt_at")),
        "unknown" => "không rõ đã đến chưa / may have arrived".to_owned(),
        "not-reached" => "không đến được / did not arrive".to_owned(),
        why => format!("đã dừng / stopped: {why}"),
    };
    let (commune, group, channel) = (text("commune"), text("group"), text("channel"));
    let mut said =
        format!("  {commune}  {group}  {channel}  đã nghe bản / heard {heard}  {stands}");
    if is("group_told") {
        said.push_str("  nhóm đã biết qua kênh khác / told on another channel");
    } else if is("needs_a_person") {
        said.push_str("  CẦN NGƯỜI BÁO / A PERSON HAS TO TELL THEM");
    }
    said
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_list_says_who_how_and_whether_somebody_must_go() {
        let at = "2026-11-22T08:00:00.000Z";
        let of = |group: &str, stands: &str, alone: bool, told: bool| {
            json!({
                "commune": "15958", "group": group, "channel": "webhook-1", "heard": 1,
                "stands": stands, "next_attempt_at": (stands == "retrying").then_some(at),
                "needs_a_person": alone, "group_told": told,
            })
        };
        let lines = shown(&json!({
            "revision": 2, "news": "cancelled",
            "uncorrected": [
                of("late", "retrying", false, false),
                of("gone", "not-reached", true, false),
                of("both", "unknown", true, true),
                of("held", "on-hold", true, false),
            ],
        }));
        let wanted = [
            "bản 2 (cancelled): còn 4 nơi",
            "  15958  late  webhook-1  đã nghe bản / heard 1  gửi lại lúc / tried again at 2026",
            "did not arrive  CẦN NGƯỜI BÁO",
            "may have arrived  nhóm đã biết",
            "stopped: on-hold  CẦN NGƯỜI BÁO",
        ];
        assert_eq!(lines.len(), wanted.len(), "{lines:?}");
        for (line, words) in lines.iter().zip(wanted) {
            assert!(line.contains(words), "{line}");
        }
    }

    #[test]
    fn an_empty_list_and_nothing_to_correct_are_two_things() {
        let none = json!({ "revision": null, "news": null, "uncorrected": [] });
        assert!(shown(&none).concat().contains("nothing to correct"));
        let empty = json!({ "revision": 3, "news": "resolved", "uncorrected": [] });
        assert!(shown(&empty).concat().contains("bản 3 (resolved): không còn ai"));
    }
}
