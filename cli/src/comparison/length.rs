//! The length of a variant's runs, and remarks where it differs from the reference.

use crate::text::counted;
use nas_core::config::RunConfig;
use serde::Serialize;

/// The length of the runs of one variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunLength {
    /// Architectures trained per step.
    pub paths: usize,
    /// Optimizer steps.
    pub steps: u64,
    /// Steps of a whole epoch.
    pub steps_per_epoch: usize,
    /// Sub-net passes: `steps * paths`.
    pub passes: u64,
    /// Sub-net passes beyond the budget, negative if the run has fewer; 0 unless the budget is sub-net passes.
    pub passes_over: i64,
    /// Epochs; the last one may be cut short.
    pub epochs: usize,
    /// Epochs over which disturbance and rank stability are measured.
    pub interval: usize,
}

impl RunLength {
    /// Sets the epochs, steps and interval of a configuration to this length. A start of the controller counted in
    /// epochs moves in proportion.
    pub fn apply(&self, config: &mut RunConfig) {
        let old = config.train.epochs.max(1);
        config.train.epochs = self.epochs;
        let whole = self.steps == (self.epochs * self.steps_per_epoch) as u64;
        config.train.max_steps = if whole { 0 } else { self.steps as usize };
        config.probes.interval = self.interval;
        if config.search.start > 0 {
            config.search.start = (config.search.start as f64 * self.epochs as f64 / old as f64).round() as i64;
        }
    }

    /// Remarks for the reader of the figures: a length or interval that differs from the reference variant, and a run
    /// too short for its interval. `probed` is whether the runs have probe architectures.
    pub fn notes(&self, label: &str, reference: &Self, probed: bool) -> Vec<String> {
        let short = (probed && self.interval >= self.epochs).then(|| {
            let (interval, epochs) = (counted(self.interval, "epoch"), self.epochs);
            let remedy = if self.interval > 1 { "choose a smaller --interval" } else { "train more --epochs" };
            format!("{label}: no disturbance over {interval} in a run of {epochs}; {remedy}.")
        });
        self.difference(label, reference).into_iter().chain(short).collect()
    }

    fn difference(&self, label: &str, reference: &Self) -> Option<String> {
        if (self.steps, self.paths, self.interval) == (reference.steps, reference.paths, reference.interval) {
            return None;
        }
        let (steps, passes, archs) = (self.steps, self.passes, counted(self.paths, "architecture"));
        let over = match self.passes_over {
            0 => String::new(),
            n => format!(", {} {} than the budget", n.unsigned_abs(), if n > 0 { "more" } else { "fewer" }),
        };
        let mut note = format!(
            "{label}: {steps} steps of {archs} make {passes} sub-net passes{over}. Disturbance is measured over \
             {} of {} epochs, which are {} passes (reference: {} passes).",
            self.interval,
            self.epochs,
            self.interval_passes(),
            reference.interval_passes(),
        );
        if self.paths != reference.paths {
            note += &format!(" Single-step disturbance is measured across a step of {archs}.");
        }
        Some(note)
    }

    fn interval_passes(&self) -> usize {
        self.interval * self.steps_per_epoch * self.paths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(paths: usize, epochs: usize, interval: usize) -> RunLength {
        let steps = 11 * epochs as u64;
        RunLength { paths, steps, steps_per_epoch: 11, passes: steps * paths as u64, passes_over: 0, epochs, interval }
    }

    #[test]
    fn a_length_that_differs_from_the_reference_is_noted() {
        let reference = length(1, 40, 13);
        assert_eq!(reference.notes("plain", &reference, true), Vec::<String>::new());
        let notes = length(5, 8, 3).notes("fairnas", &reference, true).concat();
        assert!(notes.contains("165 passes (reference: 143 passes). Single-step"), "{notes}");
    }

    #[test]
    fn a_run_too_short_for_its_interval_is_noted() {
        let short = length(1, 13, 13);
        assert_eq!(short.notes("plain", &short, false), Vec::<String>::new());
        let notes = short.notes("plain", &short, true).concat();
        assert!(notes.contains("no disturbance over 13 epochs in a run of 13"), "{notes}");
    }
}
