//! The text that people read, in Vietnamese: on a phone, in a chat, in a mail, over a loudspeaker.
//!
//! First what it is and whom it concerns, then what to do, last who says so and how to check it.
//! The words of officers are made harmless (`plain`); the only link is the one to verify.

use domain::{
    ids::Millis,
    values::{AlertKind, News, Sex},
};
use jiff::{Timestamp, tz::Offset};

use crate::{
    body::{Sheet, instruction, marked},
    plain::{harmless, unaccented},
};

/// In the time of Việt Nam, which has one zone and no summer time.
const VIET_NAM: Offset = jiff::tz::offset(7);
const CUT: &str = "…";

/// What is told: one news of one alert, by whom, and where it can be checked.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The alert at the revision that is told, with its words.
    pub sheet: &'a Sheet,
    /// What the news is.
    pub news: News,
    /// When the news was recorded.
    pub at: Millis,
    /// Who says it, as `xã Hoằng Thịnh, tỉnh Thanh Hoá`.
    pub from: &'a str,
    /// Where it can be checked: the whole address.
    pub verify_url: &'a str,
}

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
    /// Whether something of the description had to be left out; the address to verify shows all.
    pub is_cut: bool,
}

impl Told<'_> {
    /// The headline, with its marks (exercise; withdrawn, closed …). One line.
    #[must_use]
    pub fn headline(&self) -> String {
        let Sheet { facts, text, .. } = self.sheet;
        marked(facts.status, self.news, &harmless(&text.headline))
    }

    /// What kind of alert it is, in capitals: `TÌM TRẺ LẠC`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.sheet.facts.kind {
            AlertKind::LostChild => "TÌM TRẺ LẠC",
            AlertKind::FoundChild => "TÌM NGƯỜI NHÀ CHO TRẺ",
            AlertKind::MissingPerson => "TÌM NGƯỜI MẤT TÍCH",
            AlertKind::FoundPerson => "TÌM NGƯỜI NHÀ",
            AlertKind::Suspect => "CẢNH BÁO ĐỐI TƯỢNG",
            AlertKind::LostProperty => "TÌM ĐỒ THẤT LẠC",
            AlertKind::FoundProperty => "TÌM CHỦ CỦA ĐỒ NHẶT ĐƯỢC",
            AlertKind::ScamWarning => "CẢNH BÁO LỪA ĐẢO",
            AlertKind::Hazard => "CẢNH BÁO NGUY HIỂM",
            AlertKind::Notice => "THÔNG BÁO",
        }
    }

    /// What is to be done; empty where nothing is.
    #[must_use]
    pub fn instruction(&self) -> String {
        let Sheet { facts, text, .. } = self.sheet;
        instruction(facts.kind, self.news, &harmless(&text.instruction))
    }

    /// Who says so, and how it can be checked. Two lines.
    #[must_use]
    pub fn source(&self) -> String {
        let at = clock(self.at);
        format!("{} – {at}\nKiểm tra {}: {}", self.from, self.sheet.code, self.verify_url)
    }

    /// The whole text, with as much of the description as fits into `most` of `unit`.
    /// The headline, what to do and how to check it always stand there, cut where even they are
    /// too long.
    #[must_use]
    pub fn fit(&self, most: usize, unit: Unit) -> Fitted {
        let front = [self.opening(), self.who(), self.place()].into_iter().flatten();
        let front: Vec<String> = front.collect();
        let back = [Some(self.instruction()).filter(|told| !told.is_empty()), Some(self.source())];
        let back: Vec<String> = back.into_iter().flatten().collect();
        let description = harmless(&self.sheet.text.description);
        let around = [front.as_slice(), &back].concat().join("\n");
        // Two line breaks around the description.
        let room = most.saturating_sub(unit.len(&around) + 2);
        let (middle, mut is_cut) = match unit.len(&description) {
            0 => (None, false),
            length if length <= room => (Some(description), false),
            _ if room < 2 => (None, true),
            _ => {
                let kept = unit.cut(&description, room.saturating_sub(unit.len(CUT))).trim_end();
                (Some(format!("{kept}{CUT}")), true)
            }
        };
        let (head, rest) = front
            .split_first()
            .map_or((String::new(), vec![]), |(head, rest)| (head.clone(), rest.to_vec()));
        let lines: Vec<String> = [head].into_iter().chain(middle).chain(rest).chain(back).collect();
        let mut text = lines.join("\n");
        if unit.len(&text) > most {
            // No channel of ours is so narrow; whatever is left begins with what matters.
            text = unit.cut(&text, most).to_owned();
            is_cut = true;
        }
        Fitted { text, is_cut }
    }

    /// One SMS text without marks, of at most `most` characters: kind, headline, what to do, who,
    /// where to check.
    #[must_use]
    pub fn brief(&self, most: usize) -> Fitted {
        let source = format!("{}. {}", self.from, self.verify_url);
        let source = unaccented(&source);
        let parts =
            [Some(self.headline_line()), self.who(), self.place(), Some(self.instruction())];
        let parts = parts.into_iter().flatten().filter(|part| !part.is_empty());
        let told = unaccented(&parts.collect::<Vec<_>>().join(". ")).replace('\n', " ");
        let room = most.saturating_sub(source.len() + 1);
        if told.len() <= room {
            return Fitted { text: format!("{told} {source}"), is_cut: false };
        }
        let kept = Unit::Bytes.cut(&told, room.saturating_sub(3)).trim_end();
        Fitted { text: format!("{kept}... {source}"), is_cut: true }
    }

    /// What is read aloud: no address, no code, no brackets; and what to do, said twice.
    #[must_use]
    pub fn spoken(&self) -> String {
        let instruction = self.instruction();
        let parts = [
            Some(self.headline_line()),
            Some(harmless(&self.sheet.text.description)),
            self.who(),
            self.place(),
            Some(instruction.clone()),
            Some(instruction),
            Some(format!("Tin của {}.", self.from)),
        ];
        let parts = parts.into_iter().flatten().filter(|part| !part.is_empty());
        let text = parts.collect::<Vec<_>>().join("\n");
        text.replace(['[', ']'], "")
    }

    fn headline_line(&self) -> String {
        format!("{}: {}", self.kind(), self.headline())
    }

    fn opening(&self) -> Option<String> {
        Some(self.headline_line())
    }

    /// Who is looked for, without a name.
    fn who(&self) -> Option<String> {
        let Sheet { facts, text, .. } = self.sheet;
        let person = facts.person;
        let age = person.and_then(|person| person.age_years).map(|age| format!("{age} tuổi"));
        let sex = person.and_then(|person| person.sex).and_then(|sex| match sex {
            Sex::Male => Some("nam".to_owned()),
            Sex::Female => Some("nữ".to_owned()),
            Sex::Unknown => None,
        });
        let described = [&text.person_clothing, &text.person_description];
        let described = described.into_iter().filter(|text| !text.is_empty());
        let parts: Vec<String> =
            [age, sex].into_iter().flatten().chain(described.map(|text| harmless(text))).collect();
        (!parts.is_empty()).then(|| format!("Đặc điểm: {}", parts.join(", ")))
    }

    /// Where somebody or something was last seen, and when.
    fn place(&self) -> Option<String> {
        let Sheet { facts, text, .. } = self.sheet;
        let seen = facts.last_seen?;
        let place = Some(harmless(&text.place)).filter(|place| !place.is_empty());
        let at = seen.at.map(clock);
        let parts: Vec<String> = [place, at].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| format!("Thấy lần cuối: {}", parts.join(", ")))
    }
}

/// `17:30 ngày 21/11/2026`, in the time of Việt Nam.
#[must_use]
pub fn clock(at: Millis) -> String {
    let end = if at.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
    let there = VIET_NAM.to_datetime(Timestamp::from_millisecond(at.0).unwrap_or(end));
    format!(
        "{:02}:{:02} ngày {:02}/{:02}/{}",
        there.hour(),
        there.minute(),
        there.day(),
        there.month(),
        there.year()
    )
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
