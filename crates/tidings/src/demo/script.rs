//! What happens in the demo, and when: writes now and then, one node at a time killed and taken back.

use std::time::Duration;

use super::view::View;

/// From a whole cluster to the next kill.
const CALM: Duration = Duration::from_millis(2_500);
/// From a death that all have seen to the node's return.
const MOURNING: Duration = Duration::from_millis(1_500);
/// A node is killed only when there is this much time left, so that its return can be seen.
const ROOM_FOR_A_DEATH: Duration = Duration::from_secs(7);
const BETWEEN_WRITES: Duration = Duration::from_millis(1_300);
/// No write this close to the end, so that the last one can reach every node.
const NO_WRITE_BEFORE_END: Duration = Duration::from_secs(2);

/// Something to be done to the cluster. Nodes are counted from 0; node 0 is the one that watches, and never killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Write this number at a node.
    Write {
        node: usize,
        number: u64,
    },
    Kill {
        node: usize,
    },
    Revive {
        node: usize,
    },
}

/// Decides from what is seen, not from the clock alone: on a slow machine the same story takes longer.
#[derive(Debug)]
pub(crate) struct Script {
    nodes: usize,
    end: Option<Duration>,
    scene: Scene,
    victim: usize,
    next_write: Option<Duration>,
    writes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scene {
    /// Until every node sees every node.
    Gathering,
    Calm {
        since: Duration,
    },
    /// The victim is killed, and not all have noticed.
    Silence,
    Mourning {
        since: Duration,
    },
}

impl Script {
    /// A script for `nodes` nodes that ends at `end` after the start, or never.
    pub(crate) fn new(nodes: usize, end: Option<Duration>) -> Script {
        Script { nodes, end, scene: Scene::Gathering, victim: 0, next_write: None, writes: 0 }
    }

    /// What to do now, if anything. Call it at every view.
    pub(crate) fn next(&mut self, view: &View) -> Option<Action> {
        self.next_scene(view).or_else(|| self.write(view.elapsed))
    }

    fn next_scene(&mut self, view: &View) -> Option<Action> {
        let now = view.elapsed;
        match self.scene {
            Scene::Gathering if view.is_whole(self.nodes) => {
                self.scene = Scene::Calm { since: now };
                self.next_write.get_or_insert(now + BETWEEN_WRITES);
                None
            }
            Scene::Calm { since } if self.nodes > 1 && now >= since + CALM && self.has_left(now, ROOM_FOR_A_DEATH) => {
                self.scene = Scene::Silence;
                self.victim = self.next_victim();
                Some(Action::Kill { node: self.victim })
            }
            Scene::Silence if view.is_lost(self.victim) => {
                self.scene = Scene::Mourning { since: now };
                None
            }
            Scene::Mourning { since } if now >= since + MOURNING => {
                self.scene = Scene::Gathering;
                Some(Action::Revive { node: self.victim })
            }
            _ => None,
        }
    }

    /// The last node first, then downwards, never node 0.
    fn next_victim(&self) -> usize {
        if self.victim <= 1 { self.nodes - 1 } else { self.victim - 1 }
    }

    fn write(&mut self, now: Duration) -> Option<Action> {
        if now < self.next_write? || !self.has_left(now, NO_WRITE_BEFORE_END) {
            return None;
        }
        self.next_write = Some(now + BETWEEN_WRITES);
        self.writes += 1;
        let absent = matches!(self.scene, Scene::Silence | Scene::Mourning { .. }).then_some(self.victim);
        let present: Vec<usize> = (0..self.nodes).filter(|node| Some(*node) != absent).collect();
        let turn = usize::try_from(self.writes).unwrap_or_default() % present.len();
        Some(Action::Write { node: present[turn], number: self.writes })
    }

    fn has_left(&self, now: Duration, needed: Duration) -> bool {
        self.end.is_none_or(|end| now + needed <= end)
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::State;
    use super::super::view::tests::view;
    use super::*;

    /// Plays the script against nodes that are noticed `delay` after the deed, and returns what it did, and when.
    fn play(nodes: usize, seconds: u64, delay: Duration) -> Vec<(Duration, Action)> {
        let end = Duration::from_secs(seconds);
        let mut script = Script::new(nodes, Some(end));
        let mut changes: Vec<(Duration, usize, State)> = Vec::new();
        let mut states = vec![State::Live; nodes];
        let (mut killed, mut done) = (None, Vec::new());
        for tick in 0..seconds * 10 {
            let now = Duration::from_millis(100 * tick);
            changes.retain(|&(at, node, state)| {
                if at <= now {
                    states[node] = state;
                }
                at > now
            });
            let Some(action) = script.next(&View { elapsed: now, ..view(&states) }) else { continue };
            match action {
                Action::Kill { node } => {
                    changes.push((now + delay, node, State::Dead));
                    killed = Some(node);
                }
                Action::Revive { node } => {
                    changes.push((now + delay, node, State::Live));
                    killed = None;
                }
                Action::Write { node, .. } => assert_ne!(Some(node), killed, "a write at a killed node"),
            }
            done.push((now, action));
        }
        done
    }

    fn deeds(done: &[(Duration, Action)]) -> Vec<Action> {
        done.iter().map(|(_, action)| *action).filter(|action| !matches!(action, Action::Write { .. })).collect()
    }

    #[test]
    fn twelve_seconds_hold_a_death_and_a_return() {
        let done = play(3, 12, Duration::from_secs(3));
        assert_eq!(deeds(&done), [Action::Kill { node: 2 }, Action::Revive { node: 2 }]);
    }

    #[test]
    fn victims_take_turns_and_the_watcher_is_spared() {
        let done = deeds(&play(3, 60, Duration::from_secs(1)));
        let killed: Vec<usize> =
            done.iter().filter_map(|deed| if let Action::Kill { node } = deed { Some(*node) } else { None }).collect();
        assert!(killed.len() >= 4, "{killed:?}");
        assert_eq!(killed[..4], [2, 1, 2, 1]);
    }

    #[test]
    fn a_death_nobody_notices_is_waited_for() {
        assert_eq!(deeds(&play(3, 60, Duration::from_secs(100))), [Action::Kill { node: 2 }]);
    }

    #[test]
    fn writes_begin_once_formed_and_end_before_the_end() {
        let done = play(3, 20, Duration::from_secs(1));
        let writes: Vec<Duration> =
            done.iter().filter(|(_, action)| matches!(action, Action::Write { .. })).map(|(at, _)| *at).collect();
        assert!(writes.len() > 8, "{writes:?}");
        assert!(writes.iter().all(|at| *at >= BETWEEN_WRITES && *at + NO_WRITE_BEFORE_END <= Duration::from_secs(20)));

        let mut script = Script::new(3, None);
        for second in 0..60 {
            let view = View { elapsed: Duration::from_secs(second), ..view(&[State::Live, State::New]) };
            assert_eq!(script.next(&view), None, "the cluster has not formed");
        }
    }

    #[test]
    fn a_lone_node_is_written_to_but_never_killed() {
        let done = play(1, 30, Duration::ZERO);
        assert!(deeds(&done).is_empty() && !done.is_empty());
    }
}
