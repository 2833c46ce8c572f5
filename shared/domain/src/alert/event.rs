//! What is recorded of an alert.

use super::{AlertFacts, ChangeHow, Checked, LastSeen, NextReach};
use crate::{
    delivery::Target,
    fatigue::Exceeded,
    ids::{CommuneCode, Millis, RecordId},
    reach::{CommuneReached, ReachRequest},
};

/// What is recorded of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertEvent {
    /// It waits for a second person.
    ApprovalAsked {
        /// 1.
        revision: u64,
        /// What is open of it.
        facts: AlertFacts,
        /// Ten characters that people type.
        code: String,
        /// The command whose sealed part holds the words.
        content: RecordId,
        /// Who asked: the one person who cannot approve.
        by: String,
        /// What was known, and what was missing.
        checked: Checked,
    },
    /// A change of what is in force waits for a second person.
    ChangeAsked {
        /// The revision that it would be.
        revision: u64,
        /// What.
        change: Pending,
        /// Who asked: the one person who cannot approve.
        by: String,
    },
    /// A second person approved.
    Approved {
        /// What was approved.
        revision: u64,
        /// Who.
        by: String,
    },
    /// A second person declined; nobody is told of what waited.
    Declined {
        /// What was declined.
        revision: u64,
        /// Who.
        by: String,
        /// The command whose sealed part holds the note.
        note: RecordId,
    },
    /// It is in force, and put to these communes.
    Issued {
        /// The revision that is in force.
        revision: u64,
        /// What is open of it.
        facts: AlertFacts,
        /// Ten characters that people type.
        code: String,
        /// The command whose sealed part holds the words.
        content: RecordId,
        /// Who raised it.
        by: String,
        /// At most [`crate::reach::COMMUNES_PER_COMMIT_MAX`].
        communes: Vec<CommuneReached>,
        /// Those that one commit could not name.
        to_follow: Vec<CommuneReached>,
        /// What was known, and what was missing.
        checked: Checked,
        /// By what the communes were found, and when more come.
        next: NextReach,
    },
    /// One officer sent it alone: a second person's review is owed.
    ReviewOwed {
        /// Until when.
        due: Millis,
        /// Who sent: a person who cannot review.
        by: String,
    },
    /// A second person has looked at it.
    Reviewed {
        /// Who.
        by: String,
    },
    /// The review did not come in time.
    ReviewMissed {
        /// When it was due.
        due: Millis,
    },
    /// It is put to further communes; no new revision for those already told.
    RelayedFurther {
        /// 1 for the first continuation.
        step: u32,
        /// At most [`crate::reach::COMMUNES_PER_COMMIT_MAX`].
        communes: Vec<CommuneReached>,
    },
    /// The reach has grown, or was reckoned anew; no new revision for those already told.
    Widened {
        /// 1 for the first.
        step: u32,
        /// The officer, or the rule `reach/v1`, or `onward`.
        by: String,
        /// What is asked for from now on.
        reach: ReachRequest,
        /// Those that were not told before; may be empty, where only the next step is another.
        communes: Vec<CommuneReached>,
        /// Those that one commit could not name.
        to_follow: Vec<CommuneReached>,
        /// By what, and when more come.
        next: NextReach,
    },
    /// Somebody or something was seen.
    Sighted {
        /// Where and when.
        seen: LastSeen,
        /// The commune whose officer said so.
        commune: CommuneCode,
        /// Who.
        by: String,
        /// The command whose sealed part holds the words.
        note: RecordId,
    },
    /// A commune has instructed its own groups: these are told it, and nobody else.
    Instructed {
        /// The new revision.
        revision: u64,
        /// The commune.
        commune: CommuneCode,
        /// The command to the relay whose sealed part holds the words.
        content: RecordId,
    },
    /// It tells groups more often than their budget has (R16).
    BudgetExceeded(Exceeded),
    /// Somebody attests that these were told another way.
    CorrectionAttested {
        /// What a correction or an end of this revision says.
        revision: u64,
        /// The commune whose groups they are.
        commune: CommuneCode,
        /// They.
        targets: Vec<Target>,
        /// Who attests it.
        by: String,
        /// The command whose sealed part says how.
        note: RecordId,
    },
    /// It says something else.
    Changed {
        /// The new revision.
        revision: u64,
        /// What people are told it is.
        how: ChangeHow,
        /// What is open of it.
        facts: AlertFacts,
        /// The command whose sealed part holds the words.
        content: RecordId,
        /// Who changed it.
        by: String,
    },
    /// What has not left stays here.
    Held {
        /// Who.
        by: String,
    },
    /// What was held goes on.
    Released {
        /// The new revision, for those who were not told.
        revision: u64,
        /// Who.
        by: String,
    },
    /// It was called back.
    Cancelled {
        /// The new revision.
        revision: u64,
        /// The command whose sealed part holds the note.
        note: RecordId,
    },
    /// It came to a good end.
    Resolved {
        /// The new revision.
        revision: u64,
        /// The command whose sealed part holds the note.
        note: RecordId,
    },
    /// The good end was none: it is in force again.
    Reopened {
        /// The new revision.
        revision: u64,
        /// Who.
        by: String,
        /// The command whose sealed part holds the note.
        note: RecordId,
    },
    /// It ends soon: the officer is asked whether it is to go on.
    ExpiryNear {
        /// When it ends.
        expires_at: Millis,
    },
    /// Its time has passed.
    Expired {
        /// The new revision.
        revision: u64,
    },
}

impl AlertEvent {
    /// The communes that it puts the alert to: they are told because of it.
    #[must_use]
    pub fn puts_to(&self) -> &[CommuneReached] {
        match self {
            Self::Issued { communes, .. }
            | Self::RelayedFurther { communes, .. }
            | Self::Widened { communes, .. } => communes,
            _ => &[],
        }
    }
}

/// A change that waits for a second person.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Pending {
    /// It would say something else.
    Change {
        /// What people would be told it is.
        how: ChangeHow,
        /// What would be open of it.
        facts: AlertFacts,
        /// The command whose sealed part holds the words.
        content: RecordId,
    },
    /// It would be put to others.
    Widen(ReachRequest),
    /// It would be in force again.
    Reopen {
        /// The command whose sealed part holds the note.
        note: RecordId,
    },
}
