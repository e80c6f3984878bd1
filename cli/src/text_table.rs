//! Tables for the terminal. A cell wraps at spaces only, never inside a word.
//!
//! A table that is wider than the terminal is transposed. If that is still too wide, it is split into several tables,
//! each with the column of labels.

use comfy_table::{Attribute, Cell, ColumnConstraint, ContentArrangement, Table, Width, presets};
use std::io::IsTerminal;
use unicode_width::UnicodeWidthStr;

/// A space at which a cell does not wrap. It is printed as an ordinary space.
pub const NO_BREAK_SPACE: &str = "\u{a0}";
/// Columns of padding around a cell.
const PADDING: usize = 2;

/// The text of a cell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextCell {
    /// The text. It wraps at spaces.
    pub text: String,
    /// Whether a terminal prints it in bold.
    pub bold: bool,
}

impl<T: Into<String>> From<T> for TextCell {
    fn from(text: T) -> Self {
        Self { text: text.into(), bold: false }
    }
}

impl TextCell {
    /// The width of the longest piece without a space, in columns of a terminal.
    fn narrowest(&self) -> usize {
        self.text.split(' ').map(UnicodeWidthStr::width).max().unwrap_or(0)
    }
}

/// A table: the first row is the header, the first column holds the labels.
#[derive(Debug, Clone, Default)]
pub struct TextTable {
    rows: Vec<Vec<TextCell>>,
}

impl TextTable {
    /// A table without rows. The header has the title of the labels first.
    pub fn new(header: impl IntoIterator<Item = impl Into<TextCell>>) -> Self {
        Self { rows: vec![header.into_iter().map(Into::into).collect()] }
    }

    /// Adds a row, the label first. It must be as long as the header.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<TextCell>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// The table for standard output. Without a terminal it is `unlimited` columns wide.
    pub fn for_stdout(&self, unlimited: usize) -> String {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let styled = !plain && std::io::stdout().is_terminal();
        self.render(terminal_width().unwrap_or(unlimited), styled)
    }

    /// The table in at most `width` columns, as far as its words allow. `styled` prints bold cells in bold.
    pub fn render(&self, width: usize, styled: bool) -> String {
        let transposed = self.transposed();
        let (upright, turned) = (self.parts(width), transposed.parts(width));
        // A split table repeats its labels, so fewer parts are shorter.
        let (table, parts) = if upright.len() <= turned.len() { (self, upright) } else { (&transposed, turned) };
        let parts: Vec<String> = parts.iter().map(|columns| table.draw(columns, width, styled)).collect();
        parts.join("\n")
    }

    /// The table with the given orientation and all columns, even if it is wider than `width`.
    pub fn upright(&self, width: usize, styled: bool) -> String {
        let columns: Vec<usize> = (0..self.columns()).collect();
        self.draw(&columns, width, styled)
    }

    fn columns(&self) -> usize {
        self.rows.first().map_or(0, Vec::len)
    }

    fn transposed(&self) -> Self {
        let column = |at: usize| self.rows.iter().map(|row| row.get(at).cloned().unwrap_or_default()).collect();
        Self { rows: (0..self.columns()).map(column).collect() }
    }

    /// The width that a column needs at least.
    fn narrowest(&self, column: usize) -> usize {
        self.rows.iter().filter_map(|row| row.get(column)).map(TextCell::narrowest).max().unwrap_or(0)
    }

    /// Distributes the columns over tables that fit. Every table has at least one column beside the labels.
    fn parts(&self, width: usize) -> Vec<Vec<usize>> {
        let labels = self.narrowest(0) + PADDING;
        let (mut parts, mut used) = (vec![vec![0]], labels);
        for column in 1..self.columns() {
            let own = self.narrowest(column) + PADDING;
            if used + own > width.saturating_add(PADDING) && parts.last().is_some_and(|part| part.len() > 1) {
                parts.push(vec![0]);
                used = labels;
            }
            parts.last_mut().into_iter().for_each(|part| part.push(column));
            used += own;
        }
        parts
    }

    fn draw(&self, columns: &[usize], width: usize, styled: bool) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        // The outer padding is removed below.
        let needed: usize = columns.iter().map(|&column| self.narrowest(column) + PADDING).sum();
        table.set_width(u16::try_from(width.saturating_add(PADDING).max(needed)).unwrap_or(u16::MAX));
        if styled {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        for row in &self.rows {
            table.add_row(columns.iter().map(|&column| {
                let cell = row.get(column).cloned().unwrap_or_default();
                let drawn = Cell::new(&cell.text);
                if cell.bold { drawn.add_attribute(Attribute::Bold) } else { drawn }
            }));
        }
        for (at, &column) in columns.iter().enumerate() {
            let narrowest = u16::try_from(self.narrowest(column) + PADDING).unwrap_or(u16::MAX);
            if let Some(column) = table.column_mut(at) {
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(narrowest)));
            }
        }
        let line = |line: &str| format!("{}\n", line.strip_prefix(' ').unwrap_or(line).trim_end());
        table.to_string().lines().map(line).collect::<String>().replace(NO_BREAK_SPACE, " ")
    }
}

/// The width of the terminal that standard output goes to; none if it goes elsewhere.
pub fn terminal_width() -> Option<usize> {
    Table::new().width().map(usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIGURES: [&str; 8] = [
        "sub-net passes",
        "probe accuracy (%)",
        "disturbance, second half (points)",
        "rank stability",
        "single-step disturbance",
        "GT-tau",
        "true accuracy of the predicted best (%)",
        "training time (s)",
    ];

    fn comparison(variants: usize) -> TextTable {
        let mut table = TextTable::new(std::iter::once("strategy").chain(FIGURES));
        for number in 0..variants {
            let value = |figure| format!("{number}{figure}.25\u{a0}±\u{a0}0.5 [0.25,\u{a0}0.75]");
            table.row(std::iter::once(format!("variant:{number}=0.5")).chain((0..FIGURES.len()).map(value)));
        }
        table
    }

    #[test]
    fn no_width_breaks_a_word() {
        for width in [60, 80, 100, 160, 200] {
            for variants in [1, 3, 8] {
                let table = comparison(variants);
                let text = table.render(width, false);
                assert!(text.lines().all(|line| line.chars().count() <= width), "{width}\n{text}");
                let words: Vec<&str> = text.split_whitespace().collect();
                for cell in table.rows.iter().flatten() {
                    for word in cell.text.split([' ', '\u{a0}']) {
                        assert!(words.contains(&word), "{word} at {width} in\n{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_wide_table_is_transposed_and_a_still_wider_one_split() {
        let lines = |width, variants| comparison(variants).render(width, false).lines().count();
        assert_eq!(lines(400, 2), 3, "a header and a row for each variant");
        let transposed = comparison(2).render(80, false);
        assert!(transposed.lines().any(|line| line.starts_with("sub-net passes")), "{transposed}");
        let split = comparison(8).render(80, false);
        assert!(split.matches("variant:0=0.5").count() > 1 && split.contains("\n\n"), "{split}");
    }

    #[test]
    fn a_wide_character_takes_two_columns() {
        let mut table = TextTable::new(["network", "accuracy"]);
        table.row(["長い名前の実験", "90.0"]);
        for width in [10, 24, 60] {
            assert!(table.render(width, false).contains("長い名前の実験"), "{width}");
        }
        assert_eq!(TextCell::from("長い 名").narrowest(), 4);
    }

    #[test]
    fn a_word_longer_than_the_terminal_stays_whole() {
        let mut table = TextTable::new(["architecture", "accuracy"]);
        table.row(["|nor_conv_3x3~0|+|none~0|skip_connect~1|", "90.0"]);
        assert!(table.render(20, false).contains("|nor_conv_3x3~0|+|none~0|skip_connect~1|"));
    }
}
