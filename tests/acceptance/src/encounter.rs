//! What the log says must be proposed of found and missing: the same rule as alerting's, asked of
//! each alert in the order of the log.

use std::{collections::BTreeSet, sync::Arc};

use domain::{
    alert::Alert,
    ids::{AlertId, Millis},
    matching::{
        decision::Pair,
        meeting::{Meeting, Standing},
    },
};
use registry::Map;

/// Alerts that may meet, and what is not proposed yet.
#[derive(Default)]
pub struct Encounters {
    /// Without one, nobody meets.
    map: Option<Arc<Map>>,
    meeting: Meeting,
    expected: BTreeSet<Pair>,
}

impl Encounters {
    /// None yet, on this map.
    #[must_use]
    pub fn of(map: Arc<Map>) -> Self {
        Self { map: Some(map), ..Self::default() }
    }

    /// Something happened to an alert at this time.
    pub fn stands(&mut self, id: AlertId, alert: Option<&Alert>, at: Millis) {
        let Some(map) = &self.map else { return };
        self.meeting.saw(id, alert.and_then(|alert| Standing::of(alert, at)));
        let compared = self.meeting.compare_one(id, at, map.as_ref());
        self.meeting.settle(&compared);
        self.expected.extend(compared.proposals.iter().map(|proposed| proposed.pair));
    }

    /// Something was proposed of these, or refused.
    pub fn proposed(&mut self, pair: Pair) {
        self.meeting.was_proposed(pair);
        self.expected.remove(&pair);
    }

    /// Something that is not proposed yet.
    #[must_use]
    pub fn expected(&self) -> Option<Pair> {
        self.expected.first().copied()
    }
}
