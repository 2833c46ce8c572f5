//! The officers file: JSON Lines (`keng officers import FILE`). Three forms of line:
//!
//! - `{"officer":"an","name":"Nguyễn Văn An","phone":"+84912345678"}`: how somebody is reached;
//! - `{"contact":"an","commune":"25126","order":1}`: who is asked there, or at a province's desk;
//! - `{"duty":"an","commune":"25126","days":["monday"],"from":"18:00","to":"06:00"}`: who is on
//!   duty, every week, or once from one instant to another.
//!
//! R29: a contact whom nothing reaches is an error when it is configured, not at the alarm.

mod line;
mod place;

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use domain::{
    directory::{ContactFacts, RosterFacts},
    ids::{Home, OfficerId},
};
use wire::v1::ContactText;

use self::{
    line::{OfficersLine, Said, said},
    place::Place,
};
use crate::{
    directory::Directory,
    fault::{Collector, Faults, ReadError, read},
    lines::{numbered, parse},
    map::Map,
    staff::contact_sha256,
};

/// The largest officers file that is read.
pub const OFFICERS_BYTES_MAX: u64 = 64 << 20;
/// The most lines of an officers file.
pub const OFFICERS_LINES_MAX: usize = 500_000;

/// How an officer is reached, as a file names it, free of faults.
#[derive(Clone, PartialEq, Eq)]
pub struct ContactEntry {
    /// What is open of it.
    pub facts: ContactFacts,
    /// Name, telephone, address: sealed.
    pub text: ContactText,
}

impl std::fmt::Debug for ContactEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ContactEntry({}, sealed)", self.facts.officer)
    }
}

/// An officers file, free of faults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Officers {
    /// Each officer once, in the order of the file.
    pub contacts: Vec<ContactEntry>,
    /// Each place that the file names, whole: it takes the place of what was recorded of it.
    pub rosters: Vec<RosterFacts>,
}

impl Officers {
    /// What is new, or differs from what is recorded. The same file again gives nothing;
    /// officers and places that are gone from the file stay.
    #[must_use]
    pub fn news(self, directory: &Directory) -> Self {
        let staff = directory.staff();
        let differs = |entry: &ContactEntry| {
            let sha256 = contact_sha256(&entry.facts, &entry.text);
            staff.person(&entry.facts.officer).is_none_or(|known| known.content_sha256 != sha256)
        };
        let is_other = |roster: &RosterFacts| staff.place(roster.place) != Some(roster);
        Self {
            contacts: self.contacts.into_iter().filter(differs).collect(),
            rosters: self.rosters.into_iter().filter(is_other).collect(),
        }
    }
}

/// Reads an officers file.
///
/// # Errors
/// The file cannot be read, or is wrong: each fault with line and field.
pub fn read_officers(path: &Path, map: &Map) -> Result<Officers, ReadError> {
    read(path, OFFICERS_BYTES_MAX, |bytes| parse_officers(bytes, map))
}

/// Reads officers, contacts and duties from JSON Lines.
///
/// # Errors
/// Each fault with line and field.
pub fn parse_officers(bytes: &[u8], map: &Map) -> Result<Officers, Faults> {
    let mut faults = Collector::default();
    let lines = numbered(bytes, &mut faults);
    faults.check()?;
    let mut reading = Reading { faults, ..Reading::default() };
    for (number, text) in lines {
        if number > OFFICERS_LINES_MAX {
            let most = OFFICERS_LINES_MAX;
            let reason = format!("tệp có tối đa {most} dòng / a file has at most {most} lines");
            reading.faults.add(number, "", reason);
        }
        if reading.faults.is_full() {
            break;
        }
        match parse::<OfficersLine>(number, text) {
            Err(fault) => reading.faults.push(fault),
            Ok(line) => {
                if let Some(said) = said(number, line, map, &mut reading.faults) {
                    reading.take(number, said);
                }
            }
        }
    }
    reading.officers()
}

/// A file being read.
#[derive(Default)]
struct Reading {
    faults: Collector,
    contacts: Vec<ContactEntry>,
    /// In which line each officer stands.
    lines: HashMap<OfficerId, usize>,
    places: BTreeMap<Home, Place>,
}

impl Reading {
    fn take(&mut self, number: usize, said: Said) {
        match said {
            Said::Officer(entry) => {
                let officer = entry.facts.officer.clone();
                match self.lines.get(&officer) {
                    Some(first) => {
                        let reason = format!(
                            "{officer} đã có ở dòng {first} / {officer} stands in line {first} \
                             already"
                        );
                        self.faults.add(number, "officer", reason);
                    }
                    None => {
                        self.lines.insert(officer, number);
                        self.contacts.push(entry);
                    }
                }
            }
            Said::Contact { place, order, listed } => {
                let place = self.places.entry(place).or_default();
                place.contacts.push((order, number, listed));
            }
            Said::Duty { place, duties } => {
                let place = self.places.entry(place).or_default();
                place.duties.extend(duties.into_iter().map(|duty| (number, duty)));
            }
        }
    }

    fn officers(mut self) -> Result<Officers, Faults> {
        let mut rosters = Vec::new();
        for (home, place) in self.places {
            for (_, number, listed) in &place.contacts {
                if !self.lines.contains_key(&listed.officer) {
                    let officer = &listed.officer;
                    let reason = format!(
                        "{officer} không có dòng officer trong tệp, nên không ai liên hệ được / \
                         {officer} has no officer line in this file, so nobody could call"
                    );
                    self.faults.add(*number, "contact", reason);
                }
            }
            rosters.extend(place.roster(home, &mut self.faults));
        }
        self.faults.check()?;
        Ok(Officers { contacts: self.contacts, rosters })
    }
}
