//! The tables of a report.

use super::svg::escape;
use crate::comparison::{Comparison, Estimate, difference_text, is_best, value_text};
use nas_core::figures::{FIGURES, Figure};
use std::fmt::Write;

/// Every figure of every variant and of what needs no shared weights, sortable.
pub fn summary(comparison: &Comparison) -> String {
    let labels = comparison.labels();
    let shown = |figure: &&Figure| labels.iter().any(|label| comparison.estimate(label, figure.key).is_some());
    let columns: Vec<&Figure> = FIGURES.iter().filter(shown).collect();
    let mut html = String::from("<div class=\"scroll\"><table class=\"sortable\">\n<thead><tr>");
    html += &header("strategy");
    for figure in &columns {
        html += &header(&figure.heading());
    }
    html += "</tr></thead>\n<tbody>\n";
    for label in &labels {
        let _ = write!(html, "<tr><td>{}</td>", escape(label));
        for figure in &columns {
            let estimate = comparison.estimate(label, figure.key);
            html += &estimate.map_or("<td></td>".into(), |estimate| cell(estimate, &comparison.estimates));
        }
        html += "</tr>\n";
    }
    html + &format!(
        "</tbody></table></div>\n<p>Mean ± standard deviation over n = {}; * the best mean; GT-tau with its \
         95% interval over seeds and architectures.</p>\n",
        comparison.seeds()
    )
}

fn header(title: &str) -> String {
    format!("<th scope=\"col\"><button type=\"button\">{}</button></th>", escape(title))
}

fn cell(estimate: &Estimate, estimates: &[Estimate]) -> String {
    let class = if is_best(estimate, estimates) { " class=\"best\"" } else { "" };
    format!("<td{class}>{}</td>", escape(&value_text(estimate)))
}

/// Paired differences to the first variant; nothing if there is only one.
pub fn differences(comparison: &Comparison) -> String {
    let Some((first, others)) = comparison.variants.split_first().filter(|(_, others)| !others.is_empty()) else {
        return String::new();
    };
    let mut html = format!("<h2>Paired differences to {}</h2>\n<div class=\"scroll\"><table>\n", escape(&first.label));
    html += "<thead><tr><th scope=\"col\">figure</th>";
    others.iter().for_each(|variant| html += &format!("<th scope=\"col\">{}</th>", escape(&variant.label)));
    html += "</tr></thead>\n<tbody>\n";
    for figure in FIGURES {
        let of = |label: &str| {
            let difference = comparison.estimate(label, figure.key)?.difference.as_ref()?;
            let text = escape(&difference_text(difference, figure.decimals));
            Some(format!("<td class=\"{}\">{text}</td>", difference.verdict.name()))
        };
        let cells: Vec<Option<String>> = others.iter().map(|variant| of(&variant.label)).collect();
        if cells.iter().any(Option::is_some) {
            let _ = write!(html, "<tr><td>{}</td>", escape(figure.title));
            cells.into_iter().for_each(|cell| html += &cell.unwrap_or_else(|| "<td></td>".into()));
            html += "</tr>\n";
        }
    }
    html + "</tbody></table></div>\n<p>Mean [95% bootstrap interval over seeds; for GT-tau over seeds and architectures]. \
            “open”: the interval holds zero, or the p-value of the sign-flip test over seeds is above 0.05, as it is with \
            fewer than six.</p>\n"
}

/// The configuration of each variant and the command that repeats it.
pub fn configuration(comparison: &Comparison) -> String {
    let mut html = String::from("<h2>Configuration, and how to repeat it</h2>\n");
    for variant in &comparison.variants {
        let Some(run) = variant.runs.first() else { continue };
        let argv = run.manifest["argv"].as_array().cloned().unwrap_or_default();
        let words: Vec<&str> = argv.iter().skip(1).filter_map(|word| word.as_str()).collect();
        let config = run.config.to_table().map(|table| table.to_string()).unwrap_or_default();
        let of = |key: &str| run.manifest[key].as_str().unwrap_or("unknown").to_owned();
        let commit = run.manifest["git"]["commit"].as_str().unwrap_or("unknown");
        let host = run.manifest["host"]["cores"].as_u64().map_or("unknown".into(), |cores| cores.to_string());
        let path = run.path.join("config.toml");
        let notes: String = run.notes.iter().map(|note| format!("<p>{}</p>\n", escape(note))).collect();
        let _ = write!(
            html,
            "<details><summary>{}</summary>\n{notes}<p>Made by <code>nas-train {}</code>, version {} (commit {}, {}), on {} with \
             {host} cores. One run again, bit for bit: <code>nas-train --config {}</code></p>\n<pre>{}</pre></details>\n",
            escape(&variant.label),
            escape(&words.join(" ")),
            escape(&of("version")),
            escape(commit),
            escape(&of("rustc")),
            escape(&of("device")),
            escape(&path.display().to_string()),
            escape(&config),
        );
    }
    html
}
