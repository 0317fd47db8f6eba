//! Single operations of a node, ours and chitchat's: what `cargo bench` times and `tidings-bench count` counts.
//!
//! Both are given the same cluster: names, addresses, generations and key-values of the same lengths, and the same
//! largest packet, 65,507 bytes. Both take bytes and give bytes, so that decoding and encoding are in it. chitchat's come and go through its own UDP transport on the
//! loopback interface, the only public way to it; [`Operation::ChitchatFloor`] is what that costs by itself.

mod chitchat;
mod large;
mod tidings;

use std::net::Ipv4Addr;

use anyhow::Context as _;
use clap::ValueEnum;
use tidings_sim::Random;

/// One operation of one implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Operation {
    /// tidings answers a Syn that has a new heartbeat of every node.
    TidingsAnswer,
    /// chitchat does.
    ChitchatAnswer,
    /// chitchat answers a Syn of another cluster without any entry: what its UDP and its tasks cost.
    ChitchatFloor,
    /// chitchat makes and sends a Syn.
    ChitchatSyn,
    /// tidings looks at every node's liveness and chooses its peers, and has no exchange left to open.
    TidingsLiveness,
    /// tidings runs a whole round: liveness, choice, three Syns.
    TidingsRound,
    /// chitchat does.
    ChitchatRound,
    /// tidings answers the Syn of a node that knows nothing, with ten key-values of every node.
    TidingsJoin,
    /// chitchat does.
    ChitchatJoin,
    /// tidings, knowing nothing, takes that answer, and answers.
    TidingsApply,
    /// chitchat does.
    ChitchatApply,
    /// tidings sets one of its keys, of which somebody holds a snapshot.
    TidingsSet,
    /// tidings takes a delta that does not follow on what it holds of the owner, of which somebody holds a snapshot.
    TidingsIgnored,
    /// tidings answers the Syn of a node that knows nothing, and has far more than fits its packet.
    TidingsKnown,
    /// tidings runs a round in which it collects one tombstone of its own.
    TidingsCollect,
}

/// An operation, made ready.
pub trait Subject {
    /// Gets ready for the next time; not measured.
    ///
    /// # Errors
    /// The node does not do what it should.
    fn prepare(&mut self) -> anyhow::Result<()>;

    /// Does it once, and gives the bytes of what the node has sent.
    ///
    /// # Errors
    /// The node does not do what it should.
    fn perform(&mut self) -> anyhow::Result<usize>;
}

impl Operation {
    /// All of them.
    #[must_use]
    pub fn all() -> &'static [Operation] {
        Operation::value_variants()
    }

    /// The operation in a cluster of so many nodes, this one included; the last four: beside so many key-values.
    ///
    /// # Errors
    /// There are too few nodes, or the node cannot be set up.
    pub fn subject(self, nodes: usize) -> anyhow::Result<Box<dyn Subject>> {
        anyhow::ensure!((2..=100_000).contains(&nodes), "nodes is {nodes}, allowed: 2 to 100000");
        Ok(match self {
            Operation::TidingsAnswer => Box::new(tidings::Answer::new(nodes)?),
            Operation::TidingsLiveness => Box::new(tidings::Round::new(nodes, 1)?),
            Operation::TidingsRound => Box::new(tidings::Round::new(nodes, 32)?),
            Operation::TidingsJoin => Box::new(tidings::Join::new(nodes)?),
            Operation::TidingsApply => Box::new(tidings::Apply::new(nodes)?),
            Operation::ChitchatAnswer => Box::new(chitchat::Answer::new(nodes, chitchat::CLUSTER)?),
            Operation::ChitchatFloor => Box::new(chitchat::Answer::new(1, "another-cluster")?),
            Operation::ChitchatSyn => Box::new(chitchat::Syn::new(nodes)?),
            Operation::ChitchatRound => Box::new(chitchat::Round::new(nodes)?),
            Operation::ChitchatJoin => Box::new(chitchat::Join::new(nodes)?),
            Operation::ChitchatApply => Box::new(chitchat::Apply::new(nodes)?),
            Operation::TidingsSet => Box::new(large::Set::new(nodes)?),
            Operation::TidingsIgnored => Box::new(large::Ignored::new(nodes)?),
            Operation::TidingsKnown => Box::new(large::Known::new(nodes)?),
            Operation::TidingsCollect => Box::new(large::Collect::new(nodes)?),
        })
    }

    /// Does it so often, each time in [`counted_by_valgrind`](crate::count::counted_by_valgrind), and gives the bytes
    /// sent the last time.
    ///
    /// # Errors
    /// As [`Operation::subject`] and [`Subject`].
    pub fn perform(self, nodes: usize, times: usize) -> anyhow::Result<usize> {
        let mut subject = self.subject(nodes)?;
        let mut bytes = 0;
        for time in 0..times {
            subject.prepare()?;
            let outcome = crate::count::counted_by_valgrind(|| subject.perform());
            bytes = outcome.with_context(|| format!("the {time}th time"))?;
        }
        Ok(bytes)
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = self.to_possible_value();
        f.pad(value.as_ref().map_or("", |value| value.get_name()))
    }
}

// ---- the cluster, the same for both ----

const KEYS: usize = 10;

const GENERATION: u64 = 1_750_000_000_000_000_000;

fn name(index: usize) -> String {
    format!("node-{index:05}")
}

/// Addresses on the loopback interface (of Linux, where it has all of 127.0.0.0/8): what is sent to them goes nowhere else.
fn ip(index: usize) -> Ipv4Addr {
    let [.., high, low] = (index as u64).to_be_bytes();
    Ipv4Addr::new(127, 1, high, low)
}

/// The key-values of one node: keys of 12 bytes, values of 24 that do not compress well.
fn key_values(index: usize) -> impl Iterator<Item = (String, String)> {
    let mut random = Random::from_seed(index as u64);
    (0..KEYS).map(move |key| {
        let value: String = (0..24).map(|_| char::from(b"0123456789abcdef"[random.index(16)])).collect();
        (format!("key-{key:08}"), value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_does_its_work() {
        for operation in Operation::all() {
            let mut subject = operation.subject(30).unwrap();
            let mut sent = Vec::new();
            for _ in 0..5 {
                subject.prepare().unwrap();
                sent.push(subject.perform().unwrap());
            }
            // 29 entries of a digest; or as many nodes' key-values, 36 bytes each before any compression.
            let (digest, state) = (29 * 40, 29 * KEYS * 20);
            let expected = match operation {
                Operation::TidingsAnswer | Operation::ChitchatAnswer | Operation::ChitchatSyn => {
                    digest..2 * digest + 200
                }
                Operation::TidingsRound | Operation::ChitchatRound => 3 * digest..3 * (2 * digest + 200),
                Operation::TidingsJoin | Operation::ChitchatJoin => state..state * 5,
                Operation::TidingsLiveness => 0..1,
                Operation::TidingsApply | Operation::ChitchatApply => 1..100,
                Operation::ChitchatFloor => 4..5,
                Operation::TidingsSet | Operation::TidingsIgnored | Operation::TidingsCollect => 0..1,
                Operation::TidingsKnown => 100..65_508,
            };
            assert!(sent.iter().all(|bytes| expected.contains(bytes)), "{operation}: {sent:?}, not in {expected:?}");
        }
        assert!(Operation::TidingsRound.subject(1).is_err());
    }
}
