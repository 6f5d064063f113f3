//! Columns that line up, by the width that a terminal gives to each letter.

use owo_colors::Style;
use unicode_width::UnicodeWidthStr;

use crate::output::Output;

const GAP: &str = "  ";

/// Rows below a heading. Cells must be escaped.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(heading: &[&str]) -> Self {
        Self {
            rows: vec![heading.iter().map(|&cell| cell.to_owned()).collect()],
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(crate) fn render(&self, out: &Output) -> String {
        let lines = align(&self.rows);
        lines
            .iter()
            .enumerate()
            .map(|(n, line)| match n {
                0 => out.paint(line, Style::new().bold()),
                _ => line.clone(),
            })
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// Names and values, one pair a line. Values must be escaped.
pub(crate) fn pairs(out: &Output, pairs: &[(&str, String)]) -> String {
    let width = pairs
        .iter()
        .map(|(name, _)| name.width())
        .max()
        .unwrap_or(0);
    pairs
        .iter()
        .map(|(name, value)| {
            let padding = " ".repeat(width - name.width());
            format!(
                "{}{padding}{GAP}{value}",
                out.paint(name, Style::new().bold())
            )
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn align(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|n| {
            rows.iter()
                .filter_map(|row| row.get(n))
                .map(|cell| cell.width())
                .max()
                .unwrap_or(0)
        })
        .collect();
    rows.iter()
        .map(|row| {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.width())))
                .collect();
            cells.join(GAP).trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_letters_and_accents_line_up() {
        let rows = [["医生", "1"], ["Zoe\u{308}", "2"], ["", "3"]]
            .map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(align(&rows), ["医生  1", "Zoe\u{308}   2", "      3"]);
    }
}
