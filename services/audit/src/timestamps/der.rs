//! DER (X.690), as far as time stamps need it: what is written, and what is read back.

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
pub(super) const EXPLICIT_0: u8 = 0xa0;
pub(super) const EXPLICIT_1: u8 = 0xa1;

/// A tag, a length, and what is in it: less than 128 bytes, which is all that is asked.
pub(super) fn short(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let inside = parts.concat();
    debug_assert!(inside.len() < 0x80);
    [&[tag, inside.len() as u8], inside.as_slice()].concat()
}

/// What is left to be read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The next value and its tag; `None` at the end, or where it is no DER of definite length.
    pub(super) fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match *first {
            short @ 0..=0x7f => (usize::from(short), rest),
            long @ 0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(long - 0x80))?;
                let length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
                let is_shortest = length >= 0x80 && bytes.first() != Some(&0);
                (is_shortest.then_some(length)?, rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, value))
    }

    /// The next value, which must have this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, value)| value)
    }

    /// What is in the next value, which must have this tag.
    pub(super) fn enter(&mut self, tag: u8) -> Option<Self> {
        self.expect(tag).map(Self)
    }

    /// The next value where it has this tag; otherwise it stays.
    pub(super) fn skip(&mut self, tag: u8) {
        if self.0.first() == Some(&tag) {
            self.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_what_is_none_is_not() {
        let long = [vec![OCTET_STRING, 0x82, 0x01, 0x00], vec![7; 256]].concat();
        let mut reader = Reader::of(&long);
        assert_eq!(reader.expect(OCTET_STRING).map(<[u8]>::len), Some(256));
        assert!(reader.is_empty() && reader.next().is_none());
        for wrong in [
            &[SEQUENCE][..],
            &[SEQUENCE, 2, 1],
            // Not the shortest length, of indefinite length, longer than there is.
            &[SEQUENCE, 0x81, 1, 1],
            &[SEQUENCE, 0x80, 0, 0],
            &[SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert!(Reader::of(wrong).next().is_none(), "{wrong:?}");
        }
        assert_eq!(short(INTEGER, &[&[1], &[2]]), [INTEGER, 2, 1, 2]);
    }
}
