//! The freeze of an officer or a commune: two persons stop what raises and extends, for a while
//! (S2). It ends by itself. No correction, cancel or answer is ever frozen.
//!
//! Asked by one, in force by a second; lifted by two in the same way, or by time.

use std::fmt;

use crate::{
    decider::{Decider, Refusal},
    ids::{CommuneCode, Millis, OfficerId, RecordId},
    sentence::Sentence,
    values::Role,
};

/// A freeze lasts a day at most; who needs longer asks again.
pub const FREEZE_HOURS_MAX: i64 = 24;
const FREEZE_MS_MAX: i64 = FREEZE_HOURS_MAX * 3_600_000;

/// Who is frozen: one person with all tokens, or everybody of one commune.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Frozen {
    /// One officer.
    Officer(OfficerId),
    /// One commune.
    Commune(CommuneCode),
}

impl Frozen {
    /// Whether this concerns an officer of that commune. A duty desk of a province has none.
    #[must_use]
    pub fn concerns(&self, officer: &OfficerId, commune: Option<CommuneCode>) -> bool {
        match self {
            Self::Officer(frozen) => frozen == officer,
            Self::Commune(frozen) => commune == Some(*frozen),
        }
    }
}

impl Frozen {
    /// The name among freezes: `officer-<id>` or `commune-<code>`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Officer(officer) => format!("officer-{officer}"),
            Self::Commune(commune) => format!("commune-{commune}"),
        }
    }

    /// Whom such a name means; `None` where it is none.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        match name.split_once('-')? {
            ("officer", id) => id.parse().ok().map(Self::Officer),
            ("commune", code) => code.parse().ok().map(Self::Commune),
            _ => None,
        }
    }
}

impl fmt::Display for Frozen {
    /// The name of the entity: `freeze-officer-<id>` or `freeze-commune-<code>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "freeze-{}", self.name())
    }
}

/// Something asked of a freeze.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreezeCommand {
    /// The officer who asks.
    pub by: OfficerId,
    /// The role of the token; `None` for a service.
    pub role: Option<Role>,
    /// The commune of the token, where it has one.
    pub commune: Option<CommuneCode>,
    /// Whom it is about.
    pub of: Frozen,
    /// What.
    pub ask: FreezeAsk,
}

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreezeAsk {
    /// Freeze, until then; the newest wish stands.
    Freeze {
        /// When it is to end by itself.
        until: Millis,
        /// The command whose sealed part says why.
        note: RecordId,
    },
    /// A second person's yes to exactly that end.
    Confirm {
        /// The end that was asked for.
        until: Millis,
    },
    /// End it before its time: once by each of two persons.
    Lift {
        /// The command whose sealed part says why.
        note: RecordId,
    },
    /// Its time has passed. Given by the service.
    End {
        /// The end that was meant; another one makes this void.
        until: Millis,
    },
}

/// What is recorded of a freeze.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FreezeEvent {
    /// One person wants it; nothing is frozen.
    Asked(Wish),
    /// A second person agreed: it is in force.
    Began {
        /// Who agreed.
        by: OfficerId,
    },
    /// One person wants it lifted; it is still in force.
    LiftAsked {
        /// Who.
        by: OfficerId,
        /// The command whose sealed part says why.
        note: RecordId,
    },
    /// A second person agreed: it is over.
    Lifted {
        /// Who agreed.
        by: OfficerId,
    },
    /// Its time has passed, in force or not.
    Ended,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wish {
    /// Whom it is about.
    pub of: Frozen,
    /// Who asked.
    pub by: OfficerId,
    /// When it ends by itself.
    pub until: Millis,
    /// The command whose sealed part says why.
    pub note: RecordId,
}

/// What a decision knows beside the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreezeKnown {
    /// When it is decided.
    pub now: Millis,
}

/// Why something is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotFrozen {
    /// Auditors freeze nobody; officers ask and confirm nothing.
    #[error("the role does not do this")]
    RoleMissing,
    /// A freeze and its end take two persons.
    #[error("another person must agree")]
    SamePerson,
    /// Who is frozen lifts nothing.
    #[error("who is frozen cannot lift it")]
    Concerned,
    /// The end lies behind.
    #[error("the end has passed")]
    UntilPassed,
    /// The end is too far ahead.
    #[error("at most {FREEZE_HOURS_MAX} hours")]
    TooLong,
    /// It is in force; lift it first, or let it end.
    #[error("in force already")]
    AlreadyFrozen,
    /// Nobody asked, or another end was asked for meanwhile.
    #[error("nothing like this was asked for")]
    NotAsked,
    /// There is nothing to lift.
    #[error("nothing is frozen")]
    NotInForce,
}

impl From<NotFrozen> for Refusal {
    fn from(not: NotFrozen) -> Self {
        let (code, field) = match not {
            NotFrozen::RoleMissing => ("role-missing", ""),
            NotFrozen::SamePerson => ("same-person", ""),
            NotFrozen::Concerned => ("concerned", ""),
            NotFrozen::UntilPassed => ("until-passed", "until"),
            NotFrozen::TooLong => ("over-limit", "until"),
            NotFrozen::AlreadyFrozen => ("already-frozen", ""),
            NotFrozen::NotAsked => ("not-asked", "until"),
            NotFrozen::NotInForce => ("not-frozen", ""),
        };
        Self { code, field }
    }
}

/// A freeze, as far as it is decided. Whether it is in force is also a question of time: see
/// [`Freeze::in_force_until`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub enum Freeze {
    /// Nobody wants it, or it is over.
    #[default]
    Free,
    /// One person wants it.
    Asked(Wish),
    /// Two persons wanted it.
    InForce {
        /// What was asked for.
        wish: Wish,
        /// Who agreed.
        confirmed_by: OfficerId,
        /// The one person, so far, who wants it lifted.
        lift_asked_by: Option<OfficerId>,
    },
}

impl Freeze {
    /// When the freeze ends that is in force now; `None` where none is. Time ends it, whether or
    /// not that was recorded yet.
    #[must_use]
    pub fn in_force_until(&self, now: Millis) -> Option<Millis> {
        match self {
            Self::InForce { wish, .. } => Some(wish.until).filter(|until| now < *until),
            Self::Free | Self::Asked(_) => None,
        }
    }

    /// When the service has to record the end, of a wish as of a freeze.
    #[must_use]
    pub fn ends_at(&self) -> Option<Millis> {
        self.wish().map(|wish| wish.until)
    }

    /// What was asked for, in force or not.
    #[must_use]
    pub fn wish(&self) -> Option<&Wish> {
        match self {
            Self::Free => None,
            Self::Asked(wish) | Self::InForce { wish, .. } => Some(wish),
        }
    }

    fn ask(
        &self,
        command: &FreezeCommand,
        (until, note): (Millis, RecordId),
        now: Millis,
    ) -> Result<Vec<FreezeEvent>, NotFrozen> {
        let may_ask = [Role::Officer, Role::Commander, Role::Province, Role::Admin];
        if !command.role.is_some_and(|role| may_ask.contains(&role)) {
            return Err(NotFrozen::RoleMissing);
        }
        if self.in_force_until(now).is_some() {
            return Err(NotFrozen::AlreadyFrozen);
        }
        if until <= now {
            return Err(NotFrozen::UntilPassed);
        }
        if until > now.plus_ms(FREEZE_MS_MAX) {
            return Err(NotFrozen::TooLong);
        }
        let is_asked = matches!(self, Self::Asked(wish)
            if wish.by == command.by && wish.until == until);
        if is_asked {
            return Ok(vec![]);
        }
        let (of, by) = (command.of.clone(), command.by.clone());
        Ok(vec![FreezeEvent::Asked(Wish { of, by, until, note })])
    }

    fn confirm(
        &self,
        command: &FreezeCommand,
        until: Millis,
        now: Millis,
    ) -> Result<Vec<FreezeEvent>, NotFrozen> {
        if !decides(command.role) {
            return Err(NotFrozen::RoleMissing);
        }
        match self {
            Self::InForce { wish, confirmed_by, .. }
                if wish.until == until && *confirmed_by == command.by && now < until =>
            {
                Ok(vec![])
            }
            _ if self.in_force_until(now).is_some() => Err(NotFrozen::AlreadyFrozen),
            Self::Asked(wish) if wish.until == until && now < until => {
                if wish.by == command.by {
                    return Err(NotFrozen::SamePerson);
                }
                Ok(vec![FreezeEvent::Began { by: command.by.clone() }])
            }
            _ => Err(NotFrozen::NotAsked),
        }
    }

    fn lift(
        &self,
        command: &FreezeCommand,
        note: RecordId,
        now: Millis,
    ) -> Result<Vec<FreezeEvent>, NotFrozen> {
        if !decides(command.role) {
            return Err(NotFrozen::RoleMissing);
        }
        let Self::InForce { wish, lift_asked_by, .. } = self else {
            return Err(NotFrozen::NotInForce);
        };
        if now >= wish.until {
            return Err(NotFrozen::NotInForce);
        }
        if wish.of.concerns(&command.by, command.commune) {
            return Err(NotFrozen::Concerned);
        }
        let by = command.by.clone();
        Ok(match lift_asked_by {
            None => vec![FreezeEvent::LiftAsked { by, note }],
            Some(first) if *first == by => vec![],
            Some(_) => vec![FreezeEvent::Lifted { by }],
        })
    }
}

/// Who agrees to a freeze, and to its end.
fn decides(role: Option<Role>) -> bool {
    matches!(role, Some(Role::Commander | Role::Province | Role::Admin))
}

impl Decider for Freeze {
    type Command = FreezeCommand;
    type Event = FreezeEvent;
    type Rejection = NotFrozen;
    type Facts = FreezeKnown;

    fn decide(
        &self,
        command: &FreezeCommand,
        known: &FreezeKnown,
    ) -> Result<Vec<FreezeEvent>, NotFrozen> {
        match command.ask {
            FreezeAsk::Freeze { until, note } => self.ask(command, (until, note), known.now),
            FreezeAsk::Confirm { until } => self.confirm(command, until, known.now),
            FreezeAsk::Lift { note } => self.lift(command, note, known.now),
            // A timer may ring twice, or early after a clock was set back: then it rings again.
            FreezeAsk::End { until } => {
                let is_over = self.ends_at() == Some(until) && until <= known.now;
                Ok(if is_over { vec![FreezeEvent::Ended] } else { vec![] })
            }
        }
    }

    fn evolve(self, event: &FreezeEvent) -> Self {
        match (self, event) {
            (_, FreezeEvent::Asked(wish)) => Self::Asked(wish.clone()),
            (Self::Asked(wish), FreezeEvent::Began { by }) => {
                Self::InForce { wish, confirmed_by: by.clone(), lift_asked_by: None }
            }
            (Self::InForce { wish, confirmed_by, .. }, FreezeEvent::LiftAsked { by, .. }) => {
                Self::InForce { wish, confirmed_by, lift_asked_by: Some(by.clone()) }
            }
            (_, FreezeEvent::Lifted { .. } | FreezeEvent::Ended) => Self::Free,
            (same, FreezeEvent::Began { .. } | FreezeEvent::LiftAsked { .. }) => same,
        }
    }
}

/// The banner that neighbours and officers see while a freeze is in force; `until` as it is to be
/// read, in Việt Nam's time.
#[must_use]
pub fn banner(of: &Frozen, until: &str) -> Sentence {
    match of {
        Frozen::Officer(officer) => Sentence::of(
            format!("Tài khoản {officer} đang bị khóa phát tin đến {until}"),
            format!("Account {officer} is frozen until {until}"),
        ),
        Frozen::Commune(commune) => Sentence::of(
            format!("Xã {commune} đang bị khóa phát tin đến {until}; đính chính, hủy tin vẫn gửi"),
            format!("Commune {commune} is frozen until {until}; corrections still go out"),
        ),
    }
}

#[cfg(test)]
#[path = "freeze_tests.rs"]
mod tests;
