//! A row of the board: one alert as it stands, folded from the log.

use std::collections::BTreeMap;

use domain::{
    alert::{Alert, AlertEvent, AlertFacts},
    corrections::Correction,
    decider::Decider,
    erasure::Erasure,
    ids::{AlertId, CommuneCode, Home, Millis, RecordId},
    reach::CommuneReached,
};
use event_log::At;

use crate::{match_board::Related, relay_story::RelayStory};

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
    /// The newest correction or end, and so who is on the list of those to be corrected.
    pub(crate) correction: Option<Correction>,
    /// Why the raise was refused.
    pub(crate) refusal: Option<Refused>,
    /// How it stands with its words and pictures.
    pub(crate) erasure: Erasure,
    /// What must be durable before this row is shown, for each class.
    pub(crate) shown_after: BTreeMap<event_log::Class, At>,
    /// Alerts that may speak of the same.
    pub(crate) related: BTreeMap<AlertId, Related>,
    /// What must be durable before `related` is shown.
    pub(crate) related_after: Option<At>,
}

/// What a command asked for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) facts: AlertFacts,
    pub(crate) content: RecordId,
    /// The officer who raised it.
    pub(crate) by: String,
    /// The commune of the officer's token, where it has one.
    pub(crate) by_commune: Option<CommuneCode>,
    /// How the officer was known: `key` where the raise is signed, `token` where it is not.
    pub(crate) attested: String,
    /// When intake wrote it down.
    pub(crate) at: Millis,
    /// When the officer last took part in a drill before.
    pub(crate) last_drill: Option<Millis>,
}

/// A commune that the alert was put to.
#[derive(Debug, Clone)]
pub(crate) struct RelayRow {
    pub(crate) reached: CommuneReached,
    pub(crate) relayed_at: Option<Millis>,
    pub(crate) story: RelayStory,
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
            correction: None,
            refusal: None,
            erasure: Erasure::default(),
            shown_after: BTreeMap::new(),
            related: BTreeMap::new(),
            related_after: None,
        }
    }

    /// Forgets what the alert's own records said.
    pub(crate) fn forget(&mut self) {
        self.alert = Alert::default();
        self.sent = None;
        self.refusal = None;
        self.erasure = Erasure::default();
        self.relays.clear();
        self.correction = None;
        self.related.clear();
        self.related_after = None;
    }

    /// Takes an event of the alert in.
    pub(crate) fn apply(&mut self, event: &AlertEvent, at: Millis) {
        for reached in event.puts_to() {
            self.relay(reached.home.commune, *reached).relayed_at = Some(at);
        }
        if matches!(event, AlertEvent::Issued { .. }) {
            self.sent = Some(at);
        }
        self.correction = Correction::of(event).or(self.correction);
        let was_active = matches!(self.alert, Alert::Active { .. });
        self.alert = std::mem::take(&mut self.alert).evolve(event);
        let is_anew = !was_active && matches!(self.alert, Alert::Active { .. });
        self.relays.values_mut().for_each(|relay| relay.story.asked(at, is_anew));
    }

    fn relay(&mut self, commune: CommuneCode, reached: CommuneReached) -> &mut RelayRow {
        let new = RelayRow { reached, relayed_at: None, story: RelayStory::default() };
        let row = self.relays.entry(commune).or_insert(new);
        row.reached = reached;
        row
    }

    /// It is put to this commune, for all that its commands need.
    pub(crate) fn put_to(&mut self, reached: CommuneReached) {
        self.relay(reached.home.commune, reached);
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
