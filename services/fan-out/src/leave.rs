//! Leaving: who works at an outlet's pools, and what each message waits for there.
//!
//! The account's breaker and rate come before the choice of the message, so that what is chosen is
//! what goes first at that moment; the target's rate and the budget of repeats come after it.

use std::{sync::Arc, time::Duration};

use domain::{guard::Precedence, ids::Millis};

use crate::{
    breaker::{Gate, ask_after, chance},
    channels::Outcome,
    outlets::Outlet,
    send::{Attempt, Desk, Rank},
};

/// A rate that cannot be waited for exactly is asked again after this.
const AGAIN_MS_MIN: u64 = 5;

/// What an operator has stopped is looked at again after this.
const STOPPED: Duration = Duration::from_secs(5);

/// Whether messages of this rank have the part of each rate that is held back.
fn goes_first(rank: Rank) -> bool {
    matches!(
        rank,
        Some(Precedence::SuspectCorrected | Precedence::Corrected | Precedence::LifeThreatening)
    )
}

impl Desk {
    /// Hands attempts to the pool of their rank, and calls as many workers as there are places.
    pub(crate) fn submit(
        self: &Arc<Self>,
        outlet: &Arc<Outlet>,
        rank: Rank,
        attempts: Vec<Attempt>,
    ) {
        let turn_of = |attempt: Attempt| (attempt.taken.alert_home.commune, attempt);
        let wanted = outlet.pool(rank).submit(attempts.into_iter().map(turn_of));
        for _ in 0..wanted {
            self.another_worker(outlet, rank);
        }
    }

    fn another_worker(self: &Arc<Self>, outlet: &Arc<Outlet>, rank: Rank) {
        let (desk, outlet) = (Arc::clone(self), Arc::clone(outlet));
        self.attempts.spawn(async move { desk.work(&outlet, rank).await });
    }

    /// Makes one attempt after another, until none is left. One task for many: thousands of them
    /// would cost as much as what they send. A worker that met a slow target is replaced, so that
    /// it delays no other.
    async fn work(self: &Arc<Self>, outlet: &Arc<Outlet>, rank: Rank) {
        let pool = outlet.pool(rank);
        loop {
            // With nothing left to do no token is taken.
            if pool.waiting() > 0 && !self.account_is_ready(outlet, rank).await {
                pool.leave();
                return;
            }
            let Some(attempt) = pool.next() else { return };
            if let Err(wait) = self.may_leave(outlet, rank, &attempt) {
                self.put_off(&attempt, wait);
                continue;
            }
            let mut is_slow = false;
            let when_slow = || {
                is_slow = true;
                if pool.leave() {
                    self.another_worker(outlet, rank);
                }
            };
            self.attempt(outlet, attempt, when_slow).await;
            if is_slow {
                return;
            }
        }
    }

    /// Waits for the account's breaker and rate; `false`: the process drains.
    async fn account_is_ready(&self, outlet: &Outlet, rank: Rank) -> bool {
        let shares_account = outlet.way.channel.caps().shares_account;
        loop {
            if self.stop.is_cancelled() {
                return false;
            }
            if shares_account && outlet.account.breaker.gate() != Gate::Closed {
                tokio::select! {
                    () = outlet.account.breaker.pass() => {}
                    () = self.stop.cancelled() => return false,
                }
            }
            let Err(wait) = outlet.account.rate.may_leave(goes_first(rank)) else { return true };
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(AGAIN_MS_MIN);
            let at = self.host.clock.now().plus_ms(i64::try_from(wait_ms).unwrap_or(i64::MAX));
            tokio::select! {
                () = self.host.clock.sleep_until(at) => {}
                () = self.clock_set_back.notified() => {}
                () = self.stop.cancelled() => return false,
            }
        }
    }

    /// Whether this message may leave now for its target, or after how long. What corrects never
    /// waits for a target's rate.
    fn may_leave(&self, outlet: &Outlet, rank: Rank, attempt: &Attempt) -> Result<(), Duration> {
        let target = &attempt.target;
        if self.host.directory.read().is_stopped(&target.channel_type, &outlet.way.account) {
            return Err(STOPPED);
        }
        match rank {
            None if outlet.way.channel.caps().shares_account => outlet.account.repeats.repeat(),
            None => Ok(()),
            Some(Precedence::SuspectCorrected | Precedence::Corrected) => {
                outlet.account.repeats.first();
                Ok(())
            }
            Some(_) => {
                outlet.targets.may_leave(target, goes_first(rank))?;
                outlet.account.repeats.first();
                Ok(())
            }
        }
    }

    /// Looks at the book again when the target may be told.
    fn put_off(&self, attempt: &Attempt, wait: Duration) {
        if let Some(book) = self.books.lock().get_mut(&attempt.taken.book) {
            book.in_flight.remove(&attempt.target);
        }
        let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX).max(1);
        self.look_again_in(attempt.taken.book, wait_ms);
    }

    /// Takes in what an attempt says of its account; where nothing works any more, somebody asks.
    pub(crate) fn heed(self: &Arc<Self>, outlet: &Arc<Outlet>, outcome: &Outcome) {
        if !outlet.way.channel.caps().shares_account {
            return;
        }
        if outlet.account.breaker.saw(outcome, self.host.clock.now()) {
            let account = outlet.way.account.to_string();
            tracing::error!(account, why = outcome.trouble(), "an account does not work");
            metrics::counter!("keng_account_opened_total", "account" => account).increment(1);
            let (desk, outlet) = (Arc::clone(self), Arc::clone(outlet));
            self.attempts.spawn(async move { desk.ask_until_it_works(&outlet).await });
        }
    }

    async fn ask_until_it_works(&self, outlet: &Outlet) {
        for asked in 0.. {
            let after = ask_after(asked, chance());
            let wait_ms = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
            let at: Millis = self.host.clock.now().plus_ms(wait_ms);
            tokio::select! {
                () = self.host.clock.sleep_until(at) => {}
                () = self.clock_set_back.notified() => {}
                () = self.stop.cancelled() => return,
            }
            if outlet.account.breaker.gate() == Gate::Closed {
                return;
            }
            let health = tokio::select! {
                health = outlet.way.channel.probe() => health,
                () = self.stop.cancelled() => return,
            };
            outlet.account.breaker.asked(&health);
        }
    }
}
