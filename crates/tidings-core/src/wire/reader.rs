//! A protobuf message's fields, one by one, borrowed from the bytes.
//!
//! The messages that hold repeated entries are read with this instead of as a whole, so that limits count before
//! anything is allocated: an empty entry is 2 bytes in a packet, and 160 once it is a generated type.

use crate::wire::DecodeError;

/// One field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::wire) enum Value<'a> {
    /// An integer, a bool or an enum.
    Varint(u64),
    /// A string or a nested message.
    Bytes(&'a [u8]),
    /// 4 or 8 bytes, the lowest first.
    Fixed(u64),
}

/// Ten times seven bits hold a u64.
const MAX_VARINT_LEN: usize = 10;

/// Hands the fields of `bytes` to `take`, in the order in which they stand there. Errors call the message by its name in
/// the schema.
///
/// After an error it ends. Groups, which proto3 no longer has, are an error.
#[inline]
pub(in crate::wire) fn read_fields<'a>(
    message: &'static str,
    bytes: &'a [u8],
    mut take: impl FnMut(u32, Value<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let mut fields = Fields { rest: bytes };
    while !fields.rest.is_empty() {
        let (tag, value) = fields.field().ok_or(DecodeError::NotProtobuf { message })?;
        take(tag, value)?;
    }
    Ok(())
}

/// What is not read yet.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    #[inline(always)]
    fn field(&mut self) -> Option<(u32, Value<'a>)> {
        let key = u32::try_from(self.varint()?).ok()?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.take(8).map(fixed)?,
            2 => {
                let len = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(len)?)
            }
            5 => self.take(4).map(fixed)?,
            _ => return None,
        };
        (key >> 3 != 0).then_some((key >> 3, value))
    }

    #[inline]
    fn varint(&mut self) -> Option<u64> {
        // Nearly all are this short: field keys, lengths, small numbers.
        let (value, rest) = match self.rest {
            [first @ ..0x80, rest @ ..] => (u64::from(*first), rest),
            [first, second @ ..0x80, rest @ ..] => (u64::from(*first & 0x7f) | u64::from(*second) << 7, rest),
            _ => return self.long_varint(),
        };
        self.rest = rest;
        Some(value)
    }

    /// Seven bits a byte, the lowest first; at most ten bytes, the last of which can only add one bit.
    fn long_varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for (place, &byte) in self.rest.iter().enumerate().take(MAX_VARINT_LEN) {
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                self.rest = self.rest.get(place + 1..)?;
                return (place + 1 < MAX_VARINT_LEN || byte <= 1).then_some(value);
            }
        }
        None
    }

    #[inline]
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }
}

fn fixed(bytes: &[u8]) -> Value<'_> {
    Value::Fixed(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    fn read(bytes: &[u8]) -> Result<Vec<(u32, Value<'_>)>, DecodeError> {
        let mut fields = Vec::new();
        let mut take = |tag, value| {
            fields.push((tag, value));
            Ok(())
        };
        read_fields("PacketPb", bytes, &mut take)?;
        Ok(fields)
    }

    #[test]
    fn every_wire_type_of_proto3_is_read() {
        let bytes = [0x08, 0x96, 0x01, 0x12, 2, b'h', b'i', 0x1d, 1, 2, 3, 4, 0x21, 1, 2, 3, 4, 5, 6, 7, 8];
        let fields = vec![
            (1, Value::Varint(150)),
            (2, Value::Bytes(b"hi")),
            (3, Value::Fixed(0x0403_0201)),
            (4, Value::Fixed(0x0807_0605_0403_0201)),
        ];
        assert_eq!(read(&bytes), Ok(fields));
    }

    #[test]
    fn the_largest_varint_is_read_and_one_more_bit_is_not() {
        let mut bytes = [0xff; 11];
        bytes[0] = 0x08;
        bytes[10] = 0x01;
        assert_eq!(read(&bytes), Ok(vec![(1, Value::Varint(u64::MAX))]));
        bytes[10] = 0x02;
        assert!(read(&bytes).is_err());
        bytes[10] = 0x81;
        assert!(read(&bytes).is_err());
    }

    #[test]
    fn what_is_cut_off_or_no_field_is_an_error() {
        let cases: [&[u8]; 9] = [
            &[0x08],
            &[0x08, 0x80],
            &[0x12, 2, b'h'],
            &[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            &[0x1d, 1, 2, 3],
            &[0x21, 1, 2, 3, 4, 5, 6, 7],
            &[0x0b, 0x0c],
            &[0x00, 0x00],
            &[0x80, 0x80, 0x80, 0x80, 0x10, 0x00],
        ];
        for bytes in cases {
            assert_eq!(read(bytes), Err(DecodeError::NotProtobuf { message: "PacketPb" }), "{bytes:?}");
        }
    }
}
