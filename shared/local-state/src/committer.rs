//! One thread that writes for all: whatever waits is applied, synced once, and answered together.
//!
//! A thread of its own, since sled blocks, and since one writer needs no order but that of asking.

use std::{
    io, iter, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use tokio::sync::oneshot;

use crate::{
    directory::mark_unsound,
    model::{Change, Cursor, Shared},
    state::{StateError, Store},
};

/// Jobs that share one sync at most, so that the first of them does not wait without end.
const JOBS_A_SYNC_MAX: usize = 4_096;

type Answer = oneshot::Sender<Result<(), StateError>>;

enum Job {
    Commit {
        shared: Arc<Shared>,
        change: Change,
        answer: Answer,
    },
    Clear {
        shared: Arc<Shared>,
        answer: Answer,
    },
    Close {
        answer: Answer,
    },
    /// Holds the thread until the other end is dropped.
    #[cfg(test)]
    Pause(Receiver<()>),
    /// Fails as a disk would.
    #[cfg(test)]
    Fail,
}

#[derive(Clone)]
pub(crate) struct Committer {
    jobs: Sender<Job>,
    syncs: Arc<AtomicU64>,
}

impl Committer {
    pub(crate) fn start(store: Arc<Store>) -> io::Result<Self> {
        let (jobs, waiting) = channel();
        let syncs = Arc::new(AtomicU64::new(0));
        let writer = Writer { store, syncs: Arc::clone(&syncs), broken: None, applied: Vec::new() };
        thread::Builder::new()
            .name("local-state".to_owned())
            .spawn(move || writer.run(&waiting))?;
        Ok(Self { jobs, syncs })
    }

    pub(crate) async fn commit(
        &self,
        shared: Arc<Shared>,
        change: Change,
    ) -> Result<(), StateError> {
        self.ask(|answer| Job::Commit { shared, change, answer }).await
    }

    pub(crate) async fn clear(&self, shared: Arc<Shared>) -> Result<(), StateError> {
        self.ask(|answer| Job::Clear { shared, answer }).await
    }

    pub(crate) async fn close(&self) {
        // An error says that the thread has ended before: as wished.
        let _ = self.ask(|answer| Job::Close { answer }).await;
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(crate) fn pause(&self) -> Sender<()> {
        let (hold, held) = channel();
        self.jobs.send(Job::Pause(held)).unwrap();
        hold
    }

    async fn ask(&self, job: impl FnOnce(Answer) -> Job) -> Result<(), StateError> {
        let (answer, answered) = oneshot::channel();
        self.jobs.send(job(answer)).map_err(|_| StateError::Closed)?;
        answered.await.unwrap_or(Err(StateError::Closed))
    }
}

/// A commit that is applied and waits for the sync.
struct Applied {
    shared: Arc<Shared>,
    cursors: Vec<(String, Cursor)>,
    answer: Answer,
}

/// What the thread owns.
struct Writer {
    store: Arc<Store>,
    syncs: Arc<AtomicU64>,
    /// The first failure. Nothing is written after it: a sync that failed is never repeated, since
    /// the system may have dropped what it could not write.
    broken: Option<String>,
    applied: Vec<Applied>,
}

impl Writer {
    /// Ends when it is told to, or when nobody is left who could ask.
    fn run(mut self, waiting: &Receiver<Job>) {
        while let Ok(first) = waiting.recv() {
            let mut closing = None;
            for job in iter::once(first).chain(waiting.try_iter()).take(JOBS_A_SYNC_MAX) {
                match job {
                    Job::Commit { shared, change, answer } => self.commit(shared, change, answer),
                    Job::Clear { shared, answer } => self.clear(&shared, answer),
                    Job::Close { answer } => {
                        closing = Some(answer);
                        break;
                    }
                    #[cfg(test)]
                    Job::Pause(held) => drop(held.recv()),
                    #[cfg(test)]
                    Job::Fail => drop(self.attempt(|_| Err(io::Error::other("failed").into()))),
                }
            }
            self.finish();
            if let Some(answer) = closing {
                drop(self);
                // Nobody may be left to hear it.
                let _ = answer.send(Ok(()));
                return;
            }
        }
    }

    fn commit(&mut self, shared: Arc<Shared>, change: Change, answer: Answer) {
        let (batch, cursors) = change.into_batch();
        match self.attempt(|_| shared.apply(batch)) {
            Ok(()) => self.applied.push(Applied { shared, cursors, answer }),
            Err(error) => drop(answer.send(Err(error))),
        }
    }

    /// What was asked before it is finished first, so that its cursors cannot come back.
    fn clear(&mut self, shared: &Shared, answer: Answer) {
        self.finish();
        let cleared = self.attempt(|store| shared.clear(store));
        self.syncs.fetch_add(2, Ordering::Relaxed);
        drop(answer.send(cleared));
    }

    /// Syncs what is applied, and only then shows its cursors and answers.
    fn finish(&mut self) {
        if self.applied.is_empty() {
            return;
        }
        let synced = self.attempt(Store::sync);
        self.syncs.fetch_add(1, Ordering::Relaxed);
        for Applied { shared, cursors, answer } in mem::take(&mut self.applied) {
            let result = match &synced {
                Ok(()) => {
                    shared.show(cursors);
                    Ok(())
                }
                Err(_) => Err(StateError::Broken(self.broken.clone().unwrap_or_default())),
            };
            // Who asked may have gone meanwhile.
            let _ = answer.send(result);
        }
    }

    fn attempt(
        &mut self,
        work: impl FnOnce(&Store) -> Result<(), sled::Error>,
    ) -> Result<(), StateError> {
        if let Some(why) = &self.broken {
            return Err(StateError::Broken(why.clone()));
        }
        let result = catch_unwind(AssertUnwindSafe(|| work(&self.store)));
        let why = match result {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "sled panicked".to_owned(),
        };
        metrics::counter!("keng_local_state_broken_total").increment(1);
        let marked = mark_unsound(self.store.directory.path());
        tracing::error!(why, marked = marked.is_ok(), "local state failed: nothing more is kept");
        self.broken = Some(why.clone());
        Err(StateError::Broken(why))
    }
}

#[cfg(test)]
mod tests {
    use std::{future::Future, pin::pin, task::Poll};

    use super::*;
    use crate::LocalState;

    #[tokio::test]
    async fn those_who_wait_together_share_a_sync() {
        let dir = tempfile::tempdir().unwrap();
        let (state, _) = LocalState::open(&dir.path().join("local-state")).unwrap();
        let model = state.model("test").unwrap();
        let before = state.syncs();
        let hold = state.committer().pause();
        let commits = (0..200u64).map(|n| {
            let model = model.clone();
            let cursor = Cursor { position: n, hash: [1; 32] };
            let puts = vec![(n.to_be_bytes().to_vec(), b"x".to_vec())];
            let cursors = vec![("alert".to_owned(), cursor)];
            Box::pin(
                async move { model.commit(Change { puts, deletes: Vec::new(), cursors }).await },
            )
        });
        let mut commits: Vec<_> = commits.collect();
        std::future::poll_fn(|context| {
            for commit in &mut commits {
                assert!(pin!(commit).poll(context).is_pending());
            }
            Poll::Ready(())
        })
        .await;
        assert_eq!(model.cursor("alert"), None);
        drop(hold);
        for commit in commits {
            commit.await.unwrap();
        }
        assert_eq!(state.syncs() - before, 1);
        assert_eq!(model.cursor("alert").unwrap().position, 199);
        assert_eq!(model.scan().count(), 200);
    }

    #[tokio::test]
    async fn after_a_failure_nothing_is_written_and_the_next_start_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("local-state");
        let (state, _) = LocalState::open(&path).unwrap();
        let model = state.model("test").unwrap();
        let put = |key: &[u8]| Change { puts: vec![(key.to_vec(), vec![1])], ..Change::default() };
        model.commit(put(b"a")).await.unwrap();
        state.committer().jobs.send(Job::Fail).unwrap();
        assert!(matches!(model.commit(put(b"b")).await, Err(StateError::Broken(_))));
        assert_eq!(model.get(b"b").unwrap(), None);
        drop(model);
        state.close().await;
        let (state, opened) = LocalState::open(&path).unwrap();
        assert_eq!(opened, crate::Opened::Rebuilt);
        assert_eq!(state.model("test").unwrap().scan().count(), 0);
    }
}
