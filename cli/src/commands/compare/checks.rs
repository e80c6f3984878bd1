//! Checks that variants are comparable: equal measurements, lengths from the budget, and different settings.

use super::variant::Variant;
use crate::exit::UsageError;
use crate::settings::{SettingDifference, Settings, other_measurement};
use anyhow::Result;
use nas_core::quote;

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
        if let Some(SettingDifference { key, old, new }) = other_measurement(&settings[0].config, &own.config)? {
            let problem = format!(
                "--strategies {}: {key} is {new}, but {old} in the first variant; it must be equal in all variants: leave \
                 it out",
                quote(&variant.label)
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
