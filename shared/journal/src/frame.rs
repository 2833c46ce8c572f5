//! One entry on disk: a word, a checksum, the payload, zeros up to a multiple of 8 bytes.
//!
//! The word (u32, little endian) has the payload's length and two flags; zero means that nothing
//! was written here yet. The checksum (CRC-32C, u32, little endian) covers the entry's index, the
//! word and the payload, so that a frame at the wrong place is no frame. Frames begin at multiples
//! of 8, so that a head never lies in two sectors: it is written whole or not at all.

/// The most bytes of one entry.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;

/// The size of a frame's head, and what frames are aligned to.
pub(crate) const HEAD_BYTES: usize = 8;

/// The next entry belongs to the same group: they are kept together or not at all.
const CONTINUES: u32 = 1 << 31;
/// The first entry of a batch: whatever stands before it was synced when this was written.
const BEGINS: u32 = 1 << 30;
/// The bits of the length.
const LENGTH: u32 = (1 << 21) - 1;

/// A frame's head that could be one; whether it is says [`Head::checks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    word: u32,
    crc: u32,
}

/// What stands where a frame could begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// Nothing was written here.
    Nothing,
    /// No frame was ever written like this.
    Bad,
    /// Perhaps a frame.
    Head(Head),
}

impl Head {
    /// The head of a frame.
    pub(crate) fn new(index: u64, payload: &[u8], continues: bool, begins: bool) -> Self {
        // Callers have checked the length against PAYLOAD_BYTES_MAX, which is less than LENGTH.
        let mut word = payload.len() as u32 & LENGTH;
        if continues {
            word |= CONTINUES;
        }
        if begins {
            word |= BEGINS;
        }
        Self { word, crc: checksum(index, word, payload) }
    }

    /// Reads a head.
    pub(crate) fn parse(bytes: [u8; HEAD_BYTES]) -> Parsed {
        let [a, b, c, d, e, f, g, h] = bytes;
        let head =
            Self { word: u32::from_le_bytes([a, b, c, d]), crc: u32::from_le_bytes([e, f, g, h]) };
        if head.word == 0 && head.crc == 0 {
            Parsed::Nothing
        } else if head.word & !(CONTINUES | BEGINS | LENGTH) != 0
            || head.payload_bytes() == 0
            || head.payload_bytes() > PAYLOAD_BYTES_MAX
        {
            Parsed::Bad
        } else {
            Parsed::Head(head)
        }
    }

    /// The length of the payload.
    pub(crate) fn payload_bytes(self) -> usize {
        (self.word & LENGTH) as usize
    }

    /// The length of the whole frame.
    pub(crate) fn frame_bytes(self) -> u64 {
        frame_bytes(self.payload_bytes())
    }

    /// Whether the next entry belongs to the same group.
    pub(crate) fn continues(self) -> bool {
        self.word & CONTINUES != 0
    }

    /// Whether this is the first entry of a batch.
    pub(crate) fn begins(self) -> bool {
        self.word & BEGINS != 0
    }

    /// The payload in what follows the head up to the next frame, if it is what was written.
    pub(crate) fn checks(self, index: u64, rest: &[u8]) -> Option<&[u8]> {
        let (payload, padding) = rest.split_at_checked(self.payload_bytes())?;
        let sound = checksum(index, self.word, payload) == self.crc
            && padding.iter().all(|byte| *byte == 0);
        sound.then_some(payload)
    }

    /// Appends the frame to a buffer.
    pub(crate) fn write(self, payload: &[u8], buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(&self.word.to_le_bytes());
        buffer.extend_from_slice(&self.crc.to_le_bytes());
        buffer.extend_from_slice(payload);
        let padding = self.frame_bytes() as usize - HEAD_BYTES - payload.len();
        buffer.resize(buffer.len() + padding, 0);
    }
}

/// The length of a frame with so long a payload.
pub(crate) fn frame_bytes(payload_bytes: usize) -> u64 {
    (HEAD_BYTES + payload_bytes).next_multiple_of(HEAD_BYTES) as u64
}

fn checksum(index: u64, word: u32, payload: &[u8]) -> u32 {
    let crc = crc32c::crc32c(&index.to_le_bytes());
    let crc = crc32c::crc32c_append(crc, &word.to_le_bytes());
    crc32c::crc32c_append(crc, payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_reads_back_only_at_its_own_index() {
        for length in [1, 7, 8, 9, 1000, PAYLOAD_BYTES_MAX] {
            let payload = vec![0xa5; length];
            let mut buffer = Vec::new();
            let head = Head::new(7, &payload, true, false);
            head.write(&payload, &mut buffer);
            assert_eq!(buffer.len() as u64, frame_bytes(length));
            let (front, rest) = buffer.split_at(HEAD_BYTES);
            assert_eq!(Head::parse(front.try_into().unwrap()), Parsed::Head(head));
            assert!(head.continues() && !head.begins());
            assert_eq!(head.checks(7, rest), Some(payload.as_slice()));
            assert_eq!(head.checks(8, rest), None);
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let payload = b"gong";
        let mut frame = Vec::new();
        Head::new(3, payload, false, true).write(payload, &mut frame);
        for bit in 0..frame.len() * 8 {
            let mut flipped = frame.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let (front, rest) = flipped.split_at(HEAD_BYTES);
            match Head::parse(front.try_into().unwrap()) {
                Parsed::Head(head) if head.payload_bytes() <= rest.len() => {
                    assert_eq!(head.checks(3, rest), None, "bit {bit}");
                }
                Parsed::Head(_) | Parsed::Bad => {}
                Parsed::Nothing => panic!("bit {bit}: a written frame is not nothing"),
            }
        }
    }
}
