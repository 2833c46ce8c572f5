//! The text that people read, in Vietnamese: on a phone, in a chat, in a mail, over a loudspeaker.
//!
//! First whether it is real and still stands, then what it is and whom it concerns, then what to
//! do, last who says so and how to check it. The first, what must be said (R20) and the last are
//! never cut. The words of officers are made harmless (`plain`); the only link is the one to
//! verify.

use domain::{
    follow_up,
    gate::{Watermark, watermark},
    guard::mandatory_text,
    ids::Millis,
    sentence::Sentence,
    values::{AlertKind, News, Sex},
};
use jiff::{Timestamp, tz::Offset};

use crate::{
    body::{Sheet, marked},
    layout::{Fitted, Piece, Room, Unit, Worth},
    plain::{harmless, harmless_aloud, harmless_unaccented, unaccented},
};

/// In the time of Việt Nam, which has one zone and no summer time.
const VIET_NAM: Offset = jiff::tz::offset(7);
const CUT: &str = "…";
/// So much of a headline, in the channel's unit, is worth more than English beside it, and so
/// much more than all words of a mark.
const HEADLINE_UNITS_BEFORE_ENGLISH: usize = 40;
const HEADLINE_UNITS_MIN: usize = 20;
/// What is read aloud at once: about two minutes.
const SPOKEN_CHARS_MAX: usize = 1_200;

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

/// The letters of a short text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Letters {
    /// Vietnamese as it is written; counted as UTF-16.
    Vietnamese,
    /// Without marks, as ASCII; one byte each.
    Plain,
}

/// How a text is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// In a chat or a mail: lines.
    Lines,
    /// In one line, short.
    Brief(Letters),
    /// Read by a voice.
    Aloud,
    /// On a board, where a line runs past.
    Board,
}

impl Manner {
    /// What somebody wrote, in this manner.
    fn given(self, text: &str) -> String {
        match self {
            Self::Lines => harmless(text),
            Self::Brief(Letters::Plain) => one_line(&harmless_unaccented(text)),
            Self::Brief(Letters::Vietnamese) | Self::Board => one_line(&harmless(text)),
            Self::Aloud => harmless_aloud(text),
        }
    }

    /// Our own words, in this manner.
    fn own(self, text: &str) -> String {
        match self {
            Self::Brief(Letters::Plain) => unaccented(text),
            _ => text.to_owned(),
        }
    }

    /// What stands between two pieces.
    fn between(self) -> &'static str {
        match self {
            Self::Lines | Self::Aloud => "\n",
            Self::Brief(_) => ". ",
            Self::Board => " • ",
        }
    }

    fn cut(self) -> &'static str {
        if self == Self::Brief(Letters::Plain) { "..." } else { CUT }
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\t'], " ")
}

/// How much is said of what must be said. Where even that finds no room, it is said in fewer
/// words before it is not said at all: who was told of an alert must hear that it is over.
#[derive(Debug, Clone, Copy)]
struct Frame {
    /// Vietnamese and English, or Vietnamese alone.
    is_bilingual: bool,
    /// That it is not real in its first words only, and that it is over in the words on it only.
    is_short: bool,
    has_kind: bool,
}

const BILINGUAL: Frame = Frame { is_bilingual: true, is_short: false, has_kind: true };
const VIETNAMESE: Frame = Frame { is_bilingual: false, ..BILINGUAL };
/// From the fullest on; where no English is told, from the second.
const FRAMES: [Frame; 4] = [
    BILINGUAL,
    VIETNAMESE,
    Frame { is_short: true, ..VIETNAMESE },
    Frame { is_short: true, has_kind: false, ..VIETNAMESE },
];

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

    /// The marks, the kind and the headline: `[ĐÃ THU HỒI / WITHDRAWN] TÌM TRẺ LẠC: …`. One line.
    #[must_use]
    pub fn title(&self) -> String {
        let headline = one_line(&harmless(&self.sheet.text.headline));
        format!("{}: {headline}", self.front(Manner::Lines, BILINGUAL))
    }

    /// The marks and the kind, in Vietnamese: `[ĐÃ THU HỒI] TÌM TRẺ LẠC`.
    #[must_use]
    pub fn marked_kind(&self) -> String {
        self.front(Manner::Lines, VIETNAMESE)
    }

    /// Who says so, and how it can be checked. Two lines.
    #[must_use]
    pub fn source(&self) -> String {
        let at = clock(self.at);
        format!("{} – {at}\nKiểm tra {}: {}", self.from, self.sheet.code, self.verify_url)
    }

    /// The text in lines, of at most `most` of `unit`. The marks, what must be said and how to
    /// check it stand there whole; then as much as fits of the headline, what to do, the place,
    /// who it is, and the description, in this order. `None` where there is no room for the first.
    #[must_use]
    pub fn fit(&self, most: usize, unit: Unit) -> Option<Fitted> {
        self.framed(Manner::Lines, Room { most, unit, cut: CUT }, &FRAMES)
    }

    /// One short text in Vietnamese, of at most `most` letters: as [`Self::fit`], without the
    /// description and in one line.
    #[must_use]
    pub fn brief(&self, most: usize, letters: Letters) -> Option<Fitted> {
        let unit = match letters {
            Letters::Vietnamese => Unit::Utf16,
            Letters::Plain => Unit::Bytes,
        };
        let manner = Manner::Brief(letters);
        self.framed(manner, Room { most, unit, cut: manner.cut() }, FRAMES.split_at(1).1)
    }

    /// What is read aloud: no address, no code, no brackets, no English; what to do, said twice;
    /// and that it is not real at both ends. Bounded, so that it ends.
    #[must_use]
    pub fn spoken(&self) -> Option<String> {
        let room = Room { most: SPOKEN_CHARS_MAX, unit: Unit::Chars, cut: CUT };
        self.framed(Manner::Aloud, room, FRAMES.split_at(1).1).map(|fitted| fitted.text)
    }

    /// What a board shows, in one line of at most `most` characters: what it is, what to do, and
    /// by which code it can be checked.
    #[must_use]
    pub fn board(&self, most: usize) -> Option<String> {
        let room = Room { most, unit: Unit::Chars, cut: CUT };
        self.framed(Manner::Board, room, FRAMES.split_at(1).1).map(|fitted| fitted.text)
    }

    /// In the fullest frame that leaves room for something of the headline, or else in the first
    /// that fits.
    fn framed(&self, manner: Manner, room: Room, frames: &[Frame]) -> Option<Fitted> {
        let first = |is_strict: bool| {
            frames.iter().find_map(|frame| {
                let draft = self.draft(manner, *frame)?;
                let headline_min = match (is_strict, frame.is_bilingual) {
                    (false, _) => 0,
                    (true, false) => HEADLINE_UNITS_MIN,
                    (true, true) => HEADLINE_UNITS_BEFORE_ENGLISH,
                };
                (room.takes(&draft, headline_min) <= room.most).then_some(draft)
            })
        };
        first(true).or_else(|| first(false)).and_then(|draft| room.laid(draft))
    }

    /// All that could be told in this frame; `None` where that would say nothing.
    fn draft(&self, manner: Manner, frame: Frame) -> Option<Vec<Piece>> {
        let between = manner.between();
        let piece = |before, text, worth| Piece { before, text, worth };
        let Sheet { facts, text, .. } = self.sheet;
        let front = self.front(manner, frame);
        let must = self.must(manner, frame);
        if !frame.has_kind && must.is_empty() {
            return None;
        }
        let given = Some(text.instruction.as_str()).filter(|_| self.keeps_instruction());
        let given = given.map(|given| manner.given(given)).unwrap_or_default();
        let (who, place) = if manner == Manner::Board {
            (String::new(), String::new())
        } else {
            (self.who(manner), self.place(manner))
        };
        let description = match manner {
            Manner::Lines | Manner::Aloud => manner.given(&text.description),
            Manner::Brief(_) | Manner::Board => String::new(),
        };
        let headline = one_line(&manner.given(&text.headline));
        let after_front = if frame.has_kind { ": " } else { " " };
        let mut pieces = vec![
            piece("", front, Worth::Must),
            piece(after_front, headline, Worth::Headline),
            piece(between, description, Worth::Description),
            piece(between, who, Worth::Who),
            piece(between, place, Worth::Place),
            piece(between, must.clone(), Worth::Must),
            piece(between, given.clone(), Worth::Instruction),
        ];
        if manner == Manner::Aloud {
            pieces.push(piece(between, must, Worth::Must));
            pieces.push(piece(between, given, Worth::Again));
        }
        pieces.push(piece(between, self.source_in(manner), Worth::Must));
        if let Some(mark) = watermark(facts.status).filter(|_| manner == Manner::Aloud) {
            pieces.push(piece(between, format!("{}.", mark.vi), Worth::Must));
        }
        Some(pieces)
    }

    /// Whether it is real and still stands (R5), and of what kind it is.
    fn front(&self, manner: Manner, frame: Frame) -> String {
        let not_real = watermark(self.sheet.facts.status);
        let over = follow_up::mark(self.news).filter(|_| !frame.is_short);
        let said = |mark: Watermark| {
            let first = mark.vi.split(" – ").next().unwrap_or(mark.vi);
            let vi = if frame.is_short { first } else { mark.vi };
            match manner {
                Manner::Lines | Manner::Brief(_) if frame.is_bilingual => format!("[{mark}]"),
                Manner::Lines | Manner::Brief(_) => format!("[{vi}]"),
                Manner::Aloud | Manner::Board => format!("{vi}."),
            }
        };
        let marks = [not_real, over].into_iter().flatten().map(said);
        let kind = frame.has_kind.then(|| self.kind().to_owned());
        manner.own(&marks.chain(kind).collect::<Vec<_>>().join(" "))
    }

    /// What every rendering must carry (R20), and what is to be done with what was told before.
    fn must(&self, manner: Manner, frame: Frame) -> String {
        let between = if matches!(manner, Manner::Lines | Manner::Aloud) { "\n" } else { " " };
        let sentences = [mandatory_text(self.sheet.facts.kind, None), follow_up::words(self.news)];
        let said = |sentence: Sentence| {
            manner.own(&if frame.is_bilingual { sentence.to_string() } else { sentence.vi })
        };
        sentences.into_iter().flatten().map(said).collect::<Vec<_>>().join(between)
    }

    /// At an end nothing of it is left to do.
    fn keeps_instruction(&self) -> bool {
        follow_up::keeps_instructions(self.news)
    }

    fn source_in(&self, manner: Manner) -> String {
        match manner {
            Manner::Lines => self.source(),
            Manner::Brief(_) => manner.own(&format!("{}. {}", self.from, self.verify_url)),
            Manner::Aloud => format!("Tin của {}.", self.from),
            Manner::Board => format!("{} – mã kiểm tra {}", self.from, self.sheet.code),
        }
    }

    /// Who is looked for, without a name; empty where nobody knows.
    fn who(&self, manner: Manner) -> String {
        let Sheet { facts, text, .. } = self.sheet;
        let person = facts.person;
        let age = person.and_then(|person| person.age_years).map(|age| format!("{age} tuổi"));
        let sex = person.and_then(|person| person.sex).and_then(|sex| match sex {
            Sex::Male => Some("nam".to_owned()),
            Sex::Female => Some("nữ".to_owned()),
            Sex::Unknown => None,
        });
        let known = [age, sex].into_iter().flatten().map(|known| manner.own(&known));
        let described = [&text.person_clothing, &text.person_description].into_iter();
        let described = described.map(|text| manner.given(text)).filter(|text| !text.is_empty());
        let parts: Vec<String> = known.chain(described).collect();
        if parts.is_empty() {
            return String::new();
        }
        format!("{}{}", manner.own("Đặc điểm: "), parts.join(", "))
    }

    /// Where somebody or something was last seen, and when; empty where nobody knows.
    fn place(&self, manner: Manner) -> String {
        let Sheet { facts, text, .. } = self.sheet;
        let Some(seen) = facts.last_seen else { return String::new() };
        let place = Some(manner.given(&text.place)).filter(|place| !place.is_empty());
        let at = seen.at.map(|at| manner.own(&clock(at)));
        let parts: Vec<String> = [place, at].into_iter().flatten().collect();
        if parts.is_empty() {
            return String::new();
        }
        format!("{}{}", manner.own("Thấy lần cuối: "), parts.join(", "))
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
