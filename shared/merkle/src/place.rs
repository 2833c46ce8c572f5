//! Where 256 items lie in a row, or the first of them: what tiles and entry bundles have in
//! common, with its text `x001/x234/067.p/8` (C2SP tlog-tiles).

use std::{fmt, str::FromStr};

/// The most items in a row: hashes of a tile, entries of a bundle.
pub const WIDTH_MAX: u64 = 256;

/// A row of items: numbers `index · 256` and the following, `width` of them, 1 to 256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) index: u64,
    pub(crate) width: u16,
}

impl Place {
    /// The row with this index as it stands where there are `count` items in all.
    pub(crate) fn within(index: u64, count: u64) -> Option<Self> {
        let width = count.checked_sub(index.checked_mul(WIDTH_MAX)?)?.min(WIDTH_MAX) as u16;
        (width > 0).then_some(Self { index, width })
    }

    /// The rows that a list of `new` items has and the same list of `old` items had not. Only the
    /// last can be partial.
    pub(crate) fn since(old: u64, new: u64) -> impl Iterator<Item = Self> {
        let rows = if new > old { old / WIDTH_MAX..new.div_ceil(WIDTH_MAX) } else { 0..0 };
        rows.filter_map(move |index| Self::within(index, new))
    }

    pub(crate) fn is_full(self) -> bool {
        u64::from(self.width) == WIDTH_MAX
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut power = 1_u64;
        while self.index / power >= 1000 {
            power *= 1000;
        }
        while power > 1 {
            write!(f, "x{:03}/", self.index / power % 1000)?;
            power /= 1000;
        }
        write!(f, "{:03}", self.index % 1000)?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

/// The text is not where a row of items lies.
pub(crate) struct NotAPlace;

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let (groups, width) = match text.split_once(".p/") {
            Some((groups, width)) => (groups, width.parse().map_err(|_| NotAPlace)?),
            None => (text, WIDTH_MAX as u16),
        };
        let mut index = 0_u64;
        for group in groups.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            let group: u16 = digits.parse().map_err(|_| NotAPlace)?;
            let longer = index.checked_mul(1000).and_then(|index| index.checked_add(group.into()));
            index = longer.ok_or(NotAPlace)?;
        }
        // Read with leniency, accepted only as it is printed: there is one spelling.
        let place = Self { index, width };
        let is_row = (1..=WIDTH_MAX).contains(&width.into());
        (is_row && place.to_string() == text).then_some(place).ok_or(NotAPlace)
    }
}
