//! Sentences that are made in both languages, in the one of the page.

use console::Frame;
use domain::sentence::Sentence;

const ENGLISH: &str = "en";
/// Between the Vietnamese and the English of what is told in both.
const BETWEEN: &str = " / ";

/// One half of what is told in both languages; all of it where it is not two halves.
pub(crate) fn half(frame: &Frame, both: &str) -> String {
    let mut halves = both.split(BETWEEN);
    match (halves.next(), halves.next(), halves.next()) {
        (Some(vi), Some(en), None) => if is_english(frame) { en } else { vi }.to_owned(),
        _ => both.to_owned(),
    }
}

/// A sentence of the domain.
pub(crate) fn sentence(frame: &Frame, sentence: &Sentence) -> String {
    if is_english(frame) { sentence.en.clone() } else { sentence.vi.clone() }
}

fn is_english(frame: &Frame) -> bool {
    frame.tag() == ENGLISH
}
