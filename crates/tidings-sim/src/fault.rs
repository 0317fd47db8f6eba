//! What goes wrong, as data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::scenario::ScenarioError;
use crate::stranger::Lie;
use crate::text::{Who, duration};
use crate::world::Listens;

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// When, from the start.
    #[serde(with = "duration")]
    pub at: Duration,
    /// To whom; about whom, where it is a stranger that lies. Nobody by default: guests come by themselves.
    #[serde(default, skip_serializing_if = "Who::is_nobody")]
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
    /// Nodes come and go: guests, beside the scenario's own nodes.
    Churn {
        /// One starts each so long.
        #[serde(rename = "each", with = "duration")]
        interval: Duration,
        /// Each runs so long.
        #[serde(with = "duration")]
        lives: Duration,
        /// They say goodbye before they end.
        #[serde(default)]
        leave: bool,
        /// A few names take turns, each with an address of its own; else every guest has a new name at a new address.
        #[serde(default)]
        stable_names: bool,
        /// Guests start for so long.
        #[serde(rename = "for", with = "duration")]
        duration: Duration,
    },
    /// The process is started a second time, with the same id and generation, on another host.
    Clone {
        /// Who is reached at the address.
        listens: Listens,
        /// The second process ends after so long.
        #[serde(rename = "for", with = "duration")]
        duration: Duration,
    },
    /// Another process with the node's name is started at an address of its own.
    Rival {
        /// With which generation.
        #[serde(default)]
        generation: Generation,
        /// It ends after so long.
        #[serde(rename = "for", with = "duration")]
        duration: Duration,
    },
    /// A [stranger](crate::Stranger) lies about these nodes.
    Stranger {
        /// What it says, all of it in each packet.
        lies: Vec<Lie>,
        /// Whom it tells.
        to: Who,
        /// It dials the node that it lies about instead.
        #[serde(default)]
        to_owner: bool,
        /// It speaks as the node that it lies about.
        #[serde(default)]
        as_owner: bool,
        /// It speaks as an aiocluster node does.
        #[serde(default)]
        unmarked: bool,
        /// A packet goes out each so long.
        #[serde(rename = "each", with = "duration")]
        interval: Duration,
        /// It is there for so long.
        #[serde(rename = "for", with = "duration")]
        duration: Duration,
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
    /// The one it had, whatever its peers know of the run before.
    Reused,
    /// A lower one: the wall clock was set back.
    Lower,
    /// A day too high: the wall clock is ahead. The next start with [`Generation::New`] finds it right again, so that its
    /// generation is lower.
    Future,
}

/// So many guests may come by one fault.
const MAX_GUESTS: u128 = 1_000_000;

impl Fault {
    pub(crate) fn validate(&self) -> Result<(), ScenarioError> {
        match &self.kind {
            FaultKind::Loss { loss, .. } if !(0.0..=1.0).contains(loss) => {
                Err(ScenarioError::new(format!("fault.loss is {loss}, allowed: 0 to 1")))
            }
            FaultKind::Churn { interval, lives, .. } if interval.is_zero() || lives.is_zero() => Err(
                ScenarioError::new(format!("churn.each is {interval:?} and churn.lives {lives:?}, allowed: above 0")),
            ),
            FaultKind::Churn { interval, duration, .. } if duration.as_nanos() / interval.as_nanos() > MAX_GUESTS => {
                let error = format!("churn.for is {duration:?}, allowed: up to {MAX_GUESTS} times churn.each");
                Err(ScenarioError::new(error))
            }
            FaultKind::Stranger { interval, .. } if *interval < Duration::from_millis(1) => {
                Err(ScenarioError::new(format!("stranger.each is {interval:?}, allowed: 1ms or more")))
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
        !matches!(
            self.kind,
            FaultKind::Crash { .. } | FaultKind::Restart { .. } | FaultKind::Leave {} | FaultKind::Churn { .. }
        )
    }
}

impl FaultKind {
    /// Half as many guests, or half of the lies.
    pub(crate) fn halve(&mut self) {
        match self {
            FaultKind::Churn { interval, duration, .. } if *duration > *interval => *duration /= 2,
            FaultKind::Stranger { lies, .. } if lies.len() > 1 => lies.truncate(lies.len() / 2),
            FaultKind::Stranger { interval, duration, .. } if *duration > *interval => *duration /= 2,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tidings_core::Instant;

    use super::*;
    use crate::plan::Action;
    use crate::random::Random;

    fn fault(text: &str) -> Result<Fault, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn faults_read_back_as_they_are_written() {
        let text = "kind = \"cut\"\nat = \"1m\"\nwho = [1]\nto = \"50%\"\nfor = \"20s\"\nevery = \"40s\"\ntimes = 3";
        let cut = fault(text).unwrap();
        assert_eq!(fault(&toml::to_string(&cut).unwrap()).unwrap(), cut);
        let (who, plan) = cut.plan(4, 0, &mut Random::from_seed(1));
        assert_eq!(who, [1]);
        assert_eq!(plan.first().map(|(at, _)| *at), Some(Instant::from_secs(60)));
        assert_eq!(plan.last().map(|(at, _)| *at), Some(Instant::from_secs(160)));
    }

    #[test]
    fn guests_start_evenly_and_names_come_again_when_their_runs_are_over() {
        let text = "kind = \"churn\"\nat = \"30s\"\neach = \"30s\"\nlives = \"75s\"\nfor = \"2m\"";
        let plan_of = |text: &str| fault(text).unwrap().plan(3, 0, &mut Random::from_seed(1)).1;
        let numbers = |plan: &[(Instant, Action)]| -> Vec<usize> {
            let mut plan = plan.to_vec();
            plan.sort_by_key(|(at, _)| *at);
            let arrivals = plan.iter().filter_map(|(_, action)| match action {
                Action::Arrive(guest, _) => Some(guest.number),
                _ => None,
            });
            arrivals.collect()
        };
        let plan = plan_of(text);
        assert_eq!(numbers(&plan), [0, 1, 2, 3, 4]);
        assert_eq!(plan.last().map(|(at, _)| *at), Some(Instant::from_secs(30 + 120 + 75)));
        assert_eq!(numbers(&plan_of(&format!("{text}\nstable_names = true"))), [0, 1, 2, 0, 1]);
        for (wrong, named) in [("each = \"30s\"", "each = \"0s\""), ("for = \"2m\"", "for = \"9999999h\"")] {
            assert!(fault(&text.replace(wrong, named)).unwrap().validate().is_err(), "{named}");
        }
    }

    #[test]
    fn a_stranger_reads_back_as_it_is_written() {
        let text = "kind = \"stranger\"\nat = \"30s\"\nwho = [1]\nto = \"all\"\neach = \"1s\"\nfor = \"9s\"\n\
                    [[lies]]\nlie = \"run\"\ngeneration = \"newer\"\nat = \"nobody\"\n[[lies]]\nlie = \"farewell\"";
        let stranger = fault(text).unwrap();
        assert_eq!(fault(&toml::to_string(&stranger).unwrap()).unwrap(), stranger);
        let (_, plan) = stranger.plan(4, 2, &mut Random::from_seed(1));
        let guest = crate::plan::Guest { fault: 2, number: 0 };
        let expected = [
            (Instant::from_secs(30), Action::Lie(guest, vec![1])),
            (Instant::from_secs(39), Action::Depart(guest, false)),
        ];
        assert_eq!(plan, expected);
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
