//! A pool: what waits to leave on one channel with one precedence, and the places that it has.
//!
//! Communes take turns, so that one that raises a hundred alerts delays no other by more than one
//! message each. Who waits here has its record in the log; a restart finds it there.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain::ids::CommuneCode;
use tokio::sync::Semaphore;

/// What waits, and who works.
pub(crate) struct Pool<T> {
    inner: Mutex<Inner<T>>,
    /// Work at once, slow work apart.
    in_flight_max: usize,
    /// Places for what is slow.
    pub(crate) slow: Semaphore,
}

struct Inner<T> {
    waiting: HashMap<CommuneCode, VecDeque<T>>,
    /// Whose turn it is next.
    turns: VecDeque<CommuneCode>,
    count: usize,
    workers: usize,
}

impl<T> Pool<T> {
    pub(crate) fn new(in_flight_max: usize, slow_max: usize) -> Self {
        let inner = Inner { waiting: HashMap::new(), turns: VecDeque::new(), count: 0, workers: 0 };
        Self { inner: Mutex::new(inner), in_flight_max, slow: Semaphore::new(slow_max) }
    }

    /// Takes work in, each under the commune whose turn it uses; answers how many more workers it
    /// wants. Each of these must run until [`Self::next`] has nothing.
    pub(crate) fn submit(&self, work: impl IntoIterator<Item = (CommuneCode, T)>) -> usize {
        let mut inner = self.lock();
        for (commune, one) in work {
            let queue = inner.waiting.entry(commune).or_default();
            queue.push_back(one);
            if queue.len() == 1 {
                inner.turns.push_back(commune);
            }
            inner.count += 1;
        }
        let wanted = self.in_flight_max.saturating_sub(inner.workers).min(inner.count);
        inner.workers += wanted;
        wanted
    }

    /// The next piece of work; with none left the worker that asks is no more.
    pub(crate) fn next(&self) -> Option<T> {
        let mut inner = self.lock();
        let found = inner.next();
        if found.is_none() {
            inner.workers = inner.workers.saturating_sub(1);
        }
        found
    }

    /// A worker goes on with what is slow, or ends, and works here no more; answers whether
    /// another is wanted in its place.
    pub(crate) fn leave(&self) -> bool {
        let mut inner = self.lock();
        let another = inner.count > 0 && inner.workers <= self.in_flight_max;
        if !another {
            inner.workers = inner.workers.saturating_sub(1);
        }
        another
    }

    /// How much waits.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().count
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Inner<T> {
    fn next(&mut self) -> Option<T> {
        let commune = self.turns.pop_front()?;
        let queue = self.waiting.get_mut(&commune)?;
        let found = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&commune);
        } else {
            self.turns.push_back(commune);
        }
        self.count = self.count.saturating_sub(usize::from(found.is_some()));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commune(code: &str) -> CommuneCode {
        code.parse().unwrap()
    }

    #[test]
    fn communes_take_turns() {
        let pool = Pool::new(2, 1);
        let (loud, quiet) = (commune("15961"), commune("25126"));
        assert_eq!(pool.submit((0..5).map(|n| (loud, n))), 2);
        assert_eq!(pool.submit([(quiet, 100), (quiet, 101)]), 0);
        let order: Vec<_> = std::iter::from_fn(|| pool.next()).collect();
        assert_eq!(order, [0, 100, 1, 101, 2, 3, 4]);
    }

    #[test]
    fn there_are_as_many_workers_as_there_is_work_and_no_more_than_places() {
        let pool = Pool::new(3, 1);
        let here = commune("15961");
        assert_eq!(pool.submit([(here, 1)]), 1);
        assert_eq!(pool.submit((2..9).map(|n| (here, n))), 2);
        // One met a slow target: another takes its place.
        assert_eq!(pool.next(), Some(1));
        assert!(pool.leave());
        while pool.next().is_some() {}
        // All have ended; the next work has all places again.
        pool.next();
        pool.next();
        assert_eq!(pool.submit((0..9).map(|n| (here, n))), 3);
    }

    #[test]
    fn who_leaves_an_empty_pool_is_not_replaced() {
        let pool = Pool::new(1, 1);
        assert_eq!(pool.submit([(commune("15961"), 1)]), 1);
        pool.next();
        assert!(!pool.leave());
        assert_eq!(pool.submit([(commune("15961"), 2)]), 1);
    }
}
