//! Checks that variants are comparable: equal measurements, lengths from the budget, and different settings.

use super::variant::Variant;
use crate::exit::UsageError;
use crate::settings::{Settings, first_difference};
use anyhow::Result;
use nas_core::config::RunConfig;
use nas_core::quote;
use toml::Table;

/// Sections that must be equal, because they define the measurement and not the sharing of weights. `eval.images` must be
/// equal too. The rest of `[eval]`, such as the statistics of batch normalisation, belongs to some methods.
const COMMON: [&str; 4] = ["space", "data", "probes", "truth"];
/// Keys that the budget sets, so a variant cannot set them.
const LENGTHS: [&str; 3] = ["train.epochs", "train.max_steps", "probes.interval"];

/// Refuses variants that differ from the first in a measurement, that set a key of [`LENGTHS`], or that are equal.
///
/// # Errors
/// The message names the variant and the key.
pub fn check(variants: &[Variant], settings: &[Settings]) -> Result<()> {
    for (variant, own) in variants.iter().zip(settings) {
        let mut keys = variant.assignments.iter().filter_map(|assignment| Some(assignment.split_once('=')?.0.trim()));
        if let Some(key) = keys.find(|key| LENGTHS.contains(key)) {
            let problem = format!(
                "--strategies {}: {key} follows from the budget; leave it out, or set it for all runs",
                quote(&variant.label)
            );
            return Err(UsageError(problem).into());
        }
        if let Some(key) = other_measure(&settings[0].config, &own.config)? {
            let problem =
                format!("--strategies {}: {key} must be the same in all runs; leave it out", quote(&variant.label));
            return Err(UsageError(problem).into());
        }
    }
    for (i, a) in settings.iter().enumerate() {
        if let Some(j) = settings[..i].iter().position(|b| b.config == a.config) {
            let (old, new) = (quote(&variants[j].label), quote(&variants[i].label));
            let problem = format!("--strategies: {new} and {old} have the same settings; remove one of them");
            return Err(UsageError(problem).into());
        }
    }
    Ok(())
}

/// The first key of [`COMMON`] in which two configurations differ.
fn other_measure(a: &RunConfig, b: &RunConfig) -> Result<Option<String>> {
    let common = |config: &RunConfig| {
        let mut table = config.to_table()?;
        table.retain(|name, _| COMMON.contains(&name));
        let images = i64::try_from(config.eval.images).unwrap_or(i64::MAX);
        table.insert("eval".into(), Table::from_iter([("images".to_owned(), images.into())]).into());
        anyhow::Ok(table)
    };
    Ok(first_difference(&common(a)?, &common(b)?))
}
