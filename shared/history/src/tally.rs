//! The signatures of a whole log, leaf by leaf: how many commands persons have signed, how many
//! services, how many nobody, and which are not what they say.
//!
//! From leaves and what lies beside them alone: whether the leaves are those that were signed for
//! is the tree's matter.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use bytes::Bytes;
use domain::{
    ids::{CommuneCode, EntityName, Home, KeyId, Millis, RecordId},
    values::{AlertKind, AlertStatus},
};
use event_log::{Class, Key, Kind, Recorded, Seal};
use wire::{
    actor,
    v1::{ChangeHow, Command, command::Body},
    values::{kind_recalled, status_recalled},
};

use crate::{
    beside::{self, NotASignature},
    leaf::{Leaf, NotALeaf},
    line::lines_of,
    signatures::{Flaw, Signatures, Verdict},
};

/// So many that are wrong are kept; the others are counted.
const WRONG_KEPT_MAX: usize = 20;

/// What the policy of an auditor wants: a person's own signature on whatever tells people, or more
/// people, of such an alert.
pub struct Demand {
    /// Whether it is wanted for alerts of this commune, kind and status.
    pub wants: Box<dyn Fn(CommuneCode, AlertKind, AlertStatus) -> bool + Send>,
    /// From the first command on that says this time or a later one. What stands behind that in
    /// the log is asked for it whatever time it says.
    pub since: Millis,
}

/// How many commands were signed by whom, and what is wrong.
#[derive(Default)]
pub struct Tally {
    signatures: Signatures,
    demand: Option<Demand>,
    is_demanded: bool,
    /// What was raised, as far as a demand asks for it.
    raised: HashMap<String, (CommuneCode, AlertKind, AlertStatus)>,
    /// Signed by persons, by officer and key: whose key it is, somebody else should confirm.
    pub persons: BTreeMap<(String, KeyId), u64>,
    /// Signed by services, by how the services knew who asked: `token`, `local`, `service`, `link`.
    pub services: BTreeMap<String, u64>,
    /// Signed by nobody, from before services signed.
    pub nobody: u64,
    /// The first that are not what they say.
    pub wrong: Vec<WrongSignature>,
    /// All that are not.
    pub wrong_count: u64,
}

/// A leaf whose signature is not what it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongSignature {
    /// The leaf's number, from 0.
    pub index: u64,
    /// What it is: its kind, id, entity, and who asked; empty where it cannot be read.
    pub what: String,
    /// What is wrong.
    pub why: Why,
}

/// What is wrong with a leaf, or with what lies beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The leaf is no record.
    #[error(transparent)]
    Leaf(#[from] NotALeaf),
    /// What lies beside it is no signature.
    #[error(transparent)]
    Beside(#[from] NotASignature),
    /// Its signature is not good here.
    #[error(transparent)]
    Flaw(#[from] Flaw),
    /// Nobody but a service says who asked, and the auditor's policy wants more.
    #[error("chính sách đòi cán bộ tự ký / the policy wants the officer's own signature")]
    Wanted,
}

impl Tally {
    /// A tally that asks for what this policy wants, too.
    #[must_use]
    pub fn demanding(demand: Option<Demand>) -> Self {
        Self { demand, ..Self::default() }
    }

    /// Some leaves of a log come, and not all: see [`Signatures::expect_signatures`].
    pub fn expect_signatures(&mut self) {
        self.signatures.expect_signatures();
    }

    /// Takes the next leaf in, and what lies beside it.
    pub fn next(&mut self, index: u64, open: &Bytes, beside: &[u8]) {
        if let Err(why) = self.read(open, beside) {
            self.wrong_count += 1;
            if self.wrong.len() < WRONG_KEPT_MAX {
                self.wrong.push(WrongSignature { index, what: what(open), why });
            }
        }
    }

    fn read(&mut self, open: &Bytes, beside: &[u8]) -> Result<(), Why> {
        let leaf = Leaf::read(open)?;
        let wanted = match &leaf {
            Leaf::Command(command) => self.wants(command),
            Leaf::Commit(_) => false,
        };
        let beside = beside::recalled(beside)?;
        match self.signatures.next_leaf(leaf, open, beside.as_ref()) {
            None => Ok(()),
            Some(Verdict::Invalid(flaw)) => Err(flaw.into()),
            Some(Verdict::Signed { officer, key }) => {
                *self.persons.entry((officer, key)).or_default() += 1;
                Ok(())
            }
            Some(Verdict::Attested { how, by }) => {
                match by {
                    Some(_) => *self.services.entry(how).or_default() += 1,
                    None => self.nobody += 1,
                }
                if wanted { Err(Why::Wanted) } else { Ok(()) }
            }
        }
    }

    /// Whether the policy wants a person's own signature here.
    fn wants(&mut self, command: &Command) -> bool {
        let Some(demand) = &self.demand else { return false };
        self.is_demanded |= command.written_at_ms >= demand.since.0;
        let entity = command.entity.as_ref().map_or("", |entity| entity.name.as_str());
        if let Some(Body::RaiseAlert(raise)) = &command.body
            && let Some(facts) = &raise.facts
            && let (Ok(commune), Ok(kind), Ok(status)) =
                (facts.commune.parse(), kind_recalled(facts.kind), status_recalled(facts.status))
        {
            self.raised.entry(entity.to_owned()).or_insert((commune, kind, status));
        }
        let is_persons = !command.actor.as_ref().is_some_and(actor::is_service);
        let alert = alert_of(entity);
        let of = alert.and_then(|alert| self.raised.get(&alert)).filter(|_| self.is_demanded);
        of.is_some_and(|(commune, kind, status)| {
            is_persons && tells(command) && (demand.wants)(*commune, *kind, *status)
        })
    }
}

/// The entity of the alert that this one is of.
fn alert_of(entity: &str) -> Option<String> {
    let entity: EntityName = entity.parse().ok()?;
    entity.alert_id().map(|alert| EntityName::alert(alert).to_string())
}

/// Whether people, or more people, are told where this is done. What corrects never waits for a
/// key.
fn tells(command: &Command) -> bool {
    match &command.body {
        Some(Body::ChangeAlert(change)) => change.how != i32::from(ChangeHow::Correct),
        Some(
            Body::RaiseAlert(_)
            | Body::ApproveAlert(_)
            | Body::ReviewAlert(_)
            | Body::WidenAlert(_)
            | Body::ReleaseAlert(_)
            | Body::ReopenAlert(_)
            | Body::RelayOnward(_),
        ) => true,
        _ => false,
    }
}

/// A leaf by its name.
fn what(open: &Bytes) -> String {
    let Some(recorded) = Leaf::read(open).ok().and_then(|leaf| recorded_of(&leaf, open)) else {
        return String::new();
    };
    let lines = lines_of(0, &recorded);
    let Some(line) = lines.first() else { return String::new() };
    format!("{} {} ({}, {})", line.kind, line.id, line.entity, line.actor)
}

/// A record, as far as its leaf says it: of no class but its kind's, and at home nowhere.
fn recorded_of(leaf: &Leaf, open: &Bytes) -> Option<Recorded> {
    let (class, kind) = match leaf {
        Leaf::Command(_) => (Class::Command, Kind::Command),
        Leaf::Commit(commit) => (Class::Alert, Kind::Commit { version: commit.version }),
    };
    Some(Recorded {
        position: 0,
        id: RecordId::from_slice(leaf.id())?,
        key: Key { class, home: Home::NATION, entity: leaf.entity().parse().ok()? },
        kind,
        open: open.clone(),
        seal: Seal::None,
        signature: None,
    })
}

impl fmt::Display for WrongSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, what, why } = self;
        write!(f, "bản ghi / entry {index} {what}: {why}")
    }
}

#[cfg(test)]
#[path = "tally_tests.rs"]
mod tests;
