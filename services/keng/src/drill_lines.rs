//! A measured drill as people and programs read it; Vietnamese first, English second.

use serde_json::{Value, json};

use crate::{drill::Drilled, preflight::at};

/// One object.
pub(crate) fn json(drilled: &Drilled) -> Value {
    json!({
        "alert": drilled.alert,
        "code": drilled.code,
        "done": drilled.seen.get("done"),
        "communes": drilled.seen.get("communes"),
        "not_kept": drilled.not_kept,
        "not_ended": drilled.not_ended,
    })
}

/// For each commune its figures, then each type of channel, then each group.
pub(crate) fn text(drilled: &Drilled) -> Vec<String> {
    let mut lines = vec![format!("DIỄN TẬP / DRILL  {}  {}", drilled.code, drilled.alert)];
    if !drilled.seen.get("done").and_then(Value::as_bool).unwrap_or_default() {
        lines.push("hết giờ chờ, chưa xong hết / the time was up before all had ended".to_owned());
    }
    for commune in list(&drilled.seen, "communes") {
        lines.push(format!("xã / commune {}: {}", word(commune, "commune"), counts(commune)));
        lines.extend(list(commune, "channels").iter().map(channel));
        lines.extend(list(commune, "told").iter().flat_map(group));
    }
    lines.push(match &drilled.not_kept {
        None => "đã ghi kết quả / the result is kept".to_owned(),
        Some(why) => format!("CHƯA GHI KẾT QUẢ / THE RESULT IS NOT KEPT: {why}"),
    });
    lines.push(match &drilled.not_ended {
        None => "đã kết thúc diễn tập / the exercise is over".to_owned(),
        Some(why) => format!("CHƯA KẾT THÚC / THE EXERCISE IS NOT OVER: {why}"),
    });
    lines
}

/// The last drill of a commune in one line, as preflight shows it.
pub(crate) fn last(drill: &Value) -> String {
    let channels = list(drill, "channels").iter().map(|channel| {
        let groups = number(channel, "groups");
        let reached = groups.saturating_sub(number(channel, "not_reached"));
        format!("; {} {reached}/{groups}", word(channel, "type"))
    });
    let channels: String = channels.collect();
    let groups = number(drill, "groups");
    format!(
        "   diễn tập / drill {} {}: {}/{groups} nhóm / groups{channels}",
        word(drill, "commune"),
        at(drill, "/raised_at"),
        number(drill, "reached"),
    )
}

fn counts(commune: &Value) -> String {
    let of = |name: &str| number(commune, name);
    let (groups, reached, not_reached) = (of("groups"), of("reached"), of("not_reached"));
    let apart = of("not_taking_part");
    if groups == 0 {
        return format!(
            "không nhóm nào tham gia ({apart} nhóm) / no group takes part ({apart} groups)"
        );
    }
    format!(
        "đến {reached}/{groups} nhóm, {not_reached} chưa; {apart} nhóm không tham gia / \
         {reached} of {groups} groups reached, {not_reached} not; {apart} take no part"
    )
}

fn channel(channel: &Value) -> String {
    let of = |name: &str| number(channel, name);
    let time = |name: &str| channel.get(name).and_then(Value::as_u64);
    let mut said = format!(
        "  {}: {} nhóm / groups, đã đến / reached {}, đã nhận / accepted {}, đã giao / handed \
         over {}, chưa đến / not reached {}",
        word(channel, "type"),
        of("groups"),
        of("delivered"),
        of("accepted"),
        of("handed_over"),
        of("not_reached"),
    );
    if let (Some(median), Some(slowest)) = (time("median_ms"), time("slowest_ms")) {
        said.push_str(&format!("; giữa / median {median} ms, chậm nhất / slowest {slowest} ms"));
    }
    said
}

/// A line for each channel of a group, or one where it has none that was used.
fn group(group: &Value) -> Vec<String> {
    let id = word(group, "group");
    let channels = list(group, "channels");
    if channels.is_empty() {
        let why = word(group, "trouble");
        return vec![format!("    {id}  -  CHƯA ĐẾN / NOT REACHED  {why}")];
    }
    let one = |channel: &Value| {
        let name = word(channel, "channel");
        let said = match word(channel, "reach") {
            "delivered" => "đã đến / reached",
            "accepted" => "đã nhận / accepted",
            "handed-over" => "đã giao / handed over",
            _ => "CHƯA ĐẾN / NOT REACHED",
        };
        let how = match channel.get("ms").and_then(Value::as_u64) {
            Some(ms) => format!("{ms} ms"),
            None => {
                let trouble = channel.get("trouble").and_then(Value::as_str);
                trouble.unwrap_or_else(|| word(channel, "state")).to_owned()
            }
        };
        format!("    {id}  {name}  {said}  {how}")
    };
    channels.iter().map(one).collect()
}

fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn word<'a>(of: &'a Value, name: &str) -> &'a str {
    of.get(name).and_then(Value::as_str).unwrap_or("-")
}

fn number(of: &Value, name: &str) -> u64 {
    of.get(name).and_then(Value::as_u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drilled() -> Drilled {
        let told = |group: &str, channels: Value, why: Option<&str>| {
            let group = json!(group);
            json!({ "group": group, "channels": channels, "trouble": why })
        };
        let one = |reach: &str, ms: Option<u64>, state: &str, trouble: Option<&str>| {
            json!([{ "channel": "webhook-1", "type": "webhook", "reach": reach, "ms": ms,
                     "state": state, "trouble": trouble }])
        };
        let commune = json!({
            "commune": "25126", "raised_at": "2026-11-22T01:00:00Z",
            "groups": 4, "reached": 1, "not_reached": 3, "not_taking_part": 2,
            "channels": [{ "type": "webhook", "groups": 3, "delivered": 1, "accepted": 0,
                           "handed_over": 0, "not_reached": 2, "median_ms": 40,
                           "slowest_ms": 40 }],
            "told": [
                told("g-1", one("delivered", Some(40), "delivered", None), None),
                told("g-2", one("not-reached", None, "retrying", Some("connect")), None),
                told("g-3", one("not-reached", None, "planned", None), None),
                told("g-4", json!([]), Some("no-channel")),
            ],
        });
        Drilled {
            code: "0123456789".to_owned(),
            alert: "x".to_owned(),
            seen: json!({ "done": true, "communes": [commune] }),
            not_kept: None,
            not_ended: None,
        }
    }

    #[test]
    fn each_channel_and_each_group_has_its_line() {
        let lines = text(&drilled());
        let wanted = [
            "DIỄN TẬP / DRILL  0123456789  x",
            "xã / commune 25126: đến 1/4 nhóm, 3 chưa; 2 nhóm không tham gia / 1 of 4 groups \
             reached, 3 not; 2 take no part",
            "  webhook: 3 nhóm / groups, đã đến / reached 1, đã nhận / accepted 0, đã giao / \
             handed over 0, chưa đến / not reached 2; giữa / median 40 ms, chậm nhất / slowest \
             40 ms",
            "    g-1  webhook-1  đã đến / reached  40 ms",
            "    g-2  webhook-1  CHƯA ĐẾN / NOT REACHED  connect",
            "    g-3  webhook-1  CHƯA ĐẾN / NOT REACHED  planned",
            "    g-4  -  CHƯA ĐẾN / NOT REACHED  no-channel",
            "đã ghi kết quả / the result is kept",
            "đã kết thúc diễn tập / the exercise is over",
        ];
        assert_eq!(lines, wanted);
        assert_eq!(json(&drilled())["communes"][0]["not_reached"], 3);
    }

    #[test]
    fn what_is_not_whole_is_said() {
        let drilled = Drilled {
            seen: json!({ "done": false, "communes": [
                { "commune": "25126", "groups": 0, "not_taking_part": 2 },
            ] }),
            not_kept: Some("409 nobody-took-part".to_owned()),
            not_ended: Some("503".to_owned()),
            ..drilled()
        };
        let lines = text(&drilled);
        for words in [
            "the time was up before all had ended",
            "no group takes part (2 groups)",
            "THE RESULT IS NOT KEPT: 409 nobody-took-part",
            "THE EXERCISE IS NOT OVER: 503",
        ] {
            assert!(lines.iter().any(|line| line.contains(words)), "{words}: {lines:#?}");
        }
    }

    #[test]
    fn preflight_has_the_last_drill_in_a_line() {
        let drilled = drilled();
        assert_eq!(
            last(&drilled.seen["communes"][0]),
            "   diễn tập / drill 25126 2026-11-22 08:00: 1/4 nhóm / groups; webhook 1/3"
        );
    }
}
