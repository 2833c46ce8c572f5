//! What becomes of an alert by what is recorded of it. Total: nothing recorded can be refused.

use std::collections::BTreeMap;

use super::{Alert, AlertEvent, Closing, Content, Live, NextReach, Pending, Review};

impl Alert {
    pub(super) fn folded(self, event: &AlertEvent) -> Self {
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
                AlertEvent::Resolved { .. } | AlertEvent::Reopened { .. },
            ) => closed,
            (_, AlertEvent::ApprovalAsked { revision, facts, code, content, by, checked }) => {
                Self::AwaitingApproval(Content {
                    revision: *revision,
                    facts: facts.clone(),
                    code: code.clone(),
                    content: *content,
                    by: by.clone(),
                    checked: checked.clone(),
                })
            }
            (before, AlertEvent::Issued { revision, facts, code, content, by, checked, .. }) => {
                let said = Content {
                    revision: *revision,
                    facts: facts.clone(),
                    code: code.clone(),
                    content: *content,
                    by: by.clone(),
                    checked: checked.clone(),
                };
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
                live.content.revision = live.content.revision.max(*revision);
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
        live.content.revision = revision;
        live.pending = None;
        live.on_hold = false;
        Self::Closed { live, how }
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

    fn take(&mut self, event: &AlertEvent) {
        match event {
            AlertEvent::Issued { communes, to_follow, next, .. } => {
                self.communes.clone_from(communes);
                self.to_follow.clone_from(to_follow);
                self.reckoned(next);
            }
            AlertEvent::RelayedFurther { step, communes } => {
                self.to_follow.retain(|commune| !communes.contains(commune));
                self.communes.extend(communes.iter().copied());
                self.steps = *step;
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
                self.content.revision = self.content.revision.max(*revision);
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
                self.content.revision = *revision;
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
                self.content.revision = *revision;
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
