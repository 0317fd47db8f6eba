//! The signs of life of one run: its heartbeat, when it went up, and how long ago it lived.

use core::time::Duration;

use crate::limits::{HEARSAY_STEP, HEARSAY_STEP_PER_SEC};
use crate::members::age::LastSeen;
use crate::members::{Env, Report};
use crate::suspicion::{Detector, HeartbeatWindow};
use crate::time::Instant;

/// The signs of life of one run.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "record", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Pulse {
    heartbeat: u64,
    window: HeartbeatWindow,
    last_seen: LastSeen,
    /// Whether it lives, where that is found out by other means than its heartbeats.
    verdict: Option<bool>,
    /// When it was heard of first (in active time).
    first_heard: Instant,
}

/// What a report said about the signs of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A new heartbeat.
    Beat,
    /// Nothing new.
    Nothing,
    /// More than hearsay can be believed: the node itself has to say it.
    Doubtful,
}

impl Pulse {
    /// What the first report says. Its heartbeat is no proof of life: it may be an old one.
    pub(super) fn new(env: &Env<'_>, report: &Report<'_>) -> Pulse {
        let told = report.silence.map(|silence| LastSeen::told(report.written, silence));
        Pulse {
            heartbeat: report.heartbeat,
            window: HeartbeatWindow::default(),
            // A Python relay says no age. What it may be at best ends soon by itself, since it has to beat.
            last_seen: told.unwrap_or(LastSeen::at(env.now)),
            verdict: report.lives,
            first_heard: env.active,
        }
    }

    /// Takes note of a report. Hearsay only counts up, and only so far; the node itself sets what counts.
    pub(super) fn hear(&mut self, env: &mut Env<'_>, report: &Report<'_>) -> Heard {
        let is_proved = report.word.is_proved();
        let ahead = report.heartbeat.saturating_sub(self.heartbeat);
        // An answer of its own may have been under way while a later heartbeat came by another path. That far behind it is
        // never: then what is known was a lie.
        let is_reset = is_proved && self.heartbeat.saturating_sub(report.heartbeat) > HEARSAY_STEP;
        let is_beat = ahead > 0 || is_reset;
        if ahead > HEARSAY_STEP && !is_proved && ahead > self.believable_step(env.active) {
            env.stats.jumps_refused += 1;
            return Heard::Doubtful;
        }
        match report.silence {
            Some(silence) => self.last_seen = self.last_seen.max(LastSeen::told(report.written, silence)),
            None if is_beat => self.last_seen = self.last_seen.max(LastSeen::at(env.now)),
            None => {}
        }
        self.verdict = report.lives.or(self.verdict);
        if !is_beat {
            return Heard::Nothing;
        }
        self.heartbeat = report.heartbeat;
        self.window.report_heartbeat(env.active, &env.detector);
        Heard::Beat
    }

    /// How far hearsay may run ahead of what is known: as far as a node can have come since. A node that answers a claim
    /// about itself moves by half of that at most (see `refute`), so that its own word is always believed when it is told
    /// on.
    fn believable_step(&self, active: Instant) -> u64 {
        let since = self.window.last_heartbeat().unwrap_or(self.first_heard);
        let secs = active.saturating_duration_since(since).as_secs();
        HEARSAY_STEP.saturating_add(HEARSAY_STEP_PER_SEC.saturating_mul(secs))
    }

    /// The highest heartbeat heard of it.
    pub(crate) fn heartbeat(&self) -> u64 {
        self.heartbeat
    }

    /// When it was heard of first (in active time).
    pub(crate) fn first_heard(&self) -> Instant {
        self.first_heard
    }

    /// When its heartbeat last went up here (in active time).
    pub(super) fn last_beat(&self) -> Option<Instant> {
        self.window.last_heartbeat()
    }

    /// How long it has been silent: at least so long as it really was.
    pub(crate) fn silence(&self, now: Instant) -> Duration {
        self.last_seen.silence(now)
    }

    pub(crate) fn phi(&self, active: Instant, detector: &Detector) -> Option<f64> {
        self.window.phi(active, detector)
    }

    pub(super) fn is_alive(&self, env: &Env<'_>) -> bool {
        self.verdict.unwrap_or_else(|| self.window.is_alive(env.active, &env.detector) && !self.is_over(env))
    }

    /// Whether it has been silent for a grace period, which is long enough for the most patient. After this process was
    /// stopped for as long, or has only just heard of it, it has the time to beat first.
    pub(super) fn is_over(&self, env: &Env<'_>) -> bool {
        let heard = self.window.last_heartbeat().unwrap_or(self.first_heard);
        self.silence(env.now) >= env.config.failure_detector.dead_node_grace_period
            && env.active > heard + env.config.max_interval()
    }

    /// Whether it has just beaten: it is alive and its silence no longer than some intervals. Less than it takes to be
    /// dead.
    pub(super) fn beats_now(&self, env: &Env<'_>) -> bool {
        if let Some(lives) = self.verdict {
            return lives && self.silence(env.now) <= env.config.gossip_interval * 2;
        }
        self.phi(env.active, &env.detector).is_some_and(|phi| phi <= env.detector.phi_threshold().min(SOME_INTERVALS))
    }

    /// From when on it will not have [just beaten](Pulse::beats_now) (in active time).
    pub(super) fn pauses_at(&self, env: &Env<'_>) -> Option<Instant> {
        if self.verdict.is_some() {
            return None;
        }
        self.window.exceeds_at(SOME_INTERVALS.min(env.detector.phi_threshold()), &env.detector)
    }

    /// From when on it is dead, if nothing more is heard (in active time).
    pub(super) fn suspect_at(&self, env: &Env<'_>) -> Option<Instant> {
        self.window.suspect_at(&env.detector).filter(|_| self.verdict.is_none())
    }

    /// It was found out whether it lives. `seen`: when it last did.
    pub(super) fn judge(&mut self, lives: bool, seen: Option<LastSeen>) {
        self.verdict = Some(lives);
        self.last_seen = seen.map_or(self.last_seen, |seen| self.last_seen.max(seen));
    }

    /// The latest instant at which it is known to have lived.
    pub(crate) fn last_seen(&self) -> LastSeen {
        self.last_seen
    }

    /// Whether it is alive and went on beating for long after `at`. The last heartbeats of a stopped node trickle in
    /// through slow relays for a while, and prove nothing.
    pub(super) fn has_beaten_on_since(&self, at: Instant, env: &Env<'_>) -> bool {
        self.is_alive(env) && self.window.has_beaten_long_after(at, &env.detector)
    }

    /// Whether it has had time to beat, and does not.
    pub(super) fn is_silent(&self, env: &Env<'_>) -> bool {
        !self.is_alive(env) && env.detector.is_long_after(self.first_heard, env.active)
    }

    /// Whether it has not beaten for so long that it is not worth a place, if it was never seen beating.
    pub(super) fn is_spent(&self, env: &Env<'_>) -> bool {
        let last = self.window.last_heartbeat().unwrap_or(self.first_heard);
        !self.is_alive(env) && env.active > last + env.detector.max_interval() * UNPROVEN_INTERVALS
    }

    /// The same process is heard of under another id: these are its signs of life as well.
    pub(super) fn go_on_as(&mut self, env: &Env<'_>, other: &Pulse) {
        self.last_seen = self.last_seen.max(other.last_seen);
        if other.heartbeat <= self.heartbeat {
            return;
        }
        self.heartbeat = other.heartbeat;
        if other.is_alive(env) && !self.is_alive(env) {
            self.window = other.window;
        } else {
            let at = other.window.last_heartbeat().unwrap_or(other.first_heard);
            let at = self.window.last_heartbeat().map_or(at, |last| last.max(at));
            self.window.report_heartbeat(at, &env.detector);
        }
    }

    /// It is dead: it has to beat twice to come back, unless it does so at once.
    pub(super) fn stop(&mut self) {
        self.window.reset();
    }
}

/// Up to so many mean intervals of silence are no sign that a node has stopped: in a small cluster, where it is heard of
/// several times a round, that is little more than two rounds.
const SOME_INTERVALS: f64 = 4.0;

/// After so many times `max_interval` a node that was never seen beating goes.
pub(super) const UNPROVEN_INTERVALS: u32 = 3;
