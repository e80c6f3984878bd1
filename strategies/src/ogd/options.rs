//! Options of `ogd`, as typed and as checked.

use nas_core::strategy::StrategyError;
use schemars::JsonSchema;
use serde::de::{Deserializer, Error, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A number or a word: TOML's `0.3` or `"auto"`.
#[derive(Debug, Clone, PartialEq)]
pub enum Setting {
    /// A number; text that reads as one becomes one.
    Number(f64),
    /// Anything else.
    Word(String),
}

impl Setting {
    fn word(word: &str) -> Self {
        Self::Word(word.into())
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Word(word) => write!(f, "{word:?}"),
        }
    }
}

impl Serialize for Setting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            // Whole numbers look like counts: 8, not 8.0.
            Self::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
                serializer.serialize_i64(*number as i64)
            }
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Word(word) => serializer.serialize_str(word),
        }
    }
}

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnySetting;

        impl Visitor<'_> for AnySetting {
            type Value = Setting;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a word")
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Setting, E> {
                Ok(Setting::Number(number))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Setting, E> {
                Ok(Setting::Number(number as f64))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Setting, E> {
                Ok(Setting::Number(number as f64))
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Setting, E> {
                Ok(word.parse().map_or_else(|_| Setting::word(word), Setting::Number))
            }
        }

        deserializer.deserialize_any(AnySetting)
    }
}

/// The schema of a [`Setting`], whose values its field describes.
type Any = serde_json::Value;

/// How recorded inputs become a projector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// `P = (I + S / (N alpha))^-1`: the mean over the `N` recorded patches counts.
    Normalised,
    /// `P = (I + S / alpha)^-1`: equation 8, every patch counts in full.
    Accumulated,
}

/// The unit of alpha.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlphaUnit {
    /// The mean square of a patch's elements, layer by layer.
    Energy,
    /// 1.
    Absolute,
}

/// How alpha moves over a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlphaSchedule {
    /// Always `alpha`.
    Constant,
    /// In a straight line to `alpha-end`.
    Linear,
    /// By the same factor every step to `alpha-end`.
    Exponential,
}

/// When an architecture's own inputs protect against its own updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OwnInputs {
    /// Once it has had all its steps.
    After,
    /// From its first step on.
    During,
}

/// What comes first in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// The projection, with what earlier steps recorded.
    ProjectThenUpdate,
    /// The recording, so that a step's own inputs count in its projection.
    UpdateThenProject,
}

/// What is projected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Project {
    /// What is added to the weights, momentum and weight decay included.
    Update,
    /// The gradient, before clipping, momentum and weight decay.
    Gradient,
}

/// Options as typed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// How recorded inputs become a projector.
    pub rule: Rule,
    /// Regularisation: the smaller, the less recorded outputs may change. A positive number or `auto`.
    #[schemars(with = "Any")]
    pub alpha: Setting,
    /// Its unit.
    pub alpha_unit: AlphaUnit,
    /// How it moves.
    pub alpha_schedule: AlphaSchedule,
    /// Its value at the end of the run, unless it is constant.
    pub alpha_end: f64,
    /// Images recorded a step: a number, `all`, or `batch-mean` for their mean as one image.
    #[schemars(with = "Any")]
    pub samples: Setting,
    /// Output locations recorded: every so many in each direction.
    pub location_stride: usize,
    /// Whose inputs count: `previous` architecture, `all` before it, or a factor between 0 and 1 by which older
    /// ones fade with each architecture; `auto` chooses by steps per architecture.
    #[schemars(with = "Any")]
    pub memory: Setting,
    /// When an architecture's own inputs join.
    pub own_inputs: OwnInputs,
    /// What comes first in a step.
    pub order: Order,
    /// What is projected.
    pub project: Project,
    /// Steps between two computations of one projector.
    pub refresh: u64,
    /// Steps at the start without recording and projecting.
    pub warm_up: u64,
    /// Whether linear layers are projected too.
    pub classifier: bool,
    /// A control: updates become as short as projected ones, but keep their direction.
    pub shrink_only: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rule: Rule::Normalised,
            alpha: Setting::word("auto"),
            alpha_unit: AlphaUnit::Energy,
            alpha_schedule: AlphaSchedule::Constant,
            alpha_end: 0.001,
            samples: Setting::Number(8.0),
            location_stride: 2,
            memory: Setting::word("auto"),
            own_inputs: OwnInputs::After,
            order: Order::ProjectThenUpdate,
            project: Project::Update,
            refresh: 1,
            warm_up: 0,
            classifier: true,
            shrink_only: false,
        }
    }
}

/// Which images of a batch are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Samples {
    /// The first so many; a batch is in random order already.
    First(usize),
    /// One image, the mean of all.
    BatchMean,
    /// All.
    All,
}

/// Whose inputs the projectors remember.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Memory {
    /// The architecture before the current one.
    Previous,
    /// All architectures before the current one, older ones times this factor for each that came after.
    Fading(f64),
}

impl Memory {
    /// All architectures alike.
    pub const ALL: Self = Self::Fading(1.0);
}

/// Options as checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Everything that needs no translation.
    pub options: Options,
    /// Alpha at the start.
    pub alpha: f64,
    /// Which images are recorded.
    pub samples: Samples,
    /// Whose inputs count.
    pub memory: Memory,
    /// Steps of the whole run.
    total_steps: u64,
}

impl Settings {
    /// Checks all options; `auto` depends on the steps that each architecture has in a row.
    ///
    /// # Errors
    /// An option out of its range.
    pub fn new(options: Options, steps_per_arch: usize, total_steps: u64) -> Result<Self, StrategyError> {
        let long = steps_per_arch > 1;
        let memory = match &options.memory {
            Setting::Word(word) if word == "previous" => Memory::Previous,
            Setting::Word(word) if word == "all" => Memory::ALL,
            Setting::Word(word) if word == "auto" && (long || options.rule == Rule::Accumulated) => Memory::ALL,
            Setting::Word(word) if word == "auto" => Memory::Previous,
            Setting::Number(gamma) if *gamma > 0.0 && *gamma < 1.0 => Memory::Fading(*gamma),
            other => return Err(wrong("memory", "auto, previous, all, or a number between 0 and 1", other)),
        };
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let alpha = match &options.alpha {
            Setting::Word(word) if word == "auto" => match options.rule {
                Rule::Accumulated => 1.0,
                Rule::Normalised if long => 0.08,
                Rule::Normalised => 0.3,
            },
            Setting::Number(alpha) if positive(*alpha) => *alpha,
            other => return Err(wrong("alpha", "auto or a positive, finite number", other)),
        };
        if !positive(options.alpha_end) {
            return Err(wrong("alpha-end", "a positive, finite number", options.alpha_end));
        }
        let most = 1_000_000;
        let samples = match &options.samples {
            Setting::Word(word) if word == "batch-mean" => Samples::BatchMean,
            Setting::Word(word) if word == "all" => Samples::All,
            Setting::Number(n) if n.fract() == 0.0 && (1.0..=f64::from(most)).contains(n) => {
                Samples::First(*n as usize)
            }
            other => return Err(wrong("samples", &format!("batch-mean, all, or 1 to {most} images"), other)),
        };
        if !(1..=1024).contains(&options.location_stride) {
            return Err(wrong("location-stride", "1 to 1024", options.location_stride));
        }
        if options.refresh == 0 {
            return Err(wrong("refresh", "at least 1 step", options.refresh));
        }
        // With own inputs after training, a step's inputs cannot count in its own projection, in whatever order.
        if options.order == Order::UpdateThenProject && options.own_inputs == OwnInputs::After {
            let expected = "project-then-update, unless own-inputs = \"during\"";
            return Err(wrong("order", expected, "\"update-then-project\""));
        }
        Ok(Self { options, alpha, samples, memory, total_steps })
    }

    /// Steps of the whole run.
    pub fn total_steps(&self) -> u64 {
        self.total_steps
    }

    /// Alpha in step `step`.
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

fn wrong(option: &str, expected: &str, found: impl ToString) -> StrategyError {
    StrategyError::Option { option: format!("strategy.{option}"), expected: expected.into(), found: found.to_string() }
}
