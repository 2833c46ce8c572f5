//! Outlets: each channel of each account, with its pools, its rates and its breaker.
//!
//! Nothing here knows what is sent: it says who may leave now, and in which order.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use chassis::Clock;
use domain::{channel::ChannelType, guard::Precedence};

use crate::{
    accounts::{Accounts, Means, Way},
    breaker::Breaker,
    pool::Pool,
    rates::{AccountRate, Monotonic, RepeatBudget, TargetRates},
    send::Attempt,
};

/// Slow attempts of one pool, which no longer count among those in flight.
const SLOW_MAX: usize = 4_096;
/// Slow retries.
const SLOW_RETRIES_MAX: usize = 1_024;

/// Whose first attempts have places of their own; retries have theirs (`None`).
const RANKS: [Option<Precedence>; 7] = [
    Some(Precedence::SuspectCorrected),
    Some(Precedence::Corrected),
    Some(Precedence::LifeThreatening),
    Some(Precedence::Urgent),
    Some(Precedence::Ordinary),
    Some(Precedence::News),
    None,
];

/// What all channels of one account share.
pub(crate) struct Account {
    pub(crate) rate: AccountRate,
    pub(crate) breaker: Breaker,
    pub(crate) repeats: RepeatBudget,
}

/// One channel of one account.
pub(crate) struct Outlet {
    pub(crate) way: Way,
    pub(crate) account: Arc<Account>,
    pub(crate) targets: TargetRates,
    pools: BTreeMap<Option<Precedence>, Pool<Attempt>>,
    /// Where a rank is missing from [`RANKS`].
    rest: Pool<Attempt>,
}

impl Outlet {
    /// The pool of first attempts of this precedence, or of retries.
    pub(crate) fn pool(&self, rank: Option<Precedence>) -> &Pool<Attempt> {
        self.pools.get(&rank).unwrap_or(&self.rest)
    }

    /// How much waits here.
    pub(crate) fn waiting(&self) -> usize {
        self.pools.values().chain([&self.rest]).map(Pool::waiting).sum()
    }
}

/// All outlets of this process.
pub(crate) struct Outlets(HashMap<Means, Arc<Outlet>>);

impl Outlets {
    pub(crate) fn new(accounts: &Accounts, in_flight_max: usize, clock: &Arc<dyn Clock>) -> Self {
        let clock = Monotonic::new(clock);
        let mut shared: HashMap<Arc<str>, Arc<Account>> = HashMap::new();
        let mut outlets = HashMap::new();
        for way in accounts.ways() {
            let caps = way.channel.caps();
            let account = || {
                let per_minute = way.terms.per_minute.or(caps.per_minute);
                Arc::new(Account {
                    rate: AccountRate::new(per_minute, &clock),
                    breaker: Breaker::default(),
                    repeats: RepeatBudget::new(&clock),
                })
            };
            let account =
                Arc::clone(shared.entry(Arc::clone(&way.account)).or_insert_with(account));
            let pool = |rank: Option<Precedence>| match rank {
                Some(_) => Pool::new(in_flight_max, SLOW_MAX),
                None => Pool::new(in_flight_max / 2 + 1, SLOW_RETRIES_MAX),
            };
            let outlet = Outlet {
                way: way.clone(),
                account,
                targets: TargetRates::new(caps.per_minute_a_target, &clock),
                pools: RANKS.map(|rank| (rank, pool(rank))).into(),
                rest: pool(None),
            };
            outlets.insert(way.means(), Arc::new(outlet));
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
        self.0.get(&(Arc::from(account), channel_type, via))
    }

    /// All of them, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Outlet>> {
        self.0.values()
    }
}
