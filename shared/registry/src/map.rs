//! The map: all communes, who borders whom, and where each lies. Read once, at start; spellings
//! stay in the map's hash only.

use std::{collections::BTreeMap, fmt, path::Path, str::FromStr, sync::Arc};

use domain::{
    alert::MilliPoint,
    dated::Validity,
    ids::{CommuneCode, Home, Millis, ProvinceCode},
    maps::{MapFacts, NotInForce},
    reach::distance::{DistanceM, Located, Plane},
};
use sha2::{Digest, Sha256};

use crate::{
    fault::{Collector, Faults, ReadError, read},
    lines::{numbered, parse},
    map_header::{Header, header, is_header},
    map_line::{Facts, Line, check_name},
    map_outline::Outline,
};

/// The largest map file that is read.
pub const MAP_BYTES_MAX: u64 = 128 << 20;

/// The most communes of a map. Việt Nam had 10,599 before 2025, and has 3,321.
pub const COMMUNES_MAX: usize = 20_000;

/// 1 July 2025 in Viet Nam, when the built-in map came into force. No clock that is right shows an
/// earlier time.
const CLOCK_FROM: Millis = Millis(1_751_302_800_000);

/// The communes of 1 July 2025 (`deploy/registry/README.md` names the sources).
const BUILTIN: &[u8] = include_bytes!("../../../deploy/registry/vietnam-2025.jsonl");

/// What a commune is called by law.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommuneKind {
    /// `xã`: a rural commune.
    Commune,
    /// `phường`: a ward.
    Ward,
    /// `thị trấn`: a township; none since 1 July 2025.
    Township,
    /// `đặc khu`: a special zone (islands).
    SpecialZone,
}

impl CommuneKind {
    const ALL: [Self; 4] = [Self::Commune, Self::Ward, Self::Township, Self::SpecialZone];

    /// The word, as it stands in maps and before names.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Commune => "xã",
            Self::Ward => "phường",
            Self::Township => "thị trấn",
            Self::SpecialZone => "đặc khu",
        }
    }
}

impl fmt::Display for CommuneKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CommuneKind {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.ok_or(
            "phải là một trong: xã, phường, thị trấn, đặc khu / \
                      is none of xã, phường, thị trấn, đặc khu",
        )
    }
}

/// A commune.
#[derive(Debug, Clone, PartialEq)]
pub struct Commune {
    /// The official code.
    pub code: CommuneCode,
    /// The name, without the kind: `Đạ Tẻh`.
    pub name: Box<str>,
    /// The kind.
    pub kind: CommuneKind,
    /// The code of its province.
    pub province: ProvinceCode,
    /// The name of its province: `Lâm Đồng`.
    pub province_name: Arc<str>,
    /// The latitude of its centre; WGS84 degrees.
    pub lat: f64,
    /// The longitude of its centre; WGS84 degrees.
    pub lon: f64,
    /// The communes that it shares a border with, sorted by code; each names it back.
    pub neighbours: Box<[CommuneCode]>,
    /// Its border, where the map has it.
    outline: Option<Outline>,
}

impl Commune {
    /// The rings of its border, where the map has it: longitude and latitude of their points, each
    /// ring's last point as its first.
    pub fn rings(&self) -> impl Iterator<Item = &[[f64; 2]]> {
        self.outline.iter().flat_map(Outline::rings)
    }
}

/// All communes.
#[derive(Debug, Clone)]
pub struct Map {
    /// Sorted by code.
    communes: Box<[Commune]>,
    provinces: BTreeMap<ProvinceCode, Province>,
    sha256: [u8; 32],
    /// Where the file begins with one.
    header: Option<Header>,
}

#[derive(Debug, Clone)]
struct Province {
    name: Arc<str>,
    /// Sorted by code.
    communes: Vec<CommuneCode>,
}

/// A line that is right by itself.
struct Sound<'a> {
    number: usize,
    line: Line<'a>,
    facts: Facts,
}

impl Map {
    /// The map that is built in: Việt Nam since 1 July 2025. A test holds that it has no faults.
    pub fn builtin() -> Result<Self, Faults> {
        Self::parse(BUILTIN)
    }

    /// Reads a map file (`--registry FILE`).
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        read(path, MAP_BYTES_MAX, Self::parse)
    }

    /// Reads a map from JSON Lines, one commune a line, in any order; the first line may say
    /// version and dates instead. Borders and doubles are looked at once every line is right by
    /// itself.
    pub fn parse(bytes: &[u8]) -> Result<Self, Faults> {
        let mut faults = Collector::default();
        let (mut sound, mut first) = (Vec::new(), None);
        let lines = numbered(bytes, &mut faults);
        faults.check()?;
        for (number, text) in lines {
            if sound.len() >= COMMUNES_MAX {
                let most = COMMUNES_MAX;
                let reason =
                    format!("bản đồ có tối đa {most} xã / a map has at most {most} communes");
                faults.add(number, "", reason);
            }
            if faults.is_full() {
                break;
            }
            if number == 1 && is_header(text) {
                first = header(number, text, &mut faults);
                continue;
            }
            match parse::<Line<'_>>(number, text) {
                Err(fault) => faults.push(fault),
                Ok(line) => {
                    let facts = line.facts(number, &mut faults);
                    sound.extend(facts.map(|facts| Sound { number, line, facts }));
                }
            }
        }
        faults.check()?;
        if sound.is_empty() {
            faults.add(1, "", "tệp không có xã nào / the file has no commune");
        }
        // Among doubles, the later line is the one that is at fault.
        sound.sort_by_key(|entry| (entry.facts.code, entry.number));
        check_doubles(&sound, &mut faults);
        faults.check()?;
        check_borders(&sound, &mut faults);
        let provinces = provinces(&sound, &mut faults);
        faults.check()?;
        let sha256 = hash(&sound);
        let communes = sound.into_iter().filter_map(|entry| entry.commune(&provinces)).collect();
        Ok(Self { communes, provinces, sha256, header: first })
    }

    /// What is recorded when this map is adopted at `now`. A file without version and dates holds
    /// from then on.
    #[must_use]
    pub fn facts(&self, now: Millis) -> MapFacts {
        let communes = u32::try_from(self.len()).unwrap_or(u32::MAX);
        let (version, valid) = match &self.header {
            Some(header) => (Some(header.version.clone()), header.valid),
            None => (None, Validity::of(Some(now), None).unwrap_or_default()),
        };
        MapFacts::of(self.sha256, communes, version, valid)
    }

    /// Why it is not in force at `now`; `None` where it is, where its file says no dates, and where
    /// the clock is so wrong that nothing can be told.
    #[must_use]
    pub fn not_in_force(&self, now: Millis) -> Option<NotInForce> {
        NotInForce::at(now, self.header.as_ref()?.valid, CLOCK_FROM)
    }

    /// What people call the commune of this code; the code itself where the map has none.
    #[must_use]
    pub fn called(&self, code: &str) -> String {
        let commune = code.parse().ok().and_then(|code| self.commune(code));
        commune.map_or_else(|| code.to_owned(), |commune| commune.name.to_string())
    }

    /// The commune of this code.
    #[must_use]
    pub fn commune(&self, code: CommuneCode) -> Option<&Commune> {
        let place = self.communes.binary_search_by_key(&code, |commune| commune.code).ok()?;
        self.communes.get(place)
    }

    /// The communes that border this one, sorted by code; none where it is an island, or unknown.
    #[must_use]
    pub fn neighbours(&self, code: CommuneCode) -> &[CommuneCode] {
        self.commune(code).map_or(&[], |commune| &commune.neighbours)
    }

    /// All communes, sorted by code.
    pub fn communes(&self) -> impl ExactSizeIterator<Item = &Commune> {
        self.communes.iter()
    }

    /// The communes of a province, sorted by code; none where it is unknown.
    pub fn of_province(&self, province: ProvinceCode) -> impl Iterator<Item = &Commune> {
        let communes = self.provinces.get(&province).map_or(&[][..], |known| &known.communes);
        communes.iter().filter_map(|code| self.commune(*code))
    }

    /// The provinces with their names, sorted by code.
    pub fn provinces(&self) -> impl ExactSizeIterator<Item = (ProvinceCode, &str)> {
        self.provinces.iter().map(|(code, province)| (*code, &*province.name))
    }

    /// The name of a province.
    #[must_use]
    pub fn province_name(&self, province: ProvinceCode) -> Option<&str> {
        self.provinces.get(&province).map(|known| &*known.name)
    }

    /// Where what belongs to this commune is at home.
    #[must_use]
    pub fn home(&self, code: CommuneCode) -> Option<Home> {
        self.commune(code).map(|commune| Home { province: commune.province, commune: code })
    }

    /// How far the commune lies from a point: to its border, 0 inside, or to its centre where the
    /// map has no border of it.
    #[must_use]
    pub fn distance_m(&self, from: MilliPoint, to: CommuneCode) -> Option<DistanceM> {
        let commune = self.commune(to)?;
        Some(match &commune.outline {
            Some(outline) => DistanceM::Border(outline.distance_m(from)),
            None => DistanceM::Centroid(Plane::around(from).distance_m(commune.lat, commune.lon)),
        })
    }

    /// The commune whose border is around a point; where there is none, the one whose centre is
    /// nearest. Among equals, the lowest code.
    #[must_use]
    pub fn located(&self, point: MilliPoint) -> Option<Located> {
        let holds = |commune: &&Commune| {
            commune.outline.as_ref().is_some_and(|outline| outline.holds(point))
        };
        if let Some(commune) = self.communes.iter().find(holds) {
            return Some(Located::Inside(commune.code));
        }
        let plane = Plane::around(point);
        let nearest = self.communes.iter().min_by_key(|c| plane.distance_m(c.lat, c.lon))?;
        Some(Located::Nearest(nearest.code))
    }

    /// SHA-256 of the communes' lines sorted by code, each as canonical JSON (RFC 8785) and a line
    /// feed; the first line, which says version and dates, is no part of it.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    /// How many communes there are; at least one.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // An empty file is no map.
    pub fn len(&self) -> usize {
        self.communes.len()
    }
}

impl Sound<'_> {
    fn commune(mut self, provinces: &BTreeMap<ProvinceCode, Province>) -> Option<Commune> {
        let outline = self.line.take_outline();
        let mut neighbours = self.facts.neighbours;
        neighbours.sort_unstable();
        Some(Commune {
            code: self.facts.code,
            name: self.line.name.as_str().into(),
            kind: self.facts.kind,
            province: self.facts.province,
            province_name: Arc::clone(&provinces.get(&self.facts.province)?.name),
            lat: self.line.lat,
            lon: self.line.lon,
            neighbours: neighbours.into_boxed_slice(),
            outline,
        })
    }
}

fn check_doubles(sorted: &[Sound<'_>], faults: &mut Collector) {
    for pair in sorted.windows(2) {
        if let [first, second] = pair
            && first.facts.code == second.facts.code
        {
            let (code, line) = (first.facts.code, first.number);
            let reason =
                format!("{code} đã có ở dòng {line} / {code} stands in line {line} already");
            faults.add(second.number, "code", reason);
        }
    }
}

fn check_borders(sorted: &[Sound<'_>], faults: &mut Collector) {
    let find = |code: CommuneCode| {
        let place = sorted.binary_search_by_key(&code, |entry| entry.facts.code).ok()?;
        sorted.get(place)
    };
    for entry in sorted {
        let (code, neighbours) = (entry.facts.code, &entry.facts.neighbours);
        for (place, neighbour) in neighbours.iter().enumerate() {
            let reason = if *neighbour == code {
                "xã không giáp chính mình / a commune does not border itself".to_owned()
            } else if neighbours.iter().take(place).any(|earlier| earlier == neighbour) {
                format!("{neighbour} bị ghi hai lần / {neighbour} is named twice")
            } else {
                match find(*neighbour) {
                    None => not_in_map(neighbour.as_str()),
                    Some(other) if other.facts.neighbours.contains(&code) => continue,
                    Some(Sound { number: line, .. }) => format!(
                        "giáp một chiều: {neighbour} (dòng {line}) không kê lại {code} / \
                         one-sided border: {neighbour} (line {line}) does not name {code} back"
                    ),
                }
            };
            faults.add(entry.number, format!("neighbours[{place}]"), reason);
        }
    }
}

/// What a code that the map does not have is told.
pub(crate) fn not_in_map(code: &str) -> String {
    format!("{code} không có trong bản đồ / {code} is not in the map")
}

fn provinces(sorted: &[Sound<'_>], faults: &mut Collector) -> BTreeMap<ProvinceCode, Province> {
    let mut provinces: BTreeMap<ProvinceCode, Province> = BTreeMap::new();
    for Sound { number, line, facts } in sorted {
        let name = line.province.as_str();
        let province = provinces.entry(facts.province).or_insert_with(|| {
            faults.note(*number, "province", check_name(name));
            Province { name: name.into(), communes: Vec::new() }
        });
        if &*province.name != name {
            let (code, known) = (facts.province, &province.name);
            let reason =
                format!("ở dòng khác {code} tên là {known} / {code} is called {known} elsewhere");
            faults.add(*number, "province", reason);
        }
        province.communes.push(facts.code);
    }
    provinces
}

fn hash(sorted: &[Sound<'_>]) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut line = String::new();
    for entry in sorted {
        line.clear();
        entry.line.write_canonical(&mut line);
        line.push('\n');
        hash.update(&line);
    }
    hash.finalize().into()
}
