//! A comparison as text for a terminal: Vietnamese first.

use super::StateCheck;

/// What it came to, line by line.
#[must_use]
pub fn check_text(check: &StateCheck) -> Vec<String> {
    let StateCheck { records, entities, state, .. } = check;
    let mut lines = vec![format!(
        "{records} bản ghi / records, {entities} thực thể / entities, mã trạng thái / state hash \
         {state}"
    )];
    for one in &check.holders {
        let verdict = if one.live == one.replayed { "khớp / same" } else { "KHÁC / DIFFERENT" };
        lines.push(format!(
            "  {}: {} thực thể / entities, {verdict}  {}",
            one.holder, one.entities, one.live
        ));
    }
    if check.holders.iter().all(|one| one.entities == 0) {
        lines.push(
            "  không dịch vụ nào đang giữ gì: chưa so được / no service holds anything: nothing \
             was compared"
                .to_owned(),
        );
    }
    for one in &check.differences {
        let why = match one.why.as_str() {
            "not-in-log" => "nhật ký không có tới đó / the log does not go so far",
            _ => "trạng thái khác / another state",
        };
        lines.push(format!(
            "KHÁC / DIFFERENT  {}  {}  {}: {why}",
            one.holder, one.entity, one.up_to
        ));
    }
    if check.different > check.differences.len() {
        lines.push(format!("… {} tất cả / in all", check.different));
    }
    for entity in &check.unreadable {
        lines.push(format!("KHÔNG ĐỌC ĐƯỢC / UNREADABLE  {entity}: không so / not compared"));
    }
    lines
}
