//! The alert on the wire.

mod parts;

use bytes::Bytes;
use domain::{
    alert::{Alert, AlertAsk, AlertCommand, AlertEvent, Change, ChangeHow, Pending},
    ids::{AlertId, Millis},
};

use self::parts::{
    checked_recalled, checked_said, communes_recalled, communes_said, exceeded_recalled,
    next_recalled, next_said,
};
pub use self::parts::{
    exceeded_said, facts_recalled, facts_said, reach_recalled, reach_said, seen_recalled, seen_said,
};
use crate::{
    NotDecodable, Spoken,
    actor::role_of,
    delivery::{target_said, targets_recalled},
    spoken::{home_recalled, id_bytes, millis_or_none, record_id},
    v1::{self, alert_change_asked, command::Body, event::Event},
};

fn how_said(how: ChangeHow) -> i32 {
    i32::from(match how {
        ChangeHow::Update => v1::ChangeHow::Update,
        ChangeHow::Correct => v1::ChangeHow::Correct,
    })
}

fn how_recalled(how: i32) -> Result<ChangeHow, NotDecodable> {
    match v1::ChangeHow::try_from(how) {
        Ok(v1::ChangeHow::Update) => Ok(ChangeHow::Update),
        Ok(v1::ChangeHow::Correct) => Ok(ChangeHow::Correct),
        _ => Err(NotDecodable("how an alert changes")),
    }
}

fn facts_in(facts: Option<&v1::AlertFacts>) -> Result<domain::alert::AlertFacts, NotDecodable> {
    facts_recalled(facts.ok_or(NotDecodable("facts"))?)
}

fn reach_in(reach: Option<&v1::ReachRequest>) -> Result<domain::reach::ReachRequest, NotDecodable> {
    reach_recalled(reach.ok_or(NotDecodable("a reach"))?)
}

fn pending_said(pending: &Pending) -> alert_change_asked::Change {
    use alert_change_asked::Change as Said;
    match pending {
        Pending::Change { how, facts, content } => Said::Content(v1::AlertContent {
            how: how_said(*how),
            facts: Some(facts_said(facts)),
            content: id_bytes(content.0),
        }),
        Pending::Widen(reach) => Said::Widen(reach_said(reach)),
        Pending::Reopen { note } => Said::ReopenNote(id_bytes(note.0)),
    }
}

fn pending_recalled(pending: Option<&alert_change_asked::Change>) -> Result<Pending, NotDecodable> {
    use alert_change_asked::Change as Said;
    Ok(match pending.ok_or(NotDecodable("a change"))? {
        Said::Content(said) => Pending::Change {
            how: how_recalled(said.how)?,
            facts: facts_in(said.facts.as_ref())?,
            content: record_id(&said.content)?,
        },
        Said::Widen(reach) => Pending::Widen(reach_recalled(reach)?),
        Said::ReopenNote(note) => Pending::Reopen { note: record_id(note)? },
    })
}

fn ask(body: Option<&Body>, id: &Bytes) -> Result<AlertAsk, NotDecodable> {
    let id = record_id(id)?;
    Ok(match body {
        Some(Body::RaiseAlert(raise)) => AlertAsk::Raise {
            facts: facts_in(raise.facts.as_ref())?,
            code: AlertId::raised_by(id).code(),
            content: id,
        },
        Some(Body::ApproveAlert(approve)) => AlertAsk::Approve { revision: approve.revision },
        Some(Body::DeclineAlert(_)) => AlertAsk::Decline { note: id },
        Some(Body::ReviewAlert(_)) => AlertAsk::Review,
        Some(Body::ChangeAlert(change)) => AlertAsk::Change(Change {
            how: how_recalled(change.how)?,
            facts: facts_in(change.facts.as_ref())?,
            content: id,
            set: change.set.clone(),
        }),
        Some(Body::WidenAlert(widen)) => AlertAsk::Widen { reach: reach_in(widen.reach.as_ref())? },
        Some(Body::HoldAlert(_)) => AlertAsk::Hold,
        // What was stale is raised again, by one word: its words are where they were.
        Some(Body::ReleaseAlert(v1::ReleaseAlert { facts: Some(facts), content })) => {
            let content = record_id(content)?;
            let code = AlertId::raised_by(content).code();
            AlertAsk::Raise { facts: facts_recalled(facts)?, code, content }
        }
        Some(Body::ReleaseAlert(_)) => AlertAsk::Release,
        Some(Body::SightAlert(sight)) => AlertAsk::Sight {
            seen: seen_recalled(sight.seen.as_ref().ok_or(NotDecodable("a sighting"))?),
            commune: sight.commune.parse().map_err(|_| NotDecodable("a commune"))?,
            note: id,
        },
        Some(Body::CancelAlert(_)) => AlertAsk::Cancel { note: id },
        Some(Body::ResolveAlert(_)) => AlertAsk::Resolve { note: id },
        Some(Body::ReopenAlert(_)) => AlertAsk::Reopen { note: id },
        Some(Body::ExpireAlert(expire)) => {
            AlertAsk::Expire { expires_at: Millis(expire.expires_at_ms) }
        }
        Some(Body::NearAlertExpiry(near)) => {
            AlertAsk::NearExpiry { expires_at: Millis(near.expires_at_ms) }
        }
        Some(Body::RelayAlertFurther(further)) => AlertAsk::RelayFurther { step: further.step },
        Some(Body::GrowAlert(grow)) => AlertAsk::Grow { step: grow.step },
        Some(Body::TakeAlertOnward(onward)) => {
            let home = |home: &v1::Home| home_recalled(&home.province, &home.commune);
            AlertAsk::TakeOnward { to: onward.to.iter().map(home).collect::<Result<_, _>>()? }
        }
        Some(Body::TakeAlertInstruction(taken)) => AlertAsk::TakeInstruction {
            commune: taken.commune.parse().map_err(|_| NotDecodable("a commune"))?,
            content: record_id(&taken.content)?,
        },
        Some(Body::NoteAlertBudget(note)) => {
            AlertAsk::NoteBudget(exceeded_recalled(note.figures.as_ref())?)
        }
        Some(Body::AttestCorrection(attest)) => AlertAsk::Attest {
            revision: attest.revision,
            commune: attest.commune.parse().map_err(|_| NotDecodable("a commune"))?,
            targets: targets_recalled(&attest.targets)?,
            note: id,
        },
        Some(Body::MissAlertReview(miss)) => AlertAsk::MissReview { due: Millis(miss.due_ms) },
        _ => return Err(NotDecodable("a command to an alert")),
    })
}

impl Spoken for Alert {
    fn hear(command: &v1::Command) -> Result<AlertCommand, NotDecodable> {
        Ok(AlertCommand {
            by: command.actor.as_ref().map(|actor| actor.officer.clone()).unwrap_or_default(),
            role: role_of(command.actor.as_ref()),
            valid_until: millis_or_none(command.valid_until_ms),
            sealed: command.sealed_fields.clone(),
            ask: ask(command.body.as_ref(), &command.id)?,
        })
    }

    fn say(event: &AlertEvent) -> Event {
        said(event)
    }

    fn recall(event: &Event) -> Result<AlertEvent, NotDecodable> {
        match recalled_content(event)? {
            Some(event) => Ok(event),
            None => recalled_state(event),
        }
    }
}

/// What an alert says, whom it is put to, and who agreed.
fn said(event: &AlertEvent) -> Event {
    match event {
        AlertEvent::ApprovalAsked { revision, facts, code, content, by, checked } => {
            Event::AlertApprovalAsked(v1::AlertApprovalAsked {
                revision: *revision,
                facts: Some(facts_said(facts)),
                code: code.clone(),
                content: id_bytes(content.0),
                raised_by: by.clone(),
                checked: Some(checked_said(checked)),
            })
        }
        AlertEvent::ChangeAsked { revision, change, by } => {
            Event::AlertChangeAsked(v1::AlertChangeAsked {
                revision: *revision,
                asked_by: by.clone(),
                change: Some(pending_said(change)),
            })
        }
        AlertEvent::Issued {
            revision,
            facts,
            code,
            content,
            by,
            communes,
            to_follow,
            checked,
            next,
        } => Event::AlertIssued(v1::AlertIssued {
            revision: *revision,
            facts: Some(facts_said(facts)),
            code: code.clone(),
            content: id_bytes(content.0),
            communes: communes_said(communes),
            to_follow: communes_said(to_follow),
            raised_by: by.clone(),
            checked: Some(checked_said(checked)),
            next: Some(next_said(next)),
        }),
        AlertEvent::RelayedFurther { step, communes } => {
            let communes = communes_said(communes);
            Event::AlertRelayedFurther(v1::AlertRelayedFurther { step: *step, communes })
        }
        AlertEvent::Widened { step, by, reach, communes, to_follow, next } => {
            Event::AlertWidened(v1::AlertWidened {
                step: *step,
                by: by.clone(),
                reach: Some(reach_said(reach)),
                communes: communes_said(communes),
                to_follow: communes_said(to_follow),
                next: Some(next_said(next)),
            })
        }
        AlertEvent::Changed { revision, how, facts, content, by } => {
            Event::AlertChanged(v1::AlertChanged {
                revision: *revision,
                content: Some(v1::AlertContent {
                    how: how_said(*how),
                    facts: Some(facts_said(facts)),
                    content: id_bytes(content.0),
                }),
                officer: by.clone(),
            })
        }
        other => said_of_state(other),
    }
}

/// Who agreed, what was seen, and how the alert stands.
fn said_of_state(event: &AlertEvent) -> Event {
    match event {
        AlertEvent::Approved { revision, by } => Event::AlertApproved(v1::AlertApproved {
            approved_revision: *revision,
            officer: by.clone(),
        }),
        AlertEvent::Declined { revision, by, note } => Event::AlertDeclined(v1::AlertDeclined {
            declined_revision: *revision,
            officer: by.clone(),
            note: id_bytes(note.0),
        }),
        AlertEvent::ReviewOwed { due, by } => {
            let sent_by = by.clone();
            Event::AlertReviewOwed(v1::AlertReviewOwed { due_ms: due.0, sent_by })
        }
        AlertEvent::Reviewed { by } => {
            Event::AlertReviewed(v1::AlertReviewed { officer: by.clone() })
        }
        AlertEvent::ReviewMissed { due } => {
            Event::AlertReviewMissed(v1::AlertReviewMissed { due_ms: due.0 })
        }
        AlertEvent::Held { by } => Event::AlertHeld(v1::AlertHeld { officer: by.clone() }),
        AlertEvent::Released { revision, by } => {
            let officer = by.clone();
            Event::AlertReleased(v1::AlertReleased { revision: *revision, officer })
        }
        AlertEvent::Reopened { revision, by, note } => Event::AlertReopened(v1::AlertReopened {
            revision: *revision,
            officer: by.clone(),
            note: id_bytes(note.0),
        }),
        AlertEvent::Cancelled { revision, note } => {
            let note = id_bytes(note.0);
            Event::AlertCancelled(v1::AlertCancelled { revision: *revision, note })
        }
        AlertEvent::Resolved { revision, note } => {
            let note = id_bytes(note.0);
            Event::AlertResolved(v1::AlertResolved { revision: *revision, note })
        }
        AlertEvent::ExpiryNear { expires_at } => {
            Event::AlertExpiryNear(v1::AlertExpiryNear { expires_at_ms: expires_at.0 })
        }
        AlertEvent::Expired { revision } => {
            Event::AlertExpired(v1::AlertExpired { revision: *revision })
        }
        other => said_of_communes(other),
    }
}

/// What communes saw, did and answer for, and what it is to their groups.
fn said_of_communes(event: &AlertEvent) -> Event {
    match event {
        AlertEvent::Sighted { seen, commune, by, note } => Event::AlertSighted(v1::AlertSighted {
            seen: Some(seen_said(*seen)),
            commune: commune.to_string(),
            officer: by.clone(),
            note: id_bytes(note.0),
        }),
        AlertEvent::Instructed { revision, commune, content } => {
            let (commune, content) = (commune.to_string(), id_bytes(content.0));
            Event::AlertInstructed(v1::AlertInstructed { revision: *revision, commune, content })
        }
        AlertEvent::BudgetExceeded(exceeded) => {
            let figures = Some(exceeded_said(exceeded));
            Event::AlertBudgetExceeded(v1::AlertBudgetExceeded { figures })
        }
        AlertEvent::CorrectionAttested { revision, commune, targets, by, note } => {
            Event::AlertCorrectionAttested(v1::AlertCorrectionAttested {
                revision: *revision,
                commune: commune.to_string(),
                targets: targets.iter().map(target_said).collect(),
                officer: by.clone(),
                note: id_bytes(note.0),
            })
        }
        // Those above have said these.
        AlertEvent::ApprovalAsked { .. }
        | AlertEvent::ChangeAsked { .. }
        | AlertEvent::Issued { .. }
        | AlertEvent::RelayedFurther { .. }
        | AlertEvent::Widened { .. }
        | AlertEvent::Changed { .. }
        | AlertEvent::Approved { .. }
        | AlertEvent::Declined { .. }
        | AlertEvent::ReviewOwed { .. }
        | AlertEvent::Reviewed { .. }
        | AlertEvent::ReviewMissed { .. }
        | AlertEvent::Held { .. }
        | AlertEvent::Released { .. }
        | AlertEvent::Reopened { .. }
        | AlertEvent::Cancelled { .. }
        | AlertEvent::Resolved { .. }
        | AlertEvent::ExpiryNear { .. }
        | AlertEvent::Expired { .. } => said(event),
    }
}

fn recalled_content(event: &Event) -> Result<Option<AlertEvent>, NotDecodable> {
    Ok(Some(match event {
        Event::AlertApprovalAsked(asked) => AlertEvent::ApprovalAsked {
            revision: asked.revision,
            facts: facts_in(asked.facts.as_ref())?,
            code: asked.code.clone(),
            content: record_id(&asked.content)?,
            by: asked.raised_by.clone(),
            checked: checked_recalled(asked.checked.as_ref())?,
        },
        Event::AlertChangeAsked(asked) => AlertEvent::ChangeAsked {
            revision: asked.revision,
            change: pending_recalled(asked.change.as_ref())?,
            by: asked.asked_by.clone(),
        },
        Event::AlertIssued(issued) => AlertEvent::Issued {
            revision: issued.revision,
            facts: facts_in(issued.facts.as_ref())?,
            code: issued.code.clone(),
            content: record_id(&issued.content)?,
            by: issued.raised_by.clone(),
            communes: communes_recalled(&issued.communes)?,
            to_follow: communes_recalled(&issued.to_follow)?,
            checked: checked_recalled(issued.checked.as_ref())?,
            next: next_recalled(issued.next.as_ref())?,
        },
        Event::AlertRelayedFurther(further) => AlertEvent::RelayedFurther {
            step: further.step,
            communes: communes_recalled(&further.communes)?,
        },
        Event::AlertWidened(widened) => AlertEvent::Widened {
            step: widened.step,
            by: widened.by.clone(),
            reach: reach_in(widened.reach.as_ref())?,
            communes: communes_recalled(&widened.communes)?,
            to_follow: communes_recalled(&widened.to_follow)?,
            next: next_recalled(widened.next.as_ref())?,
        },
        Event::AlertChanged(changed) => {
            let content = changed.content.as_ref().ok_or(NotDecodable("a content"))?;
            AlertEvent::Changed {
                revision: changed.revision,
                how: how_recalled(content.how)?,
                facts: facts_in(content.facts.as_ref())?,
                content: record_id(&content.content)?,
                by: changed.officer.clone(),
            }
        }
        _ => return Ok(None),
    }))
}

fn recalled_state(event: &Event) -> Result<AlertEvent, NotDecodable> {
    Ok(match event {
        Event::AlertApproved(approved) => AlertEvent::Approved {
            revision: approved.approved_revision,
            by: approved.officer.clone(),
        },
        Event::AlertDeclined(declined) => AlertEvent::Declined {
            revision: declined.declined_revision,
            by: declined.officer.clone(),
            note: record_id(&declined.note)?,
        },
        Event::AlertReviewOwed(owed) => {
            AlertEvent::ReviewOwed { due: Millis(owed.due_ms), by: owed.sent_by.clone() }
        }
        Event::AlertReviewed(reviewed) => AlertEvent::Reviewed { by: reviewed.officer.clone() },
        Event::AlertReviewMissed(missed) => AlertEvent::ReviewMissed { due: Millis(missed.due_ms) },
        Event::AlertSighted(sighted) => AlertEvent::Sighted {
            seen: seen_recalled(sighted.seen.as_ref().ok_or(NotDecodable("a sighting"))?),
            commune: sighted.commune.parse().map_err(|_| NotDecodable("a commune"))?,
            by: sighted.officer.clone(),
            note: record_id(&sighted.note)?,
        },
        Event::AlertInstructed(instructed) => AlertEvent::Instructed {
            revision: instructed.revision,
            commune: instructed.commune.parse().map_err(|_| NotDecodable("a commune"))?,
            content: record_id(&instructed.content)?,
        },
        Event::AlertBudgetExceeded(exceeded) => {
            AlertEvent::BudgetExceeded(exceeded_recalled(exceeded.figures.as_ref())?)
        }
        Event::AlertCorrectionAttested(attested) => AlertEvent::CorrectionAttested {
            revision: attested.revision,
            commune: attested.commune.parse().map_err(|_| NotDecodable("a commune"))?,
            targets: targets_recalled(&attested.targets)?,
            by: attested.officer.clone(),
            note: record_id(&attested.note)?,
        },
        Event::AlertHeld(held) => AlertEvent::Held { by: held.officer.clone() },
        Event::AlertReleased(released) => {
            AlertEvent::Released { revision: released.revision, by: released.officer.clone() }
        }
        Event::AlertReopened(reopened) => AlertEvent::Reopened {
            revision: reopened.revision,
            by: reopened.officer.clone(),
            note: record_id(&reopened.note)?,
        },
        Event::AlertCancelled(end) => {
            AlertEvent::Cancelled { revision: end.revision, note: record_id(&end.note)? }
        }
        Event::AlertResolved(end) => {
            AlertEvent::Resolved { revision: end.revision, note: record_id(&end.note)? }
        }
        Event::AlertExpiryNear(near) => {
            AlertEvent::ExpiryNear { expires_at: Millis(near.expires_at_ms) }
        }
        Event::AlertExpired(end) => AlertEvent::Expired { revision: end.revision },
        _ => return Err(NotDecodable("an event of an alert")),
    })
}
