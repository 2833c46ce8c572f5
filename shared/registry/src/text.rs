//! Texts that people will read: bounded, NFC, and without characters that hide or reorder.

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// The most characters of a name.
pub(crate) const NAME_CHARS_MAX: usize = 160;

/// A name as it is kept, in NFC; or why it cannot be one.
pub(crate) fn name(text: &str) -> Result<String, String> {
    let name: String = text.nfc().collect();
    check_name(&name).map(|()| name)
}

/// Whether a text is a name in NFC.
pub(crate) fn check_name(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("is blank".to_owned());
    }
    if text.trim() != text {
        return Err("begins or ends with a space".to_owned());
    }
    if text.chars().count() > NAME_CHARS_MAX {
        return Err(format!("has more than {NAME_CHARS_MAX} characters"));
    }
    if let Some(hidden) = text.chars().find(|letter| is_hidden(*letter)) {
        return Err(format!("contains the control character U+{:04X}", u32::from(hidden)));
    }
    if !text.is_ascii() && !is_nfc(text) {
        return Err("is not in Unicode normalisation form C".to_owned());
    }
    Ok(())
}

/// Controls (NUL and line ends included), separators of lines, and marks of direction, with which
/// a name could show as another one.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_in_nfc() {
        assert_eq!(name("Đa\u{323} Te\u{309}h").unwrap(), "Đạ Tẻh");
        assert_eq!(check_name("Đa\u{323}"), Err("is not in Unicode normalisation form C".into()));
    }

    #[test]
    fn what_hides_is_refused() {
        for wrong in ["", "  ", " a", "a\0b", "a\nb", "a\u{202E}b", &"x".repeat(161)] {
            assert!(name(wrong).is_err(), "{wrong:?}");
        }
        assert!(name(&"ế".repeat(160)).is_ok());
    }
}
