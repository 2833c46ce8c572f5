//! Ending: on SIGTERM or SIGINT new work is refused, and what is under way may finish within a
//! bound; a second signal ends at once. Nothing is lost either way: what was promised is on disk.

use std::{
    collections::BTreeMap,
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{exit::ExitCode, health::Health};

const BOUND_MS: u64 = 10_000;

/// The name of the condition in `/readyz` that fails while draining.
pub const CONDITION: &str = "serving";

/// The end of a process, and the tasks that may delay it. Cloning gives the same one.
#[derive(Debug, Clone)]
pub struct Drain(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    health: Health,
    bound: Duration,
    draining: CancellationToken,
    at_once: CancellationToken,
    failed: AtomicBool,
    tasks: TaskTracker,
    /// How many tasks of each name run.
    names: watch::Sender<BTreeMap<&'static str, usize>>,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drained {
    /// Every task has finished.
    Whole,
    /// The bound passed, or a second signal came; the tasks of these names were left behind.
    Abandoned(Vec<&'static str>),
}

impl Drain {
    /// Tasks may take 10 s to finish.
    #[must_use]
    pub fn new(health: Health) -> Self {
        Self::with_bound(health, Duration::from_millis(BOUND_MS))
    }

    /// Tasks may take `bound` to finish.
    #[must_use]
    pub fn with_bound(health: Health, bound: Duration) -> Self {
        Self(Arc::new(Inner {
            health,
            bound,
            draining: CancellationToken::new(),
            at_once: CancellationToken::new(),
            failed: AtomicBool::new(false),
            tasks: TaskTracker::new(),
            names: watch::Sender::default(),
        }))
    }

    /// From now on SIGTERM and SIGINT begin the drain, and a second one ends it.
    ///
    /// # Errors
    /// Where the system takes no handler.
    pub fn listen(&self) -> io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let drain = self.clone();
        // Not one of the tasks: it must outlast them.
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => drain.begin("SIGTERM"),
                    _ = interrupt.recv() => drain.begin("SIGINT"),
                }
            }
        });
        Ok(())
    }

    /// Begins the drain; the second time, ends it at once.
    pub fn begin(&self, why: &str) {
        if self.0.draining.is_cancelled() {
            tracing::warn!(why, "ending at once");
            self.0.at_once.cancel();
            return;
        }
        tracing::info!(why, "draining");
        self.0.health.set(CONDITION, Err("đang dừng / stopping".to_owned()));
        self.0.draining.cancel();
    }

    /// A broken assumption: drain and end with [`ExitCode::FAILED`], to be started again.
    pub fn fail(&self, why: &str) {
        tracing::error!(why, "cannot go on");
        self.0.failed.store(true, Ordering::Release);
        if !self.0.draining.is_cancelled() {
            self.begin(why);
        }
    }

    /// Cancelled when the drain begins.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.0.draining.clone()
    }

    /// Runs a task that the drain waits for. It ends by itself soon after [`Self::token`]; one that
    /// panics ends the process, which would otherwise live on without a part.
    pub fn spawn(
        &self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> tokio::task::JoinHandle<()> {
        self.0.names.send_modify(|names| *names.entry(name).or_default() += 1);
        let guard = Running { drain: self.clone(), name };
        self.0.tasks.spawn(async move {
            let _running = guard;
            task.await;
        })
    }

    /// Waits for the drain to begin, and then for the tasks, within the bound.
    pub async fn finished(&self) -> Drained {
        self.0.draining.cancelled().await;
        self.0.tasks.close();
        tokio::select! {
            biased;
            () = self.0.tasks.wait() => return Drained::Whole,
            () = self.0.at_once.cancelled() => {}
            () = tokio::time::sleep(self.0.bound) => {}
        }
        let left: Vec<_> = self.0.names.borrow().keys().copied().collect();
        tracing::warn!(?left, "ending without these tasks");
        Drained::Abandoned(left)
    }

    /// Waits until no task runs but those of this name: they are all that the drain waits for.
    pub async fn alone(&self, name: &'static str) {
        let mut names = self.0.names.subscribe();
        // The sender lives as long as `self`, so that the wait cannot end early.
        let _ = names.wait_for(|names| names.keys().all(|running| *running == name)).await;
    }

    /// What the process ends with.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.0.failed.load(Ordering::Acquire) { ExitCode::FAILED } else { ExitCode::DONE }
    }
}

struct Running {
    drain: Drain,
    name: &'static str,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.drain.0.names.send_modify(|names| {
            if let Some(running) = names.get_mut(self.name) {
                *running -= 1;
                if *running == 0 {
                    names.remove(self.name);
                }
            }
        });
        if std::thread::panicking() {
            self.drain.fail(self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    fn drain() -> Drain {
        Drain::new(Health::new(&[]))
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_under_way_finishes() {
        let drain = drain();
        drain.spawn("quick", sleep(Duration::from_millis(BOUND_MS - 1)));
        let token = drain.token();
        drain.spawn("loop", async move { token.cancelled().await });
        assert!(drain.0.health.readiness().ready);
        drain.begin("test");
        assert!(!drain.0.health.readiness().ready);
        assert_eq!(drain.finished().await, Drained::Whole);
        assert_eq!(drain.exit_code(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_too_long_is_left_behind() {
        let drain = drain();
        drain.spawn("quick", async {});
        drain.spawn("slow", sleep(Duration::from_millis(BOUND_MS + 1)));
        let began = Instant::now();
        drain.begin("test");
        assert_eq!(drain.finished().await, Drained::Abandoned(vec!["slow"]));
        assert_eq!(began.elapsed(), Duration::from_millis(BOUND_MS));
    }

    #[tokio::test(start_paused = true)]
    async fn who_may_be_left_behind_knows_when_all_others_have_finished() {
        let drain = drain();
        let began = Instant::now();
        for seconds in [3, 2] {
            drain.spawn("other", sleep(Duration::from_secs(seconds)));
        }
        let waiting = drain.clone();
        drain.spawn("last", async move { waiting.alone("last").await });
        drain.spawn("last", sleep(Duration::from_secs(4)));
        drain.alone("last").await;
        assert_eq!(began.elapsed(), Duration::from_secs(3));
        drain.begin("test");
        assert_eq!(drain.finished().await, Drained::Whole);
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_signal_ends_at_once() {
        let drain = drain();
        drain.listen().unwrap();
        drain.spawn("slow", std::future::pending());
        let began = Instant::now();
        let me = rustix::process::getpid();
        rustix::process::kill_process(me, rustix::process::Signal::TERM).unwrap();
        drain.token().cancelled().await;
        rustix::process::kill_process(me, rustix::process::Signal::INT).unwrap();
        drain.0.at_once.cancelled().await;
        assert_eq!(drain.finished().await, Drained::Abandoned(vec!["slow"]));
        assert!(began.elapsed() < Duration::from_millis(BOUND_MS));
    }

    #[tokio::test]
    async fn a_part_that_panics_ends_the_process() {
        let drain = drain();
        drain.spawn("part", async { panic!("broken") });
        assert_eq!(drain.finished().await, Drained::Whole);
        assert_eq!(drain.exit_code(), ExitCode::FAILED);
    }
}
