//! What an operator should know of the outbox: a command has waited for the broker for a day, or
//! the outbox has grown to a gibibyte. An alarm is a line in the log and a gauge; it stops nothing.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use domain::ids::Millis;

use crate::log::Inner;

/// A command that waits for the broker for longer.
const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// An outbox of more bytes.
const BYTES_MAX: u64 = 1 << 30;
/// How often the gauge of the wait is set anew.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// This machine's time: a wait goes on through restarts, so no monotonic clock can measure it.
pub(crate) fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Rings once each time that a limit is passed, not as long as it is.
#[derive(Debug, Default)]
struct Bell {
    over: bool,
}

impl Bell {
    fn rings(&mut self, over: bool) -> bool {
        let rings = over && !self.over;
        self.over = over;
        rings
    }
}

/// How large the outbox is.
#[derive(Debug, Default)]
pub(crate) struct Size {
    bytes: u64,
    bell: Bell,
}

impl Size {
    /// The outbox has grown by so many bytes, or was found with them.
    pub(crate) fn grow(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        metrics::gauge!("keng_outbox_bytes").set(self.bytes as f64);
        if self.bell.rings(self.bytes >= BYTES_MAX) {
            tracing::error!(bytes = self.bytes, "the outbox has grown beyond its alarm");
        }
    }

    /// So many bytes of it were forgotten.
    pub(crate) fn shrink(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
        metrics::gauge!("keng_outbox_bytes").set(self.bytes as f64);
        self.bell.rings(self.bytes >= BYTES_MAX);
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// For how long the oldest command has waited for the broker.
#[derive(Debug, Default)]
struct Wait {
    bell: Bell,
}

impl Wait {
    /// The age of the oldest, and whether to ring. A clock that was put back makes no age.
    fn look(&mut self, oldest: Option<Millis>, now: Millis) -> (Duration, bool) {
        let age = Duration::from_millis(oldest.map_or(0, |since| now.since_ms(since)));
        (age, self.bell.rings(age >= WAIT_MAX))
    }
}

/// Watches how long commands wait, for ever.
pub(crate) async fn watch(inner: Arc<Inner>) {
    let mut wait = Wait::default();
    let mut outgoing = inner.held.outgoing.subscribe();
    loop {
        outgoing.borrow_and_update();
        let (age, rings) = wait.look(inner.held.oldest(), now());
        metrics::gauge!("keng_outbox_held_oldest_seconds").set(age.as_secs_f64());
        if rings {
            let (held, hours) = (inner.held.count(), age.as_secs() / 3600);
            tracing::error!(held, hours, "commands have waited for the broker for a day");
        }
        tokio::select! {
            changed = outgoing.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

    #[test]
    fn a_day_of_waiting_rings_once_until_it_is_over() {
        let (mut wait, since) = (Wait::default(), Millis(1_000));
        let at = |ms: i64| Millis(since.0 + ms);
        for (oldest, now, age_ms, rings) in [
            (None, at(DAY_MS), 0, false),
            (Some(since), at(5), 5, false),
            (Some(since), at(DAY_MS - 1), DAY_MS - 1, false),
            (Some(since), at(DAY_MS), DAY_MS, true),
            (Some(since), at(DAY_MS + 9), DAY_MS + 9, false),
            (Some(since), at(-9), 0, false),
            (Some(since), at(2 * DAY_MS), 2 * DAY_MS, true),
            (None, at(2 * DAY_MS), 0, false),
            (Some(since), at(2 * DAY_MS), 2 * DAY_MS, true),
        ] {
            let (age, rang) = wait.look(oldest, now);
            assert_eq!((age.as_millis(), rang), (age_ms as u128, rings), "{oldest:?} {now:?}");
        }
    }

    #[test]
    fn a_gibibyte_rings_once_also_where_it_was_found() {
        let mut bell = Bell::default();
        let rung: Vec<bool> = [0, BYTES_MAX - 1, BYTES_MAX, BYTES_MAX + 1]
            .map(|bytes| bell.rings(bytes >= BYTES_MAX))
            .into();
        assert_eq!(rung, [false, false, true, false]);
        let mut found = Size::default();
        found.grow(1 << 30);
        assert!(found.bell.over);
    }
}
