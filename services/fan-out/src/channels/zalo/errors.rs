//! The error codes by class: one table, and what a class comes to. Source: `channels.md`, 2.4, 2.5.
//!
//! An unlisted code is final for its message, with a word to the operator, never a silent loop.

use std::borrow::Cow;

use domain::ids::Millis;
use serde::Deserialize;

use crate::channels::{Intent, Outcome};

/// What a code says of where the message is, and who must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Class {
    /// The access token is dead: renew once, call once more.
    Token,
    /// Too many calls in this minute.
    NextMinute,
    /// Not done; may be tried again a few times.
    FewTimes,
    /// What was uploaded is gone: upload once more, send once more. Not done.
    Upload,
    /// Not between 22:00 and 06:00.
    Morning,
    /// A quota of the day is used up.
    Tomorrow,
    /// Nothing on this account works: configuration, money, a package.
    Account,
    /// Not to this target.
    Target,
    /// Not this message.
    Message,
}

/// Every code that is documented (A; those of groups B). Codes of ZBS stand here too, with one
/// exception: -100 is "unknown error" there, and an expired picture where Official Accounts send.
const CODES: [(Class, &[i64]); 9] = [
    (Class::Token, &[-216, -220, -124]),
    // "App or OA over its limit"; the text may say that it is the day's.
    (Class::NextMinute, &[-32]),
    (Class::FewTimes, &[-200]),
    (Class::Upload, &[-100]),
    (Class::Morning, &[-234, -133]),
    (Class::Tomorrow, &[-144, -147, -1441, -1472]),
    (
        Class::Account,
        &[
            // Quota and money: the operator buys or waits.
            -211, -115, -137, -320, -321, -224, //
            // Configuration and credentials.
            -204, -205, -209, -212, -219, -221, -223, -235, -242, //
            -101, -102, -103, -104, -105, -135, -1351, -136, -138, -1381, -145,
        ],
    ),
    (
        Class::Target,
        &[
            // No follower, banned, no interaction in seven days.
            -213, -217, -227, -230, -232, -244, //
            -108, -114, -118, -119, -139, -140, -141, //
            // The table has these two under "stop, tell the operator", but the first is counted per
            // recipient and the second is one group's: the other targets go on.
            -218, -237, //
            // Groups: the account is not in it, its asset serves another.
            -403, -238, -241,
        ],
    ),
    (
        Class::Message,
        &[
            -201, -210, -233, -240, -248, -249, //
            -109, -111, -112, -1121, -1122, -1124, -130, -131, -132, -146,
        ],
    ),
];

/// Where a code means different things, what its text has in it decides. The exact texts are not
/// documented (C): the operator's own lines come first, and each text is logged.
const TEXTS: [(i64, &str, Class); 7] = [
    (-32, "per day", Class::Tomorrow),
    (-32, "daily", Class::Tomorrow),
    (-32, "ngày", Class::Tomorrow),
    (-223, "daily", Class::Tomorrow),
    (-223, "ngày", Class::Tomorrow),
    (-223, "per minute", Class::NextMinute),
    (-223, "phút", Class::NextMinute),
];

/// A line of the operator: where a code comes with this in its text, it means that.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ErrorText {
    code: i64,
    contains: String,
    class: Class,
}

/// Zalo asks for at most three tries.
const TRIES_MAX: u32 = 3;
const MINUTE_S: i64 = 60;
const HOUR_MS: i64 = 60 * 60 * 1_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Việt Nam has one zone and no summer time.
const VIET_NAM_MS: i64 = 7 * HOUR_MS;
const MORNING_MS: i64 = 6 * HOUR_MS;

impl Class {
    /// The class of a code; `None` where it is not listed.
    pub(super) fn of(code: i64) -> Option<Self> {
        CODES.iter().find(|(_, codes)| codes.contains(&code)).map(|(class, _)| *class)
    }

    /// The class of a code with its text.
    pub(super) fn of_both(code: i64, text: &str, own: &[ErrorText]) -> Option<Self> {
        let text = text.to_lowercase();
        let own = own
            .iter()
            .find(|line| line.code == code && text.contains(&line.contains.to_lowercase()))
            .map(|line| line.class);
        let known = || {
            let line = TEXTS.iter().find(|(of, part, _)| *of == code && text.contains(part));
            line.map(|(_, _, class)| *class)
        };
        own.or_else(known).or_else(|| Self::of(code))
    }
}

/// Whether a code has more than one meaning, so that its text is worth a line in the log.
pub(super) fn is_overloaded(code: i64) -> bool {
    TEXTS.iter().any(|(of, ..)| *of == code)
}

/// A text of Zalo's for the log: short, in one line, and without a number that could be somebody's.
pub(super) fn shown(text: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 120;
    let shown = text.chars().take(SHOWN_CHARS_MAX).map(|c| match c {
        _ if c.is_numeric() => '#',
        _ if c.is_alphabetic() || " .,:;-_/()".contains(c) => c,
        _ => ' ',
    });
    shown.collect()
}

/// What an attempt comes to that was refused with this code.
pub(super) fn outcome(code: i64, class: Option<Class>, intent: &Intent<'_>) -> Outcome {
    let named = || Cow::Owned(format!("zalo{code}"));
    match class {
        Some(Class::NextMinute) => {
            let left_s = MINUTE_S - intent.now.0.div_euclid(1_000).rem_euclid(MINUTE_S);
            Outcome::Retry { after_s: u32::try_from(left_s).ok(), why: "rate" }
        }
        Some(Class::FewTimes | Class::Upload) if intent.attempt < TRIES_MAX => {
            let why = if class == Some(Class::Upload) { "attachment" } else { "send-failed" };
            Outcome::Retry { after_s: None, why }
        }
        Some(Class::Morning) => {
            Outcome::Defer { until: next(intent.now, MORNING_MS), why: "night" }
        }
        Some(Class::Tomorrow) => Outcome::Defer { until: next(intent.now, 0), why: "quota" },
        // A token that is refused though it is new is no better tomorrow.
        Some(Class::Token | Class::Account) => Outcome::ChannelDown { code: named() },
        Some(Class::Target) => Outcome::TargetGone { why: named() },
        Some(Class::Message | Class::FewTimes | Class::Upload) | None => {
            Outcome::Permanent { code: named() }
        }
    }
}

/// The next time that it is so late in the day in Việt Nam.
fn next(now: Millis, of_day_ms: i64) -> Millis {
    let local = now.0.saturating_add(VIET_NAM_MS);
    let today = local.div_euclid(DAY_MS) * DAY_MS + of_day_ms;
    let next = if local < today { today } else { today.saturating_add(DAY_MS) };
    Millis(next.saturating_sub(VIET_NAM_MS))
}

#[cfg(test)]
#[path = "errors_tests.rs"]
mod tests;
