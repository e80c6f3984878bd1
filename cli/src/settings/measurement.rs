//! The settings that define what a run measures. Runs can be compared only if these settings are equal.

use super::difference::{SettingDifference, difference};
use anyhow::Result;
use nas_core::config::RunConfig;
use toml::Table;

/// Sections that must be equal, because they define the measurement and not the sharing of weights. `eval.images` must
/// be equal too. The rest of `[eval]`, such as the statistics of batch normalisation, belongs to some methods.
const SECTIONS: [&str; 4] = ["space", "data", "probes", "truth"];

/// The first key of the measurement in which two configurations differ.
///
/// # Errors
/// A value that TOML cannot express.
pub fn other_measurement(a: &RunConfig, b: &RunConfig) -> Result<Option<SettingDifference>> {
    let common = |config: &RunConfig| {
        let mut table = config.to_table()?;
        table.retain(|name, _| SECTIONS.contains(&name));
        let images = i64::try_from(config.eval.images).unwrap_or(i64::MAX);
        table.insert("eval".into(), Table::from_iter([("images".to_owned(), images.into())]).into());
        anyhow::Ok(table)
    };
    Ok(difference(&common(a)?, &common(b)?))
}
