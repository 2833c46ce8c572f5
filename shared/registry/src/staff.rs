//! The staff, folded from the log: how each officer is reached, who is asked at which place and
//! who is on duty there, which version of that holds, and who took part in drills.
//!
//! A part of the directory. Names and addresses are sealed, and stand in memory only.

use std::{collections::BTreeMap, fmt};

use domain::{
    dated::{Adopted, Versions},
    decider::Decider,
    directory::{ContactFacts, Listed, RosterFacts},
    ids::{Home, OfficerId},
    roster::{Contact, Roster, Rosters},
};
use prost::Message;
use sha2::{Digest, Sha256};
use wire::{
    roster::{contact_said, roster_said},
    v1::{self, ContactText},
};

/// How an officer is reached, as the log has recorded it. The name and the addresses do not show
/// in debug output or logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// What is open of it.
    pub facts: ContactFacts,
    /// The rest; `None` where the sealed part is erased.
    pub text: Option<ContactText>,
    /// SHA-256 of the content, open and sealed; compared within one binary, and never recorded.
    pub content_sha256: [u8; 32],
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Person({}, sealed)", self.facts.officer)
    }
}

/// SHA-256 over the open and the sealed content of a contact, the length of the first in front.
#[must_use]
pub fn contact_sha256(facts: &ContactFacts, text: &ContactText) -> [u8; 32] {
    let facts = contact_said(facts).encode_to_vec();
    let mut hash = Sha256::new();
    hash.update((facts.len() as u64).to_be_bytes());
    hash.update(facts);
    hash.update(text.encode_to_vec());
    hash.finalize().into()
}

/// Everybody who can be asked.
#[derive(Debug, Default)]
pub struct Staff {
    people: BTreeMap<OfficerId, Person>,
    places: BTreeMap<Home, RosterFacts>,
    /// Follows from the two above.
    rosters: Rosters,
    versions: Versions,
}

impl Staff {
    /// Who is asked where, and who is on duty.
    #[must_use]
    pub fn rosters(&self) -> &Rosters {
        &self.rosters
    }

    /// How an officer is reached, where that was recorded.
    #[must_use]
    pub fn person(&self, officer: &OfficerId) -> Option<&Person> {
        self.people.get(officer)
    }

    /// Who is asked at a place, as it was recorded.
    #[must_use]
    pub fn place(&self, place: Home) -> Option<&RosterFacts> {
        self.places.get(&place)
    }

    /// Who is asked at each place, as it was recorded, sorted by place.
    pub fn places(&self) -> impl ExactSizeIterator<Item = &RosterFacts> {
        self.places.values()
    }

    /// The versions of the directory that were adopted.
    #[must_use]
    pub fn versions(&self) -> &Versions {
        &self.versions
    }

    /// SHA-256 of the rosters and of who can be reached, one line each, sorted by key, each as
    /// canonical JSON (RFC 8785) and a line feed; and how many lines that are. Open parts alone:
    /// a hash over a telephone number would give it away.
    #[must_use]
    pub fn lines_sha256(&self) -> ([u8; 32], u32) {
        let mut hash = Sha256::new();
        let mut lines = 0;
        let people = self.people.values().map(|person| person_line(&person.facts));
        for line in people.chain(self.places.values().map(roster_line)) {
            hash.update(line);
            lines += 1;
        }
        (hash.finalize().into(), lines)
    }

    pub(crate) fn record_contact(&mut self, facts: ContactFacts, text: Option<&ContactText>) {
        let content_sha256 = contact_sha256(&facts, text.unwrap_or(&ContactText::default()));
        let officer = facts.officer.clone();
        let person = Person { facts, text: text.cloned(), content_sha256 };
        self.people.insert(officer.clone(), person);
        let is_of = |facts: &&RosterFacts| facts.contacts.iter().any(|it| it.officer == officer);
        let places: Vec<Home> = self.places.values().filter(is_of).map(|it| it.place).collect();
        places.into_iter().for_each(|place| self.reckon(place));
    }

    pub(crate) fn record_roster(&mut self, facts: RosterFacts) {
        let place = facts.place;
        self.places.insert(place, facts);
        self.reckon(place);
    }

    pub(crate) fn adopt(&mut self, adopted: &Adopted) {
        self.versions = std::mem::take(&mut self.versions).evolve(adopted);
    }

    fn reckon(&mut self, place: Home) {
        let Some(facts) = self.places.get(&place) else { return };
        let reachable = |officer: &OfficerId| {
            self.people.get(officer).is_some_and(|person| person.facts.reachable)
        };
        let contact = |listed: &Listed| Contact {
            officer: listed.officer.clone(),
            valid: listed.valid,
            reachable: reachable(&listed.officer),
        };
        let contacts = facts.contacts.iter().map(contact).collect();
        // What was recorded passed this when it was read from a file; a newer program's limits
        // may be wider, and a roster that is none here asks nobody.
        self.rosters.set(place, Roster::of(contacts, facts.duties.clone()).unwrap_or_default());
    }
}

fn person_line(facts: &ContactFacts) -> String {
    let (officer, reachable) = (&facts.officer, facts.reachable);
    format!("{{\"officer\":\"{officer}\",\"reachable\":{reachable}}}\n")
}

/// The fields of a roster's record, in the order of their names. Ids and codes need no escaping.
fn roster_line(facts: &RosterFacts) -> String {
    let said = roster_said(facts);
    let bound = |name: &str, ms: Option<i64>| match ms {
        Some(ms) => format!(",\"{name}\":{ms}"),
        None => String::new(),
    };
    let valid = |from_ms, to_ms| {
        format!("{}{}", bound("valid_from_ms", from_ms), bound("valid_to_ms", to_ms))
    };
    let contact = |it: &v1::RosterContact| {
        let valid = valid(it.valid_from_ms, it.valid_to_ms);
        format!("{{\"officer\":\"{}\",\"role\":{}{valid}}}", it.officer, it.role)
    };
    let duty = |it: &v1::RosterDuty| {
        let valid = valid(it.valid_from_ms, it.valid_to_ms);
        let v1::RosterDuty { contact, day, from_min, minutes, .. } = it;
        format!(
            "{{\"contact\":{contact},\"day\":{day},\"from_min\":{from_min},\"minutes\":{minutes}\
             {valid}}}"
        )
    };
    let contacts: Vec<String> = said.contacts.iter().map(contact).collect();
    let duties: Vec<String> = said.duties.iter().map(duty).collect();
    format!(
        "{{\"commune\":\"{}\",\"contacts\":[{}],\"duties\":[{}],\"province\":\"{}\"}}\n",
        said.commune,
        contacts.join(","),
        duties.join(","),
        said.province
    )
}
