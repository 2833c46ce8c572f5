//! The reach at an instant: who is in by now, by which figures, and who comes next and when.
//!
//! Each commune has a moment from which on it is in, which does not depend on the present: so a
//! reach only grows, and the next step is read off, not searched for second by second.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    ids::{CommuneCode, Home, Millis},
    reach::{
        Borders, CommuneReached, NoReach, ReachReason, ReachRequest,
        corridors::{Corridors, Station},
        distance::Plane,
        growth::{Bounds, Grown, Measured, grown},
        reach,
        subject::{Course, Mode, Subject},
        table::{Category, TABLE_VERSION, Terrain},
    },
};

/// The rule that made a reach, as its figures name it.
pub const RULE: &str = "reach/v1";

/// Whether a reach grows over the border of the own province.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum ProvinceLine {
    /// It does.
    #[default]
    Cross,
    /// It ends there.
    Stop,
}

impl ProvinceLine {
    /// The word in figures.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cross => "cross",
            Self::Stop => "stop",
        }
    }
}

/// By what a reach grows: speeds, delays and limits. The defaults are the reference's; all but
/// the motor's speed are assumptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How long a relay takes to be heard.
    pub relay_delay_ms: u32,
    /// A child up to six, on foot; metres an hour.
    pub small_child_m_h: u32,
    /// Everybody else on foot.
    pub walker_m_h: u32,
    /// On a bicycle.
    pub bicycle_m_h: u32,
    /// On a motorbike or in a car.
    pub motor_m_h: u32,
    /// How far a bicycle is followed: two hours.
    pub bicycle_reach_m_max: u32,
    /// How far a motor vehicle is followed: one hour, about 50 communes.
    pub motor_reach_m_max: u32,
    /// How many borders away a disc ends, whatever its size: small wards are many.
    pub rings_max: u32,
    /// How far from the point somebody may get on.
    pub boarding_m_max: u32,
    /// For how long somebody on a train is followed: twelve hours.
    pub corridor_minutes_max: u32,
    /// Whether it crosses the line of the own province. What an officer asks for by name is not
    /// bound by it.
    pub province_line: ProvinceLine,
    /// While a second person's review is owed: no further than the bordering communes, whatever
    /// was asked for.
    pub is_bordering_only: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            relay_delay_ms: 300_000,
            small_child_m_h: 2_000,
            walker_m_h: 4_000,
            bicycle_m_h: 12_000,
            motor_m_h: 40_000,
            bicycle_reach_m_max: 24_000,
            motor_reach_m_max: 40_000,
            rings_max: 16,
            boarding_m_max: 5_000,
            corridor_minutes_max: 720,
            province_line: ProvinceLine::Cross,
            is_bordering_only: false,
        }
    }
}

/// What a reach stands on.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// Who borders whom, and where each commune lies.
    pub map: &'a dyn Borders,
    /// Stations and rides.
    pub corridors: &'a Corridors,
    /// Speeds and limits.
    pub terms: &'a Terms,
}

/// By what a growing reach came about: the assumption that its event records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// [`RULE`].
    pub rule: &'static str,
    /// [`TABLE_VERSION`].
    pub table: &'static str,
    /// Who is looked for.
    pub category: Category,
    /// Whose row of the table was used.
    pub row: Category,
    /// Over which ground.
    pub terrain: Terrain,
    /// How it grows.
    pub mode: Mode,
    /// Metres an hour.
    pub speed_m_h: u32,
    /// From when.
    pub t0: Millis,
    /// When it was reckoned.
    pub now: Millis,
    /// How long a relay takes to be heard.
    pub relay_delay_ms: u32,
    /// The 95 % ring of the row.
    pub r95_m: u32,
    /// How far somebody may be.
    pub reach_m: u32,
    /// The limit of that.
    pub reach_m_max: u32,
    /// What distances were measured to.
    pub measured: Measured,
    /// Whether it crosses the line of the province.
    pub province_line: ProvinceLine,
    /// Whether it was kept to the bordering communes.
    pub is_bordering_only: bool,
    /// Whether minutes of a ride that counted are an assumption.
    pub is_ride_assumed: bool,
}

/// The next time that a reach grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextStep {
    /// When. Before that nothing comes in.
    pub at: Millis,
    /// How far somebody may be then.
    pub reach_m: u32,
    /// What comes in: at least one commune.
    pub communes: Vec<CommuneReached>,
}

/// A reach at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The own commune first, then by ring and code; stations after all others.
    pub communes: Vec<CommuneReached>,
    /// By what; `None` where an officer chose.
    pub figures: Option<Figures>,
    /// What comes; `None` at the limit, and where an officer chose.
    pub next: Option<NextStep>,
}

/// The communes that an alert is put to at `now`, by which figures, and what comes next.
///
/// # Errors
/// [`NoReach`]: the request does not fit the map or the limits.
pub fn reach_at(
    subject: &Subject,
    request: &ReachRequest,
    ground: &Ground<'_>,
    now: Millis,
) -> Result<Reached, NoReach> {
    let own = ground.map.home(subject.own).ok_or(NoReach::UnknownCommune)?;
    let bounds = Bounds { own, ground };
    match request {
        ReachRequest::Auto => Ok(automatic(subject, &bounds, now)),
        _ => fixed(request, &bounds),
    }
}

/// What is in `reached` and was not put to before. Nothing is ever taken out: who was told stays
/// told until the end.
#[must_use]
pub fn additions(
    already: impl IntoIterator<Item = CommuneCode>,
    reached: &[CommuneReached],
) -> Vec<CommuneReached> {
    let already: BTreeSet<CommuneCode> = already.into_iter().collect();
    reached.iter().filter(|entered| !already.contains(&entered.home.commune)).copied().collect()
}

fn fixed(request: &ReachRequest, bounds: &Bounds<'_>) -> Result<Reached, NoReach> {
    let is_bordering_only = bounds.ground.terms.is_bordering_only;
    let chosen = reach(bounds.own.commune, request, bounds.ground.map)?;
    let communes = chosen
        .into_iter()
        .filter(|chosen| !is_bordering_only || bounds.is_near(chosen.home.commune))
        .collect();
    Ok(Reached { communes, figures: None, next: None })
}

/// A commune and from when on it is in; `None` is from the beginning.
type Entries = BTreeMap<CommuneCode, (CommuneReached, Option<Millis>)>;

fn automatic(subject: &Subject, bounds: &Bounds<'_>, now: Millis) -> Reached {
    let (map, terms) = (bounds.ground.map, bounds.ground.terms);
    let point = subject.point();
    let place = bounds.elsewhere(point).unwrap_or(bounds.own.commune);
    let terrain = subject.terrain.unwrap_or_else(|| Terrain::of_commune(map.is_urban(place)));
    let course = Course::of(subject, terrain, terms);
    let (disc, measured) = grown(bounds, point, course.max_m);
    let mut entries: Entries = disc
        .into_iter()
        .filter_map(|grown| {
            let at = match grown.size_m {
                0 => None,
                size_m => Some(course.reaches_at(size_m)?),
            };
            Some((grown.home.commune, (entered(grown, bounds.own), at)))
        })
        .collect();
    let is_ride_assumed = subject.may_ride() && ride(subject, bounds, now, &mut entries);
    let category = subject.category();
    let figures = Figures {
        rule: RULE,
        table: TABLE_VERSION,
        category,
        row: category.row(),
        terrain,
        mode: course.mode,
        speed_m_h: course.speed_m_h,
        t0: course.since,
        now,
        relay_delay_ms: course.relay_delay_ms,
        r95_m: course.r95_m,
        reach_m: course.reach_m(now),
        reach_m_max: course.max_m,
        measured,
        province_line: terms.province_line,
        is_bordering_only: terms.is_bordering_only,
        is_ride_assumed,
    };
    let next = next(&entries, &course, now);
    let communes = sorted(&entries, |at| at.is_none_or(|at| at <= now));
    Reached { communes, figures: Some(figures), next }
}

fn entered(grown: Grown, own: Home) -> CommuneReached {
    let Grown { home, ring, size_m } = grown;
    let reason = match (ring, size_m) {
        _ if home == own => ReachReason::Own,
        (1, 0) => ReachReason::Border,
        _ => ReachReason::Distance,
    };
    CommuneReached { home, reason, ring }
}

/// Adds the stations ahead, each from the earliest arrival on; a commune that the disc takes in
/// no later keeps its reason. Says whether one that is in by now stands on an assumed ride.
fn ride(subject: &Subject, bounds: &Bounds<'_>, now: Millis, entries: &mut Entries) -> bool {
    let (map, terms) = (bounds.ground.map, bounds.ground.terms);
    let point = subject.point();
    let plane = point.map(Plane::around);
    let place = bounds.elsewhere(point);
    let gets_on = |station: &Station| {
        bounds.is_near(station.commune)
            || place == Some(station.commune)
            || plane.is_some_and(|plane| plane.to_point_m(station.point) <= terms.boarding_m_max)
    };
    let mut is_assumed = false;
    for arrival in bounds.ground.corridors.ahead(gets_on, terms.corridor_minutes_max) {
        let Some(home) = map.home(arrival.commune).filter(|home| bounds.allow(*home)) else {
            continue;
        };
        let at = subject
            .since()
            .plus_ms(i64::from(arrival.minutes) * 60_000)
            .plus_ms(-i64::from(terms.relay_delay_ms));
        let known = entries.get(&arrival.commune);
        // `None` is from the beginning, and earlier than every moment.
        if known.is_some_and(|(_, known_at)| *known_at <= Some(at)) {
            continue;
        }
        let ring = known.map_or(0, |(entered, _)| entered.ring);
        let entered = CommuneReached { home, reason: ReachReason::Corridor, ring };
        entries.insert(arrival.commune, (entered, Some(at)));
        is_assumed |= arrival.is_assumed && at <= now;
    }
    is_assumed
}

fn next(entries: &Entries, course: &Course, now: Millis) -> Option<NextStep> {
    let moments = entries.values().filter_map(|(_, at)| *at);
    let at = moments.filter(|at| *at > now).min()?;
    let communes = sorted(entries, |entry_at| entry_at == Some(at));
    Some(NextStep { at, reach_m: course.reach_m(at), communes })
}

fn sorted(entries: &Entries, is_wanted: impl Fn(Option<Millis>) -> bool) -> Vec<CommuneReached> {
    let wanted = entries.values().filter(|(_, at)| is_wanted(*at));
    let mut communes: Vec<CommuneReached> = wanted.map(|(entered, _)| *entered).collect();
    let rank = |reason: ReachReason| match reason {
        ReachReason::Own => 0,
        ReachReason::Corridor => 2,
        _ => 1,
    };
    communes.sort_by_key(|entered| (rank(entered.reason), entered.ring, entered.home.commune));
    communes
}
