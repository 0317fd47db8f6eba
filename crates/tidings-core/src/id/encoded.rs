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
    let mut place = Vec::new();
    put_string(&mut place, HOST, address.host());
    put_uint(&mut place, PORT, address.port().into());

    let mut id = Vec::new();
    put_string(&mut id, NAME, name);
    put_uint(&mut id, GENERATION_ID, generation_id);
    put_nested(&mut id, GOSSIP_ADVERTISE_ADDR, place.len());
    id.extend_from_slice(&place);
    put_string(&mut id, TLS_NAME, tls_name);

    let mut field = Vec::new();
    put_nested(&mut field, FIELD, id.len());
    let begin = field.len();
    field.extend_from_slice(&id);
    (field.into_boxed_slice(), begin)
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
