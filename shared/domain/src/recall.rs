//! Recall: everything that one officer or one commune raised since a time, to be cancelled at
//! once. It selects only; each cancel is a command of its own, and each is decided as any other.

use crate::{
    alert::Closing,
    freeze::Frozen,
    ids::{AlertId, Home, Millis},
};

/// An alert, as far as recalling needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raised<'a> {
    /// Which.
    pub alert: AlertId,
    /// The officer who raised it.
    pub by: &'a str,
    /// The issuing commune.
    pub home: Home,
    /// When it was raised, as recorded.
    pub raised_at: Millis,
    /// How it ended, if it has.
    pub closed: Option<Closing>,
}

/// What is to be cancelled, the newest first: it has told the fewest, and stops soonest. An
/// expired one too, for who was told believes it still; one that was cancelled or resolved has
/// told its end already.
#[must_use]
pub fn recall<'a>(
    raised: impl IntoIterator<Item = Raised<'a>>,
    of: &Frozen,
    since: Millis,
) -> Vec<AlertId> {
    let is_meant = |one: &Raised<'a>| {
        let is_of = match of {
            Frozen::Officer(officer) => one.by == officer.as_str(),
            Frozen::Commune(commune) => one.home.commune == *commune,
        };
        is_of && one.raised_at >= since && matches!(one.closed, None | Some(Closing::Expired))
    };
    let mut meant: Vec<_> = raised.into_iter().filter(is_meant).collect();
    meant.sort_by_key(|one| (std::cmp::Reverse(one.raised_at), one.alert));
    meant.dedup_by_key(|one| one.alert);
    meant.into_iter().map(|one| one.alert).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::RecordId;

    fn alert(name: &str) -> AlertId {
        AlertId::raised_by(RecordId::of_purpose(name))
    }

    #[test]
    fn everything_that_can_still_be_cancelled_is_recalled_the_newest_first() {
        let home = |commune: &str| Home {
            province: "68".parse().unwrap(),
            commune: commune.parse().unwrap(),
        };
        let raised: Vec<_> = [
            ("before", "x", "25126", 9, None),
            ("first", "x", "25126", 10, None),
            ("of-another", "an", "25126", 11, None),
            ("elsewhere", "x", "25135", 12, None),
            ("cancelled", "x", "25126", 13, Some(Closing::Cancelled)),
            ("resolved", "x", "25126", 14, Some(Closing::Resolved)),
            ("expired", "x", "25126", 15, Some(Closing::Expired)),
        ]
        .into_iter()
        .map(|(name, by, commune, at, closed)| Raised {
            alert: alert(name),
            by,
            home: home(commune),
            raised_at: Millis(at),
            closed,
        })
        .collect();
        let officer = Frozen::Officer("x".parse().unwrap());
        let commune = Frozen::Commune("25126".parse().unwrap());
        for (of, since, names) in [
            (&officer, 10, &["expired", "elsewhere", "first"][..]),
            (&officer, 0, &["expired", "elsewhere", "first", "before"]),
            (&commune, 10, &["expired", "of-another", "first"]),
            (&officer, 16, &[]),
        ] {
            let recalled: Vec<_> = names.iter().map(|name| alert(name)).collect();
            assert_eq!(recall(raised.iter().copied(), of, Millis(since)), recalled, "{names:?}");
        }
    }
}
