//! The configuration of each variant.

use crate::archive::ArchivedRun;
use crate::comparison::Comparison;
use maud::{Markup, html};

/// The configuration of each variant's first run, and the command that repeats it.
pub fn configuration(comparison: &Comparison) -> Markup {
    html! {
        h2 { "Configuration" }
        @for variant in &comparison.variants {
            @if let Some(run) = variant.runs.first() {
                details { summary { (variant.label) } (details(run)) }
            }
        }
    }
}

fn details(run: &ArchivedRun) -> Markup {
    let argv = run.manifest["argv"].as_array().cloned().unwrap_or_default();
    let words: Vec<&str> = argv.iter().skip(1).filter_map(|word| word.as_str()).collect();
    let config = run.config.to_table().map(|table| table.to_string()).unwrap_or_default();
    let of = |key: &str| run.manifest[key].as_str().unwrap_or("unknown").to_owned();
    let commit = run.manifest["git"]["commit"].as_str().unwrap_or("unknown");
    let cores = run.manifest["host"]["cores"].as_u64().map_or("unknown".into(), |cores| cores.to_string());
    html! {
        @for note in &run.notes { p { (note) } }
        p {
            "Made with " code { "nas-train " (words.join(" ")) } ", version " (of("version")) " (commit " (commit) ", "
            (of("rustc")) "), on " (of("device")) "; CPU cores: " (cores) ". To repeat the first run bit by bit: "
            code { "nas-train --config " (run.path.join("config.toml").display()) }
        }
        pre { (config) }
    }
}
