//! An id as it stands on the wire, and the protobuf fields that it is made of.
//!
//! An id is sent far more often than it is made, and two ids are the same exactly when their bytes are. So an id encodes
//! itself once, when it is made.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Address;

/// The number of an id's own field, the same in all messages.
pub(crate) const FIELD: u32 = 1;

pub(crate) const NAME: u32 = 1;
const GENERATION_ID: u32 = 2;
pub(crate) const GOSSIP_ADVERTISE_ADDR: u32 = 3;
const TLS_NAME: u32 = 4;

const HOST: u32 = 1;
const PORT: u32 = 2;

/// Protobuf's wire types.
const VARINT: u64 = 0;
const LENGTH_DELIMITED: u64 = 2;

/// The id of these parts as a field, and where in it the id itself begins.
pub(super) fn encode(name: &str, generation_id: u64, address: &Address, tls_name: &str) -> (Box<[u8]>, usize) {
    let port = u64::from(address.port());
    let place_len = string_len(address.host()) + uint_len(port);
    let id_len = string_len(name) + uint_len(generation_id) + nested_len(place_len) + string_len(tls_name);

    // Allocated once: most of what a stranger's entry costs is its id.
    let mut field = Vec::with_capacity(nested_len(id_len));
    put_nested(&mut field, FIELD, id_len);
    let begin = field.len();
    put_string(&mut field, NAME, name);
    put_uint(&mut field, GENERATION_ID, generation_id);
    put_nested(&mut field, GOSSIP_ADVERTISE_ADDR, place_len);
    put_string(&mut field, HOST, address.host());
    put_uint(&mut field, PORT, port);
    put_string(&mut field, TLS_NAME, tls_name);
    (field.into_boxed_slice(), begin)
}

/// The length of a nested message's field. All numbers of fields in here take one byte.
fn nested_len(body_len: usize) -> usize {
    1 + varint_len(body_len as u64) + body_len
}

/// The length of a string's field.
fn string_len(text: &str) -> usize {
    if text.is_empty() { 0 } else { nested_len(text.len()) }
}

/// The length of an integer's field.
fn uint_len(value: u64) -> usize {
    if value == 0 { 0 } else { 1 + varint_len(value) }
}

/// Seven bits a byte, at least one byte.
fn varint_len(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}

/// Begins a nested message of this length: it is there even when its body is empty.
pub(crate) fn put_nested(out: &mut Vec<u8>, tag: u32, body_len: usize) {
    put_varint(out, u64::from(tag) << 3 | LENGTH_DELIMITED);
    put_varint(out, body_len as u64);
}

/// A string's field; an empty one is left out.
pub(crate) fn put_string(out: &mut Vec<u8>, tag: u32, text: &str) {
    if !text.is_empty() {
        put_nested(out, tag, text.len());
        out.extend_from_slice(text.as_bytes());
    }
}

/// An integer's field; a zero is left out.
#[inline]
pub(crate) fn put_uint(out: &mut Vec<u8>, tag: u32, value: u64) {
    if value != 0 {
        put_optional(out, tag, Some(value));
    }
}

/// An optional integer's field; a zero that is there is written.
#[inline]
pub(crate) fn put_optional(out: &mut Vec<u8>, tag: u32, value: Option<u64>) {
    if let Some(value) = value {
        put_varint(out, u64::from(tag) << 3 | VARINT);
        put_varint(out, value);
    }
}

/// Seven bits a byte, the lowest first.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "the low seven bits are what is wanted")]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_the_length_that_was_foretold() {
        for len in [0, 1, 100, 127, 128, 20_000] {
            for number in [0, 1, 127, 128, u64::MAX] {
                let (text, port) = ("x".repeat(len), u16::try_from(number).unwrap_or(u16::MAX));
                let (field, begin) = encode(&text, number, &Address::new(text.as_str(), port), &text);
                let mut head = Vec::new();
                put_nested(&mut head, FIELD, field.len() - begin);
                assert_eq!(field[..begin], head[..], "{len} {number}");
            }
        }
    }
}
