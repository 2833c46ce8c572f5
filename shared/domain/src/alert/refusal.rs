//! Why something is refused.

use crate::{decider::Refusal, expiry::NotAnExpiry, guard::NotShown, reach::NoReach};

/// Why something is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    /// It was decided too late.
    #[error("held for longer than it was valid")]
    Stale,
    /// There is such an alert already.
    #[error("raised already")]
    AlreadyRaised,
    /// There is no such alert.
    #[error("no such alert")]
    NotRaised,
    /// The expiry is none.
    #[error("{0}")]
    NotAnExpiry(NotAnExpiry),
    /// Somebody or something is missing, and nobody says where.
    #[error("last_seen is missing")]
    LastSeenMissing,
    /// What may not be said of a suspect (R20).
    #[error("{1}")]
    NotShown(&'static str, NotShown),
    /// The reach does not fit.
    #[error("{0}")]
    NoReach(NoReach),
    /// The second person is who asked, or who sent (R2).
    #[error("the same person cannot approve")]
    SamePerson,
    /// The role does not approve.
    #[error("the role does not approve")]
    RoleMissing,
    /// Another revision than the one that waits.
    #[error("another revision waits")]
    StaleRevision,
    /// Nothing waits for approval.
    #[error("nothing waits for approval")]
    NotAwaiting,
    /// Something waits for approval already.
    #[error("a change waits for approval already")]
    ChangeWaits,
    /// It still waits for approval.
    #[error("not issued yet")]
    NotIssued,
    /// Nobody sent it alone.
    #[error("no review is owed")]
    NoReviewOwed,
    /// It is not on hold.
    #[error("not on hold")]
    NotHeld,
    /// It was cancelled.
    #[error("cancelled already")]
    AlreadyCancelled,
    /// It was resolved.
    #[error("resolved already")]
    AlreadyResolved,
    /// It was declined, so that nobody was told.
    #[error("declined")]
    Declined,
    /// It is over.
    #[error("the alert is over")]
    Closed,
    /// Only what was resolved can be opened again.
    #[error("it was not resolved")]
    NotResolved,
    /// Its kind, status and commune are what it is: another alert has others.
    #[error("kind, status and commune do not change")]
    AnotherAlert,
    /// The commune is none that the alert was put to.
    #[error("the alert was not relayed to this commune")]
    NotRelayed,
}

impl From<NotDone> for Refusal {
    fn from(not: NotDone) -> Self {
        let (code, field) = match not {
            NotDone::Stale => return Self::STALE,
            NotDone::AlreadyRaised => ("already-raised", ""),
            NotDone::NotRaised | NotDone::NotRelayed => ("not-found", ""),
            NotDone::NotAnExpiry(NotAnExpiry::Passed) => ("expiry-passed", "expires"),
            NotDone::NotAnExpiry(NotAnExpiry::TooFar { .. }) => ("expiry-too-far", "expires"),
            NotDone::LastSeenMissing => ("last-seen-missing", "last_seen"),
            NotDone::NotShown(field, why) => (why.code(), field),
            NotDone::NoReach(NoReach::UnknownCommune) => ("unknown-commune", "commune"),
            NotDone::NoReach(NoReach::UnknownNamed(_)) => ("unknown-commune", "reach.communes"),
            NotDone::NoReach(NoReach::TooManyRings) => ("over-limit", "reach.rings"),
            NotDone::NoReach(NoReach::TooManyNamed) => ("over-limit", "reach.communes"),
            NotDone::SamePerson => ("same-person", ""),
            NotDone::RoleMissing => ("role-missing", ""),
            NotDone::StaleRevision => ("stale-revision", "revision"),
            NotDone::NotAwaiting => ("not-awaiting-approval", ""),
            NotDone::ChangeWaits => ("change-waits", ""),
            NotDone::NotIssued => ("not-issued", ""),
            NotDone::NoReviewOwed => ("no-review-owed", ""),
            NotDone::NotHeld => ("not-on-hold", ""),
            NotDone::AlreadyCancelled => ("already-cancelled", ""),
            NotDone::AlreadyResolved => ("already-resolved", ""),
            NotDone::Declined => ("declined", ""),
            NotDone::Closed => ("closed", ""),
            NotDone::NotResolved => ("not-resolved", ""),
            NotDone::AnotherAlert => ("another-alert", "kind"),
        };
        Self { code, field }
    }
}
