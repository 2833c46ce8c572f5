//! Erasure of an alert's personal data: asked by one person, ordered by a second, or by the term
//! of the policy, and done when the services say so. A legal hold, set and lifted by two persons,
//! stops it.
//!
//! What was ordered is never taken back: parts of it may be gone.

use crate::{
    decider::{Decider, Refusal},
    ids::{Millis, OfficerId, RecordId},
    values::Role,
};

/// A second person agrees within this; whoever wants it later asks again.
pub const ASKED_DAYS_MAX: i64 = 7;
const ASKED_MS_MAX: i64 = ASKED_DAYS_MAX * 24 * 3_600_000;

/// Why personal data is erased, by article 14 of the law on personal data (`law.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// The person whom it is about asked for it, or who stands for that person.
    SubjectRequest,
    /// What it was for is done.
    PurposeEnded,
    /// An authority decided so.
    Authority,
    /// Another law says so.
    OtherLaw,
    /// The policy's term is over; no person gives this.
    Retention,
    /// It was erased before, in a history that a log restored from an older copy does not have; no
    /// person gives this.
    Restored,
}

impl Basis {
    /// What a person may give.
    pub const GIVEN: [Self; 4] =
        [Self::SubjectRequest, Self::PurposeEnded, Self::Authority, Self::OtherLaw];

    /// The code in the interface.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SubjectRequest => "subject-request",
            Self::PurposeEnded => "purpose-ended",
            Self::Authority => "authority",
            Self::OtherLaw => "other-law",
            Self::Retention => "retention",
            Self::Restored => "restored",
        }
    }

    /// What a person gave; `None` where no person may.
    #[must_use]
    pub fn given(code: &str) -> Option<Self> {
        Self::GIVEN.into_iter().find(|basis| basis.as_str() == code)
    }
}

/// Something asked about an alert's personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasureCommand {
    /// The officer, or the service, that asks.
    pub by: String,
    /// The role of the token; `None` for a service.
    pub role: Option<Role>,
    /// What.
    pub ask: ErasureAsk,
}

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErasureAsk {
    /// Erase it.
    Ask {
        /// Why.
        basis: Basis,
        /// The command whose sealed part says more.
        note: RecordId,
    },
    /// A second person's yes to exactly that basis.
    Confirm {
        /// The basis that was asked for.
        basis: Basis,
    },
    /// Keep it: once by each of two persons.
    Hold {
        /// The command whose sealed part says why.
        note: RecordId,
    },
    /// Hold it no longer: once by each of two persons.
    Lift,
    /// The policy's term is over. Given by the service.
    Retire,
    /// It was erased before. Given by the service that finds it in an older copy.
    Restore,
    /// It is destroyed. Given by the service that did so.
    Finish {
        /// How many sealed parts were found.
        parts: u64,
        /// How many pictures were found.
        pictures: u64,
    },
}

/// Who had it erased, and why.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Order {
    /// Why.
    pub basis: Basis,
    /// The two officers; `None` where the policy's term was over, or it was restored.
    pub officers: Option<(OfficerId, OfficerId)>,
}

/// What is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErasureEvent {
    /// One person wants it; nothing is erased.
    Asked(Wish),
    /// From here on everybody destroys it.
    Ordered(Order),
    /// It is gone from every store that the services share.
    Erased {
        /// As it was ordered.
        order: Order,
        /// How many sealed parts were found.
        parts: u64,
        /// How many pictures were found.
        pictures: u64,
    },
    /// One person wants it held.
    HoldAsked {
        /// Who.
        by: OfficerId,
        /// The command whose sealed part says why.
        note: RecordId,
    },
    /// A second person agreed: nothing is erased.
    HoldBegan {
        /// Who agreed.
        by: OfficerId,
    },
    /// One person wants the hold lifted; it is still in force.
    LiftAsked {
        /// Who.
        by: OfficerId,
    },
    /// A second person agreed: it is over.
    Lifted {
        /// Who agreed.
        by: OfficerId,
    },
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wish {
    /// Why.
    pub basis: Basis,
    /// Who asked.
    pub by: OfficerId,
    /// Until then a second person may agree.
    pub until: Millis,
    /// The command whose sealed part says more.
    pub note: RecordId,
}

/// What a decision knows beside the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErasureKnown {
    /// When it is decided.
    pub now: Millis,
    /// The alert is over: nobody is told of it any more by its words.
    pub over: bool,
}

/// Why something is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotErased {
    /// Officers, commanders and the province's desk ask; of these only officers confirm nothing.
    #[error("the role does not do this")]
    RoleMissing,
    /// It takes two persons.
    #[error("another person must agree")]
    SamePerson,
    /// Cancel or resolve it first.
    #[error("the alert is still in force")]
    StillActive,
    /// Two persons must lift the hold first.
    #[error("a legal hold keeps it")]
    Held,
    /// Nobody asked, for this basis, within the time.
    #[error("nothing like this was asked for")]
    NotAsked,
    /// There is nothing left to hold.
    #[error("it is erased")]
    AlreadyErased,
    /// There is nothing to lift.
    #[error("nothing is held")]
    NotHeld,
}

impl From<NotErased> for Refusal {
    fn from(not: NotErased) -> Self {
        let (code, field) = match not {
            NotErased::RoleMissing => ("role-missing", ""),
            NotErased::SamePerson => ("same-person", ""),
            NotErased::StillActive => ("still-active", ""),
            NotErased::Held => ("legal-hold", ""),
            NotErased::NotAsked => ("not-asked", "basis"),
            NotErased::AlreadyErased => ("erased", ""),
            NotErased::NotHeld => ("not-held", ""),
        };
        Self { code, field }
    }
}

/// How it stands with an alert's personal data.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Erasure {
    /// Whether it is erased.
    pub course: Course,
    /// Whether it must be kept.
    pub hold: Hold,
}

/// Whether it is erased.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub enum Course {
    /// It is there.
    #[default]
    Kept,
    /// One person wants it erased.
    Asked(Wish),
    /// It is being destroyed.
    Ordered(Order),
    /// It is gone.
    Erased(Order),
}

/// Whether it must be kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub enum Hold {
    /// Nobody wants that.
    #[default]
    Free,
    /// One person does.
    Asked {
        /// Who.
        by: OfficerId,
        /// The command whose sealed part says why.
        note: RecordId,
    },
    /// Two persons do.
    InForce {
        /// Who asked, and who agreed.
        by: (OfficerId, OfficerId),
        /// The command whose sealed part says why.
        note: RecordId,
        /// The one person, so far, who wants it lifted.
        lift_asked_by: Option<OfficerId>,
    },
}

impl Hold {
    /// Whether nothing may be erased.
    #[must_use]
    pub fn is_in_force(&self) -> bool {
        matches!(self, Self::InForce { .. })
    }
}

impl Erasure {
    /// By whom and why it is destroyed, from the moment on when everybody begins to.
    #[must_use]
    pub fn order(&self) -> Option<&Order> {
        match &self.course {
            Course::Ordered(order) | Course::Erased(order) => Some(order),
            Course::Kept | Course::Asked(_) => None,
        }
    }

    fn ask(
        &self,
        by: OfficerId,
        (basis, note): (Basis, RecordId),
        known: &ErasureKnown,
    ) -> Result<Vec<ErasureEvent>, NotErased> {
        self.may_be_erased(known)?;
        let is_asked = matches!(&self.course, Course::Asked(wish)
            if wish.by == by && wish.basis == basis && known.now < wish.until);
        if is_asked {
            return Ok(vec![]);
        }
        let until = known.now.plus_ms(ASKED_MS_MAX);
        Ok(vec![ErasureEvent::Asked(Wish { basis, by, until, note })])
    }

    fn confirm(
        &self,
        by: OfficerId,
        basis: Basis,
        known: &ErasureKnown,
    ) -> Result<Vec<ErasureEvent>, NotErased> {
        let Course::Asked(wish) = &self.course else { return Err(NotErased::NotAsked) };
        if wish.basis != basis || known.now >= wish.until {
            return Err(NotErased::NotAsked);
        }
        if wish.by == by {
            return Err(NotErased::SamePerson);
        }
        self.may_be_erased(known)?;
        let officers = Some((wish.by.clone(), by));
        Ok(vec![ErasureEvent::Ordered(Order { basis, officers })])
    }

    fn may_be_erased(&self, known: &ErasureKnown) -> Result<(), NotErased> {
        if self.hold.is_in_force() {
            return Err(NotErased::Held);
        }
        if known.over { Ok(()) } else { Err(NotErased::StillActive) }
    }

    fn hold(
        &self,
        by: OfficerId,
        note: RecordId,
        decides: bool,
    ) -> Result<Vec<ErasureEvent>, NotErased> {
        if self.order().is_some() {
            return Err(NotErased::AlreadyErased);
        }
        match &self.hold {
            Hold::Free => Ok(vec![ErasureEvent::HoldAsked { by, note }]),
            Hold::Asked { by: first, .. } if *first == by => Ok(vec![]),
            Hold::Asked { .. } if decides => Ok(vec![ErasureEvent::HoldBegan { by }]),
            Hold::Asked { .. } => Err(NotErased::RoleMissing),
            Hold::InForce { .. } => Ok(vec![]),
        }
    }

    fn lift(&self, by: OfficerId) -> Result<Vec<ErasureEvent>, NotErased> {
        match &self.hold {
            Hold::Free | Hold::Asked { .. } => Err(NotErased::NotHeld),
            Hold::InForce { lift_asked_by: None, .. } => Ok(vec![ErasureEvent::LiftAsked { by }]),
            Hold::InForce { lift_asked_by: Some(first), .. } if *first == by => Ok(vec![]),
            Hold::InForce { .. } => Ok(vec![ErasureEvent::Lifted { by }]),
        }
    }

    /// What a service gives by itself.
    fn by_itself(&self, ask: ErasureAsk, known: &ErasureKnown) -> Vec<ErasureEvent> {
        match (ask, &self.course) {
            (ErasureAsk::Retire, Course::Kept | Course::Asked(_))
                if self.may_be_erased(known).is_ok() =>
            {
                vec![ErasureEvent::Ordered(Order { basis: Basis::Retention, officers: None })]
            }
            // What was ordered is never taken back, whatever the older history says.
            (ErasureAsk::Restore, Course::Kept | Course::Asked(_)) => {
                vec![ErasureEvent::Ordered(Order { basis: Basis::Restored, officers: None })]
            }
            (ErasureAsk::Finish { parts, pictures }, Course::Ordered(order)) => {
                vec![ErasureEvent::Erased { order: order.clone(), parts, pictures }]
            }
            _ => vec![],
        }
    }
}

/// Who asks for a beginning.
fn asks(role: Option<Role>) -> bool {
    matches!(role, Some(Role::Officer | Role::Commander | Role::Province))
}

/// Who agrees.
fn decides(role: Option<Role>) -> bool {
    matches!(role, Some(Role::Commander | Role::Province))
}

impl Decider for Erasure {
    type Command = ErasureCommand;
    type Event = ErasureEvent;
    type Rejection = NotErased;
    type Facts = ErasureKnown;

    fn decide(
        &self,
        command: &ErasureCommand,
        known: &ErasureKnown,
    ) -> Result<Vec<ErasureEvent>, NotErased> {
        let decides = decides(command.role);
        let may = match command.ask {
            ErasureAsk::Retire | ErasureAsk::Restore | ErasureAsk::Finish { .. } => {
                return match command.role {
                    None => Ok(self.by_itself(command.ask, known)),
                    Some(_) => Err(NotErased::RoleMissing),
                };
            }
            ErasureAsk::Ask { .. } | ErasureAsk::Hold { .. } => asks(command.role),
            ErasureAsk::Confirm { .. } | ErasureAsk::Lift => decides,
        };
        let by = command.by.parse::<OfficerId>().ok().filter(|_| may);
        let by = by.ok_or(NotErased::RoleMissing)?;
        match command.ask {
            // What is ordered is so already, whoever asks or agrees once more.
            ErasureAsk::Ask { .. } | ErasureAsk::Confirm { .. } if self.order().is_some() => {
                Ok(vec![])
            }
            ErasureAsk::Ask { basis, note } => self.ask(by, (basis, note), known),
            ErasureAsk::Confirm { basis } => self.confirm(by, basis, known),
            ErasureAsk::Hold { note } => self.hold(by, note, decides),
            ErasureAsk::Lift => self.lift(by),
            ErasureAsk::Retire | ErasureAsk::Restore | ErasureAsk::Finish { .. } => Ok(vec![]),
        }
    }

    fn evolve(mut self, event: &ErasureEvent) -> Self {
        match event {
            ErasureEvent::Asked(wish) => self.course = Course::Asked(wish.clone()),
            ErasureEvent::Ordered(order) => self.course = Course::Ordered(order.clone()),
            ErasureEvent::Erased { order, .. } => self.course = Course::Erased(order.clone()),
            ErasureEvent::HoldAsked { by, note } => {
                self.hold = Hold::Asked { by: by.clone(), note: *note };
            }
            ErasureEvent::HoldBegan { by } => {
                if let Hold::Asked { by: first, note } = self.hold {
                    let by = (first, by.clone());
                    self.hold = Hold::InForce { by, note, lift_asked_by: None };
                }
            }
            ErasureEvent::LiftAsked { by } => {
                if let Hold::InForce { lift_asked_by, .. } = &mut self.hold {
                    *lift_asked_by = Some(by.clone());
                }
            }
            ErasureEvent::Lifted { .. } => self.hold = Hold::Free,
        }
        self
    }
}

#[cfg(test)]
#[path = "erasure_tests.rs"]
mod tests;
