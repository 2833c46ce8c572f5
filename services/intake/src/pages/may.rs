//! What somebody may ask of an alert as it stands: which forms its page has. Whether it is done is
//! decided where every request is.

use domain::{
    alert::{Alert, Closing, Review},
    rights::Asker,
};

use crate::row::Row;

/// The forms of an alert's page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct May {
    /// Approve or decline what waits under this revision.
    pub(crate) approve: Option<u64>,
    /// Review what was sent alone.
    pub(crate) review: bool,
    /// Change the words, widen the reach, prolong.
    pub(crate) change: bool,
    pub(crate) hold: bool,
    pub(crate) release: bool,
    /// Say that it was not over.
    pub(crate) reopen: bool,
    /// Resolve or cancel.
    pub(crate) end: bool,
    /// Say that something was seen.
    pub(crate) sight: bool,
    /// Add instructions for the own groups, or relay onward.
    pub(crate) add: bool,
    /// Keep what an exercise measured.
    pub(crate) measure: bool,
    /// Say that somebody was corrected another way.
    pub(crate) attest: bool,
}

impl May {
    pub(crate) fn of(asker: &Asker, row: &Row) -> Self {
        let is_own = asker.standing.acts_for(row.home);
        let is_active = matches!(row.alert, Alert::Active(_));
        let is_told = row.relays.values().any(|relay| {
            relay.reached.home != row.home && asker.standing.acts_for(relay.reached.home)
        });
        let live = row.alert.live();
        let is_on_hold = live.is_some_and(|live| live.on_hold);
        let is_stale = row.refusal.as_ref().is_some_and(|refusal| refusal.code == "stale");
        let is_resolved = matches!(row.alert, Alert::Closed { how: Closing::Resolved, .. });
        let is_exercise = row.facts().is_some_and(|facts| !facts.status.is_actual());
        let is_seconding = asker.standing.approves_for(row.home);
        Self {
            approve: waits_under(row, asker).filter(|_| is_seconding),
            review: is_seconding && owes_review(row, asker),
            change: is_own && is_active,
            hold: is_own && is_active && !is_on_hold,
            release: is_own && (is_on_hold || (is_stale && row.alert.content().is_none())),
            reopen: is_own && is_resolved,
            end: is_own && matches!(row.alert, Alert::Active(_) | Alert::AwaitingApproval(_)),
            sight: is_active && (is_own || is_told),
            add: is_active && is_told,
            measure: is_own && is_exercise && live.is_some(),
            attest: live.is_some() && row.correction.is_some(),
        }
    }
}

/// The revision that waits for a second person, where somebody else asked for it.
pub(crate) fn waits_under(row: &Row, asker: &Asker) -> Option<u64> {
    let (revision, by) = waiting(row)?;
    (by != asker.officer.as_str()).then_some(revision)
}

/// What waits for a second person: the revision, and who asked for it.
pub(crate) fn waiting(row: &Row) -> Option<(u64, &str)> {
    match &row.alert {
        Alert::AwaitingApproval(content) => Some((content.revision, &content.by)),
        alert => {
            let (revision, _, by) = alert.live()?.pending.as_ref()?;
            Some((*revision, by))
        }
    }
}

/// Whether a review is owed that this one can give.
pub(crate) fn owes_review(row: &Row, asker: &Asker) -> bool {
    match row.alert.live().map(|live| &live.review) {
        Some(Review::Owed { by, .. }) => by.iter().all(|it| *it != asker.officer.as_str()),
        _ => false,
    }
}
