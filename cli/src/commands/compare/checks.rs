//! Checks that variants are comparable: equal measurements, lengths from the budget, and different settings.

use super::variant::Variant;
use crate::exit::UsageError;
use crate::settings::{SettingDifference, Settings, other_measurement, other_settings};
use anyhow::Result;
use nas_core::quote;

/// Keys that the budget sets, so a variant cannot set them.
const LENGTHS: [&str; 3] = ["train.epochs", "train.max_steps", "probes.interval"];

/// Keys and sections that a variant cannot set: its entry names the strategy, and no run of a comparison uses the
/// others.
const NOT_OF_VARIANTS: [&str; 3] = ["strategy.name", "retrain", "cluster"];

/// Refuses variants that differ from the first in a measurement, that set a key of [`LENGTHS`] or
/// [`NOT_OF_VARIANTS`], or that are equal.
///
/// # Errors
/// The message names the variant and the key.
pub fn check(variants: &[Variant], settings: &[Settings]) -> Result<()> {
    for (variant, own) in variants.iter().zip(settings) {
        for key in variant.assignments.iter().filter_map(|assignment| key(assignment)) {
            let is_key_or_section = |name: &&str| key == *name || key.split('.').next() == Some(*name);
            let problem = match key.as_str() {
                name if LENGTHS.contains(&name) => "follows from the budget; leave it out, or set it for all runs",
                _ if NOT_OF_VARIANTS.iter().any(is_key_or_section) => "cannot be set for one variant; leave it out",
                _ => continue,
            };
            return Err(UsageError(format!("{}: {key} {problem}", variant.named())).into());
        }
        if let Some(SettingDifference { key, old, new }) = other_measurement(&settings[0].config, &own.config)? {
            let (first, own) = (quote(&variants[0].label), quote(&variant.label));
            return Err(UsageError(format!(
                "--strategies: {key} must be equal in all variants, found {old} ({first}) and {new} ({own}); remove it from \
                 the variants, or set it for all runs"
            ))
            .into());
        }
    }
    for (i, a) in settings.iter().enumerate() {
        let mut equal = settings[..i].iter().map(|b| other_settings(&b.config, &a.config));
        if let Some(j) = equal.position(|other| matches!(other, Ok(None))) {
            let (old, new) = (quote(&variants[j].label), quote(&variants[i].label));
            let problem = format!("--strategies: {new} and {old} have the same settings; remove one of them");
            return Err(UsageError(problem).into());
        }
    }
    Ok(())
}

/// The key of an assignment, without the spaces that TOML ignores.
fn key(assignment: &str) -> Option<String> {
    let (key, _) = assignment.split_once('=')?;
    Some(key.split('.').map(str::trim).collect::<Vec<_>>().join("."))
}
