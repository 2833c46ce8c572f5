//! The typed checklist: what is known of a case, what is missing, how complete it is (R18, R19).
//!
//! The criteria are data, in `data/criteria.txt`; what a field answers is read from which fields
//! are present, and the rest is the officer's word. It refuses nothing and promises nothing
//! (R17): it is shown before sending, and recorded.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use crate::{
    alert::AlertFacts,
    values::{AlertKind, Sex, Travel},
};

/// The most criteria of one file.
pub const CRITERIA_MAX: usize = 200;
/// Characters of a question.
pub const QUESTION_CHARS_MAX: usize = 200;
/// The greatest weight of a criterion.
pub const WEIGHT_MAX: u32 = 10;

/// What is known of one criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// It is said.
    Known,
    /// It was asked, and nobody knows. Honest, and allowed; it makes nothing more complete.
    DontKnow,
    /// It was not asked yet.
    Missing,
}

/// Whether an alert should go without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// A message without it may be of no use.
    Required,
    /// It makes the message better.
    Wanted,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Criterion {
    /// Its stable id.
    pub id: String,
    /// The kinds that it is asked of.
    pub kinds: BTreeSet<AlertKind>,
    /// Its share of completeness, 1 to [`WEIGHT_MAX`].
    pub weight: u32,
    /// Whether an alert should go without it.
    pub need: Need,
    /// Fields of the interface that answer it: one of these, each with all of its parts. Empty
    /// where only the officer can answer.
    pub fields: Vec<Vec<String>>,
    /// In Vietnamese.
    pub question_vi: String,
    /// In English.
    pub question_en: String,
}

/// What a file of criteria has wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct BadCriteria {
    /// From 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong, and where.
    pub what: &'static str,
}

/// All criteria, in the order in which they are asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Criteria {
    version: u32,
    criteria: Vec<Criterion>,
}

/// The fields of an alert that are present, and those of which it is said that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields(BTreeMap<String, Answer>);

/// One criterion and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'a> {
    /// The question.
    pub criterion: &'a Criterion,
    /// What is known.
    pub answer: Answer,
}

/// The checklist of one alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checklist<'a> {
    /// The version of the criteria, recorded with the result.
    pub version: u32,
    /// Every question of the kind, in order.
    pub items: Vec<Item<'a>>,
    /// The ids of those that were not asked yet, the required ones first.
    pub missing: Vec<&'a str>,
    /// The weight of what is known, in percent of all; rounded down, so that 100 is complete.
    pub completeness_percent: u8,
}

impl Checklist<'_> {
    /// Whether something is missing that the message should not go without.
    #[must_use]
    pub fn lacks_required(&self) -> bool {
        self.items
            .iter()
            .any(|item| item.answer == Answer::Missing && item.criterion.need == Need::Required)
    }
}

impl Fields {
    /// What the open facts tell, with the names of the sealed fields that are present.
    #[must_use]
    pub fn of<S: AsRef<str>>(facts: &AlertFacts, sealed: &[S]) -> Self {
        let mut fields = BTreeMap::new();
        let mut note = |field: &str, answer| {
            fields.insert(field.to_owned(), answer);
        };
        sealed.iter().for_each(|field| note(field.as_ref(), Answer::Known));
        let seen = facts.last_seen;
        let person = facts.person;
        for (field, is_present) in [
            ("reported_at", facts.reported_at.is_some()),
            ("last_seen.at", seen.is_some_and(|seen| seen.at.is_some())),
            ("last_seen.point", seen.is_some_and(|seen| seen.point.is_some())),
            ("person.age", person.is_some_and(|person| person.age_years.is_some())),
            ("legal_basis", facts.legal_basis.is_some()),
        ] {
            if is_present {
                note(field, Answer::Known);
            }
        }
        if let Some(travel) = facts.travel {
            note("travel", known_unless(travel == Travel::Unknown));
        }
        if let Some(sex) = person.and_then(|person| person.sex) {
            note("person.sex", known_unless(sex == Sex::Unknown));
        }
        Self(fields)
    }

    fn answer(&self, field: &str) -> Answer {
        self.0.get(field).copied().unwrap_or(Answer::Missing)
    }
}

fn known_unless(is_unknown: bool) -> Answer {
    if is_unknown { Answer::DontKnow } else { Answer::Known }
}

impl Criterion {
    /// A field that is there answers; where one could and is not, the officer's "known" counts
    /// for nothing, for nobody would read it in the message. "Don't know" always counts.
    fn answer(&self, fields: &Fields, said: Option<Answer>) -> Answer {
        if self.fields.is_empty() {
            return said.unwrap_or(Answer::Missing);
        }
        let of_parts = |parts: &Vec<String>| {
            parts.iter().map(|part| fields.answer(part)).max().unwrap_or(Answer::Missing)
        };
        let told = self.fields.iter().map(of_parts).min().unwrap_or(Answer::Missing);
        match said {
            Some(Answer::DontKnow) => told.min(Answer::DontKnow),
            _ => told,
        }
    }
}

impl Criteria {
    /// The criteria that come with the program.
    #[must_use]
    pub fn built_in() -> &'static Self {
        static BUILT_IN: LazyLock<Criteria> = LazyLock::new(|| {
            // A test parses the same bytes, so that the default is never met.
            Criteria::parse(include_str!("../data/criteria.txt")).unwrap_or_default()
        });
        &BUILT_IN
    }

    /// Reads a file of criteria; its form stands at its head.
    ///
    /// # Errors
    /// [`BadCriteria`], with the line.
    pub fn parse(text: &str) -> Result<Self, BadCriteria> {
        let mut read = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            read.take(line).map_err(|what| BadCriteria { line: number, what })?;
        }
        let whole = |what| BadCriteria { line: 0, what };
        if read.version == 0 {
            return Err(whole("version is missing"));
        }
        Ok(read)
    }

    /// The version, from 1.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The criteria of a kind, in the order in which they are asked.
    pub fn of(&self, kind: AlertKind) -> impl Iterator<Item = &Criterion> {
        self.criteria.iter().filter(move |criterion| criterion.kinds.contains(&kind))
    }

    /// The checklist of an alert of this kind. `said` are the officer's own answers by id; ids
    /// that the kind does not have are passed over.
    #[must_use]
    pub fn assess(
        &self,
        kind: AlertKind,
        fields: &Fields,
        said: &BTreeMap<String, Answer>,
    ) -> Checklist<'_> {
        let items: Vec<Item<'_>> = self
            .of(kind)
            .map(|criterion| {
                let said = said.get(&criterion.id).copied();
                Item { criterion, answer: criterion.answer(fields, said) }
            })
            .collect();
        let missing_of = |need| {
            let is_missing = move |item: &&Item<'_>| {
                item.answer == Answer::Missing && item.criterion.need == need
            };
            items.iter().filter(is_missing).map(|item| item.criterion.id.as_str())
        };
        let missing = missing_of(Need::Required).chain(missing_of(Need::Wanted)).collect();
        let weight = |is_counted: fn(&Item<'_>) -> bool| -> u32 {
            items.iter().filter(|item| is_counted(item)).map(|item| item.criterion.weight).sum()
        };
        let known = weight(|item| item.answer == Answer::Known);
        let percent = (known * 100).checked_div(weight(|_| true)).unwrap_or(100);
        let completeness_percent = u8::try_from(percent).unwrap_or(100);
        Checklist { version: self.version, items, missing, completeness_percent }
    }

    fn take(&mut self, line: &str) -> Result<(), &'static str> {
        if let Some(version) = line.strip_prefix("version ") {
            if self.version != 0 {
                return Err("a second version");
            }
            let version = version.trim().parse().ok().filter(|version| *version > 0);
            self.version = version.ok_or("the version is no number from 1")?;
            return Ok(());
        }
        let criterion = criterion(line)?;
        if self.criteria.len() >= CRITERIA_MAX {
            return Err("too many criteria");
        }
        if self.criteria.iter().any(|before| before.id == criterion.id) {
            return Err("this id was there before");
        }
        self.criteria.push(criterion);
        Ok(())
    }
}

fn criterion(line: &str) -> Result<Criterion, &'static str> {
    let columns: Vec<&str> = line.split('|').map(str::trim).collect();
    let [id, kinds, weight, need, fields, vi, en] = columns.as_slice() else {
        return Err("not seven columns");
    };
    let is_id = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if id.is_empty() || !id.bytes().all(is_id) {
        return Err("the id is not of a-z 0-9 -");
    }
    let is_question = |text: &str| (1..=QUESTION_CHARS_MAX).contains(&text.chars().count());
    if !is_question(vi) || !is_question(en) {
        return Err("a question has 1 to 200 characters");
    }
    let weight = weight.parse().ok().filter(|weight| (1..=WEIGHT_MAX).contains(weight));
    let need = match *need {
        "required" => Need::Required,
        "wanted" => Need::Wanted,
        _ => return Err("the need is neither required nor wanted"),
    };
    Ok(Criterion {
        id: (*id).to_owned(),
        kinds: kinds_of(kinds)?,
        weight: weight.ok_or("the weight is no number from 1 to 10")?,
        need,
        fields: fields_of(fields)?,
        question_vi: (*vi).to_owned(),
        question_en: (*en).to_owned(),
    })
}

fn kinds_of(words: &str) -> Result<BTreeSet<AlertKind>, &'static str> {
    use AlertKind::{
        FoundChild, FoundPerson, FoundProperty, LostChild, LostProperty, MissingPerson,
    };
    let mut kinds = BTreeSet::new();
    for word in words.split(',').map(str::trim) {
        match word {
            "all" => kinds.extend(AlertKind::ALL),
            "lost" => kinds.extend([LostChild, MissingPerson]),
            "found" => kinds.extend([FoundChild, FoundPerson]),
            "child" => kinds.extend([LostChild, FoundChild]),
            "property" => kinds.extend([LostProperty, FoundProperty]),
            word => {
                kinds.insert(word.parse().map_err(|_| "a kind is unknown")?);
            }
        }
    }
    Ok(kinds)
}

fn fields_of(column: &str) -> Result<Vec<Vec<String>>, &'static str> {
    if column == "-" {
        return Ok(vec![]);
    }
    let is_field = |field: &String| {
        let is_field_byte = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'.');
        !field.is_empty() && field.bytes().all(is_field_byte)
    };
    column
        .split(',')
        .map(|parts| {
            let parts: Vec<String> = parts.split('+').map(|part| part.trim().to_owned()).collect();
            if parts.iter().all(is_field) { Ok(parts) } else { Err("a field is not a name") }
        })
        .collect()
}

#[cfg(test)]
#[path = "criteria_tests.rs"]
mod tests;
