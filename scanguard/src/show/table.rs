//! Columns that line up.

use std::io::{self, Write};

use crate::output::Printable;

/// On which side of its column a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table of `N` columns.
pub(super) struct Table<const N: usize> {
    sides: [Side; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table with these headings.
    pub(super) fn new(columns: [(&str, Side); N]) -> Table<N> {
        let headings = columns.map(|(heading, _)| heading.to_owned());
        Table { sides: columns.map(|(_, side)| side), rows: vec![headings] }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| Printable(&cell).to_string()));
    }

    /// Writes it, two spaces between columns and none at the end of a line.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut widths = [0; N];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        for row in &self.rows {
            let cells = row.iter().zip(widths).zip(self.sides);
            let line: Vec<String> = cells
                .map(|((cell, width), side)| match side {
                    Side::Left => format!("{cell:<width$}"),
                    Side::Right => format!("{cell:>width$}"),
                })
                .collect();
            writeln!(out, "{}", line.join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stands_left_and_numbers_right() {
        let mut table = Table::new([("NAME", Side::Left), ("COUNT", Side::Right), ("NOTE", Side::Left)]);
        table.row(["a-long-name".into(), "7".into(), String::new()]);
        table.row(["b".into(), "123456".into(), "x".into()]);
        let mut bytes = Vec::new();
        table.write(&mut bytes).expect("memory takes everything");
        let expected = "NAME          COUNT  NOTE\na-long-name       7\nb            123456  x\n";
        assert_eq!(String::from_utf8_lossy(&bytes), expected);
    }
}
