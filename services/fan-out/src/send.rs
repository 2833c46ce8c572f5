//! The desk: takes what is planned, sees that it may leave, and sends it.
//!
//! It is driven by the log alone: what is open in the books and not under way is sent when it is
//! due, its record is durable, and this instance holds the lease.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chassis::{
    Host,
    sheets::{Ready, Sheets},
};
use domain::{
    channel::ChannelType,
    delivery::{Delivery, Target},
    guard::{Precedence, precedence},
    ids::{Home, Millis, RecordId},
    lane::{LaneDelivery, Outcome, Progress},
    values::{AlertStatus, News},
};
use event_log::{At, Class, Durable, shell::Shell};
use tokio::sync::{Notify, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    FanOutOptions, READ,
    accounts::{Accounts, NO_ACCOUNT},
    begin::Beginning,
    book::{Book, BookId, Books, Mark},
    inbound::account_of,
    outlets::{Outlet, Outlets},
    pictures::Pictures,
    post::Measures,
    receive::Seen,
};

/// How often the leases of what is under way are looked at.
const LOOK_AT_LEASES: Duration = Duration::from_secs(2);
const DURABLE_PATIENCE: Duration = Duration::from_secs(10);
/// What an operator has stopped is looked at again after this.
const STOPPED_MS: i64 = 5_000;
/// What cannot be sent for want of words or an address is looked at again so often.
const WANTING_MS: i64 = 5_000;
/// A book to be looked at, once this record is durable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job {
    pub(crate) book: BookId,
    pub(crate) after: Option<At>,
}

/// What the attempts that are taken from a book at one time have in common.
pub(crate) struct Taken {
    pub(crate) book: BookId,
    pub(crate) home: Home,
    /// Where the alert is at home: whose turn a message uses.
    pub(crate) alert_home: Home,
    /// What receipts are caused by.
    pub(crate) plan: RecordId,
    /// How the book stood.
    pub(crate) changes: u64,
    pub(crate) ready: Arc<Ready>,
    /// Up to this revision others may have made attempts that left no receipt.
    pub(crate) inherited: u64,
}

/// One attempt that is due.
#[derive(Debug, Clone)]
struct Due {
    target: Target,
    revision: u64,
    news: News,
    number: u32,
    first_revision: u64,
    stands: Stands,
    begun_at: Option<Millis>,
    unknowns: u32,
    planned_at: Millis,
    give_up_at: Millis,
}

/// What is known of the attempts before this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stands {
    /// Each has an end that is known well enough to go on.
    Settled,
    /// The last may have arrived: before a repeat that would show twice somebody must look.
    Unknown,
    /// The last was begun, and whoever made it left no word of its end.
    Interrupted,
    /// A person has it in hand, and is reminded.
    HandedOver,
}

/// One attempt about to be made.
pub(crate) struct Attempt {
    pub(crate) taken: Arc<Taken>,
    pub(crate) target: Target,
    pub(crate) revision: u64,
    pub(crate) news: News,
    /// 1 for the first.
    pub(crate) number: u32,
    /// The first revision that the target was told.
    pub(crate) first_revision: u64,
    pub(crate) stands: Stands,
    /// When the attempt before this one began, as far as that has a record.
    pub(crate) begun_at: Option<Millis>,
    /// How many attempts ended so that nobody knows whether they arrived.
    pub(crate) unknowns: u32,
    pub(crate) planned_at: Millis,
    pub(crate) give_up_at: Millis,
}

/// Sends what is planned.
pub(crate) struct Desk {
    pub(crate) host: Host,
    pub(crate) books: Books,
    pub(crate) sheets: Sheets,
    pub(crate) outlets: Outlets,
    pub(crate) pictures: Pictures,
    /// Where people reach intake, without a slash at the end.
    pub(crate) public_url: String,
    pub(crate) receipts: mpsc::Sender<Seen>,
    /// Hands over attempts that need a record of their own before they are made.
    pub(crate) beginning: mpsc::Sender<Beginning>,
    /// The attempts under way.
    pub(crate) attempts: TaskTracker,
    pub(crate) deliveries: Shell<Delivery>,
    pub(crate) measures: Measures,
    /// For each book that is about to be looked at: the last record that must be durable first.
    awaited: Mutex<HashMap<(BookId, Class), At>>,
    /// Books to be looked at again at a time.
    due: Mutex<BTreeMap<(Millis, BookId), ()>>,
    due_changed: Notify,
    /// Wakes whoever waits for a time by a clock that was set back since.
    pub(crate) clock_set_back: Notify,
    /// One renewal of a lease at a time.
    pub(crate) leasing: tokio::sync::Mutex<()>,
    pub(crate) stop: CancellationToken,
}

impl Desk {
    pub(crate) fn new(
        host: &Host,
        books: &Books,
        accounts: &Accounts,
        ways_out: (mpsc::Sender<Seen>, mpsc::Sender<Beginning>, TaskTracker),
        options: &FanOutOptions,
    ) -> Self {
        let (receipts, beginning, attempts) = ways_out;
        Self {
            host: host.clone(),
            books: books.clone(),
            sheets: Sheets::new(host, &format!("{}/v", options.public_url)),
            pictures: Pictures::new(host, options.photos.clone(), &options.public_url),
            public_url: options.public_url.trim_end_matches('/').to_owned(),
            outlets: Outlets::new(accounts, options.in_flight_max, &host.clock),
            receipts,
            beginning,
            attempts,
            deliveries: Shell::new(Arc::clone(&host.log)),
            measures: Measures::new(),
            awaited: Mutex::default(),
            due: Mutex::default(),
            due_changed: Notify::new(),
            clock_set_back: Notify::new(),
            leasing: tokio::sync::Mutex::new(()),
            stop: host.drain.token(),
        }
    }

    /// Looks at a book: sends what is due now, and remembers what is due later.
    pub(crate) fn look_at(self: &Arc<Self>, job: Job) {
        let stop = self.host.drain.token();
        if stop.is_cancelled() {
            return;
        }
        // While history is read, what looks open may have ended long ago.
        if !self.host.is_caught_up(&READ) {
            self.look_again(job.book, Millis(0));
            return;
        }
        if let Some(after) = job.after {
            // One look serves all records of a book that come in a row.
            if self.awaited().insert((job.book, after.class), after).is_some() {
                return;
            }
        }
        let desk = Arc::clone(self);
        tokio::spawn(async move {
            if let Some(after) = job.after {
                tokio::select! {
                    () = desk.durable((job.book, after.class)) => {}
                    () = stop.cancelled() => return,
                }
            }
            desk.send_due(job.book).await;
        });
    }

    /// Waits until the record that asked for a look is durable, and those that came in a row.
    async fn durable(&self, place: (BookId, Class)) {
        loop {
            let Some(after) = self.awaited().get(&place).copied() else { return };
            if self.host.log.durable(after, DURABLE_PATIENCE).await != Durable::Stored {
                tracing::warn!("waiting for the log before sending");
                continue;
            }
            // The officer's answer waited for the same sync: it goes first.
            tokio::task::yield_now().await;
            let mut awaited = self.awaited();
            if awaited.get(&place) == Some(&after) {
                awaited.remove(&place);
                return;
            }
        }
    }

    fn awaited(&self) -> MutexGuard<'_, HashMap<(BookId, Class), At>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send_due(self: &Arc<Self>, id: BookId) {
        self.catch_up(id).await;
        self.fall_back(id).await;
        let mut due = self.due_in(id, self.host.clock.now());
        if due.iter().any(|due| self.is_stopped(&due.target)) {
            // Without a lease, which would fill the log for as long as it lasts.
            due.retain(|due| !self.is_stopped(&due.target));
            self.look_again_in(id, STOPPED_MS);
        }
        if due.is_empty() {
            return;
        }
        let sheets = self.sheets_of(id, &due).await;
        due.retain(|due| sheets.contains_key(&(due.revision, due.news)));
        if due.is_empty() || !self.hold_lease(id).await {
            return;
        }
        let (attempts, newest) = self.take(id, due, &sheets);
        // Nothing leaves before the record of its intent is durable.
        for at in newest {
            while self.host.log.durable(at, DURABLE_PATIENCE).await != Durable::Stored {
                if self.host.drain.token().is_cancelled() {
                    return;
                }
                tracing::warn!("waiting for the log before sending");
            }
        }
        // Retries have places of their own: however many targets hang, what is told for the first
        // time does not wait for them; nor does what corrects wait for news, and what corrects a
        // suspect alert for anything (R21).
        let mut submitted: Vec<(Arc<Outlet>, Rank, Vec<Attempt>)> = Vec::new();
        for attempt in attempts {
            let outlet = match self.outlet_of(&attempt.target) {
                Ok(outlet) => outlet,
                Err(why) => {
                    self.no_way(attempt, why).await;
                    continue;
                }
            };
            let rank = attempt.rank();
            let same = |(at, its, _): &&mut (Arc<Outlet>, Rank, Vec<Attempt>)| {
                *its == rank && Arc::ptr_eq(at, &outlet)
            };
            match submitted.iter_mut().find(same) {
                Some((.., attempts)) => attempts.push(attempt),
                None => submitted.push((outlet, rank, vec![attempt])),
            }
        }
        for (outlet, rank, attempts) in submitted {
            self.submit(&outlet, rank, attempts);
        }
    }

    /// The channel that reaches this target.
    fn outlet_of(&self, target: &Target) -> Result<Arc<Outlet>, NoWay> {
        let channel_type: ChannelType =
            target.channel_type.parse().map_err(|_| NoWay::NoAccount)?;
        if !channel_type.needs_account() {
            let outlet = self.outlets.of(NO_ACCOUNT, channel_type, None);
            return outlet.cloned().ok_or(NoWay::NoAccount);
        }
        let group = self.host.directory.read().group(&target.group).cloned();
        let group = group.ok_or(NoWay::NoSuchTarget)?;
        let facts = group.facts.channels.iter().find(|facts| facts.id == target.channel);
        let facts = facts.ok_or(NoWay::NoSuchTarget)?;
        // Nothing but a poster has one.
        let via = facts.via.parse().ok();
        let outlet = self.outlets.of(&facts.account, channel_type, via);
        outlet.cloned().ok_or(NoWay::NoAccount)
    }

    /// The account by which a target is told; empty where it needs none.
    pub(crate) fn account_of(&self, target: &Target) -> Arc<str> {
        account_of(&self.host, target)
    }

    /// Whether an operator has stopped the channel of this target, or its account.
    pub(crate) fn is_stopped(&self, target: &Target) -> bool {
        let directory = self.host.directory.read();
        if directory.stopped().len() == 0 {
            return false;
        }
        drop(directory);
        let account = self.account_of(target);
        self.host.directory.read().is_stopped(&target.channel_type, &account)
    }

    /// What is due now; the rest is looked at again in time.
    fn due_in(&self, id: BookId, now: Millis) -> Vec<Due> {
        let books = self.books.lock();
        let Some(book) = books.get(&id) else { return vec![] };
        let mut due = Vec::new();
        let mut next: Option<Millis> = None;
        for (target, delivery) in book.open() {
            match delivery.due_at() {
                Some(at) if at <= now => due.push(due_of(book, target, delivery)),
                Some(at) => next = Some(next.map_or(at, |next| next.min(at))),
                None => {}
            }
        }
        // What sets right goes first to those who were reached first.
        if due.iter().any(|due| due.news.sets_right()) {
            due.sort_by_cached_key(|due| {
                book.lanes.reached_at(&due.target).unwrap_or(Millis(i64::MAX))
            });
        }
        drop(books);
        if let Some(at) = next {
            self.look_again(id, at);
        }
        due
    }

    /// What is told, for each revision and news of these that can be rendered now.
    async fn sheets_of(&self, id: BookId, due: &[Due]) -> BTreeMap<(u64, News), Arc<Ready>> {
        let (alert, commune) = id;
        // Most often there is one revision.
        let mut sheets = BTreeMap::new();
        let Some(home) = self.books.lock().get(&id).map(|book| book.alert_home) else {
            return sheets;
        };
        let mut wanting = false;
        for due in due {
            let told = (due.revision, due.news);
            if sheets.contains_key(&told) {
                continue;
            }
            match self.sheets.ready((alert, home), told, commune).await {
                Ok(ready) => {
                    sheets.insert(told, ready);
                }
                Err(why) if !wanting => {
                    wanting = true;
                    tracing::error!(%why, %alert, "an alert cannot be rendered");
                    self.look_again_in(id, WANTING_MS);
                }
                Err(_) => {}
            }
        }
        sheets
    }

    /// Marks as taken what still is as it was; also answers with the records that must be durable
    /// before it leaves.
    fn take(
        &self,
        id: BookId,
        due: Vec<Due>,
        sheets: &BTreeMap<(u64, News), Arc<Ready>>,
    ) -> (Vec<Attempt>, Vec<At>) {
        let mut books = self.books.lock();
        let Some(book) = books.get_mut(&id) else { return (vec![], vec![]) };
        let newest = book.newest.values().copied().collect();
        let taken = |ready: &Arc<Ready>| {
            let Book { home, alert_home, plan, changes, inherited, .. } = *book;
            let ready = Arc::clone(ready);
            Arc::new(Taken { book: id, home, alert_home, plan, changes, ready, inherited })
        };
        let sheets: BTreeMap<(u64, News), Arc<Taken>> =
            sheets.iter().map(|(told, ready)| (*told, taken(ready))).collect();
        let attempts = due.into_iter().filter_map(|due| {
            let taken = sheets.get(&(due.revision, due.news))?;
            Some(take_one(book, &due)?.attempt(taken))
        });
        (attempts.collect(), newest)
    }

    /// Looks at a book again at `at`.
    pub(crate) fn look_again(&self, id: BookId, at: Millis) {
        self.due.lock().unwrap_or_else(PoisonError::into_inner).insert((at, id), ());
        self.due_changed.notify_one();
    }

    /// Looks at a book again in so many milliseconds from now: not from when something began that
    /// took long, since when the clock may have been set back.
    pub(crate) fn look_again_in(&self, id: BookId, ms: i64) {
        self.look_again(id, self.host.clock.now().plus_ms(ms));
    }

    /// Looks at books when they are due, until the process drains.
    pub(crate) async fn run(self: Arc<Self>) {
        let stop = self.host.drain.token();
        tokio::select! {
            () = self.host.caught_up_of(&READ) => {}
            () = stop.cancelled() => return,
        }
        let mut leases = tokio::time::interval(LOOK_AT_LEASES);
        let mut before = self.host.clock.now();
        loop {
            let now = self.host.clock.now();
            // A clock that was set back would have us wait until it is there again: whatever is to
            // be looked at is looked at now, and what is not due is put back.
            let set_back = std::mem::replace(&mut before, now) > now;
            if set_back {
                self.clock_set_back.notify_waiters();
            }
            let up_to = if set_back { Millis(i64::MAX) } else { now.plus_ms(1) };
            let (ready, next) = {
                let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
                let later = due.split_off(&(up_to, LEAST));
                let ready = std::mem::replace(&mut *due, later);
                (ready, due.keys().next().map(|(at, _)| *at))
            };
            for (_, book) in ready.into_keys() {
                self.look_at(Job { book, after: None });
            }
            let wait = async {
                match next {
                    Some(at) => self.host.clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wait => {}
                () = self.due_changed.notified() => {}
                _ = leases.tick() => Arc::clone(&self).renew_leases(),
                () = stop.cancelled() => return,
            }
        }
    }
}

/// The least book there is, to cut the queue by time.
const LEAST: BookId = (domain::ids::AlertId(uuid::Uuid::nil()), domain::ids::Home::NATION.commune);

/// The pool that an attempt belongs to: what goes first comes first, also where it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    pub(crate) precedence: Precedence,
    pub(crate) is_retry: bool,
}

/// Why nothing can be sent to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoWay {
    /// This process has no account for its channel; another may.
    NoAccount,
    /// The group or its channel is gone from the directory.
    NoSuchTarget,
}

impl Attempt {
    /// The pool that it belongs to.
    pub(crate) fn rank(&self) -> Rank {
        Rank { precedence: self.precedence(), is_retry: self.number > 1 }
    }

    fn precedence(&self) -> Precedence {
        // A drill goes before nothing that is real.
        match self.taken.ready.status {
            AlertStatus::Actual => precedence(self.taken.ready.kind, self.news),
            AlertStatus::Exercise | AlertStatus::Test => Precedence::Ordinary,
        }
    }
}

fn due_of(book: &Book, target: &Target, delivery: &LaneDelivery) -> Due {
    Due {
        target: target.clone(),
        revision: delivery.revision,
        news: delivery.news,
        number: delivery.attempts + 1,
        first_revision: book.lanes.first_revision(target).unwrap_or(delivery.revision),
        stands: match delivery.progress {
            _ if delivery.is_under_way() => Stands::Interrupted,
            Progress::HandedOver { .. } => Stands::HandedOver,
            _ if delivery.last == Some(Outcome::Unknown) && !delivery.requeued => Stands::Unknown,
            _ => Stands::Settled,
        },
        begun_at: delivery.begun_at,
        unknowns: delivery.unknowns,
        planned_at: delivery.planned_at,
        give_up_at: delivery.give_up_at,
    }
}

impl Due {
    fn attempt(self, taken: &Arc<Taken>) -> Attempt {
        Attempt {
            taken: Arc::clone(taken),
            target: self.target,
            revision: self.revision,
            news: self.news,
            number: self.number,
            first_revision: self.first_revision,
            stands: self.stands,
            begun_at: self.begun_at,
            unknowns: self.unknowns,
            planned_at: self.planned_at,
            give_up_at: self.give_up_at,
        }
    }
}

/// Takes on what is due, as it stands now: between the look and this a lease was waited for.
fn take_one(book: &mut Book, due: &Due) -> Option<Due> {
    let delivery = book.lanes.get(&due.target, due.revision)?;
    let now = due_of(book, &due.target, delivery);
    let is_free = !book.in_flight.get(&due.target).is_some_and(|mark| mark.running);
    if book.held || delivery.ended() || now.number != due.number || !is_free {
        return None;
    }
    let mark = Mark { revision: due.revision, number: due.number, running: false };
    book.in_flight.insert(due.target.clone(), mark);
    Some(now)
}
