//! What can be asked of an alert.

use super::{AlertFacts, LastSeen};
use crate::{
    delivery::Target,
    fatigue::Exceeded,
    ids::{CommuneCode, Home, Millis, RecordId},
    reach::ReachRequest,
    values::Role,
};

/// Something asked of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertCommand {
    /// The officer's id, or `service:alerting`.
    pub by: String,
    /// The role of the token; `None` for a service.
    pub role: Option<Role>,
    /// Decided later than this, it is stale.
    pub valid_until: Option<Millis>,
    /// Which fields lie in the command's sealed part.
    pub sealed: Vec<String>,
    /// What.
    pub ask: AlertAsk,
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertAsk {
    /// A new alert.
    Raise {
        /// What is open of it.
        facts: AlertFacts,
        /// Ten characters that people type.
        code: String,
        /// The command whose sealed part holds the words.
        content: RecordId,
    },
    /// A second person's yes.
    Approve {
        /// To exactly this revision.
        revision: u64,
    },
    /// A second person's no to what waits.
    Decline {
        /// The command whose sealed part holds the note.
        note: RecordId,
    },
    /// A second person has looked at what was sent by one.
    Review,
    /// It says something else from now on.
    Change(Change),
    /// Further, or other, communes.
    Widen {
        /// The reach from now on; it does not grow by itself unless it is `Auto`.
        reach: ReachRequest,
    },
    /// What has not left stays here, and the reach does not grow.
    Hold,
    /// What was held goes on.
    Release,
    /// Somebody or something was seen.
    Sight {
        /// Where and when.
        seen: LastSeen,
        /// Where the officer who says so is at home.
        commune: CommuneCode,
        /// The command whose sealed part holds the words.
        note: RecordId,
    },
    /// It is called back.
    Cancel {
        /// The command whose sealed part holds the note.
        note: RecordId,
    },
    /// It came to a good end.
    Resolve {
        /// The command whose sealed part holds the note.
        note: RecordId,
    },
    /// The good end was none: the wrong child was found.
    Reopen {
        /// The command whose sealed part holds the note.
        note: RecordId,
    },
    /// Its time has passed.
    Expire {
        /// The expiry that was meant; a later one makes this void.
        expires_at: Millis,
    },
    /// It ends soon: the officer is asked whether it is to go on.
    NearExpiry {
        /// The expiry that was meant; another one makes this void.
        expires_at: Millis,
    },
    /// The communes that one commit could not name.
    RelayFurther {
        /// 1 for the first continuation.
        step: u32,
    },
    /// The reach grows, as time has passed.
    Grow {
        /// 1 for the first enlargement.
        step: u32,
    },
    /// A commune that it was relayed to relayed it onward.
    TakeOnward {
        /// To these.
        to: Vec<Home>,
    },
    /// A commune that it was relayed to has instructed its own groups.
    TakeInstruction {
        /// Which.
        commune: CommuneCode,
        /// The command to the relay whose sealed part holds the words.
        content: RecordId,
    },
    /// It tells groups more often than their budget has.
    NoteBudget(Exceeded),
    /// These were told another way what a correction or an end says.
    Attest {
        /// The revision that corrects.
        revision: u64,
        /// The commune whose groups they are.
        commune: CommuneCode,
        /// At least one, at most [`crate::delivery::TARGETS_PER_RECORD_MAX`].
        targets: Vec<Target>,
        /// The command whose sealed part says how.
        note: RecordId,
    },
    /// The review that is owed did not come in time.
    MissReview {
        /// When it was due.
        due: Millis,
    },
}

/// An update, or a correction: the whole content as it is from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What people are told it is.
    pub how: ChangeHow,
    /// What is open of it from now on.
    pub facts: AlertFacts,
    /// The command whose sealed part holds all the words from now on.
    pub content: RecordId,
    /// The fields that were added or say something else; what was only taken back is not here.
    pub set: Vec<String>,
}

/// What people are told a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeHow {
    /// There is more to say.
    Update,
    /// What was said was wrong.
    Correct,
}
