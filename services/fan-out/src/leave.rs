//! Leaving: who works at an outlet's pools, and what each message waits for there.
//!
//! The account's breaker and rate come before the choice of the message, so that what is chosen is
//! what goes first at that moment; the target's rate and the budget of repeats come after it.

use std::{sync::Arc, time::Duration};

use domain::{delivery::Target, guard::Precedence, ids::Millis};

use crate::{
    breaker::{Pass, ask_after, chance},
    channels::Outcome,
    fallback::DOWN_MS,
    outlets::Outlet,
    rates::RepeatBudget,
    send::{Attempt, Desk, Rank},
};

/// An attempt that takes longer no longer counts among those in flight, so that slow targets
/// delay no other.
const SLOW_AFTER: Duration = Duration::from_millis(50);
/// What goes behind others on the same account looks again after this.
const BEHIND: Duration = Duration::from_millis(50);
/// What an operator has stopped is looked at again after this.
const STOPPED: Duration = Duration::from_secs(5);
/// A rate that cannot be waited for exactly is asked again after this.
const AGAIN_MS_MIN: u64 = 5;

/// A repeat over the budget is looked at again after this at least: all at once, and not each.
const OVER_BUDGET: Duration = Duration::from_secs(1);

/// Whether messages of this rank have the part of each rate that is held back.
fn goes_first(rank: Rank) -> bool {
    rank.precedence <= Precedence::LifeThreatening
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
        outlet.account.waits(rank, attempts.len());
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
        let mut token: Option<Pass<'_>> = None;
        loop {
            // With nothing left to do no token is taken; one that was not used is kept.
            if token.is_none() && pool.waiting() > 0 {
                token = self.account_is_ready(outlet, rank).await;
                if token.is_none() {
                    pool.leave();
                    return;
                }
            }
            let Some(attempt) = pool.next() else { return };
            outlet.account.has_its_turn(rank);
            if let Err(wait) = self.may_leave(outlet, rank, &attempt) {
                self.put_off(&attempt, wait);
                continue;
            }
            // Newer news took its place meanwhile.
            if !self.starts(&attempt) {
                continue;
            }
            let pass = token.take();
            let made = self.attempt(outlet, attempt);
            let mut made = std::pin::pin!(made);
            tokio::select! {
                () = &mut made => continue,
                () = tokio::time::sleep(SLOW_AFTER) => {}
            }
            // It goes on while a place among the slow ones is waited for.
            let _slow = tokio::select! {
                () = &mut made => continue,
                slow = pool.slow.acquire() => slow,
            };
            if pool.leave() {
                self.another_worker(outlet, rank);
            }
            made.await;
            drop(pass);
            return;
        }
    }

    fn starts(&self, attempt: &Attempt) -> bool {
        let mut books = self.books.lock();
        let book = books.get_mut(&attempt.taken.book);
        book.is_some_and(|book| book.starts(&attempt.target, attempt.revision, attempt.number))
    }

    /// Waits for the account's breaker and rate; `None`: the process drains.
    async fn account_is_ready<'a>(&self, outlet: &'a Outlet, rank: Rank) -> Option<Pass<'a>> {
        let shares_account = outlet.way.channel.caps().shares_account;
        loop {
            if self.stop.is_cancelled() {
                return None;
            }
            // Where the account is the bottleneck, what goes before this takes what there is.
            let is_behind = outlet.account.rate.is_limited() && outlet.account.has_before(rank);
            let wait = match is_behind {
                true => Err(BEHIND),
                false => outlet.account.rate.may_leave(goes_first(rank)),
            };
            let Err(wait) = wait else { break };
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(AGAIN_MS_MIN);
            let at = self.host.clock.now().plus_ms(i64::try_from(wait_ms).unwrap_or(i64::MAX));
            tokio::select! {
                () = self.host.clock.sleep_until(at) => {}
                () = self.clock_set_back.notified() => {}
                () = self.stop.cancelled() => return None,
            }
        }
        if !shares_account {
            return Some(Pass::free());
        }
        tokio::select! {
            pass = outlet.account.breaker.pass() => Some(pass),
            () = self.stop.cancelled() => None,
        }
    }

    /// Whether this message may leave now for its target, or after how long. What corrects never
    /// waits for a target's rate.
    fn may_leave(&self, outlet: &Outlet, rank: Rank, attempt: &Attempt) -> Result<(), Duration> {
        let target = &attempt.target;
        if self.is_stopped(target) {
            return Err(STOPPED);
        }
        let shares_account = outlet.way.channel.caps().shares_account;
        let budget = shares_account.then_some(&outlet.account.repeats);
        if rank.is_retry {
            return budget
                .map_or(Ok(()), RepeatBudget::repeat)
                .map_err(|wait| wait.max(OVER_BUDGET));
        }
        if rank.precedence > Precedence::Corrected {
            outlet.targets.may_leave(target, goes_first(rank))?;
        }
        if let Some(budget) = budget {
            budget.first();
        }
        Ok(())
    }

    /// Looks at the book again when the target may be told.
    fn put_off(&self, attempt: &Attempt, wait: Duration) {
        if let Some(book) = self.books.lock().get_mut(&attempt.taken.book) {
            book.lets_go(&attempt.target, attempt.revision, attempt.number);
        }
        let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX).max(1);
        self.look_again_in(attempt.taken.book, wait_ms);
    }

    /// Takes in what an attempt says of its account; where nothing works any more, somebody asks.
    pub(crate) fn heed(self: &Arc<Self>, outlet: &Arc<Outlet>, target: &Target, outcome: &Outcome) {
        if !outlet.way.channel.caps().shares_account {
            return;
        }
        if outlet.account.breaker.saw(target, outcome, self.host.clock.now()) {
            let account = outlet.way.account.to_string();
            tracing::error!(account, why = outcome.trouble(), "an account does not work");
            metrics::counter!("keng_account_opened_total", "account" => account).increment(1);
            let (desk, outlet) = (Arc::clone(self), Arc::clone(outlet));
            self.attempts.spawn(async move { desk.ask_until_it_works(&outlet).await });
        }
    }

    async fn ask_until_it_works(&self, outlet: &Outlet) {
        let mut said = false;
        for asked in 0.. {
            let after = ask_after(asked, chance());
            let wait_ms = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
            let at: Millis = self.host.clock.now().plus_ms(wait_ms);
            tokio::select! {
                () = self.host.clock.sleep_until(at) => {}
                () = self.clock_set_back.notified() => {}
                () = self.stop.cancelled() => return,
            }
            if outlet.account.breaker.is_asked_enough() {
                return;
            }
            let down_since = outlet.account.breaker.down_since();
            if !said && down_since.is_some_and(|since| since.plus_ms(DOWN_MS) <= at) {
                said = true;
                self.look_at_all_open();
            }
            let health = tokio::select! {
                health = outlet.way.channel.probe() => health,
                () = self.stop.cancelled() => return,
            };
            outlet.account.breaker.asked(&health);
            if outlet.account.breaker.is_asked_enough() {
                return;
            }
        }
    }
}
