//! Lines for pipes and logs: one for each event, and a summary every second.

use std::io::{self, Stdout, Write, stdout};
use std::time::Duration;

use super::note::Note;
use super::table::Heading;
use super::tally::Summary;
use super::view::{State, View};
use crate::logfmt::Line;

const BETWEEN_SUMMARIES: Duration = Duration::from_secs(1);

/// Prints `t=SECONDS event=NAME key=value ...`.
pub(crate) struct Plain {
    out: Stdout,
    next_summary: Duration,
}

impl Plain {
    pub(crate) fn open(heading: &Heading) -> io::Result<Plain> {
        let mut plain = Plain { out: stdout(), next_summary: BETWEEN_SUMMARIES };
        let mut line = Line::new("start")
            .field("cluster_id", &heading.cluster_id)
            .field("gossip_interval", humantime::format_duration(heading.gossip_interval))
            .field("seed", &heading.seed)
            .field("detector", &heading.detector);
        if let Some(page) = &heading.page {
            line = line.field("page", page);
        }
        plain.print(Duration::ZERO, &line)?;
        Ok(plain)
    }

    pub(crate) fn note(&mut self, note: &Note) -> io::Result<()> {
        self.print(note.at, &note.line)
    }

    /// Prints a summary when one is due.
    pub(crate) fn view(&mut self, view: &View) -> io::Result<()> {
        if view.elapsed < self.next_summary {
            return Ok(());
        }
        while self.next_summary <= view.elapsed {
            self.next_summary += BETWEEN_SUMMARIES;
        }
        self.print(view.elapsed, &summary_line(view))
    }

    pub(crate) fn close(mut self, summary: &Summary) -> io::Result<()> {
        let line = Line::new("end")
            .field("formed_after", summary.formed_after.map_or_else(|| "never".to_string(), seconds))
            .field("nodes", summary.nodes)
            .field("live", summary.live)
            .field("deaths", summary.deaths)
            .field("rejoins", summary.rejoins)
            .field("converged", summary.converged);
        self.print(summary.elapsed, &line)
    }

    fn print(&mut self, at: Duration, line: &Line) -> io::Result<()> {
        writeln!(self.out, "t={} {line}", seconds(at))
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64())
}

fn summary_line(view: &View) -> Line {
    let members: Vec<String> = view.rows.iter().map(|row| format!("{}:{}", row.name, row.state.as_str())).collect();
    let (sent, received) = view
        .rows
        .iter()
        .filter_map(|row| row.traffic)
        .fold((0, 0), |(sent, received), traffic| (sent + traffic.sent_bytes, received + traffic.received_bytes));
    Line::new("summary")
        .field("live", view.count(State::Live))
        .field("dead", view.count(State::Dead))
        .field("left", view.count(State::Left))
        .field("running", view.running)
        .field("members", members.join(","))
        .field("keys", view.rows.iter().map(|row| row.keys).sum::<usize>())
        .field("sent_bytes", sent)
        .field("received_bytes", received)
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::view;
    use super::*;

    #[test]
    fn a_summary_is_one_parseable_line() {
        let line = summary_line(&view(&[State::Live, State::Dead])).to_string();
        let expected = "event=summary live=1 dead=1 left=0 running=1 members=simple1:live,simple2:dead keys=2 \
                        sent_bytes=4096 received_bytes=2048";
        assert_eq!(line, expected);
    }
}
