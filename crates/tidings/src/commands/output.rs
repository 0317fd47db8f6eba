//! The standard output.

use std::io::{self, IsTerminal, Write};

use crossterm::terminal;

use super::error::CommandError;
use super::table::Table;

/// What people read is fitted to a terminal if there is one; what programs read is not.
pub(crate) struct Output {
    out: io::Stdout,
    columns: Option<usize>,
}

impl Output {
    pub(crate) fn new() -> Output {
        let out = io::stdout();
        let size = out.is_terminal().then(terminal::size).and_then(Result::ok);
        Output { out, columns: size.map(|(columns, _)| columns.into()) }
    }

    /// How many columns the terminal has, if the output is one.
    pub(crate) fn columns(&self) -> Option<usize> {
        self.columns
    }

    pub(crate) fn table(&mut self, table: &Table) -> Result<(), CommandError> {
        table.lines(self.columns).try_for_each(|line| self.line(&line))
    }

    /// An answer of the agent's as it came, ended by a newline.
    pub(crate) fn document(&mut self, text: &str) -> Result<(), CommandError> {
        self.line(text.trim_end())
    }

    pub(crate) fn line(&mut self, line: &str) -> Result<(), CommandError> {
        writeln!(self.out, "{line}").and_then(|()| self.out.flush()).map_err(CommandError::Output)
    }
}
