//! Every code of the reference has its class.

use domain::ids::Millis;

use super::*;
use crate::channels::testing::intent;

/// 2026-11-21 17:40:00 in Việt Nam.
const NOW_S: i64 = 1_795_257_600;

fn came_to(code: i64, text: &str, attempt: u32, now_s: i64) -> Outcome {
    let class = Class::of_both(code, text, &[]);
    outcome(code, class, &Intent { attempt, ..intent("a:1:g:c", now_s) })
}

fn named(code: i64) -> Cow<'static, str> {
    format!("zalo{code}").into()
}

#[test]
fn a_class_is_listed_once() {
    let mut all: Vec<i64> = CODES.iter().flat_map(|(_, codes)| codes.iter().copied()).collect();
    let listed = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), listed);
    assert_eq!(Class::of(0), None);
}

#[test]
fn a_target_that_is_gone_is_only_itself() {
    for code in [
        -213, -217, -218, -227, -230, -232, -237, -244, -403, -108, -114, -118, -119, -139, -140,
        -141,
    ] {
        assert_eq!(came_to(code, "", 1, NOW_S), Outcome::TargetGone { why: named(code) });
    }
}

#[test]
fn configuration_money_and_a_dead_token_stop_the_account() {
    for code in [
        -204, -205, -209, -211, -212, -219, -221, -223, -224, -235, -242, -115, -137, -320, -321,
        -101, -105, -135, -1351, -136, -138, -1381, -145, -216, -220, -124,
    ] {
        assert_eq!(came_to(code, "", 1, NOW_S), Outcome::ChannelDown { code: named(code) });
    }
}

#[test]
fn what_is_refused_for_good_or_not_listed_is_over() {
    for code in [
        -201,
        -210,
        -233,
        -240,
        -248,
        -249,
        -109,
        -111,
        -112,
        -1121,
        -1122,
        -1124,
        -130,
        -131,
        -132,
        -146,
        -1,
        -999,
        7,
        i64::MIN,
    ] {
        assert_eq!(came_to(code, "", 1, NOW_S), Outcome::Permanent { code: named(code) });
    }
}

#[test]
fn a_failure_is_tried_three_times() {
    for (code, why) in [(-200, "send-failed"), (-100, "attachment")] {
        for attempt in 1..3 {
            let again = Outcome::Retry { after_s: None, why };
            assert_eq!(came_to(code, "", attempt, NOW_S), again);
        }
        assert_eq!(came_to(code, "", 3, NOW_S), Outcome::Permanent { code: named(code) });
    }
}

#[test]
fn a_full_minute_is_waited_out() {
    for (second, left_s) in [(0, 60), (1, 59), (59, 1)] {
        let wait = Outcome::Retry { after_s: Some(left_s), why: "rate" };
        assert_eq!(came_to(-32, "Out of limit", 9, NOW_S + second), wait);
    }
}

#[test]
fn nights_and_quotas_end_by_the_clock_of_viet_nam() {
    const HOUR_S: i64 = 3_600;
    let at = |s: i64| Millis(s * 1_000);
    let midnight_s = NOW_S - 17 * HOUR_S - 40 * 60;
    let tomorrow_s = midnight_s + 24 * HOUR_S;
    for code in [-234, -133] {
        let night = |until| Outcome::Defer { until: at(until), why: "night" };
        let late = came_to(code, "", 1, midnight_s + 22 * HOUR_S);
        assert_eq!(late, night(tomorrow_s + 6 * HOUR_S));
        assert_eq!(came_to(code, "", 1, tomorrow_s), night(tomorrow_s + 6 * HOUR_S));
        let morning = came_to(code, "", 1, tomorrow_s + 6 * HOUR_S);
        assert_eq!(morning, night(tomorrow_s + 30 * HOUR_S));
    }
    let full = Outcome::Defer { until: at(tomorrow_s), why: "quota" };
    for code in [-144, -147, -1441, -1472] {
        assert_eq!(came_to(code, "", 1, NOW_S), full);
    }
    assert_eq!(came_to(-32, "Vượt hạn mức trong ngày", 1, NOW_S), full);
    assert_eq!(came_to(-223, "Daily quota exceeded", 1, NOW_S), full);
    assert_eq!(came_to(-223, "quota per minute", 1, NOW_S).trouble(), "rate");
}

#[test]
fn a_text_is_shown_without_numbers_and_without_lines() {
    assert_eq!(shown("user 84912345678\nquá hạn\u{202e}!"), "user ########### quá hạn  ");
    assert_eq!(shown(&"a".repeat(500)).len(), 120);
    assert!(is_overloaded(-32) && is_overloaded(-223) && !is_overloaded(-230));
}
