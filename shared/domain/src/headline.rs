//! The headline: one line of plain text that reads the same on a phone's lock screen, over a
//! loudspeaker and in a browser. No markup, no link, not shouted (R19).

use crate::text::{HEADLINE_CHARS_MAX, NotText, Shape, is_invisible, plain};

/// So many words may be in capitals only; a headline of more is shouted, and read more slowly.
pub const SHOUTED_WORDS_MAX: usize = 4;

/// Why a line is no headline. Whoever wrote it must word it otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotHeadline {
    /// Blank, too long, or with control characters.
    #[error("{0}")]
    Text(#[from] NotText),
    /// A tag, a character reference, or Markdown.
    #[error("must be plain text, without markup")]
    Markup,
    /// A link. A link in a warning is what a fraud looks like; the address to verify stands
    /// beside it anyway.
    #[error("must not contain a link")]
    Link,
    /// Capitals only.
    #[error("must not be in capitals only")]
    Shouted,
}

/// Parses a headline: normal (NFC), trimmed, without characters that nobody sees.
///
/// # Errors
/// [`NotHeadline`].
pub fn headline(text: &str) -> Result<String, NotHeadline> {
    let seen: String = text.chars().filter(|c| !is_invisible(*c)).collect();
    let line = plain(&seen, Shape::Line, HEADLINE_CHARS_MAX)?;
    if has_markup(&line) {
        Err(NotHeadline::Markup)
    } else if has_link(&line) {
        Err(NotHeadline::Link)
    } else if is_shouted(&line) {
        Err(NotHeadline::Shouted)
    } else {
        Ok(line)
    }
}

fn has_markup(line: &str) -> bool {
    const MARKDOWN: [&str; 6] = ["](", "![", "**", "__", "~~", "`"];
    // "< 10" and "A & B" are no markup: a tag begins with a letter, and a reference ends.
    let begins_tag = |rest: &str| {
        rest.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'))
    };
    let is_reference = |rest: &str| {
        rest.split_once(';').is_some_and(|(name, _)| {
            let name = name.strip_prefix('#').unwrap_or(name);
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    };
    line.split('<').skip(1).any(begins_tag)
        || line.split('&').skip(1).any(is_reference)
        || MARKDOWN.iter().any(|mark| line.contains(mark))
        || line.starts_with("# ")
}

/// By scheme or by `www.`; the bare name of a fraud's site may be said.
fn has_link(line: &str) -> bool {
    let line = line.to_lowercase();
    ["://", "www.", "javascript:", "mailto:"].iter().any(|mark| line.contains(mark))
}

fn is_shouted(line: &str) -> bool {
    let has_capital = |word: &&str| word.chars().any(char::is_uppercase);
    !line.chars().any(char::is_lowercase)
        && line.split_whitespace().filter(has_capital).count() > SHOUTED_WORDS_MAX
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_headline_is_one_plain_line() {
        for line in [
            "Tìm cháu bé 4 tuổi đi lạc tại thôn Tây Anh Vinh",
            "Cảnh báo trang giả mạo vneid-gov.com",
            "Nhiệt độ < 10 độ, gió > cấp 6",
            "Nhà A & B; xin báo 113",
            "Mất xe máy 68-B1 123.45 #Wave",
            "TÌM CHÁU BÉ LẠC",
            "SOS",
        ] {
            assert_eq!(headline(line).as_deref(), Ok(line));
        }
        for (line, wrong) in [
            ("Tìm <b>cháu</b>", NotHeadline::Markup),
            ("Tìm <script", NotHeadline::Markup),
            ("Tìm &lt;cháu", NotHeadline::Markup),
            ("Tìm &#60;cháu", NotHeadline::Markup),
            ("Tìm [cháu](tại đây)", NotHeadline::Markup),
            ("Tìm **cháu**", NotHeadline::Markup),
            ("# Tìm cháu", NotHeadline::Markup),
            ("Xem https://an:matkhau@vi.du/a", NotHeadline::Link),
            ("Xem WWW.vi.du", NotHeadline::Link),
            ("TÌM CHÁU BÉ ĐI LẠC Ở CHỢ", NotHeadline::Shouted),
            (" \u{200B} ", NotHeadline::Text(NotText::Blank)),
            ("hai\ndòng", NotHeadline::Text(NotText::Control)),
            ("lộn\u{202E}ngược", NotHeadline::Text(NotText::Control)),
        ] {
            assert_eq!(headline(line), Err(wrong), "{line:?}");
        }
        let long = "ạ".repeat(HEADLINE_CHARS_MAX + 1);
        let too_long = NotText::TooLong { chars_max: HEADLINE_CHARS_MAX };
        assert_eq!(headline(&long), Err(NotHeadline::Text(too_long)));
    }

    proptest! {
        #[test]
        fn what_is_a_headline_stays_the_same_headline(text in "\\PC{0,60}") {
            if let Ok(line) = headline(&text) {
                prop_assert!(line.chars().count() <= HEADLINE_CHARS_MAX);
                prop_assert!(!line.chars().any(|c| c.is_control() || is_invisible(c)));
                prop_assert_eq!(headline(&line), Ok(line));
            }
        }
    }
}
