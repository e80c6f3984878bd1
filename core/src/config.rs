//! The configuration of a run: one TOML document, every key with its default.

use crate::data::{DataOptions, SyntheticOptions};
use crate::optimizer::Schedule;
use crate::options::{OptionsError, meanings, parse_options};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toml::{Table, Value};

/// A component by name, with options that only it knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// The name under which it is registered.
    pub name: String,
    /// Its own options.
    pub options: Table,
}

/// `[space]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpaceConfig {
    /// Search space; see `nas-train list spaces`.
    pub name: String,
    /// Channels after the stem; 0 takes the space's default.
    pub width: usize,
    /// Cells, as the space counts them; 0 takes the space's default.
    pub cells: usize,
}

impl Default for SpaceConfig {
    fn default() -> Self {
        Self { name: "nasbench201".into(), width: 0, cells: 0 }
    }
}

/// `[train]`: how the shared weights are trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Passes over the training images.
    pub epochs: usize,
    /// Steps after which training ends, within an epoch if need be; 0 for all steps of all epochs.
    pub max_steps: usize,
    /// Images a step.
    pub batch_size: usize,
    /// Consecutive steps that one plan of architectures trains.
    pub steps_per_arch: usize,
    /// Learning rate, at the start.
    pub lr: f64,
    /// Learning rate at the end of a cosine schedule.
    pub lr_min: f64,
    /// How it moves between the two.
    pub lr_schedule: Schedule,
    /// Momentum of SGD.
    pub momentum: f64,
    /// Whether the momentum looks ahead.
    pub nesterov: bool,
    /// L2 penalty.
    pub weight_decay: f64,
    /// Largest norm of the gradients of a step.
    pub clip: f64,
}

impl Default for TrainConfig {
    /// Momentum, decay, batch and clip are those of DARTS; the rate and its constancy are our choice for short runs.
    fn default() -> Self {
        Self {
            epochs: 40,
            max_steps: 0,
            batch_size: 64,
            steps_per_arch: 1,
            lr: 0.05,
            lr_min: 0.001,
            lr_schedule: Schedule::Constant,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 3e-4,
            clip: 5.0,
        }
    }
}

/// Which statistics batch normalisation uses when an architecture is evaluated with shared weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BnMode {
    /// Those of the evaluated batch.
    Batch,
    /// Averages over some training batches, measured anew for each architecture.
    Recalibrate,
    /// Exponential averages over the training of all architectures.
    Running,
}

/// `[eval]`: how accuracy with shared weights is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvalConfig {
    /// Batch-norm statistics.
    pub bn: BnMode,
    /// Validation images for probes, truth samples and the final choice, in fixed order; fewer if there are fewer.
    pub images: usize,
    /// Images a batch; matters to the result only with `bn = "batch"`.
    pub batch_size: usize,
    /// Training images for `bn = "recalibrate"`.
    pub recalibrate_images: usize,
}

impl Default for EvalConfig {
    fn default() -> Self {
        Self { bn: BnMode::Batch, images: 500, batch_size: 250, recalibrate_images: 512 }
    }
}

/// `[probes]`: fixed random architectures that are evaluated after every epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeConfig {
    /// How many; 0 turns them off. 64 in DINAS.
    pub count: usize,
    /// Epochs between the two accuracies whose difference is the disturbance; 13 in DINAS.
    pub interval: usize,
    /// Every how many steps the immediate disturbance is measured; 0 turns it off.
    pub single_step_every: usize,
}

impl Default for ProbeConfig {
    fn default() -> Self {
        Self { count: 64, interval: 13, single_step_every: 10 }
    }
}

/// `[search]`: the controller phase and the final choice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchConfig {
    /// First epoch, from 0, after which the controller is trained; architectures are drawn uniformly before. 90 of an
    /// unknown number of epochs in DINAS; `-1` is three quarters of the run.
    pub start: i64,
    /// Proposals of the controller among which the final choice is made.
    pub proposals: usize,
}

impl Default for SearchConfig {
    fn default() -> Self {
        Self { start: -1, proposals: 10 }
    }
}

/// How many architectures are compared with the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TruthSamples {
    /// So many distinct random ones.
    Some(usize),
    /// The whole space.
    All,
}

impl TruthSamples {
    /// Reads `all` or a number.
    ///
    /// # Errors
    /// Anything else, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            _ => text.parse().map(Self::Some).map_err(|_| format!("expected a number or `all`, found `{text}`")),
        }
    }
}

/// `[truth]`: comparison of the ranking by shared weights with stand-alone training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TruthConfig {
    /// Number of distinct random architectures, or `all`; 0 turns it off.
    #[serde(deserialize_with = "text_or_number")]
    pub samples: String,
    /// A column of the space's truth table, a CSV file, or `auto`: stand-alone training on the data set at hand where
    /// that is part of the program, else the table's test accuracy on it, else on CIFAR-10.
    pub table: String,
}

impl Default for TruthConfig {
    fn default() -> Self {
        Self { samples: "200".into(), table: "auto".into() }
    }
}

/// A whole run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunConfig {
    /// The number from which all randomness follows.
    pub seed: u64,
    /// `cpu` or `cuda:K`.
    pub device: String,
    /// Worker threads; 0 takes one for each core. Results do not depend on it.
    pub threads: usize,
    /// Shared libraries with further strategies.
    pub plugins: Vec<String>,
    /// `[strategy]`
    pub strategy: Component,
    /// `[controller]`
    pub controller: Component,
    /// `[space]`
    pub space: SpaceConfig,
    /// `[data]`
    pub data: DataOptions,
    /// `[train]`
    pub train: TrainConfig,
    /// `[eval]`
    pub eval: EvalConfig,
    /// `[probes]`
    pub probes: ProbeConfig,
    /// `[search]`
    pub search: SearchConfig,
    /// `[truth]`
    pub truth: TruthConfig,
}

/// The keys outside the sections.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Top {
    /// The number from which all randomness follows.
    seed: u64,
    /// `cpu` or `cuda:K`, the K-th GPU.
    device: String,
    /// Worker threads; 0 takes one for each core. Results do not depend on it.
    threads: usize,
    /// Shared libraries with further strategies.
    plugins: Vec<String>,
}

impl Default for Top {
    fn default() -> Self {
        Self { seed: 0, device: "cpu".into(), threads: 0, plugins: Vec::new() }
    }
}

/// A configuration that cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Keys or values that do not parse.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// A value out of its range.
    #[error("{key}: expected {expected}, found {found}")]
    Range {
        /// The key.
        key: &'static str,
        /// Its range.
        expected: String,
        /// What was given.
        found: String,
    },
}

const SECTIONS: [&str; 8] = ["strategy", "controller", "space", "data", "train", "eval", "probes", "search"];

impl RunConfig {
    /// Reads a configuration over the defaults.
    ///
    /// # Errors
    /// Unknown keys, values of the wrong kind or out of range. Options of strategy and controller are checked when
    /// those are built.
    pub fn from_table(table: &Table) -> Result<Self, ConfigError> {
        let mut top = Table::new();
        let mut sections = Table::new();
        for (key, value) in table {
            let is_section = SECTIONS.contains(&key.as_str()) || key == "truth";
            match value {
                Value::Table(_) if is_section => sections.insert(key.clone(), value.clone()),
                _ if is_section => {
                    let message = format!("expected a table, found {value}");
                    return Err(OptionsError::Value { section: key.clone(), message }.into());
                }
                _ => top.insert(key.clone(), value.clone()),
            };
        }
        let empty = Table::new();
        let section = |name: &str| sections.get(name).and_then(Value::as_table).unwrap_or(&empty);
        let Top { seed, device, threads, plugins } = top_keys(&top)?;
        let config = Self {
            seed,
            device,
            threads,
            plugins,
            strategy: component("strategy", "plain", section("strategy"))?,
            controller: component("controller", "uniform", section("controller"))?,
            space: parse_options("space", section("space"))?,
            data: parse_options("data", section("data"))?,
            train: parse_options("train", section("train"))?,
            eval: parse_options("eval", section("eval"))?,
            probes: parse_options("probes", section("probes"))?,
            search: parse_options("search", section("search"))?,
            truth: parse_options("truth", section("truth"))?,
        };
        config.check()?;
        Ok(config)
    }

    /// The configuration as the TOML document that [`from_table`](Self::from_table) reads back.
    ///
    /// # Errors
    /// A value that TOML cannot hold, in words.
    pub fn to_table(&self) -> Result<Table, toml::ser::Error> {
        let Self { seed, device, threads, plugins, .. } = self.clone();
        let mut table = Table::try_from(Top { seed, device, threads, plugins })?;
        for (key, component) in [("strategy", &self.strategy), ("controller", &self.controller)] {
            let mut section = Table::new();
            section.insert("name".into(), Value::String(component.name.clone()));
            section.extend(component.options.clone());
            table.insert(key.into(), Value::Table(section));
        }
        table.insert("space".into(), Value::try_from(&self.space)?);
        table.insert("data".into(), Value::try_from(&self.data)?);
        table.insert("train".into(), Value::try_from(&self.train)?);
        table.insert("eval".into(), Value::try_from(&self.eval)?);
        table.insert("probes".into(), Value::try_from(&self.probes)?);
        table.insert("search".into(), Value::try_from(&self.search)?);
        table.insert("truth".into(), Value::try_from(&self.truth)?);
        Ok(table)
    }

    /// What every key means, except those of strategies and controllers, by its dotted name.
    pub fn meanings() -> BTreeMap<String, String> {
        let sections = [
            ("", meanings::<Top>()),
            ("space.", meanings::<SpaceConfig>()),
            ("data.", meanings::<DataOptions>()),
            ("data.synthetic.", meanings::<SyntheticOptions>()),
            ("train.", meanings::<TrainConfig>()),
            ("eval.", meanings::<EvalConfig>()),
            ("probes.", meanings::<ProbeConfig>()),
            ("search.", meanings::<SearchConfig>()),
            ("truth.", meanings::<TruthConfig>()),
        ];
        let dotted = |(section, keys): (&str, BTreeMap<String, String>)| {
            keys.into_iter().map(|(key, meaning)| (format!("{section}{key}"), meaning)).collect::<Vec<_>>()
        };
        sections.into_iter().flat_map(dotted).collect()
    }

    /// The epoch from which the controller is trained.
    pub fn controller_start(&self) -> usize {
        usize::try_from(self.search.start).unwrap_or(self.train.epochs * 3 / 4)
    }

    /// How many architectures are compared with the truth.
    ///
    /// # Errors
    /// Neither a number nor `all`.
    pub fn truth_samples(&self) -> Result<TruthSamples, ConfigError> {
        let wrong = |_| range("truth.samples", "a number or `all`", &self.truth.samples);
        TruthSamples::parse(&self.truth.samples).map_err(wrong)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let t = &self.train;
        let counts = [
            ("train.epochs", t.epochs),
            ("train.batch_size", t.batch_size),
            ("train.steps_per_arch", t.steps_per_arch),
            ("eval.images", self.eval.images),
            ("eval.batch_size", self.eval.batch_size),
            ("eval.recalibrate_images", self.eval.recalibrate_images),
            ("probes.interval", self.probes.interval),
            ("search.proposals", self.search.proposals),
        ];
        if let Some((key, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(range(key, "at least 1", 0));
        }
        let limits = [
            ("threads", self.threads, 1024),
            ("train.epochs", t.epochs, 1_000_000),
            ("train.steps_per_arch", t.steps_per_arch, 1_000_000_000),
            ("search.proposals", self.search.proposals, 100_000),
        ];
        if let Some((key, count, most)) = limits.iter().find(|(_, count, most)| count > most) {
            return Err(range(key, &format!("at most {most}"), count));
        }
        for (key, value) in [("train.lr", t.lr), ("train.clip", t.clip)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(range(key, "a positive number", value));
            }
        }
        for (key, value) in [("train.lr_min", t.lr_min), ("train.weight_decay", t.weight_decay)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(range(key, "a number of at least 0", value));
            }
        }
        if !(0.0..1.0).contains(&t.momentum) {
            return Err(range("train.momentum", "a number of at least 0 and below 1", t.momentum));
        }
        if self.search.start < -1 {
            return Err(range("search.start", "an epoch, or -1", self.search.start));
        }
        self.truth_samples().map(|_| ())
    }
}

/// A string, or a number as a string: `samples = 200` is as good as `samples = "200"`.
fn text_or_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(text),
        Value::Integer(number) => Ok(number.to_string()),
        other => Err(serde::de::Error::custom(format!("expected a number or `all`, found {other}"))),
    }
}

fn range(key: &'static str, expected: &str, found: impl ToString) -> ConfigError {
    ConfigError::Range { key, expected: expected.into(), found: found.to_string() }
}

/// The keys outside sections; an unknown one may also be a misspelt section.
fn top_keys(table: &Table) -> Result<Top, OptionsError> {
    parse_options("", table).map_err(|error| match error {
        OptionsError::Unknown { key, known, .. } => {
            let names = known.split(", ").chain(SECTIONS).chain(["truth"]);
            let hint = crate::options::did_you_mean(&key, names.clone());
            OptionsError::Unknown { section: String::new(), key, hint, known: names.collect::<Vec<_>>().join(", ") }
        }
        other => other,
    })
}

fn component(section: &str, default: &str, table: &Table) -> Result<Component, OptionsError> {
    let mut options = table.clone();
    let name = match options.remove("name") {
        None => default.into(),
        Some(Value::String(name)) => name,
        Some(other) => {
            let message = format!("name = {other}: expected a string");
            return Err(OptionsError::Value { section: section.into(), message });
        }
    };
    Ok(Component { name, options })
}
