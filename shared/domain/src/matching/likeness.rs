//! How alike two alerts are: place, time, sex and age, each with its reason.
//!
//! An aspect that contradicts ends the comparison; one that is unknown counts half.
//! Speeds after `search-distances` §4; the weights are assumptions, and only order proposals.

use crate::{
    alert::{AlertFacts, MilliPoint},
    ids::Millis,
    reach::Borders,
    sentence::Sentence,
    values::{AlertKind, Sex, Travel},
};

const HOUR_MS: i64 = 3_600_000;
/// Somebody may be found so long before they were said to be last seen: watches and memories
/// differ.
pub const FOUND_BEFORE_LOST_MS_MAX: i64 = HOUR_MS;
/// However slow somebody is, this far from where they were last seen is compatible: a finder
/// brings them to the next commune's office.
pub const FOUND_DISTANCE_M_MIN: u64 = 10_000;
/// Two alerts of one incident say places at most so far apart,
pub const SAME_PLACE_M_MAX: u64 = 3_000;
/// and times at most so far apart.
pub const SAME_TIME_MS_MAX: i64 = 3 * HOUR_MS;
/// Ages may differ by so much: whoever finds somebody guesses.
pub const AGE_APART_YEARS_MAX: u8 = 2;
/// Closer than this is as good as the same place.
const CLOSE_M: u64 = 1_000;
/// Found within this time is as good as at once.
const SOON_MS: i64 = 24 * HOUR_MS;
/// Of a thousand; also what an unknown aspect counts.
const HALF: u32 = 500;
const WHOLE: u32 = 1_000;

/// How alike two alerts are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Likeness {
    /// 0 to 1,000; it orders proposals and is no probability.
    pub score_per_mille: u32,
    /// Why, in a fixed order: place, time, sex, age.
    pub reasons: Vec<Reason>,
}

/// Why two alerts are thought alike, or what is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Both places are known.
    Apart {
        /// How far they lie apart.
        distance_m: u64,
        /// How far they may.
        distance_m_max: u64,
    },
    /// A place is unknown; both alerts are of one commune.
    SameCommune,
    /// A place is unknown; the communes share a border.
    BorderingCommunes,
    /// Both times are known.
    Later {
        /// From the earlier to the later.
        minutes: u64,
    },
    /// A time is unknown.
    TimeUnknown,
    /// Both say the same sex.
    SameSex,
    /// A sex is unknown.
    SexUnknown,
    /// Both ages are known.
    AgesApart {
        /// By so much.
        years: u8,
    },
    /// An age is unknown.
    AgeUnknown,
}

impl Reason {
    /// The reason's word in the interface.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apart { .. } => "apart",
            Self::SameCommune => "same-commune",
            Self::BorderingCommunes => "bordering-communes",
            Self::Later { .. } => "later",
            Self::TimeUnknown => "time-unknown",
            Self::SameSex => "same-sex",
            Self::SexUnknown => "sex-unknown",
            Self::AgesApart { .. } => "ages-apart",
            Self::AgeUnknown => "age-unknown",
        }
    }

    /// The reason as people read it.
    #[must_use]
    pub fn sentence(self) -> Sentence {
        match self {
            Self::Apart { distance_m, distance_m_max } => Sentence::of(
                format!("cách nhau {distance_m} m (có thể tới {distance_m_max} m)"),
                format!("{distance_m} m apart (up to {distance_m_max} m is possible)"),
            ),
            Self::SameCommune => Sentence::of("cùng một xã", "the same commune"),
            Self::BorderingCommunes => Sentence::of("hai xã giáp nhau", "bordering communes"),
            Self::Later { minutes } => Sentence::of(
                format!("cách nhau {minutes} phút"),
                format!("{minutes} minutes apart"),
            ),
            Self::TimeUnknown => Sentence::of("chưa rõ thời gian", "the time is not known"),
            Self::SameSex => Sentence::of("cùng giới tính", "the same sex"),
            Self::SexUnknown => Sentence::of("chưa rõ giới tính", "the sex is not known"),
            Self::AgesApart { years } => Sentence::of(
                format!("tuổi chênh nhau {years} năm"),
                format!("ages {years} years apart"),
            ),
            Self::AgeUnknown => Sentence::of("chưa rõ tuổi", "the age is not known"),
        }
    }
}

/// One aspect: what it counts, of a thousand, and why. `None` where it contradicts.
type Aspect = Option<(u32, Reason)>;

/// Whether what `missing` misses may be what `found` has found.
#[must_use]
pub fn found_again(
    missing: &AlertFacts,
    found: &AlertFacts,
    borders: &dyn Borders,
) -> Option<Likeness> {
    // Reported comes after seen. Of a finding it is still an upper bound; of a loss it would
    // exclude whoever was found before the family called.
    let lost_at = missing.last_seen.and_then(|seen| seen.at);
    let found_at = found.last_seen.and_then(|seen| seen.at).or(found.reported_at);
    let elapsed_ms = match (lost_at, found_at) {
        (Some(lost), Some(found)) => Some(found.0.saturating_sub(lost.0)),
        _ => None,
    };
    let farthest_m = farthest_m(missing, elapsed_ms);
    let place = place(missing, found, farthest_m, borders)?;
    let time = time_to_find(elapsed_ms)?;
    described(place, time, missing, found)
}

/// Whether both alerts speak of one incident. Only those of two communes: within one, its
/// officers see both.
#[must_use]
pub fn same_incident(
    one: &AlertFacts,
    other: &AlertFacts,
    borders: &dyn Borders,
) -> Option<Likeness> {
    if one.home.commune == other.home.commune {
        return None;
    }
    let at = |facts: &AlertFacts| facts.last_seen.and_then(|seen| seen.at).or(facts.reported_at);
    let place = place(one, other, SAME_PLACE_M_MAX, borders)?;
    let time = same_time(at(one), at(other))?;
    described(place, time, one, other)
}

/// Sums up; a person is described by sex and age, a thing or a danger by place and time alone.
fn described(
    place: (u32, Reason),
    time: (u32, Reason),
    one: &AlertFacts,
    other: &AlertFacts,
) -> Option<Likeness> {
    let weighed: Vec<(u32, (u32, Reason))> = if is_person(one.kind) {
        vec![(400, place), (200, time), (200, sex(one, other)?), (200, age(one, other)?)]
    } else {
        vec![(600, place), (400, time)]
    };
    let score_per_mille = weighed.iter().map(|(weight, (share, _))| weight * share / WHOLE).sum();
    let reasons = weighed.into_iter().map(|(_, (_, reason))| reason).collect();
    Some(Likeness { score_per_mille, reasons })
}

fn is_person(kind: AlertKind) -> bool {
    matches!(
        kind,
        AlertKind::LostChild
            | AlertKind::FoundChild
            | AlertKind::MissingPerson
            | AlertKind::FoundPerson
            | AlertKind::Suspect
    )
}

fn place(one: &AlertFacts, other: &AlertFacts, limit_m: u64, borders: &dyn Borders) -> Aspect {
    let point = |facts: &AlertFacts| facts.last_seen.and_then(|seen| seen.point);
    if let (Some(from), Some(to)) = (point(one), point(other)) {
        let distance_m = distance_m(from, to);
        let reason = Reason::Apart { distance_m, distance_m_max: limit_m };
        return (distance_m <= limit_m).then(|| (nearness(distance_m, limit_m), reason));
    }
    let (here, there) = (one.home.commune, other.home.commune);
    if here == there {
        Some((HALF, Reason::SameCommune))
    } else if borders.neighbours(here).contains(&there) || borders.neighbours(there).contains(&here)
    {
        Some((HALF / 2, Reason::BorderingCommunes))
    } else {
        None
    }
}

/// The whole within [`CLOSE_M`], falling evenly to nothing at the limit.
fn nearness(distance_m: u64, limit_m: u64) -> u32 {
    let beyond_m = distance_m.saturating_sub(CLOSE_M);
    let range_m = limit_m.saturating_sub(CLOSE_M).max(1);
    let left_m = range_m.saturating_sub(beyond_m);
    u32::try_from(u128::from(left_m) * u128::from(WHOLE) / u128::from(range_m)).unwrap_or(WHOLE)
}

/// How far from where they were last seen somebody may be found. Where the time is unknown, a day
/// is assumed.
fn farthest_m(missing: &AlertFacts, elapsed_ms: Option<i64>) -> u64 {
    let elapsed_ms = elapsed_ms.unwrap_or(SOON_MS).max(0);
    let moving_ms = u64::try_from(elapsed_ms.saturating_add(FOUND_BEFORE_LOST_MS_MAX)).unwrap_or(0);
    let hour_ms = u64::try_from(HOUR_MS).unwrap_or(1);
    let moved_m = speed_m_per_h(missing).saturating_mul(moving_ms) / hour_ms;
    moved_m.max(FOUND_DISTANCE_M_MIN)
}

/// Whoever is said to walk may be driven; the floor bears that for the first hours. What nobody
/// knows, and a thing, may go by motorbike.
fn speed_m_per_h(missing: &AlertFacts) -> u64 {
    let age = missing.person.and_then(|person| person.age_years);
    match missing.travel.unwrap_or(Travel::Unknown) {
        Travel::OnFoot if age.is_some_and(|years| years <= 6) => 2_000,
        Travel::OnFoot => 4_000,
        Travel::Bicycle => 12_000,
        Travel::Motorbike | Travel::Car | Travel::Unknown => 40_000,
        Travel::PublicTransport => 60_000,
    }
}

fn time_to_find(elapsed_ms: Option<i64>) -> Aspect {
    let Some(elapsed_ms) = elapsed_ms else { return Some((HALF, Reason::TimeUnknown)) };
    if elapsed_ms < -FOUND_BEFORE_LOST_MS_MAX {
        return None;
    }
    let share = if elapsed_ms <= SOON_MS {
        WHOLE
    } else {
        u32::try_from(i64::from(WHOLE) * SOON_MS / elapsed_ms).unwrap_or(0)
    };
    Some((share, Reason::Later { minutes: minutes(elapsed_ms) }))
}

fn same_time(one: Option<Millis>, other: Option<Millis>) -> Aspect {
    let (Some(one), Some(other)) = (one, other) else {
        return Some((HALF, Reason::TimeUnknown));
    };
    let apart_ms = one.0.saturating_sub(other.0).saturating_abs();
    if apart_ms > SAME_TIME_MS_MAX {
        return None;
    }
    let share = u32::try_from(i64::from(WHOLE) * (SAME_TIME_MS_MAX - apart_ms) / SAME_TIME_MS_MAX);
    Some((share.unwrap_or(0), Reason::Later { minutes: minutes(apart_ms) }))
}

fn minutes(ms: i64) -> u64 {
    ms.unsigned_abs() / 60_000
}

fn sex(one: &AlertFacts, other: &AlertFacts) -> Aspect {
    let known = |facts: &AlertFacts| {
        facts.person.and_then(|person| person.sex).filter(|sex| *sex != Sex::Unknown)
    };
    match (known(one), known(other)) {
        (Some(one), Some(other)) => (one == other).then_some((WHOLE, Reason::SameSex)),
        _ => Some((HALF, Reason::SexUnknown)),
    }
}

fn age(one: &AlertFacts, other: &AlertFacts) -> Aspect {
    let (a, b) = (ages(one), ages(other));
    let years = a.0.saturating_sub(b.1).max(b.0.saturating_sub(a.1));
    if years > AGE_APART_YEARS_MAX {
        return None;
    }
    if a.0 != a.1 || b.0 != b.1 {
        return Some((HALF, Reason::AgeUnknown));
    }
    Some((WHOLE - u32::from(years) * HALF / 2, Reason::AgesApart { years }))
}

/// The youngest and the oldest that the person may be. Without an age, the kind bounds it.
fn ages(facts: &AlertFacts) -> (u8, u8) {
    match (facts.person.and_then(|person| person.age_years), facts.kind) {
        (Some(years), _) => (years, years),
        (None, AlertKind::LostChild | AlertKind::FoundChild) => (0, 17),
        (None, AlertKind::MissingPerson | AlertKind::FoundPerson) => (14, u8::MAX),
        (None, _) => (0, u8::MAX),
    }
}

/// The distance between two points, in metres: right to one in a thousand within Viet Nam. The
/// cosine is Bhaskara's, so that it is the same on every machine.
#[must_use]
pub fn distance_m(from: MilliPoint, to: MilliPoint) -> u64 {
    /// Metres in a degree of latitude, on a sphere of 6,371,008.8 m.
    const DEGREE_M: i64 = 111_195;
    /// 180° squared, in thousandths of a degree.
    const HALF_TURN_SQUARED: i64 = 32_400_000_000;
    const MILLION: i64 = 1_000_000;
    let lat = |point: MilliPoint| i64::from(point.lat_millideg.clamp(-90_000, 90_000));
    let lon = |point: MilliPoint| i64::from(point.lon_millideg.clamp(-180_000, 180_000));
    let middle = i64::midpoint(lat(from), lat(to));
    let squared = middle * middle;
    let cosine_ppm = (HALF_TURN_SQUARED - 4 * squared) * MILLION / (HALF_TURN_SQUARED + squared);
    let north_m = (lat(to) - lat(from)) * DEGREE_M / 1_000;
    let east_m = (lon(to) - lon(from)) * DEGREE_M / 1_000 * cosine_ppm / MILLION;
    (north_m * north_m + east_m * east_m).unsigned_abs().isqrt()
}
