//! Run lengths that give every variant the same budget, although their steps differ in cost.

use crate::args::Budget;
use crate::comparison::RunLength;
use nas_core::config::RunConfig;
use nas_core::trainer::RunShape;

/// The length of each variant's runs. The first variant has the configured epochs. `seconds_per_step` is needed for a
/// budget of time only.
///
/// The interval of disturbance scales with the epochs, so that it is the same share of every run.
pub fn lengths(budget: Budget, first: &RunConfig, shapes: &[RunShape], seconds_per_step: &[f64]) -> Vec<RunLength> {
    let reference = shapes[0];
    let batches = reference.steps_per_epoch;
    let all = first.train.epochs * batches;
    let steps = if first.train.max_steps == 0 { all } else { all.min(first.train.max_steps) };
    let passes = (steps * reference.paths) as u64;
    let length = |(number, shape): (usize, &RunShape)| {
        let steps = match budget {
            Budget::Passes => (passes as f64 / shape.paths as f64).round(),
            Budget::Steps => steps as f64,
            Budget::Time => (steps as f64 * seconds_per_step[0] / seconds_per_step[number]).round(),
        };
        let steps = (steps as u64).max(1);
        let own = steps * shape.paths as u64;
        let epochs = steps.div_ceil(shape.steps_per_epoch as u64) as usize;
        let share = steps as f64 / shape.steps_per_epoch as f64 / (passes as f64 / (batches * reference.paths) as f64);
        RunLength {
            paths: shape.paths,
            steps,
            steps_per_epoch: shape.steps_per_epoch,
            passes: own,
            passes_over: if budget == Budget::Passes { own as i64 - passes as i64 } else { 0 },
            epochs,
            interval: ((first.probes.interval as f64 * share).round() as usize).max(1),
        }
    };
    shapes.iter().enumerate().map(length).collect()
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

    fn shape(paths: usize) -> RunShape {
        RunShape { paths, steps_per_epoch: 11 }
    }

    #[test]
    fn passes_are_equal_to_within_one_step() {
        for epochs in 1..60 {
            for paths in 1..8 {
                let found = lengths(Budget::Passes, &config(epochs), &[shape(1), shape(paths)], &[]);
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
    fn the_interval_is_the_same_share_of_every_run() {
        let found = lengths(Budget::Passes, &config(40), &[shape(1), shape(5)], &[]);
        assert_eq!((found[1].epochs, found[1].interval, found[1].passes_over), (8, 3, 0));
    }

    #[test]
    fn budgets_of_steps_and_time_set_the_steps() {
        let found = lengths(Budget::Steps, &config(40), &[shape(1), shape(5)], &[]);
        assert_eq!((found[1].steps, found[1].interval), (440, 13));
        let found = lengths(Budget::Time, &config(40), &[shape(1), shape(1)], &[0.01, 0.02]);
        assert_eq!((found[1].steps, found[1].epochs), (220, 20));
    }
}
