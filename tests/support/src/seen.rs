//! A list that only grows, and that can be waited on. No polling, no sleeping.

use std::{
    fmt::Debug,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Result, bail};
use tokio::sync::watch;

/// What was seen so far, in the order it was seen.
#[derive(Debug)]
pub struct Seen<T> {
    list: Mutex<Vec<T>>,
    count: watch::Sender<usize>,
}

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self { list: Mutex::default(), count: watch::Sender::new(0) }
    }
}

impl<T: Clone + Debug> Seen<T> {
    /// Adds one, and wakes who waits.
    pub fn push(&self, one: T) {
        let count = {
            let mut list = self.lock();
            list.push(one);
            list.len()
        };
        // Two that add at once may tell in the other order.
        self.count.send_if_modified(|told| {
            let grows = count > *told;
            *told = count.max(*told);
            grows
        });
    }

    /// Everything so far.
    #[must_use]
    pub fn all(&self) -> Vec<T> {
        self.lock().clone()
    }

    /// How many so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Waits until at least `count` were seen, and returns all.
    ///
    /// # Errors
    /// They were not seen `within` the time.
    pub async fn wait_for(&self, count: usize, within: Duration) -> Result<Vec<T>> {
        let mut told = self.count.subscribe();
        let waited = tokio::time::timeout(within, told.wait_for(|told| *told >= count)).await;
        if waited.is_err() {
            bail!("{count} were expected within {within:?}, seen were {:#?}", self.last_few());
        }
        Ok(self.all())
    }

    /// Waits until `fits` says yes to everything seen so far, asked anew for each that is added,
    /// and returns all.
    ///
    /// # Errors
    /// It did not come to fit `within` the time.
    pub async fn wait_until(
        &self,
        within: Duration,
        fits: impl Fn(&[T]) -> bool,
    ) -> Result<Vec<T>> {
        let mut told = self.count.subscribe();
        let waited = tokio::time::timeout(within, told.wait_for(|_| fits(&self.lock()))).await;
        if waited.is_err() {
            bail!("it did not come to fit within {within:?}, seen were {:#?}", self.last_few());
        }
        Ok(self.all())
    }

    /// Waits until one fits, and returns the first that does.
    ///
    /// # Errors
    /// None was seen `within` the time.
    pub async fn wait_for_one(&self, within: Duration, fits: impl Fn(&T) -> bool) -> Result<T> {
        let seen = self.wait_until(within, |seen| seen.iter().any(&fits)).await?;
        match seen.into_iter().find(|one| fits(one)) {
            Some(one) => Ok(one),
            None => bail!("what is asked of one does not stay true"),
        }
    }

    /// Forgets everything, so that the next wait counts from here.
    pub fn clear(&self) {
        self.lock().clear();
        self.count.send_replace(0);
    }

    fn last_few(&self) -> (usize, Vec<T>) {
        let list = self.lock();
        let few = list.iter().rev().take(8).rev().cloned().collect();
        (list.len(), few)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn who_waits_is_woken_by_what_is_added() {
        let seen = std::sync::Arc::new(Seen::default());
        let adding = std::sync::Arc::clone(&seen);
        let added = tokio::spawn(async move { (0..3).for_each(|one| adding.push(one)) });
        assert_eq!(seen.wait_for(3, SOON).await.unwrap(), [0, 1, 2]);
        assert_eq!(seen.wait_for_one(SOON, |one| *one == 1).await.unwrap(), 1);
        added.await.unwrap();
        seen.clear();
        assert!(seen.wait_for(1, Duration::from_millis(10)).await.is_err());
    }
}
