//! The policy of a commune or an installation: what may be set otherwise, with its defaults.
//!
//! A value, checked once. What no policy may loosen stands in the deciders; what a policy may
//! never do is refused here, and passed over where it is asked all the same.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    fatigue::FatigueBudget,
    ids::{CommuneCode, Home, ProvinceCode},
    limits::{RAISES_PER_MINUTE_DEFAULT, RAISES_PER_MINUTE_MAX},
    quiet::QuietHours,
    reach::Terms,
    relay::escalation::AnswerTimes,
    values::{AlertKind, AlertStatus},
};

/// The second person's review of what one officer sent alone is owed within this (R2).
pub const REVIEW_MS_MAX: i64 = 15 * 60_000;
/// The longest term of retention: a hundred years.
pub const RETENTION_DAYS_MAX: u32 = 36_500;
/// Lines of kinds and origins that wait.
pub const WAITS_MAX: usize = 256;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Kinds that need a second person, beyond those that always do.
    pub second_person_for: BTreeSet<AlertKind>,
    /// Kinds that nobody raises or extends by token alone: the officer signs with an own key.
    pub needs_signature_for: BTreeSet<AlertKind>,
    /// What is relayed here and waits for the commune's acknowledgement before its groups are
    /// told; at most [`WAITS_MAX`], and never a life-threatening kind.
    pub waits: Vec<Wait>,
    /// Speeds, limits, and the line of the province.
    pub reach: Terms,
    /// How often a group may be told.
    pub fatigue: FatigueBudget,
    /// When notices wait.
    pub quiet: QuietHours,
    /// How long a commune's silence is borne.
    pub answer_times: AnswerTimes,
    /// Raises a minute, of one officer and of one commune; 1 to [`RAISES_PER_MINUTE_MAX`].
    pub raises_per_minute_max: u32,
    /// So many days after its end an alert's personal data is erased by itself, 1 to
    /// [`RETENTION_DAYS_MAX`]; a kind that is not named is kept until two persons erase it.
    pub retention_days: BTreeMap<AlertKind, u32>,
}

/// A kind and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wait {
    /// Which kind.
    pub kind: AlertKind,
    /// Raised where.
    pub origin: Origin,
}

/// Where an alert was raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Wherever.
    Anywhere,
    /// In this province.
    Province(ProvinceCode),
    /// In this commune.
    Commune(CommuneCode),
}

impl Origin {
    /// Whether an alert of this home has this origin.
    #[must_use]
    pub fn is_of(self, home: Home) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Province(province) => province == home.province,
            Self::Commune(commune) => commune == home.commune,
        }
    }
}

/// What a second person has to do with an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecondPerson {
    /// Nothing.
    NotNeeded,
    /// It goes at once; a review is owed within [`REVIEW_MS_MAX`], and until then its reach does
    /// not grow beyond the bordering communes.
    Reviews,
    /// Nobody is told before the approval.
    Approves,
}

/// What a policy must not say. Whoever keeps it changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPolicy {
    /// A life may hang on it: its groups are told at once, always.
    #[error("a life-threatening kind never waits for an acknowledgement")]
    LifeWaits(AlertKind),
    /// One officer may always send it at once.
    #[error("a second person cannot be asked for before a child is looked for")]
    GlassLocked(AlertKind),
    /// More lines than [`WAITS_MAX`].
    #[error("at most {WAITS_MAX} kinds and origins")]
    TooManyWaits,
    /// A time that is none, or the province's desk before the second contact.
    #[error("answer times must be above 0, and the province's not before the second contact's")]
    AnswerTimes,
    /// A budget of nothing would warn of everything, and be heeded by nobody.
    #[error("a budget allows at least one alert, and in a week not fewer than in a day")]
    Budget,
    /// Outside 1 to [`RAISES_PER_MINUTE_MAX`].
    #[error("1 to {RAISES_PER_MINUTE_MAX} raises a minute")]
    Raises,
    /// Outside 1 to [`RETENTION_DAYS_MAX`].
    #[error("1 to {RETENTION_DAYS_MAX} days")]
    Retention(AlertKind),
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            second_person_for: BTreeSet::new(),
            needs_signature_for: BTreeSet::new(),
            waits: vec![],
            reach: Terms::default(),
            fatigue: FatigueBudget::default(),
            quiet: QuietHours::default(),
            answer_times: AnswerTimes::default(),
            raises_per_minute_max: RAISES_PER_MINUTE_DEFAULT,
            retention_days: BTreeMap::new(),
        }
    }
}

impl Policy {
    /// Checks what was set.
    ///
    /// # Errors
    /// [`BadPolicy`]: the first thing that it must not say.
    pub fn checked(self) -> Result<Self, BadPolicy> {
        if let Some(wait) = self.waits.iter().find(|wait| wait.kind.life_threatening()) {
            return Err(BadPolicy::LifeWaits(wait.kind));
        }
        if let Some(kind) = self.second_person_for.iter().find(|kind| kind.may_break_glass()) {
            return Err(BadPolicy::GlassLocked(*kind));
        }
        if self.waits.len() > WAITS_MAX {
            return Err(BadPolicy::TooManyWaits);
        }
        let AnswerTimes { urgent, usual } = self.answer_times;
        let is_time = |second_contact_ms: i64, province_desk_ms: i64| {
            second_contact_ms > 0 && province_desk_ms >= second_contact_ms
        };
        if ![urgent, usual]
            .iter()
            .all(|time| is_time(time.second_contact_ms, time.province_desk_ms))
        {
            return Err(BadPolicy::AnswerTimes);
        }
        let FatigueBudget { alerts_per_day_max, alerts_per_week_max } = self.fatigue;
        if alerts_per_day_max == 0 || alerts_per_week_max < alerts_per_day_max {
            return Err(BadPolicy::Budget);
        }
        if !(1..=RAISES_PER_MINUTE_MAX).contains(&self.raises_per_minute_max) {
            return Err(BadPolicy::Raises);
        }
        let is_term = |days: &u32| (1..=RETENTION_DAYS_MAX).contains(days);
        if let Some((kind, _)) = self.retention_days.iter().find(|(_, days)| !is_term(days)) {
            return Err(BadPolicy::Retention(*kind));
        }
        Ok(self)
    }

    /// What a second person has to do with an alert of this kind and status. A suspect always
    /// needs an approval, and what is actual too where it goes beyond the own commune; a child is
    /// looked for at once, and reviewed.
    #[must_use]
    pub fn second_person(
        &self,
        kind: AlertKind,
        status: AlertStatus,
        is_beyond_own_commune: bool,
    ) -> SecondPerson {
        let goes_far = status.is_actual() && is_beyond_own_commune;
        if kind.may_break_glass() {
            return if goes_far { SecondPerson::Reviews } else { SecondPerson::NotNeeded };
        }
        if kind == AlertKind::Suspect || goes_far || self.second_person_for.contains(&kind) {
            SecondPerson::Approves
        } else {
            SecondPerson::NotNeeded
        }
    }

    /// Whether the officer's own signature is needed to tell people of an alert of this kind. An
    /// exercise is free: it is practised before everybody has a key.
    #[must_use]
    pub fn needs_signature(&self, kind: AlertKind, status: AlertStatus) -> bool {
        status.is_actual() && self.needs_signature_for.contains(&kind)
    }

    /// Whether what is relayed from `origin` waits here for the commune's acknowledgement before
    /// its groups are told. Never where a life may hang on it, whatever the policy says.
    #[must_use]
    pub fn waits_for_answer(&self, kind: AlertKind, origin: Home) -> bool {
        !kind.life_threatening()
            && self.waits.iter().any(|wait| wait.kind == kind && wait.origin.is_of(origin))
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::select};

    use super::*;
    use crate::relay::escalation::AnswerTime;

    fn home(province: &str, commune: &str) -> Home {
        Home { province: province.parse().unwrap(), commune: commune.parse().unwrap() }
    }

    fn wait(kind: AlertKind, origin: Origin) -> Wait {
        Wait { kind, origin }
    }

    #[test]
    fn a_policy_that_would_cost_a_life_or_says_nothing_is_refused() {
        let time = |second_contact_ms, province_desk_ms| AnswerTime {
            second_contact_ms,
            province_desk_ms,
        };
        let answers = |urgent| AnswerTimes { urgent, ..AnswerTimes::default() };
        let budget = |alerts_per_day_max, alerts_per_week_max| FatigueBudget {
            alerts_per_day_max,
            alerts_per_week_max,
        };
        let usual = Policy::default;
        let lost = wait(AlertKind::LostChild, Origin::Anywhere);
        let notice = wait(AlertKind::Notice, Origin::Anywhere);
        let child = AlertKind::FoundChild;
        for (policy, wrong) in [
            (Policy { waits: vec![lost], ..usual() }, BadPolicy::LifeWaits(AlertKind::LostChild)),
            (Policy { waits: vec![notice; WAITS_MAX + 1], ..usual() }, BadPolicy::TooManyWaits),
            (
                Policy { second_person_for: BTreeSet::from([child]), ..usual() },
                BadPolicy::GlassLocked(child),
            ),
            (Policy { answer_times: answers(time(0, 5)), ..usual() }, BadPolicy::AnswerTimes),
            (Policy { answer_times: answers(time(9, 5)), ..usual() }, BadPolicy::AnswerTimes),
            (Policy { fatigue: budget(0, 5), ..usual() }, BadPolicy::Budget),
            (Policy { fatigue: budget(3, 2), ..usual() }, BadPolicy::Budget),
            (Policy { raises_per_minute_max: 0, ..usual() }, BadPolicy::Raises),
            (Policy { raises_per_minute_max: 1_001, ..usual() }, BadPolicy::Raises),
        ] {
            assert_eq!(policy.checked(), Err(wrong));
        }
        assert_eq!(usual().checked(), Ok(usual()));
    }

    #[test]
    fn who_needs_a_second_person() {
        use AlertKind::{FoundChild, Hazard, LostChild, MissingPerson, Notice, Suspect};
        use AlertStatus::{Actual, Exercise, Test};
        use SecondPerson::{Approves, NotNeeded, Reviews};
        let strict = Policy { second_person_for: BTreeSet::from([Notice]), ..Policy::default() };
        for (kind, status, is_far, then) in [
            (Suspect, Actual, false, Approves),
            (Suspect, Exercise, false, Approves),
            (LostChild, Actual, true, Reviews),
            (FoundChild, Actual, true, Reviews),
            (LostChild, Actual, false, NotNeeded),
            (LostChild, Exercise, true, NotNeeded),
            (MissingPerson, Actual, true, Approves),
            (MissingPerson, Actual, false, NotNeeded),
            (Hazard, Actual, true, Approves),
            (Hazard, Test, true, NotNeeded),
            (Notice, Actual, false, Approves),
        ] {
            assert_eq!(strict.second_person(kind, status, is_far), then, "{kind:?} {status:?}");
        }
        let usual = Policy::default();
        assert_eq!(usual.second_person(Notice, Actual, false), NotNeeded);
    }

    #[test]
    fn a_signature_is_needed_for_the_kinds_that_are_named() {
        let kinds = BTreeSet::from([AlertKind::Suspect]);
        let policy = Policy { needs_signature_for: kinds, ..Policy::default() };
        assert!(policy.needs_signature(AlertKind::Suspect, AlertStatus::Actual));
        assert!(!policy.needs_signature(AlertKind::Suspect, AlertStatus::Exercise));
        assert!(!policy.needs_signature(AlertKind::LostChild, AlertStatus::Actual));
        assert!(!Policy::default().needs_signature(AlertKind::Suspect, AlertStatus::Actual));
    }

    #[test]
    fn what_waits_is_named_by_kind_and_origin() {
        let far = home("38", "15961");
        let near = home("68", "25135");
        let policy = Policy {
            waits: vec![
                wait(AlertKind::Notice, Origin::Anywhere),
                wait(AlertKind::Suspect, Origin::Province(far.province)),
                wait(AlertKind::ScamWarning, Origin::Commune(near.commune)),
            ],
            ..Policy::default()
        };
        for (kind, of_far, of_near) in [
            (AlertKind::Notice, true, true),
            (AlertKind::Suspect, true, false),
            (AlertKind::ScamWarning, false, true),
            (AlertKind::LostProperty, false, false),
        ] {
            assert_eq!(policy.waits_for_answer(kind, far), of_far, "{kind:?}");
            assert_eq!(policy.waits_for_answer(kind, near), of_near, "{kind:?}");
        }
    }

    proptest! {
        /// Whatever a policy says, even one that was never checked.
        #[test]
        fn no_policy_holds_a_life_or_frees_a_suspect(
            kinds in proptest::collection::vec(select(AlertKind::ALL.to_vec()), 0..8),
            kind in select(AlertKind::ALL.to_vec()),
            status in select(AlertStatus::ALL.to_vec()),
            is_far in any::<bool>(),
        ) {
            let waits = kinds.iter().map(|kind| wait(*kind, Origin::Anywhere)).collect();
            let second_person_for = kinds.iter().copied().collect();
            let policy = Policy { waits, second_person_for, ..Policy::default() };
            let second = policy.second_person(kind, status, is_far);
            if kind.life_threatening() {
                prop_assert!(!policy.waits_for_answer(kind, home("68", "25126")));
            }
            if kind.may_break_glass() {
                prop_assert!(second != SecondPerson::Approves);
            }
            if kind == AlertKind::Suspect {
                prop_assert_eq!(second, SecondPerson::Approves);
            }
            // A policy only adds.
            prop_assert!(Policy::default().second_person(kind, status, is_far) <= second);
        }
    }
}
