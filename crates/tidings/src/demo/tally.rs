//! What was seen over the demo's whole run.

use std::collections::BTreeMap;
use std::time::Duration;

use super::view::{State, View};

/// Counts what the first node saw.
#[derive(Debug)]
pub(crate) struct Tally {
    nodes: usize,
    last: BTreeMap<String, State>,
    formed_after: Option<Duration>,
    deaths: u64,
    rejoins: u64,
}

/// The closing word.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) elapsed: Duration,
    /// How many nodes the demo was to run.
    pub(crate) nodes: usize,
    /// When every node first saw every node.
    pub(crate) formed_after: Option<Duration>,
    /// Members live at the end, as the first node sees it.
    pub(crate) live: usize,
    pub(crate) deaths: u64,
    pub(crate) rejoins: u64,
    /// Whether at the end every running node held every running node's key-values.
    pub(crate) converged: bool,
}

impl Tally {
    pub(crate) fn new(nodes: usize) -> Tally {
        Tally { nodes, last: BTreeMap::new(), formed_after: None, deaths: 0, rejoins: 0 }
    }

    /// Takes a view in. True: the cluster has just formed for the first time.
    pub(crate) fn observe(&mut self, view: &View) -> bool {
        for row in &view.rows {
            match (self.last.get(&row.name), row.state) {
                (Some(State::Live), State::Dead) => self.deaths += 1,
                (Some(State::Dead), State::Live) => self.rejoins += 1,
                _ => (),
            }
            if self.last.get(&row.name) != Some(&row.state) {
                self.last.insert(row.name.clone(), row.state);
            }
        }
        let formed_now = self.formed_after.is_none() && view.is_whole(self.nodes);
        if formed_now {
            self.formed_after = Some(view.elapsed);
        }
        formed_now
    }

    pub(crate) fn summary(&self, view: &View, converged: bool) -> Summary {
        Summary {
            elapsed: view.elapsed,
            nodes: self.nodes,
            formed_after: self.formed_after,
            live: view.count(State::Live),
            deaths: self.deaths,
            rejoins: self.rejoins,
            converged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::view;
    use super::*;

    #[test]
    fn a_death_and_a_return_count_once_each() {
        use State::{Dead, Live, New};
        let mut tally = Tally::new(3);
        let mut formed = Vec::new();
        for third in [New, New, Live, Live, Dead, Dead, Dead, Live, Live] {
            formed.push(tally.observe(&view(&[Live, Live, third])));
        }
        assert_eq!(formed, [false, false, true, false, false, false, false, false, false]);
        let summary = tally.summary(&view(&[Live; 3]), true);
        assert_eq!((summary.deaths, summary.rejoins, summary.live), (1, 1, 3));
        assert_eq!(summary.formed_after, Some(view(&[]).elapsed));
    }

    #[test]
    fn a_cluster_that_never_was_whole_has_not_formed() {
        let mut tally = Tally::new(3);
        assert!(!tally.observe(&view(&[State::Live, State::Live, State::New])));
        assert_eq!(tally.summary(&view(&[State::Live]), false).formed_after, None);
    }
}
