//! The wait for what nobody announces: looked at again and again, within a bound.
//!
//! What is announced is waited for with [`crate::seen::Seen`] instead.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, MissedTickBehavior, interval};

const LOOK_EVERY: Duration = Duration::from_millis(40);

/// Looks until the answer is `Ok`, and returns it. An error means "not yet".
///
/// # Errors
/// The last one, where it was not so `within` the time.
pub async fn eventually<T>(
    within: Duration,
    mut look: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    let deadline = Instant::now() + within;
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match look().await {
            Ok(found) => return Ok(found),
            Err(not_yet) if Instant::now() >= deadline => {
                return Err(not_yet.context(format!("it was not so within {within:?}")));
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{bail, ensure};

    use super::*;

    #[tokio::test]
    async fn it_looks_until_it_is_so_or_the_time_is_over() {
        let mut looks = 0;
        let found = eventually(Duration::from_secs(1), async || {
            looks += 1;
            ensure!(looks == 3, "not yet");
            Ok(looks)
        });
        assert_eq!(found.await.unwrap(), 3);
        let never = eventually(Duration::from_millis(50), async || -> Result<()> { bail!("no") });
        assert!(format!("{:#}", never.await.unwrap_err()).ends_with(": no"));
    }
}
