//! The configuration of variants and stand-alone trainings.

use crate::archive::{ARCHIVE, is_packed};
use crate::comparison::Comparison;
use crate::text::{shell_path, shell_word};
use crate::trainings::TrainingGroup;
use maud::{Markup, html};
use nas_core::config::RunConfig;
use serde_json::Value;
use std::path::Path;

/// The configuration of the first run of each variant and of each group of trainings, and the command that repeats it;
/// empty without both.
pub fn configuration(comparison: &Comparison, trainings: &[TrainingGroup]) -> Markup {
    if comparison.variants.is_empty() && trainings.is_empty() {
        return Markup::default();
    }
    html! {
        h2 { "Configuration" }
        @for variant in &comparison.variants {
            @if let Some(run) = variant.runs.first() {
                @let repeat = repeat(&run.path, "nas-train");
                details {
                    summary { (variant.label) }
                    @for note in &run.notes { p { (note) } }
                    (details(&run.manifest, &run.config, &repeat))
                }
            }
        }
        @for group in trainings {
            @if let Some(run) = group.runs.first() {
                @let repeat = repeat(&run.path, &format!("nas-train retrain --arch {}", shell_word(&run.result.arch)));
                details { summary { (group.name) } (details(&run.manifest, &run.config, &repeat)) }
            }
        }
    }
}

/// The command that repeats a run. The configuration of a packed run is in its archive.
fn repeat(dir: &Path, program: &str) -> String {
    let file = dir.join("config.toml");
    if file.exists() || !is_packed(dir) {
        return format!("{program} --config {}", shell_path(&file));
    }
    format!("tar -xf {} config.toml && {program} --config config.toml", shell_path(&dir.join(ARCHIVE)))
}

fn details(manifest: &Value, config: &RunConfig, repeat: &str) -> Markup {
    let argv = manifest["argv"].as_array().cloned().unwrap_or_default();
    let words: Vec<String> = argv.iter().skip(1).filter_map(|word| word.as_str()).map(shell_word).collect();
    let config = config.to_table().map(|table| table.to_string()).unwrap_or_default();
    let of = |key: &str| manifest[key].as_str().unwrap_or("unknown").to_owned();
    let commit = manifest["git"]["commit"].as_str().unwrap_or("unknown");
    let cores = manifest["host"]["cores"].as_u64().map_or("unknown".into(), |cores| cores.to_string());
    html! {
        p {
            "Made with " code { "nas-train " (words.join(" ")) } ", version " (of("version")) " (commit " (commit) ", "
            (of("rustc")) "), on " (of("device")) "; CPU cores: " (cores) ". To repeat the first run with bit-identical results: "
            code { (repeat) }
        }
        pre { (config) }
    }
}
