//! The configuration of variants and stand-alone trainings.

use crate::comparison::Comparison;
use crate::trainings::TrainingGroup;
use maud::{Markup, html};
use nas_core::config::RunConfig;
use serde_json::Value;

/// The configuration of the first run of each variant and of each group of trainings, and the command that repeats it; empty
/// without both.
pub fn configuration(comparison: &Comparison, trainings: &[TrainingGroup]) -> Markup {
    if comparison.variants.is_empty() && trainings.is_empty() {
        return Markup::default();
    }
    html! {
        h2 { "Configuration" }
        @for variant in &comparison.variants {
            @if let Some(run) = variant.runs.first() {
                @let repeat = format!("nas-train --config {}", run.path.join("config.toml").display());
                details {
                    summary { (variant.label) }
                    @for note in &run.notes { p { (note) } }
                    (details(&run.manifest, &run.config, &repeat))
                }
            }
        }
        @for group in trainings {
            @if let Some(run) = group.runs.first() {
                @let config = run.path.join("config.toml");
                @let repeat = format!("nas-train retrain --arch \"{}\" --config {}", run.result.arch, config.display());
                details { summary { (group.name) } (details(&run.manifest, &run.config, &repeat)) }
            }
        }
    }
}

fn details(manifest: &Value, config: &RunConfig, repeat: &str) -> Markup {
    let argv = manifest["argv"].as_array().cloned().unwrap_or_default();
    let words: Vec<&str> = argv.iter().skip(1).filter_map(|word| word.as_str()).collect();
    let config = config.to_table().map(|table| table.to_string()).unwrap_or_default();
    let of = |key: &str| manifest[key].as_str().unwrap_or("unknown").to_owned();
    let commit = manifest["git"]["commit"].as_str().unwrap_or("unknown");
    let cores = manifest["host"]["cores"].as_u64().map_or("unknown".into(), |cores| cores.to_string());
    html! {
        p {
            "Made with " code { "nas-train " (words.join(" ")) } ", version " (of("version")) " (commit " (commit) ", "
            (of("rustc")) "), on " (of("device")) "; CPU cores: " (cores) ". To repeat the first run bit by bit: "
            code { (repeat) }
        }
        pre { (config) }
    }
}
