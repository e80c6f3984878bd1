//! Equal budgets for strategies whose steps differ in cost.

use crate::args::Budget;
use nas_core::config::RunConfig;
use nas_core::trainer::StepCost;
use serde::Serialize;

/// How long the runs of a variant are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Length {
    /// Architectures a step.
    pub paths: usize,
    /// Steps.
    pub steps: u64,
    /// Steps of a whole epoch.
    pub steps_per_epoch: usize,
    /// Sub-net passes.
    pub passes: u64,
    /// Passes more than the budget; none if passes are not the budget.
    pub passes_over: i64,
    /// Epochs, the last one possibly cut short.
    pub epochs: usize,
    /// Epochs between two accuracies whose difference is the disturbance.
    pub interval: usize,
}

/// The length of each variant, the first one having the configured epochs. `seconds` are those of a step, needed for
/// equal times.
///
/// Interval and start of the controller move with the epochs, so that they are the same part of every run.
pub fn lengths(budget: Budget, first: &RunConfig, costs: &[StepCost], seconds: &[f64]) -> Vec<Length> {
    let reference = costs[0];
    let batches = reference.steps_per_epoch;
    let all = first.train.epochs * batches;
    let steps = if first.train.max_steps == 0 { all } else { all.min(first.train.max_steps) };
    let passes = (steps * reference.paths) as u64;
    let length = |(number, cost): (usize, &StepCost)| {
        let steps = match budget {
            Budget::Passes => (passes as f64 / cost.paths as f64).round(),
            Budget::Updates => steps as f64,
            Budget::Time => (steps as f64 * seconds[0] / seconds[number]).round(),
        };
        let steps = (steps as u64).max(1);
        let own = steps * cost.paths as u64;
        let epochs = steps.div_ceil(cost.steps_per_epoch as u64) as usize;
        let share = steps as f64 / cost.steps_per_epoch as f64 / (passes as f64 / (batches * reference.paths) as f64);
        Length {
            paths: cost.paths,
            steps,
            steps_per_epoch: cost.steps_per_epoch,
            passes: own,
            passes_over: if budget == Budget::Passes { own as i64 - passes as i64 } else { 0 },
            epochs,
            interval: ((first.probes.interval as f64 * share).round() as usize).max(1),
        }
    };
    costs.iter().enumerate().map(length).collect()
}

impl Length {
    /// Gives a configuration this length.
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

    /// What the reader of the figures should know: differences to the runs of the first variant, and what is missing.
    pub fn notes(&self, label: &str, first: &Self, probed: bool) -> Vec<String> {
        let short = (probed && self.interval >= self.epochs).then(|| {
            let (interval, epochs) = (self.interval, self.epochs);
            format!("{label}: no disturbance over {interval} epochs in a run of {epochs}; choose a smaller --interval")
        });
        self.difference(label, first).into_iter().chain(short).collect()
    }

    fn difference(&self, label: &str, first: &Self) -> Option<String> {
        if (self.steps, self.paths, self.interval) == (first.steps, first.paths, first.interval) {
            return None;
        }
        let over = match self.passes_over {
            0 => String::new(),
            n => format!(", {} {} than the budget", n.unsigned_abs(), if n > 0 { "more" } else { "fewer" }),
        };
        let single = match self.paths == first.paths {
            true => "",
            false => ", and a single-step disturbance is that of a whole step",
        };
        let archs = if self.paths == 1 { "architecture" } else { "architectures" };
        Some(format!(
            "{label}: {} steps of {} {archs} are {} sub-net passes{over}; {} epochs, so disturbance is measured over {} of \
             them, {} passes (the first variant: {} passes){single}",
            self.steps,
            self.paths,
            self.passes,
            self.epochs,
            self.interval,
            self.interval_passes(),
            first.interval_passes(),
        ))
    }

    fn interval_passes(&self) -> usize {
        self.interval * self.steps_per_epoch * self.paths
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::Table;

    fn config(epochs: usize) -> RunConfig {
        let mut config = RunConfig::from_table(&Table::new()).unwrap();
        config.train.epochs = epochs;
        config
    }

    fn cost(paths: usize) -> StepCost {
        StepCost { paths, steps_per_epoch: 11 }
    }

    #[test]
    fn passes_are_equal_to_within_one_step() {
        for epochs in 1..60 {
            for paths in 1..8 {
                let found = lengths(Budget::Passes, &config(epochs), &[cost(1), cost(paths)], &[]);
                assert!(found[0].passes.abs_diff(found[1].passes) < paths as u64, "{found:?}");
                assert_eq!(found[1].passes_over, found[1].passes as i64 - found[0].passes as i64);
                let mut config = config(epochs);
                found[1].apply(&mut config);
                let all = (config.train.epochs * 11) as u64;
                let steps = if config.train.max_steps == 0 { all } else { all.min(config.train.max_steps as u64) };
                assert_eq!(steps * paths as u64, found[1].passes);
            }
        }
    }

    #[test]
    fn the_interval_is_the_same_part_of_the_run() {
        let found = lengths(Budget::Passes, &config(40), &[cost(1), cost(5)], &[]);
        assert_eq!((found[1].epochs, found[1].interval, found[1].passes_over), (8, 3, 0));
        let notes = found[1].notes("fairnas", &found[0], true).concat();
        assert!(notes.contains("165 passes (the first variant: 143 passes), and a single-step"), "{notes}");
        assert_eq!(found[0].notes("plain", &found[0], true), Vec::<String>::new());
        let short = lengths(Budget::Passes, &config(13), &[cost(1)], &[]);
        assert_eq!(short[0].notes("plain", &short[0], false), Vec::<String>::new());
        let notes = short[0].notes("plain", &short[0], true).concat();
        assert!(notes.contains("no disturbance over 13 epochs in a run of 13"), "{notes}");
    }

    #[test]
    fn updates_and_time_have_their_own_measure() {
        let found = lengths(Budget::Updates, &config(40), &[cost(1), cost(5)], &[]);
        assert_eq!((found[1].steps, found[1].interval), (440, 13));
        let found = lengths(Budget::Time, &config(40), &[cost(1), cost(1)], &[0.01, 0.02]);
        assert_eq!((found[1].steps, found[1].epochs), (220, 20));
    }
}
