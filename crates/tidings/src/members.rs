//! Members by name: over time one name can have several generations.

use tidings_tokio::{Liveness, Member, Snapshot};

/// Of the generations of one name the live one, else the newest.
pub(crate) fn foremost<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a Member> {
    let named = snapshot.members.iter().filter(|member| member.id.name() == name);
    named.max_by_key(|member| (member.liveness == Liveness::Live, member.id.generation_id()))
}
