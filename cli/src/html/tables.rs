//! The tables of a report.

use crate::archive::ArchivedRun;
use crate::comparison::{Comparison, difference_text, is_best, is_main, main_figures, value_text};
use crate::text::shell_path;
use maud::{Markup, html};
use nas_core::figures::{FIGURES, Figure};

/// The main figures of every variant and baseline; a click on a heading sorts the rows.
pub fn summary(comparison: &Comparison) -> Markup {
    let labels = comparison.labels();
    let shown = |figure: &&Figure| labels.iter().any(|label| comparison.estimate(label, figure.key).is_some());
    let columns: Vec<&Figure> = main_figures().filter(shown).collect();
    html! {
        h2 { "Summary" }
        div class="scroll" {
            table class="sortable" {
                thead {
                    tr {
                        th scope="col" { button type="button" { "variant" } }
                        @for figure in &columns {
                            th scope="col" title=(figure.definition) { button type="button" { (figure.heading()) } }
                        }
                    }
                }
                tbody {
                    @for label in &labels {
                        tr {
                            td { (breakable(label)) }
                            @for figure in &columns { (value(comparison, label, figure)) }
                        }
                    }
                }
            }
        }
        p {
            "Mean ± standard deviation over n = " (comparison.seeds()) "; * marks the best mean. GT-tau has its 95% interval \
             over seeds and architectures. Rows in parentheses need no shared weights."
        }
    }
}

/// The other figures, one row per figure and one column per variant.
pub fn further_figures(comparison: &Comparison) -> Markup {
    let variants = &comparison.variants;
    let shown =
        |figure: &&Figure| variants.iter().any(|variant| comparison.estimate(&variant.label, figure.key).is_some());
    let figures: Vec<&Figure> = FIGURES.iter().filter(|figure| !is_main(figure)).filter(shown).collect();
    html! {
        h2 { "Further figures" }
        (by_figure(variants.iter().map(|variant| variant.label.as_str()), figures, |label, figure| {
            Some(value(comparison, label, figure))
        }))
    }
}

/// The directory of every run, how often it was resumed, and the command that uses its weights.
pub fn runs(comparison: &Comparison) -> Markup {
    let runs = || comparison.variants.iter().flat_map(|variant| variant.runs.iter().map(|run| (&variant.label, run)));
    let resumes = |run: &ArchivedRun| {
        let resumes = run.manifest["resumes"].as_array().into_iter().flatten();
        let steps: Vec<String> =
            resumes.filter_map(|resume| resume["step"].as_u64()).map(|step| step.to_string()).collect();
        if steps.is_empty() { "never".to_owned() } else { format!("at step {}", steps.join(", ")) }
    };
    html! {
        h2 { "Runs" }
        div class="scroll" {
            table {
                thead {
                    tr {
                        @for heading in ["variant", "seed", "checkpoints", "resumed", "command"] {
                            th scope="col" { (heading) }
                        }
                    }
                }
                tbody {
                    @for (label, run) in runs() {
                        tr {
                            td { (breakable(label)) }
                            td { (run.result.seed) }
                            td { (run.manifest["checkpoints"]["written"].as_u64().unwrap_or_default()) }
                            td { (resumes(run)) }
                            td { code { "nas-train search " (shell_path(&run.path)) } }
                        }
                    }
                }
            }
        }
    }
}

/// The paired differences to the first variant; empty if there is one variant only.
pub fn differences(comparison: &Comparison) -> Markup {
    let Some((reference, others)) = comparison.variants.split_first().filter(|(_, others)| !others.is_empty()) else {
        return Markup::default();
    };
    let of = |label: &str, figure: &Figure| comparison.estimate(label, figure.key)?.difference.as_ref();
    let shown = |figure: &&Figure| others.iter().any(|variant| of(&variant.label, figure).is_some());
    html! {
        h2 { "Paired differences to " (reference.label) }
        (by_figure(
            others.iter().map(|variant| variant.label.as_str()),
            FIGURES.iter().filter(shown).collect(),
            |label, figure| {
                let difference = of(label, figure)?;
                Some(html! { td class=(difference.verdict.name()) { (difference_text(difference, figure.decimals)) } })
            },
        ))
        p {
            "Mean [95% bootstrap interval over seeds; for GT-tau over seeds and architectures]. A difference is “open” if the \
             interval contains zero, or if the p-value of the sign-flip test over seeds is above 0.05. With fewer than six \
             seeds, the p-value is always above 0.05."
        }
    }
}

/// A table with a row per figure and a column per label. `cell` returns a table cell.
fn by_figure<'a>(
    labels: impl Iterator<Item = &'a str> + Clone,
    figures: Vec<&Figure>,
    cell: impl Fn(&str, &Figure) -> Option<Markup>,
) -> Markup {
    html! {
        div class="scroll" {
            table {
                thead {
                    tr {
                        th scope="col" { "figure" }
                        @for label in labels.clone() { th scope="col" { (breakable(label)) } }
                    }
                }
                tbody {
                    @for figure in figures {
                        tr {
                            th scope="row" title=(figure.definition) { (figure.heading()) }
                            @for label in labels.clone() {
                                @match cell(label, figure) { Some(cell) => (cell), None => td {} }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The cell of an estimate.
fn value(comparison: &Comparison, label: &str, figure: &Figure) -> Markup {
    match comparison.estimate(label, figure.key) {
        Some(estimate) => {
            let best = is_best(estimate, &comparison.estimates);
            html! { td class=[best.then_some("best")] { (value_text(estimate)) } }
        }
        None => html! { td {} },
    }
}

/// A label that may break after `:`, `=`, `_` and `/`, so that long labels do not widen a table.
pub fn breakable(label: &str) -> Markup {
    html! { @for piece in label.split_inclusive([':', '=', '_', '/']) { (piece) wbr; } }
}
