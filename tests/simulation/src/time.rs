//! Time: a wall clock for each machine that goes with the runtime's virtual time, can be set, and
//! passes the hours in which nothing is due at once; and stillness, which keeps virtual time from
//! going on while bytes are on their way over the loopback.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Poll, Waker},
    time::Duration,
};

use chassis::Clock;
use domain::ids::Millis;
use futures::future::BoxFuture;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

/// 2026-11-21, 17:30 in Việt Nam.
const BASE_MS: i64 = 1_795_257_000_000;
const NAP: Duration = Duration::from_secs(3_600);

/// The wall clocks of all machines. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Walls(Arc<Shown>);

#[derive(Debug)]
struct Shown {
    began: Instant,
    set: Mutex<Set>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Set {
    /// Time that has passed everywhere at once, in milliseconds.
    passed_ms: i64,
    /// By how much each machine's clock is wrong, in milliseconds.
    wrong_ms: BTreeMap<usize, i64>,
}

impl Walls {
    /// Clocks that are right. Needs a runtime.
    #[must_use]
    pub fn new() -> Self {
        let changed = watch::Sender::new(0);
        Self(Arc::new(Shown { began: Instant::now(), set: Mutex::default(), changed }))
    }

    /// The clock of a machine.
    #[must_use]
    pub fn of(&self, machine: usize) -> Wall {
        Wall { walls: self.clone(), machine: Some(machine) }
    }

    /// The true time.
    #[must_use]
    pub fn true_clock(&self) -> Wall {
        Wall { walls: self.clone(), machine: None }
    }

    /// So much time passes everywhere.
    pub fn pass_ms(&self, ms: i64) {
        self.set().passed_ms += ms;
        self.0.changed.send_modify(|count| *count += 1);
    }

    /// The clock of a machine is wrong by so much from now on.
    pub fn jump(&self, machine: usize, wrong_ms: i64) {
        self.set().wrong_ms.insert(machine, wrong_ms);
        self.0.changed.send_modify(|count| *count += 1);
    }

    /// All clocks are right again.
    pub fn right(&self) {
        self.set().wrong_ms.clear();
        self.0.changed.send_modify(|count| *count += 1);
    }

    fn set(&self) -> MutexGuard<'_, Set> {
        self.0.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Walls {
    fn default() -> Self {
        Self::new()
    }
}

/// The wall clock of one machine.
#[derive(Debug, Clone)]
pub struct Wall {
    walls: Walls,
    machine: Option<usize>,
}

impl Clock for Wall {
    fn now(&self) -> Millis {
        let shown = &self.walls.0;
        let since_ms = i64::try_from(shown.began.elapsed().as_millis()).unwrap_or(i64::MAX);
        let set = self.walls.set();
        let wrong = self.machine.and_then(|machine| set.wrong_ms.get(&machine).copied());
        Millis(BASE_MS + since_ms + set.passed_ms + wrong.unwrap_or(0))
    }

    fn sleep_until(&self, at: Millis) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let mut changed = self.walls.0.changed.subscribe();
            loop {
                let left = at.since_ms(self.now());
                if left == 0 {
                    return;
                }
                let nap = Duration::from_millis(left).min(NAP);
                tokio::select! {
                    biased;
                    _ = changed.changed() => {}
                    () = sleep(nap) => {}
                }
            }
        })
    }
}

/// How often the loopback is looked at before it counts as still. A connection that was begun is
/// seen by its target at the next look; the second is for what that look has woken.
const LOOKS: usize = 3;

/// Seconds of real time; beyond this bytes that were on their way have not arrived and never will.
const LOOKS_IN_VAIN_MAX: usize = 3_000_000;

/// Virtual time goes on by itself where a runtime has nothing to do, also where the answer of a
/// socket is on its way. While anything is, this gives the runtime something to do.
#[derive(Debug, Default)]
pub struct Stillness {
    under_way: AtomicUsize,
    moved: AtomicUsize,
    looks: Mutex<Looks>,
}

#[derive(Debug, Default)]
struct Looks {
    moved: usize,
    still: usize,
    /// In a row, while something is under way and nothing moves.
    in_vain: usize,
    keeper: Option<Waker>,
}

impl Stillness {
    /// Called when the runtime has nothing to do: looks at the sockets once more, or lets time
    /// go on.
    pub fn runtime_rests(&self) {
        let moved = self.moved.load(Ordering::Relaxed);
        let mut looks = self.looks();
        looks.in_vain = if looks.moved == moved { looks.in_vain + 1 } else { 0 };
        let under_way = !self.is_still() && looks.in_vain < LOOKS_IN_VAIN_MAX;
        if under_way || looks.moved != moved {
            looks.moved = moved;
            looks.still = 0;
        } else {
            looks.still += 1;
        }
        if looks.still >= LOOKS {
            looks.still = 0;
            return;
        }
        if let Some(keeper) = &looks.keeper {
            keeper.wake_by_ref();
        }
    }

    /// The task that is woken to keep the runtime from resting.
    pub async fn keep(self: Arc<Self>) {
        poll_fn(|context| -> Poll<()> {
            self.looks().keeper = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Something is on its way until this is dropped.
    #[must_use]
    pub fn under_way(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        self.moved.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(self))
    }

    /// Whether something was on its way for ever.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.looks().in_vain >= LOOKS_IN_VAIN_MAX
    }

    /// Whether nothing is on its way.
    #[must_use]
    pub fn is_still(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) == 0
    }

    fn looks(&self) -> MutexGuard<'_, Looks> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something is on its way.
#[derive(Debug)]
pub struct UnderWay(Arc<Stillness>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
        self.0.moved.fetch_add(1, Ordering::Relaxed);
    }
}
