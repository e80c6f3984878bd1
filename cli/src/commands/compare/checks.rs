//! Checks that variants are comparable: equal measurements, lengths from the budget, and different settings.

use super::variant::Variant;
use crate::exit::UsageError;
use crate::settings::{SettingDifference, Settings, other_measurement};
use anyhow::Result;
use nas_core::quote;

/// Keys that the budget sets, so a variant cannot set them.
const LENGTHS: [&str; 3] = ["train.epochs", "train.max_steps", "probes.interval"];

/// Keys and sections that a variant cannot set: its entry names the strategy, `[save]` does not change results, and no
/// run of a comparison uses the others.
const NOT_OF_VARIANTS: [&str; 4] = ["strategy.name", "retrain", "save", "cluster"];

/// Refuses variants that differ from the first in a measurement, that set a key of [`LENGTHS`] or
/// [`NOT_OF_VARIANTS`], or that are equal.
///
/// # Errors
/// The message names the variant and the key.
pub fn check(variants: &[Variant], settings: &[Settings]) -> Result<()> {
    for (variant, own) in variants.iter().zip(settings) {
        let keys = || variant.assignments.iter().filter_map(|assignment| Some(assignment.split_once('=')?.0.trim()));
        let is_refused =
            |key: &&str| NOT_OF_VARIANTS.iter().any(|name| key == name || key.split('.').next() == Some(name));
        if let Some(key) = keys().find(is_refused) {
            let problem = format!("{}: {key} cannot be set for one variant; leave it out", variant.named());
            return Err(UsageError(problem).into());
        }
        if let Some(key) = keys().find(|key| LENGTHS.contains(key)) {
            let problem =
                format!("{}: {key} follows from the budget; leave it out, or set it for all runs", variant.named());
            return Err(UsageError(problem).into());
        }
        if let Some(SettingDifference { key, old, new }) = other_measurement(&settings[0].config, &own.config)? {
            let problem = format!(
                "{}: {key} is {new}, but {old} in the first variant; it must be equal in all variants: leave it out",
                variant.named()
            );
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
