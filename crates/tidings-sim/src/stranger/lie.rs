//! The lies that a stranger tells, as data, and the entries and deltas that they come to.

use serde::{Deserialize, Serialize};
use tidings_core::reconcile::NodeDelta;
use tidings_core::wire::aiocluster::NodeDigest;
use tidings_core::{Address, KeyValueUpdate, MAX_VERSION, NodeId, Run, ValueStatus};

use super::Actor;

/// One thing that a stranger says against the truth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "lie", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Lie {
    /// A node's heartbeat and version are higher than those heard.
    Raise {
        /// The heartbeat by so much.
        #[serde(default)]
        heartbeat: u64,
        /// The version by so much.
        #[serde(default)]
        version: u64,
    },
    /// A node beats on, once with each packet: a dead one, or a live one a little faster than it does.
    Beat {},
    /// Another run of a node's name is there, and beats with each packet.
    Run {
        /// With this generation.
        generation: ForgedGeneration,
        /// Where it is said to be.
        at: ForgedAddress,
    },
    /// A node has left: its key `tidings.left`, in its name.
    Farewell {},
    /// A node has set its key `forged`.
    Keys {
        /// With a version so far above the one heard.
        above: u64,
    },
    /// A node is one of ours, of the run with this number; 0: it is an aiocluster node.
    Revision {
        /// The run.
        revision: u32,
    },
    /// Nodes are there that are not.
    Invent {
        /// So many.
        nodes: u32,
        /// They beat with each packet; else they were heard of, and never beat.
        #[serde(default)]
        beat: bool,
    },
}

/// The generation of a run that was never started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForgedGeneration {
    /// Higher than that of the true run by a second, the same in each packet: one run that beats.
    Higher,
    /// Higher by one more second in each packet: run after run.
    Newer,
    /// Lower by a second.
    Lower,
    /// That of the true run, at another address.
    Same,
}

/// Where a run that was never started is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForgedAddress {
    /// Where the true run is.
    Owner,
    /// Where nobody is.
    Nobody,
    /// Where the stranger answers. It has the stranger's `tls_name`, and where the stranger
    /// [speaks as its victim](super::Stranger::as_owner), it speaks as this run.
    Stranger,
}

/// A forged key-value at a version that its owner is about to use is not told from the owner's own: what one node relays of
/// another is not signed (docs/protocol.md). So lies stand above what an owner writes meanwhile, where it hears of them.
pub(crate) const BEYOND_WHAT_IS_WRITTEN: u64 = 5_000;

/// The key in which a node says that it leaves.
const LEFT: &str = "tidings.left";
/// A second of a generation, which counts nanoseconds.
const SECOND: u64 = 1_000_000_000;

impl Actor {
    /// What the digest says against the truth.
    pub(super) fn false_entries(&mut self, victim: Option<&NodeDigest>) -> Vec<NodeDigest> {
        let mut entries: Vec<NodeDigest> = Vec::new();
        for lie in self.stranger.lies.clone() {
            if let Lie::Invent { nodes, beat } = lie {
                let heartbeat = if beat { self.heartbeat } else { 1 };
                entries.extend((0..nodes).map(|number| self.invented(number, heartbeat)));
            }
            let Some(heard) = victim else { continue };
            let about_heard = |entries: &mut Vec<NodeDigest>, change: &dyn Fn(&mut NodeDigest)| {
                // Several lies about one node are one entry.
                match entries.iter_mut().find(|entry| entry.node_id == heard.node_id) {
                    Some(entry) => change(entry),
                    None => {
                        let mut entry = self.shown(heard);
                        change(&mut entry);
                        entries.push(entry);
                    }
                }
            };
            match lie {
                Lie::Raise { heartbeat, version } => about_heard(&mut entries, &|entry| {
                    entry.heartbeat = raised(entry.heartbeat, heartbeat);
                    entry.max_version = raised(entry.max_version, version);
                }),
                Lie::Beat {} => {
                    let beats = self.heartbeat;
                    about_heard(&mut entries, &|entry| entry.heartbeat = raised(entry.heartbeat, beats));
                }
                Lie::Revision { revision } => about_heard(&mut entries, &|entry| entry.run = Run::new(revision)),
                Lie::Run { generation, at } => {
                    let entry = self.forged_run(heard, generation, at);
                    self.forged.insert(entry.node_id.clone());
                    entries.push(entry);
                }
                Lie::Farewell {} | Lie::Keys { .. } | Lie::Invent { .. } => {}
            }
        }
        entries
    }

    /// What the delta says against the truth.
    pub(super) fn false_news(&self, victim: Option<&NodeDigest>) -> Vec<NodeDelta> {
        let Some(heard) = victim else { return Vec::new() };
        let of_victim = |key: &str, value: &str, above: u64| {
            let from = heard.complete_version();
            let version = raised(from, above);
            let update = KeyValueUpdate { key: key.into(), value: value.into(), version, status: ValueStatus::Set };
            NodeDelta {
                node_id: heard.node_id.clone(),
                from_version_excluded: from,
                last_gc_version: heard.last_gc_version,
                key_values: vec![update],
                max_version: Some(version),
                sender_complete_version: self.stranger.is_marked.then_some(version),
                run: heard.run,
            }
        };
        let lies = self.stranger.lies.iter().filter_map(|lie| match lie {
            Lie::Farewell {} => Some(of_victim(LEFT, "", BEYOND_WHAT_IS_WRITTEN)),
            Lie::Keys { above } => Some(of_victim("forged", "by a stranger", *above)),
            _ => None,
        });
        lies.collect()
    }

    fn invented(&self, number: u32, heartbeat: u64) -> NodeDigest {
        let node_id = NodeId::new(format!("invented{number}"), 1, nowhere(number));
        NodeDigest { node_id, heartbeat, ..self.own_entry() }
    }

    fn forged_run(&self, heard: &NodeDigest, generation: ForgedGeneration, at: ForgedAddress) -> NodeDigest {
        let (id, own) = (&heard.node_id, &self.stranger.id);
        let generation = match generation {
            ForgedGeneration::Higher => raised(id.generation_id(), SECOND),
            ForgedGeneration::Newer => {
                raised(id.generation_id(), self.lies_told.saturating_add(1).saturating_mul(SECOND))
            }
            ForgedGeneration::Lower => id.generation_id().saturating_sub(SECOND),
            ForgedGeneration::Same => id.generation_id(),
        };
        let (address, tls_name) = match at {
            ForgedAddress::Owner => (id.gossip_advertise_addr().clone(), id.tls_name()),
            ForgedAddress::Nobody => (nowhere(u32::MAX), id.tls_name()),
            ForgedAddress::Stranger => (own.gossip_advertise_addr().clone(), own.tls_name()),
        };
        let node_id = NodeId::with_tls_name(id.name(), generation, address, tls_name.map(str::to_string));
        NodeDigest { node_id, ..self.own_entry() }
    }
}

fn raised(number: u64, by: u64) -> u64 {
    number.saturating_add(by).min(MAX_VERSION)
}

/// An address where nobody is.
fn nowhere(number: u32) -> Address {
    let [_, high, middle, low] = number.to_be_bytes();
    Address::new(format!("192.{high}.{middle}.{low}"), 7000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lies_read_back_as_they_are_written() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Lies {
            lies: Vec<Lie>,
        }
        let lies = Lies {
            lies: vec![
                Lie::Raise { heartbeat: 3 << 30, version: 0 },
                Lie::Beat {},
                Lie::Run { generation: ForgedGeneration::Higher, at: ForgedAddress::Nobody },
                Lie::Farewell {},
                Lie::Keys { above: 5 },
                Lie::Revision { revision: 1 },
                Lie::Invent { nodes: 7, beat: true },
            ],
        };
        let text = toml::to_string(&lies).unwrap();
        assert_eq!(toml::from_str::<Lies>(&text).unwrap(), lies, "{text}");
    }
}
