//! Found and missing meet: whoever is issued or updated is compared with the other alerts, and
//! what may be the same is proposed to the officers of both.
//!
//! Nothing follows from a proposal by itself. The commands have ids of their pair.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    ids::{AlertId, Millis},
    matching::{
        decision::{Pair, Proposed},
        meeting::{Compared, Meeting, Standing},
    },
};
use event_log::command::Draft;
use registry::Map;
use wire::{matching::propose_said, v1::command::Body};

use crate::asking::{Commit, Due, draft};

/// Alerts that are compared with all others at once at the start; in between, records are read.
const COMPARED_MAX: usize = 32;
/// Commands that are given at once.
const COMMANDS_MAX: usize = 256;

/// What is to be compared, and what is to be proposed.
pub(crate) struct Matches {
    map: Arc<Map>,
    meeting: Meeting,
    /// What is still to be given on.
    pending: BTreeMap<Pair, Proposed>,
}

impl Matches {
    pub(crate) fn new(map: &Arc<Map>) -> Self {
        Self { map: Arc::clone(map), meeting: Meeting::default(), pending: BTreeMap::new() }
    }

    fn give(&mut self, compared: Compared) {
        self.meeting.settle(&compared);
        let proposals = compared.proposals.into_iter();
        self.pending.extend(proposals.map(|proposed| (proposed.pair, proposed)));
    }
}

impl Due for Matches {
    const TASK: &'static str = "alerting-matches";
    const LATE: &'static str = "matches cannot be proposed yet";

    fn take_in(&mut self, commit: &Commit<'_>) {
        let of_match = commit.entity.matched().and_then(|[one, other]| Pair::of(one, other));
        if let Some(pair) = of_match {
            // Proposed, or refused: either way nobody is asked again.
            self.meeting.was_proposed(pair);
            self.pending.remove(&pair);
        }
        let Some((id, alert)) = commit.alert else { return };
        self.meeting.saw(id, Standing::of(alert, commit.at));
        // Before the history has been read nobody knows what was proposed.
        if commit.live {
            let compared = self.meeting.compare_one(id, commit.at, self.map.as_ref());
            self.give(compared);
        }
    }

    fn begin_anew(&mut self) {
        let map = Arc::clone(&self.map);
        *self = Self::new(&map);
    }

    /// At once, while there is something to compare.
    fn next(&self) -> Option<Millis> {
        self.meeting.has_to_compare().then_some(Millis(i64::MIN))
    }

    fn commands(&mut self, now: Millis) -> Vec<Draft> {
        self.meeting.forget_ended(now);
        let compared = self.meeting.compare(COMPARED_MAX, now, self.map.as_ref());
        self.give(compared);
        self.pending.values().take(COMMANDS_MAX).map(|proposed| proposal(proposed, now)).collect()
    }
}

fn proposal(proposed: &Proposed, now: Millis) -> Draft {
    let ([first, _], [home, _]): ([AlertId; 2], _) = (proposed.pair.alerts(), proposed.homes);
    let (id, of) = (proposed.pair.proposal_id(), (proposed.pair.entity(), home));
    draft(id, of, first.0.as_bytes(), now, Body::ProposeMatch(propose_said(proposed)))
}
