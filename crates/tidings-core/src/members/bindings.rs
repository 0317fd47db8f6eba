//! Which certificate a name belongs to.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};

use crate::id::NodeId;

/// The names that were once used with a certificate, and the `tls_name` that each was used with.
///
/// A member may speak as whatever its certificate holds, so its `tls_name` is its own; but its name it chooses. The first
/// one that is seen to use a name keeps it: another certificate does not get at it, however high a generation it claims.
/// That lasts until [`Node::forget`](crate::Node::forget), or until there is no room.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Bindings {
    tls_names: BTreeMap<String, String>,
}

impl Bindings {
    /// A node has spoken by its certificate. Past `max` names none is bound any more.
    pub(super) fn bind(&mut self, id: &NodeId, max: usize) {
        let Some(tls_name) = id.tls_name() else { return };
        if self.tls_names.len() < max && !self.tls_names.contains_key(id.name()) {
            self.tls_names.insert(id.name().to_string(), tls_name.to_string());
        }
    }

    /// The `tls_name` that this node would have to have, where that is not the one it has.
    pub(super) fn refuses(&self, id: &NodeId) -> Option<&str> {
        let bound = self.tls_names.get(id.name())?;
        let is_same = id.tls_name().is_some_and(|tls_name| tls_name.eq_ignore_ascii_case(bound));
        (!is_same).then_some(bound)
    }

    /// True: it was bound.
    pub(super) fn release(&mut self, name: &str) -> bool {
        self.tls_names.remove(name).is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.tls_names.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Address;

    fn id(name: &str, tls_name: &str) -> NodeId {
        NodeId::with_tls_name(name, 1, Address::new("h", 1), Some(tls_name.into()))
    }

    #[test]
    fn a_name_belongs_to_the_certificate_that_used_it_first_until_it_is_released() {
        let mut bindings = Bindings::default();
        bindings.bind(&id("n1", "n1.example"), 9);
        bindings.bind(&id("n1", "evil.example"), 9);
        assert_eq!(bindings.refuses(&id("n1", "evil.example")), Some("n1.example"));
        assert_eq!(bindings.refuses(&id("n1", "")), Some("n1.example"), "without a certificate least of all");
        assert_eq!(bindings.refuses(&id("n1", "N1.example")), None, "a certificate may be renewed");
        assert!(bindings.release("n1") && !bindings.release("n1"));
        bindings.bind(&id("n1", "evil.example"), 9);
        assert_eq!(bindings.refuses(&id("n1", "n1.example")), Some("evil.example"));
    }

    #[test]
    fn past_the_limit_no_name_is_bound() {
        let mut bindings = Bindings::default();
        for name in ["a", "b", "c"] {
            bindings.bind(&id(name, "x.example"), 2);
        }
        assert_eq!((bindings.len(), bindings.refuses(&id("c", "y.example"))), (2, None));
    }
}
