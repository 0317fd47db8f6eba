//! The terminal: the table redrawn in place.

use std::io::{self, Stdout, Write, stdout};

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::style::{Attribute, Color, Print, SetAttribute, SetForegroundColor};
use crossterm::terminal::{
    self, BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
};
use crossterm::{execute, queue};

use super::note::Note;
use super::table::{self, Heading, Line, Tint};
use super::tally::Summary;
use super::view::View;

/// Kept for the lower part of the screen; more than any screen shows.
const NOTES_KEPT: usize = 200;
/// How many notes stay on the terminal when the demo is over.
const NOTES_LEFT: usize = 12;
const USUAL_SIZE: (u16, u16) = (80, 24);

/// Draws on the terminal's other page, so that what stood there before comes back; dropping it gives the terminal back.
pub(crate) struct Screen {
    out: Stdout,
    heading: Heading,
    notes: Vec<Note>,
}

impl Screen {
    pub(crate) fn open(heading: Heading) -> io::Result<Screen> {
        let mut screen = Screen { out: stdout(), heading, notes: Vec::new() };
        execute!(screen.out, EnterAlternateScreen, Hide)?;
        Ok(screen)
    }

    pub(crate) fn note(&mut self, note: Note) {
        if self.notes.len() >= NOTES_KEPT {
            self.notes.remove(0);
        }
        self.notes.push(note);
    }

    pub(crate) fn draw(&mut self, view: &View) -> io::Result<()> {
        // Asked anew at every frame: the window may have been resized.
        let (width, height) = terminal::size().unwrap_or(USUAL_SIZE);
        let lines = table::render(view, &self.heading, &self.notes, width.into(), height.into());
        queue!(self.out, BeginSynchronizedUpdate)?;
        for (y, line) in (0..).zip(&lines) {
            queue!(self.out, MoveTo(0, y))?;
            print(&mut self.out, line)?;
            queue!(self.out, Clear(ClearType::UntilNewLine))?;
        }
        if lines.len() < usize::from(height) {
            queue!(
                self.out,
                MoveTo(0, u16::try_from(lines.len()).unwrap_or(height)),
                Clear(ClearType::FromCursorDown)
            )?;
        }
        execute!(self.out, EndSynchronizedUpdate)
    }

    /// Gives the terminal back and leaves the last view and the closing word on it.
    pub(crate) fn close(self, view: &View, summary: &Summary) -> io::Result<()> {
        let (width, _) = terminal::size().unwrap_or(USUAL_SIZE);
        let height = view.rows.len() + NOTES_LEFT;
        let lines = table::render(view, &self.heading, &self.notes, width.into(), height);
        drop(self);
        let mut out = stdout();
        for line in &lines {
            print(&mut out, line)?;
            queue!(out, Print("\n"))?;
        }
        writeln!(out, "\n{}", closing_word(summary))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        let _ = execute!(self.out, Show, LeaveAlternateScreen);
    }
}

fn print(out: &mut Stdout, line: &Line) -> io::Result<()> {
    match line.tint {
        Tint::Plain => (),
        Tint::Title => queue!(out, SetAttribute(Attribute::Bold))?,
        Tint::Faint => queue!(out, SetAttribute(Attribute::Dim))?,
        Tint::Good => queue!(out, SetForegroundColor(Color::DarkGreen))?,
        Tint::Bad => queue!(out, SetForegroundColor(Color::DarkRed))?,
    }
    // Resets the colour too.
    queue!(out, Print(&line.text), SetAttribute(Attribute::Reset))
}

fn closing_word(summary: &Summary) -> String {
    let Summary { elapsed, nodes, formed_after, live, deaths, rejoins, converged } = summary;
    let formed = match formed_after {
        Some(after) => format!("the cluster formed in {:.1}s", after.as_secs_f64()),
        None => "the cluster did not form".to_string(),
    };
    let converged = if *converged { "every node holds the same key-values" } else { "the key-values differ still" };
    format!(
        "after {:.1}s: {live} of {nodes} members live; {formed}; deaths seen: {deaths}; rejoins seen: {rejoins}; {converged}",
        elapsed.as_secs_f64()
    )
}
