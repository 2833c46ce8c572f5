//! Plain text, as people may write it: NFC, no control characters, not blank, bounded.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Characters of a headline.
pub const HEADLINE_CHARS_MAX: usize = 160;
/// Characters of a description.
pub const DESCRIPTION_CHARS_MAX: usize = 4_000;
/// Characters of an instruction.
pub const INSTRUCTION_CHARS_MAX: usize = 500;
/// Characters of a note.
pub const NOTE_CHARS_MAX: usize = 1_000;
/// Characters of a place, a name, a piece of clothing, a legal basis.
pub const LINE_CHARS_MAX: usize = 300;

/// Why a text is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotText {
    /// Nothing but white space.
    #[error("must not be blank")]
    Blank,
    /// A NUL or another control character; line breaks are allowed where lines are.
    #[error("must not contain control characters")]
    Control,
    /// Too long.
    #[error("must have at most {chars_max} characters")]
    TooLong {
        /// The limit.
        chars_max: usize,
    },
}

/// How a text may look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One line.
    Line,
    /// Lines, broken by `\n`.
    Lines,
}

/// Normalises to NFC, trims, and checks. Length is counted in characters after that.
///
/// # Errors
/// [`NotText`]: blank, a control character, or too long.
pub fn plain(text: &str, shape: Shape, chars_max: usize) -> Result<String, NotText> {
    let normal: String = text.replace("\r\n", "\n").trim().nfc().collect();
    if normal.chars().all(|c| c.is_whitespace() || is_invisible(c)) {
        return Err(if text.contains('\0') { NotText::Control } else { NotText::Blank });
    }
    let line_break = |c| shape == Shape::Lines && matches!(c, '\n' | '\t');
    if normal.chars().any(|c| c.is_control() && !line_break(c)) || normal.chars().any(turns_text) {
        return Err(NotText::Control);
    }
    if normal.chars().count() > chars_max {
        return Err(NotText::TooLong { chars_max });
    }
    Ok(normal)
}

/// What a text says, however it is written: compatible forms are one, and case, diacritics,
/// invisible characters and punctuation are gone; words with one space between. For comparing
/// only, as two Vietnamese words may fold into one.
#[must_use]
pub fn folded(text: &str) -> String {
    let is_seen = |c: &char| !is_combining_mark(*c) && !is_invisible(*c) && !turns_text(*c);
    let mut folded = String::with_capacity(text.len());
    for c in text.nfkd().flat_map(char::to_lowercase).filter(is_seen) {
        match c {
            // The stroke is no combining mark; eth looks the same, and some keyboards give it.
            '\u{111}' | '\u{F0}' => folded.push('d'),
            c if c.is_alphanumeric() => folded.push(c),
            _ if folded.is_empty() || folded.ends_with(' ') => {}
            _ => folded.push(' '),
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

/// Characters that nobody sees: a headline of these alone is blank.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{00AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}')
}

/// Bidirectional overrides, which let a text show other than it reads.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_normal_trimmed_and_bounded() {
        let decomposed = "Tìm cháu bé".nfd().collect::<String>();
        assert_eq!(plain(&format!("  {decomposed} "), Shape::Line, 160).unwrap(), "Tìm cháu bé");
        for (text, shape, wrong) in [
            ("", Shape::Line, NotText::Blank),
            (" \u{200B}\u{FEFF} ", Shape::Line, NotText::Blank),
            ("a\0b", Shape::Lines, NotText::Control),
            ("\0", Shape::Lines, NotText::Control),
            ("a\nb", Shape::Line, NotText::Control),
            ("a\u{202E}b", Shape::Line, NotText::Control),
            ("ááá", Shape::Line, NotText::TooLong { chars_max: 2 }),
        ] {
            assert_eq!(plain(text, shape, 2).unwrap_err(), wrong, "{text:?}");
        }
        assert_eq!(plain("a\r\nb", Shape::Lines, 9).unwrap(), "a\nb");
    }

    #[test]
    fn a_folded_text_is_what_it_says() {
        for (text, says) in [
            ("ĐÂY  không-phải diễn tập!", "day khong phai dien tap"),
            ("Ðây (eth)", "day eth"),
            ("ｔｈｉｓ is, not…a\u{200B} dr\u{AD}ill", "this is not a drill"),
            (" … ", ""),
            ("a\u{202E}b\u{2066}c", "abc"),
        ] {
            assert_eq!(folded(text), says, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn folding_is_done_once_and_sees_no_composition(text in "\\PC{0,40}") {
            let once = folded(&text);
            prop_assert_eq!(&folded(&once), &once);
            prop_assert_eq!(&folded(&text.nfd().collect::<String>()), &once);
            prop_assert_eq!(&folded(&text.nfc().collect::<String>()), &once);
        }
    }
}
