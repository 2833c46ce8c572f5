//! Who or what is looked for, and how far they may be by now: mode, speed, time and limit.

use crate::{
    alert::{AlertFacts, LastSeen, MilliPoint},
    ids::{CommuneCode, Millis},
    reach::{
        Terms,
        table::{Category, Terrain, rings},
    },
    values::{AlertKind, Travel},
};

/// What reach looks at of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The commune that raised it.
    pub own: CommuneCode,
    /// What it is about.
    pub kind: AlertKind,
    /// The person's age in years.
    pub age_years: Option<u8>,
    /// What more is known of the person than the age; wins over it.
    pub category: Option<Category>,
    /// The ground, where an officer knows it; wins over what the map says.
    pub terrain: Option<Terrain>,
    /// How somebody may be moving.
    pub travel: Option<Travel>,
    /// Where and when last seen: the newest sighting, which replaces the earlier ones.
    pub last_seen: Option<LastSeen>,
    /// When the first word of it came.
    pub reported_at: Option<Millis>,
    /// When it was raised.
    pub raised_at: Millis,
}

impl Subject {
    /// What the facts of an alert say, with nothing known beyond them.
    #[must_use]
    pub fn of(facts: &AlertFacts, raised_at: Millis) -> Self {
        Self {
            own: facts.home.commune,
            kind: facts.kind,
            age_years: facts.person.and_then(|person| person.age_years),
            category: None,
            terrain: None,
            travel: facts.travel,
            last_seen: facts.last_seen,
            reported_at: facts.reported_at,
            raised_at,
        }
    }

    /// Whether somebody may be going further away while time passes. Who was found, a thing, a
    /// warning and a notice stay where they are.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        use AlertKind::{LostChild, MissingPerson, Suspect};
        matches!(self.kind, LostChild | MissingPerson | Suspect)
    }

    /// Whether somebody may be on a train, a coach or a ferry. What an officer left blank is not
    /// taken for a journey; `unknown` is what was said.
    #[must_use]
    pub fn may_ride(&self) -> bool {
        self.is_moving() && matches!(self.travel, Some(Travel::PublicTransport | Travel::Unknown))
    }

    /// Where somebody who moves was last seen.
    #[must_use]
    pub fn point(&self) -> Option<MilliPoint> {
        self.last_seen.and_then(|seen| seen.point).filter(|_| self.is_moving())
    }

    /// Since when somebody may have been moving: last seen, or else the first word of it, or else
    /// the raising.
    #[must_use]
    pub fn since(&self) -> Millis {
        let seen_at = self.last_seen.and_then(|seen| seen.at);
        seen_at.or(self.reported_at).unwrap_or(self.raised_at)
    }

    /// The category that is known, or that of the age. A child of unknown age counts as one of
    /// ten to twelve, whose rings are the widest of a child's on flat ground and in towns (A).
    #[must_use]
    pub fn category(&self) -> Category {
        let of_kind = match self.kind {
            AlertKind::LostChild => Category::Child10To12,
            _ => Category::Adult,
        };
        self.category.or_else(|| self.age_years.map(Category::of_age)).unwrap_or(of_kind)
    }

    /// How far it is reckoned. Whoever may be going in any way is reckoned on foot, for a reach
    /// begins narrow; whoever was taken away, by motor.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match self.travel {
            _ if !self.is_moving() => Mode::Still,
            Some(Travel::PublicTransport) => Mode::Corridor,
            _ if self.category() == Category::Abduction => Mode::Motor,
            Some(Travel::Motorbike | Travel::Car) => Mode::Motor,
            Some(Travel::Bicycle) => Mode::Bicycle,
            Some(Travel::OnFoot | Travel::Unknown) | None => Mode::Foot,
        }
    }
}

/// How a reach grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// At a walk, up to the 95 % ring.
    Foot,
    /// On a bicycle.
    Bicycle,
    /// On a motorbike or in a car.
    Motor,
    /// From station to station, and in no disc.
    Corridor,
    /// Not at all.
    Still,
}

impl Mode {
    /// The mode's word in figures.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Foot => "foot",
            Self::Bicycle => "bicycle",
            Self::Motor => "motor",
            Self::Corridor => "corridor",
            Self::Still => "still",
        }
    }
}

/// The course of a disc: its size at each moment, and the moment of each size.
///
/// For all sizes up to `max_m`: `reach_m(now) >= size` exactly from `reaches_at(size)` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
    /// How it grows.
    pub mode: Mode,
    /// Metres an hour; 0 where there is no disc.
    pub speed_m_h: u32,
    /// From when.
    pub since: Millis,
    /// How long a relay takes to be heard; somebody is that much further by then.
    pub relay_delay_ms: u32,
    /// The limit.
    pub max_m: u32,
    /// The 95 % ring of the category and the terrain, whether or not it is the limit.
    pub r95_m: u32,
}

const HOUR_MS: i128 = 3_600_000;

impl Course {
    /// The course of a subject on this terrain.
    #[must_use]
    pub fn of(subject: &Subject, terrain: Terrain, terms: &Terms) -> Self {
        let (category, mode) = (subject.category(), subject.mode());
        let r95_m = rings(category, terrain).r95_m;
        let is_small = subject.age_years.map_or_else(
            || matches!(category, Category::Child1To3 | Category::Child4To6),
            |age_years| age_years <= 6,
        );
        let (speed_m_h, max_m) = match mode {
            Mode::Foot if is_small => (terms.small_child_m_h, r95_m),
            Mode::Foot => (terms.walker_m_h, r95_m),
            Mode::Bicycle => (terms.bicycle_m_h, terms.bicycle_reach_m_max),
            Mode::Motor => (terms.motor_m_h, terms.motor_reach_m_max),
            Mode::Corridor | Mode::Still => (0, 0),
        };
        let (since, relay_delay_ms) = (subject.since(), terms.relay_delay_ms);
        Self { mode, speed_m_h, since, relay_delay_ms, max_m, r95_m }
    }

    /// How far somebody may be when what is sent now is heard; whole metres, rounded down.
    #[must_use]
    pub fn reach_m(&self, now: Millis) -> u32 {
        let passed_ms =
            i128::from(now.0) - i128::from(self.since.0) + i128::from(self.relay_delay_ms);
        let metres = i128::from(self.speed_m_h) * passed_ms.max(0) / HOUR_MS;
        u32::try_from(metres).unwrap_or(u32::MAX).min(self.max_m)
    }

    /// From when on the reach has this size; `None` where it never has.
    #[must_use]
    pub fn reaches_at(&self, size_m: u32) -> Option<Millis> {
        if size_m > self.max_m || self.speed_m_h == 0 {
            return None;
        }
        let speed = i128::from(self.speed_m_h);
        let needed_ms = (i128::from(size_m) * HOUR_MS + speed - 1) / speed;
        let at = i128::from(self.since.0) - i128::from(self.relay_delay_ms) + needed_ms;
        i64::try_from(at).ok().map(Millis)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const T0: Millis = Millis(1_772_433_000_000);

    fn subject(kind: AlertKind, age_years: Option<u8>, travel: Option<Travel>) -> Subject {
        Subject {
            own: "25126".parse().unwrap(),
            kind,
            age_years,
            category: None,
            terrain: None,
            travel,
            last_seen: Some(LastSeen { at: Some(T0), point: None }),
            reported_at: None,
            raised_at: T0,
        }
    }

    fn course(subject: &Subject, terrain: Terrain) -> Course {
        Course::of(subject, terrain, &Terms::default())
    }

    fn after_min(minutes: i64) -> Millis {
        T0.plus_ms(minutes * 60_000)
    }

    /// Section 6 of the reference: seen 13:30, now 14:15, a relay takes 5 minutes.
    #[test]
    fn the_logged_example_comes_out() {
        let child = subject(AlertKind::LostChild, Some(8), Some(Travel::OnFoot));
        let course = course(&child, Terrain::Urban);
        assert_eq!((course.speed_m_h, course.relay_delay_ms), (4_000, 300_000));
        assert_eq!((course.reach_m(after_min(45)), course.r95_m), (3_333, 5_100));
    }

    #[test]
    fn each_way_to_go_has_its_mode_and_limit() {
        use AlertKind::{FoundChild, LostChild, MissingPerson, Notice, Suspect};
        for (kind, age, travel, mode, speed, max_m) in [
            (LostChild, Some(4), Some(Travel::OnFoot), Mode::Foot, 2_000, 3_400),
            (LostChild, Some(2), None, Mode::Foot, 2_000, 1_100),
            (LostChild, Some(7), None, Mode::Foot, 4_000, 5_100),
            (LostChild, None, None, Mode::Foot, 4_000, 5_800),
            (MissingPerson, None, Some(Travel::Unknown), Mode::Foot, 4_000, 10_000),
            (MissingPerson, Some(70), Some(Travel::Bicycle), Mode::Bicycle, 12_000, 24_000),
            (Suspect, None, Some(Travel::Motorbike), Mode::Motor, 40_000, 40_000),
            (LostChild, Some(9), Some(Travel::Car), Mode::Motor, 40_000, 40_000),
            (LostChild, Some(16), Some(Travel::PublicTransport), Mode::Corridor, 0, 0),
            (FoundChild, Some(4), Some(Travel::Car), Mode::Still, 0, 0),
            (Notice, None, None, Mode::Still, 0, 0),
        ] {
            let course = course(&subject(kind, age, travel), Terrain::Urban);
            let found = (course.mode, course.speed_m_h, course.max_m);
            assert_eq!(found, (mode, speed, max_m), "{kind:?} {age:?} {travel:?}");
        }
    }

    #[test]
    fn who_was_taken_away_goes_by_motor() {
        let mut child = subject(AlertKind::LostChild, Some(5), Some(Travel::OnFoot));
        child.category = Some(Category::Abduction);
        let course = course(&child, Terrain::TemperateFlat);
        // The 95 % ring of abductions stands in the figures, and is not the limit.
        assert_eq!((course.mode, course.r95_m, course.max_m), (Mode::Motor, 19_300, 40_000));
    }

    /// 15, 30 and 60 minutes of a motor vehicle are 10, 20 and 40 km, the relay's delay included.
    #[test]
    fn a_motor_goes_ten_twenty_forty_kilometres() {
        let course =
            course(&subject(AlertKind::Suspect, None, Some(Travel::Car)), Terrain::TemperateFlat);
        for (minutes, metres) in [(15, 10_000), (30, 20_000), (60, 40_000), (600, 40_000)] {
            assert_eq!(course.reach_m(after_min(minutes - 5)), metres, "{minutes}");
        }
    }

    #[test]
    fn on_foot_a_day_later_the_ring_is_the_limit_and_in_a_car_it_is_not() {
        let on = |travel| {
            let course =
                course(&subject(AlertKind::LostChild, Some(4), Some(travel)), Terrain::Urban);
            (course.reach_m(after_min(24 * 60)), course.r95_m)
        };
        assert_eq!(on(Travel::OnFoot), (3_400, 3_400));
        assert_eq!(on(Travel::Car), (40_000, 3_400));
    }

    #[test]
    fn the_clock_starts_at_the_best_known_time() {
        let mut child = subject(AlertKind::LostChild, Some(4), None);
        child.raised_at = Millis(3);
        assert_eq!(child.since(), T0);
        child.last_seen = Some(LastSeen { at: None, point: None });
        assert_eq!(child.since(), Millis(3));
        child.reported_at = Some(Millis(2));
        assert_eq!(child.since(), Millis(2));
    }

    proptest! {
        #[test]
        fn a_size_is_reached_at_its_moment_and_not_before(
            speed_m_h in 1u32..200_000,
            since in -1_000_000_000_000i64..4_000_000_000_000,
            relay_delay_ms in 0u32..3_600_000,
            max_m in 0u32..200_000,
            size_m in 1u32..200_000,
        ) {
            let mode = Mode::Motor;
            let since = Millis(since);
            let course = Course { mode, speed_m_h, since, relay_delay_ms, max_m, r95_m: 0 };
            match course.reaches_at(size_m) {
                None => prop_assert!(size_m > max_m),
                Some(at) => {
                    prop_assert!(course.reach_m(at) >= size_m);
                    prop_assert!(course.reach_m(at.plus_ms(-1)) < size_m);
                }
            }
        }

        #[test]
        fn a_course_grows_and_keeps_its_limit(
            speed_m_h: u32, since: i64, relay_delay_ms: u32, max_m: u32, now: i64, later: u32,
        ) {
            let mode = Mode::Foot;
            let since = Millis(since);
            let course = Course { mode, speed_m_h, since, relay_delay_ms, max_m, r95_m: 0 };
            let first = course.reach_m(Millis(now));
            let second = course.reach_m(Millis(now).plus_ms(i64::from(later)));
            prop_assert!(first <= second && second <= max_m);
        }
    }
}
