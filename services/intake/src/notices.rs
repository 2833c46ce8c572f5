//! Notices: what has changed, for whom, in the order of the log; the source of the live stream.
//!
//! A notice's id is the log's own positions, so that it is valid at every intake and after a
//! restart.

use std::{
    collections::VecDeque,
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::ids::{AlertId, CommuneCode, EntityName, Home};
use event_log::{At, Class};
use tokio::sync::broadcast;

/// Notices kept for whoever comes back; who was away for longer is shown how things stand.
const KEPT_MAX: usize = 16_384;
/// Notices that a stream may be behind; one that is further behind begins anew.
const BEHIND_MAX: usize = 8_192;

/// How far a stream has come: the last position seen of each class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    pub(crate) alert: u64,
    pub(crate) delivery: u64,
    pub(crate) receipt: u64,
}

impl Seen {
    fn of(&self, class: Class) -> u64 {
        match class {
            Class::Delivery => self.delivery,
            Class::Receipt => self.receipt,
            _ => self.alert,
        }
    }

    /// Whether this notice has been seen.
    pub(crate) fn has(&self, at: At) -> bool {
        at.position <= self.of(at.class)
    }

    /// This notice has been seen now.
    pub(crate) fn take(&mut self, at: At) {
        let place = match at.class {
            Class::Delivery => &mut self.delivery,
            Class::Receipt => &mut self.receipt,
            _ => &mut self.alert,
        };
        *place = (*place).max(at.position);
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}-{:x}", self.alert, self.delivery, self.receipt)
    }
}

impl FromStr for Seen {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('-').map(|part| u64::from_str_radix(part, 16));
        let mut next = || parts.next().and_then(Result::ok).ok_or(());
        let seen = Self { alert: next()?, delivery: next()?, receipt: next()? };
        if parts.next().is_none() { Ok(seen) } else { Err(()) }
    }
}

/// One thing that has changed.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    /// The record that changed it; shown only once that is durable.
    pub(crate) at: At,
    pub(crate) alert: AlertId,
    /// What; it concerns the issuing commune, and those that this names.
    pub(crate) what: What,
}

/// What has changed.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// The alert itself; concerns everybody it was put to.
    Alert,
    /// A commune answered, or did not; concerns the issuing commune and that one.
    Answer(Home),
    /// Deliveries of one commune; concerns the issuing commune and that one.
    Delivery(Home),
    /// Whether two alerts speak of the same; concerns the communes that issued them.
    Match(EntityName, [Home; 2]),
}

impl What {
    /// The commune concerned beside the issuing one; `None` for all that the alert was put to.
    pub(crate) fn commune(&self) -> Option<CommuneCode> {
        match self {
            Self::Alert | Self::Match(..) => None,
            Self::Answer(home) | Self::Delivery(home) => Some(home.commune),
        }
    }
}

/// Tells what has changed.
#[derive(Default)]
pub(crate) struct Notices(Mutex<Kept>);

struct Kept {
    live: broadcast::Sender<Arc<Notice>>,
    notices: VecDeque<Arc<Notice>>,
    /// What was let go of.
    before: Seen,
    /// How far the notices have come.
    now: Seen,
}

/// What a stream begins with.
pub(crate) struct Since {
    /// What was missed, in order; `None` where too much was: then the stream shows how things
    /// stand.
    pub(crate) missed: Option<Vec<Arc<Notice>>>,
    /// What comes.
    pub(crate) live: broadcast::Receiver<Arc<Notice>>,
    /// How far the notices have come.
    pub(crate) now: Seen,
}

impl Default for Kept {
    fn default() -> Self {
        let live = broadcast::Sender::new(BEHIND_MAX);
        Self { live, notices: VecDeque::new(), before: Seen::default(), now: Seen::default() }
    }
}

impl Notices {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that something has changed; what was said before changes nothing.
    pub(crate) fn tell(&self, notice: Notice) {
        let mut kept = self.lock();
        if kept.now.has(notice.at) {
            return;
        }
        kept.now.take(notice.at);
        let notice = Arc::new(notice);
        kept.notices.push_back(Arc::clone(&notice));
        if kept.notices.len() > KEPT_MAX
            && let Some(gone) = kept.notices.pop_front()
        {
            kept.before.take(gone.at);
        }
        // Nobody may be listening.
        let _ = kept.live.send(notice);
    }

    /// What has changed since, and what will.
    pub(crate) fn since(&self, seen: Option<Seen>) -> Since {
        let kept = self.lock();
        let (live, now) = (kept.live.subscribe(), kept.now);
        let Some(seen) = seen else { return Since { missed: Some(vec![]), live, now } };
        let complete = seen.alert >= kept.before.alert
            && seen.delivery >= kept.before.delivery
            && seen.receipt >= kept.before.receipt
            // An id of another log, or of one that has lost its tail.
            && seen.alert <= now.alert
            && seen.delivery <= now.delivery
            && seen.receipt <= now.receipt;
        let missed = complete
            .then(|| kept.notices.iter().filter(|notice| !seen.has(notice.at)).cloned().collect());
        Since { missed, live, now }
    }

    /// Whether the notices have come as far as a stream had.
    pub(crate) fn have_come_to(&self, seen: Seen) -> bool {
        let now = self.lock().now;
        seen.alert <= now.alert && seen.delivery <= now.delivery && seen.receipt <= now.receipt
    }

    /// Forgets what was kept: the log turned out to be another one, or to have lost its tail.
    /// Streams under way end, and are to begin anew.
    pub(crate) fn clear(&self) {
        *self.lock() = Kept::default();
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::RecordId;

    use super::*;

    fn notice(class: Class, position: u64) -> Notice {
        let id = RecordId::of_purpose("x");
        Notice { at: At { class, position, id }, alert: AlertId::raised_by(id), what: What::Alert }
    }

    #[test]
    fn an_id_comes_back_as_it_was() {
        let seen = Seen { alert: 255, delivery: 0, receipt: 9 };
        assert_eq!(seen.to_string(), "ff-0-9");
        assert_eq!("ff-0-9".parse(), Ok(seen));
        for wrong in ["", "1-2", "1-2-3-4", "x-1-2", "-1-2"] {
            assert_eq!(wrong.parse::<Seen>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn who_comes_back_gets_exactly_what_was_missed() {
        let notices = Notices::default();
        for (class, position) in
            [(Class::Alert, 1), (Class::Delivery, 2), (Class::Receipt, 3), (Class::Alert, 4)]
        {
            notices.tell(notice(class, position));
        }
        let seen = Seen { alert: 1, delivery: 2, receipt: 0 };
        let positions = |since: Since| {
            since.missed.map(|missed| missed.iter().map(|n| n.at.position).collect::<Vec<_>>())
        };
        assert_eq!(positions(notices.since(Some(seen))), Some(vec![3, 4]));
        assert_eq!(positions(notices.since(None)), Some(vec![]));
        let ahead = Seen { alert: 99, delivery: 2, receipt: 0 };
        assert_eq!(positions(notices.since(Some(ahead))), None);
        for position in 5..=5 + KEPT_MAX as u64 {
            notices.tell(notice(Class::Alert, position));
        }
        assert_eq!(positions(notices.since(Some(seen))), None);
    }
}
