//! The nasty log: the port as one process sees it, with the faults that its seed enables.
//!
//! Within the port: nothing that it does is forbidden by `event_log::EventLog`, so that whatever
//! breaks over it is a mistake of who uses it.

use std::{sync::Arc, time::Duration};

use domain::ids::{AlertId, EntityName, RecordId};
use event_log::{
    AppendError, Appended, At, Class, Durable, EraseError, EventLog, FollowError, Follower,
    Following, Key, LoadError, Outgoing, Record, Recorded, Seal, batch,
};
use futures::future::BoxFuture;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    broker::Broker,
    chance::Chance,
    faults::{Fault, Faults, Mutation, Setting},
    following::NastyFollower,
    machine::Machine,
};

/// A command that the broker has not acknowledged after this is held.
const COMMAND_PATIENCE: Duration = Duration::from_secs(1);
/// A commit that the broker has not acknowledged after this is unavailable.
const COMMIT_PATIENCE: Duration = Duration::from_secs(5);

/// The log of one process. Cloning shares it.
#[derive(Clone)]
pub struct NastyLog(pub(crate) Arc<Process>);

pub(crate) struct Process {
    pub(crate) broker: Arc<Broker>,
    pub(crate) machine: Arc<Machine>,
    pub(crate) faults: Faults,
    pub(crate) chance: Chance,
    /// False once the process was killed: whatever it still does reaches nobody.
    pub(crate) lives: watch::Sender<bool>,
    outgoing: Outgoing,
    holds: Notify,
    mutation: Option<Mutation>,
}

/// What becomes of one append.
struct Luck {
    before: Duration,
    after: Duration,
    appended: bool,
    answered: bool,
    conflict: bool,
}

impl NastyLog {
    /// The log as a process on this machine sees it. Takes up the commands that the machine
    /// holds. Needs a runtime.
    #[must_use]
    pub fn open(
        broker: &Arc<Broker>,
        machine: &Arc<Machine>,
        (faults, chance): (&Faults, Chance),
        mutation: Option<Mutation>,
    ) -> Self {
        let process = Arc::new(Process {
            broker: Arc::clone(broker),
            machine: Arc::clone(machine),
            faults: faults.clone(),
            chance,
            lives: watch::Sender::new(true),
            outgoing: Outgoing::default(),
            holds: Notify::new(),
            mutation,
        });
        for command in machine.held() {
            process.outgoing.hold(Arc::new(unplaced(&command)));
        }
        if faults.setting == Setting::Broker {
            tokio::spawn(Arc::clone(&process).send_held());
            tokio::spawn(Arc::clone(&process).heal());
        }
        Self(process)
    }

    /// The commands that are held.
    #[must_use]
    pub fn outgoing(&self) -> Outgoing {
        self.0.outgoing.clone()
    }

    /// The process is killed: from now on it says nothing and hears nothing.
    pub fn kill(&self) {
        self.0.lives.send_replace(false);
    }
}

fn unplaced(command: &Record) -> Recorded {
    Recorded {
        position: At::UNPLACED,
        id: command.id,
        key: command.key.clone(),
        kind: command.kind,
        open: command.open.clone(),
        seal: command.sealed.clone().map_or(Seal::None, Seal::Here),
        signature: command.signature.clone(),
    }
}

impl Process {
    /// Returns at once while the process lives, and never afterwards.
    pub(crate) async fn lives(&self) {
        if !*self.lives.borrow() {
            std::future::pending::<()>().await;
        }
    }

    pub(crate) fn is_away(&self) -> bool {
        *self.machine.away.borrow()
    }

    pub(crate) async fn until_back(&self) {
        // The machine lives as long as `self`.
        let _ = self.machine.away.subscribe().wait_for(|away| !*away).await;
    }

    fn luck(&self) -> Luck {
        let (faults, chance) = (&self.faults, &self.chance);
        let happens = |fault, many| faults.now(fault) && chance.once_in(many);
        let pause = || match happens(Fault::SlowAnswers, 3) {
            true => Duration::from_millis(chance.between(1, 1_200)),
            false => Duration::ZERO,
        };
        Luck {
            before: pause(),
            after: pause(),
            appended: !happens(Fault::NotAppended, 8),
            answered: !happens(Fault::LostAnswers, 8),
            conflict: happens(Fault::Conflicts, 12),
        }
    }

    async fn append(self: Arc<Self>, records: Vec<Record>) -> Result<Appended, AppendError> {
        self.lives().await;
        let class = batch::class_of(&records)?;
        let began = Instant::now();
        if class == Class::Command
            && let Some(held) = self.held_already(&records)
        {
            return Ok(held);
        }
        let luck = self.luck();
        sleep(luck.before).await;
        self.lives().await;
        if self.is_away() || !luck.appended {
            return self.nobody_knows(began, records).await;
        }
        if luck.conflict && class != Class::Command {
            return Err(AppendError::Conflict("somebody else was first, it seems".to_owned()));
        }
        let appended = self.broker.append(&records)?;
        if luck.answered {
            self.machine.settle(&records);
        }
        sleep(luck.after).await;
        self.lives().await;
        if !luck.answered {
            return self.nobody_knows(began, records).await;
        }
        Ok(appended)
    }

    fn held_already(&self, records: &[Record]) -> Option<Appended> {
        let held = self.outgoing.now();
        let [record] = records else { return None };
        let first = held.get(&record.id)?;
        let at = At { class: Class::Command, position: At::UNPLACED, id: record.id };
        Some(Appended { at, repeats: vec![Arc::clone(first)] })
    }

    /// Commands are held here, as the outbox does it; now and then it cannot, either.
    async fn nobody_knows(
        &self,
        began: Instant,
        records: Vec<Record>,
    ) -> Result<Appended, AppendError> {
        let unavailable = AppendError::Unavailable("no answer".to_owned());
        let is_command = records.iter().all(|record| record.key.class == Class::Command);
        let patience = if is_command { COMMAND_PATIENCE } else { COMMIT_PATIENCE };
        sleep_until(began + patience).await;
        self.lives().await;
        let Some(id) = records.last().map(|record| record.id) else { return Err(unavailable) };
        if !is_command || self.chance.once_in(4) {
            return Err(unavailable);
        }
        for record in records {
            self.outgoing.hold(Arc::new(unplaced(&record)));
            self.machine.hold(record);
        }
        self.holds.notify_one();
        let at = At { class: Class::Command, position: At::UNPLACED, id };
        Ok(Appended { at, repeats: vec![] })
    }

    /// Sends what is held, once the broker is back.
    async fn send_held(self: Arc<Self>) {
        loop {
            self.until_back().await;
            sleep(Duration::from_millis(700)).await;
            self.lives().await;
            for command in self.machine.held() {
                let lucky = !self.is_away() && self.luck().appended;
                if !lucky || self.broker.append(std::slice::from_ref(&command)).is_err() {
                    break;
                }
                self.machine.settle(std::slice::from_ref(&command));
                self.machine.sent(command.id);
                self.outgoing.sent(command.id);
            }
            if self.machine.held().is_empty() {
                self.holds.notified().await;
            }
        }
    }

    /// Compares the outbox with the broker at the start and after each loss, until nothing is
    /// missing.
    async fn heal(self: Arc<Self>) {
        let mut lost = self.broker.lost.subscribe();
        lost.mark_changed();
        while lost.changed().await.is_ok() {
            loop {
                sleep(Duration::from_millis(self.chance.between(100, 2_500))).await;
                self.until_back().await;
                self.lives().await;
                if self.machine.heal(&self.broker) {
                    break;
                }
            }
        }
    }

    async fn load(&self, key: &Key, id: Option<RecordId>) -> Result<Vec<Arc<Recorded>>, LoadError> {
        self.lives().await;
        let happens = |fault, many| self.faults.now(fault) && self.chance.once_in(many);
        if happens(Fault::SlowAnswers, 4) {
            sleep(Duration::from_millis(self.chance.between(1, 1_500))).await;
            self.lives().await;
        }
        if self.is_away() || happens(Fault::Unreadable, 8) {
            return Err(LoadError::Unavailable("the broker does not answer".to_owned()));
        }
        Ok(self.broker.load(key, id))
    }

    async fn durable(&self, at: At, patience: Duration) -> Durable {
        self.lives().await;
        if self.mutation == Some(Mutation::DurableTooEarly) {
            return Durable::Stored;
        }
        if at.position == At::UNPLACED {
            let mut held = self.outgoing.subscribe();
            let sent = held.wait_for(|held| !held.contains_key(&at.id));
            return match timeout(patience, sent).await {
                Ok(_) => Durable::Stored,
                Err(_elapsed) => Durable::HeldHere,
            };
        }
        match timeout(patience, self.broker.until_stored(at.id)).await {
            Ok(()) => Durable::Stored,
            Err(_elapsed) => Durable::Unknown,
        }
    }
}

impl EventLog for NastyLog {
    /// Over a broker it runs to its end also where the caller stops waiting; on one machine it
    /// waits for nothing.
    fn append(&self, records: Vec<Record>) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move {
            self.0.lives().await;
            if self.0.faults.setting == Setting::OneMachine {
                return self.0.broker.append(&records);
            }
            match tokio::spawn(Arc::clone(&self.0).append(records)).await {
                Ok(appended) => appended,
                Err(error) => Err(AppendError::Unavailable(error.to_string())),
            }
        })
    }

    fn load<'a>(
        &'a self,
        key: &'a Key,
        id: Option<RecordId>,
    ) -> BoxFuture<'a, Result<Vec<Arc<Recorded>>, LoadError>> {
        Box::pin(self.0.load(key, id))
    }

    fn follow(&self, following: Following) -> BoxFuture<'_, Result<Follower, FollowError>> {
        Box::pin(NastyFollower::begin(Arc::clone(&self.0), following))
    }

    fn durable(&self, at: At, patience: Duration) -> BoxFuture<'_, Durable> {
        Box::pin(self.0.durable(at, patience))
    }

    fn erase<'a>(
        &'a self,
        alert: AlertId,
        _: &'a [EntityName],
    ) -> BoxFuture<'a, Result<u64, EraseError>> {
        Box::pin(async move {
            self.0.lives().await;
            if self.0.is_away() {
                return Err(EraseError::Unavailable("the broker does not answer".to_owned()));
            }
            Ok(self.0.broker.erase(alert))
        })
    }
}
