//! What follows from what is asked of an alert. Pure; see `folding` for what becomes of it.

use super::{
    Alert, AlertAsk, AlertCommand, AlertEvent, AlertFacts, AlertKnown, Change, ChangeHow, Checked,
    Closing, Content, LastSeen, Live, NextReach, NotDone, Pending, Review,
    reckoning::{checklist, reached, second_person},
};
use crate::{
    delivery::{TARGETS_PER_RECORD_MAX, Target},
    expiry::{self, NotAnExpiry},
    fatigue::Exceeded,
    guard::refused_fields,
    ids::{CommuneCode, Home, Millis, RecordId},
    policy::{REVIEW_MS_MAX, SecondPerson},
    reach::{
        COMMUNES_PER_COMMIT_MAX, CommuneReached, RULE, ReachReason, ReachRequest, Reached,
        additions,
    },
    values::Role,
};

type Decided = Result<Vec<AlertEvent>, NotDone>;

/// What names the cause of a widening that a commune made by relaying onward.
const ONWARD: &str = "onward";

/// A reach that was reckoned.
struct Reckoned {
    communes: Vec<CommuneReached>,
    next: NextReach,
}

impl From<Reached> for Reckoned {
    fn from(reached: Reached) -> Self {
        let next = NextReach::of(reached.figures.as_ref(), reached.next.as_ref());
        Self { communes: reached.communes, next }
    }
}

impl Alert {
    pub(super) fn decided(&self, command: &AlertCommand, known: &AlertKnown) -> Decided {
        if command.valid_until.is_some_and(|until| until < known.now) {
            return Err(NotDone::Stale);
        }
        match &command.ask {
            AlertAsk::Raise { facts, code, content } => {
                self.raise(command, (facts, code, *content), known)
            }
            AlertAsk::Approve { revision } => self.approve(command, *revision, known),
            AlertAsk::Decline { note } => self.decline(command, *note),
            AlertAsk::Review => self.review(command, known),
            AlertAsk::Change(change) => self.change(command, change, known),
            AlertAsk::Widen { reach } => {
                reckoned(self.in_force()?, reach, known, false)?;
                self.ask_for(command, Pending::Widen(reach.clone()), known)
            }
            AlertAsk::Hold => self.hold(command),
            AlertAsk::Release => self.release(command, known),
            AlertAsk::Sight { seen, commune, note } => {
                self.sight(command, (*seen, *commune, *note), known)
            }
            AlertAsk::Cancel { note } => self.cancel(*note),
            AlertAsk::Resolve { note } => self.resolve(*note),
            AlertAsk::Reopen { note } => self.reopen(command, *note, known),
            AlertAsk::Expire { expires_at } => Ok(self.expire(*expires_at, known.now)),
            AlertAsk::NearExpiry { expires_at } => Ok(self.near_expiry(*expires_at)),
            AlertAsk::RelayFurther { step } => Ok(self.relay_further(*step)),
            AlertAsk::Grow { step } => self.grow(*step, known),
            AlertAsk::TakeOnward { to } => Ok(self.take_onward(to)),
            AlertAsk::TakeInstruction { commune, content } => {
                Ok(self.take_instruction(*commune, *content))
            }
            AlertAsk::NoteBudget(exceeded) => Ok(self.note_budget(*exceeded)),
            AlertAsk::Attest { revision, commune, targets, note } => {
                self.attest(command, (*revision, *commune), (targets, *note))
            }
            AlertAsk::MissReview { due } => Ok(self.miss_review(*due, known.now)),
        }
    }

    fn raise(
        &self,
        command: &AlertCommand,
        (facts, code, content): (&AlertFacts, &str, RecordId),
        known: &AlertKnown,
    ) -> Decided {
        if *self != Self::Unissued {
            return Err(NotDone::AlreadyRaised);
        }
        allowed(facts, &command.sealed, known.now)?;
        let said = Content {
            revision: 1,
            facts: facts.clone(),
            code: code.to_owned(),
            content,
            by: command.by.clone(),
            checked: checked(facts, &command.sealed),
        };
        let whole = reached(facts, None, &facts.reach, known, false)?;
        match second_person(facts, &whole, &known.policy) {
            SecondPerson::NotNeeded => Ok(vec![issued(said, whole)]),
            SecondPerson::Reviews => {
                let near = reached(facts, None, &facts.reach, known, true)?;
                Ok(vec![issued(said, near), review_owed(command, known)])
            }
            SecondPerson::Approves => {
                let Content { revision, facts, code, content, by, checked } = said;
                let asked =
                    AlertEvent::ApprovalAsked { revision, facts, code, content, by, checked };
                Ok(vec![asked])
            }
        }
    }

    fn approve(&self, command: &AlertCommand, revision: u64, known: &AlertKnown) -> Decided {
        let approved = AlertEvent::Approved { revision, by: command.by.clone() };
        match self {
            Self::Unissued => Err(NotDone::NotRaised),
            Self::AwaitingApproval(waiting) => {
                second(command, &waiting.by)?;
                if waiting.revision != revision {
                    return Err(NotDone::StaleRevision);
                }
                if waiting.facts.expires_at <= known.now {
                    return Err(NotDone::NotAnExpiry(NotAnExpiry::Passed));
                }
                let facts = &waiting.facts;
                let whole = reached(facts, None, &facts.reach, known, false)?;
                let said = Content { revision: revision + 1, ..waiting.clone() };
                Ok(vec![approved, issued(said, whole)])
            }
            Self::Active(live) | Self::Closed { live, .. } => match &live.pending {
                Some((waiting, pending, by)) => {
                    second(command, by)?;
                    if *waiting != revision {
                        return Err(NotDone::StaleRevision);
                    }
                    let mut events = vec![approved];
                    // Something else may have become a revision while this one waited.
                    let made = match *waiting > live.content.revision {
                        true => *waiting,
                        false => self.next_revision(),
                    };
                    events.extend(self.made(made, pending, by, known)?);
                    Ok(events)
                }
                None if live.approved == Some(revision) => Ok(vec![]),
                None => Err(NotDone::NotAwaiting),
            },
        }
    }

    fn decline(&self, command: &AlertCommand, note: RecordId) -> Decided {
        let (revision, by) = match self {
            Self::Unissued => return Err(NotDone::NotRaised),
            Self::AwaitingApproval(waiting) => (waiting.revision, &waiting.by),
            Self::Closed { how: Closing::Declined, .. } => return Ok(vec![]),
            Self::Active(live) | Self::Closed { live, .. } => match &live.pending {
                Some((revision, _, by)) => (*revision, by),
                None => return Err(NotDone::NotAwaiting),
            },
        };
        second(command, by)?;
        Ok(vec![AlertEvent::Declined { revision, by: command.by.clone(), note }])
    }

    fn review(&self, command: &AlertCommand, known: &AlertKnown) -> Decided {
        let live = self.live().ok_or(NotDone::NotIssued)?;
        let Review::Owed { by, .. } = &live.review else {
            return if matches!(live.review, Review::Done { .. }) {
                Ok(vec![])
            } else {
                Err(NotDone::NoReviewOwed)
            };
        };
        for sender in by {
            second(command, sender)?;
        }
        let mut events = vec![AlertEvent::Reviewed { by: command.by.clone() }];
        if let Self::Active(live) = self
            && !live.on_hold
        {
            let reach = &live.content.facts.reach;
            events.extend(widened(live, RULE, reach, reckoned(live, reach, known, false)?));
        }
        Ok(events)
    }

    fn change(&self, command: &AlertCommand, change: &Change, known: &AlertKnown) -> Decided {
        let live = match (self, change.how) {
            (Self::Unissued, _) => return Err(NotDone::NotRaised),
            (Self::AwaitingApproval(_), _) => return Err(NotDone::NotIssued),
            (Self::Closed { how: Closing::Declined, .. }, _) => return Err(NotDone::Declined),
            (Self::Closed { .. }, ChangeHow::Update) => return Err(NotDone::Closed),
            (Self::Active(live) | Self::Closed { live, .. }, _) => live,
        };
        let before = &live.content.facts;
        let after = &change.facts;
        if (before.kind, before.status, before.home) != (after.kind, after.status, after.home) {
            return Err(NotDone::AnotherAlert);
        }
        // What is over is corrected as long as somebody may believe it, whatever its expiry.
        if matches!(self, Self::Active(_)) {
            allowed(after, &command.sealed, known.now)?;
        } else {
            shown(after, &command.sealed)?;
        }
        let Change { how, facts, content, set } = change;
        let pending = Pending::Change { how: *how, facts: facts.clone(), content: *content };
        // What only takes back needs one officer; what adds or alters needs what raising needs.
        if set.is_empty() {
            return self.made(self.next_revision(), &pending, &command.by, known);
        }
        self.ask_for(command, pending, known)
    }

    /// Something that needs what raising needs.
    fn ask_for(&self, command: &AlertCommand, pending: Pending, known: &AlertKnown) -> Decided {
        let live = self.live().ok_or(NotDone::NotIssued)?;
        if live.pending.is_some() {
            return Err(NotDone::ChangeWaits);
        }
        let (facts, reach) = match &pending {
            Pending::Change { facts, .. } => (facts, &facts.reach),
            Pending::Widen(reach) => (&live.content.facts, reach),
            Pending::Reopen { .. } => (&live.content.facts, &live.content.facts.reach),
        };
        let whole = reached(facts, Some(live), reach, known, false)?;
        match second_person(facts, &whole, &known.policy) {
            SecondPerson::NotNeeded => {
                self.made(self.next_revision(), &pending, &command.by, known)
            }
            SecondPerson::Reviews => {
                // The review is owed first, so that the reach keeps to the bordering communes.
                let owed = review_owed(command, known);
                let mut events = vec![owed.clone()];
                let after = self.clone().folded(&owed);
                events.extend(after.made(after.next_revision(), &pending, &command.by, known)?);
                Ok(events)
            }
            SecondPerson::Approves => Ok(vec![AlertEvent::ChangeAsked {
                revision: self.next_revision(),
                change: pending,
                by: command.by.clone(),
            }]),
        }
    }

    /// The events of a change that nobody has to be asked about any more.
    fn made(&self, revision: u64, pending: &Pending, by: &str, known: &AlertKnown) -> Decided {
        let by = by.to_owned();
        let first = match pending {
            Pending::Change { how, facts, content } => {
                let (facts, content) = (facts.clone(), *content);
                AlertEvent::Changed { revision, how: *how, facts, content, by: by.clone() }
            }
            Pending::Widen(reach) => {
                let live = self.in_force()?;
                let reckoned = reckoned(live, reach, known, live.review.is_owed())?;
                return Ok(vec![widening(live, &by, reach, reckoned)]);
            }
            Pending::Reopen { note } => {
                AlertEvent::Reopened { revision, by: by.clone(), note: *note }
            }
        };
        let after = self.clone().folded(&first);
        let mut events = vec![first];
        if let Self::Active(live) = &after
            && !live.on_hold
        {
            let reach = &live.content.facts.reach;
            let reckoned = reckoned(live, reach, known, live.review.is_owed())?;
            events.extend(widened(live, &by, reach, reckoned));
        }
        Ok(events)
    }

    fn hold(&self, command: &AlertCommand) -> Decided {
        let live = self.in_force()?;
        if live.on_hold {
            return Ok(vec![]);
        }
        Ok(vec![AlertEvent::Held { by: command.by.clone() }])
    }

    fn release(&self, command: &AlertCommand, known: &AlertKnown) -> Decided {
        let live = self.in_force()?;
        if !live.on_hold {
            return Err(NotDone::NotHeld);
        }
        let revision = self.next_revision();
        let released = AlertEvent::Released { revision, by: command.by.clone() };
        let mut events = vec![released];
        let reach = &live.content.facts.reach;
        let reckoned = reckoned(live, reach, known, live.review.is_owed())?;
        events.extend(widened(live, RULE, reach, reckoned));
        Ok(events)
    }

    fn sight(
        &self,
        command: &AlertCommand,
        (seen, commune, note): (LastSeen, CommuneCode, RecordId),
        known: &AlertKnown,
    ) -> Decided {
        let live = self.in_force()?;
        if live.named(commune).is_none() && live.content.facts.home.commune != commune {
            return Err(NotDone::NotRelayed);
        }
        let sighted = AlertEvent::Sighted { seen, commune, by: command.by.clone(), note };
        let mut events = vec![sighted];
        if !live.on_hold {
            let live = Live { sighting: Some(seen), ..live.clone() };
            let reach = &live.content.facts.reach;
            let reckoned = reckoned(&live, reach, known, live.review.is_owed())?;
            events.extend(widened(&live, RULE, reach, reckoned));
        }
        Ok(events)
    }

    fn cancel(&self, note: RecordId) -> Decided {
        match self {
            Self::Unissued => Err(NotDone::NotRaised),
            Self::Closed { how: Closing::Cancelled, .. } => Ok(vec![]),
            Self::Closed { how: Closing::Resolved, .. } => Err(NotDone::AlreadyResolved),
            Self::Closed { how: Closing::Declined, .. } => Err(NotDone::Declined),
            // A false alarm that has expired is still a false alarm.
            _ => Ok(vec![AlertEvent::Cancelled { revision: self.next_revision(), note }]),
        }
    }

    fn resolve(&self, note: RecordId) -> Decided {
        match self {
            Self::Unissued => Err(NotDone::NotRaised),
            Self::AwaitingApproval(_) => Err(NotDone::NotIssued),
            Self::Closed { how: Closing::Resolved, .. } => Ok(vec![]),
            Self::Closed { how: Closing::Cancelled, .. } => Err(NotDone::AlreadyCancelled),
            Self::Closed { how: Closing::Declined, .. } => Err(NotDone::Declined),
            _ => Ok(vec![AlertEvent::Resolved { revision: self.next_revision(), note }]),
        }
    }

    fn reopen(&self, command: &AlertCommand, note: RecordId, known: &AlertKnown) -> Decided {
        match self {
            Self::Unissued => Err(NotDone::NotRaised),
            Self::Closed { live, how: Closing::Resolved } => {
                if live.content.facts.expires_at <= known.now {
                    return Err(NotDone::NotAnExpiry(NotAnExpiry::Passed));
                }
                self.ask_for(command, Pending::Reopen { note }, known)
            }
            _ => Err(NotDone::NotResolved),
        }
    }

    fn expire(&self, expires_at: Millis, now: Millis) -> Vec<AlertEvent> {
        match self.expires_at() {
            Some(at) if at == expires_at && at <= now => {
                vec![AlertEvent::Expired { revision: self.next_revision() }]
            }
            _ => vec![],
        }
    }

    /// Once per expiry. Whether it is time is alerting's to say, who knows since when it counts.
    fn near_expiry(&self, expires_at: Millis) -> Vec<AlertEvent> {
        match self {
            Self::Active(live)
                if live.content.facts.expires_at == expires_at && !self.is_expiry_near() =>
            {
                vec![AlertEvent::ExpiryNear { expires_at }]
            }
            _ => vec![],
        }
    }

    fn relay_further(&self, step: u32) -> Vec<AlertEvent> {
        match self {
            Self::Active(live)
                if live.steps + 1 == step && !live.to_follow.is_empty() && !live.on_hold =>
            {
                let communes =
                    live.to_follow.iter().take(COMMUNES_PER_COMMIT_MAX).copied().collect();
                vec![AlertEvent::RelayedFurther { step, communes }]
            }
            _ => vec![],
        }
    }

    /// Always recorded where it is the next step, so that the one after it can come.
    fn grow(&self, step: u32, known: &AlertKnown) -> Decided {
        match self {
            Self::Active(live) if live.grown + 1 == step && !live.on_hold => {
                let reach = &live.content.facts.reach;
                let reckoned = reckoned(live, reach, known, live.review.is_owed())?;
                Ok(vec![widening(live, RULE, reach, reckoned)])
            }
            _ => Ok(vec![]),
        }
    }

    fn take_onward(&self, to: &[Home]) -> Vec<AlertEvent> {
        let Self::Active(live) = self else { return vec![] };
        let onward =
            |home: &Home| CommuneReached { home: *home, reason: ReachReason::Onward, ring: 0 };
        let named: Vec<CommuneReached> = to.iter().map(onward).collect();
        let communes = additions(told(live), &named);
        if communes.is_empty() || live.on_hold {
            return vec![];
        }
        let reckoned = Reckoned { communes, next: live.next.clone() };
        vec![widening(live, ONWARD, &live.content.facts.reach, reckoned)]
    }

    /// What is over instructs nobody any more; the relay has recorded it.
    fn take_instruction(&self, commune: CommuneCode, content: RecordId) -> Vec<AlertEvent> {
        let Self::Active(live) = self else { return vec![] };
        let newest = live.instructions.get(&commune).map(|(_, content)| *content);
        if live.named(commune).is_none() || newest == Some(content) {
            return vec![];
        }
        vec![AlertEvent::Instructed { revision: self.next_revision(), commune, content }]
    }

    fn note_budget(&self, exceeded: Exceeded) -> Vec<AlertEvent> {
        match self.live() {
            Some(live) if live.exceeded.is_none() => vec![AlertEvent::BudgetExceeded(exceeded)],
            _ => vec![],
        }
    }

    /// Whether they are on the list of those to be corrected is intake's to say, who sees the
    /// deliveries.
    fn attest(
        &self,
        command: &AlertCommand,
        (revision, commune): (u64, CommuneCode),
        (targets, note): (&[Target], RecordId),
    ) -> Decided {
        let live = self.live().ok_or(NotDone::NotIssued)?;
        if live.named(commune).is_none() {
            return Err(NotDone::NotRelayed);
        }
        if revision > live.content.revision {
            return Err(NotDone::StaleRevision);
        }
        let is_new = |target: &&Target| live.attested.get(*target).is_none_or(|at| *at < revision);
        let targets: Vec<Target> =
            targets.iter().filter(is_new).take(TARGETS_PER_RECORD_MAX).cloned().collect();
        if targets.is_empty() {
            return Ok(vec![]);
        }
        let by = command.by.clone();
        Ok(vec![AlertEvent::CorrectionAttested { revision, commune, targets, by, note }])
    }

    fn miss_review(&self, due: Millis, now: Millis) -> Vec<AlertEvent> {
        let review = self.live().map(|live| &live.review);
        match review {
            Some(Review::Owed { due: owed, missed: false, .. }) if *owed == due && due <= now => {
                vec![AlertEvent::ReviewMissed { due }]
            }
            _ => vec![],
        }
    }

    fn in_force(&self) -> Result<&Live, NotDone> {
        match self {
            Self::Unissued => Err(NotDone::NotRaised),
            Self::AwaitingApproval(_) => Err(NotDone::NotIssued),
            Self::Active(live) => Ok(live),
            Self::Closed { how: Closing::Declined, .. } => Err(NotDone::Declined),
            Self::Closed { .. } => Err(NotDone::Closed),
        }
    }
}

/// Whether whoever asks may be the second person to what `first` did.
fn second(command: &AlertCommand, first: &str) -> Result<(), NotDone> {
    if !matches!(command.role, Some(Role::Commander | Role::Province)) {
        return Err(NotDone::RoleMissing);
    }
    if command.by == first {
        return Err(NotDone::SamePerson);
    }
    Ok(())
}

fn review_owed(command: &AlertCommand, known: &AlertKnown) -> AlertEvent {
    AlertEvent::ReviewOwed { due: known.now.plus_ms(REVIEW_MS_MAX), by: command.by.clone() }
}

/// Whether an alert may say this, and from now on.
fn allowed(facts: &AlertFacts, sealed: &[String], now: Millis) -> Result<(), NotDone> {
    expiry::checked(facts.kind, facts.expires_at, now).map_err(NotDone::NotAnExpiry)?;
    shown(facts, sealed)
}

fn shown(facts: &AlertFacts, sealed: &[String]) -> Result<(), NotDone> {
    if facts.kind.needs_last_seen() && facts.last_seen.is_none() {
        return Err(NotDone::LastSeenMissing);
    }
    match refused_fields(facts.kind, facts.legal_basis.as_deref(), sealed).first() {
        None => Ok(()),
        Some(("legal_basis", why)) => Err(NotDone::NotShown("legal_basis", *why)),
        Some(("photos", why)) => Err(NotDone::NotShown("photos", *why)),
        Some((_, why)) => Err(NotDone::NotShown("person", *why)),
    }
}

fn checked(facts: &AlertFacts, sealed: &[String]) -> Checked {
    let list = checklist(facts, sealed);
    Checked {
        version: list.version,
        completeness_percent: list.completeness_percent,
        missing: list.missing.into_iter().map(str::to_owned).collect(),
    }
}

fn issued(said: Content, reached: Reached) -> AlertEvent {
    let Reckoned { mut communes, next } = Reckoned::from(reached);
    let to_follow = communes.split_off(communes.len().min(COMMUNES_PER_COMMIT_MAX));
    let Content { revision, facts, code, content, by, checked } = said;
    AlertEvent::Issued { revision, facts, code, content, by, communes, to_follow, checked, next }
}

/// Everybody who was told, or is about to be.
fn told(live: &Live) -> impl Iterator<Item = CommuneCode> {
    live.communes.iter().chain(&live.to_follow).map(|reached| reached.home.commune)
}

/// What a widening adds to an alert that is in force.
fn reckoned(
    live: &Live,
    reach: &ReachRequest,
    known: &AlertKnown,
    is_bordering_only: bool,
) -> Result<Reckoned, NotDone> {
    let reached = reached(&live.content.facts, Some(live), reach, known, is_bordering_only)?;
    let Reckoned { communes, next } = Reckoned::from(reached);
    Ok(Reckoned { communes: additions(told(live), &communes), next })
}

fn widening(live: &Live, by: &str, reach: &ReachRequest, reckoned: Reckoned) -> AlertEvent {
    let Reckoned { mut communes, next } = reckoned;
    let to_follow = communes.split_off(communes.len().min(COMMUNES_PER_COMMIT_MAX));
    AlertEvent::Widened {
        step: live.grown + 1,
        by: by.to_owned(),
        reach: reach.clone(),
        communes,
        to_follow,
        next,
    }
}

/// The widening, where it tells anybody or comes at another time than was said.
fn widened(live: &Live, by: &str, reach: &ReachRequest, reckoned: Reckoned) -> Option<AlertEvent> {
    let is_other = !reckoned.communes.is_empty()
        || (reckoned.next.at, &reckoned.next.communes) != (live.next.at, &live.next.communes);
    is_other.then(|| widening(live, by, reach, reckoned))
}
