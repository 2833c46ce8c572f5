//! The fatigue budget: how often a group was told of late, before it is told again (R16).
//!
//! It counts and shows, and what exceeds the budget is recorded; a life-threatening kind is
//! never held by it. What is fed to it counts: new alerts, once for a group.

use std::collections::BTreeMap;

use crate::{
    ids::{AlertId, GroupId, Millis},
    sentence::Sentence,
    values::AlertKind,
};

/// The shorter window, for "the third tonight".
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// The window of the budget.
const WEEK_MS: i64 = 7 * DAY_MS;
/// Alerts remembered of one group; a count that has come so far stands for "so many or more".
pub const REMEMBERED_PER_GROUP_MAX: usize = 64;

/// How many alerts a group may be told of before the officer is warned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FatigueBudget {
    /// In 24 hours.
    pub alerts_per_day_max: u32,
    /// In seven days.
    pub alerts_per_week_max: u32,
}

impl Default for FatigueBudget {
    /// Three a day, seven a week. Ours; no source has a figure.
    fn default() -> Self {
        Self { alerts_per_day_max: 3, alerts_per_week_max: 7 }
    }
}

/// Which alerts each audience was told of in the last week: groups that are told of the same. Of
/// one audience at most [`REMEMBERED_PER_GROUP_MAX`], and none that is over a week older than its
/// newest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told<A>(BTreeMap<A, Vec<(Millis, AlertId)>>);

impl<A> Default for Told<A> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// How many alerts, the proposed one not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Count {
    /// In the 24 hours before.
    pub in_day: u32,
    /// In the seven days before.
    pub in_week: u32,
}

/// What a proposed alert would do to the groups in its reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fatigue {
    /// Groups that would be told.
    pub groups: u32,
    /// Of these, the ones for which it would be more than the budget has.
    pub over: Vec<GroupId>,
    /// For the group that was told most often: the how many-eth alert in 24 hours, and in seven
    /// days, this would be. 1 where nobody was told of any; 0 where there is no group.
    pub highest: Count,
    /// What was compared with.
    pub budget: FatigueBudget,
}

/// By how much a budget was exceeded, as it is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Exceeded {
    /// Groups that are told.
    pub groups: u32,
    /// Those for which it is more than the budget has.
    pub groups_over: u32,
    /// For the group that is told most often, this alert counted.
    pub highest: Count,
    /// What was compared with.
    pub budget: FatigueBudget,
}

impl<A: Ord> Told<A> {
    /// An audience was told of a new alert. Again, or in another order, changes nothing.
    pub fn note(&mut self, audience: A, alert: AlertId, at: Millis) {
        let told = self.0.entry(audience).or_default();
        if told.iter().any(|(_, before)| *before == alert) {
            return;
        }
        let place = told.partition_point(|before| *before <= (at, alert));
        told.insert(place, (at, alert));
        let newest = told.last().map_or(at, |(newest, _)| *newest);
        let is_old = |(at, _): &(Millis, AlertId)| newest.since_ms(*at) >= WEEK_MS.unsigned_abs();
        let old = told.iter().take_while(|before| is_old(before)).count();
        let over = told.len().saturating_sub(REMEMBERED_PER_GROUP_MAX);
        told.drain(..old.max(over));
    }

    /// How often an audience was told of late. What lies after `now` counts: a clock that was set
    /// back gives no new budget.
    #[must_use]
    pub fn count(&self, audience: &A, now: Millis) -> Count {
        self.0.get(audience).map_or_else(Count::default, |told| Count::of(told, now))
    }

    /// What one more alert would be for these groups, each with the audience that it is of.
    #[must_use]
    pub fn fatigue<'a>(
        &self,
        groups: impl IntoIterator<Item = (A, &'a GroupId)>,
        budget: FatigueBudget,
        now: Millis,
    ) -> Fatigue {
        let counts: BTreeMap<&A, Count> =
            self.0.iter().map(|(audience, told)| (audience, Count::of(told, now))).collect();
        let mut fatigue = Fatigue { groups: 0, over: vec![], highest: Count::default(), budget };
        for (audience, group) in groups {
            let before = counts.get(&audience).copied().unwrap_or_default();
            let with = Count { in_day: before.in_day + 1, in_week: before.in_week + 1 };
            fatigue.groups = fatigue.groups.saturating_add(1);
            fatigue.highest.in_day = fatigue.highest.in_day.max(with.in_day);
            fatigue.highest.in_week = fatigue.highest.in_week.max(with.in_week);
            if with.in_day > budget.alerts_per_day_max || with.in_week > budget.alerts_per_week_max
            {
                fatigue.over.push(group.clone());
            }
        }
        fatigue
    }
}

impl Count {
    fn of(told: &[(Millis, AlertId)], now: Millis) -> Self {
        let within = |window_ms: i64| {
            let is_within =
                |(at, _): &&(Millis, AlertId)| now.since_ms(*at) < window_ms.unsigned_abs();
            u32::try_from(told.iter().filter(is_within).count()).unwrap_or(u32::MAX)
        };
        Self { in_day: within(DAY_MS), in_week: within(WEEK_MS) }
    }
}

impl Fatigue {
    /// What is recorded of it; `None` where no group is over its budget.
    #[must_use]
    pub fn exceeded(&self) -> Option<Exceeded> {
        let Self { groups, over, highest, budget } = self;
        let groups_over = u32::try_from(over.len()).unwrap_or(u32::MAX);
        let (groups, highest, budget) = (*groups, *highest, *budget);
        (groups_over > 0).then_some(Exceeded { groups, groups_over, highest, budget })
    }

    /// Whether the officer must say "send it all the same": some group is over its budget, and no
    /// life hangs on it. It is shown and recorded in either case.
    #[must_use]
    pub fn holds(&self, kind: AlertKind) -> bool {
        !self.over.is_empty() && !kind.life_threatening()
    }

    /// What the officer reads before sending.
    #[must_use]
    pub fn told(&self) -> Sentence {
        let Count { in_day, in_week } = self.highest;
        let (groups, over) = (self.groups, self.over.len());
        Sentence::of(
            format!(
                "{groups} nhóm; có nhóm nhận tin thứ {in_day} trong 24 giờ, thứ {in_week} trong \
                 7 ngày; {over} nhóm vượt mức"
            ),
            format!(
                "{groups} groups; for one it is number {in_day} in 24 hours, number {in_week} in \
                 7 days; {over} over the budget"
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::RecordId;

    const HOUR_MS: i64 = 3_600_000;

    fn alert(n: i64) -> AlertId {
        AlertId::raised_by(RecordId::of_purpose(&n.to_string()))
    }

    fn group(name: &str) -> GroupId {
        name.parse().unwrap()
    }

    /// Alerts so many hours after the beginning.
    fn told(hours: &[(&str, i64)]) -> Told<GroupId> {
        let mut told = Told::default();
        for (n, (name, hour)) in (0..).zip(hours) {
            told.note(group(name), alert(n), Millis(hour * HOUR_MS));
        }
        told
    }

    /// Each group as an audience of its own.
    fn each(groups: &[GroupId]) -> impl Iterator<Item = (GroupId, &GroupId)> {
        groups.iter().map(|group| (group.clone(), group))
    }

    #[test]
    fn what_would_be_too_much_is_counted_with_the_proposed_one() {
        let usual = FatigueBudget::default();
        let now = Millis(200 * HOUR_MS);
        for (given, groups, over, highest) in [
            (&[][..], &[][..], 0, (0, 0)),
            (&[], &["a", "b"], 0, (1, 1)),
            (&[("a", 199), ("a", 198)], &["a", "b"], 0, (3, 3)),
            (&[("a", 199), ("a", 198), ("a", 177)], &["a", "b"], 1, (4, 4)),
            // A day ago to the hour is not of this day.
            (&[("a", 199), ("a", 198), ("a", 176)], &["a"], 0, (3, 4)),
            (
                &[("a", 40), ("a", 50), ("a", 60), ("a", 70), ("a", 80), ("a", 90)],
                &["a"],
                0,
                (1, 7),
            ),
            (
                &[("a", 33), ("a", 50), ("a", 60), ("a", 70), ("a", 80), ("a", 90), ("a", 99)],
                &["a"],
                1,
                (1, 8),
            ),
            // Those of other groups are not counted.
            (&[("c", 199), ("c", 199), ("c", 199)], &["a"], 0, (1, 1)),
        ] {
            let groups: Vec<_> = groups.iter().map(|name| group(name)).collect();
            let fatigue = told(given).fatigue(each(&groups), usual, now);
            let (in_day, in_week) = highest;
            assert_eq!(fatigue.highest, Count { in_day, in_week }, "{given:?}");
            assert_eq!(fatigue.over.len(), over, "{given:?}");
            assert_eq!(fatigue.groups as usize, groups.len());
            for kind in AlertKind::ALL.iter().copied() {
                let held = over > 0 && !kind.life_threatening();
                assert_eq!(fatigue.holds(kind), held, "{kind:?}");
            }
        }
    }

    #[test]
    fn the_officer_reads_how_many_and_which_number_it_is() {
        let given = told(&[("a", 1), ("a", 2)]);
        let groups = [group("a"), group("b")];
        let fatigue = given.fatigue(
            each(&groups),
            FatigueBudget { alerts_per_day_max: 2, alerts_per_week_max: 9 },
            Millis(3 * HOUR_MS),
        );
        let told = fatigue.told().to_string();
        assert!(told.starts_with("2 nhóm; có nhóm nhận tin thứ 3 trong 24 giờ"), "{told}");
        assert!(told.contains("1 nhóm vượt mức / 2 groups; for one it is number 3"), "{told}");
    }

    #[test]
    fn a_clock_that_is_set_back_gives_no_new_budget() {
        let given = told(&[("a", 100), ("a", 101)]);
        let count = given.count(&group("a"), Millis(50 * HOUR_MS));
        assert_eq!(count, Count { in_day: 2, in_week: 2 });
    }

    proptest! {
        /// Against the plain count over everything that ever happened.
        #[test]
        fn what_is_remembered_counts_as_if_nothing_was_forgotten(
            events in proptest::collection::vec((0i64..40, 0i64..1_000), 0..60),
            after in 0i64..300,
        ) {
            let name = group("a");
            let mut told = Told::default();
            let mut all = BTreeMap::new();
            let mut newest = 0;
            for (n, hour) in events {
                all.entry(n).or_insert(hour);
                newest = newest.max(hour);
                told.note(name.clone(), alert(n), Millis(hour * HOUR_MS));
            }
            // An alert that was forgotten may come again; a log has each once.
            prop_assume!(all.len() <= REMEMBERED_PER_GROUP_MAX);
            let now = newest + after;
            let count = told.count(&name, Millis(now * HOUR_MS));
            let within = |hours: i64| all.values().filter(|hour| now - **hour < hours).count();
            prop_assert!(count.in_day as usize <= REMEMBERED_PER_GROUP_MAX);
            prop_assert!(count.in_day <= count.in_week);
            prop_assert!(count.in_week as usize >= within(7 * 24));
            prop_assert!(count.in_day as usize >= within(24));
        }

        #[test]
        fn the_order_and_repeats_change_nothing(
            mut hours in proptest::collection::vec(0i64..400, 0..30),
            rotate in 0usize..30,
        ) {
            hours.sort_unstable();
            let events: Vec<_> = (0..).zip(hours).collect();
            let mut other = events.clone();
            other.rotate_left(rotate.min(events.len()));
            let of = |events: &[(i64, i64)]| {
                let mut told = Told::default();
                for (n, hour) in events.iter().chain(events) {
                    told.note(group("a"), alert(*n), Millis(hour * HOUR_MS));
                }
                told.count(&group("a"), Millis(400 * HOUR_MS))
            };
            prop_assert_eq!(of(&events), of(&other));
        }
    }
}
