//! The links between nodes: latency, loss, repetition, reordering, bandwidth, and cuts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidings_core::Instant;

use crate::random::{Random, nanos};

/// How long a packet takes: evenly spread from `min` to `max`, and with the probability `tail` twice as long, and again
/// with that probability twice as long as that, and so on up to 64 times.
///
/// As text: `5ms`, `1ms..20ms`, or `1ms..20ms tail 0.05`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Latency {
    /// The shortest.
    pub min: Duration,
    /// The longest outside the tail.
    pub max: Duration,
    /// The probability of each doubling, 0 to 1.
    pub tail: f64,
}

impl Latency {
    fn draw(&self, random: &mut Random) -> Duration {
        let mut latency = random.duration(self.min, self.max);
        for _ in 0..6 {
            if !random.chance(self.tail) {
                break;
            }
            latency *= 2;
        }
        latency
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |duration| humantime::format_duration(duration).to_string().replace(' ', "");
        write!(f, "{}", text(self.min))?;
        if self.max != self.min {
            write!(f, "..{}", text(self.max))?;
        }
        if self.tail > 0.0 {
            write!(f, " tail {}", self.tail)?;
        }
        Ok(())
    }
}

impl From<Latency> for String {
    fn from(latency: Latency) -> String {
        latency.to_string()
    }
}

impl TryFrom<String> for Latency {
    type Error = String;

    fn try_from(text: String) -> Result<Latency, String> {
        text.parse()
    }
}

impl FromStr for Latency {
    type Err = String;

    fn from_str(text: &str) -> Result<Latency, String> {
        let wrong = || format!("latency {text:?} is none; write it as 5ms, 1ms..20ms, or 1ms..20ms tail 0.05");
        let (range, tail) = match text.split_once(" tail ") {
            Some((range, tail)) => (range, tail.trim().parse().map_err(|_| wrong())?),
            None => (text, 0.0),
        };
        let (min, max) = range.split_once("..").unwrap_or((range, range));
        let parse = |text: &str| humantime::parse_duration(text.trim()).map_err(|_| wrong());
        let latency = Latency { min: parse(min)?, max: parse(max)?, tail };
        if latency.min <= latency.max && (0.0..=1.0).contains(&tail) { Ok(latency) } else { Err(wrong()) }
    }
}

/// How every link behaves that nothing else is said about.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkConfig {
    /// How long a packet takes one way.
    pub latency: Latency,
    /// The probability that a packet of an exchange is lost. TCP's own handshake is not: a lost packet stands for a
    /// connection that stalls until a deadline ends it.
    pub loss: f64,
    /// The probability that a packet comes twice.
    pub duplicate: f64,
    /// The probability that a packet takes ten times as long, so that others overtake it.
    pub reorder: f64,
    /// Bytes a second that each node can send; 0: no bound.
    pub bandwidth: u64,
}

impl Default for LinkConfig {
    fn default() -> LinkConfig {
        let latency = Latency { min: Duration::from_millis(1), max: Duration::from_millis(20), tail: 0.0 };
        LinkConfig { latency, loss: 0.0, duplicate: 0.0, reorder: 0.0, bandwidth: 0 }
    }
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It never comes.
    Lost,
    /// It comes.
    Arrives {
        /// When.
        at: Instant,
        /// When it comes once more, if it does.
        again: Option<Instant>,
    },
}

/// All links, and what is wrong with them now. A node is named by its index.
#[derive(Clone, Debug)]
pub struct Network {
    config: LinkConfig,
    random: Random,
    /// One-way cuts, from and to.
    cuts: BTreeSet<(usize, usize)>,
    /// Nodes that nobody reaches.
    deaf: BTreeSet<usize>,
    /// The side of a partition each node is on; absent: side 0.
    sides: BTreeMap<usize, u32>,
    /// The loss of what a node sends and receives, where it is worse than the others'.
    losses: BTreeMap<usize, f64>,
    /// When each node has sent what it was given to send.
    free_at: BTreeMap<usize, Instant>,
}

impl Network {
    /// Links that all behave so, and whose chance is `random`.
    #[must_use]
    pub fn new(config: LinkConfig, random: Random) -> Network {
        Network {
            config,
            random,
            cuts: BTreeSet::new(),
            deaf: BTreeSet::new(),
            sides: BTreeMap::new(),
            losses: BTreeMap::new(),
            free_at: BTreeMap::new(),
        }
    }

    /// Changes how links behave from now on.
    pub fn configure(&mut self, config: LinkConfig) {
        self.config = config;
    }

    /// Cuts the way from one node to another; the way back stays.
    pub fn cut(&mut self, from: usize, to: usize) {
        self.cuts.insert((from, to));
    }

    /// Ends a cut.
    pub fn mend(&mut self, from: usize, to: usize) {
        self.cuts.remove(&(from, to));
    }

    /// Lets nothing reach `node` any more, or lets it again; what it sends still arrives.
    pub fn set_deaf(&mut self, node: usize, is_deaf: bool) {
        if is_deaf {
            self.deaf.insert(node);
        } else {
            self.deaf.remove(&node);
        }
    }

    /// Puts these nodes on a side of their own: packets pass within a side only.
    pub fn separate(&mut self, nodes: &[usize], side: u32) {
        self.sides.extend(nodes.iter().map(|node| (*node, side)));
    }

    /// The probability at which packets from and to this node are lost.
    pub fn set_loss(&mut self, node: usize, loss: f64) {
        self.losses.insert(node, loss);
    }

    /// Ends all cuts, partitions and losses of single nodes.
    pub fn heal(&mut self) {
        self.cuts.clear();
        self.deaf.clear();
        self.sides.clear();
        self.losses.clear();
    }

    /// Ends all that holds for this one node, which is gone.
    pub(crate) fn forget(&mut self, node: usize) {
        self.cuts.retain(|(from, to)| *from != node && *to != node);
        self.deaf.remove(&node);
        self.sides.remove(&node);
        self.losses.remove(&node);
        self.free_at.remove(&node);
    }

    /// Whether nothing passes from one node to the other.
    #[must_use]
    pub fn is_cut(&self, from: usize, to: usize) -> bool {
        let side = |node| self.sides.get(node).copied().unwrap_or(0);
        self.cuts.contains(&(from, to)) || self.deaf.contains(&to) || side(&from) != side(&to)
    }

    /// The time that something small takes, a TCP handshake's segment say.
    pub(crate) fn latency(&mut self) -> Duration {
        self.config.latency.draw(&mut self.random)
    }

    /// Sends a packet of `bytes` at `now`.
    pub fn carry(&mut self, now: Instant, from: usize, to: usize, bytes: usize) -> Fate {
        let sent = self.sent_at(now, from, bytes);
        let worse = |node| self.losses.get(node).copied().unwrap_or(0.0);
        let loss = self.config.loss.max(worse(&from)).max(worse(&to));
        if self.random.chance(loss) || self.is_cut(from, to) {
            return Fate::Lost;
        }
        let mut latency = self.latency();
        if self.random.chance(self.config.reorder) {
            latency *= 10;
        }
        let again = self.random.chance(self.config.duplicate);
        let again = again.then(|| sent + latency + self.latency() * 2);
        Fate::Arrives { at: sent + latency, again }
    }

    /// When the last byte has left.
    fn sent_at(&mut self, now: Instant, from: usize, bytes: usize) -> Instant {
        if self.config.bandwidth == 0 {
            return now;
        }
        const SECOND: u64 = 1_000_000_000;
        let takes = Duration::from_nanos((bytes as u64).saturating_mul(SECOND) / self.config.bandwidth);
        let free_at = self.free_at.entry(from).or_insert(now);
        *free_at = (*free_at).max(now) + takes;
        *free_at
    }

    /// The longest that something small takes now.
    #[must_use]
    pub fn worst_latency(&self) -> Duration {
        let doublings = if self.config.latency.tail > 0.0 { 6 } else { 0 };
        Duration::from_nanos(nanos(self.config.latency.max) << doublings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(config: LinkConfig) -> Network {
        Network::new(config, Random::from_seed(1))
    }

    #[test]
    fn latencies_read_back_as_they_print() {
        for text in ["5ms", "1ms..20ms", "1ms..20ms tail 0.05"] {
            assert_eq!(text.parse::<Latency>().unwrap().to_string(), text);
        }
        for text in ["", "5", "20ms..1ms", "1ms..20ms tail 2", "fast"] {
            assert!(text.parse::<Latency>().unwrap_err().contains("1ms..20ms"), "{text}");
        }
    }

    #[test]
    fn cuts_are_one_way_partitions_both_and_heal_ends_all() {
        let mut network = network(LinkConfig::default());
        network.cut(0, 1);
        assert!(network.is_cut(0, 1) && !network.is_cut(1, 0));
        network.set_deaf(2, true);
        assert!(network.is_cut(0, 2) && !network.is_cut(2, 0));
        network.separate(&[3, 4], 1);
        assert!(network.is_cut(3, 0) && network.is_cut(0, 3) && !network.is_cut(3, 4));
        assert_eq!(network.carry(Instant::ZERO, 0, 3, 1), Fate::Lost);
        network.heal();
        assert!(!network.is_cut(0, 1) && !network.is_cut(0, 2) && !network.is_cut(3, 0));
    }

    #[test]
    fn loss_and_repetition_come_as_often_as_asked() {
        let mut network = network(LinkConfig { loss: 0.2, duplicate: 0.5, ..LinkConfig::default() });
        let fates: Vec<Fate> = (0..10_000).map(|_| network.carry(Instant::ZERO, 0, 1, 100)).collect();
        let lost = fates.iter().filter(|fate| **fate == Fate::Lost).count();
        let twice = fates.iter().filter(|fate| matches!(fate, Fate::Arrives { again: Some(_), .. })).count();
        assert!((1_850..2_150).contains(&lost), "{lost}");
        assert!((3_800..4_200).contains(&twice), "{twice}");
    }

    #[test]
    fn bandwidth_makes_packets_wait_for_each_other() {
        let latency = Latency { min: Duration::ZERO, max: Duration::ZERO, tail: 0.0 };
        let mut network = network(LinkConfig { latency, bandwidth: 1_000, ..LinkConfig::default() });
        for second in 1..=3 {
            let fate = network.carry(Instant::ZERO, 0, 1, 1_000);
            assert_eq!(fate, Fate::Arrives { at: Instant::from_secs(second), again: None });
        }
        assert!(matches!(network.carry(Instant::ZERO, 1, 0, 0), Fate::Arrives { at: Instant::ZERO, .. }));
    }
}
