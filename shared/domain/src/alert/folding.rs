//! What becomes of an alert by what is recorded of it. Total: nothing recorded can be refused.

use std::collections::BTreeMap;

use super::{Alert, AlertEvent, Closing, Content, Live, NextReach, Pending, Review};
use crate::reach::CommuneReached;

impl Alert {
    pub(super) fn folded(self, event: &AlertEvent) -> Self {
        match (self, event) {
            // A record that the broker lost and that was appended again later may come after
            // the end: cancelled outranks resolved, and any end outranks active.
            (
                before @ (Self::AwaitingApproval(_) | Self::Active(_) | Self::Closed { .. }),
                AlertEvent::ApprovalAsked { .. },
            )
            | (before @ Self::Closed { .. }, AlertEvent::Expired { .. }) => before,
            (Self::Active(mut live), AlertEvent::Issued { communes, to_follow, .. }) => {
                live.put_to(communes, to_follow);
                Self::Active(live)
            }
            (Self::Closed { mut live, how }, AlertEvent::Issued { revision, communes, .. }) => {
                live.was_put_to(communes, *revision);
                Self::Closed { live, how }
            }
            (
                closed @ Self::Closed { how: Closing::Cancelled, .. },
                AlertEvent::Resolved { .. } | AlertEvent::Reopened { .. },
            ) => closed,
            (
                before,
                AlertEvent::ApprovalAsked { revision, facts, code, content, by, checked }
                | AlertEvent::Issued { revision, facts, code, content, by, checked, .. },
            ) => {
                let said = Content {
                    revision: *revision,
                    facts: facts.clone(),
                    code: code.clone(),
                    content: *content,
                    by: by.clone(),
                    checked: checked.clone(),
                };
                if matches!(event, AlertEvent::ApprovalAsked { .. }) {
                    return Self::AwaitingApproval(said);
                }
                let approved = before.content().map(|waiting| waiting.revision);
                let mut live = Live { approved, ..Live::of(said) };
                live.take(event);
                Self::Active(live)
            }
            (Self::AwaitingApproval(content), AlertEvent::Declined { .. }) => {
                Self::Closed { live: Live::of(content), how: Closing::Declined }
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
            (Self::Closed { mut live, .. }, AlertEvent::Reopened { revision, .. }) => {
                live.content.revised(*revision);
                live.pending = None;
                // Growth begins anew with the next reckoning.
                live.next = NextReach::default();
                Self::Active(live)
            }
            (Self::Active(mut live), event) => {
                live.take(event);
                Self::Active(live)
            }
            (Self::Closed { mut live, how }, event) => {
                live.take_when_over(event);
                Self::Closed { live, how }
            }
            (before, _) => before,
        }
    }

    fn closed(self, revision: u64, how: Closing) -> Self {
        let mut live = match self {
            Self::Unissued => return Self::Unissued,
            Self::AwaitingApproval(content) => Live::of(content),
            Self::Active(live) | Self::Closed { live, .. } => live,
        };
        live.content.revised(revision);
        live.pending = None;
        live.on_hold = false;
        Self::Closed { live, how }
    }
}

impl Content {
    /// It is changed as this revision. What was lost and is back may bear one that was told
    /// meanwhile: then it is the next.
    fn revised(&mut self, revision: u64) {
        self.revision = revision.max(self.revision + 1);
    }
}

impl Live {
    /// Nobody was told yet.
    fn of(content: Content) -> Self {
        Self {
            content,
            approved: None,
            communes: vec![],
            to_follow: vec![],
            steps: 0,
            grown: 0,
            next: NextReach::default(),
            since: None,
            holds: 0,
            on_hold: false,
            review: Review::NotOwed,
            asked: 0,
            pending: None,
            sighting: None,
            asked_before_expiry: None,
            instructions: BTreeMap::new(),
            exceeded: None,
            attested: BTreeMap::new(),
        }
    }

    /// It is put to these, too. What was lost and is back may name some that are known, and some
    /// that must hear of an end that was decided without knowing of them.
    fn put_to(&mut self, communes: &[CommuneReached], to_follow: &[CommuneReached]) {
        for reached in communes {
            self.to_follow.retain(|waits| waits.home != reached.home);
            if !self.communes.iter().any(|known| known.home == reached.home) {
                self.communes.push(*reached);
            }
        }
        for reached in to_follow {
            let mut known = self.communes.iter().chain(&self.to_follow);
            if !known.any(|known| known.home == reached.home) {
                self.to_follow.push(*reached);
            }
        }
    }

    /// It was put to these before its end, and they may have been told under this revision.
    fn was_put_to(&mut self, communes: &[CommuneReached], revision: u64) {
        self.put_to(communes, &[]);
        self.content.revision = self.content.revision.max(revision + 1);
    }

    fn take(&mut self, event: &AlertEvent) {
        match event {
            AlertEvent::Issued { communes, to_follow, next, .. } => {
                self.communes.clone_from(communes);
                self.to_follow.clone_from(to_follow);
                self.reckoned(next);
            }
            AlertEvent::RelayedFurther { step, communes } => {
                self.put_to(communes, &[]);
                self.steps = self.steps.max(*step);
            }
            AlertEvent::Widened { step, reach, communes, to_follow, next, .. } => {
                let known = |home| self.communes.iter().any(|reached| reached.home == home);
                let new: Vec<_> = communes.iter().filter(|c| !known(c.home)).copied().collect();
                self.communes.extend(new);
                self.to_follow.extend(to_follow.iter().copied());
                self.content.facts.reach = reach.clone();
                self.grown = self.grown.max(*step);
                self.reckoned(next);
                if matches!(self.pending, Some((_, Pending::Widen(_), _))) {
                    self.pending = None;
                }
            }
            AlertEvent::ChangeAsked { revision, change, by } => {
                self.asked = self.asked.max(*revision);
                self.pending = Some((*revision, change.clone(), by.clone()));
            }
            AlertEvent::Instructed { revision, commune, content } => {
                self.content.revised(*revision);
                let newest = self.instructions.entry(*commune).or_insert((*revision, *content));
                *newest = (*newest).max((*revision, *content));
            }
            AlertEvent::Sighted { seen, .. } => self.sighting = Some(*seen),
            AlertEvent::ExpiryNear { expires_at } => {
                self.asked_before_expiry = Some(*expires_at);
            }
            AlertEvent::Held { .. } => {
                self.on_hold = true;
                self.holds += 1;
            }
            AlertEvent::Released { revision, .. } => {
                self.on_hold = false;
                self.content.revised(*revision);
            }
            other => self.take_when_over(other),
        }
    }

    fn reckoned(&mut self, next: &NextReach) {
        self.since = self.since.or(next.assumed.as_ref().map(|assumed| assumed.t0));
        self.next = next.clone();
    }

    /// What counts after the end, too: corrections, and what a second person says.
    fn take_when_over(&mut self, event: &AlertEvent) {
        match event {
            AlertEvent::Changed { revision, facts, content, .. } => {
                self.content.revised(*revision);
                self.content.facts = facts.clone();
                self.content.content = *content;
                if matches!(self.pending, Some((_, Pending::Change { .. }, _))) {
                    self.pending = None;
                }
            }
            AlertEvent::ChangeAsked { revision, change, by } => {
                self.asked = self.asked.max(*revision);
                self.pending = Some((*revision, change.clone(), by.clone()));
            }
            AlertEvent::RelayedFurther { communes, .. } | AlertEvent::Widened { communes, .. } => {
                self.put_to(communes, &[]);
            }
            AlertEvent::Approved { revision, .. } => self.approved = Some(*revision),
            AlertEvent::Declined { .. } => self.pending = None,
            AlertEvent::BudgetExceeded(exceeded) => self.exceeded = Some(*exceeded),
            AlertEvent::CorrectionAttested { revision, targets, .. } => {
                for target in targets {
                    let told = self.attested.entry(target.clone()).or_default();
                    *told = (*told).max(*revision);
                }
            }
            AlertEvent::ReviewOwed { due, by } => {
                let mut senders = match std::mem::take(&mut self.review) {
                    Review::Owed { by, .. } => by,
                    Review::NotOwed | Review::Done { .. } => vec![],
                };
                if !senders.contains(by) {
                    senders.push(by.clone());
                }
                self.review = Review::Owed { due: *due, by: senders, missed: false };
            }
            AlertEvent::Reviewed { by } => self.review = Review::Done { by: by.clone() },
            AlertEvent::ReviewMissed { due: at } => {
                if let Review::Owed { due, missed, .. } = &mut self.review
                    && due == at
                {
                    *missed = true;
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alert::{AlertFacts, Checked},
        decider::Decider,
        ids::{CommuneCode, Home, Millis, RecordId},
        reach::{ReachReason, ReachRequest},
        values::{AlertKind, AlertStatus},
    };

    fn home(commune: &str) -> Home {
        Home { province: "68".parse().unwrap(), commune: commune.parse().unwrap() }
    }

    fn facts() -> AlertFacts {
        AlertFacts {
            kind: AlertKind::Suspect,
            status: AlertStatus::Actual,
            home: home("25126"),
            reported_at: None,
            last_seen: None,
            travel: None,
            person: None,
            legal_basis: None,
            expires_at: Millis(9),
            reach: ReachRequest::Auto,
            dont_know: vec![],
        }
    }

    fn asked() -> AlertEvent {
        AlertEvent::ApprovalAsked {
            revision: 1,
            facts: facts(),
            code: "0123456789".into(),
            content: RecordId::of_purpose("raise"),
            by: "an".into(),
            checked: Checked::default(),
        }
    }

    fn issued(revision: u64, communes: &[&str]) -> AlertEvent {
        let reached = |commune: &&str| CommuneReached {
            home: home(commune),
            reason: ReachReason::Border,
            ring: 1,
        };
        AlertEvent::Issued {
            revision,
            facts: facts(),
            code: "0123456789".into(),
            content: RecordId::of_purpose("raise"),
            by: "an".into(),
            communes: communes.iter().map(reached).collect(),
            to_follow: vec![],
            checked: Checked::default(),
            next: NextReach::default(),
        }
    }

    /// What is recorded, and last what was lost and is back: then this state, this revision, and
    /// put to these.
    fn check(events: &[AlertEvent], then: (&str, u64, &[&str])) {
        let alert = events.iter().fold(Alert::default(), Alert::evolve);
        let communes: Vec<CommuneCode> = alert.communes().iter().map(|c| c.home.commune).collect();
        let wanted: Vec<CommuneCode> = then.2.iter().map(|code| code.parse().unwrap()).collect();
        let revision = alert.content().map_or(0, |content| content.revision);
        assert_eq!((alert.state(), revision, communes), (then.0, then.1, wanted), "{events:#?}");
    }

    #[test]
    fn what_was_issued_and_lost_changes_neither_what_stands_nor_an_end() {
        let note = RecordId::of_purpose("note");
        let cancelled = |revision| AlertEvent::Cancelled { revision, note };
        let reopened = AlertEvent::Reopened { revision: 4, by: "an".into(), note };
        let resolved = AlertEvent::Resolved { revision: 3, note };
        // The raise was decided anew, and lives on.
        let lives = [issued(1, &["25126"]), resolved, reopened, issued(1, &["25126", "25127"])];
        check(&lives, ("active", 4, &["25126", "25127"]));
        // Called back before it was known that it had been issued: the end has a revision above
        // the one under which people were told.
        let back = [asked(), cancelled(2), issued(2, &["25126"])];
        check(&back, ("cancelled", 3, &["25126"]));
        let over = [issued(1, &["25126"]), cancelled(2), issued(1, &["25126"])];
        check(&over, ("cancelled", 2, &["25126"]));
        let communes =
            vec![CommuneReached { home: home("25127"), reason: ReachReason::Border, ring: 1 }];
        let further = AlertEvent::RelayedFurther { step: 1, communes };
        let late = [issued(1, &["25126"]), cancelled(2), further];
        check(&late, ("cancelled", 2, &["25126", "25127"]));
        let updated = AlertEvent::Changed {
            revision: 2,
            how: crate::alert::ChangeHow::Update,
            facts: facts(),
            content: RecordId::of_purpose("change"),
            by: "an".into(),
        };
        check(&[issued(1, &["25126"]), updated, cancelled(2)], ("cancelled", 3, &["25126"]));
        // Nothing waits for an approval that it has.
        check(&[asked(), issued(2, &["25126"]), asked()], ("active", 2, &["25126"]));
    }
}
