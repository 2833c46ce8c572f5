//! How a text is made to fit: what must be said stands whole, and of the rest as much as there is
//! room for, in the order of its worth. Nothing here knows what an alert is.

/// Rather nothing than less of a text than this.
const CUT_UNITS_MIN: usize = 8;

/// How a channel counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Unicode scalar values.
    Chars,
    /// UTF-16 code units.
    Utf16,
    /// Bytes of UTF-8.
    Bytes,
}

impl Unit {
    /// How long a text is.
    #[must_use]
    pub fn len(self, text: &str) -> usize {
        match self {
            Self::Chars => text.chars().count(),
            Self::Utf16 => text.encode_utf16().count(),
            Self::Bytes => text.len(),
        }
    }

    /// The longest beginning of a text that is no longer than this, cut between characters.
    fn cut(self, text: &str, most: usize) -> &str {
        let mut used = 0;
        for (place, c) in text.char_indices() {
            used += match self {
                Self::Chars => 1,
                Self::Utf16 => c.len_utf16(),
                Self::Bytes => c.len_utf8(),
            };
            if used > most {
                return text.split_at(place).0;
            }
        }
        text
    }
}

/// A text that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fitted {
    /// The text.
    pub text: String,
    /// Whether something had to be cut or left out; the address to verify shows all.
    pub is_cut: bool,
}

/// What a piece is worth; what is worth more takes its room first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worth {
    /// It stands whole, or there is no text.
    Must,
    Headline,
    Instruction,
    Place,
    Who,
    /// What was said before, again: whole, or not at all.
    Again,
    Description,
}

impl Worth {
    const BELOW_MUST: [Self; 6] =
        [Self::Headline, Self::Instruction, Self::Place, Self::Who, Self::Again, Self::Description];
}

/// A piece of a text, in the place where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    /// What stands between it and what is before it.
    pub(crate) before: &'static str,
    pub(crate) text: String,
    pub(crate) worth: Worth,
}

/// How much there may be, and what stands where something is cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) most: usize,
    pub(crate) unit: Unit,
    pub(crate) cut: &'static str,
}

impl Room {
    fn cost(self, piece: &Piece) -> usize {
        if piece.text.is_empty() {
            return 0;
        }
        self.unit.len(piece.before) + self.unit.len(&piece.text)
    }

    /// What must stand takes so much, with at least so much of the headline.
    pub(crate) fn takes(self, pieces: &[Piece], headline_min: usize) -> usize {
        let cost = |piece: &Piece| match piece.worth {
            Worth::Must => self.cost(piece),
            Worth::Headline => self.cost(piece).min(headline_min),
            _ => 0,
        };
        pieces.iter().map(cost).sum()
    }

    /// The pieces in their order, each with as much of it as there is room for; `None` where
    /// there is no room for what must stand.
    pub(crate) fn laid(self, mut pieces: Vec<Piece>) -> Option<Fitted> {
        let mut room = self.most.checked_sub(self.takes(&pieces, 0))?;
        let mut is_cut = false;
        for worth in Worth::BELOW_MUST {
            for piece in pieces.iter_mut().filter(|piece| piece.worth == worth) {
                if self.cost(piece) > room {
                    is_cut = true;
                    piece.text = self.beginning(piece, room);
                }
                room = room.saturating_sub(self.cost(piece));
            }
        }
        let mut text = String::new();
        for piece in pieces.iter().filter(|piece| !piece.text.is_empty()) {
            if !text.is_empty() {
                // A sentence, or what was cut, has its full stop.
                let has_ended = text.ends_with(['.', '…']);
                let rest = piece.before.strip_prefix('.').filter(|_| has_ended);
                text.push_str(rest.unwrap_or(piece.before));
            }
            text.push_str(&piece.text);
        }
        Some(Fitted { text, is_cut })
    }

    fn beginning(self, piece: &Piece, room: usize) -> String {
        let around = self.unit.len(piece.before) + self.unit.len(self.cut);
        let room = room.saturating_sub(around);
        if piece.worth == Worth::Again || room < CUT_UNITS_MIN {
            return String::new();
        }
        // An `@` at the end would have the cut for its name.
        let kept = self.unit.cut(&piece.text, room);
        let kept = kept.trim_end_matches(|c: char| c.is_whitespace() || c == '@');
        if kept.is_empty() { String::new() } else { format!("{kept}{}", self.cut) }
    }
}
