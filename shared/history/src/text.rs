//! A line of history as a line of text, for a terminal: Vietnamese first, Vietnam's time.

use domain::ids::Millis;
use serde_json::Value;

use crate::{line::Line, time::zoned};

/// So many communes are named; of more, how many.
const COMMUNES_SHOWN_MAX: usize = 12;
/// So many digits of the hash are the version of a map that has no other.
const HASH_DIGITS: usize = 12;
/// So many digits of a key's id are shown.
const KEY_DIGITS: usize = 8;
/// Data of messages that have no words of their own are cut here.
const DATA_CHARS_MAX: usize = 120;

/// What each message says, in words.
const WORDS: &[(&str, &str)] = &[
    ("RaiseAlert", "xin phát báo động / asks for an alert"),
    ("ApproveAlert", "xin duyệt / approves"),
    ("DeclineAlert", "không duyệt / declines"),
    ("ReviewAlert", "đã xem lại / has reviewed"),
    ("ChangeAlert", "xin sửa nội dung / asks for a change"),
    ("WidenAlert", "xin mở rộng / asks for a wider reach"),
    ("HoldAlert", "xin tạm giữ / asks to hold"),
    ("ReleaseAlert", "xin cho đi tiếp / asks to release"),
    ("SightAlert", "báo có người thấy / reports a sighting"),
    ("ReopenAlert", "xin mở lại / asks to reopen"),
    ("GrowAlert", "đến giờ lan thêm / the time has come to grow"),
    ("TakeAlertOnward", "xã khác chuyển tiếp / a commune relayed it onward"),
    ("TakeAlertInstruction", "gửi hướng dẫn của xã / the commune's instructions are to be told"),
    ("NoteAlertBudget", "nhóm nhận quá nhiều tin / groups are told too often"),
    ("AttestCorrection", "xác nhận đã báo cách khác / attests that they were told another way"),
    ("MissAlertReview", "đến hạn xem lại / the time for a review has passed"),
    ("CancelAlert", "xin thu hồi / asks to cancel"),
    ("ResolveAlert", "xin kết thúc / asks to resolve"),
    ("NearAlertExpiry", "đến giờ hỏi có kéo dài không / the time has come to ask before expiry"),
    ("ExpireAlert", "đến giờ hết hạn / the time has come to expire"),
    ("RelayAlertFurther", "chuyển tiếp các xã còn lại / relay to the remaining communes"),
    ("AcknowledgeRelay", "xã xác nhận / a commune acknowledges"),
    ("RefuseRelay", "xã từ chối / a commune refuses"),
    ("EscalateRelay", "xã chưa trả lời, hỏi người khác / no answer: somebody else is asked"),
    ("InstructRelay", "xã hướng dẫn thêm / a commune instructs its groups"),
    ("RelayOnward", "xã xin chuyển tiếp / a commune relays onward"),
    ("RecordOfficer", "ghi cán bộ / record an officer"),
    ("RecordGroup", "ghi nhóm / record a group"),
    ("MakeToken", "cấp mã truy cập / make a token"),
    ("RevokeToken", "thu mã truy cập / revoke a token"),
    ("AdoptMap", "dùng bản đồ / adopt a map"),
    ("RecordContact", "ghi cách liên hệ cán bộ / record how an officer is reached"),
    ("RecordRoster", "ghi đầu mối và lịch trực / record contacts and duty"),
    ("RegisterKey", "xin dùng khóa ký / asks for a key to sign by"),
    ("ConfirmKey", "người thứ hai xác nhận khóa / a second person confirms a key"),
    ("RevokeKey", "thu hồi khóa ký / revoke a key"),
    ("KeyAsked", "khóa chờ người thứ hai / a key waits for a second person"),
    ("KeyRegistered", "khóa có hiệu lực / a key is good"),
    ("KeyRevoked", "khóa hết hiệu lực / a key is no longer good"),
    ("MakeLinkKey", "tạo khóa ký liên kết / make the key of links"),
    ("SwitchChannel", "bật tắt kênh gửi / switch a channel"),
    ("AttestPosted", "báo đã đăng tay / says that it was posted by hand"),
    ("RequeueDelivery", "xin gửi lại / asks to try a delivery again"),
    ("LinkKeyMade", "đã tạo khóa ký liên kết / made the key of links"),
    ("ChannelSwitched", "đã bật tắt kênh gửi / switched a channel"),
    ("AdoptDirectory", "dùng bản danh bạ / adopt a version of the directory"),
    ("MapAdopted", "đã dùng bản đồ / adopted a map"),
    ("ContactRecorded", "đã ghi cách liên hệ / recorded how an officer is reached"),
    ("RosterRecorded", "đã ghi đầu mối và lịch trực / recorded contacts and duty"),
    ("DirectoryAdopted", "đã dùng bản danh bạ / adopted a version of the directory"),
    ("AlertApprovalAsked", "chờ người thứ hai duyệt / waits for a second person"),
    ("AlertApproved", "đã duyệt / approved"),
    ("AlertChangeAsked", "thay đổi chờ người thứ hai / a change waits for a second person"),
    ("AlertDeclined", "không được duyệt / declined"),
    ("AlertReviewOwed", "cần người thứ hai xem lại / a review is owed"),
    ("AlertReviewed", "đã xem lại / reviewed"),
    ("AlertReviewMissed", "quá hạn xem lại / the review was missed"),
    ("AlertWidened", "đã mở rộng / widened"),
    ("AlertSighted", "đã có người thấy / sighted"),
    ("AlertInstructed", "nhóm của xã nhận hướng dẫn / the commune's groups are instructed"),
    ("AlertBudgetExceeded", "vượt ngân sách tin của nhóm / over the budget of groups"),
    ("AlertCorrectionAttested", "đã báo cách khác / told another way, attested"),
    ("AlertChanged", "đã sửa nội dung / changed"),
    ("AlertHeld", "đã tạm giữ / held"),
    ("AlertReleased", "đã cho đi tiếp / released"),
    ("AlertReopened", "đã mở lại / reopened"),
    ("AlertIssued", "đã phát / issued"),
    ("AlertRelayedFurther", "đã chuyển tiếp / relayed further"),
    ("AlertCancelled", "đã thu hồi / cancelled"),
    ("AlertResolved", "đã kết thúc / resolved"),
    ("AlertExpiryNear", "sắp hết hạn, hỏi cán bộ / expires soon, the officer is asked"),
    ("AlertExpired", "đã hết hạn / expired"),
    ("RelayAcknowledged", "xã đã xác nhận / acknowledged"),
    ("RelayRefused", "xã đã từ chối / refused by the commune"),
    ("RelayEscalated", "xã im lặng, đã hỏi người khác / silent: somebody else was asked"),
    ("RelayInstructed", "xã đã hướng dẫn thêm / instructed by the commune"),
    ("RelayedOnward", "xã đã chuyển tiếp / relayed onward"),
    ("ProposeMatch", "hai tin có thể là một / two alerts may be the same"),
    ("ConfirmMatch", "xã nói là một / a commune says that they are"),
    ("DismissMatch", "xã nói không phải / a commune says that they are not"),
    ("MatchProposed", "đã hỏi hai xã / both communes are asked"),
    ("MatchConfirmed", "xã đã xác nhận là một / confirmed by a commune"),
    ("MatchDismissed", "xã đã bác / dismissed by a commune"),
    ("AskErasure", "xin xoá dữ liệu cá nhân / asks for an erasure"),
    ("ConfirmErasure", "người thứ hai đồng ý xoá / a second person agrees to an erasure"),
    ("SetLegalHold", "xin giữ lại theo pháp luật / asks for a legal hold"),
    ("LiftLegalHold", "xin thôi giữ lại / asks to lift a legal hold"),
    ("RetireAlert", "hết thời hạn lưu trữ / the term of retention is over"),
    ("RestoreErasure", "bản sao cũ: đã xoá từ trước / an older copy: erased before"),
    ("FinishErasure", "đã huỷ dữ liệu / the data were destroyed"),
    ("EraseAsked", "chờ người thứ hai để xoá / an erasure waits for a second person"),
    ("EraseOrdered", "đang xoá dữ liệu cá nhân / personal data is being erased"),
    ("AlertErased", "đã xoá / erased"),
    ("LegalHoldAsked", "chờ người thứ hai để giữ lại / a legal hold waits for a second person"),
    ("LegalHoldBegan", "đang giữ lại theo pháp luật / a legal hold is in force"),
    ("LegalHoldLiftAsked", "chờ người thứ hai để thôi giữ / lifting waits for a second person"),
    ("LegalHoldLifted", "đã thôi giữ lại / the legal hold is lifted"),
    ("AskFreeze", "xin khóa phát tin / asks for a freeze"),
    ("ConfirmFreeze", "người thứ hai đồng ý khóa / a second person agrees to a freeze"),
    ("LiftFreeze", "xin mở khóa / asks to lift a freeze"),
    ("EndFreeze", "đến giờ hết khóa / the time has come to end a freeze"),
    ("FreezeAsked", "chờ người thứ hai để khóa / a freeze waits for a second person"),
    ("FreezeBegan", "đã khóa phát tin / frozen"),
    ("FreezeLiftAsked", "chờ người thứ hai để mở khóa / lifting waits for a second person"),
    ("FreezeLifted", "đã mở khóa / lifted"),
    ("FreezeEnded", "đã hết hạn khóa / the freeze has ended"),
    ("DeliveriesPlanned", "định gửi / to be sent"),
    ("AttemptsBegun", "bắt đầu gửi / attempts begun"),
    ("PostAttested", "đã đăng tay / posted by hand"),
    ("DeliveryRequeued", "đưa vào gửi lại / to be tried again"),
    ("LeaseTaken", "nhận việc gửi / sending taken over"),
    ("DeliveriesStopped", "ngừng gửi / sending stopped"),
    ("ReceiptsRecorded", "kết quả gửi / results"),
    ("RecordLook", "sắp đọc dữ liệu cá nhân / is about to read personal data"),
    ("PersonalDataRead", "đã đọc dữ liệu cá nhân / has read personal data"),
    ("RecordDrillResult", "ghi kết quả diễn tập / record the result of a drill"),
    ("DrillMeasured", "đã đo diễn tập / a drill was measured"),
    ("BrokerLossFound", "máy chủ NATS đã làm mất bản ghi / the broker had lost records"),
    ("Recovered", "khôi phục bản ghi bị mất / a lost record is back"),
    ("AlreadyTrue", "đã như vậy rồi / was already so"),
    ("Refused", "bị từ chối / refused"),
    ("Unreadable", "chương trình này không đọc được / this program cannot read it"),
];

/// Whether a message has words of its own.
#[cfg(test)]
pub(crate) fn has_words(kind: &str) -> bool {
    WORDS.iter().any(|(known, _)| *known == kind)
}

/// One readable line.
#[must_use]
pub fn replay_text(line: &Line) -> String {
    let at = zoned(line.at).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string();
    let version = if line.version == 0 { String::new() } else { format!(" v{}", line.version) };
    let words = WORDS.iter().find(|(kind, _)| *kind == line.kind).map(|(_, words)| *words);
    let detail = detail(line, words.is_some());
    format!(
        "{:>6}  {at}  {:<18}  {}{version}  do {}{}  {}{}{detail}",
        line.position,
        line.kind,
        line.entity,
        if line.actor.is_empty() { "?" } else { &line.actor },
        known_by(line),
        words.unwrap_or_default(),
        if detail.is_empty() { "" } else { ": " },
    )
}

/// How a person who asked was known; of a commit the command says it.
fn known_by(line: &Line) -> String {
    let digits = line.key.get(..KEY_DIGITS).unwrap_or_default();
    match (line.version, line.attested.as_str()) {
        (0, "key") => format!(" (khóa / key {digits})"),
        (0, "token") => " (mã / token)".to_owned(),
        _ => String::new(),
    }
}

fn detail(line: &Line, has_words: bool) -> String {
    let data = &line.data;
    let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
    match line.kind.as_str() {
        "RaiseAlert" | "AlertApprovalAsked" => kind_and_status(data),
        "AlertIssued" => format!("{} → {}", kind_and_status(data), communes(data)),
        "ChangeAlert" => changed(data, data),
        "AlertChanged" => changed(data, data.get("content").unwrap_or(data)),
        "AlertChangeAsked" => change_asked(data),
        "ApproveAlert" | "AlertReleased" | "AlertReopened" => revision(data),
        "WidenAlert" => reach(data),
        "TakeAlertOnward" => names(list(data, "to").iter().filter_map(commune)),
        "AlertWidened" => widened(data),
        "AlertReviewOwed" => format!("{}, do / by {}", until(data, "due_ms"), text("sent_by")),
        "NoteAlertBudget" | "AlertBudgetExceeded" => budget(data),
        "AttestCorrection" | "AlertCorrectionAttested" => attested(data),
        "TakeAlertInstruction" | "AlertInstructed" => format!("xã / commune {}", text("commune")),
        "SightAlert" | "AlertSighted" => format!("xã / commune {}", text("commune")),
        "RelayEscalated" => escalated(data),
        "RelayOnward" => names(list(data, "communes").iter().filter_map(Value::as_str)),
        "AlertRelayedFurther" | "RelayedOnward" => format!("→ {}", communes(data)),
        "DeliveriesPlanned" => {
            let count = list(data, "targets").len();
            let news = word(text("news"), "NEWS_");
            format!("{news} → {count} kênh / channels, xã / commune {}", text("commune"))
        }
        "ReceiptsRecorded" => receipts(data),
        "NearAlertExpiry" | "AlertExpiryNear" => until(data, "expires_at_ms"),
        "AskFreeze" | "ConfirmFreeze" | "FreezeAsked" => until(data, "until_ms"),
        "ProposeMatch" | "MatchProposed" => proposal(data),
        "AdoptMap" | "MapAdopted" => map(data),
        "RecordDrillResult" | "DrillMeasured" => drill(data.get("result").unwrap_or(data)),
        "BrokerLossFound" => loss(data),
        "RecordLook" | "PersonalDataRead" => {
            let words = [word(text("looked"), "LOOKED_"), word(text("duty"), "DUTY_")];
            words.join(", ")
        }
        "DeliveriesStopped" => text("reason").to_owned(),
        "SwitchChannel" | "ChannelSwitched" => switched(data),
        "AttestPosted" | "RequeueDelivery" | "PostAttested" | "DeliveryRequeued" => target(data),
        "AttemptsBegun" => format!("{} kênh / channels", list(data, "attempts").len()),
        "Refused" => [text("code"), text("field")].join(" ").trim_end().to_owned(),
        _ if has_words => String::new(),
        _ => data.to_string().chars().take(DATA_CHARS_MAX).collect(),
    }
}

/// Until when, by this field; of a freeze the entity's name says whose.
fn until(data: &Value, field: &str) -> String {
    format!("đến / until {}", clock(data, field))
}

fn clock(data: &Value, field: &str) -> String {
    let at = data.get(field).and_then(Value::as_i64).unwrap_or_default();
    zoned(Millis(at)).strftime("%H:%M %d/%m/%Y").to_string()
}

/// Which switch, and how it stands.
fn switched(data: &Value) -> String {
    let stopped = data.get("stopped").and_then(Value::as_bool).unwrap_or_default();
    let word = if stopped { "dừng / stopped" } else { "chạy / goes on" };
    let channel = data.get("channel").and_then(Value::as_str).unwrap_or_default();
    format!("{channel}: {word}")
}

/// A channel of a group, and the revision that it is told.
fn target(data: &Value) -> String {
    let of = |name: &str| data.pointer(&format!("/target/{name}")).and_then(Value::as_str);
    let (group, channel) = (of("group").unwrap_or_default(), of("channel").unwrap_or_default());
    let revision = data.get("revision").and_then(Value::as_u64).unwrap_or_default();
    format!("{group} {channel}, bản / revision {revision}")
}

/// How many groups are over, and how often the one that is told most often was told.
fn budget(data: &Value) -> String {
    let figure = |name: &str| data.get("figures").and_then(|f| f.get(name)).cloned();
    let number = |name: &str| figure(name).and_then(|value| value.as_u64()).unwrap_or_default();
    format!(
        "{}/{} nhóm / groups, tin thứ {} trong 24 giờ, {} trong tuần / in 24 h and in a week",
        number("groups_over"),
        number("groups"),
        number("alerts_in_day"),
        number("alerts_in_week"),
    )
}

/// How many records, and what became of them.
fn loss(data: &Value) -> String {
    let number = |name: &str| data.get(name).and_then(Value::as_u64).unwrap_or_default();
    format!(
        "{} gửi lại / sent again, {} khôi phục / recovered, {} chỉ còn ở kiểm toán / with the \
         audit alone",
        number("sent"),
        number("recovered"),
        number("gone"),
    )
}

/// How many groups were reached; of each type of channel, how many over it.
fn drill(result: &Value) -> String {
    let number = |of: &Value, name: &str| of.get(name).and_then(Value::as_u64).unwrap_or_default();
    let groups = number(result, "groups");
    let reached = groups.saturating_sub(number(result, "groups_not_reached"));
    let channels = list(result, "channels").iter().map(|channel| {
        let name = channel.get("channel_type").and_then(Value::as_str).unwrap_or("?");
        let groups = number(channel, "groups");
        let reached = groups.saturating_sub(number(channel, "not_reached"));
        format!("; {name} {reached}/{groups}")
    });
    let commune = commune(result).unwrap_or_default();
    let channels: String = channels.collect();
    format!("xã / commune {commune}: {reached}/{groups} nhóm / groups{channels}")
}

/// Of which revision, and who was told.
fn attested(data: &Value) -> String {
    let group = |target: &Value| target.get("group").and_then(Value::as_str).map(str::to_owned);
    let groups: Vec<String> = list(data, "targets").iter().filter_map(group).collect();
    format!("{}: {}", revision(data), groups.join(" "))
}

/// Which map, and when it holds; what was written before maps had dates has neither.
fn map(data: &Value) -> String {
    let text = |name: &str| data.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let hash = || text("sha256").unwrap_or_default().chars().take(HASH_DIGITS).collect();
    let communes = data.get("communes").and_then(Value::as_u64).unwrap_or_default();
    let mut said = format!(
        "{}, {communes} xã / communes",
        text("version").map_or_else(hash, ToOwned::to_owned)
    );
    for (field, words) in [("valid_from_ms", "từ / from"), ("valid_to_ms", "đến / until")] {
        if data.get(field).is_some() {
            said.push_str(&format!(", {words} {}", clock(data, field)));
        }
    }
    if let Some(ends) = text("ends") {
        said.push_str(&format!(", thay / in place of {ends}"));
    }
    said
}

fn revision(data: &Value) -> String {
    match data.get("revision").and_then(Value::as_u64) {
        Some(revision) => format!("bản / revision {revision}"),
        None => String::new(),
    }
}

/// Which revision, and what people are told it is. The words are sealed; what was added or says
/// something else is named in the command.
fn changed(data: &Value, content: &Value) -> String {
    let how = word(content.get("how").and_then(Value::as_str).unwrap_or_default(), "CHANGE_HOW_");
    let set = names(list(data, "set").iter().filter_map(Value::as_str));
    let parts = [revision(data), how, set];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn change_asked(data: &Value) -> String {
    let wider = data.get("widen").map(|wider| format!("widen {}", wanted(wider)));
    let change = match (data.get("content"), wider) {
        (Some(content), _) => changed(&Value::Null, content),
        (None, Some(wider)) => wider,
        (None, None) => "reopen".to_owned(),
    };
    let by = data.get("asked_by").and_then(Value::as_str).unwrap_or_default();
    format!("{} {change}, do / by {by}", revision(data))
}

fn reach(data: &Value) -> String {
    data.get("reach").map(wanted).unwrap_or_default()
}

/// A reach that was asked for.
fn wanted(reach: &Value) -> String {
    let mode = word(reach.get("mode").and_then(Value::as_str).unwrap_or_default(), "REACH_MODE_");
    let rings = reach.get("rings").and_then(Value::as_u64).unwrap_or_default();
    match mode.as_str() {
        "rings" => format!("rings {rings}"),
        "communes" => {
            let codes = names(list(reach, "communes").iter().filter_map(Value::as_str));
            format!("communes {codes}")
        }
        _ => mode,
    }
}

/// Who came in, by what, how far somebody may be, and when the next step comes.
fn widened(data: &Value) -> String {
    let by = data.get("by").and_then(Value::as_str).unwrap_or_default();
    let mut said = format!("{by}: {} → {}", reach(data), communes(data));
    let reach_m = data.pointer("/next/assumed/reach_m").and_then(Value::as_u64);
    if let Some(reach_m) = reach_m {
        said.push_str(&format!(", {reach_m} m"));
    }
    if let Some(next) = data.get("next").filter(|next| next.get("at_ms").is_some()) {
        said.push_str(&format!(", bước sau / next {}", clock(next, "at_ms")));
    }
    said
}

fn commune(of: &Value) -> Option<&str> {
    of.get("commune").and_then(Value::as_str)
}

fn kind_and_status(data: &Value) -> String {
    let facts = data.get("facts").unwrap_or(&Value::Null);
    let text = |name: &str| facts.get(name).and_then(Value::as_str).unwrap_or_default();
    let status = word(text("status"), "ALERT_STATUS_");
    format!("{} ({status})", word(text("kind"), "ALERT_KIND_"))
}

/// What is proposed, and how alike; out of a thousand.
fn proposal(data: &Value) -> String {
    let kind = data.get("kind").and_then(Value::as_str).unwrap_or_default();
    let score = data.get("score_per_mille").and_then(Value::as_u64).unwrap_or_default();
    format!("{} {score}/1000", word(kind, "PROPOSAL_KIND_"))
}

fn communes(data: &Value) -> String {
    let all = list(data, "communes");
    let codes: Vec<&str> = all.iter().filter_map(commune).take(COMMUNES_SHOWN_MAX).collect();
    let more = if all.len() > codes.len() { " …" } else { "" };
    format!("{} xã / communes: {}{more}", all.len(), codes.join(" "))
}

/// Who was asked; nobody, where the directory had nobody.
fn escalated(data: &Value) -> String {
    let step = data.get("step").and_then(Value::as_str).unwrap_or_default();
    let officers = names(list(data, "officers").iter().filter_map(Value::as_str));
    let officers = if officers.is_empty() { "không có ai / nobody" } else { &officers };
    format!("{} → {officers}", word(step, "ESCALATION_STEP_"))
}

fn names<'a>(all: impl Iterator<Item = &'a str>) -> String {
    all.collect::<Vec<_>>().join(" ")
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
