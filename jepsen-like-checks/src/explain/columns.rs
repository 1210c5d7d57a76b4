//! A table of who did what, one column for each client or watch, time downwards.
//!
//! Rows that belong to one of the two facts bear its letter on the left:
//!
//! ```text
//!   time us | client 1           | client 2
//! A      20 | '- made revision 2 |
//! B      30 |                    | get "a"
//! ```
//!
//! Not here: which rows there are (`scene.rs`).

use std::fmt;

use crate::history::Micros;

/// One line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Row {
    pub(super) at: Micros,
    /// The place of the column.
    pub(super) column: usize,
    pub(super) text: String,
    /// The fact that it belongs to.
    pub(super) mark: Option<char>,
}

/// Rows under the names of their columns.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Table {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Row>,
    /// What is not shown, in words; empty if everything is.
    pub(super) left_out: String,
}

/// The most that a cell shows, in characters.
const WIDE: usize = 64;

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells: Vec<String> = self.rows.iter().map(|row| shortened(&row.text)).collect();
        let width = |column: usize| {
            let own = self.rows.iter().zip(&cells).filter(|(row, _)| row.column == column);
            let widest = own.map(|(_, cell)| cell.chars().count()).max().unwrap_or(0);
            widest.max(self.columns[column].chars().count())
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let digits = self.rows.iter().map(|row| row.at.0.to_string().len()).max().unwrap_or(0);
        let time = digits.max("time us".len());
        write!(f, "  {:>time$}", "time us")?;
        let names: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        line(f, &names, &widths)?;
        for (row, cell) in self.rows.iter().zip(&cells) {
            write!(f, "{} {:>time$}", row.mark.unwrap_or(' '), row.at.0)?;
            let mut texts = vec![""; self.columns.len()];
            texts[row.column] = cell;
            line(f, &texts, &widths)?;
        }
        if !self.left_out.is_empty() {
            writeln!(f, "({})", self.left_out)?;
        }
        Ok(())
    }
}

/// The cells of one line; nothing trails behind the last that says something.
fn line(f: &mut fmt::Formatter<'_>, texts: &[&str], widths: &[usize]) -> fmt::Result {
    let last = texts.iter().rposition(|text| !text.is_empty()).unwrap_or(0);
    for (place, (text, width)) in texts.iter().zip(widths).enumerate().take(last + 1) {
        if place < last {
            write!(f, " | {text:<width$}")?;
        } else {
            write!(f, " | {text}")?;
        }
    }
    writeln!(f)
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= WIDE {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(WIDE - 3).collect();
    short.push_str("...");
    short
}
