//! What the text formats share: numbers, lines of hashes, and what stands before a note.

use std::fmt;

use crate::hash::Hash;

/// The most hashes of a proof: a tree has at most 2^63 − 1 leaves.
pub(crate) const PROOF_HASHES_MAX: usize = 63;

/// A decimal without sign, leading zeros or separators, up to 2^63 − 1: sizes, indexes, seconds.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_shortest = text == "0" || !text.starts_with('0');
    (is_plain && is_shortest).then(|| text.parse::<i64>().ok()?.try_into().ok()).flatten()
}

/// The lines before the first empty line, and the note after it.
pub(crate) fn head_and_note(bytes: &[u8]) -> Option<(std::str::Split<'_, char>, &[u8])> {
    let (head, note) = std::str::from_utf8(bytes).ok()?.split_once("\n\n")?;
    Some((head.split('\n'), note.as_bytes()))
}

/// A proof, one hash a line.
pub(crate) fn hashes<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Vec<Hash>> {
    let proof: Vec<Hash> =
        lines.take(PROOF_HASHES_MAX + 1).map(str::parse).collect::<Result<_, _>>().ok()?;
    (proof.len() <= PROOF_HASHES_MAX).then_some(proof)
}

/// Prints a proof, one hash a line.
pub(crate) fn write_hashes(f: &mut fmt::Formatter<'_>, proof: &[Hash]) -> fmt::Result {
    proof.iter().try_for_each(|hash| writeln!(f, "{hash}"))
}
