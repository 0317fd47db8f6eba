//! Who a node is and where it is reached.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};

mod address;
pub(crate) mod encoded;
mod run;
mod text;

pub use address::{Address, ParseAddressError};
pub use run::Run;
pub(crate) use text::refused_char;

/// One run of one node: its name, which run of it this is, where it is reached, and its certificate's name.
///
/// All four parts together are the identity, as in aiocluster. A restarted node keeps its `name` and takes a higher
/// `generation_id`. Cheap to clone; ordered by name, then generation.
#[derive(Clone)]
pub struct NodeId(Arc<Parts>);

struct Parts {
    name: String,
    generation_id: u64,
    gossip_advertise_addr: Address,
    tls_name: Option<String>,
    /// The id as a field on the wire. An id is sent far more often than it is made, and two are the same exactly when
    /// these bytes are.
    field: Box<[u8]>,
    /// Where in `field` the id itself begins, after its number and length.
    begin: usize,
}

impl NodeId {
    /// An id without a certificate name.
    #[must_use]
    pub fn new(name: impl Into<String>, generation_id: u64, gossip_advertise_addr: Address) -> NodeId {
        NodeId::with_tls_name(name, generation_id, gossip_advertise_addr, None)
    }

    /// An id with the name that the node's certificate holds; `None` and `Some("")` mean that it has none.
    #[must_use]
    pub fn with_tls_name(
        name: impl Into<String>,
        generation_id: u64,
        gossip_advertise_addr: Address,
        tls_name: Option<String>,
    ) -> NodeId {
        let name = name.into();
        let tls_name = tls_name.filter(|name| !name.is_empty());
        let (field, begin) =
            encoded::encode(&name, generation_id, &gossip_advertise_addr, tls_name.as_deref().unwrap_or_default());
        NodeId(Arc::new(Parts { name, generation_id, gossip_advertise_addr, tls_name, field, begin }))
    }

    /// The id as it stands on the wire.
    pub(crate) fn encoded(&self) -> &[u8] {
        self.0.field.get(self.0.begin..).unwrap_or_default()
    }

    /// The same with its field's number, which is one in all messages, and its length.
    pub(crate) fn encoded_field(&self) -> &[u8] {
        &self.0.field
    }

    /// How much memory it takes, in bytes, by an estimate that is the same on every machine.
    pub(crate) fn bytes(&self) -> usize {
        const PARTS: usize = 160;
        let Parts { name, gossip_advertise_addr, tls_name, field, .. } = &*self.0;
        let text = name.len() + gossip_advertise_addr.host().len() + tls_name.as_ref().map_or(0, String::len);
        PARTS + text + field.len()
    }

    /// The id before which no other of this name can stand in order.
    pub(crate) fn lowest_of_name(name: &str) -> NodeId {
        NodeId::new(name, 0, Address::new("", 0))
    }

    /// The name, the same across restarts.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Which run of the node this is; a later run has a higher one.
    #[must_use]
    pub fn generation_id(&self) -> u64 {
        self.0.generation_id
    }

    /// Where other nodes reach this one.
    #[must_use]
    pub fn gossip_advertise_addr(&self) -> &Address {
        &self.0.gossip_advertise_addr
    }

    /// The name its certificate holds, if it has one.
    #[must_use]
    pub fn tls_name(&self) -> Option<&str> {
        self.0.tls_name.as_deref()
    }
}

impl PartialEq for NodeId {
    fn eq(&self, other: &NodeId) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.field == other.0.field
    }
}

impl Eq for NodeId {}

impl Hash for NodeId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.encoded());
    }
}

impl Ord for NodeId {
    fn cmp(&self, other: &NodeId) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ordering::Equal;
        }
        let (a, b) = (&*self.0, &*other.0);
        a.name
            .cmp(&b.name)
            .then_with(|| a.generation_id.cmp(&b.generation_id))
            .then_with(|| a.gossip_advertise_addr.cmp(&b.gossip_advertise_addr))
            .then_with(|| a.tls_name.cmp(&b.tls_name))
    }
}

impl PartialOrd for NodeId {
    fn partial_cmp(&self, other: &NodeId) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// `name-generation-host:port`, as aiocluster prints it.
impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { name, generation_id, gossip_advertise_addr, .. } = &*self.0;
        write!(f, "{name}-{generation_id}-{gossip_advertise_addr}")
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As its four parts.
#[cfg(feature = "record")]
impl serde::Serialize for NodeId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.name(), self.generation_id(), self.gossip_advertise_addr(), self.tls_name()).serialize(serializer)
    }
}

#[cfg(feature = "record")]
impl<'de> serde::Deserialize<'de> for NodeId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<NodeId, D::Error> {
        let (name, generation_id, address, tls_name) =
            <(String, u64, Address, Option<String>)>::deserialize(deserializer)?;
        Ok(NodeId::with_tls_name(name, generation_id, address, tls_name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn generations_of_a_name_are_neighbours_in_order() {
        let id = |name, generation| NodeId::new(name, generation, Address::new("h", 1));
        assert!(id("a", 9) < id("b", 1));
        assert!(id("a", 1) < id("a", 2));
    }

    #[test]
    fn two_ids_are_the_same_when_all_four_parts_are() {
        let id = |name: &str, generation, host: &str, tls: &str| {
            NodeId::with_tls_name(name, generation, Address::new(host, 1), Some(tls.into()))
        };
        let ids =
            [id("a", 1, "h", ""), id("a", 1, "h", "t"), id("a", 1, "i", ""), id("a", 2, "h", ""), id("b", 1, "h", "")];
        for (left, a) in ids.iter().enumerate() {
            for (right, b) in ids.iter().enumerate() {
                assert_eq!((a == b, a.cmp(b)), (left == right, left.cmp(&right)), "{a} and {b}");
            }
            assert_eq!(
                *a,
                NodeId::with_tls_name(
                    a.name(),
                    a.generation_id(),
                    a.gossip_advertise_addr().clone(),
                    a.tls_name().map(Into::into)
                )
            );
        }
    }

    #[test]
    fn an_empty_tls_name_is_none() {
        let id = NodeId::with_tls_name("a", 1, Address::new("h", 1), Some(String::new()));
        assert_eq!(id.tls_name(), None);
        assert_eq!(id.to_string(), "a-1-h:1");
    }
}
