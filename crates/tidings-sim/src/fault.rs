//! What goes wrong, as data, and the plan of single actions that it comes to.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidings_core::Instant;

use crate::random::Random;
use crate::scenario::ScenarioError;
use crate::text::{Who, duration};

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// When, from the start.
    #[serde(with = "duration")]
    pub at: Duration,
    /// To whom.
    pub who: Who,
    /// How much later it happens to each further one of them.
    #[serde(default, with = "duration", skip_serializing_if = "Duration::is_zero")]
    pub stagger: Duration,
    /// How often it happens, to the same ones; 0 is once, as 1 is.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub times: u32,
    /// The time from one to the next.
    #[serde(default, with = "duration", skip_serializing_if = "Duration::is_zero")]
    pub every: Duration,
    /// What.
    #[serde(flatten)]
    pub kind: FaultKind,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum FaultKind {
    /// The process ends, for good.
    Crash {
        /// Its host goes with it, so that connections to it hang instead of being refused.
        #[serde(default)]
        power: bool,
    },
    /// The process ends and comes back with nothing but its config.
    Restart {
        /// After so long.
        #[serde(with = "duration")]
        down: Duration,
        /// With which generation.
        #[serde(default)]
        generation: Generation,
    },
    /// The process says goodbye and ends, for good.
    Leave {},
    /// The process is stopped and goes on later.
    Pause {
        /// After so long.
        #[serde(rename = "for", with = "duration")]
        duration: Duration,
    },
    /// All its packets wait, in and out, while its timers go on.
    Stall {
        /// For so long.
        #[serde(rename = "for", with = "duration")]
        duration: Duration,
    },
    /// Each of its packets takes longer.
    Slow {
        /// By so much, in and out.
        #[serde(with = "duration")]
        delay: Duration,
        /// For so long.
        #[serde(rename = "for", with = "duration")]
        duration: Duration,
    },
    /// They are cut off from all others, not from each other.
    Partition {
        /// For so long.
        #[serde(rename = "for", with = "duration")]
        duration: Duration,
    },
    /// Nothing reaches them; what they send arrives.
    Deaf {
        /// For so long.
        #[serde(rename = "for", with = "duration")]
        duration: Duration,
    },
    /// Nothing passes from them to these others; the way back is open.
    Cut {
        /// The others.
        to: Who,
        /// For so long.
        #[serde(rename = "for", with = "duration")]
        duration: Duration,
    },
    /// They lose packets, in and out.
    Loss {
        /// With this probability.
        loss: f64,
        /// For so long.
        #[serde(rename = "for", with = "duration")]
        duration: Duration,
    },
    /// Their clocks jump ahead.
    ClockJump {
        /// By so much.
        #[serde(with = "duration")]
        by: Duration,
    },
    /// Their clocks run fast, or slow.
    ClockSkew {
        /// By so many millionths.
        rate_ppm: i32,
    },
}

/// The generation a process comes back with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Generation {
    /// A higher one: the wall clock has gone on.
    #[default]
    New,
    /// The one it had: somebody wrote it into the config. Where its peers know too little of the run before to tell it
    /// from this one, a higher one: that two short runs share a generation is a mistake no protocol can see.
    Same,
    /// A lower one: the wall clock was set back.
    Lower,
}

/// One thing to do to the world.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    Crash(usize),
    PowerOff(usize),
    Restart(usize, Generation),
    Leave(usize),
    Pause(usize),
    Resume(usize),
    Stall(usize, Duration),
    Slow(usize, Duration),
    Separate(Vec<usize>, u32),
    Deaf(usize, bool),
    Cut(usize, usize, bool),
    Loss(usize, f64),
    ClockJump(usize, Duration),
    ClockSkew(usize, i32),
}

impl Fault {
    pub(crate) fn validate(&self) -> Result<(), ScenarioError> {
        match &self.kind {
            FaultKind::Loss { loss, .. } if !(0.0..=1.0).contains(loss) => {
                Err(ScenarioError::new(format!("fault.loss is {loss}, allowed: 0 to 1")))
            }
            _ if self.times > 1 && self.every.is_zero() => {
                let times = self.times;
                Err(ScenarioError::new(format!("fault.times is {times} but fault.every is not set; say how far apart")))
            }
            _ => Ok(()),
        }
    }

    /// Whether the nodes it happens to stay disturbed by it, though they run.
    pub(crate) fn disturbs_running_nodes(&self) -> bool {
        !matches!(self.kind, FaultKind::Crash { .. } | FaultKind::Restart { .. } | FaultKind::Leave {})
    }

    /// The nodes it happens to, and what is done when.
    pub(crate) fn plan(&self, nodes: usize, side: u32, random: &mut Random) -> (Vec<usize>, Vec<(Instant, Action)>) {
        let who = self.who.among(nodes, random);
        let others = match &self.kind {
            FaultKind::Cut { to, .. } => to.among(nodes, random),
            _ => Vec::new(),
        };
        let mut plan = Vec::new();
        for time in 0..self.times.max(1) {
            let at = Instant::ZERO + self.at + self.every * time;
            if let FaultKind::Partition { duration } = &self.kind {
                plan.push((at, Action::Separate(who.clone(), side)));
                plan.push((at + *duration, Action::Separate(who.clone(), 0)));
                continue;
            }
            for (position, node) in who.iter().enumerate() {
                let at = at + self.stagger * u32::try_from(position).unwrap_or(u32::MAX);
                self.kind.plan(at, *node, &others, &mut plan);
            }
        }
        (who, plan)
    }
}

impl FaultKind {
    fn plan(&self, at: Instant, node: usize, others: &[usize], plan: &mut Vec<(Instant, Action)>) {
        match *self {
            FaultKind::Crash { power: false } => plan.push((at, Action::Crash(node))),
            FaultKind::Crash { power: true } => plan.push((at, Action::PowerOff(node))),
            FaultKind::Restart { down, generation } => {
                plan.push((at, Action::Crash(node)));
                plan.push((at + down, Action::Restart(node, generation)));
            }
            FaultKind::Leave {} => plan.push((at, Action::Leave(node))),
            FaultKind::Pause { duration } => {
                plan.push((at, Action::Pause(node)));
                plan.push((at + duration, Action::Resume(node)));
            }
            FaultKind::Stall { duration } => plan.push((at, Action::Stall(node, duration))),
            FaultKind::Slow { delay, duration } => {
                plan.push((at, Action::Slow(node, delay)));
                plan.push((at + duration, Action::Slow(node, Duration::ZERO)));
            }
            FaultKind::Deaf { duration } => {
                plan.push((at, Action::Deaf(node, true)));
                plan.push((at + duration, Action::Deaf(node, false)));
            }
            FaultKind::Cut { duration, .. } => {
                for other in others.iter().filter(|other| **other != node) {
                    plan.push((at, Action::Cut(node, *other, true)));
                    plan.push((at + duration, Action::Cut(node, *other, false)));
                }
            }
            FaultKind::Loss { loss, duration } => {
                plan.push((at, Action::Loss(node, loss)));
                plan.push((at + duration, Action::Loss(node, 0.0)));
            }
            FaultKind::ClockJump { by } => plan.push((at, Action::ClockJump(node, by))),
            FaultKind::ClockSkew { rate_ppm } => plan.push((at, Action::ClockSkew(node, rate_ppm))),
            // Planned as a whole, not node by node.
            FaultKind::Partition { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Result<Fault, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn faults_read_back_as_they_are_written() {
        let text = "kind = \"cut\"\nat = \"1m\"\nwho = [1]\nto = \"50%\"\nfor = \"20s\"\nevery = \"40s\"\ntimes = 3";
        let cut = fault(text).unwrap();
        assert_eq!(fault(&toml::to_string(&cut).unwrap()).unwrap(), cut);
        let (who, plan) = cut.plan(4, 1, &mut Random::from_seed(1));
        assert_eq!(who, [1]);
        assert_eq!(plan.first().map(|(at, _)| *at), Some(Instant::from_secs(60)));
        assert_eq!(plan.last().map(|(at, _)| *at), Some(Instant::from_secs(160)));
    }

    #[test]
    fn a_typing_error_is_no_fault() {
        for text in [
            "kind = \"crush\"\nat = \"1m\"\nwho = [1]",
            "kind = \"crash\"\nat = \"1m\"\nwho = [1]\npwer = true",
            "kind = \"pause\"\nat = \"1m\"\nwho = [1]",
            "kind = \"crash\"\nat = \"1\"\nwho = [1]",
            "kind = \"leave\"\nat = \"1m\"\nwho = \"few\"",
        ] {
            assert!(fault(text).is_err(), "{text}");
        }
        assert!(fault("kind = \"crash\"\nat = \"1s\"\nwho = [1]\ntimes = 2").unwrap().validate().is_err());
    }
}
