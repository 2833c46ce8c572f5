//! Sentences that are made in both languages, in the one of the page.

use console::Frame;
use domain::sentence::Sentence;

/// One half of what is told in both languages; all of it where it is not two halves.
pub(crate) fn half(frame: &Frame, both: &str) -> String {
    frame.half(both).to_owned()
}

/// A sentence of the domain.
pub(crate) fn sentence(frame: &Frame, sentence: &Sentence) -> String {
    if frame.is_english() { sentence.en.clone() } else { sentence.vi.clone() }
}
