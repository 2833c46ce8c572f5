//! The host of a service: what a process gives to each service it runs.
//!
//! Also keeps the directory, which every process follows for itself.

use std::{
    collections::BTreeSet,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use domain::{directory::TokenPurpose, reach::corridors::Corridors};
use event_log::{Class, EventLog, Outgoing, Recorded, follower::Cursor, projection};
use local_state::LocalState;
use prost::Message;
use registry::{Clerk, Map, Policies, SharedDirectory};
use tokio::sync::watch;
use wire::{
    directory::token_recalled,
    v1::{self, command::Body},
};

use crate::{
    Clock, Drain, Health, Kind,
    disk::Disk,
    erasing::{Erasing, Hosted},
    erasures::Erasures,
    followers::Followers,
    holdings::Holdings,
    kept::Kept,
};

/// What a process gives to the services it runs: its parts, and what it makes of them. Cloning
/// shares it.
#[derive(Clone)]
pub struct Host {
    parts: Arc<HostParts>,
    /// The map's SHA-256.
    pub map_sha256: [u8; 32],
    /// Groups, officers, tokens.
    pub directory: SharedDirectory,
    /// The last position of class `Alert` that the directory has taken in.
    pub directory_seen: watch::Receiver<u64>,
    /// Writes the directory.
    pub clerk: Arc<Clerk>,
    /// What this process holds folded.
    pub holdings: Holdings,
    /// Destroys in this process what the log says is erased.
    pub erasing: Erasing,
    models: ReadModels,
    followers: Followers,
    other_map: Arc<AtomicBool>,
}

/// What a host is made of; each part can be had from the host itself.
#[derive(Clone)]
pub struct HostParts {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// Commands that lie in this process' outbox.
    pub outgoing: Outgoing,
    /// How many records a reactor answers at once; see [`event_log::reactor::Reaction`].
    pub lanes: usize,
    /// The map in force.
    pub map: Arc<Map>,
    /// Stations and rides; the same in every process of an installation.
    pub corridors: Arc<Corridors>,
    /// What each commune has set otherwise; the same in every process of an installation.
    pub policies: Arc<Policies>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// This instance's id, kept in its data directory.
    pub instance: Arc<str>,
    /// What the data directory is for: a demo's accepts only exercise and test.
    pub kind: Kind,
    /// What `/readyz` says.
    pub health: Health,
    /// How the process ends.
    pub drain: Drain,
    /// Whether there is room for new alerts.
    pub disk: Option<Disk>,
    /// Where read models keep what they need at the next start.
    pub local: Option<LocalState>,
    /// Where erasures are kept beside the data; `None` where the log is a broker's.
    pub erasures: Option<Arc<Erasures>>,
}

impl Deref for Host {
    type Target = HostParts;

    fn deref(&self) -> &HostParts {
        &self.parts
    }
}

/// The condition of `/readyz` that says whether this process has the map that is in force.
pub const MAP_CONDITION: &str = "map";

impl Host {
    /// A host over this log; begins to follow the directory.
    #[must_use]
    pub fn start(parts: HostParts) -> Self {
        let directory = SharedDirectory::default();
        let (position, directory_seen) = watch::channel(0);
        let clerk = Clerk::new(Arc::clone(&parts.log), directory.clone(), directory_seen.clone());
        let host = Self {
            map_sha256: parts.map.sha256(),
            directory,
            directory_seen,
            clerk: Arc::new(clerk),
            holdings: Holdings::default(),
            erasing: Erasing::default(),
            models: ReadModels::new(parts.health.clone()),
            followers: Followers::default(),
            other_map: Arc::default(),
            parts: Arc::new(parts),
        };
        let clerk = Arc::clone(&host.clerk);
        host.holdings.add("directory", move || clerk.held());
        let read = host.read_model("directory");
        let local = host.local.as_ref();
        let (kept, found) = Kept::open(local, "directory", Class::Alert, &host.log, &host.drain);
        // Officers and tokens are known at once, also while the broker is away. Groups need
        // their sealed parts, so everything is read again from the log.
        for recorded in &found.records {
            if let Err(unreadable) = host.directory.apply(recorded) {
                tracing::warn!(%unreadable, "local state has an entry that cannot be read");
            }
        }
        host.check_map();
        host.take_held_in();
        let following =
            Following { host: host.clone(), position, cursor: None, is_anew: false, kept, read };
        let (log, clock) = (Arc::clone(&host.log), Arc::clone(&host.clock));
        let hosted = Hosted { log, clock, erasures: host.erasures.clone() };
        let (erasing, stop) = (host.erasing.clone(), host.drain.token());
        let erasing = erasing.run(hosted, host.read_model("erasing"));
        host.drain.spawn("erasing", async move {
            tokio::select! { () = erasing => {}, () = stop.cancelled() => {} }
        });
        let log = host.followers.named("directory", Arc::clone(&host.log));
        let run = projection::run(log, Class::Alert, following, host.drain.token());
        host.drain.spawn("directory", run);
        host
    }

    /// The same host for one of its services, by whose name its followers are known; see
    /// [`Host::watch_followers`].
    #[must_use]
    pub fn of_service(&self, name: &'static str) -> Self {
        let log = self.followers.named(name, Arc::clone(&self.log));
        let parts = HostParts { log, ..HostParts::clone(&self.parts) };
        Self { parts: Arc::new(parts), ..self.clone() }
    }

    /// From now on `/readyz` says whether the followers of the directory and of the services keep
    /// up with the log: a condition fails while one has been behind for more than 10 s.
    pub fn watch_followers(&self) {
        let (health, clock) = (self.health.clone(), Arc::clone(&self.clock));
        let look = self.followers.clone().look(health, clock, self.drain.token());
        self.drain.spawn("followers", look);
    }

    /// Takes in what still lies in the outbox and was promised to hold here from the moment on:
    /// that tokens and keys are refused, and that persons are signed in.
    fn take_held_in(&self) {
        for held in self.outgoing.now().into_values() {
            let command = v1::Command::decode(held.open.clone()).ok();
            match command.and_then(|command| command.body) {
                Some(Body::RevokeToken(revoke)) => self.directory.revoke_here(&revoke.id),
                Some(Body::MakeToken(v1::MakeToken { facts: Some(facts) })) => {
                    let facts = token_recalled(&facts).into_iter();
                    let sessions =
                        facts.filter(|it| matches!(it.purpose, TokenPurpose::Session { .. }));
                    sessions.for_each(|facts| self.directory.know_token_here(&facts));
                }
                Some(Body::RevokeKey(revoke)) => {
                    let id = revoke.id.parse().into_iter();
                    id.for_each(|id| self.directory.revoke_key_here(id));
                }
                _ => {}
            }
        }
    }

    /// Begins a read model: the process is ready when all have reached the log's end as it was
    /// at the start.
    #[must_use]
    pub fn read_model(&self, name: &'static str) -> ReadModel {
        self.models.begin(name)
    }

    /// Waits until every read model begun so far has reached the log's end.
    pub async fn caught_up(&self) {
        self.models.caught_up().await;
    }

    /// Waits until the read models of these names have reached the log's end.
    pub async fn caught_up_of(&self, names: &[&str]) {
        let mut behind = self.models.behind.subscribe();
        let none = |behind: &BTreeSet<&'static str>| !names.iter().any(|n| behind.contains(n));
        // The sender lives as long as `self`, so that the wait cannot end early.
        let _ = behind.wait_for(none).await;
    }

    /// Whether the read models of these names have reached the log's end; with no name, whether
    /// all have.
    #[must_use]
    pub fn is_caught_up(&self, names: &[&str]) -> bool {
        let behind = self.models.behind.borrow();
        if names.is_empty() {
            return behind.is_empty();
        }
        !names.iter().any(|name| behind.contains(name))
    }

    /// Whether the log is a broker's: then what is accepted stands in the outbox of whoever wrote
    /// it as well.
    #[must_use]
    pub fn has_broker(&self) -> bool {
        self.lanes > 1
    }

    /// Whether new alerts may be raised; corrections always may.
    #[must_use]
    pub fn raising_allowed(&self) -> bool {
        self.disk.as_ref().is_none_or(Disk::raising_allowed)
    }

    /// Whether this process has the map that is in force, as far as it knows. One that has
    /// another decides nothing.
    #[must_use]
    pub fn map_fits(&self) -> bool {
        !self.other_map.load(Ordering::Acquire)
    }

    /// Whether this process' map may be adopted in place of the one in force: it is dated later.
    #[must_use]
    pub fn map_follows(&self) -> bool {
        let own = self.map.facts(self.clock.now());
        self.directory.read().adopted_map().is_some_and(|adopted| adopted.gives_way_to(&own))
    }

    fn check_map(&self) {
        let adopted = self.directory.read().adopted_map().map(|adopted| adopted.sha256);
        let differs = adopted.is_some_and(|adopted| adopted != self.map_sha256);
        if self.other_map.swap(differs, Ordering::AcqRel) == differs {
            return;
        }
        if !differs {
            // It has been adopted.
            self.health.set(MAP_CONDITION, Ok(()));
        } else if self.map_follows() {
            let why = "bản đồ mới chưa được dùng / the new map has not been adopted yet";
            self.health.set(MAP_CONDITION, Err(why.to_owned()));
            tracing::info!("the map is a later one; nothing is decided here before it is adopted");
        } else {
            let why = "bản đồ khác với bản đồ đang dùng / the map differs from the one in force";
            self.health.set(MAP_CONDITION, Err(why.to_owned()));
            tracing::error!("the map differs from the one in force; nothing is decided here");
        }
    }
}

/// Which read models have yet to reach the log's end. Cloning shares it.
#[derive(Clone)]
struct ReadModels {
    behind: Arc<watch::Sender<BTreeSet<&'static str>>>,
    health: Health,
}

/// One read model on its way to the log's end.
pub struct ReadModel {
    name: &'static str,
    models: ReadModels,
}

impl ReadModels {
    fn new(health: Health) -> Self {
        Self { behind: Arc::default(), health }
    }

    fn begin(&self, name: &'static str) -> ReadModel {
        self.behind.send_modify(|behind| {
            behind.insert(name);
        });
        self.health.set(name, Err("đang đọc nhật ký / reading the log".to_owned()));
        ReadModel { name, models: self.clone() }
    }

    async fn caught_up(&self) {
        // The sender lives as long as `self`, so that the wait cannot end early.
        let _ = self.behind.subscribe().wait_for(BTreeSet::is_empty).await;
    }
}

impl ReadModel {
    /// The log's end, as it was at the start, has been reached.
    pub fn caught_up(&self) {
        self.models.health.set(self.name, Ok(()));
        self.models.behind.send_modify(|behind| {
            behind.remove(self.name);
        });
    }
}

struct Following {
    host: Host,
    position: watch::Sender<u64>,
    cursor: Option<Cursor>,
    /// The log turned out to be another one, and is read from its start: who waits for a
    /// position waits until that directory is the one in sight.
    is_anew: bool,
    kept: Kept,
    read: ReadModel,
}

impl projection::Project for Following {
    fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    fn apply(&mut self, recorded: &Arc<Recorded>) {
        if let Err(unreadable) = self.host.directory.apply(recorded) {
            tracing::error!(%unreadable, position = recorded.position, "the entity is held");
            metrics::counter!("keng_records_held_total", "class" => "alert").increment(1);
        }
        self.host.erasing.saw(recorded);
        self.cursor = Some(Cursor::on(recorded));
        let entity = recorded.key.entity.as_str();
        let kinds = ["officer-", "token-", "key-", "channel-", "map"];
        let keep = kinds.iter().any(|kind| entity.starts_with(kind));
        self.kept.saw(recorded, keep);
        if keep {
            // A token that was made or revoked stays so, whatever is killed next.
            self.kept.hurry();
        }
        if !self.is_anew {
            self.position.send_replace(recorded.position);
        }
        if recorded.key.entity.as_str() == "map" {
            self.host.check_map();
        }
    }

    fn begin_anew(&mut self) {
        self.host.directory.begin_anew();
        self.host.erasing.begin_anew();
        self.host.take_held_in();
        self.kept.begin_anew();
        self.cursor = None;
        self.is_anew = true;
        self.position.send_replace(0);
    }

    fn caught_up(&mut self) {
        if self.host.directory.caught_up() {
            self.is_anew = false;
            let position = self.cursor.map_or(0, |cursor| cursor.position);
            self.position.send_replace(position);
            self.host.check_map();
        }
        self.host.erasing.caught_up();
        self.read.caught_up();
    }
}

#[cfg(test)]
#[path = "host_tests.rs"]
mod tests;
