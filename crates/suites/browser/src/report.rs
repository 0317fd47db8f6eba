//! How the scenarios went.

use std::fmt;

/// How all scenarios went, in the order of playing.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
}

/// How one scenario went.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) scenario: &'static str,
    pub(crate) has_passed: bool,
    pub(crate) seconds: f64,
}

impl Report {
    /// Whether at least one scenario ran, and none failed.
    pub(crate) fn is_success(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| row.has_passed)
    }
}

/// A line for each scenario, and how many passed.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Row { scenario, has_passed, seconds } in &self.rows {
            writeln!(f, "{scenario:<12} {:<7} {seconds:>6.1} s", if *has_passed { "passed" } else { "FAILED" })?;
        }
        let passed = self.rows.iter().filter(|row| row.has_passed).count();
        let seconds: f64 = self.rows.iter().map(|row| row.seconds).sum();
        write!(f, "\n{passed} passed, {} failed, in {seconds:.0} s", self.rows.len() - passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(results: &[bool]) -> Report {
        Report { rows: results.iter().map(|&has_passed| Row { scenario: "story", has_passed, seconds: 1.5 }).collect() }
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
        assert!(text.ends_with("1 passed, 1 failed, in 3 s") && text.contains("FAILED"), "{text}");
    }
}
