//! Checked options of `ogd`: ranges verified, `auto` resolved.

use super::{AlphaSchedule, NumberOrWord, OgdOptions, OwnInputs, ProjectorRule, StepOrder};
use nas_core::strategy::StrategyError;

/// Largest accepted number of recorded images per step.
const MAX_SAMPLES: u32 = 1_000_000;

/// Images of a batch that are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleSelection {
    /// The first `n` images. The order of a batch is random already.
    First(usize),
    /// One image, the mean of the batch.
    BatchMean,
    /// All images.
    All,
}

/// Earlier architectures whose inputs are protected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MemoryPolicy {
    /// The architecture trained before the current one.
    Previous,
    /// All architectures trained before the current one. The older inputs of a layer are multiplied by this factor each
    /// time the inputs of a later architecture join them.
    Decaying(f64),
}

impl MemoryPolicy {
    /// All earlier architectures with equal weight.
    pub const ALL: Self = Self::Decaying(1.0);
}

/// Checked options.
#[derive(Debug, Clone, PartialEq)]
pub struct OgdSettings {
    /// The options as given. The fields below replace those of the same name.
    pub options: OgdOptions,
    /// Alpha in step 0.
    pub alpha: f64,
    /// Images of a batch that are recorded.
    pub samples: SampleSelection,
    /// Earlier architectures whose inputs are protected.
    pub memory: MemoryPolicy,
    total_steps: u64,
}

impl OgdSettings {
    /// Checks all options and resolves `auto`, which depends on the number of consecutive steps of an architecture.
    ///
    /// # Errors
    /// An option is out of its range.
    pub fn new(options: OgdOptions, steps_per_arch: usize, total_steps: u64) -> Result<Self, StrategyError> {
        let several_steps = steps_per_arch > 1;
        let accumulated = options.rule == ProjectorRule::Accumulated;
        let memory = match &options.memory {
            NumberOrWord::Word(word) if word == "previous" => MemoryPolicy::Previous,
            NumberOrWord::Word(word) if word == "all" => MemoryPolicy::ALL,
            NumberOrWord::Word(word) if word == "auto" && (several_steps || accumulated) => MemoryPolicy::ALL,
            NumberOrWord::Word(word) if word == "auto" => MemoryPolicy::Previous,
            NumberOrWord::Number(factor) if *factor > 0.0 && *factor < 1.0 => MemoryPolicy::Decaying(*factor),
            other => return Err(range_error("memory", "auto, previous, all, or a number between 0 and 1", other)),
        };
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let alpha = match &options.alpha {
            NumberOrWord::Word(word) if word == "auto" => match options.rule {
                ProjectorRule::Accumulated => 1.0,
                ProjectorRule::Normalised if several_steps => 0.08,
                ProjectorRule::Normalised => 0.3,
            },
            NumberOrWord::Number(alpha) if positive(*alpha) => *alpha,
            other => return Err(range_error("alpha", "auto or a positive, finite number", other)),
        };
        if !positive(options.alpha_end) {
            return Err(range_error("alpha_end", "a positive, finite number", options.alpha_end));
        }
        let samples = match &options.samples {
            NumberOrWord::Word(word) if word == "batch-mean" => SampleSelection::BatchMean,
            NumberOrWord::Word(word) if word == "all" => SampleSelection::All,
            NumberOrWord::Number(n) if n.fract() == 0.0 && (1.0..=f64::from(MAX_SAMPLES)).contains(n) => {
                SampleSelection::First(*n as usize)
            }
            other => {
                let expected = format!("batch-mean, all, or 1 to {MAX_SAMPLES} images");
                return Err(range_error("samples", &expected, other));
            }
        };
        if !(1..=1024).contains(&options.location_stride) {
            return Err(range_error("location_stride", "1 to 1024", options.location_stride));
        }
        if options.refresh == 0 {
            return Err(range_error("refresh", "at least 1 step", options.refresh));
        }
        // With `own_inputs = "after"`, the inputs of a step are not in its projector, whatever the order.
        if options.order == StepOrder::UpdateThenProject && options.own_inputs == OwnInputs::After {
            let expected = "project-then-update, unless own_inputs = \"during\"";
            return Err(range_error("order", expected, "\"update-then-project\""));
        }
        Ok(Self { options, alpha, samples, memory, total_steps })
    }

    /// Number of steps of the whole run.
    pub fn total_steps(&self) -> u64 {
        self.total_steps
    }

    /// Checks that alpha in a step does not depend on the length of the run.
    ///
    /// # Errors
    /// A schedule.
    pub fn check_independent_of_length(&self) -> Result<(), StrategyError> {
        let schedule = match self.options.alpha_schedule {
            AlphaSchedule::Constant => return Ok(()),
            AlphaSchedule::Linear => "linear",
            AlphaSchedule::Exponential => "exponential",
        };
        let expected = "`constant` to extend a run, because any other value depends on the length";
        Err(range_error("alpha_schedule", expected, schedule))
    }

    /// Alpha in step `step`, according to the schedule.
    pub fn alpha_at(&self, step: u64) -> f64 {
        let t = (step as f64 / self.total_steps.max(1) as f64).min(1.0);
        let (start, end) = (self.alpha, self.options.alpha_end);
        match self.options.alpha_schedule {
            AlphaSchedule::Constant => start,
            AlphaSchedule::Linear => start + (end - start) * t,
            AlphaSchedule::Exponential => start * (end / start).powf(t),
        }
    }
}

fn range_error(option: &str, expected: &str, found: impl ToString) -> StrategyError {
    StrategyError::Option { option: format!("strategy.{option}"), expected: expected.into(), found: found.to_string() }
}
