//! The alert: raised, perhaps approved, issued, and cancelled, resolved or expired.
//!
//! A relay to a commune begins where the alert names it; the commune's answer is `relay`'s.

use std::sync::Arc;

use crate::{
    decider::{Decider, Refusal},
    ids::{Home, Millis, RecordId},
    reach::{Borders, COMMUNES_PER_COMMIT_MAX, CommuneReached, NoReach, ReachRequest, reach},
    values::{AlertKind, AlertStatus, Role, Sex, Travel},
};

/// What is open of an alert; its words are sealed, and no decision needs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertFacts {
    /// The subject.
    pub kind: AlertKind,
    /// CAP's status.
    pub status: AlertStatus,
    /// The issuing commune.
    pub home: Home,
    /// When the first word of it came.
    pub reported_at: Option<Millis>,
    /// Where and when.
    pub last_seen: Option<LastSeen>,
    /// How somebody may be moving.
    pub travel: Option<Travel>,
    /// Who.
    pub person: Option<PersonFacts>,
    /// The code of the legal basis.
    pub legal_basis: Option<String>,
    /// When the alert ends by itself.
    pub expires_at: Millis,
    /// Which communes are asked for.
    pub reach: ReachRequest,
}

/// Where and when somebody or something was last seen, or was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastSeen {
    /// When, if it is known.
    pub at: Option<Millis>,
    /// Thousandths of a degree, WGS84, if the place is known.
    pub point: Option<MilliPoint>,
}

/// A point to a thousandth of a degree: about a hundred metres.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MilliPoint {
    /// North, in thousandths of a degree.
    pub lat_millideg: i32,
    /// East, in thousandths of a degree.
    pub lon_millideg: i32,
}

/// What may stand in the log of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PersonFacts {
    /// Age in years.
    pub age_years: Option<u8>,
    /// Sex, if it was given.
    pub sex: Option<Sex>,
}

/// Something asked of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertCommand {
    /// The officer's id, or `service:alerting`.
    pub by: String,
    /// The role of the token; `None` for a service.
    pub role: Option<Role>,
    /// Decided later than this, it is stale.
    pub valid_until: Option<Millis>,
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
    /// Its time has passed.
    Expire {
        /// The expiry that was meant; a later one makes this void.
        expires_at: Millis,
    },
    /// The communes that one commit could not name.
    RelayFurther {
        /// 1 for the first continuation.
        step: u32,
    },
}

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
    },
    /// A second person approved.
    Approved {
        /// What was approved.
        revision: u64,
        /// Who.
        by: String,
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
        /// At most [`COMMUNES_PER_COMMIT_MAX`].
        communes: Vec<CommuneReached>,
        /// Those that one commit could not name.
        to_follow: Vec<CommuneReached>,
    },
    /// It is put to further communes; no new revision for those already told.
    RelayedFurther {
        /// 1 for the first continuation.
        step: u32,
        /// At most [`COMMUNES_PER_COMMIT_MAX`].
        communes: Vec<CommuneReached>,
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
    /// Its time has passed.
    Expired {
        /// The new revision.
        revision: u64,
    },
}

/// What a decision knows beside the history.
#[derive(Clone)]
pub struct AlertKnown {
    /// When it is decided.
    pub now: Millis,
    /// The map in force.
    pub map: Arc<dyn Borders>,
}

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
    /// It has expired before it was decided.
    #[error("the expiry has passed")]
    ExpiryPassed,
    /// Somebody or something is missing, and nobody says where.
    #[error("last_seen is missing")]
    LastSeenMissing,
    /// A suspect without a legal basis (R20).
    #[error("legal_basis is missing")]
    LegalBasisMissing,
    /// The reach does not fit.
    #[error("{0}")]
    NoReach(NoReach),
    /// The approver is who asked (R2).
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
    /// It still waits for approval.
    #[error("not issued yet")]
    NotIssued,
    /// It was cancelled.
    #[error("cancelled already")]
    AlreadyCancelled,
    /// It was resolved.
    #[error("resolved already")]
    AlreadyResolved,
}

impl From<NotDone> for Refusal {
    fn from(not: NotDone) -> Self {
        let (code, field) = match not {
            NotDone::Stale => return Self::STALE,
            NotDone::AlreadyRaised => ("already-raised", ""),
            NotDone::NotRaised => ("not-found", ""),
            NotDone::ExpiryPassed => ("expiry-passed", "expires"),
            NotDone::LastSeenMissing => ("last-seen-missing", "last_seen"),
            NotDone::LegalBasisMissing => ("legal-basis-missing", "legal_basis"),
            NotDone::NoReach(NoReach::UnknownCommune) => ("unknown-commune", "commune"),
            NotDone::NoReach(NoReach::UnknownNamed(_)) => ("unknown-commune", "reach.communes"),
            NotDone::NoReach(NoReach::TooManyRings) => ("over-limit", "reach.rings"),
            NotDone::NoReach(NoReach::TooManyNamed) => ("over-limit", "reach.communes"),
            NotDone::SamePerson => ("same-person", ""),
            NotDone::RoleMissing => ("role-missing", ""),
            NotDone::StaleRevision => ("stale-revision", "revision"),
            NotDone::NotAwaiting => ("not-awaiting-approval", ""),
            NotDone::NotIssued => ("not-issued", ""),
            NotDone::AlreadyCancelled => ("already-cancelled", ""),
            NotDone::AlreadyResolved => ("already-resolved", ""),
        };
        Self { code, field }
    }
}

/// An alert, as far as it is decided.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Alert {
    /// Nothing was decided yet.
    #[default]
    Unissued,
    /// A second person must approve.
    AwaitingApproval(Content),
    /// It is in force.
    Active(Live),
    /// It is over. It may still be corrected: those who were told must hear of it.
    Closed {
        /// As it was when it ended; nobody was told if `communes` is empty.
        live: Live,
        /// How.
        how: Closing,
    },
}

/// What an alert says, and which revision of it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// A change of content or state.
    pub revision: u64,
    /// What is open.
    pub facts: AlertFacts,
    /// Ten characters that people type.
    pub code: String,
    /// The command whose sealed part holds the words.
    pub content: RecordId,
    /// Who raised it.
    pub by: String,
}

/// An alert that is or was in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// What it says.
    pub content: Content,
    /// The revision that a second person approved, if one had to.
    pub approved: Option<u64>,
    /// The communes it was put to.
    pub communes: Vec<CommuneReached>,
    /// Those that a further commit will name.
    pub to_follow: Vec<CommuneReached>,
    /// How many continuations were recorded.
    pub steps: u32,
}

/// How an alert ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// Called back.
    Cancelled,
    /// A good end.
    Resolved,
    /// Time passed.
    Expired,
}

impl Alert {
    /// What it says, once anything was decided.
    #[must_use]
    pub fn content(&self) -> Option<&Content> {
        match self {
            Self::Unissued => None,
            Self::AwaitingApproval(content) => Some(content),
            Self::Active(live) | Self::Closed { live, .. } => Some(&live.content),
        }
    }

    /// The communes that it was put to.
    #[must_use]
    pub fn communes(&self) -> &[CommuneReached] {
        match self {
            Self::Unissued | Self::AwaitingApproval(_) => &[],
            Self::Active(live) | Self::Closed { live, .. } => &live.communes,
        }
    }

    /// The state's word in the interface.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self {
            Self::Unissued => "deciding",
            Self::AwaitingApproval(_) => "awaiting-approval",
            Self::Active(_) => "active",
            Self::Closed { how: Closing::Cancelled, .. } => "cancelled",
            Self::Closed { how: Closing::Resolved, .. } => "resolved",
            Self::Closed { how: Closing::Expired, .. } => "expired",
        }
    }

    /// When the alert will expire by itself, if it still can.
    #[must_use]
    pub fn expires_at(&self) -> Option<Millis> {
        match self {
            Self::AwaitingApproval(content) => Some(content.facts.expires_at),
            Self::Active(live) => Some(live.content.facts.expires_at),
            Self::Unissued | Self::Closed { .. } => None,
        }
    }

    fn raise(
        &self,
        command: &AlertCommand,
        (facts, code, content): (&AlertFacts, &str, RecordId),
        known: &AlertKnown,
    ) -> Result<Vec<AlertEvent>, NotDone> {
        if *self != Self::Unissued {
            return Err(NotDone::AlreadyRaised);
        }
        if facts.expires_at <= known.now {
            return Err(NotDone::ExpiryPassed);
        }
        if facts.kind.needs_last_seen() && facts.last_seen.is_none() {
            return Err(NotDone::LastSeenMissing);
        }
        if facts.kind == AlertKind::Suspect && facts.legal_basis.is_none() {
            return Err(NotDone::LegalBasisMissing);
        }
        let said = Content {
            revision: 1,
            facts: facts.clone(),
            code: code.to_owned(),
            content,
            by: command.by.clone(),
        };
        let issued = issue(said, known)?;
        if !facts.kind.needs_approval() {
            return Ok(vec![issued]);
        }
        Ok(vec![AlertEvent::ApprovalAsked {
            revision: 1,
            facts: facts.clone(),
            code: code.to_owned(),
            content,
            by: command.by.clone(),
        }])
    }

    fn approve(
        &self,
        command: &AlertCommand,
        revision: u64,
        known: &AlertKnown,
    ) -> Result<Vec<AlertEvent>, NotDone> {
        let waiting = match self {
            Self::Unissued => return Err(NotDone::NotRaised),
            Self::AwaitingApproval(waiting) => waiting,
            Self::Active(live) if live.approved == Some(revision) => return Ok(vec![]),
            Self::Active(_) | Self::Closed { .. } => return Err(NotDone::NotAwaiting),
        };
        if !matches!(command.role, Some(Role::Commander | Role::Province)) {
            return Err(NotDone::RoleMissing);
        }
        if waiting.by == command.by {
            return Err(NotDone::SamePerson);
        }
        if waiting.revision != revision {
            return Err(NotDone::StaleRevision);
        }
        if waiting.facts.expires_at <= known.now {
            return Err(NotDone::ExpiryPassed);
        }
        let issued = issue(Content { revision: revision + 1, ..waiting.clone() }, known)?;
        Ok(vec![AlertEvent::Approved { revision, by: command.by.clone() }, issued])
    }

    fn cancel(&self, note: RecordId) -> Result<Vec<AlertEvent>, NotDone> {
        match self {
            Self::Unissued => Err(NotDone::NotRaised),
            Self::Closed { how: Closing::Cancelled, .. } => Ok(vec![]),
            Self::Closed { how: Closing::Resolved, .. } => Err(NotDone::AlreadyResolved),
            // A false alarm that has expired is still a false alarm.
            _ => Ok(vec![AlertEvent::Cancelled { revision: self.next_revision(), note }]),
        }
    }

    fn resolve(&self, note: RecordId) -> Result<Vec<AlertEvent>, NotDone> {
        match self {
            Self::Unissued => Err(NotDone::NotRaised),
            Self::AwaitingApproval(_) => Err(NotDone::NotIssued),
            Self::Closed { how: Closing::Resolved, .. } => Ok(vec![]),
            Self::Closed { how: Closing::Cancelled, .. } => Err(NotDone::AlreadyCancelled),
            _ => Ok(vec![AlertEvent::Resolved { revision: self.next_revision(), note }]),
        }
    }

    fn next_revision(&self) -> u64 {
        self.content().map_or(1, |content| content.revision + 1)
    }

    fn closed(self, revision: u64, how: Closing) -> Self {
        let mut live = match self {
            Self::Unissued => return Self::Unissued,
            Self::AwaitingApproval(content) => {
                Live { content, approved: None, communes: vec![], to_follow: vec![], steps: 0 }
            }
            Self::Active(live) | Self::Closed { live, .. } => live,
        };
        live.content.revision = revision;
        Self::Closed { live, how }
    }
}

/// The event that puts `said` in force, with the communes of its reach.
fn issue(said: Content, known: &AlertKnown) -> Result<AlertEvent, NotDone> {
    let mut communes = reach(said.facts.home.commune, &said.facts.reach, known.map.as_ref())
        .map_err(NotDone::NoReach)?;
    let to_follow = communes.split_off(communes.len().min(COMMUNES_PER_COMMIT_MAX));
    let Content { revision, facts, code, content, by } = said;
    Ok(AlertEvent::Issued { revision, facts, code, content, by, communes, to_follow })
}

impl Decider for Alert {
    type Command = AlertCommand;
    type Event = AlertEvent;
    type Rejection = NotDone;
    type Facts = AlertKnown;

    fn decide(
        &self,
        command: &AlertCommand,
        known: &AlertKnown,
    ) -> Result<Vec<AlertEvent>, NotDone> {
        if command.valid_until.is_some_and(|until| until < known.now) {
            return Err(NotDone::Stale);
        }
        match &command.ask {
            AlertAsk::Raise { facts, code, content } => {
                self.raise(command, (facts, code, *content), known)
            }
            AlertAsk::Approve { revision } => self.approve(command, *revision, known),
            AlertAsk::Cancel { note } => self.cancel(*note),
            AlertAsk::Resolve { note } => self.resolve(*note),
            AlertAsk::Expire { expires_at } => Ok(match self.expires_at() {
                Some(at) if at == *expires_at && at <= known.now => {
                    vec![AlertEvent::Expired { revision: self.next_revision() }]
                }
                _ => vec![],
            }),
            AlertAsk::RelayFurther { step } => Ok(match self {
                Self::Active(live) if live.steps + 1 == *step && !live.to_follow.is_empty() => {
                    let communes =
                        live.to_follow.iter().take(COMMUNES_PER_COMMIT_MAX).copied().collect();
                    vec![AlertEvent::RelayedFurther { step: *step, communes }]
                }
                _ => vec![],
            }),
        }
    }

    fn evolve(self, event: &AlertEvent) -> Self {
        match (self, event) {
            // A record that the broker lost and that was appended again later may come after
            // the end: cancelled outranks resolved, and any end outranks active.
            (
                closed @ Self::Closed { .. },
                AlertEvent::ApprovalAsked { .. }
                | AlertEvent::Issued { .. }
                | AlertEvent::Expired { .. },
            )
            | (
                closed @ Self::Closed { how: Closing::Cancelled, .. },
                AlertEvent::Resolved { .. },
            ) => closed,
            (_, AlertEvent::ApprovalAsked { revision, facts, code, content, by }) => {
                Self::AwaitingApproval(Content {
                    revision: *revision,
                    facts: facts.clone(),
                    code: code.clone(),
                    content: *content,
                    by: by.clone(),
                })
            }
            (
                before,
                AlertEvent::Issued { revision, facts, code, content, by, communes, to_follow },
            ) => Self::Active(Live {
                approved: before.content().map(|waiting| waiting.revision),
                content: Content {
                    revision: *revision,
                    facts: facts.clone(),
                    code: code.clone(),
                    content: *content,
                    by: by.clone(),
                },
                communes: communes.clone(),
                to_follow: to_follow.clone(),
                steps: 0,
            }),
            (Self::Active(mut live), AlertEvent::RelayedFurther { step, communes }) => {
                live.to_follow.retain(|commune| !communes.contains(commune));
                live.communes.extend(communes.iter().copied());
                live.steps = *step;
                Self::Active(live)
            }
            (before, AlertEvent::Cancelled { revision, .. }) => {
                before.closed(*revision, Closing::Cancelled)
            }
            (before, AlertEvent::Resolved { revision, .. }) => {
                before.closed(*revision, Closing::Resolved)
            }
            (before, AlertEvent::Expired { revision }) => {
                before.closed(*revision, Closing::Expired)
            }
            (before, AlertEvent::Approved { .. } | AlertEvent::RelayedFurther { .. }) => before,
        }
    }
}

#[cfg(test)]
#[path = "alert_tests.rs"]
mod tests;
