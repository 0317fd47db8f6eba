//! Where the demo shows what happens: a screen, or lines.

use std::io::{self, IsTerminal};

use super::note::Note;
use super::plain::Plain;
use super::screen::Screen;
use super::table::Heading;
use super::tally::Summary;
use super::view::View;

pub(crate) enum Output {
    Screen(Screen),
    Plain(Plain),
}

impl Output {
    /// A screen, unless `plain` is asked for or the output is no terminal that can be drawn on.
    pub(crate) fn open(plain: bool, heading: Heading) -> io::Result<Output> {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if plain || is_dumb || !io::stdout().is_terminal() {
            Ok(Output::Plain(Plain::open(&heading)?))
        } else {
            Ok(Output::Screen(Screen::open(heading)?))
        }
    }

    /// Something happened.
    pub(crate) fn note(&mut self, note: Note) -> io::Result<()> {
        match self {
            Output::Screen(screen) => {
                screen.note(note);
                Ok(())
            }
            Output::Plain(plain) => plain.note(&note),
        }
    }

    /// The cluster as it is now.
    pub(crate) fn view(&mut self, view: &View) -> io::Result<()> {
        match self {
            Output::Screen(screen) => screen.draw(view),
            Output::Plain(plain) => plain.view(view),
        }
    }

    /// The last view and the closing word.
    pub(crate) fn close(self, view: &View, summary: &Summary) -> io::Result<()> {
        match self {
            Output::Screen(screen) => screen.close(view, summary),
            Output::Plain(plain) => plain.close(summary),
        }
    }
}
