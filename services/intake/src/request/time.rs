//! Instants as RFC 3339 writes them: read with any offset, written with Việt Nam's.

use domain::ids::Millis;
use jiff::{Timestamp, tz::Offset};

/// What a time that cannot be read is told.
const NOT_A_TIME: &str = "phải là thời điểm RFC 3339 kèm múi giờ, như 2026-11-21T17:30:00+07:00 / \
     must be an RFC 3339 time with its offset, as 2026-11-21T17:30:00+07:00";
/// Việt Nam's civil time, the whole year.
const HANOI: Offset = Offset::constant(7);

/// Reads an instant; what is finer than a millisecond is dropped. jiff alone would also take
/// times without seconds, ISO 8601's basic form, and time zones in brackets.
pub(super) fn parse(text: &str) -> Result<Millis, &'static str> {
    Some(text)
        .filter(|text| is_rfc3339(text))
        .and_then(|text| text.parse::<Timestamp>().ok())
        .map(|time| Millis(time.as_millisecond()))
        .ok_or(NOT_A_TIME)
}

/// Writes an instant with +07:00; empty outside the years -9999 to 9999.
pub(super) fn show(at: Millis) -> String {
    Timestamp::from_millisecond(at.0)
        .map(|time| time.display_with_offset(HANOI).to_string())
        .unwrap_or_default()
}

/// Whether the text has the form of RFC 3339, section 5.6, with at most nanoseconds.
fn is_rfc3339(text: &str) -> bool {
    let Some((time, rest)) = text.split_at_checked(19) else { return false };
    let zone = match rest.strip_prefix('.') {
        None => rest,
        Some(rest) => {
            let zone = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            if !(1..=9).contains(&(rest.len() - zone.len())) {
                return false;
            }
            zone
        }
    };
    fits(time, "0000-00-00T00:00:00")
        && (fits(zone, "Z") || fits(zone, "+00:00") || fits(zone, "-00:00"))
}

/// Whether the text is the form, where a 0 stands for any digit.
fn fits(text: &str, form: &str) -> bool {
    let same = |(byte, form): (u8, u8)| match form {
        b'0' => byte.is_ascii_digit(),
        form => byte.eq_ignore_ascii_case(&form),
    };
    text.len() == form.len() && text.bytes().zip(form.bytes()).all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_instant_in_all_its_spellings() {
        let at = parse("2026-11-21T17:40:00+07:00").unwrap();
        for same in [
            "2026-11-21T10:40:00Z",
            "2026-11-21t10:40:00z",
            "2026-11-21T10:40:00.000-00:00",
            "2026-11-21T10:40:00.000999+00:00",
        ] {
            assert_eq!(parse(same), Ok(at), "{same}");
        }
        assert_eq!(show(at), "2026-11-21T17:40:00+07:00");
        assert_eq!(show(at.plus_ms(250)), "2026-11-21T17:40:00.25+07:00");
        assert_eq!(show(Millis(i64::MAX)), "");
    }

    #[test]
    fn other_forms_are_not_taken() {
        for wrong in [
            "",
            "2026-11-21",
            "2026-11-21T17:40:00",
            "2026-11-21T17:40+07:00",
            "2026-11-21 17:40:00+07:00",
            "20261121T174000+0700",
            "2026-11-21T17:40:00+07",
            "2026-11-21T17:40:00+07:00[Asia/Ho_Chi_Minh]",
            "2026-11-21T17:40:00.+07:00",
            "2026-11-21T17:40:00.0123456789+07:00",
            "2026-02-30T17:40:00+07:00",
            "2026-11-21T24:40:00+07:00",
            "2026-11-21T17:40:00+99:00",
            "ngày mai lúc bảy giờ",
            "2026-11-21T17:40:0ờ+07:00",
        ] {
            assert_eq!(parse(wrong), Err(NOT_A_TIME), "{wrong}");
        }
    }
}
