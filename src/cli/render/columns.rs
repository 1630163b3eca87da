//! Columns that line up: what is painted still counts as wide as its text.

use super::super::terminal::{Ink, Style};

/// One cell of a table.
pub(super) struct Cell {
    text: String,
    ink: Option<Ink>,
    right: bool,
}

impl Cell {
    /// Text from the left. Reasons may hold words of a server: none of them can move the cursor.
    pub(super) fn left(text: impl ToString) -> Self {
        Self { text: text.to_string().replace(char::is_control, "?"), ink: None, right: false }
    }

    /// A number, from the right.
    pub(super) fn right(text: impl ToString) -> Self {
        Self { right: true, ..Self::left(text) }
    }

    /// The same in a colour.
    pub(super) fn ink(self, ink: Ink) -> Self {
        Self { ink: Some(ink), ..self }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }

    fn padded(&self, width: usize, style: Style) -> String {
        let gap = " ".repeat(width.saturating_sub(self.width()));
        let text = self.ink.map_or(self.text.clone(), |ink| style.paint(ink, &self.text));
        if self.right { gap + &text } else { text + &gap }
    }
}

/// The rows below each other, two spaces between columns, `indent` in front, no spaces at the end of a line.
pub(super) fn table(indent: &str, rows: &[Vec<Cell>], style: Style) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(Cell::width).max();
    let widths: Vec<usize> = (0..columns).filter_map(width).collect();
    let line = |row: &Vec<Cell>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| cell.padded(*width, style));
        format!("{indent}{}", cells.collect::<Vec<_>>().join("  ")).trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
