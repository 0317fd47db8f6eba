//! What was held where at the end of each scenario, as a table.

use std::fmt;

use tidings_core::ValueStatus;

use crate::view::View;

/// How all scenarios went.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// One entry a scenario, in the order of playing.
    pub(crate) rows: Vec<Row>,
}

/// How one scenario went.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) scenario: &'static str,
    pub(crate) runs: u32,
    pub(crate) passed_runs: u32,
    /// All runs together.
    pub(crate) seconds: f64,
    /// What each member held at the end of the last run.
    pub(crate) views: Vec<View>,
}

impl Report {
    /// Whether at least one scenario ran, and none failed.
    pub(crate) fn is_success(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(Row::has_passed)
    }
}

impl Row {
    /// Whether it passed in every run.
    pub(crate) const fn has_passed(&self) -> bool {
        self.runs > 0 && self.passed_runs == self.runs
    }

    /// The result in a word, or in how many runs it passed.
    pub(crate) fn result(&self) -> String {
        match (self.has_passed(), self.runs) {
            (true, 1) => "passed".to_owned(),
            (false, 1) => "FAILED".to_owned(),
            (true, runs) => format!("passed {runs}/{runs}"),
            (false, runs) => format!("FAILED {}/{runs}", self.passed_runs),
        }
    }
}

/// A line for each member of each scenario, and how many scenarios passed.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<20} {:<12} {:>7}  {:<14} {:>5} {:>9}  held of each live node: keys to read at max_version",
            "scenario", "result", "seconds", "member", "live", "not live"
        )?;
        for row in &self.rows {
            let result = row.result();
            let mut head = format!("{:<20} {result:<12} {:>7.1}", row.scenario, row.seconds);
            for view in &row.views {
                let not_live = view.replicas.len().saturating_sub(view.live.len());
                let held = held_of_each(view);
                let name = view.node_id.name();
                writeln!(f, "{head}  {name:<14} {:>5} {not_live:>9}  {held}", view.live.len())?;
                head = " ".repeat(41);
            }
            if row.views.is_empty() {
                writeln!(f, "{head}")?;
            }
        }
        let passed = self.rows.iter().filter(|row| row.has_passed()).count();
        write!(f, "\n{passed} passed, {} failed", self.rows.len() - passed)
    }
}

fn held_of_each(view: &View) -> String {
    let live = view.replicas.iter().filter(|(node_id, _)| view.live.contains(*node_id));
    let held = live.map(|(node_id, replica)| {
        let readable = replica.keys.values().filter(|held| held.status != ValueStatus::Deleted).count();
        format!("{} {readable}@{}", node_id.name(), replica.max_version)
    });
    held.collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(runs: u32, passed_runs: u32) -> Row {
        Row { scenario: "some-story", runs, passed_runs, seconds: 1.0, views: Vec::new() }
    }

    #[test]
    fn a_report_is_a_success_only_if_something_was_played_and_every_run_passed() {
        assert!(!Report::default().is_success(), "nothing was played");
        assert!(Report { rows: vec![row(1, 1), row(20, 20)] }.is_success());
        assert!(!Report { rows: vec![row(1, 1), row(20, 19)] }.is_success());
        assert!(!Report { rows: vec![row(0, 0)] }.is_success(), "played no time");
    }

    #[test]
    fn a_failure_is_counted_and_says_in_how_many_runs() {
        let text = Report { rows: vec![row(1, 1), row(20, 19)] }.to_string();
        assert!(text.contains("FAILED 19/20"), "{text}");
        assert!(text.ends_with("1 passed, 1 failed"), "{text}");
    }
}
