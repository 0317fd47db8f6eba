//! A protobuf message's fields, one by one, borrowed from the bytes.
//!
//! The messages that hold repeated entries are read with this instead of as a whole, so that limits count before
//! anything is allocated: an empty entry is 2 bytes in a packet, and 160 once it is a generated type.

use crate::wire::DecodeError;

/// One field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// An integer, a bool or an enum.
    Varint(u64),
    /// A string or a nested message.
    Bytes(&'a [u8]),
    /// 4 or 8 bytes: no field of ours, so nobody asks for the number.
    Fixed,
}

/// Ten times seven bits hold a u64.
const MAX_VARINT_LEN: usize = 10;

/// The fields of one message, in the order in which they stand there.
///
/// After an error it ends. Groups, which proto3 no longer has, are an error.
pub(super) struct Fields<'a> {
    message: &'static str,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of `bytes`; errors call it by `message`, its name in the schema.
    pub(super) fn of(message: &'static str, bytes: &'a [u8]) -> Fields<'a> {
        Fields { message, rest: bytes }
    }

    fn field(&mut self) -> Option<(u32, Value<'a>)> {
        let key = u32::try_from(self.varint()?).ok()?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let len = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(len)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return None,
        };
        (key >> 3 != 0).then_some((key >> 3, value))
    }

    /// Seven bits a byte, the lowest first; at most ten bytes, the last of which can only add one bit.
    fn varint(&mut self) -> Option<u64> {
        let (&first, rest) = self.rest.split_first()?;
        // Nearly all are this short: field keys, lengths, small numbers.
        if first < 0x80 {
            self.rest = rest;
            return Some(first.into());
        }
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

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field().ok_or(DecodeError::NotProtobuf { message: self.message });
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    fn read(bytes: &[u8]) -> Result<Vec<(u32, Value<'_>)>, DecodeError> {
        Fields::of("PacketPb", bytes).collect()
    }

    #[test]
    fn every_wire_type_of_proto3_is_read() {
        let bytes = [0x08, 0x96, 0x01, 0x12, 2, b'h', b'i', 0x1d, 1, 2, 3, 4, 0x21, 1, 2, 3, 4, 5, 6, 7, 8];
        let fields = vec![(1, Value::Varint(150)), (2, Value::Bytes(b"hi")), (3, Value::Fixed), (4, Value::Fixed)];
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
            let mut fields = Fields::of("PacketPb", bytes);
            assert_eq!(fields.next(), Some(Err(DecodeError::NotProtobuf { message: "PacketPb" })), "{bytes:?}");
            assert_eq!(fields.next(), None, "{bytes:?}");
        }
    }
}
