//! The fatigue budget, after the fact: what an alert was to the groups that it told is recorded
//! where it is more than their budget has (R16). It holds nothing up: it looks when everybody was
//! told.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use chassis::Host;
use domain::{
    alert::Alert,
    fatigue::{Exceeded, Fatigue},
    gate::may_be_told,
    ids::{AlertId, CommuneCode, EntityName, Home, Millis, RecordId},
    reach::CommuneReached,
    values::AlertStatus,
};
use event_log::command::Draft;
use registry::{
    Group, Policies, SharedDirectory,
    outlook::{ToldOf, fatigue},
};
use wire::{Spoken, alert::exceeded_said, v1, v1::command::Body};

use crate::asking::{COMMANDS_MAX, Commit, Due, draft};

/// The window of the budget.
const WEEK_MS: u64 = 7 * 86_400_000;
/// So long after it was put to communes an alert is looked at: telling them comes first.
const LOOK_AFTER_MS: i64 = 5_000;
/// Groups, and alerts, that are looked at in one go: much is due at once after a flood, and others
/// have work to do, too.
const LOOKED_AT_ONCE_MAX: usize = 512;
/// Older alerts are not looked at: the directory of today says nothing of them.
const LOOKED_WITHIN_MS: u64 = 3_600_000;

/// Who was told of what, and what is to be looked at.
pub(crate) struct Budget {
    directory: SharedDirectory,
    policies: Arc<Policies>,
    /// The last week, in the order of the log.
    told: VecDeque<ToldOf>,
    due: BTreeSet<(Millis, AlertId)>,
    /// What was found, until the log has it.
    found: BTreeMap<AlertId, (Home, Exceeded)>,
    /// What is to be looked at, as it was put to communes.
    put: BTreeMap<AlertId, Put>,
}

/// An alert, as far as it burdens groups.
struct Put {
    home: Home,
    status: AlertStatus,
    communes: Vec<CommuneCode>,
}

impl Budget {
    pub(crate) fn new(host: &Host) -> Self {
        let (directory, policies) = (host.directory.clone(), Arc::clone(&host.policies));
        Self::of(directory, policies)
    }

    fn of(directory: SharedDirectory, policies: Arc<Policies>) -> Self {
        let (told, due) = (VecDeque::new(), BTreeSet::new());
        let (found, put) = (BTreeMap::new(), BTreeMap::new());
        Self { directory, policies, told, due, found, put }
    }

    /// The groups that were told; copied, since whoever plans waits while the directory is held.
    fn groups(&self, put: &Put) -> BTreeMap<CommuneCode, Vec<Arc<Group>>> {
        let directory = self.directory.read();
        let is_told =
            |group: &&Arc<Group>| may_be_told(put.status, group.facts.kind, group.facts.exercises);
        let groups = |commune: CommuneCode| {
            directory.groups_of(commune).iter().filter(is_told).cloned().collect()
        };
        put.communes.iter().map(|commune| (*commune, groups(*commune))).collect()
    }

    /// What the alert was to its groups.
    fn burden(&self, alert: AlertId, put: &Put, now: Millis) -> Fatigue {
        let others = self.told.iter().filter(|told| told.alert != alert).copied();
        let budget = self.policies.of(put.home.commune).fatigue;
        fatigue(&self.groups(put), others, budget, now)
    }

    /// Looks at what is due, or at the first of it.
    fn look(&mut self, now: Millis) {
        let mut looked_at = 0;
        while let Some((at, alert)) = self.due.first().copied() {
            if at > now || looked_at >= LOOKED_AT_ONCE_MAX {
                return;
            }
            looked_at += 1;
            self.due.pop_first();
            let Some(put) = self.put.remove(&alert) else { continue };
            if now.since_ms(at) > LOOKED_WITHIN_MS {
                continue;
            }
            let burden = self.burden(alert, &put, at);
            looked_at += usize::try_from(burden.groups).unwrap_or(usize::MAX);
            if let Some(exceeded) = burden.exceeded() {
                self.found.insert(alert, (put.home, exceeded));
            }
        }
    }
}

impl Due for Budget {
    const TASK: &'static str = "alerting-budget";
    const LATE: &'static str = "an exceeded budget cannot be recorded yet";

    fn take_in(&mut self, commit: &Commit<'_>) {
        let Some((id, alert)) = commit.alert else { return };
        let Some(live) = alert.live() else { return };
        let (status, at) = (live.content.facts.status, commit.at);
        let events = commit.events.iter().filter_map(|event| Alert::recall(event).ok());
        let named: Vec<CommuneCode> = events.flat_map(|event| codes(event.puts_to())).collect();
        let told = |commune: &CommuneCode| ToldOf { alert: id, status, commune: *commune, at };
        self.told.extend(named.iter().map(told));
        let is_old = |told: &ToldOf| at.since_ms(told.at) >= WEEK_MS;
        while self.told.front().is_some_and(is_old) {
            self.told.pop_front();
        }
        if live.exceeded.is_some() {
            self.found.remove(&id);
            self.due.retain(|(_, due)| *due != id);
            self.put.remove(&id);
            return;
        }
        if !named.is_empty() {
            let communes = codes(&live.communes);
            self.put.insert(id, Put { home: commit.home, status, communes });
            self.due.insert((at.plus_ms(LOOK_AFTER_MS), id));
        }
        // What history holds is not reckoned: it was, in its time.
        while let Some((due, stale)) = self.due.first().copied() {
            if at.since_ms(due) <= LOOKED_WITHIN_MS {
                return;
            }
            self.due.pop_first();
            self.put.remove(&stale);
        }
    }

    fn forget(&mut self, alert: AlertId) {
        self.found.remove(&alert);
        self.put.remove(&alert);
    }

    fn begin_anew(&mut self) {
        *self = Self::of(self.directory.clone(), Arc::clone(&self.policies));
    }

    fn next(&self) -> Option<Millis> {
        self.due.first().map(|(at, _)| *at)
    }

    fn commands(&mut self, now: Millis) -> Vec<Draft> {
        self.look(now);
        let found = self.found.iter().take(COMMANDS_MAX);
        found
            .map(|(alert, (home, exceeded))| {
                let id = RecordId::of_purpose(&format!("budget/{alert}"));
                let figures = Some(exceeded_said(exceeded));
                let body = Body::NoteAlertBudget(v1::NoteAlertBudget { figures });
                draft(id, (EntityName::alert(*alert), *home), alert.0.as_bytes(), now, body)
            })
            .collect()
    }
}

fn codes(reached: &[CommuneReached]) -> Vec<CommuneCode> {
    reached.iter().map(|reached| reached.home.commune).collect()
}

#[cfg(test)]
mod tests {
    use domain::policy::Policy;

    use super::*;

    #[test]
    fn after_a_flood_it_looks_at_a_few_alerts_at_a_time() {
        let policies = Arc::new(Policies::from(Policy::default()));
        let mut budget = Budget::of(SharedDirectory::default(), policies);
        let home = Home { province: "38".parse().unwrap(), commune: "15961".parse().unwrap() };
        for n in 0..i64::try_from(LOOKED_AT_ONCE_MAX).unwrap() + 88 {
            let alert = AlertId::raised_by(RecordId::of_purpose(&n.to_string()));
            let (status, communes) = (AlertStatus::Actual, vec![home.commune]);
            budget.put.insert(alert, Put { home, status, communes });
            budget.due.insert((Millis(n), alert));
        }
        let now = Millis(10_000);
        assert!(budget.commands(now).is_empty(), "nobody is over the budget");
        assert_eq!(budget.put.len(), 88);
        assert!(budget.next().unwrap() <= now, "the rest is due at once");
        budget.commands(now);
        assert_eq!(budget.next(), None);
    }
}
