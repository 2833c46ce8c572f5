//! The growing reach: given a map, a subject and a time, then these communes. The maps are grids
//! of square communes, so that each distance can be reckoned by heart.

use proptest::prelude::*;

use super::{
    corridors::{Corridors, Station, tests::station},
    distance::Plane,
    table::{Category, Terrain},
    *,
};
use crate::{
    alert::LastSeen,
    ids::Millis,
    values::{AlertKind, Travel},
};

const T0: Millis = Millis(1_772_433_000_000);
/// The south-west corner of the grid.
const CORNER: (i32, i32) = (11_000, 107_000);

/// Square communes of `side_millideg`, `width` in a row, numbered row by row from 1 at the
/// south-west. Those east of `line` belong to another province.
struct Grid {
    width: usize,
    height: usize,
    side_millideg: i32,
    has_outlines: bool,
    line: usize,
    urban: bool,
    neighbours: Vec<Vec<CommuneCode>>,
}

fn code(number: usize) -> CommuneCode {
    format!("{number:05}").parse().unwrap()
}

fn number(code: CommuneCode) -> usize {
    code.as_str().parse().unwrap()
}

impl Grid {
    fn of(width: usize, height: usize, side_millideg: i32, has_outlines: bool) -> Self {
        let around = |place: usize| {
            let (x, y) = (place % width, place / width);
            let mut around = Vec::new();
            around.extend((y > 0).then(|| code(place + 1 - width)));
            around.extend((x > 0).then(|| code(place)));
            around.extend((x + 1 < width).then(|| code(place + 2)));
            around.extend((y + 1 < height).then(|| code(place + 1 + width)));
            around
        };
        let neighbours = (0..width * height).map(around).collect();
        Self { width, height, side_millideg, has_outlines, line: width, urban: false, neighbours }
    }

    fn place(&self, commune: CommuneCode) -> Option<usize> {
        number(commune).checked_sub(1).filter(|place| *place < self.neighbours.len())
    }

    /// South, west, north and east of a commune; thousandths of a degree.
    fn sides(&self, place: usize) -> [i32; 4] {
        let at = |steps: usize| i32::try_from(steps).unwrap() * self.side_millideg;
        let (south, west) = (CORNER.0 + at(place / self.width), CORNER.1 + at(place % self.width));
        [south, west, south + self.side_millideg, west + self.side_millideg]
    }

    /// The middle of a commune.
    fn middle(&self, number: usize) -> MilliPoint {
        let [south, west, ..] = self.sides(number - 1);
        let half = self.side_millideg / 2;
        MilliPoint { lat_millideg: south + half, lon_millideg: west + half }
    }
}

impl Borders for Grid {
    fn home(&self, commune: CommuneCode) -> Option<Home> {
        let place = self.place(commune)?;
        let province = if place % self.width < self.line { "68" } else { "75" };
        Some(Home { province: province.parse().unwrap(), commune })
    }
    fn neighbours(&self, commune: CommuneCode) -> &[CommuneCode] {
        self.place(commune).map_or(&[], |place| &self.neighbours[place])
    }
    fn of_province(&self, province: ProvinceCode) -> Vec<CommuneCode> {
        let all = (1..=self.neighbours.len()).map(code);
        all.filter(|code| self.home(*code).unwrap().province == province).collect()
    }
    fn distance_m(&self, from: MilliPoint, to: CommuneCode) -> Option<DistanceM> {
        let plane = Plane::around(from);
        if !self.has_outlines {
            return Some(DistanceM::Centroid(plane.to_point_m(self.middle(number(to)))));
        }
        let [south, west, north, east] = self.sides(self.place(to)?);
        let nearest = MilliPoint {
            lat_millideg: from.lat_millideg.clamp(south, north),
            lon_millideg: from.lon_millideg.clamp(west, east),
        };
        Some(DistanceM::Border(plane.to_point_m(nearest)))
    }
    fn located(&self, point: MilliPoint) -> Option<Located> {
        let step = |from: i32, corner: i32, most: usize| {
            let steps = (from - corner).div_euclid(self.side_millideg);
            usize::try_from(steps).unwrap_or(0).min(most - 1)
        };
        let x = step(point.lon_millideg, CORNER.1, self.width);
        let y = step(point.lat_millideg, CORNER.0, self.height);
        let commune = code(y * self.width + x + 1);
        Some(if self.has_outlines { Located::Inside(commune) } else { Located::Nearest(commune) })
    }
    fn is_urban(&self, _: CommuneCode) -> bool {
        self.urban
    }
}

/// Somebody last seen at T0 in the middle of the commune of this number, raised there.
fn subject(map: &Grid, own: usize, kind: AlertKind, travel: Travel) -> Subject {
    Subject {
        own: code(own),
        kind,
        age_years: None,
        category: None,
        terrain: None,
        travel: Some(travel),
        last_seen: Some(LastSeen { at: Some(T0), point: Some(map.middle(own)) }),
        reported_at: None,
        raised_at: T0,
    }
}

fn auto(subject: &Subject, map: &dyn Borders, terms: Terms, minutes: i64) -> Reached {
    along(subject, map, &Corridors::default(), terms, T0.plus_ms(minutes * 60_000))
}

fn along(
    subject: &Subject,
    map: &dyn Borders,
    corridors: &Corridors,
    terms: Terms,
    now: Millis,
) -> Reached {
    let ground = Ground { map, corridors, terms: &terms };
    reach_at(subject, &ReachRequest::Auto, &ground, now).unwrap()
}

fn numbers(communes: &[CommuneReached]) -> Vec<usize> {
    communes.iter().map(|entered| number(entered.home.commune)).collect()
}

fn reasons(communes: &[CommuneReached]) -> Vec<(usize, &'static str, u32)> {
    let told = |c: &CommuneReached| (number(c.home.commune), c.reason.as_str(), c.ring);
    communes.iter().map(told).collect()
}

/// A grid of 5 × 5; 13 is in the middle, 8, 12, 14 and 18 border it. A side of 60 thousandths is
/// 6.7 km to the north and 6.5 km to the east.
#[test]
fn a_child_of_four_is_looked_for_narrowly_and_the_ring_is_the_end() {
    let mut map = Grid::of(5, 5, 60, true);
    map.urban = true;
    let mut child = subject(&map, 13, AlertKind::LostChild, Travel::OnFoot);
    child.age_years = Some(4);
    let start = auto(&child, &map, Terms::default(), 10);
    assert_eq!(reasons(&start.communes), [(13, "own", 0)]);
    let figures = start.figures.unwrap();
    assert_eq!((figures.category, figures.terrain), (Category::Child4To6, Terrain::Urban));
    assert_eq!((figures.reach_m, figures.reach_m_max), (500, 3_400));
    assert_eq!((figures.rule, figures.table), ("reach/v1", "koester2008/1"));
    assert_eq!(figures.measured, Measured::Border);
    // 3.3 km to the north and the south, 3.26 km to the east and the west: at 2 km/h some 98
    // minutes, 5 of them the relay's.
    let step = start.next.unwrap();
    assert_eq!(numbers(&step.communes), [12, 14]);
    assert_eq!(step.at.since_ms(T0) / 60_000, 93);
    let ring = auto(&child, &map, Terms::default(), 24 * 60);
    let all = [(13, "own", 0), (8, "distance", 1), (12, "distance", 1), (14, "distance", 1)];
    assert_eq!(reasons(&ring.communes)[..4], all);
    assert_eq!((ring.communes.len(), ring.next), (5, None));
}

#[test]
fn a_child_of_nine_in_the_country_reaches_the_first_ring() {
    let map = Grid::of(5, 5, 90, true);
    let mut child = subject(&map, 13, AlertKind::LostChild, Travel::OnFoot);
    child.age_years = Some(9);
    let end = auto(&child, &map, Terms::default(), 24 * 60);
    assert_eq!(numbers(&end.communes), [13, 8, 12, 14, 18, 7, 9, 17, 19]);
    assert_eq!(end.figures.unwrap().r95_m, 8_000);
}

/// Ten, twenty and forty kilometres after 15, 30 and 60 minutes, the relay's 5 included.
#[test]
fn a_motorbike_is_followed_ring_by_ring() {
    let map = Grid::of(9, 9, 100, true);
    let suspect = subject(&map, 41, AlertKind::Suspect, Travel::Motorbike);
    let at = |minutes| auto(&suspect, &map, Terms::default(), minutes).communes;
    for (minutes, furthest_ring, count) in [(0, 0, 1), (10, 2, 9), (25, 3, 21), (55, 6, 61)] {
        let communes = at(minutes);
        let ring = communes.iter().map(|c| c.ring).max();
        assert_eq!((ring, communes.len()), (Some(furthest_ring), count), "{minutes}");
    }
    assert_eq!(at(10_000), at(55), "an hour of driving is the limit");
}

#[test]
fn who_stands_at_the_border_is_told_of_at_once_on_the_other_side() {
    let map = Grid::of(5, 5, 60, true);
    let mut child = subject(&map, 13, AlertKind::LostChild, Travel::OnFoot);
    let mut point = map.middle(13);
    // 25 thousandths east of the middle: 545 m from 14.
    point.lon_millideg += 25;
    child.last_seen = Some(LastSeen { at: Some(T0), point: Some(point) });
    let start = auto(&child, &map, Terms::default(), -60);
    assert_eq!(reasons(&start.communes), [(13, "own", 0), (14, "border", 1)]);
}

#[test]
fn without_outlines_all_that_borders_is_in_and_distance_only_adds() {
    let map = Grid::of(5, 5, 60, false);
    let mut child = subject(&map, 13, AlertKind::LostChild, Travel::OnFoot);
    child.age_years = Some(9);
    let start = auto(&child, &map, Terms::default(), 0);
    let ring =
        [(13, "own", 0), (8, "border", 1), (12, "border", 1), (14, "border", 1), (18, "border", 1)];
    assert_eq!(reasons(&start.communes), ring);
    assert_eq!(start.figures.unwrap().measured, Measured::Centroid);
    // 8 km of the ring: no further centre lies within it.
    assert_eq!(start.next, None);
    child.travel = Some(Travel::Bicycle);
    let hour = auto(&child, &map, Terms::default(), 55);
    assert_eq!(numbers(&hour.communes), [13, 8, 12, 14, 18, 7, 9, 17, 19]);
}

#[test]
fn what_stays_where_it_is_has_its_ring_and_does_not_grow() {
    use AlertKind::{FoundChild, FoundProperty, Hazard, LostProperty, Notice, ScamWarning};
    for kind in [FoundChild, FoundProperty, Hazard, LostProperty, Notice, ScamWarning] {
        for has_outlines in [false, true] {
            let map = Grid::of(5, 5, 60, has_outlines);
            let still = subject(&map, 13, kind, Travel::Motorbike);
            let reached = auto(&still, &map, Terms::default(), 10_000);
            assert_eq!(numbers(&reached.communes), [13, 8, 12, 14, 18], "{kind:?}");
            assert_eq!(reached.next, None);
            assert_eq!(reached.figures.unwrap().measured, Measured::None);
        }
    }
}

#[test]
fn without_a_point_what_borders_is_in_and_nothing_grows() {
    let map = Grid::of(5, 5, 60, true);
    let mut child = subject(&map, 13, AlertKind::LostChild, Travel::Car);
    child.last_seen = None;
    let reached = auto(&child, &map, Terms::default(), 600);
    assert_eq!(numbers(&reached.communes), [13, 8, 12, 14, 18]);
    assert_eq!((reached.figures.unwrap().measured, reached.next), (Measured::None, None));
}

#[test]
fn a_sighting_moves_the_reach_and_starts_its_clock_again() {
    for has_outlines in [true, false] {
        let map = Grid::of(9, 9, 60, has_outlines);
        let mut child = subject(&map, 1, AlertKind::LostChild, Travel::OnFoot);
        child.age_years = Some(4);
        let before = auto(&child, &map, Terms::default(), 60);
        let seen_at = T0.plus_ms(3_600_000);
        child.last_seen = Some(LastSeen { at: Some(seen_at), point: Some(map.middle(61)) });
        let after = auto(&child, &map, Terms::default(), 60);
        let figures = after.figures.unwrap();
        assert_eq!((figures.t0, figures.reach_m), (seen_at, 166));
        let told = numbers(&after.communes);
        assert!(told.contains(&1) && told.contains(&61), "{told:?}");
        let already = before.communes.iter().map(|entered| entered.home.commune);
        let added = numbers(&additions(already, &after.communes));
        // Without outlines the centre may deceive: what borders the place is told as well.
        assert_eq!(added, if has_outlines { vec![61] } else { vec![52, 60, 61, 62, 70] });
    }
}

#[test]
fn the_line_of_the_province_and_an_owed_review_are_limits() {
    let mut map = Grid::of(9, 9, 60, true);
    map.line = 5;
    let suspect = subject(&map, 41, AlertKind::Suspect, Travel::Car);
    let free = auto(&suspect, &map, Terms::default(), 600);
    let stop = Terms { province_line: ProvinceLine::Stop, ..Terms::default() };
    let stopped = auto(&suspect, &map, stop, 600);
    assert!(free.communes.iter().any(|c| c.home.province.as_str() == "75"));
    assert!(stopped.communes.iter().all(|c| c.home.province.as_str() == "68"));
    let owed = Terms { is_bordering_only: true, ..Terms::default() };
    let kept = auto(&suspect, &map, owed, 600);
    assert_eq!(numbers(&kept.communes), [41, 32, 40, 42, 50]);
    assert_eq!(kept.next, None);
    assert!(kept.figures.unwrap().is_bordering_only);
}

/// Nine in a row, raised in the first, seen in the eighth behind the line: the fifth is nearest,
/// but nothing leads there before the second is in.
#[test]
fn a_commune_comes_in_only_over_one_that_is_in() {
    let mut map = Grid::of(9, 1, 20, true);
    map.line = 5;
    let mut suspect = subject(&map, 8, AlertKind::Suspect, Travel::Car);
    suspect.own = code(1);
    let stop = Terms { province_line: ProvinceLine::Stop, ..Terms::default() };
    let start = auto(&suspect, &map, stop, 10);
    assert_eq!((numbers(&start.communes), start.figures.unwrap().reach_m), (vec![1], 10_000));
    let step = start.next.unwrap();
    assert_eq!(numbers(&step.communes), [2, 3, 4, 5]);
    assert_eq!(auto(&suspect, &map, stop, 600).communes.len(), 5);
}

#[test]
fn small_communes_end_by_rings() {
    let map = Grid::of(9, 9, 20, true);
    let suspect = subject(&map, 41, AlertKind::Suspect, Travel::Car);
    for (rings_max, count) in [(0, 1), (1, 5), (2, 13), (16, 81)] {
        let terms = Terms { rings_max, ..Terms::default() };
        assert_eq!(auto(&suspect, &map, terms, 600).communes.len(), count, "{rings_max}");
    }
}

#[test]
fn what_an_officer_chose_does_not_grow() {
    let map = Grid::of(9, 9, 60, true);
    let suspect = subject(&map, 41, AlertKind::Suspect, Travel::Car);
    let corridors = Corridors::default();
    let given = |request: &ReachRequest, terms: Terms| {
        let ground = Ground { map: &map, corridors: &corridors, terms: &terms };
        reach_at(&suspect, request, &ground, T0)
    };
    let owed = Terms { is_bordering_only: true, ..Terms::default() };
    for (request, count, owed_count) in [
        (ReachRequest::Rings(0), 1, 1),
        (ReachRequest::Rings(2), 13, 5),
        (ReachRequest::Communes(vec![code(1), code(42)]), 3, 2),
        (ReachRequest::Province, 81, 5),
    ] {
        let reached = given(&request, Terms::default()).unwrap();
        let as_today = reach(code(41), &request, &map).unwrap();
        assert!(reached.communes.iter().map(|c| c.home).eq(as_today.iter().map(|c| c.home)));
        assert_eq!((reached.communes.len(), reached.figures, reached.next), (count, None, None));
        assert_eq!(given(&request, owed).unwrap().communes.len(), owed_count, "{request:?}");
    }
    let unknown = given(&ReachRequest::Communes(vec![code(999)]), Terms::default());
    assert_eq!(unknown, Err(NoReach::UnknownNamed(code(999))));
}

/// Stations in the communes 14 (bordering 13), 20, 25 and 5; rides of 30, 60 and 45 minutes.
fn line(map: &Grid) -> Corridors {
    let stations = [(14, vec![(20, 30), (5, 45)]), (20, vec![(25, 60)]), (25, vec![]), (5, vec![])];
    let stations = stations
        .into_iter()
        .map(|(at, onward)| Station { point: map.middle(at), ..station(at, &onward) });
    Corridors::new(stations.collect()).unwrap()
}

#[test]
fn on_a_train_the_stations_ahead_are_told_and_no_disc() {
    let map = Grid::of(5, 5, 60, true);
    let rider = subject(&map, 13, AlertKind::MissingPerson, Travel::PublicTransport);
    let at = |minutes: i64| {
        along(&rider, &map, &line(&map), Terms::default(), T0.plus_ms(minutes * 60_000))
    };
    let start = at(0);
    assert_eq!(reasons(&start.communes), [(13, "own", 0), (14, "corridor", 0)]);
    // 30 minutes of riding, less the 5 that a relay takes.
    let step = start.next.unwrap();
    assert_eq!((step.at, numbers(&step.communes)), (T0.plus_ms(25 * 60_000), vec![20]));
    assert_eq!(numbers(&at(24).communes), [13, 14]);
    assert_eq!(numbers(&at(25).communes), [13, 14, 20]);
    assert_eq!(numbers(&at(85).communes), [13, 5, 14, 20, 25]);
    assert_eq!(at(85).next, None);
    assert!(!at(85).figures.unwrap().is_ride_assumed);
}

#[test]
fn who_may_go_in_any_way_has_a_disc_and_a_corridor() {
    let map = Grid::of(5, 5, 60, false);
    let mut child = subject(&map, 13, AlertKind::LostChild, Travel::Unknown);
    let now = T0.plus_ms(40 * 60_000);
    let both = along(&child, &map, &line(&map), Terms::default(), now);
    assert_eq!(numbers(&both.communes), [13, 8, 12, 14, 18, 5, 20]);
    // What was left blank is no journey, and a station further than a walk is not boarded.
    child.travel = None;
    let blank = along(&child, &map, &line(&map), Terms::default(), now);
    assert_eq!(numbers(&blank.communes), [13, 8, 12, 14, 18]);
    let mut far = subject(&map, 11, AlertKind::LostChild, Travel::Unknown);
    far.age_years = Some(9);
    let far = along(&far, &map, &line(&map), Terms::default(), now);
    assert_eq!(numbers(&far.communes), [11, 6, 12, 16]);
}

#[test]
fn an_assumed_ride_is_told_once_it_counts() {
    let map = Grid::of(5, 5, 60, true);
    let rider = subject(&map, 13, AlertKind::MissingPerson, Travel::PublicTransport);
    let mut first = Station { point: map.middle(14), ..station(14, &[(20, 30)]) };
    first.onward[0].is_assumed = true;
    let corridors = Corridors::new(vec![first, station(20, &[])]).unwrap();
    for (minutes, is_assumed) in [(0, false), (24, false), (25, true)] {
        let now = T0.plus_ms(minutes * 60_000);
        let reached = along(&rider, &map, &corridors, Terms::default(), now);
        assert_eq!(reached.figures.unwrap().is_ride_assumed, is_assumed, "{minutes}");
    }
}

#[derive(Debug, Clone)]
struct Case {
    width: usize,
    height: usize,
    side_millideg: i32,
    has_outlines: bool,
    line: usize,
    own: usize,
    seen: usize,
    travel: Travel,
    kind: AlertKind,
    age_years: Option<u8>,
    terms: Terms,
    rides: Vec<(usize, usize, u32)>,
}

prop_compose! {
    fn cases()(
        (width, height) in (1usize..9, 1usize..9),
    )(
        (width, height) in Just((width, height)),
        (own, seen) in (1..=width * height, 1..=width * height),
        (side_millideg, has_outlines, line) in (2i32..200, any::<bool>(), 0..=width),
        travel in proptest::sample::select(Travel::ALL),
        kind in proptest::sample::select(AlertKind::ALL),
        age_years in proptest::option::of(any::<u8>()),
        (is_stopped, is_bordering_only, rings_max) in (any::<bool>(), any::<bool>(), 0u32..6),
        rides in proptest::collection::vec(
            (1..=width * height, 1..=width * height, 1u32..300), 0..20),
    ) -> Case {
        let province_line = if is_stopped { ProvinceLine::Stop } else { ProvinceLine::Cross };
        let terms = Terms { province_line, is_bordering_only, rings_max, ..Terms::default() };
        Case {
            width, height, side_millideg, has_outlines, line, own, seen, travel, kind, age_years,
            terms, rides,
        }
    }
}

impl Case {
    fn map(&self) -> Grid {
        let map = Grid::of(self.width, self.height, self.side_millideg, self.has_outlines);
        Grid { line: self.line, ..map }
    }

    fn subject(&self, map: &Grid) -> Subject {
        let point = Some(map.middle(self.seen));
        Subject {
            age_years: self.age_years,
            last_seen: Some(LastSeen { at: Some(T0), point }),
            ..subject(map, self.own, self.kind, self.travel)
        }
    }

    fn corridors(&self, map: &Grid) -> Corridors {
        let stations = (1..=self.width * self.height).map(|at| {
            let rides = self.rides.iter().filter(|(from, to, _)| *from == at && to != from);
            let onward: Vec<_> = rides.map(|(_, to, minutes)| (*to, *minutes)).collect();
            Station { point: map.middle(at), ..station(at, &onward) }
        });
        Corridors::new(stations.collect()).unwrap()
    }

    fn at(&self, now: Millis) -> Reached {
        let map = self.map();
        along(&self.subject(&map), &map, &self.corridors(&map), self.terms, now)
    }
}

proptest! {
    #[test]
    fn a_reach_only_grows_and_gives_the_same_again(
        case in cases(), minutes in -60i64..1_000, later in 0i64..1_000,
    ) {
        let now = T0.plus_ms(minutes * 60_000);
        let (first, second) = (case.at(now), case.at(now.plus_ms(later * 60_000)));
        prop_assert_eq!(&first, &case.at(now));
        for entered in &first.communes {
            prop_assert!(second.communes.contains(entered), "{:?}", entered);
        }
        let (first, second) = (first.figures.unwrap(), second.figures.unwrap());
        prop_assert!(first.reach_m <= second.reach_m && second.reach_m <= second.reach_m_max);
    }

    #[test]
    fn the_next_step_is_true(case in cases(), minutes in -60i64..1_000) {
        let now = T0.plus_ms(minutes * 60_000);
        let reached = case.at(now);
        let codes = |communes: &[CommuneReached]| {
            communes.iter().map(|entered| entered.home.commune).collect::<BTreeSet<_>>()
        };
        let Some(next) = reached.next else {
            let for_ever = case.at(now.plus_ms(1_000_000_000_000));
            prop_assert_eq!(codes(&for_ever.communes), codes(&reached.communes));
            return Ok(());
        };
        prop_assert!(next.at > now && !next.communes.is_empty());
        let before = case.at(next.at.plus_ms(-1));
        prop_assert_eq!(&before.communes, &reached.communes);
        let then = case.at(next.at);
        prop_assert_eq!(then.figures.unwrap().reach_m, next.reach_m);
        let added = additions(codes(&before.communes), &then.communes);
        prop_assert_eq!(codes(&added), codes(&next.communes));
        prop_assert_eq!(added.len() + before.communes.len(), then.communes.len());
    }

    #[test]
    fn a_reach_hangs_together_and_keeps_its_limits(case in cases(), minutes in -60i64..1_000) {
        let map = case.map();
        let reached = case.at(T0.plus_ms(minutes * 60_000));
        let own = code(case.own);
        prop_assert_eq!(reached.communes[0].home.commune, own);
        let in_disc: BTreeSet<CommuneCode> = (reached.communes.iter())
            .filter(|entered| entered.reason != ReachReason::Corridor)
            .map(|entered| entered.home.commune)
            .collect();
        // Everything hangs on the own commune, or on the one where somebody was last seen, over
        // communes that are in; one that a train reached earlier leads on as well.
        let reached_codes: BTreeSet<CommuneCode> =
            reached.communes.iter().map(|entered| entered.home.commune).collect();
        let mut hanging = BTreeSet::from([own, code(case.seen)]);
        hanging.retain(|commune| reached_codes.contains(commune));
        let mut queue: Vec<_> = hanging.iter().copied().collect();
        while let Some(commune) = queue.pop() {
            for next in map.neighbours(commune).iter().filter(|next| reached_codes.contains(next)) {
                if hanging.insert(*next) {
                    queue.push(*next);
                }
            }
        }
        prop_assert!(in_disc.is_subset(&hanging));
        let own_province = map.home(own).unwrap().province;
        for entered in &reached.communes {
            let commune = entered.home.commune;
            if case.terms.province_line == ProvinceLine::Stop {
                prop_assert_eq!(entered.home.province, own_province);
            }
            if case.terms.is_bordering_only {
                prop_assert!(commune == own || map.neighbours(own).contains(&commune));
            }
        }
        prop_assert_eq!(reached_codes.len(), reached.communes.len());
    }

    /// A review that was owed and came only adds; without outlines nobody loses today's ring.
    #[test]
    fn fewer_limits_reach_more(case in cases(), minutes in -60i64..1_000) {
        let now = T0.plus_ms(minutes * 60_000);
        let codes = |reached: &Reached| {
            reached.communes.iter().map(|c| c.home.commune).collect::<BTreeSet<_>>()
        };
        let free = Terms { is_bordering_only: false, ..case.terms };
        let free = Case { terms: free, ..case.clone() };
        prop_assert!(codes(&case.at(now)).is_subset(&codes(&free.at(now))));
        let map = case.map();
        if !case.has_outlines && case.terms.rings_max > 0
            && case.terms.province_line == ProvinceLine::Cross
        {
            let ring = reach(code(case.own), &ReachRequest::Auto, &map).unwrap();
            let ring: BTreeSet<_> = ring.iter().map(|c| c.home.commune).collect();
            prop_assert!(ring.is_subset(&codes(&case.at(now))));
        }
    }
}
