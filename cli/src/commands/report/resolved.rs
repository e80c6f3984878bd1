//! Configurations in which a default and the same value set explicitly are equal.

use nas_core::config::{RunConfig, SaveConfig};
use nas_core::result::Truth;
use nas_core::trainer::build_space;
use nas_core::truth::table_file::without_directory;

/// The configuration with the values that its defaults stand for: the scale of the space, the first epoch of controller
/// training, and the content of the truth table that the run used. Locations of data and tables, and the section
/// `[save]`, change no result, so they are reset.
pub fn resolved(config: &RunConfig, truth: Option<&Truth>) -> RunConfig {
    let mut config = config.clone();
    config.data = config.data.without_location();
    config.save = SaveConfig::default();
    config.truth.table = match truth {
        Some(truth) => format!("SHA-256 {:.12}", truth.sha256),
        None => without_directory(&config.truth.table).to_owned(),
    };
    if let Ok(start) = i64::try_from(config.controller_start()) {
        config.search.start = start;
    }
    // The scale does not depend on the shape of the images.
    if let Ok(space) = build_space(&config, [32, 32, 3], 10) {
        (config.space.width, config.space.cells) = (space.scale().width, space.scale().cells);
    }
    config
}
