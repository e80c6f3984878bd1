//! The configuration of a run: one TOML document in which every key is optional.

mod check;
mod cluster;
mod retrain;
mod save;
mod sections;
mod truth;

pub use cluster::{ClusterConfig, Scheduler};
pub use retrain::{RetrainConfig, TrainImages};
pub use save::{CheckpointInterval, SaveConfig};
pub use sections::{BnMode, EvalConfig, ProbeConfig, SearchConfig, SpaceConfig, TrainConfig};
pub use truth::{TruthConfig, TruthSamples};

use crate::data::{ColourJitter, DataOptions, IdxOptions, SyntheticOptions};
use crate::options::{OptionsError, meanings, parse_options, shown};
use crate::quote::value;
use sections::{SpaceKeys, TopLevel};
use std::collections::BTreeMap;
use toml::{Table, Value};

/// A strategy or controller by name, with its own options.
#[derive(Debug, Clone, PartialEq)]
pub struct ComponentConfig {
    /// Name under which the strategy or controller is registered.
    pub name: String,
    /// Options of the strategy or controller. They are checked when it is built.
    pub options: Table,
}

/// The configuration of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunConfig {
    /// Seed of all random streams.
    pub seed: u64,
    /// Device: `cpu`, or `cuda:K` for GPU number K, counted from 0.
    pub device: String,
    /// Whether dense convolutions and linear layers on a GPU multiply in TF32 (10 instead of 23 mantissa bits), on
    /// tensor cores.
    pub tf32: bool,
    /// Number of worker threads, at most 1,024; 0 starts one per core. Results do not depend on this number.
    pub threads: usize,
    /// Paths of shared libraries that provide further strategies.
    pub plugins: Vec<String>,
    /// Section `[strategy]`: the sharing strategy.
    pub strategy: ComponentConfig,
    /// Section `[controller]`: the controller.
    pub controller: ComponentConfig,
    /// Section `[space]`: the search space, its scale and its options.
    pub space: SpaceConfig,
    /// Section `[data]`: the data set, its split and augmentation.
    pub data: DataOptions,
    /// Section `[train]`: training, of the shared weights and of stand-alone networks.
    pub train: TrainConfig,
    /// Section `[eval]`: evaluation with shared weights.
    pub eval: EvalConfig,
    /// Section `[probes]`: probe architectures.
    pub probes: ProbeConfig,
    /// Section `[search]`: training of the controller, and selection.
    pub search: SearchConfig,
    /// Section `[truth]`: comparison with the truth table.
    pub truth: TruthConfig,
    /// Section `[retrain]`: stand-alone training of one architecture.
    pub retrain: RetrainConfig,
    /// Section `[save]`: checkpoints and weights.
    pub save: SaveConfig,
    /// Section `[cluster]`: the scheduler of several runs.
    pub cluster: ClusterConfig,
}

/// An invalid configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// An unknown key or a value of the wrong type.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// A value outside its range.
    #[error("{key}: expected {expected}, found {}", value(found))]
    Range {
        /// Dotted key of the value.
        key: &'static str,
        /// Range of valid values.
        expected: String,
        /// Value that was given.
        found: String,
    },
}

/// Names of the sections.
const SECTIONS: [&str; 12] = [
    "strategy",
    "controller",
    "space",
    "data",
    "train",
    "eval",
    "probes",
    "search",
    "truth",
    "retrain",
    "save",
    "cluster",
];

impl RunConfig {
    /// Reads a configuration; keys that the table lacks keep their defaults.
    ///
    /// # Errors
    /// Unknown keys, and values of the wrong type or outside their range. Options of strategy and controller are not
    /// checked here but when these are built.
    pub fn from_table(table: &Table) -> Result<Self, ConfigError> {
        let config = Self::parse(table)?;
        config.check()?;
        Ok(config)
    }

    /// Checks the names and types of the keys of one layer of a configuration. Ranges are not checked, because a later
    /// layer may replace the value.
    ///
    /// # Errors
    /// Unknown keys, and values of the wrong type.
    pub fn check_layer(table: &Table) -> Result<(), ConfigError> {
        Self::parse(table).map(|_| ())
    }

    fn parse(table: &Table) -> Result<Self, ConfigError> {
        let mut top = Table::new();
        let mut sections = Table::new();
        for (key, value) in table {
            let is_section = SECTIONS.contains(&key.as_str());
            match value {
                Value::Table(_) if is_section => sections.insert(key.clone(), value.clone()),
                _ if is_section => {
                    let found = match value {
                        Value::Array(items) if items.iter().any(Value::is_table) => {
                            format!("`[[{key}]]`, a list of sections")
                        }
                        _ => shown(value),
                    };
                    let message = format!("expected `[{key}]` and its keys below it, found {found}");
                    return Err(OptionsError::Value { section: key.clone(), message }.into());
                }
                _ => top.insert(key.clone(), value.clone()),
            };
        }
        let empty = Table::new();
        let section = |name: &str| sections.get(name).and_then(Value::as_table).unwrap_or(&empty);
        let TopLevel { seed, device, tf32, threads, plugins } = top_keys(&top)?;
        Ok(Self {
            seed,
            device,
            tf32,
            threads,
            plugins,
            strategy: component("strategy", "plain", section("strategy"))?,
            controller: component("controller", "uniform", section("controller"))?,
            space: SpaceConfig::parse(section("space"))?,
            data: parse_options("data", section("data"))?,
            train: parse_options("train", section("train"))?,
            eval: parse_options("eval", section("eval"))?,
            probes: parse_options("probes", section("probes"))?,
            search: parse_options("search", section("search"))?,
            truth: parse_options("truth", section("truth"))?,
            retrain: parse_options("retrain", section("retrain"))?,
            save: parse_options("save", section("save"))?,
            cluster: parse_options("cluster", section("cluster"))?,
        })
    }

    /// Writes the configuration as the TOML document that [`from_table`](Self::from_table) reads. The section
    /// `[cluster]` is left out if it has the defaults, because most runs have no scheduler.
    ///
    /// # Errors
    /// A value that TOML cannot express.
    pub fn to_table(&self) -> Result<Table, toml::ser::Error> {
        let Self { seed, device, tf32, threads, plugins, .. } = self.clone();
        let mut table = Table::try_from(TopLevel { seed, device, tf32, threads, plugins })?;
        for (key, component) in [("strategy", &self.strategy), ("controller", &self.controller)] {
            let mut section = Table::new();
            section.insert("name".into(), Value::String(component.name.clone()));
            section.extend(component.options.clone());
            table.insert(key.into(), Value::Table(section));
        }
        table.insert("space".into(), Value::Table(self.space.to_table()?));
        table.insert("data".into(), Value::try_from(&self.data)?);
        table.insert("train".into(), Value::try_from(&self.train)?);
        table.insert("eval".into(), Value::try_from(&self.eval)?);
        table.insert("probes".into(), Value::try_from(&self.probes)?);
        table.insert("search".into(), Value::try_from(&self.search)?);
        table.insert("truth".into(), Value::try_from(&self.truth)?);
        table.insert("retrain".into(), Value::try_from(&self.retrain)?);
        table.insert("save".into(), Value::try_from(&self.save)?);
        if self.cluster != ClusterConfig::default() {
            table.insert("cluster".into(), Value::try_from(&self.cluster)?);
        }
        Ok(table)
    }

    /// Descriptions of all keys by their dotted names, without the options of strategies, controllers and spaces.
    pub fn meanings() -> BTreeMap<String, String> {
        let sections = [
            ("", meanings::<TopLevel>()),
            ("space.", meanings::<SpaceKeys>()),
            ("data.", meanings::<DataOptions>()),
            ("data.colour_jitter.", meanings::<ColourJitter>()),
            ("data.idx.", meanings::<IdxOptions>()),
            ("data.synthetic.", meanings::<SyntheticOptions>()),
            ("train.", meanings::<TrainConfig>()),
            ("eval.", meanings::<EvalConfig>()),
            ("probes.", meanings::<ProbeConfig>()),
            ("search.", meanings::<SearchConfig>()),
            ("truth.", meanings::<TruthConfig>()),
            ("retrain.", meanings::<RetrainConfig>()),
            ("save.", meanings::<SaveConfig>()),
            ("cluster.", meanings::<ClusterConfig>()),
        ];
        let dotted = |(section, keys): (&str, BTreeMap<String, String>)| {
            keys.into_iter().map(|(key, meaning)| (format!("{section}{key}"), meaning)).collect::<Vec<_>>()
        };
        let names =
            [("strategy", "sharing strategy", "strategies"), ("controller", "search controller", "controllers")];
        let names = names.map(|(section, component, list)| {
            let meaning = format!(
                "Name of the {component}; `nas-train list {list}` shows all.\nThe other keys of this section are its options: \
                 `--{section}` with another name ignores them."
            );
            (format!("{section}.name"), meaning)
        });
        sections.into_iter().flat_map(dotted).chain(names).collect()
    }

    /// First epoch, from 0, after which the controller is trained.
    pub fn controller_start(&self) -> usize {
        usize::try_from(self.search.start).unwrap_or(Self::default_controller_start(self.train.epochs))
    }

    /// The first epoch of controller training with `search.start = -1`.
    pub fn default_controller_start(epochs: usize) -> usize {
        epochs * 3 / 4
    }

    /// Time between two checkpoints.
    ///
    /// # Errors
    /// A value that is neither minutes, epochs nor `none`.
    pub fn checkpoint_interval(&self) -> Result<CheckpointInterval, ConfigError> {
        let text = &self.save.checkpoint_every;
        CheckpointInterval::parse(text).map_err(|expected| range("save.checkpoint_every", expected, text))
    }

    /// Number of architectures that are compared with the truth table.
    ///
    /// # Errors
    /// A value that is neither a whole number nor `all`.
    pub fn truth_samples(&self) -> Result<TruthSamples, ConfigError> {
        let wrong = |_| range("truth.samples", "a whole number of at least 0, or `all`", &self.truth.samples);
        TruthSamples::parse(&self.truth.samples).map_err(wrong)
    }
}

fn range(key: &'static str, expected: &str, found: impl ToString) -> ConfigError {
    ConfigError::Range { key, expected: expected.into(), found: found.to_string() }
}

/// Reads the keys outside sections. Because an unknown key may be a misspelt section, the error lists sections too.
fn top_keys(table: &Table) -> Result<TopLevel, OptionsError> {
    parse_options("", table).map_err(|error| match error {
        OptionsError::Unknown { key, known, .. } => {
            let names = known.split(", ").chain(SECTIONS);
            let hint = crate::options::did_you_mean(&key, names.clone());
            OptionsError::Unknown { section: String::new(), key, hint, known: names.collect::<Vec<_>>().join(", ") }
        }
        other => other,
    })
}

fn component(section: &str, default: &str, table: &Table) -> Result<ComponentConfig, OptionsError> {
    let mut options = table.clone();
    let name = match options.remove("name") {
        None => default.into(),
        Some(Value::String(name)) => name,
        Some(other) => {
            let message = format!("name = {}: expected a string", shown(&other));
            return Err(OptionsError::Value { section: section.into(), message });
        }
    };
    Ok(ComponentConfig { name, options })
}
