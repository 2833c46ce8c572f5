//! The board: every alert as it stands, and who waits for a decision. A read model of the log.
//!
//! The words are not here: they are sealed, and read from the log when somebody looks. Nor are
//! deliveries: see `deliveries`.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain::{
    ids::{AlertId, EntityName, Home, RecordId},
    state_hash::StateHash,
};
use event_log::{At, Class, Held};
use tokio::sync::oneshot;

use crate::{
    Intake,
    drills::Drills,
    match_board::Matches,
    row::{Refused, Row},
};

/// What was decided about a command.
#[derive(Debug, Clone)]
pub(crate) struct Decision {
    /// The commit.
    pub(crate) at: At,
    pub(crate) refusal: Option<Refused>,
}

/// Everything in it.
#[derive(Default)]
pub(crate) struct Rows {
    alerts: HashMap<AlertId, Row>,
    /// In the order in which they came.
    pub(crate) order: Vec<AlertId>,
    codes: HashMap<String, AlertId>,
    /// The last commit taken in of each entity of an alert.
    versions: HashMap<AlertId, Vec<(EntityName, u64)>>,
    /// What was proposed of two alerts each.
    pub(crate) matches: Matches,
    decided: HashMap<RecordId, At>,
    refusals: HashMap<RecordId, Refused>,
    waiting: HashMap<RecordId, Vec<oneshot::Sender<Decision>>>,
    /// Who took part in which drill last.
    pub(crate) drills: Drills,
}

impl Intake {
    /// What this process shows, as far as it is folded.
    pub(crate) fn held(&self) -> Vec<Held> {
        let board = self.board.lock().held();
        board.into_iter().chain(self.guard.freezes.held()).collect()
    }
}

/// The board of this process.
#[derive(Default)]
pub(crate) struct Board(Mutex<Rows>);

impl Board {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The alert as it stands.
    pub(crate) fn row(&self, id: AlertId) -> Option<Row> {
        self.lock().alerts.get(&id).cloned()
    }

    /// Waits for the decision about a command; begin before it is appended.
    pub(crate) fn wait_for(&self, command: RecordId) -> oneshot::Receiver<Decision> {
        let (sender, receiver) = oneshot::channel();
        self.lock().waiting.entry(command).or_default().push(sender);
        receiver
    }

    /// Nobody waits any more.
    pub(crate) fn give_up(&self, command: RecordId) {
        let mut rows = self.lock();
        if let Some(waiting) = rows.waiting.get_mut(&command) {
            waiting.retain(|sender| !sender.is_closed());
            if waiting.is_empty() {
                rows.waiting.remove(&command);
            }
        }
    }

    /// What was decided about a command, if it was.
    pub(crate) fn decided(&self, command: RecordId) -> Option<Decision> {
        let rows = self.lock();
        let at = *rows.decided.get(&command)?;
        Some(Decision { at, refusal: rows.refusals.get(&command).cloned() })
    }
}

impl Rows {
    /// The alert's row, made where it is new.
    pub(crate) fn row(&mut self, id: AlertId, home: Home) -> &mut Row {
        if !self.alerts.contains_key(&id) {
            self.order.push(id);
            self.codes.insert(id.code(), id);
        }
        self.alerts.entry(id).or_insert_with(|| Row::new(id, home))
    }

    /// The alert's row, where there is one.
    pub(crate) fn get(&self, id: AlertId) -> Option<&Row> {
        self.alerts.get(&id)
    }

    /// As [`Self::get`], to be changed.
    pub(crate) fn get_mut(&mut self, id: AlertId) -> Option<&mut Row> {
        self.alerts.get_mut(&id)
    }

    /// The alerts, their relays and the matches, each as far as it is folded.
    pub(crate) fn held(&self) -> Vec<Held> {
        let of_alerts = self.versions.iter().flat_map(|(id, versions)| {
            let row = self.alerts.get(id);
            versions.iter().filter_map(move |(name, version)| {
                let state = match (row?, name.commune()) {
                    (row, Some(commune)) => row.relays.get(&commune)?.story.state(),
                    (row, None) if name.erasure_of().is_some() => StateHash::of(&row.erasure),
                    (row, None) => StateHash::of(&row.alert),
                };
                Some(Held::at(name, *version, state))
            })
        });
        of_alerts.chain(self.matches.held()).collect()
    }

    /// The alert with this code.
    pub(crate) fn by_code(&self, code: &str) -> Option<&Row> {
        self.alerts.get(self.codes.get(code)?)
    }

    /// Whether this commit has not been taken in yet; takes note of it.
    pub(crate) fn is_new(&mut self, alert: AlertId, entity: &EntityName, version: u64) -> bool {
        let versions = self.versions.entry(alert).or_default();
        match versions.iter_mut().find(|(name, _)| name == entity) {
            Some((_, seen)) if *seen >= version => false,
            Some((_, seen)) => {
                *seen = version;
                true
            }
            None => {
                versions.push((entity.clone(), version));
                true
            }
        }
    }

    /// A command was decided: whoever waits is told.
    pub(crate) fn decide(&mut self, command: RecordId, decision: &Decision) {
        self.decided.insert(command, decision.at);
        if let Some(refusal) = &decision.refusal {
            self.refusals.insert(command, refusal.clone());
        }
        for waiting in self.waiting.remove(&command).unwrap_or_default() {
            // Who has gone does not need it.
            let _ = waiting.send(decision.clone());
        }
    }

    /// Forgets what came from the class of alerts, which comes again from the start. Commands
    /// come again too where their own class does, and change nothing then.
    pub(crate) fn forget_alerts(&mut self) {
        self.versions.clear();
        self.matches = Matches::default();
        self.decided.clear();
        self.refusals.clear();
        for row in self.alerts.values_mut() {
            row.forget();
        }
    }
}

/// Where a record of a row stands.
pub(crate) fn place(row: &mut Row, class: Class, at: At) {
    row.shown_after.insert(class, at);
}
