//! A link: how one instance of a story reaches the log that it shares with others.
//!
//! It can be cut, as between a process and a broker that is away, and its read models of a class
//! can be kept behind the others, since between classes there is no order.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use domain::ids::{AlertId, EntityName, RecordId};
use event_log::{
    AppendError, Appended, At, Class, Durable, EraseError, EventLog, FollowError, Follower,
    Following, Key, LoadError, Position, Record, Recorded, Role, Step, follower::Follow,
    memory::MemoryLog,
};
use futures::future::BoxFuture;
use tokio::sync::watch;

const CUT: &str = "the link is cut";

/// The log as one instance has it. What it knows to be durable stays so while the link is cut;
/// everything else is the log's own.
pub struct Link {
    log: Arc<MemoryLog>,
    cut: watch::Sender<bool>,
    behind: watch::Sender<BTreeSet<Class>>,
}

impl Link {
    pub(crate) fn to(log: Arc<MemoryLog>) -> Self {
        Self { log, cut: watch::Sender::new(false), behind: watch::Sender::default() }
    }

    /// From now on nothing is read or written over it, and followers end.
    pub fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// It holds again.
    pub fn mend(&self) {
        self.cut.send_replace(false);
    }

    /// Read models of this class learn of nothing more.
    pub fn keep_behind(&self, class: Class) {
        self.behind.send_modify(|behind| {
            behind.insert(class);
        });
    }

    /// Read models of this class read on.
    pub fn let_go(&self, class: Class) {
        self.behind.send_modify(|behind| {
            behind.remove(&class);
        });
    }

    fn is_cut(&self) -> bool {
        *self.cut.borrow()
    }
}

impl EventLog for Link {
    fn append(&self, records: Vec<Record>) -> BoxFuture<'_, Result<Appended, AppendError>> {
        if self.is_cut() {
            return Box::pin(async { Err(AppendError::Unavailable(CUT.to_owned())) });
        }
        self.log.append(records)
    }

    fn load<'a>(
        &'a self,
        key: &'a Key,
        id: Option<RecordId>,
    ) -> BoxFuture<'a, Result<Vec<Arc<Recorded>>, LoadError>> {
        if self.is_cut() {
            return Box::pin(async { Err(LoadError::Unavailable(CUT.to_owned())) });
        }
        self.log.load(key, id)
    }

    fn follow(&self, following: Following) -> BoxFuture<'_, Result<Follower, FollowError>> {
        Box::pin(async move {
            if self.is_cut() {
                return Err(FollowError::Unavailable(CUT.to_owned()));
            }
            let class = (following.role == Role::Projection).then_some(following.class);
            let follower = self.log.follow(following).await?;
            let (cut, behind) = (self.cut.subscribe(), self.behind.subscribe());
            Ok(Follower::new(Linked { follower, class, cut, behind }))
        })
    }

    fn durable(&self, at: At, patience: Duration) -> BoxFuture<'_, Durable> {
        self.log.durable(at, patience)
    }

    fn erase<'a>(
        &'a self,
        alert: AlertId,
        entities: &'a [EntityName],
    ) -> BoxFuture<'a, Result<u64, EraseError>> {
        if self.is_cut() {
            return Box::pin(async { Err(EraseError::Unavailable(CUT.to_owned())) });
        }
        self.log.erase(alert, entities)
    }
}

/// A follower over a link.
struct Linked {
    follower: Follower,
    /// What a read model follows; `None` for a reactor, which is never kept behind.
    class: Option<Class>,
    cut: watch::Receiver<bool>,
    behind: watch::Receiver<BTreeSet<Class>>,
}

impl Follow for Linked {
    fn next(&mut self) -> BoxFuture<'_, Result<Step, FollowError>> {
        let Self { follower, class, cut, behind } = self;
        let step = async move {
            let free =
                |behind: &BTreeSet<Class>| class.is_none_or(|class| !behind.contains(&class));
            // The link lives as long as its host, so that no wait here ends early.
            let _ = behind.wait_for(free).await;
            follower.next().await
        };
        Box::pin(async move {
            tokio::select! {
                biased;
                _ = cut.wait_for(|cut| *cut) => Err(FollowError::Unavailable(CUT.to_owned())),
                step = step => step,
            }
        })
    }

    fn acknowledge(&mut self, position: Position) {
        if !*self.cut.borrow() {
            self.follower.acknowledge(position);
        }
    }

    fn give_back(&mut self, position: Position) {
        if !*self.cut.borrow() {
            self.follower.give_back(position);
        }
    }
}
