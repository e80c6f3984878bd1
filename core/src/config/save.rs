//! The section `[save]`: checkpoints and weights.

use super::truth::text_or_number;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// `[save]`: what a run keeps of its state. No result depends on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SaveConfig {
    /// Time between two checkpoints: minutes (`10m`), epochs (`5`), or `none`. A checkpoint is also written when
    /// training is complete and when the run is interrupted, except with `none`.
    #[serde(deserialize_with = "text_or_number")]
    pub checkpoint_every: String,
    /// Whether the weights of the supernet are written to `weights.safetensors` when training is complete.
    pub weights: bool,
}

impl Default for SaveConfig {
    fn default() -> Self {
        Self { checkpoint_every: "10m".into(), weights: true }
    }
}

/// Time between two checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointInterval {
    /// No checkpoints.
    Never,
    /// A number of epochs.
    Epochs(usize),
    /// A duration.
    Time(Duration),
}

impl CheckpointInterval {
    /// Reads minutes (`10m`), epochs (`5`), or `none`.
    ///
    /// # Errors
    /// The expected form, for any other text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "minutes such as `10m`, a number of epochs such as `5`, or `none`";
        if text == "none" {
            return Ok(Self::Never);
        }
        let Some(minutes) = text.strip_suffix('m') else {
            let epochs = text.parse().ok().filter(|epochs| *epochs > 0);
            return epochs.map(Self::Epochs).ok_or(EXPECTED);
        };
        let minutes: f64 = minutes.parse().map_err(|_| EXPECTED)?;
        let time = (minutes > 0.0).then(|| Duration::try_from_secs_f64(minutes * 60.0).ok()).flatten();
        time.map(Self::Time).ok_or(EXPECTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_minutes_epochs_or_none() {
        let parse = |text| CheckpointInterval::parse(text);
        assert_eq!(parse("none"), Ok(CheckpointInterval::Never));
        assert_eq!(parse("5"), Ok(CheckpointInterval::Epochs(5)));
        assert_eq!(parse("0.5m"), Ok(CheckpointInterval::Time(Duration::from_secs(30))));
        for text in ["", "0", "-1", "m", "0m", "-1m", "nanm", "1e300m", "5h", "all"] {
            assert!(parse(text).unwrap_err().contains("minutes such as `10m`"), "{text}");
        }
    }
}
