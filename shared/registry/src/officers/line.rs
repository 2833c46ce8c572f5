//! One line of an officers file, read and checked.

use domain::{
    dated::Validity,
    directory::{ContactFacts, Listed},
    ids::{Home, OfficerId},
    roster::{CONTACTS_MAX, DAY_MIN, Duty, Hours, Weekday},
    text::{Shape, plain},
    values::Role,
};
use serde::Deserialize;
use wire::v1::ContactText;

use super::ContactEntry;
use crate::{
    fault::{Collector, none_of, not_text},
    groups::{NAME_CHARS_MAX, home},
    lines::{NOT_AFTER, instant, present},
    map::Map,
};

/// The longest address of a mailbox (RFC 5321).
const EMAIL_BYTES_MAX: usize = 254;
/// Digits of a telephone number: short ones as 113, and E.164.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 3..=15;
const DAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// A line of any of the three forms.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OfficersLine {
    #[serde(deserialize_with = "present")]
    officer: Option<String>,
    #[serde(deserialize_with = "present")]
    contact: Option<String>,
    #[serde(deserialize_with = "present")]
    duty: Option<String>,
    #[serde(deserialize_with = "present")]
    name: Option<String>,
    #[serde(deserialize_with = "present")]
    phone: Option<String>,
    #[serde(deserialize_with = "present")]
    email: Option<String>,
    #[serde(deserialize_with = "present")]
    commune: Option<String>,
    #[serde(deserialize_with = "present")]
    province: Option<String>,
    #[serde(deserialize_with = "present")]
    role: Option<String>,
    #[serde(deserialize_with = "present")]
    order: Option<u32>,
    #[serde(deserialize_with = "present")]
    days: Option<Vec<String>>,
    #[serde(deserialize_with = "present")]
    from: Option<String>,
    #[serde(deserialize_with = "present")]
    to: Option<String>,
    #[serde(deserialize_with = "present")]
    valid_from: Option<String>,
    #[serde(deserialize_with = "present")]
    valid_to: Option<String>,
}

/// What a line says.
pub(super) enum Said {
    /// How somebody is reached.
    Officer(ContactEntry),
    /// Somebody is asked at a place.
    Contact {
        /// Where.
        place: Home,
        /// 1 is asked first.
        order: u32,
        /// Who.
        listed: Listed,
    },
    /// Somebody is on duty at a place.
    Duty {
        /// Where.
        place: Home,
        /// One for each day of the week that is named.
        duties: Vec<Duty>,
    },
}

/// What the line says; `None` where something was noted.
pub(super) fn said(
    number: usize,
    line: OfficersLine,
    map: &Map,
    faults: &mut Collector,
) -> Option<Said> {
    let before = faults.len();
    let mut reading = Reading { number, map, faults };
    let said = match (&line.officer, &line.contact, &line.duty) {
        (Some(officer), None, None) => reading.officer(officer, &line),
        (None, Some(officer), None) => reading.contact(officer, &line),
        (None, None, Some(officer)) => reading.duty(officer, &line),
        _ => {
            let reason = "mỗi dòng có đúng một trong: officer, contact, duty / \
                          a line has exactly one of officer, contact, duty";
            reading.faults.add(number, "", reason);
            None
        }
    };
    said.filter(|_| faults.len() == before)
}

struct Reading<'a> {
    number: usize,
    map: &'a Map,
    faults: &'a mut Collector,
}

impl Reading<'_> {
    fn note<T, E: std::fmt::Display>(&mut self, field: &str, result: Result<T, E>) -> Option<T> {
        self.faults.note(self.number, field, result)
    }

    /// Fields that do not go with this form of line.
    fn none(&mut self, form: &str, fields: &[(&str, bool)]) {
        for (field, _) in fields.iter().filter(|(_, is_given)| *is_given) {
            let reason = format!("không đi với {form} / does not go with {form}");
            self.faults.add(self.number, *field, reason);
        }
    }

    fn id(&mut self, field: &str, text: &str) -> Option<OfficerId> {
        let id = text.parse::<OfficerId>().map_err(|not| {
            format!("không phải mã cán bộ: 1 đến 64 ký tự A-Z a-z 0-9 - _ : / {not}")
        });
        self.note(field, id)
    }

    fn officer(&mut self, officer: &str, line: &OfficersLine) -> Option<Said> {
        self.none(
            "officer",
            &[
                ("commune", line.commune.is_some()),
                ("province", line.province.is_some()),
                ("role", line.role.is_some()),
                ("order", line.order.is_some()),
                ("days", line.days.is_some()),
                ("from", line.from.is_some()),
                ("to", line.to.is_some()),
                ("valid_from", line.valid_from.is_some()),
                ("valid_to", line.valid_to.is_some()),
            ],
        );
        let officer = self.id("officer", officer);
        let name = line.name.as_deref().ok_or_else(|| missing("name")).and_then(|name| {
            plain(name, Shape::Line, NAME_CHARS_MAX).map(|name| name.to_string()).map_err(not_text)
        });
        let name = self.note("name", name);
        let phone = line.phone.as_deref().map(phone).transpose();
        let phone = self.note("phone", phone).flatten();
        let email = line.email.as_deref().map(email).transpose();
        let email = self.note("email", email).flatten();
        if line.phone.is_none() && line.email.is_none() {
            let reason = "cần phone hoặc email, nếu không thì không ai liên hệ được / \
                          phone or email is needed, or nobody could call";
            self.faults.add(self.number, "phone", reason);
        }
        let text = ContactText {
            name: name?,
            phone: phone.unwrap_or_default(),
            email: email.unwrap_or_default(),
        };
        let facts = ContactFacts { officer: officer?, reachable: true };
        Some(Said::Officer(ContactEntry { facts, text }))
    }

    fn contact(&mut self, officer: &str, line: &OfficersLine) -> Option<Said> {
        self.none(
            "contact",
            &[
                ("name", line.name.is_some()),
                ("phone", line.phone.is_some()),
                ("email", line.email.is_some()),
                ("days", line.days.is_some()),
                ("from", line.from.is_some()),
                ("to", line.to.is_some()),
            ],
        );
        let officer = self.id("contact", officer);
        let place = self.place(line);
        let role = place.map(|place| role(line.role.as_deref(), place));
        let role = role.and_then(|role| self.note("role", role));
        let most = u32::try_from(CONTACTS_MAX).unwrap_or(u32::MAX);
        let order = line.order.ok_or_else(|| missing("order")).and_then(|order| {
            let fits = (1..=most).contains(&order);
            fits.then_some(order)
                .ok_or_else(|| format!("phải từ 1 đến {most} / must be between 1 and {most}"))
        });
        let order = self.note("order", order);
        let valid = self.valid(line);
        let listed = Listed { officer: officer?, role: role?, valid: valid? };
        Some(Said::Contact { place: place?, order: order?, listed })
    }

    fn duty(&mut self, officer: &str, line: &OfficersLine) -> Option<Said> {
        self.none(
            "duty",
            &[
                ("name", line.name.is_some()),
                ("phone", line.phone.is_some()),
                ("email", line.email.is_some()),
                ("role", line.role.is_some()),
                ("order", line.order.is_some()),
            ],
        );
        let officer = self.id("duty", officer);
        let place = self.place(line);
        let hours = match &line.days {
            Some(days) => self.weekly(days, line),
            None => self.once(line),
        };
        let (officer, hours) = (officer?, hours?);
        let duty = |(hours, valid)| Duty { officer: officer.clone(), hours, valid };
        Some(Said::Duty { place: place?, duties: hours.into_iter().map(duty).collect() })
    }

    fn weekly(&mut self, days: &[String], line: &OfficersLine) -> Option<Vec<(Hours, Validity)>> {
        let mut read = Vec::new();
        for (place, word) in days.iter().enumerate() {
            let day = DAYS.iter().find(|(known, _)| known == word).map(|(_, day)| *day);
            let words = DAYS.map(|(word, _)| word).join(", ");
            read.extend(self.note(&format!("days[{place}]"), day.ok_or_else(|| none_of(&words))));
        }
        if days.is_empty() || days.len() > DAYS.len() {
            let reason = "phải có 1 đến 7 ngày / must name 1 to 7 days";
            self.faults.add(self.number, "days", reason);
        }
        let from = line.from.as_deref().ok_or_else(|| missing("from")).and_then(of_day);
        let from = self.note("from", from);
        let to = line.to.as_deref().ok_or_else(|| missing("to")).and_then(of_day);
        let to = self.note("to", to);
        let (valid, from_min, to_min) = (self.valid(line)?, from?, to?);
        // An end that is not after the beginning is of the next day; the same hour is a whole day.
        let minutes = match (to_min + DAY_MIN - from_min) % DAY_MIN {
            0 => DAY_MIN,
            minutes => minutes,
        };
        Some(
            read.into_iter().map(|day| (Hours::Weekly { day, from_min, minutes }, valid)).collect(),
        )
    }

    fn once(&mut self, line: &OfficersLine) -> Option<Vec<(Hours, Validity)>> {
        self.none(
            "duty, from, to",
            &[("valid_from", line.valid_from.is_some()), ("valid_to", line.valid_to.is_some())],
        );
        let from = line.from.as_deref().ok_or_else(|| missing("from")).and_then(instant);
        let from = self.note("from", from);
        let to = line.to.as_deref().ok_or_else(|| missing("to")).and_then(instant);
        let to = self.note("to", to);
        let valid = Validity::of(Some(from?), Some(to?)).ok_or(NOT_AFTER);
        Some(vec![(Hours::Whole, self.note("to", valid)?)])
    }

    fn place(&mut self, line: &OfficersLine) -> Option<Home> {
        let (field, home) = home(line.commune.as_deref(), line.province.as_deref(), self.map);
        self.note(field, home)
    }

    fn valid(&mut self, line: &OfficersLine) -> Option<Validity> {
        let from = line.valid_from.as_deref().map(instant).transpose();
        let from = self.note("valid_from", from);
        let to = line.valid_to.as_deref().map(instant).transpose();
        let to = self.note("valid_to", to);
        self.note("valid_to", Validity::of(from?, to?).ok_or(NOT_AFTER))
    }
}

fn missing(field: &str) -> String {
    format!("thiếu trường này / missing field `{field}`")
}

/// An officer or a commander in a commune; at a province's desk, the province.
fn role(word: Option<&str>, place: Home) -> Result<Role, String> {
    let is_desk = place == Home::of_province(place.province);
    match (word, is_desk) {
        (None | Some("province"), true) => Ok(Role::Province),
        (None | Some("officer"), false) => Ok(Role::Officer),
        (Some("commander"), false) => Ok(Role::Commander),
        (Some(_), true) => Err(none_of("province")),
        (Some(_), false) => Err(none_of("officer, commander")),
    }
}

/// Digits alone, with a plus before them where there was one. What is refused is not repeated.
fn phone(text: &str) -> Result<String, String> {
    let bare: String = text.chars().filter(|c| !matches!(c, ' ' | '.' | '-')).collect();
    let digits = bare.strip_prefix('+').unwrap_or(&bare);
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number && PHONE_DIGITS.contains(&digits.len()) {
        return Ok(bare);
    }
    Err("không phải số điện thoại: 3 đến 15 chữ số / is no telephone number of 3 to 15 digits"
        .to_owned())
}

fn email(text: &str) -> Result<String, String> {
    let parts = text.split_once('@');
    let is_part = |part: &str| !part.is_empty() && !part.contains('@');
    let fits = text.len() <= EMAIL_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
    match parts {
        Some((local, host)) if fits && is_part(local) && is_part(host) => Ok(text.to_owned()),
        _ => Err("không phải địa chỉ thư điện tử / is no e-mail address".to_owned()),
    }
}

/// Minutes after midnight, as `18:00`; `24:00` is the end of the day.
fn of_day(text: &str) -> Result<u16, String> {
    let wrong = || "phải là giờ dạng 18:00 / must be an hour as 18:00".to_owned();
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    let number = |text: &str| {
        let is_two = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| is_two)
    };
    match (number(hour), number(minute)) {
        (Some(24), Some(0)) => Ok(0),
        (Some(hour @ 0..=23), Some(minute @ 0..=59)) => Ok(hour * 60 + minute),
        _ => Err(wrong()),
    }
}
