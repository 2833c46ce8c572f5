//! What was known, as text for a terminal: Vietnamese first, Việt Nam's time.

use super::view::{
    AsKnown, Counts, Knowledge, KnownAlert, KnownDelivery, KnownRelay, Later, Withheld,
};
use crate::time::Time;

/// What people read for the state of a delivery; what was stopped keeps its word.
#[must_use]
pub fn state_words(state: &str) -> String {
    let (vi, en) = match state {
        "planned" => ("sắp gửi", "about to leave"),
        "quiet-hours" => ("chờ hết giờ yên tĩnh", "waits for the morning"),
        "retrying" => ("sẽ gửi lại", "tried again"),
        "accepted" => ("nhà cung cấp đã nhận, chưa rõ đã tới", "taken, not known to have arrived"),
        "handed-over" => ("đã giao người đăng", "in a person's hand"),
        "attested-posted" => ("người đăng báo đã đăng", "posted by hand, as the person says"),
        "delivered" => ("đã tới", "delivered"),
        "read" => ("đã đọc", "read"),
        "unknown" => ("không rõ đã tới chưa", "may have arrived"),
        "needs-person" => ("CẦN NGƯỜI XEM", "A PERSON HAS TO LOOK"),
        "failed" => ("không tới", "did not arrive"),
        other => return format!("đã dừng / stopped: {other}"),
    };
    format!("{vi} / {en}")
}

/// What was known, line by line.
#[must_use]
pub fn known_text(known: &AsKnown) -> Vec<String> {
    let whose = match (&known.commune, &known.alert) {
        (Some(commune), None) => format!("xã / commune {commune}"),
        (Some(commune), Some(alert)) => format!("xã / commune {commune}, tin / alert {alert}"),
        (None, alert) => format!("tin / alert {}", alert.as_deref().unwrap_or_default()),
    };
    let at = known.at.day_and_clock();
    let mut lines = vec![
        format!("Đã biết lúc / as known at {at}: {whose}"),
        "Chỉ kể điều đã được ghi lại tới lúc đó; dòng «sau đó» là điều ghi lại sau. / \
         Only what was written down by then; lines «later» say what was recorded afterwards."
            .to_owned(),
    ];
    if known.alerts.is_empty() {
        lines.push("không có tin nào / no alert".to_owned());
    }
    known.alerts.iter().for_each(|alert| lines.extend(of_alert(alert, known.at)));
    for freeze in &known.freezes {
        let until = freeze.until.day_and_clock();
        lines.push(format!("ĐANG KHÓA / FROZEN  {}  đến / until {until}", freeze.of));
    }
    for one in &known.undecided {
        let decided = match one.decided_at {
            Some(at) => format!("quyết định lúc / decided at {}", at.day_and_clock()),
            None => "không có quyết định nào / never decided".to_owned(),
        };
        lines.push(format!(
            "chưa quyết định / not decided yet  {}  {}  {}  do / by {}  #{}  sau đó / later: \
             {decided}",
            one.at.clock(),
            one.asked,
            one.entity,
            one.by,
            one.position
        ));
    }
    for one in &known.refused {
        let field = if one.field.is_empty() { String::new() } else { format!(" ({})", one.field) };
        lines.push(format!(
            "bị từ chối / refused  {}  {}  {}  do / by {}  {}{field}  #{}",
            one.at.clock(),
            one.asked,
            one.entity,
            one.by,
            one.code,
            one.position
        ));
    }
    for one in &known.unreadable {
        lines.push(format!(
            "KHÔNG ĐỌC ĐƯỢC / UNREADABLE  {}  #{}: câu trả lời có thể thiếu / the answer may \
             lack something",
            one.entity, one.position
        ));
    }
    lines
}

fn of_alert(alert: &KnownAlert, at: Time) -> Vec<String> {
    let seen = match alert.seen_as.as_str() {
        "own" => "tin của xã / its own",
        "relayed" => "được chuyển tới / relayed here",
        _ => "",
    };
    let mut head = format!(
        "{}  {} ({})  {}  bản / revision {}  xã / commune {}  {seen}",
        alert.code, alert.kind, alert.status, alert.state, alert.revision, alert.commune,
    );
    if alert.on_hold {
        head.push_str("  TẠM GIỮ / ON HOLD");
    }
    if let Some(revision) = alert.pending {
        head.push_str(&format!("  chờ duyệt bản / revision {revision} waits"));
    }
    if !alert.review.is_empty() {
        head.push_str(&format!("  xem lại / review {}", alert.review));
    }
    let mut lines = vec![head.trim_end().to_owned()];
    let raised = alert.raised_at.map_or_else(|| "?".to_owned(), |at| at.day_and_clock());
    let words = if alert.words.is_empty() { "-".to_owned() } else { alert.words.join(", ") };
    lines.push(format!(
        "  {}  phát lúc / raised {raised} do / by {}  lời (niêm) / words (sealed): {words}  #{}",
        alert.id, alert.raised_by, alert.position
    ));
    lines.extend(alert.relays.iter().map(of_relay));
    lines.push(format!("  {}", of_counts(&alert.counts)));
    lines.extend(alert.deliveries.iter().flat_map(|one| of_delivery(one, at)));
    lines.extend(alert.withheld.iter().map(of_withheld));
    lines
}

fn of_relay(relay: &KnownRelay) -> String {
    let standing = match relay.standing.as_str() {
        "relayed" => "đã chuyển, chưa trả lời / relayed, no answer yet",
        "silent" => "im lặng / silent",
        "acknowledged" => "đã xác nhận / acknowledged",
        "refused" => "đã từ chối / refused",
        _ => "phát tin / raised it",
    };
    let mut said = format!(
        "  → {}  {}  {standing}  #{}",
        relay.commune,
        relay.relayed_at.clock(),
        relay.position
    );
    if let Some(at) = relay.answered_at {
        said.push_str(&format!("  lúc / at {} do / by {}", at.clock(), relay.answered_by));
    }
    for one in &relay.escalated {
        said.push_str(&format!("  {} {}", one.step, one.at.clock()));
    }
    if relay.planned_revision == 0 {
        said.push_str("  chưa lên kế hoạch gửi / nothing planned yet");
    }
    if let Some(later) = &relay.later {
        said.push_str(&format!("  sau đó / later: {} {}", later.answer, later.at.clock()));
    }
    said
}

fn of_counts(counts: &Counts) -> String {
    let all = [
        (counts.arrived, "đã tới / arrived"),
        (counts.taken, "bên gửi đã nhận / taken"),
        (counts.sent, "đã gửi, chưa biết tới / sent, arrival not known"),
        (counts.not_sent, "chưa gửi / not sent"),
        (counts.unknown, "không rõ / unknown"),
        (counts.not_arrived, "chưa tới / not arrived"),
        (counts.withheld, "không gửi / told nothing"),
    ];
    let said = all.into_iter().filter(|(count, _)| *count > 0);
    let said: Vec<String> = said.map(|(count, words)| format!("{words} {count}")).collect();
    if said.is_empty() { "chưa báo cho ai / nobody was told".to_owned() } else { said.join("; ") }
}

/// What was known of the arrival at that moment, in words that claim no more.
fn of_knowledge(known: Knowledge) -> &'static str {
    match known {
        Knowledge::NotSent => "chưa gửi lúc đó / not sent by then",
        Knowledge::Sent => {
            "đã hoặc đang gửi, lúc đó chưa biết tới / sent or leaving, arrival not yet known then"
        }
        Knowledge::Taken => "bên gửi đã nhận, chưa biết tới / taken, arrival not known then",
        Knowledge::Arrived => "đã tới / arrived",
        Knowledge::Unknown => "có thể đã tới / may have arrived",
        Knowledge::NotArrived => "chưa tới / had not arrived",
    }
}

fn of_delivery(one: &KnownDelivery, at: Time) -> Vec<String> {
    let mut said = format!(
        "    {}  {}  {}  bản / revision {} ({})  {}  [{}]",
        one.commune,
        one.group,
        one.channel,
        one.revision,
        one.news,
        of_knowledge(one.known),
        state_words(&one.state),
    );
    if let Some(at) = one.reached_at.or(one.last_attempt_at) {
        said.push_str(&format!("  {}", at.clock()));
    }
    if let Some(at) = one.next_attempt_at {
        said.push_str(&format!("  lần tới / next {}", at.day_and_clock()));
    }
    if !one.trouble.is_empty() {
        said.push_str(&format!("  [{}]", one.trouble));
    }
    if one.repeats > 0 {
        said.push_str(&format!("  {} biên nhận lặp / receipts repeated", one.repeats));
    }
    let later =
        one.later.as_ref().map(|later| of_later(later, one.attempts == 0 && later.began_at > at));
    // What was known for certain needs no later word, unless there is one.
    let never = (later.is_none() && one.known == Knowledge::Sent).then(|| {
        "      sau đó: không có ghi nhận nào / later: nothing was ever recorded".to_owned()
    });
    [said].into_iter().chain(later).chain(never).collect()
}

fn of_later(later: &Later, had_not_left: bool) -> String {
    let (ended, recorded) = (later.ended_at.day_and_clock(), later.recorded_at.day_and_clock());
    let truth = if later.was_true {
        ": đúng vào lúc đó, nhưng chưa ai biết / true by then, and not known"
    } else if had_not_left {
        ": lúc đó thật ra chưa rời máy / in truth it had not left by then"
    } else {
        ""
    };
    format!(
        "      sau đó / later: {} lúc / at {ended}, ghi lại / recorded {recorded} #{}{truth}; \
         cuối cùng / in the end {}",
        later.outcome, later.position, later.state
    )
}

fn of_withheld(one: &Withheld) -> String {
    let why = match one.why.as_str() {
        "gate" => "cổng chặn: diễn tập, nhóm không tham gia / gate: it takes no part in drills",
        "fallback" => "kênh dự phòng / kept as a fallback",
        "relay-refused" => "xã không nhận / the commune refused it",
        "on-hold" => "tin tạm giữ / the alert is on hold",
        "not-in-force" => "tin không còn hiệu lực / not in force",
        _ => "chưa lên kế hoạch / nothing planned by then",
    };
    format!("    {}  {}  {}  KHÔNG GỬI / NOT TOLD: {why}", one.commune, one.group, one.channel)
}
