//! A row of the board: one alert as it stands, folded from the log.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    alert::{Alert, AlertEvent, AlertFacts},
    decider::Decider,
    ids::{AlertId, CommuneCode, Home, Millis, RecordId},
    lane::Lanes,
    reach::CommuneReached,
    relay::Answer,
};
use event_log::At;

/// One alert.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) id: AlertId,
    pub(crate) home: Home,
    /// What was asked for, from the command; what stands, from the events, is in `alert`.
    pub(crate) asked: Option<Asked>,
    pub(crate) alert: Alert,
    /// When it was issued.
    pub(crate) sent: Option<Millis>,
    pub(crate) relays: BTreeMap<CommuneCode, RelayRow>,
    /// Why the raise was refused.
    pub(crate) refusal: Option<Refused>,
    /// Thousands of lanes; shared, since a row is copied to be shown.
    pub(crate) lanes: BTreeMap<CommuneCode, Arc<Lanes>>,
    /// What must be durable before this row is shown, for each class.
    pub(crate) shown_after: BTreeMap<event_log::Class, At>,
}

/// What a command asked for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) facts: AlertFacts,
    pub(crate) content: RecordId,
}

/// A commune that the alert was put to.
#[derive(Debug, Clone)]
pub(crate) struct RelayRow {
    pub(crate) reached: CommuneReached,
    pub(crate) relayed_at: Option<Millis>,
    pub(crate) answer: Option<(Answer, Millis)>,
}

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: String,
    pub(crate) field: String,
}

impl Row {
    pub(crate) fn new(id: AlertId, home: Home) -> Self {
        Self {
            id,
            home,
            asked: None,
            alert: Alert::default(),
            sent: None,
            relays: BTreeMap::new(),
            refusal: None,
            lanes: BTreeMap::new(),
            shown_after: BTreeMap::new(),
        }
    }

    /// The row without its deliveries, of which there may be thousands.
    pub(crate) fn without_lanes(&self) -> Self {
        Self {
            id: self.id,
            home: self.home,
            asked: self.asked.clone(),
            alert: self.alert.clone(),
            sent: self.sent,
            relays: self.relays.clone(),
            refusal: self.refusal.clone(),
            lanes: BTreeMap::new(),
            shown_after: self.shown_after.clone(),
        }
    }

    /// The row with the deliveries of one commune.
    pub(crate) fn with_lanes_of(&self, commune: CommuneCode) -> Self {
        let mut row = self.without_lanes();
        if let Some(lanes) = self.lanes.get(&commune) {
            row.lanes.insert(commune, lanes.clone());
        }
        row
    }

    /// Forgets what the alert's own records said.
    pub(crate) fn forget(&mut self) {
        self.alert = Alert::default();
        self.sent = None;
        self.refusal = None;
        self.relays.clear();
    }

    /// Takes an event of the alert in.
    pub(crate) fn apply(&mut self, event: &AlertEvent, at: Millis) {
        if let AlertEvent::Issued { communes, .. } | AlertEvent::RelayedFurther { communes, .. } =
            event
        {
            for reached in communes {
                self.relay(reached.home.commune, *reached).relayed_at = Some(at);
            }
        }
        if matches!(event, AlertEvent::Issued { .. }) {
            self.sent = Some(at);
        }
        self.alert = std::mem::take(&mut self.alert).evolve(event);
    }

    fn relay(&mut self, commune: CommuneCode, reached: CommuneReached) -> &mut RelayRow {
        let new = RelayRow { reached, relayed_at: None, answer: None };
        let row = self.relays.entry(commune).or_insert(new);
        row.reached = reached;
        row
    }

    /// What is open of the alert.
    pub(crate) fn facts(&self) -> Option<&AlertFacts> {
        let standing = self.alert.content().map(|content| &content.facts);
        standing.or(self.asked.as_ref().map(|asked| &asked.facts))
    }

    /// The command whose sealed part holds the words.
    pub(crate) fn content(&self) -> Option<RecordId> {
        let standing = self.alert.content().map(|content| content.content);
        standing.or(self.asked.as_ref().map(|asked| asked.content))
    }

    /// Ten characters that people type.
    pub(crate) fn code(&self) -> String {
        self.id.code()
    }

    /// The revision that stands; 1 is the one that is being decided on.
    pub(crate) fn revision(&self) -> u64 {
        self.alert.content().map_or(1, |content| content.revision)
    }

    /// The state's word in the interface.
    pub(crate) fn state(&self) -> &'static str {
        match (&self.alert, &self.refusal) {
            (Alert::Unissued, Some(_)) => "refused",
            (alert, _) => alert.state(),
        }
    }

    /// The communes that this alert concerns.
    pub(crate) fn communes(&self) -> impl Iterator<Item = Home> {
        let own = (!self.relays.contains_key(&self.home.commune)).then_some(self.home);
        own.into_iter().chain(self.relays.values().map(|relay| relay.reached.home))
    }
}
