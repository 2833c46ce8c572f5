//! The policies file: TOML, one table for the installation, and one for each commune that does
//! something otherwise. What a commune's table does not name is as the installation has it, and
//! what that does not name is the default.

use std::{collections::BTreeMap, fmt::Display, path::Path, str::FromStr, sync::Arc};

use domain::{
    fatigue::FatigueBudget,
    ids::{CommuneCode, ProvinceCode},
    policy::{BadPolicy, Origin, Policy, Wait},
    quiet::QuietHours,
    reach::{ProvinceLine, Terms},
    relay::escalation::{AnswerTime, AnswerTimes},
    values::AlertKind,
};
use serde::{Deserialize, Deserializer, de::Error};

use crate::{
    fault::{Fault, Faults, ReadError, read},
    map::{Map, not_in_map},
};

/// The largest policies file that is read.
pub const POLICIES_BYTES_MAX: u64 = 4 << 20;
/// Borders away that a disc may end at most.
const RINGS_MAX: u32 = 64;
/// The fastest speed, in metres an hour, and the longest distance, in metres.
const METRES_MAX: u32 = 200_000;
const INSTALLATION: &str = "installation";
const MINUTE_MS: i64 = 60_000;

/// The policy of every commune.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policies {
    installation: Arc<Policy>,
    communes: BTreeMap<CommuneCode, Arc<Policy>>,
}

impl From<Policy> for Policies {
    /// The same policy for every commune, as whoever makes it answers for it: a file's are checked.
    fn from(policy: Policy) -> Self {
        Self { installation: Arc::new(policy), communes: BTreeMap::new() }
    }
}

impl Policies {
    /// The policy of a commune: its own, or the installation's.
    #[must_use]
    pub fn of(&self, commune: CommuneCode) -> Arc<Policy> {
        Arc::clone(self.communes.get(&commune).unwrap_or(&self.installation))
    }

    /// The policy of every commune that has no own one.
    #[must_use]
    pub fn installation(&self) -> &Policy {
        &self.installation
    }

    /// The communes that have a policy of their own, sorted by code.
    pub fn of_communes(&self) -> impl ExactSizeIterator<Item = (CommuneCode, &Policy)> {
        self.communes.iter().map(|(code, policy)| (*code, &**policy))
    }

    /// Reads policies from TOML; every commune must be on this map.
    ///
    /// # Errors
    /// The first fault, with the line, the table and the field.
    pub fn parse(bytes: &[u8], map: &Map) -> Result<Self, Faults> {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| fault(1, "", "không phải UTF-8 / is not UTF-8".to_owned()))?;
        let not_toml = |error: &toml::de::Error, field: &str| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            fault(before.matches('\n').count() + 1, field, wrong(error.message()))
        };
        let read = toml::Deserializer::parse(text).map_err(|error| not_toml(&error, ""))?;
        let File { installation, commune } = serde_path_to_error::deserialize(read)
            .map_err(|error| not_toml(error.inner(), &error.path().to_string()))?;
        let check = |policy: Policy, table: &str| {
            policy.checked().map(Arc::new).map_err(|bad| {
                let field = format!("{table}.{}", field_of(bad));
                fault(line_of(text, table), &field, wrong(bad))
            })
        };
        let installation = check(installation.over(&Policy::default()), INSTALLATION)?;
        let mut communes = BTreeMap::new();
        for (name, table) in commune {
            let of = format!("commune.{name}");
            let at_table = |why: String| fault(line_of(text, &of), &of, why);
            let code: CommuneCode = name.parse().map_err(|_| at_table(not_in_map(&name)))?;
            if map.commune(code).is_none() {
                return Err(at_table(not_in_map(&name)));
            }
            communes.insert(code, check(table.over(&installation), &of)?);
        }
        Ok(Self { installation, communes })
    }
}

/// Reads a policies file.
///
/// # Errors
/// The file cannot be read, or is wrong. Whoever keeps the file must act.
pub fn read_policies(path: &Path, map: &Map) -> Result<Policies, ReadError> {
    read(path, POLICIES_BYTES_MAX, |bytes| Policies::parse(bytes, map))
}

fn fault(line: usize, field: &str, reason: String) -> Faults {
    Faults::one(Fault { line, field: field.to_owned(), reason })
}

fn wrong(why: impl Display) -> String {
    format!("không hợp lệ / {why}")
}

/// The line on which a table begins; the first where its name is written in another way.
fn line_of(text: &str, table: &str) -> usize {
    let is_header = |line: &str| {
        let line: String = line.chars().filter(|c| !matches!(c, '"' | '\'' | ' ')).collect();
        let header = line.strip_prefix('[').and_then(|line| line.split_once(']'));
        header.is_some_and(|(header, _)| header == table)
    };
    text.lines().position(is_header).map_or(1, |line| line + 1)
}

/// The field that a refusal is about.
fn field_of(bad: BadPolicy) -> &'static str {
    match bad {
        BadPolicy::LifeWaits(_) | BadPolicy::TooManyWaits => "waits",
        BadPolicy::GlassLocked(_) => "second-person-for",
        BadPolicy::AnswerTimes => "answer-times",
        BadPolicy::Budget => "fatigue",
        BadPolicy::Raises => "raises-per-minute-max",
        BadPolicy::Retention(_) => "retention-days",
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    installation: Table,
    commune: BTreeMap<String, Table>,
}

/// One table; what it does not name is as before.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Table {
    second_person_for: Option<Vec<Word<AlertKind>>>,
    needs_signature: Option<Vec<Word<AlertKind>>>,
    waits: Option<Vec<WaitLine>>,
    reach: ReachLine,
    fatigue: FatigueLine,
    quiet_hours: Option<QuietLine>,
    answer_times: AnswerLines,
    raises_per_minute_max: Option<u32>,
    retention_days: BTreeMap<Word<AlertKind>, u32>,
}

/// A kind, from one province, from one commune, or from anywhere.
#[derive(Debug, Deserialize)]
#[serde(try_from = "WaitFields")]
struct WaitLine(Wait);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WaitFields {
    kind: Word<AlertKind>,
    province: Option<Word<ProvinceCode>>,
    commune: Option<Word<CommuneCode>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct ReachLine {
    province_line: Option<Line>,
    rings_max: Option<UpTo<RINGS_MAX>>,
    small_child_m_h: Option<UpTo<METRES_MAX>>,
    walker_m_h: Option<UpTo<METRES_MAX>>,
    bicycle_m_h: Option<UpTo<METRES_MAX>>,
    motor_m_h: Option<UpTo<METRES_MAX>>,
    bicycle_reach_m_max: Option<UpTo<METRES_MAX>>,
    motor_reach_m_max: Option<UpTo<METRES_MAX>>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Cross,
    Stop,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct FatigueLine {
    alerts_per_day_max: Option<u32>,
    alerts_per_week_max: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct QuietLine {
    from: TimeOfDay,
    until: TimeOfDay,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AnswerLines {
    urgent: Option<AnswerLine>,
    usual: Option<AnswerLine>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct AnswerLine {
    second_contact_minutes: u32,
    province_desk_minutes: u32,
}

/// Something that has a word of its own.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Word<T>(T);

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(D::Error::custom)
    }
}

/// A number from 1 to `MAX`.
#[derive(Debug, Clone, Copy)]
struct UpTo<const MAX: u32>(u32);

impl<'de, const MAX: u32> Deserialize<'de> for UpTo<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(deserializer)?;
        let fits = (1..=MAX).contains(&number);
        fits.then_some(Self(number)).ok_or_else(|| D::Error::custom(format!("1 to {MAX}")))
    }
}

/// `HH:MM`, in Việt Nam's time, as minutes after midnight.
#[derive(Debug, Clone, Copy)]
struct TimeOfDay(u16);

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let two = |digits: &str, below: u16| {
            let is_two = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
            digits.parse::<u16>().ok().filter(|number| is_two && *number < below)
        };
        let minutes = text
            .split_once(':')
            .and_then(|(hour, minute)| Some(two(hour, 24)? * 60 + two(minute, 60)?));
        minutes.map(Self).ok_or_else(|| D::Error::custom("not a time of day, as 22:00"))
    }
}

impl TryFrom<WaitFields> for WaitLine {
    type Error = &'static str;

    fn try_from(fields: WaitFields) -> Result<Self, &'static str> {
        let origin = match (fields.province, fields.commune) {
            (None, None) => Origin::Anywhere,
            (Some(Word(province)), None) => Origin::Province(province),
            (None, Some(Word(commune))) => Origin::Commune(commune),
            (Some(_), Some(_)) => return Err("either `province` or `commune`"),
        };
        Ok(Self(Wait { kind: fields.kind.0, origin }))
    }
}

impl Table {
    /// What this table says, over what stood before.
    fn over(self, before: &Policy) -> Policy {
        let kinds = |kinds: Vec<Word<AlertKind>>| kinds.into_iter().map(|Word(kind)| kind);
        let fatigue = before.fatigue;
        let day = self.fatigue.alerts_per_day_max.unwrap_or(fatigue.alerts_per_day_max);
        let week = self.fatigue.alerts_per_week_max.unwrap_or(fatigue.alerts_per_week_max);
        Policy {
            second_person_for: self
                .second_person_for
                .map_or_else(|| before.second_person_for.clone(), |named| kinds(named).collect()),
            needs_signature_for: self
                .needs_signature
                .map_or_else(|| before.needs_signature_for.clone(), |named| kinds(named).collect()),
            waits: self.waits.map_or_else(
                || before.waits.clone(),
                |lines| lines.into_iter().map(|WaitLine(wait)| wait).collect(),
            ),
            reach: self.reach.over(before.reach),
            fatigue: FatigueBudget { alerts_per_day_max: day, alerts_per_week_max: week },
            quiet: self
                .quiet_hours
                .and_then(|quiet| QuietHours::of(quiet.from.0, quiet.until.0))
                .unwrap_or(before.quiet),
            answer_times: AnswerTimes {
                urgent: self.answer_times.urgent.map_or(before.answer_times.urgent, answer_time),
                usual: self.answer_times.usual.map_or(before.answer_times.usual, answer_time),
            },
            raises_per_minute_max: self
                .raises_per_minute_max
                .unwrap_or(before.raises_per_minute_max),
            retention_days: {
                let own = self.retention_days.into_iter().map(|(Word(kind), days)| (kind, days));
                before.retention_days.clone().into_iter().chain(own).collect()
            },
        }
    }
}

impl ReachLine {
    fn over(self, before: Terms) -> Terms {
        fn or<const MAX: u32>(said: Option<UpTo<MAX>>, before: u32) -> u32 {
            said.map_or(before, |UpTo(number)| number)
        }
        Terms {
            province_line: match self.province_line {
                Some(Line::Cross) => ProvinceLine::Cross,
                Some(Line::Stop) => ProvinceLine::Stop,
                None => before.province_line,
            },
            rings_max: or(self.rings_max, before.rings_max),
            small_child_m_h: or(self.small_child_m_h, before.small_child_m_h),
            walker_m_h: or(self.walker_m_h, before.walker_m_h),
            bicycle_m_h: or(self.bicycle_m_h, before.bicycle_m_h),
            motor_m_h: or(self.motor_m_h, before.motor_m_h),
            bicycle_reach_m_max: or(self.bicycle_reach_m_max, before.bicycle_reach_m_max),
            motor_reach_m_max: or(self.motor_reach_m_max, before.motor_reach_m_max),
            ..before
        }
    }
}

fn answer_time(line: AnswerLine) -> AnswerTime {
    AnswerTime {
        second_contact_ms: i64::from(line.second_contact_minutes) * MINUTE_MS,
        province_desk_ms: i64::from(line.province_desk_minutes) * MINUTE_MS,
    }
}
