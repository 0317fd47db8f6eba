//! What was held where at the end of each scenario, as a table.

use std::fmt;

use crate::linux::view::{Liveness, View};

/// In a cluster of more, only those whose state is not the usual one are named.
const MOST_NAMED: usize = 8;

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
    pub(crate) has_passed: bool,
    pub(crate) seconds: f64,
    /// What each agent held at the end.
    pub(crate) views: Vec<View>,
}

impl Report {
    /// Whether at least one scenario ran, and none failed.
    pub(crate) fn is_success(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| row.has_passed)
    }
}

/// A line for each host of each scenario, and how many scenarios passed.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<14} {:<7} {:>7}  {:<8} {:>4} {:>4} {:>4}  held of each live member: keys at max_version",
            "scenario", "result", "seconds", "at", "live", "dead", "left"
        )?;
        for row in &self.rows {
            let result = if row.has_passed { "passed" } else { "FAILED" };
            let mut head = format!("{:<14} {result:<7} {:>7.1}", row.scenario, row.seconds);
            for view in &row.views {
                let [live, dead, left] =
                    [Liveness::Live, Liveness::Dead, Liveness::Left].map(|state| view.names(state).len());
                writeln!(f, "{head}  {:<8} {live:>4} {dead:>4} {left:>4}  {}", view.name, held(view))?;
                head = " ".repeat(30);
            }
            if row.views.is_empty() {
                writeln!(f, "{head}")?;
            }
        }
        let passed = self.rows.iter().filter(|row| row.has_passed).count();
        let seconds: f64 = self.rows.iter().map(|row| row.seconds).sum();
        write!(f, "\n{passed} passed, {} failed, in {seconds:.0} s", self.rows.len() - passed)
    }
}

/// What an agent holds of each live member.
fn held(view: &View) -> String {
    let live = view.names(Liveness::Live);
    let members = live.iter().filter_map(|name| view.member(name));
    if live.len() > MOST_NAMED {
        return format!("{} keys in all", members.map(|member| member.keys.len()).sum::<usize>());
    }
    let held = members.map(|member| format!("{} {}@{}", member.name, member.keys.len(), member.max_version));
    held.collect::<Vec<_>>().join("  ")
}

/// One line: who is live, dead, left, and what is held of the live ones.
impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.name)?;
        for (word, state) in [("live", Liveness::Live), ("dead", Liveness::Dead), ("left", Liveness::Left)] {
            let names: Vec<&str> = self.names(state).into_iter().collect();
            if !names.is_empty() {
                write!(f, " {word} {};", names.join(" "))?;
            }
        }
        write!(f, " held: {}", held(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(results: &[bool]) -> Report {
        let row = |&has_passed| Row { scenario: "story", has_passed, seconds: 1.5, views: Vec::new() };
        Report { rows: results.iter().map(row).collect() }
    }

    #[test]
    fn nothing_played_is_no_success_and_neither_is_one_failure() {
        assert!(!report(&[]).is_success());
        assert!(!report(&[true, false]).is_success());
        assert!(report(&[true, true]).is_success());
    }

    #[test]
    fn the_last_line_counts() {
        let text = report(&[true, false]).to_string();
        assert!(text.ends_with("1 passed, 1 failed, in 3 s") && text.contains("story          FAILED"), "{text}");
    }
}
