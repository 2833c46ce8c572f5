//! How far lost people were found from where they were last seen, as data with a version.
//!
//! R. Koester, *Lost Person Behavior* (2008), kilometres rounded to 0.1. Mostly North American
//! wilderness, straight lines, people on foot; no calibration for Việt Nam. Advice, no certainty:
//! one case in twenty lies beyond the 95 % ring by definition.

/// The table's version; it stands in the figures of each reach, so that a later table does not
/// change what an old alert says of itself.
pub const TABLE_VERSION: &str = "koester2008/1";

/// Who is looked for, as far as it says how far they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// Up to three years old.
    Child1To3,
    /// Four to six years old.
    Child4To6,
    /// Seven to nine years old.
    Child7To9,
    /// Ten to twelve years old.
    Child10To12,
    /// Thirteen to fifteen years old.
    Youth13To15,
    /// Sixteen and older, or of unknown age and no child. The table has no row for them.
    Adult,
    /// With dementia.
    Dementia,
    /// Autistic.
    Autistic,
    /// Taken away by somebody.
    Abduction,
}

impl Category {
    /// Every category.
    pub const ALL: &'static [Self] = &[
        Self::Child1To3,
        Self::Child4To6,
        Self::Child7To9,
        Self::Child10To12,
        Self::Youth13To15,
        Self::Adult,
        Self::Dementia,
        Self::Autistic,
        Self::Abduction,
    ];

    /// The category's word in figures.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Child1To3 => "child_1_3",
            Self::Child4To6 => "child_4_6",
            Self::Child7To9 => "child_7_9",
            Self::Child10To12 => "child_10_12",
            Self::Youth13To15 => "youth_13_15",
            Self::Adult => "adult",
            Self::Dementia => "dementia",
            Self::Autistic => "autistic",
            Self::Abduction => "abduction",
        }
    }

    /// The category of an age. Infants count with the youngest row.
    #[must_use]
    pub fn of_age(age_years: u8) -> Self {
        match age_years {
            0..=3 => Self::Child1To3,
            4..=6 => Self::Child4To6,
            7..=9 => Self::Child7To9,
            10..=12 => Self::Child10To12,
            13..=15 => Self::Youth13To15,
            16.. => Self::Adult,
        }
    }

    /// Whose row is used. Where the source has none for grown people (A), theirs is that of the
    /// oldest youths.
    #[must_use]
    pub fn row(self) -> Self {
        if self == Self::Adult { Self::Youth13To15 } else { self }
    }
}

/// The ground that somebody moves over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Terrain {
    /// Temperate and flat; also what is not known better.
    TemperateFlat,
    /// Temperate mountains.
    TemperateMountain,
    /// A town.
    Urban,
    /// Dry land.
    Dry,
}

impl Terrain {
    /// Every terrain.
    pub const ALL: &'static [Self] =
        &[Self::TemperateFlat, Self::TemperateMountain, Self::Urban, Self::Dry];

    /// The terrain's word in figures.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TemperateFlat => "temperate_flat",
            Self::TemperateMountain => "temperate_mountain",
            Self::Urban => "urban",
            Self::Dry => "dry",
        }
    }

    /// The terrain of a commune: no data say more than its type. A ward (`phường`) is urban,
    /// everything else temperate and flat (A).
    #[must_use]
    pub fn of_commune(is_urban: bool) -> Self {
        if is_urban { Self::Urban } else { Self::TemperateFlat }
    }
}

/// Metres within which so many of the found persons of a row were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rings {
    /// A quarter of them.
    pub r25_m: u32,
    /// Half of them.
    pub r50_m: u32,
    /// Three quarters; the source has none for abductions.
    pub r75_m: Option<u32>,
    /// Nineteen of twenty.
    pub r95_m: u32,
}

/// The rings of a category and a terrain. What is blank in the source falls back to the flat row
/// of the same category.
#[must_use]
pub fn rings(category: Category, terrain: Terrain) -> Rings {
    use Category as C;
    use Terrain::{Dry, TemperateMountain as Mountain, Urban};
    match (category.row(), terrain) {
        (C::Child1To3, Urban) => row(200, 500, 800, 1_100),
        (C::Child1To3, Dry) => row(600, 1_300, 3_900, 9_000),
        (C::Child1To3, _) => row(200, 300, 1_000, 3_200),
        (C::Child4To6, Urban) => row(100, 500, 1_000, 3_400),
        (C::Child4To6, Mountain) => row(200, 800, 1_400, 3_700),
        (C::Child4To6, _) => row(200, 600, 1_400, 6_600),
        (C::Child7To9, Urban) => row(200, 500, 1_400, 5_100),
        (C::Child7To9, Mountain) => row(800, 1_600, 3_200, 11_300),
        (C::Child7To9, _) => row(200, 800, 2_100, 8_000),
        (C::Child10To12, Urban) => row(300, 1_400, 2_900, 5_800),
        (C::Child10To12, Mountain) => row(800, 1_600, 3_200, 9_000),
        (C::Child10To12, _) => row(500, 1_600, 4_800, 10_000),
        (C::Youth13To15 | C::Adult, Mountain) => row(800, 2_100, 4_800, 21_400),
        (C::Youth13To15 | C::Adult, _) => row(600, 1_300, 3_200, 10_000),
        (C::Dementia, Urban) => row(300, 1_100, 3_200, 12_600),
        (C::Dementia, _) => row(300, 1_000, 2_400, 12_700),
        (C::Autistic, Urban) => row(300, 1_000, 3_900, 8_000),
        (C::Autistic, _) => row(600, 1_600, 3_700, 15_300),
        (C::Abduction, _) => Rings { r25_m: 300, r50_m: 2_400, r75_m: None, r95_m: 19_300 },
    }
}

const fn row(r25_m: u32, r50_m: u32, r75_m: u32, r95_m: u32) -> Rings {
    Rings { r25_m, r50_m, r75_m: Some(r75_m), r95_m }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_age_has_its_row() {
        for (age, word) in [
            (0, "child_1_3"),
            (3, "child_1_3"),
            (4, "child_4_6"),
            (7, "child_7_9"),
            (12, "child_10_12"),
            (13, "youth_13_15"),
            (15, "youth_13_15"),
            (16, "adult"),
            (255, "adult"),
        ] {
            assert_eq!(Category::of_age(age).as_str(), word, "{age}");
        }
    }

    #[test]
    fn the_95_percent_rings_are_those_of_the_source() {
        use Category as C;
        // Flat, mountain, urban, dry; what the source leaves blank is the flat row's.
        for (category, km_tenths) in [
            (C::Child1To3, [32, 32, 11, 90]),
            (C::Child4To6, [66, 37, 34, 66]),
            (C::Child7To9, [80, 113, 51, 80]),
            (C::Child10To12, [100, 90, 58, 100]),
            (C::Youth13To15, [100, 214, 100, 100]),
            (C::Adult, [100, 214, 100, 100]),
            (C::Dementia, [127, 127, 126, 127]),
            (C::Autistic, [153, 153, 80, 153]),
            (C::Abduction, [193, 193, 193, 193]),
        ] {
            let found = Terrain::ALL.iter().map(|terrain| rings(category, *terrain).r95_m / 100);
            assert_eq!(found.collect::<Vec<_>>(), km_tenths, "{category:?}");
        }
    }

    #[test]
    fn a_ring_of_more_people_is_never_smaller() {
        for (category, terrain) in
            Category::ALL.iter().flat_map(|c| Terrain::ALL.iter().map(move |t| (*c, *t)))
        {
            let Rings { r25_m, r50_m, r75_m, r95_m } = rings(category, terrain);
            let r75_m = r75_m.unwrap_or(r50_m);
            assert!(r25_m <= r50_m && r50_m <= r75_m && r75_m <= r95_m, "{category:?} {terrain:?}");
        }
    }

    #[test]
    fn whole_rows_as_the_source_has_them() {
        assert_eq!(rings(Category::Child1To3, Terrain::Dry), row(600, 1_300, 3_900, 9_000));
        assert_eq!(rings(Category::Child4To6, Terrain::Urban), row(100, 500, 1_000, 3_400));
        assert_eq!(rings(Category::Abduction, Terrain::Urban).r75_m, None);
        assert_eq!(
            rings(Category::Adult, Terrain::Urban),
            rings(Category::Youth13To15, Terrain::TemperateFlat)
        );
    }
}
