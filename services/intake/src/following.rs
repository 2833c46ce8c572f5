//! Following the log for the board.

use std::sync::Arc;

use chassis::{Host, host::ReadModel, kept::Kept};
use domain::{
    alert::Alert,
    decider::Decider,
    erasure::Erasure,
    ids::{AlertId, EntityName, Millis, RecordId},
    relay::protocol::RelayProtocol,
};
use event_log::{At, Class, Recorded, follower::Cursor, projection::Project};
use prost::Message;
use wire::{
    Spoken,
    commit::events_of,
    v1::{self, command::Body, commit::Outcome, event::Event},
};

use crate::{
    Intake,
    board::{Decision, Rows, place},
    drills::Drills,
    erasures::claimed,
    match_board,
    notices::{Notice, What},
    row::{Asked, Refused},
};

/// One class on its way onto the board.
pub(crate) struct Following {
    intake: Arc<Intake>,
    class: Class,
    cursor: Option<Cursor>,
    kept: Option<Kept>,
    read: ReadModel,
}

impl Following {
    pub(crate) fn new(host: &Host, intake: &Arc<Intake>, class: Class) -> Self {
        let name = match class {
            Class::Command => "board-commands",
            Class::Alert => "board-alerts",
            Class::Delivery => "board-deliveries",
            Class::Receipt | Class::News => "board-receipts",
        };
        let read = host.read_model(name);
        let mut following =
            Self { intake: Arc::clone(intake), class, cursor: None, kept: None, read };
        // Alerts and who raised them are known at once, also while the broker is away; what
        // became of their deliveries is read again from the log.
        if matches!(class, Class::Command | Class::Alert) {
            let local = host.local.as_ref();
            let (kept, found) = Kept::open(local, name, class, &host.log, &host.drain);
            for recorded in found.records {
                following.take_in(&recorded);
            }
            following.cursor = found.cursor;
            following.kept = Some(kept);
        }
        following
    }

    /// Takes a record in; answers whether the board needs it at the next start.
    fn take_in(&self, recorded: &Recorded) -> bool {
        let at = At { class: self.class, position: recorded.position, id: recorded.id };
        if self.class == Class::Command {
            let Ok(command) = v1::Command::decode(recorded.open.clone()) else { return false };
            if let Some(pictures) = &self.intake.pictures
                && let Some(claim) = claimed(&command, recorded)
            {
                // Who keeps them ends with the process.
                let _ = pictures.claims.send(claim);
            }
            let mut rows = self.intake.board.lock();
            let Some((alert, mut asked)) = asked(&command) else { return rows.drilled(&command) };
            rows.dated(alert, &mut asked);
            let row = rows.row(alert, recorded.key.home);
            row.asked = Some(asked);
            place(row, self.class, at);
            return true;
        }
        if self.class == Class::Alert && self.intake.guard.freezes.take_in(recorded, at) {
            return true;
        }
        let entity = &recorded.key.entity;
        let Some(alert) = entity.alert_id().or(entity.erasure_of()) else {
            return match_board::take_in(&self.intake, recorded, at);
        };
        // Of deliveries it is said that something has changed; what, is read when somebody looks.
        if self.class != Class::Alert {
            if self.class == Class::Receipt {
                self.intake.gone.saw(recorded);
            }
            let what = What::Delivery(recorded.key.home);
            self.intake.notices.tell(Notice { at, alert, what });
            return false;
        }
        // What cannot be decoded is alarmed by whoever decides on it.
        let Ok(commit) = v1::Commit::decode(recorded.open.clone()) else { return false };
        self.commit(recorded, alert, &commit, at);
        true
    }

    fn commit(&self, recorded: &Recorded, alert: AlertId, commit: &v1::Commit, at: At) {
        let decided_at = Millis(commit.decided_at_ms);
        let mut rows = self.intake.board.lock();
        // Records come again after trouble: what was seen changes nothing.
        if !rows.is_new(alert, &recorded.key.entity, commit.version) {
            return;
        }
        // What cannot be decoded is alarmed by whoever decides on it.
        for event in events_of(commit.clone()).unwrap_or_default() {
            self.event(&mut rows, recorded, alert, &event, decided_at, at);
        }
        let refusal = match &commit.outcome {
            Some(Outcome::Refused(refused)) => {
                let (code, field) = (refused.code.clone(), refused.field.clone());
                Some(Refused { code, field })
            }
            _ => None,
        };
        let Some(cause) = RecordId::from_slice(&commit.causation) else { return };
        if recorded.key.entity == EntityName::alert(alert) {
            let row = rows.row(alert, recorded.key.home);
            place(row, self.class, at);
            // Only the command that raised the alert gives it its id.
            if refusal.is_some() && AlertId::raised_by(cause) == alert {
                row.refusal.clone_from(&refusal);
            }
        }
        // An answer changes nothing of the alert itself, but it is shown with it.
        if let Some(row) = rows.get_mut(alert) {
            place(row, self.class, at);
        }
        rows.decide(cause, &Decision { at, refusal });
    }

    fn event(
        &self,
        rows: &mut Rows,
        recorded: &Recorded,
        alert: AlertId,
        event: &Event,
        decided_at: Millis,
        at: At,
    ) {
        let home = recorded.key.home;
        let what = match event {
            Event::RelayAcknowledged(_)
            | Event::RelayRefused(_)
            | Event::RelayEscalated(_)
            | Event::RelayInstructed(_)
            | Event::RelayedOnward(_) => {
                let Ok(event) = RelayProtocol::recall(event) else { return };
                let Some(row) = rows.get_mut(alert) else { return };
                if let Some(relay) = row.relays.get_mut(&home.commune) {
                    relay.story.apply(&event, decided_at);
                }
                What::Answer(home)
            }
            Event::EraseAsked(_)
            | Event::EraseOrdered(_)
            | Event::AlertErased(_)
            | Event::LegalHoldAsked(_)
            | Event::LegalHoldBegan(_)
            | Event::LegalHoldLiftAsked(_)
            | Event::LegalHoldLifted(_) => {
                let Ok(event) = Erasure::recall(event) else { return };
                let row = rows.row(alert, home);
                row.erasure = std::mem::take(&mut row.erasure).evolve(&event);
                What::Alert
            }
            _ => {
                let Ok(event) = Alert::recall(event) else { return };
                let row = rows.row(alert, home);
                row.apply(&event, decided_at);
                for (commune, relay) in &mut row.relays {
                    relay.story.bears(self.intake.host.policies.of(*commune).answer_times);
                }
                What::Alert
            }
        };
        let Some(row) = rows.get_mut(alert) else { return };
        place(row, self.class, at);
        self.intake.notices.tell(Notice { at, alert, what });
    }
}

/// What a command that raises an alert asks for.
pub(crate) fn asked(command: &v1::Command) -> Option<(AlertId, Asked)> {
    let Some(Body::RaiseAlert(raise)) = &command.body else { return None };
    let content = RecordId::from_slice(&command.id)?;
    let id = AlertId::raised_by(content);
    let facts = wire::alert::facts_recalled(raise.facts.as_ref()?).ok()?;
    let actor = command.actor.clone().unwrap_or_default();
    let (by, by_commune) = (actor.officer, actor.commune.parse().ok());
    let attested = actor.attested;
    let at = Millis(command.written_at_ms);
    Some((id, Asked { facts, content, by, by_commune, attested, at, last_drill: None }))
}

impl Project for Following {
    fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    fn apply(&mut self, recorded: &Arc<Recorded>) {
        self.cursor = Some(Cursor::on(recorded));
        let keep = self.take_in(recorded);
        if let Some(kept) = &mut self.kept {
            kept.saw(recorded, keep);
        }
    }

    fn begin_anew(&mut self) {
        self.cursor = None;
        if let Some(kept) = &mut self.kept {
            kept.begin_anew();
        }
        if self.class == Class::Command {
            self.intake.board.lock().drills = Drills::default();
            self.intake.forget_texts();
        }
        if self.class == Class::Alert {
            self.intake.guard.freezes.clear();
            self.intake.board.lock().forget_alerts();
        }
        // Positions are used again: streams show how things stand, and go on from there.
        self.intake.notices.clear();
    }

    fn caught_up(&mut self) {
        self.read.caught_up();
    }
}
