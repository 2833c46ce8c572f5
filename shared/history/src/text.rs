//! A line of history as a line of text, for a terminal: Vietnamese first, Vietnam's time.

use jiff::tz::{Offset, TimeZone};
use serde_json::Value;

use crate::line::{Line, timestamp};

/// Viet Nam keeps one offset and no summer time.
const OFFSET_H: i8 = 7;
/// So many communes are named; of more, how many.
const COMMUNES_SHOWN_MAX: usize = 12;
/// Data of messages that have no words of their own are cut here.
const DATA_CHARS_MAX: usize = 120;

/// What each message says, in words.
const WORDS: [(&str, &str); 30] = [
    ("RaiseAlert", "xin phát báo động / asks for an alert"),
    ("ApproveAlert", "xin duyệt / approves"),
    ("CancelAlert", "xin thu hồi / asks to cancel"),
    ("ResolveAlert", "xin kết thúc / asks to resolve"),
    ("ExpireAlert", "đến giờ hết hạn / the time has come to expire"),
    ("RelayAlertFurther", "chuyển tiếp các xã còn lại / relay to the remaining communes"),
    ("AcknowledgeRelay", "xã xác nhận / a commune acknowledges"),
    ("RefuseRelay", "xã từ chối / a commune refuses"),
    ("RecordOfficer", "ghi cán bộ / record an officer"),
    ("RecordGroup", "ghi nhóm / record a group"),
    ("MakeToken", "cấp mã truy cập / make a token"),
    ("RevokeToken", "thu mã truy cập / revoke a token"),
    ("AdoptMap", "dùng bản đồ / adopt a map"),
    ("AlertApprovalAsked", "chờ người thứ hai duyệt / waits for a second person"),
    ("AlertApproved", "đã duyệt / approved"),
    ("AlertIssued", "đã phát / issued"),
    ("AlertRelayedFurther", "đã chuyển tiếp / relayed further"),
    ("AlertCancelled", "đã thu hồi / cancelled"),
    ("AlertResolved", "đã kết thúc / resolved"),
    ("AlertExpired", "đã hết hạn / expired"),
    ("RelayAcknowledged", "xã đã xác nhận / acknowledged"),
    ("RelayRefused", "xã đã từ chối / refused by the commune"),
    ("DeliveriesPlanned", "định gửi / to be sent"),
    ("LeaseTaken", "nhận việc gửi / sending taken over"),
    ("DeliveriesStopped", "ngừng gửi / sending stopped"),
    ("ReceiptsRecorded", "kết quả gửi / results"),
    ("Recovered", "khôi phục bản ghi bị mất / a lost record is back"),
    ("AlreadyTrue", "đã như vậy rồi / was already so"),
    ("Refused", "bị từ chối / refused"),
    ("Unreadable", "chương trình này không đọc được / this program cannot read it"),
];

/// One readable line.
#[must_use]
pub fn replay_text(line: &Line) -> String {
    let zone = Offset::from_hours(OFFSET_H).map_or(TimeZone::UTC, TimeZone::fixed);
    let at = timestamp(line.at).to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string();
    let version = if line.version == 0 { String::new() } else { format!(" v{}", line.version) };
    let words = WORDS.iter().find(|(kind, _)| *kind == line.kind).map(|(_, words)| *words);
    let detail = detail(line, words.is_some());
    format!(
        "{:>6}  {at}  {:<18}  {}{version}  do {}  {}{}{detail}",
        line.position,
        line.kind,
        line.entity,
        if line.actor.is_empty() { "?" } else { &line.actor },
        words.unwrap_or_default(),
        if detail.is_empty() { "" } else { ": " },
    )
}

fn detail(line: &Line, has_words: bool) -> String {
    let data = &line.data;
    let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
    match line.kind.as_str() {
        "RaiseAlert" | "AlertApprovalAsked" => kind_and_status(data),
        "AlertIssued" => format!("{} → {}", kind_and_status(data), communes(data)),
        "AlertRelayedFurther" => format!("→ {}", communes(data)),
        "DeliveriesPlanned" => {
            let count = list(data, "targets").len();
            let news = word(text("news"), "NEWS_");
            format!("{news} → {count} kênh / channels, xã / commune {}", text("commune"))
        }
        "ReceiptsRecorded" => receipts(data),
        "DeliveriesStopped" => text("reason").to_owned(),
        "Refused" => [text("code"), text("field")].join(" ").trim_end().to_owned(),
        _ if has_words => String::new(),
        _ => data.to_string().chars().take(DATA_CHARS_MAX).collect(),
    }
}

fn kind_and_status(data: &Value) -> String {
    let facts = data.get("facts").unwrap_or(&Value::Null);
    let text = |name: &str| facts.get(name).and_then(Value::as_str).unwrap_or_default();
    let status = word(text("status"), "ALERT_STATUS_");
    format!("{} ({status})", word(text("kind"), "ALERT_KIND_"))
}

fn communes(data: &Value) -> String {
    let all = list(data, "communes");
    let codes: Vec<&str> = all
        .iter()
        .filter_map(|reached| reached.get("commune").and_then(Value::as_str))
        .take(COMMUNES_SHOWN_MAX)
        .collect();
    let more = if all.len() > codes.len() { " …" } else { "" };
    format!("{} xã / communes: {}{more}", all.len(), codes.join(" "))
}

fn receipts(data: &Value) -> String {
    let all = list(data, "receipts");
    let count = |outcome: &str| {
        all.iter().filter(|r| r.get("outcome").and_then(Value::as_str) == Some(outcome)).count()
    };
    [
        ("đã đến / delivered", count("OUTCOME_DELIVERED")),
        ("chưa đến / not reached", count("OUTCOME_NOT_REACHED")),
        ("chưa rõ / unknown", count("OUTCOME_UNKNOWN")),
        ("không còn / gone", count("OUTCOME_GONE")),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .map(|(words, count)| format!("{words} {count}"))
    .collect::<Vec<_>>()
    .join(", ")
}

fn list<'a>(data: &'a Value, name: &str) -> &'a [Value] {
    data.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// An enum's value as the interfaces write it: `ALERT_KIND_LOST_CHILD` is `lost-child`.
fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_lowercase().replace('_', "-")
}
