//! The table: a view as lines of text for a screen of any size.

use std::time::Duration;

use super::note::Note;
use super::view::{Row, State, Traffic, View};

/// What stands above the table and does not change.
#[derive(Clone, Debug)]
pub(crate) struct Heading {
    pub(crate) cluster_id: String,
    pub(crate) gossip_interval: Duration,
    pub(crate) run_for: Option<Duration>,
    /// How the failure detector differs from the defaults.
    pub(crate) detector: String,
    /// Where the first node can be reached.
    pub(crate) seed: String,
    /// Where a browser finds the page, if it is served.
    pub(crate) page: Option<String>,
}

/// A line and how it is to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) tint: Tint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tint {
    Plain,
    Title,
    Faint,
    Good,
    Bad,
}

/// Lines besides title, column heads and rows: two or three of heading, a blank, a blank before the notes.
const EXTRAS: usize = 4;

/// At most `height` lines of at most `width` characters. Where room is short, the rows go before the rest of the
/// heading, and that before the notes.
pub(crate) fn render(view: &View, heading: &Heading, notes: &[Note], width: usize, height: usize) -> Vec<Line> {
    let mut lines = vec![Line::new(title(view, heading), Tint::Title)];
    if let Some(page) = &heading.page {
        lines.push(Line::new(format!("in a browser: {page}"), Tint::Plain));
    }
    if height >= view.rows.len() + 1 + lines.len() + EXTRAS {
        lines.push(Line::new(format!("detector tuned for the demo: {}", heading.detector), Tint::Faint));
        let join = format!("to join: --seed {} --cluster-id {}", heading.seed, heading.cluster_id);
        lines.push(Line::new(join, Tint::Faint));
        lines.push(Line::new("", Tint::Plain));
    }
    lines.push(Line::new(columns(HEADS), Tint::Faint));
    lines.extend(rows(view, height.saturating_sub(lines.len())));
    let room = height.saturating_sub(lines.len() + 1);
    if room > 0 && !notes.is_empty() {
        lines.push(Line::new("", Tint::Plain));
        let newest = &notes[notes.len().saturating_sub(room)..];
        lines.extend(newest.iter().map(|note| Line::new(told(note), Tint::Plain)));
    }
    lines.truncate(height);
    for line in &mut lines {
        // Names and keys come from other nodes: none may steer the terminal.
        line.text = line.text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(width).collect();
    }
    lines
}

impl Line {
    fn new(text: impl Into<String>, tint: Tint) -> Line {
        Line { text: text.into(), tint }
    }
}

fn title(view: &View, heading: &Heading) -> String {
    let round = humantime::format_duration(heading.gossip_interval);
    let elapsed = view.elapsed.as_secs_f64();
    let end = match heading.run_for {
        Some(end) => format!("of {}", humantime::format_duration(end)),
        None => "(Ctrl-C ends it)".to_string(),
    };
    let live = view.count(State::Live);
    format!("{}: {live} of {} live, a round every {round}, {elapsed:.1}s {end}", heading.cluster_id, view.rows.len())
}

fn told(note: &Note) -> String {
    format!("{:>6.1}s  {}", note.at.as_secs_f64(), note.sentence)
}

const HEADS: [&str; 9] = ["MEMBER", "STATE", "PHI", "LIVE AT", "KEYS", "VERSION", "HEARTBEAT", "SENT", "RECEIVED"];

/// 78 characters, so that it fits a terminal of 80.
fn columns(cells: [&str; 9]) -> String {
    let [name, state, phi, live_at, keys, version, heartbeat, sent, received] = cells;
    format!(
        "{name:<14.14} {state:<7} {phi:>5} {live_at:>7} {keys:>5} {version:>7} {heartbeat:>9} {sent:>8} {received:>8}"
    )
}

/// All rows, or as many as fit and a word about the others.
fn rows(view: &View, room: usize) -> Vec<Line> {
    let fits = view.rows.len() <= room;
    let shown = if fits { view.rows.len() } else { room.saturating_sub(1) };
    let mut lines: Vec<Line> =
        view.rows.iter().take(shown).map(|row| Line::new(cells(row, view.running), tint(row))).collect();
    if !fits {
        let hidden = &view.rows[shown..];
        let live = hidden.iter().filter(|row| row.state == State::Live).count();
        lines.push(Line::new(format!("and {} more, {live} of them live", hidden.len()), Tint::Faint));
    }
    lines
}

fn cells(row: &Row, running: usize) -> String {
    let phi = row.phi.map_or_else(|| "-".to_string(), |phi| format!("{phi:.2}"));
    let live_at = format!("{}/{running}", row.live_at);
    let (sent, received) = match row.traffic {
        Some(Traffic { sent_bytes, received_bytes }) => (size(sent_bytes), size(received_bytes)),
        None => ("-".to_string(), "-".to_string()),
    };
    let [keys, version, heartbeat] = [row.keys.to_string(), row.max_version.to_string(), row.heartbeat.to_string()];
    columns([&row.name, row.state.as_str(), &phi, &live_at, &keys, &version, &heartbeat, &sent, &received])
}

fn tint(row: &Row) -> Tint {
    match row.state {
        State::Live => Tint::Good,
        State::Dead => Tint::Bad,
        State::New | State::Left => Tint::Faint,
    }
}

/// A number of bytes in at most eight characters.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::view;
    use super::*;
    use crate::logfmt;

    fn heading() -> Heading {
        Heading {
            cluster_id: "simple-aiocluster".to_string(),
            gossip_interval: Duration::from_millis(200),
            run_for: Some(Duration::from_secs(20)),
            detector: "initial_interval 800ms".to_string(),
            seed: "127.0.0.1:7000".to_string(),
            page: None,
        }
    }

    fn note(number: u64) -> Note {
        Note::new(Duration::from_secs(number), logfmt::Line::new("test"), format!("note {number}"))
    }

    fn texts(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn a_table_reads_well() {
        let view = view(&[State::Live, State::Live, State::Dead]);
        let lines = render(&view, &heading(), &[note(1), note(2)], 80, 24);
        let expected = [
            "simple-aiocluster: 2 of 3 live, a round every 200ms, 7.2s of 20s",
            "detector tuned for the demo: initial_interval 800ms",
            "to join: --seed 127.0.0.1:7000 --cluster-id simple-aiocluster",
            "",
            "MEMBER         STATE     PHI LIVE AT  KEYS VERSION HEARTBEAT     SENT RECEIVED",
            "simple1        live        -     2/2     1       1         7   2.0 kB   1.0 kB",
            "simple2        live     0.50     2/2     1       1         7   2.0 kB   1.0 kB",
            "simple3        dead     0.50     0/2     1       1         7   2.0 kB   1.0 kB",
            "",
            "   1.0s  note 1",
            "   2.0s  note 2",
        ];
        assert_eq!(texts(&lines), expected);
        assert_eq!((lines[6].tint, lines[7].tint), (Tint::Good, Tint::Bad));
    }

    #[test]
    fn a_page_that_is_served_is_named_above_the_table() {
        let heading = Heading { page: Some("http://127.0.0.1:8080/".to_string()), ..heading() };
        let lines = render(&view(&[State::Live]), &heading, &[], 80, 24);
        assert_eq!(lines[1].text, "in a browser: http://127.0.0.1:8080/");
        for height in 0..24 {
            assert!(render(&view(&[State::Live; 5]), &heading, &[], 80, height).len() <= height);
        }
    }

    #[test]
    fn no_size_of_screen_is_overrun() {
        let view = view(&[State::Live; 9]);
        let notes: Vec<Note> = (0..30).map(note).collect();
        for height in 0..40 {
            for width in [0, 1, 20, 79, 80, 200] {
                let lines = render(&view, &heading(), &notes, width, height);
                assert!(lines.len() <= height && lines.iter().all(|line| line.text.chars().count() <= width));
            }
            // One line may stay empty: a blank line alone would tell nothing.
            assert!(render(&view, &heading(), &notes, 80, height).len() + 1 >= height);
        }
    }

    #[test]
    fn a_low_screen_keeps_the_rows_and_says_what_is_missing() {
        let view = view(&[State::Live, State::Live, State::Live, State::Live, State::Dead]);
        let lines = render(&view, &heading(), &[note(1)], 80, 5);
        let texts = texts(&lines);
        assert!(texts[2].starts_with("simple1") && texts[3].starts_with("simple2"), "{texts:?}");
        assert_eq!(texts[4], "and 3 more, 2 of them live");
    }

    #[test]
    fn the_newest_notes_stay() {
        let notes: Vec<Note> = (0..30).map(note).collect();
        let lines = render(&view(&[State::Live]), &heading(), &notes, 80, 10);
        assert_eq!(lines.last().unwrap().text, "  29.0s  note 29");
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        let mut view = view(&[State::Live]);
        view.rows[0].name = "a\u{1b}[2J\nb".to_string();
        let lines = render(&view, &heading(), &[], 80, 24);
        assert!(lines.iter().all(|line| !line.text.chars().any(char::is_control)), "{lines:?}");
    }

    #[test]
    fn sizes_stay_short() {
        let sizes = [0, 999, 1_000, 999_949, 1_500_000, 2_000_000_000].map(size);
        assert_eq!(sizes, ["0 B", "999 B", "1.0 kB", "999.9 kB", "1.5 MB", "2.0 GB"]);
    }
}
