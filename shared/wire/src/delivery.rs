//! Plans, leases, stops and receipts on the wire.

use std::sync::Arc;

use domain::{
    delivery::{Audience, Begun, Delivery, DeliveryCommand, DeliveryEvent, Plan, Target},
    ids::Millis,
    lane::Receipt,
    receipts::Receipts,
};

use crate::{
    NotDecodable, Spoken,
    spoken::{alert_id, home_recalled, home_said, id_bytes, millis_or_none, record_id},
    v1::{self, command::Body, event::Event},
    values::{news_recalled, news_said, outcome_recalled, outcome_said},
};

/// A channel of a group, on the wire.
#[must_use]
pub fn target_said(target: &Target) -> v1::Target {
    v1::Target {
        group: target.group.to_string(),
        channel: target.channel.to_string(),
        r#type: target.channel_type.to_string(),
    }
}

/// A target; shares the names of its channel with the target before it where they are the same,
/// as they nearly always are: a plan has thousands.
fn target_recalled(target: &v1::Target, before: Option<&Target>) -> Result<Target, NotDecodable> {
    let same_channel = before.filter(|before| before.channel.as_str() == target.channel);
    let same_type = before.filter(|before| *before.channel_type == *target.r#type);
    Ok(Target {
        group: target.group.parse().map_err(|_| NotDecodable("a group"))?,
        channel: match same_channel {
            Some(before) => before.channel.clone(),
            None => target.channel.parse().map_err(|_| NotDecodable("a channel"))?,
        },
        channel_type: match same_type {
            Some(before) => Arc::clone(&before.channel_type),
            None => target.r#type.as_str().into(),
        },
    })
}

pub(crate) fn targets_recalled(targets: &[v1::Target]) -> Result<Vec<Target>, NotDecodable> {
    let mut recalled: Vec<Target> = Vec::with_capacity(targets.len());
    for target in targets {
        recalled.push(target_recalled(target, recalled.last())?);
    }
    Ok(recalled)
}

fn one_target(target: Option<&v1::Target>) -> Result<Target, NotDecodable> {
    target_recalled(target.ok_or(NotDecodable("a target"))?, None)
}

fn begun_recalled(begun: &v1::AttemptsBegun) -> Result<Vec<Begun>, NotDecodable> {
    let mut recalled: Vec<Begun> = Vec::with_capacity(begun.attempts.len());
    for attempt in &begun.attempts {
        let target = attempt.target.as_ref().ok_or(NotDecodable("a target"))?;
        recalled.push(Begun {
            target: target_recalled(target, recalled.last().map(|before| &before.target))?,
            revision: attempt.revision,
            attempt: attempt.attempt,
        });
    }
    Ok(recalled)
}

/// A receipt on the wire.
#[must_use]
pub fn receipt_said(receipt: &Receipt) -> v1::Receipt {
    v1::Receipt {
        target: Some(target_said(&receipt.target)),
        revision: receipt.revision,
        attempt: receipt.attempt,
        outcome: outcome_said(receipt.outcome),
        at_ms: receipt.at.0,
        took_ms: receipt.took_ms,
        status: receipt.status,
        trouble: receipt.trouble.clone(),
        next_attempt_at_ms: receipt.next_attempt_at.map_or(0, |at| at.0),
        provider_id: receipt.provider_id.clone(),
    }
}

/// A receipt from the wire.
///
/// # Errors
/// Something of it is newer than this program.
pub fn receipt_recalled(receipt: &v1::Receipt) -> Result<Receipt, NotDecodable> {
    receipt_behind(receipt, None)
}

fn receipt_behind(
    receipt: &v1::Receipt,
    before: Option<&Receipt>,
) -> Result<Receipt, NotDecodable> {
    let target = receipt.target.as_ref().ok_or(NotDecodable("a target"))?;
    Ok(Receipt {
        target: target_recalled(target, before.map(|before| &before.target))?,
        revision: receipt.revision,
        attempt: receipt.attempt,
        outcome: outcome_recalled(receipt.outcome)?,
        at: Millis(receipt.at_ms),
        took_ms: receipt.took_ms,
        status: receipt.status,
        trouble: receipt.trouble.clone(),
        next_attempt_at: millis_or_none(receipt.next_attempt_at_ms),
        provider_id: receipt.provider_id.clone(),
    })
}

impl Spoken for Delivery {
    /// People attest and have tried again; all else fan-out observes and plans.
    fn hear(command: &v1::Command) -> Result<DeliveryCommand, NotDecodable> {
        match &command.body {
            Some(Body::AttestPosted(asked)) => Ok(DeliveryCommand::AttestPosted {
                target: one_target(asked.target.as_ref())?,
                revision: asked.revision,
            }),
            Some(Body::RequeueDelivery(asked)) => Ok(DeliveryCommand::Requeue {
                target: one_target(asked.target.as_ref())?,
                revision: asked.revision,
            }),
            _ => Err(NotDecodable("a command to a delivery")),
        }
    }

    fn say(event: &DeliveryEvent) -> Event {
        match event {
            DeliveryEvent::Planned { plan, lease_until } => {
                Event::DeliveriesPlanned(v1::DeliveriesPlanned {
                    alert: id_bytes(plan.alert.0),
                    alert_home: Some(home_said(plan.alert_home)),
                    commune: plan.commune.to_string(),
                    revision: plan.revision,
                    news: news_said(plan.news),
                    cause: id_bytes(plan.cause.0),
                    instance: plan.instance.clone(),
                    lease_until_ms: lease_until.0,
                    give_up_at_ms: plan.give_up_at.0,
                    not_before_ms: plan.not_before.map_or(0, |at| at.0),
                    targets: plan.targets.iter().map(target_said).collect(),
                })
            }
            DeliveryEvent::Begun(attempts) => {
                let begun = |begun: &Begun| v1::AttemptBegun {
                    target: Some(target_said(&begun.target)),
                    revision: begun.revision,
                    attempt: begun.attempt,
                };
                let attempts = attempts.iter().map(begun).collect();
                Event::AttemptsBegun(v1::AttemptsBegun { attempts })
            }
            DeliveryEvent::PostAttested { target, revision } => {
                let (target, revision) = (Some(target_said(target)), *revision);
                Event::PostAttested(v1::PostAttested { target, revision })
            }
            DeliveryEvent::Requeued { target, revision, give_up_at } => {
                Event::DeliveryRequeued(v1::DeliveryRequeued {
                    target: Some(target_said(target)),
                    revision: *revision,
                    give_up_at_ms: give_up_at.0,
                })
            }
            DeliveryEvent::LeaseTaken { instance, lease_until } => {
                let (instance, lease_until_ms) = (instance.clone(), lease_until.0);
                Event::LeaseTaken(v1::LeaseTaken { instance, lease_until_ms })
            }
            DeliveryEvent::Stopped { reason, revision, targets, never_left } => {
                Event::DeliveriesStopped(v1::DeliveriesStopped {
                    revision: *revision,
                    targets: targets.iter().map(target_said).collect(),
                    reason: reason.as_str().to_owned(),
                    never_left: *never_left,
                })
            }
        }
    }

    fn recall(event: &Event) -> Result<DeliveryEvent, NotDecodable> {
        Ok(match event {
            Event::DeliveriesPlanned(planned) => {
                let home = planned.alert_home.as_ref().ok_or(NotDecodable("a home"))?;
                DeliveryEvent::Planned {
                    plan: Plan {
                        alert: alert_id(&planned.alert)?,
                        alert_home: home_recalled(&home.province, &home.commune)?,
                        commune: planned.commune.parse().map_err(|_| NotDecodable("a commune"))?,
                        revision: planned.revision,
                        news: news_recalled(planned.news)?,
                        cause: record_id(&planned.cause)?,
                        instance: planned.instance.clone(),
                        give_up_at: Millis(planned.give_up_at_ms),
                        not_before: millis_or_none(planned.not_before_ms),
                        audience: Audience::Named,
                        targets: targets_recalled(&planned.targets)?,
                    },
                    lease_until: Millis(planned.lease_until_ms),
                }
            }
            Event::AttemptsBegun(begun) => DeliveryEvent::Begun(begun_recalled(begun)?),
            Event::PostAttested(attested) => DeliveryEvent::PostAttested {
                target: one_target(attested.target.as_ref())?,
                revision: attested.revision,
            },
            Event::DeliveryRequeued(requeued) => DeliveryEvent::Requeued {
                target: one_target(requeued.target.as_ref())?,
                revision: requeued.revision,
                give_up_at: Millis(requeued.give_up_at_ms),
            },
            Event::LeaseTaken(taken) => DeliveryEvent::LeaseTaken {
                instance: taken.instance.clone(),
                lease_until: Millis(taken.lease_until_ms),
            },
            Event::DeliveriesStopped(stopped) => DeliveryEvent::Stopped {
                reason: stopped.reason.parse().map_err(|_| NotDecodable("a reason to stop"))?,
                revision: stopped.revision,
                targets: targets_recalled(&stopped.targets)?,
                never_left: stopped.never_left,
            },
            _ => return Err(NotDecodable("an event of a delivery")),
        })
    }
}

impl Spoken for Receipts {
    /// Nobody gives receipts through the log: fan-out observes.
    fn hear(_: &v1::Command) -> Result<Vec<Receipt>, NotDecodable> {
        Err(NotDecodable("a command to receipts"))
    }

    fn say(receipts: &Vec<Receipt>) -> Event {
        let receipts = receipts.iter().map(receipt_said).collect();
        Event::ReceiptsRecorded(v1::ReceiptsRecorded { receipts })
    }

    fn recall(event: &Event) -> Result<Vec<Receipt>, NotDecodable> {
        match event {
            Event::ReceiptsRecorded(recorded) => {
                let mut recalled: Vec<Receipt> = Vec::with_capacity(recorded.receipts.len());
                for receipt in &recorded.receipts {
                    recalled.push(receipt_behind(receipt, recalled.last())?);
                }
                Ok(recalled)
            }
            _ => Err(NotDecodable("receipts")),
        }
    }
}
