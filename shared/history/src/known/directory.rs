//! Groups and freezes as they stood at a moment.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    decider::Decider,
    directory::{DirectoryEvent, Entry, GroupFacts},
    freeze::{Freeze, Frozen},
    ids::{CommuneCode, GroupId, Millis, OfficerId},
};
use event_log::{Class, Recorded};
use prost::Message;
use wire::{Spoken, commit::events_of, v1};

use super::view::KnownFreeze;
use crate::time::Time;

/// What the directory said, and who was frozen.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    groups: BTreeMap<GroupId, GroupFacts>,
    freezes: BTreeMap<String, Freeze>,
    /// Whose officers: by their tokens.
    officers: BTreeMap<CommuneCode, BTreeSet<OfficerId>>,
}

impl Directory {
    /// Takes a record in, unless it was made later.
    pub(crate) fn take(&mut self, recorded: &Recorded, at: Millis) {
        let name = recorded.key.entity.as_str();
        let is_wanted = ["group-", "token-", "freeze-"].iter().any(|kind| name.starts_with(kind));
        if recorded.key.class != Class::Alert || !is_wanted {
            return;
        }
        let Ok(commit) = v1::Commit::decode(recorded.open.clone()) else { return };
        if Millis(commit.decided_at_ms) > at {
            return;
        }
        for event in &events_of(commit).unwrap_or_default() {
            if let Some(of) = name.strip_prefix("freeze-") {
                let Ok(event) = Freeze::recall(event) else { continue };
                let freeze = self.freezes.entry(of.to_owned()).or_default();
                *freeze = std::mem::take(freeze).evolve(&event);
                continue;
            }
            match Entry::recall(event) {
                Ok(DirectoryEvent::GroupRecorded { facts, .. }) => {
                    self.groups.insert(facts.id.clone(), facts);
                }
                Ok(DirectoryEvent::TokenMade(token)) => {
                    if let Some(commune) = token.standing.commune() {
                        self.officers.entry(commune).or_default().insert(token.officer);
                    }
                }
                _ => {}
            }
        }
    }

    /// The groups of a commune.
    pub(crate) fn groups_of(&self, commune: CommuneCode) -> impl Iterator<Item = &GroupFacts> {
        self.groups.values().filter(move |group| group.home.commune == commune)
    }

    /// The freezes in force: of the commune and of its officers, or all.
    pub(crate) fn freezes(&self, at: Millis, commune: Option<CommuneCode>) -> Vec<KnownFreeze> {
        let concerns = |of: &str| match (commune, Frozen::of_name(of)) {
            (None, _) => true,
            (Some(code), Some(Frozen::Commune(frozen))) => frozen == code,
            (Some(code), Some(Frozen::Officer(officer))) => {
                self.officers.get(&code).is_some_and(|officers| officers.contains(&officer))
            }
            (Some(_), None) => false,
        };
        let in_force = |(of, freeze): (&String, &Freeze)| {
            let until = Time(freeze.in_force_until(at)?);
            concerns(of).then(|| KnownFreeze { of: of.clone(), until })
        };
        self.freezes.iter().filter_map(in_force).collect()
    }
}
