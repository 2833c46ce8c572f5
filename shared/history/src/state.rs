//! The state of every entity, folded from the whole log, and compared with what the live services
//! hold. Pure.
//!
//! Who holds something is asked first; each entity is then compared as it was at the version that
//! is held, so that traffic meanwhile makes no difference. Memory: every entity, folded.

mod folded;
mod text;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use domain::{ids::EntityName, lane::Lanes, state_hash::StateHash};
use event_log::{Class, Held, Kind, Position, Recorded, UpTo};
use serde::{Deserialize, Serialize};

pub use text::check_text;

use self::folded::{Folded, lanes_hash, lanes_of, take_lanes};

/// So many differences are named; of more, how many.
pub const DIFFERENCES_SHOWN_MAX: usize = 100;

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateCheck {
    /// Whether all that is held is as the log says.
    pub same: bool,
    /// How many records were replayed.
    pub records: u64,
    /// How many entities they came to.
    pub entities: usize,
    /// The state hash of all of them, as the log stands.
    pub state: String,
    /// What each holder has.
    pub holders: Vec<HolderCheck>,
    /// How many differ.
    pub different: usize,
    /// The first of those that differ, in the order of holders and names.
    pub differences: Vec<Difference>,
    /// Entities that this program cannot read to the end: they are compared with nothing.
    pub unreadable: Vec<String>,
}

/// What one holder has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderCheck {
    /// Who.
    pub holder: String,
    /// How many entities it holds folded.
    pub entities: usize,
    /// The state hash of what it holds.
    pub live: String,
    /// The state hash of the same entities, at the same versions, from the log.
    pub replayed: String,
}

/// Something that is not as the log says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Who holds it.
    pub holder: String,
    /// The entity.
    pub entity: String,
    /// Its version; of lanes the place of the last plan and of the last receipt.
    pub up_to: String,
    /// `state`: it is another one; `not-in-log`: the log does not go so far.
    pub why: String,
    /// The state hash that is held.
    pub live: String,
    /// The one from the log.
    pub replayed: Option<String>,
}

/// What somebody holds, and what the log says of it.
#[derive(Debug)]
struct Claim {
    holder: usize,
    held: Held,
    replayed: Option<StateHash>,
    /// Of lanes, as far as they are held.
    lanes: Lanes,
    seen: (Position, Position),
}

/// A comparison under way.
#[derive(Debug)]
pub struct Comparing {
    holders: Vec<&'static str>,
    claims: Vec<Claim>,
    of_entity: HashMap<EntityName, Vec<usize>>,
    entities: BTreeMap<EntityName, Folded>,
    records: u64,
}

impl Comparing {
    /// With what these hold; it was asked for before the log is read.
    #[must_use]
    pub fn new(holdings: Vec<(&'static str, Vec<Held>)>) -> Self {
        let mut comparing = Self {
            holders: vec![],
            claims: vec![],
            of_entity: HashMap::new(),
            entities: BTreeMap::new(),
            records: 0,
        };
        for (holder, mut all) in holdings {
            all.sort_by(|one, other| one.entity.cmp(&other.entity));
            for held in all {
                let index = comparing.claims.len();
                comparing.of_entity.entry(held.entity.clone()).or_default().push(index);
                let holder = comparing.holders.len();
                comparing.claims.push(Claim {
                    holder,
                    held,
                    replayed: None,
                    lanes: Lanes::default(),
                    seen: (0, 0),
                });
            }
            comparing.holders.push(holder);
        }
        comparing
    }

    /// Takes a record in; all of them are wanted, in their order.
    pub fn look(&mut self, _position: u64, recorded: &Recorded) {
        self.records += 1;
        let Kind::Commit { version } = recorded.kind else { return };
        let entity = &recorded.key.entity;
        let folded = self.entities.entry(entity.clone()).or_insert_with(|| Folded::new(entity));
        folded.take(recorded, version);
        for index in self.of_entity.get(entity).into_iter().flatten() {
            if let Some(claim) = self.claims.get_mut(*index)
                && claim.held.up_to == UpTo::Version(version)
            {
                claim.replayed = folded.state();
            }
        }
        let Some(plans) = lanes_of(entity) else { return };
        for index in self.of_entity.get(&plans).into_iter().flatten() {
            if let Some(claim) = self.claims.get_mut(*index) {
                claim.take_lanes(recorded);
            }
        }
    }

    /// What it came to.
    #[must_use]
    pub fn compared(mut self) -> StateCheck {
        self.claims.iter_mut().for_each(Claim::close);
        let unreadable: Vec<String> = self
            .entities
            .iter()
            .filter(|(_, folded)| folded.is_unreadable())
            .map(|(entity, _)| entity.to_string())
            .collect();
        // On half a history nothing is said.
        let is_read = |claim: &&Claim| {
            !self.entities.get(&claim.held.entity).is_some_and(Folded::is_unreadable)
        };
        let claims: Vec<&Claim> = self.claims.iter().filter(is_read).collect();
        let differ: Vec<&&Claim> =
            claims.iter().filter(|claim| claim.replayed != Some(claim.held.state)).collect();
        let all = self
            .entities
            .iter()
            .filter_map(|(entity, folded)| Some((entity, folded.version(), folded.state()?)));
        StateCheck {
            same: differ.is_empty(),
            records: self.records,
            entities: self.entities.len(),
            state: StateHash::of_all(all).to_string(),
            holders: (0..).zip(&self.holders).map(|(n, name)| holder(n, name, &claims)).collect(),
            different: differ.len(),
            differences: differ
                .iter()
                .take(DIFFERENCES_SHOWN_MAX)
                .map(|claim| self.difference(claim))
                .collect(),
            unreadable,
        }
    }

    fn difference(&self, claim: &Claim) -> Difference {
        let holder = self.holders.get(claim.holder).copied().unwrap_or_default();
        Difference {
            holder: holder.to_owned(),
            entity: claim.held.entity.to_string(),
            up_to: match claim.held.up_to {
                UpTo::Version(version) => format!("v{version}"),
                UpTo::Lanes { delivery, receipt } => format!("{delivery}/{receipt}"),
            },
            why: if claim.replayed.is_some() { "state" } else { "not-in-log" }.to_owned(),
            live: claim.held.state.to_string(),
            replayed: claim.replayed.map(|state| state.to_string()),
        }
    }
}

fn holder(n: usize, name: &str, claims: &[&Claim]) -> HolderCheck {
    let own: Vec<&&Claim> = claims.iter().filter(|claim| claim.holder == n).collect();
    let version = |claim: &Claim| match claim.held.up_to {
        UpTo::Version(version) => version,
        UpTo::Lanes { delivery, .. } => delivery,
    };
    let live = own.iter().map(|one| (&one.held.entity, version(one), one.held.state));
    let replayed =
        own.iter().filter_map(|one| Some((&one.held.entity, version(one), one.replayed?)));
    HolderCheck {
        holder: name.to_owned(),
        entities: own.len(),
        live: StateHash::of_all(live).to_string(),
        replayed: StateHash::of_all(replayed).to_string(),
    }
}

impl Claim {
    fn take_lanes(&mut self, recorded: &Recorded) {
        let UpTo::Lanes { delivery, receipt } = self.held.up_to else { return };
        let (up_to, seen) = match recorded.key.class {
            Class::Delivery => (delivery, &mut self.seen.0),
            Class::Receipt => (receipt, &mut self.seen.1),
            _ => return,
        };
        if recorded.position <= up_to {
            *seen = recorded.position.max(*seen);
            // What cannot be read is told of its entity.
            let _ = take_lanes(&mut self.lanes, recorded);
        }
    }

    /// Lanes are compared where the log goes as far as they do.
    fn close(&mut self) {
        if let UpTo::Lanes { delivery, receipt } = self.held.up_to
            && self.seen == (delivery, receipt)
        {
            self.replayed = Some(lanes_hash(&self.lanes));
        }
    }
}
