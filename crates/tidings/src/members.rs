//! Members by name.

use tidings_tokio::{Member, Snapshot};

/// The member of this name: of each name one run is known.
pub(crate) fn named<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a Member> {
    snapshot.members.iter().find(|member| member.id.name() == name)
}
