//! What an auditor asks for, and whether a record is of it.

use domain::ids::{AlertId, CommuneCode, EntityName, KeyId, Millis};
use event_log::Recorded;
use jiff::Timestamp;
use serde_json::Value;

use crate::line::{Line, UNREADABLE, lines_of};

/// Which records are wanted; what is `None` filters nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    /// The alert's own records: commands, relays, matches, deliveries and receipts included.
    pub alert: Option<AlertId>,
    /// What was asked for and decided of the key.
    pub key: Option<KeyId>,
    /// Records that are at home in this commune, or that name it.
    pub commune: Option<CommuneCode>,
    /// Made at this instant or later.
    pub from: Option<Millis>,
    /// Made at this instant or earlier.
    pub to: Option<Millis>,
}

/// A filter, and from where on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// Which records.
    pub filter: Filter,
    /// Those behind this position.
    pub after: u64,
}

/// A parameter that is none, or whose value is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct WrongParameter {
    /// Its name.
    pub name: String,
    /// Why: Vietnamese first, English second.
    pub reason: &'static str,
}

/// The parameters that say something, in their order; a second one of a name is wrong.
pub(crate) fn given<'a>(
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> impl Iterator<Item = Result<(&'a str, &'a str), WrongParameter>> {
    let mut seen: Vec<&str> = Vec::new();
    parameters.into_iter().filter_map(move |(name, value)| {
        if seen.contains(&name) {
            let reason = "có hai lần / given twice";
            return Some(Err(WrongParameter { name: name.to_owned(), reason }));
        }
        seen.push(name);
        (!value.is_empty()).then_some(Ok((name, value)))
    })
}

impl Asked {
    /// Reads the parameters `alert`, `key`, `commune`, `from`, `to`, `after`; empty ones say
    /// nothing.
    ///
    /// # Errors
    /// The first that is unknown, given twice, or no value of its kind.
    pub fn parse<'a>(
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, WrongParameter> {
        let mut asked = Self::default();
        for parameter in given(parameters) {
            let (name, value) = parameter?;
            let wrong = |reason| WrongParameter { name: name.to_owned(), reason };
            let filter = &mut asked.filter;
            match name {
                "alert" => filter.alert = Some(value.parse().map_err(|_| wrong(NOT_AN_ALERT))?),
                "key" => filter.key = Some(value.parse().map_err(|_| wrong(NOT_A_KEY))?),
                "commune" => {
                    filter.commune = Some(value.parse().map_err(|_| wrong(NOT_A_COMMUNE))?);
                }
                "from" => filter.from = Some(instant(value).ok_or_else(|| wrong(NOT_A_TIME))?),
                "to" => filter.to = Some(instant(value).ok_or_else(|| wrong(NOT_A_TIME))?),
                "after" => {
                    let after =
                        value.parse().map_err(|_| wrong("không phải số thứ tự / not a position"));
                    asked.after = after?;
                }
                _ => return Err(wrong("không có tham số này / there is no such parameter")),
            }
        }
        Ok(asked)
    }
}

pub(crate) const NOT_AN_ALERT: &str = "không phải mã báo động / not an alert's id";
const NOT_A_KEY: &str = "không phải mã khóa / not a key's id";
pub(crate) const NOT_A_COMMUNE: &str = "không phải mã xã / not a commune's code";
pub(crate) const NOT_A_TIME: &str = "không phải thời điểm RFC 3339 / not an instant by RFC 3339";

/// An instant with its offset. A `+` that came as a space, as it does where somebody typed it
/// into an address, is taken as meant.
pub(crate) fn instant(text: &str) -> Option<Millis> {
    let mended: String =
        text.char_indices().map(|(at, c)| if at > 10 && c == ' ' { '+' } else { c }).collect();
    let at: Timestamp = mended.parse().ok()?;
    Some(Millis(at.as_millisecond()))
}

impl Filter {
    /// The lines of a record, if it is wanted; none if not.
    #[must_use]
    pub fn lines(&self, position: u64, recorded: &Recorded) -> Vec<Line> {
        if !self.may_want(recorded) {
            return Vec::new();
        }
        let lines = lines_of(position, recorded);
        let wanted = |line: &Line| self.at(line) && self.of_commune(recorded, &lines);
        if lines.first().is_some_and(wanted) { lines } else { Vec::new() }
    }

    /// A look without decoding; true for everything that is wanted, and for some that is not.
    fn may_want(&self, recorded: &Recorded) -> bool {
        let of_alert = self.alert.is_none_or(|alert| recorded.key.entity.is_of(alert));
        let of_key = self.key.is_none_or(|key| recorded.key.entity == EntityName::key(key));
        of_alert
            && of_key
            && self.commune.is_none_or(|commune| {
                let code = commune.as_str().as_bytes();
                is_at_home(recorded, commune)
                    || recorded.open.windows(code.len()).any(|window| window == code)
            })
    }

    /// A record whose time cannot be read is of every time: it is better shown than missed.
    fn at(&self, line: &Line) -> bool {
        let within =
            self.from.is_none_or(|from| from <= line.at) && self.to.is_none_or(|to| line.at <= to);
        within || (line.kind == UNREADABLE && line.at == Millis(0))
    }

    fn of_commune(&self, recorded: &Recorded, lines: &[Line]) -> bool {
        self.commune.is_none_or(|commune| {
            is_at_home(recorded, commune)
                || lines.iter().any(|line| names(&line.data, commune.as_str()))
        })
    }
}

fn is_at_home(recorded: &Recorded, commune: CommuneCode) -> bool {
    recorded.key.home.commune == commune || recorded.key.entity.commune() == Some(commune)
}

/// Whether a field `commune` or `communes` holds this code, at any depth.
fn names(data: &Value, code: &str) -> bool {
    match data {
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            let here = match (name.as_str(), value) {
                ("commune", Value::String(text)) => text == code,
                ("communes", Value::Array(all)) => all.iter().any(|one| one == code),
                _ => false,
            };
            here || names(value, code)
        }),
        Value::Array(all) => all.iter().any(|one| names(one, code)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read() {
        let alert = "0191b0c0-0000-8000-8000-000000000001";
        let asked = Asked::parse([
            ("alert", alert),
            ("key", "000102030405060708090a0b0c0d0e0f"),
            ("commune", "25126"),
            ("from", "2021-12-14T08:00:00 07:00"),
            ("to", "2021-12-14T01:00:01Z"),
            ("after", "7"),
        ]);
        let filter = Filter {
            alert: Some(alert.parse().unwrap()),
            key: Some("000102030405060708090a0b0c0d0e0f".parse().unwrap()),
            commune: Some("25126".parse().unwrap()),
            from: Some(Millis(1_639_443_600_000)),
            to: Some(Millis(1_639_443_601_000)),
        };
        assert_eq!(asked, Ok(Asked { filter, after: 7 }));
        assert_eq!(Asked::parse([("alert", ""), ("to", "")]), Ok(Asked::default()));
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        for (name, value) in [
            ("alert", "x"),
            ("key", "0011"),
            ("commune", "251"),
            ("from", "yesterday"),
            ("to", "2021-12-14T08:00:00"),
            ("after", "-1"),
            ("officer", "an"),
        ] {
            assert_eq!(Asked::parse([(name, value)]).unwrap_err().name, name);
        }
        let twice = Asked::parse([("after", "1"), ("after", "2")]);
        assert_eq!(twice.unwrap_err().name, "after");
    }
}
