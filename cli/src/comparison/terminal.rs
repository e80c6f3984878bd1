//! The comparison as tables for a terminal.

use super::{Comparison, difference_text, is_best, value_text};
use comfy_table::{Attribute, Cell, ContentArrangement, Table, presets};
use nas_core::figures::Figure;
use std::io::IsTerminal;
use std::path::Path;

/// The figures of both tables. The first table has costs in addition.
const COMPARED: [&str; 6] = [
    "probe_accuracy",
    "disturbance_second_half",
    "rank_stability",
    "single_step_disturbance",
    "gt_tau",
    "predicted_best_truth",
];

/// The table of figures, the table of paired differences, and the notes. `dir` holds the files of the comparison.
pub fn tables(comparison: &Comparison, dir: &Path) -> String {
    let mut text = format!(
        "{}\nMean ± standard deviation over n = {}; * marks the best mean, [95% interval]\n",
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

fn figures(comparison: &Comparison) -> Table {
    let mut table = empty();
    let keys = std::iter::once("subnet_passes").chain(COMPARED).chain(["train_s"]);
    let any = |figure: &&Figure| comparison.estimates.iter().any(|estimate| estimate.figure.key == figure.key);
    let columns: Vec<&Figure> = keys.filter_map(Figure::find).filter(any).collect();
    table.set_header(std::iter::once("strategy".to_owned()).chain(columns.iter().map(|figure| figure.heading())));
    for label in comparison.labels() {
        let cell = |figure: &&Figure| match comparison.estimate(label, figure.key) {
            Some(estimate) if is_best(estimate, &comparison.estimates) => {
                Cell::new(format!("{} *", value_text(estimate))).add_attribute(Attribute::Bold)
            }
            Some(estimate) => Cell::new(value_text(estimate)),
            None => Cell::new(""),
        };
        table.add_row(std::iter::once(Cell::new(label)).chain(columns.iter().map(cell)));
    }
    table
}

fn differences(comparison: &Comparison) -> String {
    let mut table = empty();
    let others = &comparison.variants[1..];
    table.set_header(std::iter::once("figure".to_owned()).chain(others.iter().map(|variant| variant.label.clone())));
    for figure in COMPARED.iter().filter_map(|key| Figure::find(key)) {
        let of = |label: &str| {
            let difference = comparison.estimate(label, figure.key).and_then(|estimate| estimate.difference.as_ref());
            difference.map(|difference| difference_text(difference, figure.decimals)).unwrap_or_default()
        };
        let cells: Vec<String> = others.iter().map(|variant| of(&variant.label)).collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            table.add_row(std::iter::once(figure.title.to_owned()).chain(cells));
        }
    }
    format!("{table}\n")
}

/// A table as wide as the terminal; attributes only where there is one and `NO_COLOR` is not set.
fn empty() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if plain || !std::io::stdout().is_terminal() {
        table.force_no_tty().set_width(160);
    } else {
        table.enforce_styling();
    }
    table
}
