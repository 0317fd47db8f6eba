//! Durations and choices of nodes as a person writes them in a scenario.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::random::Random;

/// Durations as text, `1m 30s` or `20ms`. For `#[serde(with = ...)]`.
pub(crate) mod duration {
    use super::Duration;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*duration))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text)
            .map_err(|error| D::Error::custom(format!("{text:?} is no duration ({error}); write it as 1m 30s or 20ms")))
    }
}

/// The same, where there may be none.
pub(crate) mod optional_duration {
    use super::Duration;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::duration::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        #[derive(Deserialize)]
        struct Text(#[serde(with = "super::duration")] Duration);
        Ok(Option::deserialize(deserializer)?.map(|Text(duration)| duration))
    }
}

/// Which nodes something happens to: `[0, 3]`, `"3"` for three drawn by chance, `"1%"` of them, at least one, or `"all"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "nodes are a list as [0, 3], or a text: \"3\" of them by chance, \"1%\" or \"all\"")]
pub enum Who {
    /// These.
    Nodes(Vec<usize>),
    /// Some.
    Some(Share),
}

/// How many of all nodes, drawn by chance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Share {
    /// So many.
    Count(usize),
    /// So many of a hundred.
    Percent(f64),
}

impl Default for Who {
    fn default() -> Who {
        Who::Nodes(Vec::new())
    }
}

impl Who {
    pub(crate) fn is_nobody(&self) -> bool {
        matches!(self, Who::Nodes(nodes) if nodes.is_empty())
    }

    /// The nodes this means among `nodes`, in order.
    #[must_use]
    pub fn among(&self, nodes: usize, random: &mut Random) -> Vec<usize> {
        let mut chosen = match self {
            Who::Nodes(list) => list.iter().copied().filter(|index| *index < nodes).collect(),
            Who::Some(Share::Count(count)) => random.sample(nodes, *count),
            Who::Some(Share::Percent(percent)) => {
                // Of at most a few million nodes: exact.
                #[allow(clippy::cast_possible_truncation, reason = "rounded, and never above the number of nodes")]
                let count = (percent * nodes as f64 / 100.0).round() as usize;
                random.sample(nodes, count.clamp(1, nodes))
            }
        };
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Share::Count(count) => write!(f, "{count}"),
            Share::Percent(percent) if *percent >= 100.0 => f.write_str("all"),
            Share::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl From<Share> for String {
    fn from(share: Share) -> String {
        share.to_string()
    }
}

impl TryFrom<String> for Share {
    type Error = String;

    fn try_from(text: String) -> Result<Share, String> {
        text.parse()
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Share, String> {
        let wrong = || format!("{text:?} is no number of nodes; write \"3\", \"1%\" or \"all\"");
        match (text, text.strip_suffix('%')) {
            ("all", _) => Ok(Share::Percent(100.0)),
            (_, Some(percent)) => {
                let percent: f64 = percent.trim().parse().map_err(|_| wrong())?;
                if (0.0..=100.0).contains(&percent) { Ok(Share::Percent(percent)) } else { Err(wrong()) }
            }
            _ => text.parse().map(Share::Count).map_err(|_| wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_mean_what_they_say() {
        let count = |text: &str| {
            let who = Who::Some(text.parse().unwrap());
            who.among(200, &mut Random::from_seed(1)).len()
        };
        assert_eq!((count("3"), count("1%"), count("0.1%"), count("all"), count("999")), (3, 2, 1, 200, 200));
        for text in ["", "x", "101%", "-1"] {
            assert!(text.parse::<Share>().unwrap_err().contains("1%"), "{text}");
        }
        assert_eq!(Who::Nodes(vec![5, 1, 5, 900]).among(10, &mut Random::from_seed(1)), [1, 5]);
    }
}
