//! The section about stand-alone trainings: figures, learning curves, and published results beside them.

use super::picture::Picture;
use super::tables::breakable;
use crate::published::{NetworkRow, NumberSource, PublishedTable, known, networks, notes, shown_columns};
use crate::text::{duration, short};
use crate::text_table::NO_BREAK_SPACE;
use crate::trainings::TrainingGroup;
use anyhow::Result;
use maud::{Markup, html};
use nas_core::metrics::Summary;

/// The headings of the table of trainings.
const HEADINGS: [&str; 13] = [
    "training",
    "architecture",
    "accuracy after the last epoch (%)",
    "highest accuracy (%)",
    "top-5 accuracy (%)",
    "evaluated on",
    "seeds",
    "epochs",
    "parameters",
    "multiply-adds",
    "time",
    "data",
    "space",
];

/// The section; empty without trainings.
///
/// # Errors
/// None in practice: the published networks can be built.
pub fn section(trainings: &[TrainingGroup], pictures: &[Picture]) -> Result<Markup> {
    if trainings.is_empty() {
        return Ok(Markup::default());
    }
    let published = published(trainings)?;
    Ok(html! {
        h2 { "Stand-alone training" }
        div class="scroll" {
            table {
                thead { tr { @for heading in HEADINGS { th scope="col" class=[(heading == "architecture").then_some("arch")] { (heading) } } } }
                tbody { @for group in trainings { (row(group)) } }
            }
        }
        p {
            "Mean ± sample standard deviation over seeds. Time is the mean of one training. The highest accuracy is chosen on \
             the evaluated images, so it is optimistic; the top-5 accuracy is that after the last epoch. Parameters and \
             multiply-adds are without the auxiliary head."
        }
        div class="figures" { @for figure in pictures.iter().filter_map(Picture::figure) { (figure) } }
        (published)
    })
}

fn row(group: &TrainingGroup) -> Markup {
    let first = group.first();
    let seeds: Vec<String> = group.runs.iter().map(|run| run.result.seed.to_string()).collect();
    let percent = |summary: Option<Summary>| summary.map_or_else(String::new, with_deviation);
    let last = percent(group.summary(|result| result.last.map(|last| last.accuracy)));
    let best = percent(group.summary(|result| result.best.map(|best| best.accuracy)));
    let top5 = percent(group.summary(|result| result.last.map(|last| last.top5_accuracy)));
    let time = group.summary(|result| Some(result.wall_s)).map_or_else(String::new, |time| duration(time.mean));
    html! {
        tr {
            td { (breakable(&group.name)) }
            td class="arch" title=(first.arch) { (first.arch) }
            td { (last) }
            td { (best) }
            td { (top5) }
            td { (first.eval_images) " " (first.evaluated_on) " images" }
            td { (seeds.join(", ")) }
            td { (first.epochs) }
            td title=(first.params) { (unbroken(&short(first.params))) }
            td title=(first.macs) { (unbroken(&short(first.macs))) }
            td { (unbroken(&time)) }
            td { (first.data) }
            td { (first.space) }
        }
    }
}

/// `95.12 ± 0.10`: mean, and the deviation of several values.
fn with_deviation(summary: Summary) -> String {
    let deviation = summary.std.map(|std| format!(" ± {std:.2}")).unwrap_or_default();
    unbroken(&format!("{:.2}{deviation}", summary.mean))
}

/// Keeps mean and deviation in one line.
fn unbroken_deviation(text: &str) -> String {
    text.replace(" ± ", &unbroken(" ± "))
}

fn unbroken(text: &str) -> String {
    text.replace(' ', NO_BREAK_SPACE)
}

/// The published results on CIFAR-10, which are about cells, beside trainings in the space of these cells.
fn published(trainings: &[TrainingGroup]) -> Result<Markup> {
    let table = PublishedTable::Cifar10;
    let is_own = |group: &&TrainingGroup| group.first().data == table.data() && group.first().space == "darts";
    let own: Vec<TrainingGroup> = trainings.iter().filter(is_own).cloned().collect();
    if own.is_empty() {
        return Ok(Markup::default());
    }
    let rows = networks(table, &own)?;
    let columns = shown_columns(&rows);
    let class = |row: &NetworkRow| (row.origin == NumberSource::Measured).then_some("measured");
    Ok(html! {
        h3 { "Published results on CIFAR-10" }
        div class="scroll" {
            table {
                thead { tr { @for (title, _) in &columns { th scope="col" { (title) } } } }
                tbody {
                    @for row in &rows {
                        tr class=[class(row)] { @for (_, value) in &columns { td { (unbroken_deviation(&known(value(row)))) } } }
                    }
                }
            }
        }
        ul { @for note in notes(table, &rows) { li { (note) } } }
    })
}
