//! The comparison as tables for a terminal.

use super::{Comparison, difference_text, is_best, main_figures, value_text};
use crate::text_table::{TextCell, TextTable};
use nas_core::figures::{Direction, Figure};
use std::path::Path;

/// Width of the tables where standard output is not a terminal.
const FILE_WIDTH: usize = 160;

/// The table of figures, the table of paired differences, and the notes. `dir` holds the files of the comparison.
pub fn tables(comparison: &Comparison, dir: &Path) -> String {
    let mut text = format!(
        "{}\nMean ± standard deviation over n = {}; * marks the best mean; [95% interval] of GT-tau over seeds and \
         architectures. Rows in parentheses need no shared weights.\n",
        figures(comparison),
        comparison.seeds()
    );
    if comparison.variants.len() > 1 {
        let reference = &comparison.variants[0].label;
        text += &format!(
            "\nPaired differences to {reference} [95% interval over seeds; for GT-tau over seeds and architectures]\n"
        );
        text += &differences(comparison);
    }
    for note in comparison.notes.iter().chain(&comparison.seeds_note) {
        text += &format!("\n{note}");
    }
    text + &format!("\n\nAll files are in {}, the report is {}\n", dir.display(), dir.join("report.html").display())
}

/// The main figures and the training time of every variant and baseline.
fn figures(comparison: &Comparison) -> String {
    let any = |figure: &&Figure| comparison.estimates.iter().any(|estimate| estimate.figure.key == figure.key);
    let columns: Vec<&Figure> = main_figures().chain(Figure::find("train_s")).filter(any).collect();
    let mut table =
        TextTable::new(std::iter::once("variant".to_owned()).chain(columns.iter().map(|figure| figure.heading())));
    for label in comparison.labels() {
        let cell = |figure: &&Figure| match comparison.estimate(label, figure.key) {
            Some(estimate) if is_best(estimate, &comparison.estimates) => {
                TextCell { text: format!("{}\u{a0}*", value_text(estimate)), bold: true }
            }
            Some(estimate) => value_text(estimate).into(),
            None => TextCell::default(),
        };
        table.row(std::iter::once(TextCell::from(label)).chain(columns.iter().map(cell)));
    }
    table.for_stdout(FILE_WIDTH)
}

/// The paired differences of the main figures to the first variant.
fn differences(comparison: &Comparison) -> String {
    let others = &comparison.variants[1..];
    let mut table =
        TextTable::new(std::iter::once("figure").chain(others.iter().map(|variant| variant.label.as_str())));
    for figure in main_figures().filter(|figure| figure.direction != Direction::Neither) {
        let cell = |label: &str| {
            let difference = comparison.estimate(label, figure.key).and_then(|estimate| estimate.difference.as_ref());
            difference.map(|difference| difference_text(difference, figure.decimals)).unwrap_or_default()
        };
        let cells: Vec<String> = others.iter().map(|variant| cell(&variant.label)).collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            table.row(std::iter::once(figure.heading()).chain(cells));
        }
    }
    table.for_stdout(FILE_WIDTH)
}
