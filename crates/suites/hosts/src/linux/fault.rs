//! What the switch drops: nftables rules in its bridge, and counters that prove that they did something.

use std::fmt::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::linux::namespace::Namespace;
use crate::linux::{requirements, tool};

const TABLE: &str = "bridge tidings-faults";

/// Frames that the switch drops.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule<'a> {
    /// All from one of the first hosts to one of the second, but not the other way.
    OneWay { from: &'a [&'a str], to: &'a [&'a str] },
    /// All that this host sends.
    Mute(&'a str),
    /// All IP packets from and to this host. Its hardware address is still found, so that nothing tells a sender that
    /// its packets vanish.
    Blackhole(&'a str),
    /// What would open a TCP connection from this host. Those that others open to it work in both directions.
    NoDialling(&'a str),
    /// So many of 100, drawn at random.
    Loss { percent: u8 },
}

/// How many frames the switch was to forward, and how many of them it dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Drops {
    pub(crate) seen: u64,
    pub(crate) dropped: u64,
}

/// Installs these rules in place of any others, in one step.
pub(crate) fn install(switch: &Namespace, rules: &[Rule<'_>]) -> Result<()> {
    tool::run(switch.command(nft()).args(["-f", "-"]), &script(rules)).map(drop).context(
        "cannot install rules in the switch; the kernel needs nf_tables with the bridge family (NF_TABLES_BRIDGE) and \
         numgen (NFT_NUMGEN)",
    )
}

/// Removes the rules and gives their counters.
pub(crate) fn remove(switch: &Namespace) -> Result<Drops> {
    let listed = tool::run(switch.command(nft()).args(["-j", "list", "counters", "table"]).args(TABLE.split(' ')), "")?;
    tool::run(switch.command(nft()).args(["delete", "table"]).args(TABLE.split(' ')), "")?;
    drops(&listed).with_context(|| format!("nft gave no such counters: {listed}"))
}

fn nft() -> PathBuf {
    requirements::find("nft").unwrap_or_else(|| "nft".into())
}

/// Rules for `nft -f`.
fn script(rules: &[Rule<'_>]) -> String {
    let mut chain = String::new();
    for rule in rules {
        for frames in rule.matches() {
            let _ = writeln!(chain, "    {frames} counter name dropped drop");
        }
    }
    // Declared, then deleted, so that deleting works whether or not it was there.
    format!(
        "table {TABLE} {{ }}\ndelete table {TABLE}\ntable {TABLE} {{\n  counter seen {{ }}\n  counter dropped {{ }}\n  \
         chain forward {{\n    type filter hook forward priority 0; policy accept;\n    counter name seen\n{chain}  }}\n}}\n"
    )
}

impl Rule<'_> {
    fn matches(&self) -> Vec<String> {
        match self {
            Rule::OneWay { from, to } => vec![format!("iifname {} oifname {}", set(from), set(to))],
            Rule::Mute(host) => vec![format!("iifname {}", set(&[host]))],
            Rule::Blackhole(host) => {
                ["iifname", "oifname"].map(|side| format!("ether type {{ ip, ip6 }} {side} {}", set(&[host]))).to_vec()
            }
            Rule::NoDialling(host) => vec![format!("iifname {} tcp flags & (syn | ack) == syn", set(&[host]))],
            Rule::Loss { percent } => vec![format!("numgen random mod 100 < {percent}")],
        }
    }
}

fn set(hosts: &[&str]) -> String {
    format!("{{ {} }}", hosts.iter().map(|host| format!("{host:?}")).collect::<Vec<_>>().join(", "))
}

/// The counters in the output of `nft -j list counters`.
fn drops(listed: &str) -> Option<Drops> {
    let listed: Value = serde_json::from_str(listed).ok()?;
    let counters = || listed["nftables"].as_array().into_iter().flatten().map(|entry| &entry["counter"]);
    let packets = |name: &str| counters().find(|counter| counter["name"] == name)?["packets"].as_u64();
    Some(Drops { seen: packets("seen")?, dropped: packets("dropped")? })
}

impl fmt::Display for Drops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Drops { seen, dropped } = self;
        write!(f, "{dropped} of {seen} frames were dropped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_matches_its_frames() {
        let rules = [
            Rule::OneWay { from: &["a"], to: &["b", "c"] },
            Rule::Mute("d"),
            Rule::Blackhole("e"),
            Rule::NoDialling("f"),
            Rule::Loss { percent: 30 },
        ];
        let script = script(&rules);
        for line in [
            "iifname { \"a\" } oifname { \"b\", \"c\" } counter name dropped drop",
            "iifname { \"d\" } counter name dropped drop",
            "ether type { ip, ip6 } iifname { \"e\" } counter name dropped drop",
            "ether type { ip, ip6 } oifname { \"e\" } counter name dropped drop",
            "iifname { \"f\" } tcp flags & (syn | ack) == syn counter name dropped drop",
            "numgen random mod 100 < 30 counter name dropped drop",
        ] {
            assert_eq!(script.lines().filter(|have| have.trim() == line).count(), 1, "{line}\n{script}");
        }
    }

    #[test]
    fn counters_are_read_by_name() {
        let listed = r#"{"nftables": [{"metainfo": {"version": "1.0.6"}},
            {"counter": {"family": "bridge", "name": "seen", "packets": 10, "bytes": 840}},
            {"counter": {"family": "bridge", "name": "dropped", "packets": 3, "bytes": 252}}]}"#;
        assert_eq!(drops(listed), Some(Drops { seen: 10, dropped: 3 }));
        assert_eq!(drops(r#"{"nftables": []}"#), None);
        assert_eq!(drops("counter seen"), None);
    }
}
