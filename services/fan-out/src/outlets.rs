//! Outlets: each channel of each account, with its pools, its rates and its breaker.
//!
//! Nothing here knows what is sent: it says who may leave now, and in which order.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use chassis::Clock;
use domain::{channel::ChannelType, guard::Precedence, ids::Millis};

use crate::{
    accounts::{Accounts, Way},
    breaker::Breaker,
    pool::Pool,
    rates::{AccountRate, Monotonic, RepeatBudget, TargetRates},
    send::{Attempt, Rank},
};

/// Slow attempts of one pool, which no longer count among those in flight.
const SLOW_MAX: usize = 4_096;
/// Slow retries.
const SLOW_RETRIES_MAX: usize = 1_024;

/// What has places of its own, in the order in which it leaves.
const PRECEDENCES: [Precedence; 6] = [
    Precedence::SuspectCorrected,
    Precedence::Corrected,
    Precedence::LifeThreatening,
    Precedence::Urgent,
    Precedence::Ordinary,
    Precedence::News,
];

/// All ranks, what goes first first.
fn ranks() -> impl Iterator<Item = Rank> {
    let both = |precedence| [false, true].map(|is_retry| Rank { precedence, is_retry });
    PRECEDENCES.into_iter().flat_map(both)
}

/// What all channels of one account share.
pub(crate) struct Account {
    pub(crate) rate: AccountRate,
    pub(crate) breaker: Breaker,
    pub(crate) repeats: RepeatBudget,
    /// How much waits of each rank, over all channels of the account.
    waiting: BTreeMap<Rank, AtomicUsize>,
}

impl Account {
    /// Whether something that goes before this waits for the account too.
    pub(crate) fn has_before(&self, rank: Rank) -> bool {
        self.waiting.range(..rank).any(|(_, count)| count.load(Ordering::Relaxed) > 0)
    }

    /// So much more waits, or less.
    pub(crate) fn waits(&self, rank: Rank, more: usize) {
        if let Some(count) = self.waiting.get(&rank) {
            count.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// One of it has its turn.
    pub(crate) fn has_its_turn(&self, rank: Rank) {
        if let Some(count) = self.waiting.get(&rank) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// One channel of one account.
pub(crate) struct Outlet {
    pub(crate) way: Way,
    pub(crate) account: Arc<Account>,
    pub(crate) targets: TargetRates,
    pools: BTreeMap<Rank, Pool<Attempt>>,
    /// Where a precedence is missing from [`PRECEDENCES`].
    rest: Pool<Attempt>,
}

impl Outlet {
    /// The pool of this rank.
    pub(crate) fn pool(&self, rank: Rank) -> &Pool<Attempt> {
        self.pools.get(&rank).unwrap_or(&self.rest)
    }

    /// How much waits here.
    pub(crate) fn waiting(&self) -> usize {
        self.pools.values().chain([&self.rest]).map(Pool::waiting).sum()
    }
}

/// The outlets of one type of channel, by their account.
type ByAccount = HashMap<Arc<str>, Arc<Outlet>>;

/// All outlets of this process, by their type of channel, and for a poster by what the poster gets
/// the task. Looked up for every message, so a key that borrows has to do.
pub(crate) struct Outlets(HashMap<(ChannelType, Option<ChannelType>), ByAccount>);

impl Outlets {
    pub(crate) fn new(accounts: &Accounts, in_flight_max: usize, clock: &Arc<dyn Clock>) -> Self {
        let clock = Monotonic::new(clock);
        let mut shared: HashMap<Arc<str>, Arc<Account>> = HashMap::new();
        let mut outlets: HashMap<_, ByAccount> = HashMap::new();
        for way in accounts.ways() {
            let caps = way.channel.caps();
            let account = || {
                let per_minute = way.terms.per_minute.or(caps.per_minute);
                Arc::new(Account {
                    rate: AccountRate::new(per_minute, &clock),
                    breaker: Breaker::default(),
                    repeats: RepeatBudget::new(&clock),
                    waiting: ranks().map(|rank| (rank, AtomicUsize::new(0))).collect(),
                })
            };
            let account =
                Arc::clone(shared.entry(Arc::clone(&way.account)).or_insert_with(account));
            let pool = |is_retry: bool| match is_retry {
                false => Pool::new(in_flight_max, SLOW_MAX),
                true => Pool::new(in_flight_max / 2 + 1, SLOW_RETRIES_MAX),
            };
            let outlet = Outlet {
                way: way.clone(),
                account,
                targets: TargetRates::new(caps.per_minute_a_target, &clock),
                pools: ranks().map(|rank| (rank, pool(rank.is_retry))).collect(),
                rest: pool(true),
            };
            let (account, channel_type, via) = way.means();
            outlets.entry((channel_type, via)).or_default().insert(account, Arc::new(outlet));
        }
        Self(outlets)
    }

    /// The outlet of this account for this type of channel; for a poster, and by what the poster
    /// gets the task.
    pub(crate) fn of(
        &self,
        account: &str,
        channel_type: ChannelType,
        via: Option<ChannelType>,
    ) -> Option<&Arc<Outlet>> {
        self.0.get(&(channel_type, via))?.get(account)
    }

    /// The accounts that do not work, and since when.
    pub(crate) fn down(&self) -> HashMap<Arc<str>, Millis> {
        let down = |outlet: &Arc<Outlet>| {
            let since = outlet.account.breaker.down_since()?;
            Some((Arc::clone(&outlet.way.account), since))
        };
        self.iter().filter_map(down).collect()
    }

    /// All of them, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Outlet>> {
        self.0.values().flat_map(HashMap::values)
    }
}
