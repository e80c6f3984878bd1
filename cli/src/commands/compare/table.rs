//! The comparison for a terminal.

use super::comparison::Comparison;
use super::figures::{Better, Figure, all};
use super::statistics::{Difference, Row};
use comfy_table::{Attribute, Cell, ContentArrangement, Table, presets};
use std::io::IsTerminal;
use std::path::Path;

/// The rows of the second table; with costs around them the columns of the first.
const COMPARED: [&str; 6] = [
    "probe_accuracy",
    "disturbance_second_half",
    "rank_stability",
    "immediate_abs_loss",
    "truth_tau",
    "predicted_truth",
];

/// Both tables and the notes.
pub fn show(comparison: &Comparison, dir: &Path) -> String {
    let mut text = format!(
        "{}\nMean ± standard deviation over n = {}; * marks the best mean, [95% interval]\n",
        figures(comparison),
        comparison.seeds()
    );
    if comparison.groups.len() > 1 {
        let first = &comparison.groups[0].label;
        text += &format!(
            "\nPaired differences to {first} [95% interval over seeds; for GT-tau over seeds and architectures]\n"
        );
        text += &differences(comparison);
    }
    for note in comparison.notes.iter().chain(&comparison.seeds_note) {
        text += &format!("\n{note}");
    }
    text + &format!("\n\nEverything is in {}, the report in {}\n", dir.display(), dir.join("report.html").display())
}

fn find(key: &str) -> Option<&'static Figure> {
    all().find(|figure| figure.key == key)
}

fn figures(comparison: &Comparison) -> Table {
    let mut table = empty();
    let keys = std::iter::once("subnet_passes").chain(COMPARED).chain(["train_s"]);
    let known = keys.filter_map(find);
    let any = |figure: &&Figure| comparison.rows.iter().any(|row| row.figure.key == figure.key);
    let columns: Vec<&Figure> = known.filter(any).collect();
    table.set_header(std::iter::once("strategy".to_owned()).chain(columns.iter().map(|figure| figure.heading())));
    for label in comparison.labels() {
        let rows = comparison.rows.iter().chain(&comparison.baselines);
        let rows: Vec<&Row> = rows.filter(|row| row.label == label).collect();
        let cell = |figure: &&Figure| match rows.iter().find(|row| row.figure.key == figure.key) {
            Some(row) if is_best(row, &comparison.rows) => {
                Cell::new(format!("{} *", value(row))).add_attribute(Attribute::Bold)
            }
            Some(row) => Cell::new(value(row)),
            None => Cell::new(""),
        };
        table.add_row(std::iter::once(Cell::new(label)).chain(columns.iter().map(cell)));
    }
    table
}

/// `12.34 ± 0.56`, for GT-tau with its interval.
pub fn value(row: &Row) -> String {
    let decimals = row.figure.decimals;
    let std = row.summary.std.filter(|std| *std > 0.0).map(|std| format!(" ± {std:.decimals$}")).unwrap_or_default();
    let interval = row.interval.filter(|_| row.figure.key == "truth_tau");
    let interval = interval.map(|i| format!(" [{:.2}, {:.2}]", i.lo, i.hi)).unwrap_or_default();
    format!("{:.decimals$}{std}{interval}", row.summary.mean)
}

/// Whether no other variant has a better mean.
pub fn is_best(row: &Row, rows: &[Row]) -> bool {
    let others = || rows.iter().filter(|other| other.figure.key == row.figure.key);
    let mean = row.summary.mean;
    others().count() > 1
        && others().any(|other| other.label == row.label)
        && match row.figure.better {
            Better::Higher => others().all(|other| other.summary.mean <= mean),
            Better::Lower => others().all(|other| other.summary.mean >= mean),
            Better::Neither => false,
        }
}

fn differences(comparison: &Comparison) -> String {
    let mut table = empty();
    let others = &comparison.groups[1..];
    table.set_header(std::iter::once("figure".to_owned()).chain(others.iter().map(|group| group.label.clone())));
    for figure in COMPARED.iter().filter_map(|key| find(key)) {
        let of = |label: &str| {
            let row = comparison.rows.iter().find(|row| row.label == label && row.figure.key == figure.key);
            row.and_then(|row| row.difference.as_ref()).map(|d| difference(d, figure.decimals)).unwrap_or_default()
        };
        let cells: Vec<String> = others.iter().map(|group| of(&group.label)).collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            table.add_row(std::iter::once(figure.title.to_owned()).chain(cells));
        }
    }
    format!("{table}\n")
}

/// `+1.23 [0.45, 2.01] better (n = 6)`
pub fn difference(difference: &Difference, decimals: usize) -> String {
    let Difference { n, mean, lo, hi, verdict, .. } = difference;
    let interval = lo.zip(*hi).map(|(lo, hi)| format!(" [{lo:+.decimals$}, {hi:+.decimals$}]")).unwrap_or_default();
    format!("{mean:+.decimals$}{interval} {verdict} (n = {n})")
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
