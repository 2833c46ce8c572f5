//! The fields of a message, read where they stand: nothing is copied.
//!
//! For what is read by the million; everything else goes through the generated types, which take
//! the same bytes for the same message. Groups, which no message of ours has, are refused.

/// The bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its bytes are no message")]
pub struct NotAMessage;

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// A number or an enumeration; a `bool` is true where it is not 0.
    Number(u64),
    /// A text, bytes, or a message.
    Bytes(&'a [u8]),
    /// Of fixed size: no field of ours.
    Fixed,
}

impl<'a> Value<'a> {
    /// The number.
    ///
    /// # Errors
    /// It is none.
    pub fn number(self) -> Result<u64, NotAMessage> {
        if let Self::Number(number) = self { Ok(number) } else { Err(NotAMessage) }
    }

    /// The bytes.
    ///
    /// # Errors
    /// It has none.
    pub fn bytes(self) -> Result<&'a [u8], NotAMessage> {
        if let Self::Bytes(bytes) = self { Ok(bytes) } else { Err(NotAMessage) }
    }

    /// The text.
    ///
    /// # Errors
    /// It is none, or not UTF-8.
    pub fn text(self) -> Result<&'a str, NotAMessage> {
        std::str::from_utf8(self.bytes()?).map_err(|_| NotAMessage)
    }
}

/// The fields of a message in the order of its bytes, each with its number. Of a field that comes
/// twice the last counts. After an error there is nothing more.
#[derive(Debug, Clone)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The fields of the message that these bytes are.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// In place, so that a value goes through registers.
    #[inline(always)]
    fn field(&mut self) -> Result<(u32, Value<'a>), NotAMessage> {
        let key = u32::try_from(self.varint()?).map_err(|_| NotAMessage)?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let bytes = usize::try_from(self.varint()?).map_err(|_| NotAMessage)?;
                Value::Bytes(self.take(bytes)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return Err(NotAMessage),
        };
        let number = key >> 3;
        if number == 0 { Err(NotAMessage) } else { Ok((number, value)) }
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, NotAMessage> {
        match self.0.split_first() {
            Some((byte, rest)) if *byte < 0x80 => {
                self.0 = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, NotAMessage> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or(NotAMessage)?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(NotAMessage);
            }
            number |= bits << shift;
            if *byte < 0x80 {
                return Ok(number);
            }
        }
        Err(NotAMessage)
    }

    fn take(&mut self, bytes: usize) -> Result<&'a [u8], NotAMessage> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or(NotAMessage)?;
        self.0 = rest;
        Ok(taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), NotAMessage>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<(u32, Value<'_>)>, NotAMessage> {
        Fields::of(bytes).collect()
    }

    #[test]
    fn fields_are_read_where_they_stand() {
        let bytes = b"\x08\x96\x01\x12\x05c\xe1\xbb\x93n\x19abcdefgh\x25abcd\x0a\x00";
        let fields = [
            (1, Value::Number(150)),
            (2, Value::Bytes("cồn".as_bytes())),
            (3, Value::Fixed),
            (4, Value::Fixed),
            (1, Value::Bytes(b"")),
        ];
        assert_eq!(read(bytes).unwrap(), fields);
        assert_eq!(
            fields.map(|(_, value)| value.number().ok()),
            [Some(150), None, None, None, None]
        );
        assert_eq!(fields[1].1.text(), Ok("cồn"));
        assert_eq!(Value::Bytes(b"\xe1\xbb").text(), Err(NotAMessage));
        for cut in 1..bytes.len() {
            let whole = [3, 10, 19, 24].contains(&cut);
            assert_eq!(read(&bytes[..cut]).is_ok(), whole, "{cut}");
        }
    }

    #[test]
    fn numbers_have_64_bits() {
        let most = [b"\x08".as_slice(), &[0xff; 9], b"\x01"].concat();
        assert_eq!(read(&most).unwrap(), [(1, Value::Number(u64::MAX))]);
        let more = [b"\x08".as_slice(), &[0xff; 9], b"\x02"].concat();
        let longer = [b"\x08".as_slice(), &[0x80; 10], b"\x00"].concat();
        for none in [more.as_slice(), &longer, b"\x00\x01", b"\x0b\x0c", b"\x0f"] {
            assert_eq!(read(none), Err(NotAMessage));
        }
    }
}
