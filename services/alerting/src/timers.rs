//! Timers: what follows from the passing of time, and from a reach that one commit could not
//! name.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use domain::{
    alert::{Alert, Closing, NearExpiry, Review},
    ids::{AlertId, EntityName, Home, Millis, RecordId},
};
use event_log::command::Draft;
use wire::v1::{self, command::Body};

use crate::asking::{COMMANDS_MAX, Commit, Due, draft};

/// What is due, and when: the live alerts, and when each is to be looked at.
#[derive(Default)]
pub(crate) struct Timers {
    alerts: BTreeMap<AlertId, Waiting>,
    times: BTreeSet<(Millis, AlertId)>,
    /// Alerts with communes that a further commit must name.
    further: BTreeSet<AlertId>,
}

struct Waiting {
    home: Home,
    /// Its newest commit.
    observed: RecordId,
    alert: Arc<Alert>,
    near_expiry: NearExpiry,
    /// When something of it is due.
    at: Option<Millis>,
}

impl Due for Timers {
    const TASK: &'static str = "alerting-timers";
    const LATE: &'static str = "what is due cannot be asked for yet";

    fn take_in(&mut self, commit: &Commit<'_>) {
        let Some((id, alert)) = commit.alert else { return };
        let before = self.alerts.remove(&id);
        let mut near_expiry = before.as_ref().map(|before| before.near_expiry).unwrap_or_default();
        if let Some(at) = before.and_then(|before| before.at) {
            self.times.remove(&(at, id));
        }
        self.further.remove(&id);
        near_expiry.stands(alert, commit.at);
        let at = alert.due_at().into_iter().chain(near_expiry.due_at()).min();
        // What was resolved may be opened again; everything else that is over stays over.
        let may_come_back = matches!(**alert, Alert::Closed { how: Closing::Resolved, .. });
        if at.is_none() && !may_come_back {
            return;
        }
        self.times.extend(at.map(|at| (at, id)));
        if further(alert).is_some() {
            self.further.insert(id);
        }
        let (home, observed, alert) = (commit.home, commit.id, Arc::clone(alert));
        self.alerts.insert(id, Waiting { home, observed, alert, near_expiry, at });
    }

    fn forget(&mut self, alert: AlertId) {
        self.alerts.remove(&alert);
    }

    fn begin_anew(&mut self) {
        *self = Self::default();
    }

    fn next(&self) -> Option<Millis> {
        self.times.first().map(|(at, _)| *at)
    }

    fn commands(&mut self, now: Millis) -> Vec<Draft> {
        let given = |id: AlertId, waiting: &Waiting, purpose: &str, body| {
            let of = (EntityName::alert(id), waiting.home);
            draft(RecordId::of_purpose(purpose), of, id.0.as_bytes(), now, body)
        };
        let due = self.times.iter().take_while(|(at, _)| *at <= now).take(COMMANDS_MAX);
        let due = due.filter_map(|(_, id)| self.alerts.get_key_value(id));
        let timed = due.flat_map(|(id, waiting)| {
            let asks = asks(*id, waiting, now).into_iter();
            asks.map(|(purpose, body)| given(*id, waiting, &purpose, body))
        });
        let further = self.further.iter().take(COMMANDS_MAX).filter_map(|id| {
            let waiting = self.alerts.get(id)?;
            let (step, holds) = further(&waiting.alert)?;
            let purpose = format!("relay/{id}/{step}/{holds}/{}", waiting.observed);
            let body = Body::RelayAlertFurther(v1::RelayAlertFurther { step });
            Some(given(*id, waiting, &purpose, body))
        });
        timed.chain(further).collect()
    }
}

/// The step that names further communes, and how often the alert was put on hold.
fn further(alert: &Alert) -> Option<(u32, u32)> {
    match alert {
        Alert::Active(live) if !live.to_follow.is_empty() && !live.on_hold => {
            Some((live.steps + 1, live.holds))
        }
        _ => None,
    }
}

/// What is asked of an alert now, each with its purpose. What was asked while an alert was on hold
/// did nothing: afterwards it is asked anew, under another purpose.
///
/// So was what was answered while the log had lost the alert's newest commits, and it is used up.
/// What always leads on is asked for anew behind each commit; growth is not, since an alert whose
/// reach cannot be reckoned would be asked for ever.
fn asks(id: AlertId, waiting: &Waiting, now: Millis) -> Vec<(String, Body)> {
    let alert = waiting.alert.as_ref();
    let mut asks = Vec::new();
    if let Some(at) = alert.expires_at().filter(|at| *at <= now) {
        let body = Body::ExpireAlert(v1::ExpireAlert { expires_at_ms: at.0 });
        asks.push((format!("expire/{id}/{}/{}", at.0, waiting.observed), body));
    }
    let Alert::Active(live) = alert else { return asks };
    let expires_at = live.content.facts.expires_at;
    if waiting.near_expiry.due_at().is_some_and(|at| at <= now) && now < expires_at {
        let body = Body::NearAlertExpiry(v1::NearAlertExpiry { expires_at_ms: expires_at.0 });
        // An alert may come back to an expiry that it had before: that one is asked about anew.
        let revision = live.content.revision;
        asks.push((format!("near-expiry/{id}/{revision}/{}", expires_at.0), body));
    }
    if live.next.at.is_some_and(|at| at <= now) && !live.on_hold {
        let step = live.grown + 1;
        let body = Body::GrowAlert(v1::GrowAlert { step });
        asks.push((format!("widen/{id}/{step}/{}", live.holds), body));
    }
    if let Review::Owed { due, missed: false, .. } = &live.review
        && *due <= now
    {
        let body = Body::MissAlertReview(v1::MissAlertReview { due_ms: due.0 });
        asks.push((format!("review/{id}/{}/{}", due.0, waiting.observed), body));
    }
    asks
}

#[cfg(test)]
mod tests {
    use domain::{
        alert::{AlertEvent, AlertFacts, Checked, NextReach},
        decider::Decider,
        reach::ReachRequest,
        values::{AlertKind, AlertStatus},
    };

    use super::*;

    fn home() -> Home {
        Home { province: "68".parse().unwrap(), commune: "25126".parse().unwrap() }
    }

    fn issued() -> AlertEvent {
        AlertEvent::Issued {
            revision: 1,
            facts: AlertFacts {
                kind: AlertKind::Notice,
                status: AlertStatus::Actual,
                home: home(),
                reported_at: None,
                last_seen: None,
                travel: None,
                person: None,
                legal_basis: None,
                expires_at: Millis(9),
                reach: ReachRequest::Auto,
                dont_know: vec![],
            },
            code: "0123456789".into(),
            content: RecordId::of_purpose("raise"),
            by: "an".into(),
            communes: vec![],
            to_follow: vec![],
            checked: Checked::default(),
            next: NextReach::default(),
        }
    }

    fn takes_in(timers: &mut Timers, alert: &Arc<Alert>, commit: &str) {
        let cause = RecordId::of_purpose("cause");
        let id = AlertId::raised_by(RecordId::of_purpose("raise"));
        timers.take_in(&Commit {
            entity: &EntityName::alert(id),
            home: home(),
            id: RecordId::of_purpose(commit),
            at: Millis(1),
            cause,
            events: &[],
            alert: Some((id, alert)),
            live: true,
        });
    }

    #[test]
    fn an_expiry_that_was_answered_in_vain_is_asked_for_behind_what_came_back() {
        let asked = |timers: &mut Timers| {
            let commands = timers.commands(Millis(10));
            commands.into_iter().map(|draft| draft.id).collect::<Vec<_>>()
        };
        let note = RecordId::of_purpose("note");
        let active = Alert::default().evolve(&issued());
        let resolved = active.clone().evolve(&AlertEvent::Resolved { revision: 2, note });
        let by = "an".to_owned();
        let reopened = resolved.clone().evolve(&AlertEvent::Reopened { revision: 3, by, note });
        let mut timers = Timers::default();
        takes_in(&mut timers, &Arc::new(active), "issued");
        takes_in(&mut timers, &Arc::new(reopened.clone()), "reopened");
        let first = asked(&mut timers);
        assert_eq!(
            (first.len(), asked(&mut timers) == first),
            (1, true),
            "the same until answered"
        );
        // The log had lost the opening again, so that it answered: already true.
        takes_in(&mut timers, &Arc::new(resolved), "already true");
        assert_eq!(asked(&mut timers), []);
        takes_in(&mut timers, &Arc::new(reopened), "recovered");
        let second = asked(&mut timers);
        assert_eq!((second.len(), second == first), (1, false));
    }
}
