//! Columns of text.

use super::text::{cut, visible, width};

const GAP: &str = "  ";
/// A column is not cut below this, even where that makes the lines too long.
const NARROWEST: usize = 8;

/// A table with a heading above each column.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    head: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// From the left; may be cut where the terminal is narrow.
    Text,
    /// From the right, and whole.
    Number,
}

/// A column of texts.
pub(crate) fn text(head: &'static str) -> Column {
    Column { head, kind: Kind::Text }
}

/// A column of numbers.
pub(crate) fn number(head: &'static str) -> Column {
    Column { head, kind: Kind::Number }
}

impl Column {
    fn narrowest(self) -> usize {
        match self.kind {
            Kind::Text => NARROWEST.max(width(self.head)),
            Kind::Number => usize::MAX,
        }
    }
}

impl Table {
    pub(crate) fn new<const N: usize>(columns: [Column; N]) -> Table {
        let heads = columns.iter().map(|column| column.head.to_string()).collect();
        Table { columns: columns.to_vec(), rows: vec![heads] }
    }

    /// Adds a row, a cell for each column. What cannot be seen in a cell is escaped.
    pub(crate) fn row<const N: usize>(&mut self, cells: [&str; N]) {
        debug_assert_eq!(N, self.columns.len());
        self.rows.push(cells.iter().map(|cell| visible(cell)).collect());
    }

    /// The lines; where `columns` are given, texts are cut so that a line has no more of them.
    pub(crate) fn lines(&self, columns: Option<usize>) -> impl Iterator<Item = String> {
        let widths = self.widths(columns.unwrap_or(usize::MAX));
        self.rows.iter().map(move |row| self.line(row, &widths))
    }

    fn widths(&self, most: usize) -> Vec<usize> {
        let widest = |at: usize| self.rows.iter().map(|row| width(&row[at])).max().unwrap_or(0);
        let mut widths: Vec<usize> = (0..self.columns.len()).map(widest).collect();
        let gaps = GAP.len() * self.columns.len().saturating_sub(1);
        let mut over = (widths.iter().sum::<usize>() + gaps).saturating_sub(most);
        // The widest text gives way first, so that short ones stay whole.
        while over > 0 {
            let can_be_cut = |&at: &usize| widths[at] > self.columns[at].narrowest();
            let Some(widest) = (0..widths.len()).filter(can_be_cut).max_by_key(|&at| widths[at]) else { break };
            widths[widest] -= 1;
            over -= 1;
        }
        widths
    }

    fn line(&self, row: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for (at, (cell, &columns)) in row.iter().zip(widths).enumerate() {
            if at > 0 {
                line.push_str(GAP);
            }
            let cell = cut(cell, columns);
            let room = " ".repeat(columns - width(&cell));
            match self.columns[at].kind {
                Kind::Text => line.extend([cell, room]),
                Kind::Number => line.extend([room, cell]),
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new([text("NODE"), text("VALUE"), number("VERSION")]);
        table.row(["one", "short", "7"]);
        table.row(["名前", "a longer value than others", "1234567890"]);
        table.row(["x\u{1b}[2J", "", "-"]);
        table
    }

    fn lines(columns: Option<usize>) -> Vec<String> {
        table().lines(columns).collect()
    }

    #[test]
    fn columns_are_aligned_by_what_is_seen() {
        assert_eq!(
            lines(None),
            [
                "NODE        VALUE                          VERSION",
                "one         short                                7",
                "名前        a longer value than others  1234567890",
                "x\\u{1b}[2J  \"\"                                   -",
            ]
        );
    }

    #[test]
    fn the_widest_text_gives_way_where_there_is_no_room() {
        let whole = lines(None);
        assert_eq!(lines(Some(50)), whole);
        let narrow = lines(Some(40));
        assert_eq!(narrow[2], "名前        a longer value …  1234567890");
        assert!(narrow.iter().all(|line| width(line) <= 40), "{narrow:#?}");
        // Numbers are never cut, nor texts to nothing: then the lines are too long.
        assert_eq!(lines(Some(5))[2], "名前      a longe…  1234567890");
    }

    #[test]
    fn a_table_without_rows_has_its_heads() {
        assert_eq!(Table::new([text("A"), number("B")]).lines(Some(80)).collect::<Vec<_>>(), ["A  B"]);
    }
}
