//! Deciding: one command from the log, one commit into it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use chassis::Host;
use domain::{
    alert::{Alert, AlertKnown, Closing},
    decider::Refusal,
    delivery::{Delivery, DeliveryKnown},
    drill::Drill,
    erasure::{Erasure, ErasureKnown},
    freeze::{Freeze, FreezeKnown},
    ids::{EntityName, Millis, RecordId},
    looks::Looks,
    matching::decision::{Match, MatchKnown},
    reach::Borders,
    relay::protocol::RelayProtocol,
};
use event_log::{
    At, Class, Held, Key, Recorded,
    reactor::{Handled, React},
    shell::{Answers, Ask, Decided, ExecuteError, Shell},
};
use futures::future::BoxFuture;
use prost::Message;
use wire::{
    Spoken, actor,
    matching::match_sides,
    relay::relay_subject,
    v1::{self, command::Body},
};

use crate::relaying::Subject;

/// Decides commands.
pub(crate) struct Deciding {
    pub(crate) host: Host,
    alerts: Shell<Alert>,
    pub(crate) relays: Shell<RelayProtocol>,
    freezes: Shell<Freeze>,
    erasures: Shell<Erasure>,
    matches: Shell<Match>,
    deliveries: Shell<Delivery>,
    drills: Shell<Drill>,
    looks: Shell<Looks>,
    /// Commands that this program cannot read, each reported once.
    set_aside: Mutex<BTreeSet<RecordId>>,
}

impl Deciding {
    pub(crate) fn new(host: Host) -> Self {
        Self {
            alerts: Shell::new(Arc::clone(&host.log)),
            relays: Shell::new(Arc::clone(&host.log)),
            freezes: Shell::new(Arc::clone(&host.log)),
            erasures: Shell::new(Arc::clone(&host.log)),
            matches: Shell::new(Arc::clone(&host.log)),
            deliveries: Shell::new(Arc::clone(&host.log)),
            drills: Shell::new(Arc::clone(&host.log)),
            looks: Shell::new(Arc::clone(&host.log)),
            set_aside: Mutex::default(),
            host,
        }
    }

    /// What it holds folded of what it has decided.
    pub(crate) fn held(&self) -> Vec<Held> {
        let shells = [
            self.alerts.held(),
            self.relays.held(),
            self.freezes.held(),
            self.matches.held(),
            self.deliveries.held(),
            self.drills.held(),
            self.looks.held(),
        ];
        shells.into_iter().flatten().collect()
    }

    async fn decide(&self, recorded: &Recorded) -> Result<Option<At>, ExecuteError> {
        let command = v1::Command::decode(recorded.open.clone()).map_err(held(recorded))?;
        let mut now = self.host.clock.now();
        if command.actor.as_ref().is_some_and(actor::is_service) {
            // It was written when it was due: a clock that is behind, or was set back, does not
            // make it too early.
            now = now.max(Millis(command.written_at_ms));
        }
        self.decide_at(recorded, &command, now).await
    }

    async fn decide_at(
        &self,
        recorded: &Recorded,
        command: &v1::Command,
        now: Millis,
    ) -> Result<Option<At>, ExecuteError> {
        let Some(body) = &command.body else {
            return Err(held(recorded)("a command that this program does not know"));
        };
        match body {
            Body::RaiseAlert(_)
            | Body::ApproveAlert(_)
            | Body::CancelAlert(_)
            | Body::ResolveAlert(_)
            | Body::ExpireAlert(_)
            | Body::RelayAlertFurther(_)
            | Body::DeclineAlert(_)
            | Body::ReviewAlert(_)
            | Body::ChangeAlert(_)
            | Body::WidenAlert(_)
            | Body::HoldAlert(_)
            | Body::ReleaseAlert(_)
            | Body::SightAlert(_)
            | Body::ReopenAlert(_)
            | Body::GrowAlert(_)
            | Body::TakeAlertOnward(_)
            | Body::TakeAlertInstruction(_)
            | Body::NoteAlertBudget(_)
            | Body::AttestCorrection(_)
            | Body::MissAlertReview(_)
            | Body::NearAlertExpiry(_) => self.decide_alert(recorded, command, now).await,
            Body::AcknowledgeRelay(_)
            | Body::RefuseRelay(_)
            | Body::EscalateRelay(_)
            | Body::InstructRelay(_)
            | Body::RelayOnward(_) => self.decide_relay(recorded, command, now).await,
            Body::RecordOfficer(_)
            | Body::RecordGroup(_)
            | Body::MakeToken(_)
            | Body::RevokeToken(_)
            | Body::AdoptMap(_)
            | Body::RecordContact(_)
            | Body::RecordRoster(_)
            | Body::AdoptDirectory(_)
            | Body::MakeLinkKey(_)
            | Body::SwitchChannel(_)
            | Body::RegisterKey(_)
            | Body::ConfirmKey(_)
            | Body::RevokeKey(_) => self.host.clerk.decide(recorded, command, now).await,
            Body::AskFreeze(_)
            | Body::ConfirmFreeze(_)
            | Body::LiftFreeze(_)
            | Body::EndFreeze(_) => self.decide_freeze(recorded, command, now).await,
            Body::ProposeMatch(_) | Body::ConfirmMatch(_) | Body::DismissMatch(_) => {
                self.decide_match(recorded, command, now).await
            }
            Body::AttestPosted(_) | Body::RequeueDelivery(_) => {
                self.decide_delivery(recorded, command, now).await
            }
            Body::AskErasure(_)
            | Body::ConfirmErasure(_)
            | Body::SetLegalHold(_)
            | Body::LiftLegalHold(_)
            | Body::RetireAlert(_)
            | Body::RestoreErasure(_)
            | Body::FinishErasure(_) => self.decide_erasure(recorded, command, now).await,
            Body::RecordDrillResult(_) => self.decide_drill(recorded, command, now).await,
            Body::RecordLook(_) => self.decide_look(recorded, command, now).await,
        }
    }

    async fn decide_alert(
        &self,
        recorded: &Recorded,
        command: &v1::Command,
        now: Millis,
    ) -> Result<Option<At>, ExecuteError> {
        let fresh = matches!(command.body, Some(Body::RaiseAlert(_)));
        let raises = match &command.body {
            Some(Body::ReleaseAlert(release)) => release.facts.is_some(),
            _ => fresh,
        };
        let ask = self.ask::<Alert>(recorded, command, now, fresh)?;
        // Intake takes acts on alerts alone whose raise it has seen, so the raise is only late: a
        // cancel that is decided before it would be refused for ever.
        if !raises && self.alerts.state(&ask.key).await?.version == 0 {
            return Err(ExecuteError::Unavailable("its raise is not decided yet".to_owned()));
        }
        let map: Arc<dyn Borders> = Arc::clone(&self.host.map) as _;
        let corridors = Arc::clone(&self.host.corridors);
        let policy = self.host.policies.of(recorded.key.home.commune);
        let known = AlertKnown { now, map, corridors, policy };
        let decided = self.alerts.execute(ask, |_, _| known.clone()).await?;
        count("alert", &decided);
        let since_written = now.since_ms(Millis(command.written_at_ms));
        metrics::histogram!("keng_stage_seconds", "stage" => "decided")
            .record(std::time::Duration::from_millis(since_written));
        if decided.refusal.is_some_and(|refusal| refusal.code == Refusal::STALE.code) {
            tracing::warn!(entity = %recorded.key.entity, "a command was held too long: stale");
        }
        Ok(decided.at)
    }

    async fn decide_freeze(
        &self,
        recorded: &Recorded,
        command: &v1::Command,
        now: Millis,
    ) -> Result<Option<At>, ExecuteError> {
        let ask = self.ask::<Freeze>(recorded, command, now, false)?;
        let decided = self.freezes.execute(ask, |_, _| FreezeKnown { now }).await?;
        count("freeze", &decided);
        Ok(decided.at)
    }

    async fn decide_erasure(
        &self,
        recorded: &Recorded,
        command: &v1::Command,
        now: Millis,
    ) -> Result<Option<At>, ExecuteError> {
        let alert = recorded.key.entity.erasure_of();
        let alert = alert.ok_or_else(|| held(recorded)("an erasure of no alert"))?;
        let (class, home) = (Class::Alert, recorded.key.home);
        let key = Key { class, home, entity: EntityName::alert(alert) };
        let alert = self.alerts.state(&key).await?;
        // One that was refused was never in force.
        let over = match alert.state {
            Alert::Closed { .. } => true,
            Alert::Unissued => alert.version > 0,
            Alert::AwaitingApproval(_) | Alert::Active(_) => false,
        };
        let ask = self.ask::<Erasure>(recorded, command, now, false)?;
        let decided = self.erasures.execute(ask, |_, _| ErasureKnown { now, over }).await?;
        count("erasure", &decided);
        Ok(decided.at)
    }

    async fn decide_look(
        &self,
        recorded: &Recorded,
        command: &v1::Command,
        now: Millis,
    ) -> Result<Option<At>, ExecuteError> {
        let ask = self.ask::<Looks>(recorded, command, now, false)?;
        let decided = self.looks.execute(ask, |_, _| ()).await?;
        count("look", &decided);
        Ok(decided.at)
    }

    /// Intake decides what it measured; this is what it left, where it was killed.
    async fn decide_drill(
        &self,
        recorded: &Recorded,
        command: &v1::Command,
        now: Millis,
    ) -> Result<Option<At>, ExecuteError> {
        let ask = self.ask::<Drill>(recorded, command, now, false)?;
        let decided = self.drills.execute(ask, |_, _| ()).await?;
        count("drill", &decided);
        Ok(decided.at)
    }

    async fn decide_match(
        &self,
        recorded: &Recorded,
        command: &v1::Command,
        now: Millis,
    ) -> Result<Option<At>, ExecuteError> {
        let mut cancelled = false;
        for (alert, home) in match_sides(command).map_err(held(recorded))? {
            let key = Key { class: Class::Alert, home, entity: EntityName::alert(alert) };
            let alert = self.alerts.state(&key).await?.state;
            cancelled |= matches!(alert, Alert::Closed { how: Closing::Cancelled, .. });
        }
        let ask = self.ask::<Match>(recorded, command, now, false)?;
        let known = MatchKnown { now, cancelled };
        let decided = self.matches.execute(ask, |_, _| known).await?;
        count("match", &decided);
        Ok(decided.at)
    }

    /// What people ask of a delivery; all else of it fan-out observes.
    async fn decide_delivery(
        &self,
        recorded: &Recorded,
        command: &v1::Command,
        now: Millis,
    ) -> Result<Option<At>, ExecuteError> {
        let ask = self.ask::<Delivery>(recorded, command, now, false)?;
        let ask = Ask { key: Key { class: Class::Delivery, ..ask.key }, ..ask };
        let decided = self.deliveries.execute(ask, |_, _| DeliveryKnown::at(now)).await?;
        count("delivery", &decided);
        Ok(decided.at)
    }

    async fn decide_relay(
        &self,
        recorded: &Recorded,
        command: &v1::Command,
        now: Millis,
    ) -> Result<Option<At>, ExecuteError> {
        let (alert, home, commune) = relay_subject(command).map_err(held(recorded))?;
        let subject = Subject { alert, home, commune };
        let alert = self.alerts.state(&subject.alert_key()).await?.state;
        let ask = self.ask::<RelayProtocol>(recorded, command, now, false)?;
        let asked = self.with_asked(ask.command, recorded.key.home, now);
        let known = self.relay_known(subject, &alert, &asked, now).await?;
        let ask = Ask { command: asked, ..ask };
        let decided = self.relays.execute(ask, |_, _| known.clone()).await?;
        count("relay", &decided);
        Ok(decided.at)
    }

    fn ask<D: Spoken>(
        &self,
        recorded: &Recorded,
        command: &v1::Command,
        now: Millis,
        fresh: bool,
    ) -> Result<Ask<D::Command>, ExecuteError> {
        let heard = D::hear(command).map_err(held(recorded))?;
        Ok(Ask {
            key: Key { class: Class::Alert, ..recorded.key.clone() },
            cause: recorded.id,
            correlation: command.correlation.clone(),
            actor: command.actor.clone().unwrap_or_default(),
            command: heard,
            now,
            map: Bytes::copy_from_slice(&self.host.map_sha256),
            sealing: None,
            answers: Answers::Command,
            fresh,
        })
    }

    /// Says once that a command is set aside; its entity is held until a program that knows it.
    fn set_aside(&self, recorded: &Recorded, why: &str) {
        let mut aside = self.set_aside.lock().unwrap_or_else(PoisonError::into_inner);
        if aside.insert(recorded.id) {
            tracing::error!(id = %recorded.id, entity = %recorded.key.entity, why, "set aside");
            metrics::counter!("keng_records_held_total", "class" => "command").increment(1);
        }
    }
}

impl React for Deciding {
    fn react(&self, recorded: Arc<Recorded>) -> BoxFuture<'_, Handled> {
        Box::pin(async move {
            if !self.host.map_fits() {
                return Handled::Later;
            }
            match self.decide(&recorded).await {
                Ok(at) => Handled::Done(at.into_iter().collect()),
                Err(ExecuteError::Held { why, .. }) => {
                    self.set_aside(&recorded, &why);
                    Handled::Later
                }
                Err(ExecuteError::Unavailable(why)) => {
                    tracing::warn!(id = %recorded.id, why, "not decided yet");
                    Handled::Later
                }
            }
        })
    }
}

/// What cannot be read holds its entity.
fn held<W: ToString>(recorded: &Recorded) -> impl Fn(W) -> ExecuteError {
    |why| ExecuteError::Held { entity: recorded.key.entity.clone(), why: why.to_string() }
}

fn count<E>(kind: &'static str, decided: &Decided<E>) {
    let outcome = match (&decided.refusal, decided.events.is_empty()) {
        (Some(_), _) => "refused",
        (None, true) => "already-true",
        (None, false) => "done",
    };
    metrics::counter!("keng_decided_total", "kind" => kind, "outcome" => outcome).increment(1);
}
