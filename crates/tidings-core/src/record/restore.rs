//! Whether a checkpoint can be a node's state. A file may say anything, and nothing in the node checks its own state
//! again.

use crate::invariants;
use crate::limits::MAX_VERSION;
use crate::node::Node;

/// No honest number comes near this, and it leaves room to count up.
const HIGHEST: u64 = MAX_VERSION + (MAX_VERSION >> 1);

/// # Errors
/// What does not hold.
pub(super) fn check(node: &Node) -> Result<(), &'static str> {
    let knowledge = node.knowledge();
    let config = node.config();
    config.validate().map_err(|_| "its config is not valid")?;
    if *knowledge.cluster_id != *config.cluster_id || *knowledge.members.self_id() != config.node_id {
        return Err("it is not who its config says");
    }
    if !knowledge.events.is_within(&config.limits) {
        return Err("its limits of events are not the config's");
    }
    let own = knowledge.own.state();
    let numbers = [
        knowledge.own.heartbeat,
        own.max_version(),
        own.last_gc_version(),
        knowledge.members.highest_number(),
        knowledge.events.last_sequence(),
        node.exchanges().last_id().number(),
        node.farewell().map_or(0, |farewell| farewell.pending() as u64),
    ];
    if numbers.iter().any(|number| *number > HIGHEST) {
        return Err("a number is higher than anything can be counted");
    }
    invariants::check(node).map_err(|_| "its tables do not agree with each other, or are over a limit")
}
