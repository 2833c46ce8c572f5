//! Freezes: deciding what intake did not come to decide, and ending them when their time has
//! passed.
//!
//! Intake decides a freeze where it is asked, so that it does not wait behind the flood that it
//! is to stop; see `intake::freezes`. What intake wrote down and could not decide, because it was
//! killed in between or the broker was away, is decided here. Time ends a freeze whether or not
//! that is recorded; the record is for who reads history.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use chassis::{Host, host::ReadModel};
use domain::{
    decider::Decider,
    freeze::{Freeze, Frozen},
    ids::{EntityName, Home, Millis, RecordId},
};
use event_log::{
    AppendError, Recorded, command::Draft, follower::Cursor, projection::Project, record::Class,
};
use prost::Message;
use tokio::sync::Notify;
use wire::{
    Spoken,
    commit::events_of,
    freeze::frozen_said,
    v1::{self, command::Body},
};

const RETRY: Duration = Duration::from_secs(1);
/// Commands that are given at once.
const COMMANDS_MAX: usize = 128;

#[derive(Default)]
struct Standing {
    freezes: BTreeMap<EntityName, (Home, Freeze)>,
    /// Whether history has been read.
    live: bool,
}

impl Standing {
    fn ends(&self) -> impl Iterator<Item = (&EntityName, Home, &Frozen, Millis)> {
        self.freezes.iter().filter_map(|(entity, (home, freeze))| {
            let wish = freeze.wish()?;
            Some((entity, *home, &wish.of, wish.until))
        })
    }

    /// When one ends next; never before history has been read.
    fn next(&self) -> Option<Millis> {
        self.ends().map(|(.., until)| until).min().filter(|_| self.live)
    }

    fn commands(&self, now: Millis) -> Vec<Draft> {
        if !self.live {
            return vec![];
        }
        let over = self.ends().filter(|(.., until)| *until <= now).take(COMMANDS_MAX);
        over.map(|(entity, home, of, until)| draft(entity, home, of, until, now)).collect()
    }
}

fn draft(entity: &EntityName, home: Home, of: &Frozen, until: Millis, now: Millis) -> Draft {
    let id = RecordId::of_purpose(&format!("end-freeze/{}/{}", of.name(), until.0));
    Draft {
        id,
        entity: entity.clone(),
        home,
        actor: wire::actor::service("alerting"),
        at: now,
        correlation: Bytes::copy_from_slice(id.0.as_bytes()),
        causation: Bytes::new(),
        valid_until: None,
        sealing: None,
        sealed_fields: vec![],
        body: Body::EndFreeze(v1::EndFreeze { of: Some(frozen_said(of)), until_ms: until.0 }),
    }
}

#[derive(Default)]
struct Shared {
    standing: Mutex<Standing>,
    changed: Notify,
}

impl Shared {
    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows freezes.
pub(crate) struct Following {
    shared: Arc<Shared>,
    cursor: Option<Cursor>,
    read: ReadModel,
}

/// Ends freezes when their time has passed.
pub(crate) struct Ending {
    shared: Arc<Shared>,
    host: Host,
}

pub(crate) fn freezes(host: &Host) -> (Following, Ending) {
    let shared = Arc::<Shared>::default();
    let read = host.read_model("freezes");
    let following = Following { shared: Arc::clone(&shared), cursor: None, read };
    (following, Ending { shared, host: host.clone() })
}

impl Project for Following {
    fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    fn apply(&mut self, recorded: &Arc<Recorded>) {
        self.cursor = Some(Cursor::on(recorded));
        let entity = &recorded.key.entity;
        if recorded.key.class != Class::Alert || !entity.as_str().starts_with("freeze-") {
            return;
        }
        // What cannot be decoded is reported where it is decided upon.
        let Ok(commit) = v1::Commit::decode(recorded.open.clone()) else { return };
        let Ok(events) = events_of(commit) else { return };
        let mut standing = self.shared.standing();
        let home = recorded.key.home;
        let before = standing.freezes.remove(entity).map(|(_, freeze)| freeze).unwrap_or_default();
        let events = events.iter().filter_map(|event| Freeze::recall(event).ok());
        let now = events.fold(before, |freeze, event| freeze.evolve(&event));
        if now != Freeze::Free {
            standing.freezes.insert(entity.clone(), (home, now));
        }
        drop(standing);
        self.shared.changed.notify_one();
    }

    fn begin_anew(&mut self) {
        self.cursor = None;
        *self.shared.standing() = Standing::default();
    }

    fn caught_up(&mut self) {
        self.shared.standing().live = true;
        self.shared.changed.notify_one();
        self.read.caught_up();
    }
}

impl Ending {
    /// Runs until the process drains.
    pub(crate) async fn run(self) {
        let stop = self.host.drain.token();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.tick() => {}
            }
        }
    }

    async fn tick(&self) {
        let now = self.host.clock.now();
        let commands = self.shared.standing().commands(now);
        if commands.is_empty() {
            let next = self.shared.standing().next();
            let due = async {
                match next {
                    Some(at) => self.host.clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! { () = due => {}, () = self.shared.changed.notified() => {} }
            return;
        }
        let records = commands.into_iter().map(Draft::record).collect();
        if let Err(
            AppendError::Conflict(why) | AppendError::Unavailable(why) | AppendError::Refused(why),
        ) = self.host.log.append(records).await
        {
            tracing::warn!(why, "a freeze's end cannot be recorded yet; it has ended all the same");
        }
        // The answer comes with the log; until then the same commands have the effect of one.
        let changed = self.shared.changed.notified();
        tokio::select! { () = changed => {}, () = tokio::time::sleep(RETRY) => {} }
    }
}

#[cfg(test)]
mod tests {
    use domain::freeze::Wish;

    use super::*;

    #[test]
    fn what_has_passed_is_ended_once_history_is_read() {
        let of = Frozen::Officer("x".parse().unwrap());
        let wish = Wish {
            of: of.clone(),
            by: "an".parse().unwrap(),
            until: Millis(8),
            note: RecordId::of_purpose("note"),
        };
        let mut standing = Standing::default();
        let entity = EntityName::freeze(&of);
        standing.freezes.insert(entity.clone(), (Home::NATION, Freeze::Asked(wish)));
        assert!(standing.commands(Millis(9)).is_empty() && standing.next().is_none());
        standing.live = true;
        assert_eq!(standing.next(), Some(Millis(8)));
        assert!(standing.commands(Millis(7)).is_empty());
        let commands = standing.commands(Millis(9));
        let [command] = commands.as_slice() else { panic!("{commands:?}") };
        assert_eq!(command.entity, entity);
        assert_eq!(command.id, RecordId::of_purpose("end-freeze/officer-x/8"));
    }
}
