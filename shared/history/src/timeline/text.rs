//! A timeline as text for a terminal: Vietnamese first, Việt Nam's time.

use super::view::{CommuneTimes, Looked, Missing, Moment, Said, Timeline};

const WORDS: &[(&str, &str)] = &[
    ("first-word", "tin đầu tiên / first word"),
    ("raised", "xã phát tin / raised"),
    ("approved", "duyệt / approved"),
    ("issued", "có hiệu lực / issued"),
    ("relayed-first", "chuyển tới xã đầu / relayed, first"),
    ("relayed-last", "chuyển tới xã cuối / relayed, last"),
    ("first-group", "nhóm đầu nhận / first group"),
    ("last-group", "nhóm cuối nhận / last group"),
    ("acknowledged-first", "xã đầu xác nhận / acknowledged, first"),
    ("acknowledged-last", "xã cuối xác nhận / acknowledged, last"),
    ("first-sighting", "thấy lần đầu / first sighting"),
    ("found", "tìm thấy / found"),
    ("all-corrected", "đã báo lại hết / all corrected"),
];

/// The timeline, line by line.
#[must_use]
pub fn timeline_text(timeline: &Timeline) -> Vec<String> {
    let Timeline { alert, code, commune, kind, status, state, moments, communes, looks } = timeline;
    let head = format!("{code}  {kind} ({status})  {state}  xã / commune {commune}  {alert}");
    let begin = moments.iter().find_map(|moment| moment.said.as_ref());
    let moments = moments.iter().map(|moment| of_moment(moment, begin));
    let communes = communes.iter().map(of_commune);
    [head].into_iter().chain(moments).chain(communes).chain(looks.iter().map(of_look)).collect()
}

fn of_look(look: &Looked) -> String {
    let Looked { reader, commune, what, duty, position, .. } = look;
    let at = look.at.day_and_clock();
    format!("  {at}  đã xem / looked: {reader} {commune}  {what}, {duty}  #{position}")
}

fn of_moment(moment: &Moment, begin: Option<&Said>) -> String {
    let words = WORDS.iter().find(|(name, _)| *name == moment.name).map(|(_, words)| *words);
    let words = words.unwrap_or(&moment.name);
    let remaining = match moment.remaining {
        0 => String::new(),
        remaining => format!("  còn / remaining {remaining}"),
    };
    match (&moment.said, moment.missing) {
        (Some(said), _) => {
            let since = begin.map_or(0, |begin| said.at.0.since_ms(begin.at.0));
            let at = said.at.day_and_clock();
            let by = if said.by.is_empty() { "?" } else { &said.by };
            format!(
                "  {at}  +{}  {words}  do / by {by}  #{}{remaining}",
                lasted(since),
                said.position
            )
        }
        (None, missing) => {
            format!("  {:>23}  {words}: {}{remaining}", "-", missing.map_or("?", why))
        }
    }
}

/// Minutes, seconds and thousandths.
fn lasted(ms: u64) -> String {
    format!("{}:{:02}.{:03}", ms / 60_000, ms / 1_000 % 60, ms % 1_000)
}

fn why(missing: Missing) -> &'static str {
    match missing {
        Missing::NotSaid => "không ai nói lúc nào / nobody said when",
        Missing::NotNeeded => "không cần / not needed",
        Missing::NotYet => "chưa có / not yet",
        Missing::Nobody => "không có ai / there was nobody",
        Missing::EndedOtherwise => "kết thúc cách khác / it ended in another way",
        Missing::NothingToCorrect => "chưa có gì phải báo lại / nothing to correct",
        Missing::SomeRemain => "còn nơi chưa được báo lại / some are not corrected",
        Missing::NotConfirmed => "chưa ai xác nhận đã tới / no arrival was confirmed",
    }
}

fn of_commune(one: &CommuneTimes) -> String {
    let clock =
        |said: &Option<Said>| said.as_ref().map_or_else(|| "-".to_owned(), |said| said.at.clock());
    let answer = match (&one.acknowledged, &one.refused) {
        (Some(said), _) => format!("xác nhận / acknowledged {}", said.at.clock()),
        (None, Some(said)) => format!("từ chối / refused {}", said.at.clock()),
        (None, None) => "chưa trả lời / no answer".to_owned(),
    };
    format!(
        "  → {}  {}  {answer}  nhóm / groups {}/{}  {} … {}",
        one.commune,
        one.relayed.at.clock(),
        one.groups_arrived,
        one.groups,
        clock(&one.first_group),
        clock(&one.last_group),
    )
}
