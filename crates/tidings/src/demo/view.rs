//! What the demo shows: the cluster at one moment, as its first node sees it.

use std::time::Duration;

/// The cluster at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct View {
    /// Since the demo's start.
    pub(crate) elapsed: Duration,
    /// The demo's own nodes in order, then those that joined from outside.
    pub(crate) rows: Vec<Row>,
    /// How many nodes run in this process right now.
    pub(crate) running: usize,
}

/// One member.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// As the first node sees it.
    pub(crate) state: State,
    pub(crate) phi: Option<f64>,
    /// At how many of the running nodes it is live.
    pub(crate) live_at: usize,
    pub(crate) keys: usize,
    pub(crate) max_version: u64,
    pub(crate) heartbeat: u64,
    /// What it sent and received in all its runs; unknown of a node in another process.
    pub(crate) traffic: Option<Traffic>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) sent_bytes: u64,
    pub(crate) received_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not live yet: not heard of, or its heartbeats not yet seen.
    New,
    Live,
    Dead,
    Left,
}

impl State {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            State::New => "new",
            State::Live => "live",
            State::Dead => "dead",
            State::Left => "left",
        }
    }
}

impl View {
    /// How many members the first node sees in this state.
    pub(crate) fn count(&self, state: State) -> usize {
        self.rows.iter().filter(|row| row.state == state).count()
    }

    /// Whether each of the demo's `nodes` nodes is live at all of them.
    pub(crate) fn is_whole(&self, nodes: usize) -> bool {
        self.rows.iter().take(nodes).all(|row| row.live_at == nodes)
    }

    /// Whether every running node agrees that the member at `index` is not live, and the first one calls it dead.
    pub(crate) fn is_lost(&self, index: usize) -> bool {
        self.rows.get(index).is_some_and(|row| row.state == State::Dead && row.live_at == 0)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A cluster of `states.len()` nodes, all of whose running nodes agree.
    pub(crate) fn view(states: &[State]) -> View {
        let running = states.iter().filter(|state| **state == State::Live).count();
        let rows = states.iter().enumerate().map(|(index, &state)| Row {
            name: format!("simple{}", index + 1),
            state,
            phi: (index > 0).then_some(0.5),
            live_at: if state == State::Live { running } else { 0 },
            keys: 1,
            max_version: 1,
            heartbeat: 7,
            traffic: Some(Traffic { sent_bytes: 2_048, received_bytes: 1_024 }),
        });
        View { elapsed: Duration::from_millis(7_250), rows: rows.collect(), running }
    }

    #[test]
    fn whole_means_that_every_node_sees_every_node() {
        let mut view = view(&[State::Live; 3]);
        assert!(view.is_whole(3));
        assert!(!view.is_whole(4), "one more was asked for");
        view.rows[1].live_at = 2;
        assert!(!view.is_whole(3), "one is not live at another");
    }

    #[test]
    fn lost_means_that_nobody_sees_it_live() {
        let mut view = view(&[State::Live, State::Live, State::Dead]);
        assert!(view.is_lost(2) && !view.is_lost(1) && !view.is_lost(9));
        view.rows[2].live_at = 1;
        assert!(!view.is_lost(2), "one node still takes it for live");
    }
}
