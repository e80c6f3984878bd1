//! The options of a run.

use super::parse::{above_zero, assignment, count, positive, samples};
use clap::{Args, ValueEnum, ValueHint};
use std::path::PathBuf;
use toml::Value;

/// The options of a run. [`RunArgs::named`] assigns a configuration key to each option that sets one.
///
/// An option without a doc comment takes its help from the documentation of its configuration key; see
/// [`config_help`](super::config_help).
#[derive(Debug, Clone, Args)]
#[command(allow_negative_numbers = true)]
#[allow(missing_docs)]
pub struct RunArgs {
    /// Sharing strategy, from `nas-train list strategies`. If it is not the strategy of --config FILE, the
    /// [strategy] section of FILE is ignored
    #[arg(long, value_name = "NAME", help_heading = "Search")]
    pub strategy: Option<String>,
    /// Search controller, from `nas-train list controllers`. If it is not the controller of --config FILE, the
    /// [controller] section of FILE is ignored
    #[arg(long, value_name = "NAME", help_heading = "Search")]
    pub controller: Option<String>,
    /// Search space, from `nas-train list spaces`
    #[arg(long, value_name = "NAME", help_heading = "Search")]
    pub space: Option<String>,
    /// Base number of channels, those after the stem in most search spaces [default: depends on --space]
    #[arg(long, value_name = "C", value_parser = positive, help_heading = "Search")]
    pub width: Option<i64>,
    /// Number of cells, per stage or in total as the search space defines it [default: depends on --space]
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Search")]
    pub cells: Option<i64>,
    /// First epoch, counted from 0, after which the controller is trained [default: three quarters of --epochs]
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Search")]
    pub controller_start: Option<i64>,

    /// Data set, from `nas-train list data`
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub data: Option<String>,
    /// Folder with the files of the data set; `nas-train describe NAME` describes the files
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Data")]
    pub data_dir: Option<String>,
    /// Largest number of training images [default: all]
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Data")]
    pub limit_train: Option<i64>,
    /// Largest number of validation images [default: all]
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Data")]
    pub limit_valid: Option<i64>,

    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Training")]
    pub epochs: Option<i64>,
    #[arg(long, value_name = "RUN", value_hint = ValueHint::DirPath, help_heading = "Training")]
    pub init: Option<String>,
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Training")]
    pub steps_per_arch: Option<i64>,
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Training")]
    pub batch_size: Option<i64>,
    #[arg(long, value_name = "X", value_parser = above_zero, help_heading = "Training")]
    pub lr: Option<f64>,
    #[arg(long, value_name = "SCHEDULE", value_parser = ["constant", "linear", "cosine"], help_heading = "Training")]
    pub lr_schedule: Option<String>,
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Training")]
    pub seed: Option<i64>,
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Training")]
    pub threads: Option<i64>,
    #[arg(long, value_name = "DEVICE", help_heading = "Training")]
    pub device: Option<String>,
    /// Multiply in TF32 on tensor cores in dense convolutions and linear layers, with 10 instead of 23 mantissa bits.
    /// Requires a GPU of compute capability 8.0 or later
    #[arg(long, help_heading = "Training")]
    pub tf32: bool,

    #[arg(long, value_name = "N", value_parser = count, help_heading = "Measurement")]
    pub probes: Option<i64>,
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Measurement")]
    pub interval: Option<i64>,
    #[arg(long, value_name = "N|all", value_parser = samples, help_heading = "Measurement")]
    pub truth_samples: Option<String>,
    #[arg(long, value_name = "COLUMN|FILE.csv", value_hint = ValueHint::FilePath, help_heading = "Measurement")]
    pub truth: Option<String>,
    #[arg(long, value_name = "MODE", value_parser = ["batch", "recalibrate", "running"], help_heading = "Measurement")]
    pub bn: Option<String>,

    /// Configuration file in TOML; `nas-train config example` prints all keys
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Configuration")]
    pub config: Option<PathBuf>,
    /// Set a key of the configuration to a TOML value; repeat the option for several keys
    #[arg(long, value_name = "SECTION.KEY=VALUE", value_parser = assignment, help_heading = "Configuration")]
    pub set: Vec<String>,
    /// Shared library with additional strategies; repeat the option for several libraries
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Configuration")]
    pub plugin: Vec<PathBuf>,

    /// Run directory, new or empty [default: runs/DATE-TIME-STRATEGY-SPACE-sSEED]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Directory for TensorBoard event files; a comparison writes a subdirectory for each run
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Output")]
    pub tensorboard: Option<PathBuf>,
    /// Print the result as one JSON object instead of tables
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    #[arg(long, value_name = "INTERVAL", help_heading = "Output")]
    pub checkpoint_every: Option<String>,
    /// Do not write the weights of the supernet
    #[arg(long, help_heading = "Output")]
    pub no_weights: bool,
    /// Progress display on standard error. Warnings are shown in every mode
    #[arg(long, value_enum, value_name = "KIND", default_value = "auto", help_heading = "Output")]
    pub progress: ProgressMode,
}

/// The ways to display progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub enum ProgressMode {
    /// A bar on a terminal, otherwise plain lines
    Auto,
    /// A bar; plain lines if standard error is not a terminal
    Bar,
    /// A line every 10 seconds and at the end of each phase
    Plain,
    /// No progress
    None,
}

/// An option that sets a configuration key.
#[derive(Debug, Clone)]
pub struct NamedOption {
    /// Name of the option without its dashes.
    pub flag: &'static str,
    /// The key with its section, such as `train.lr`.
    pub key: &'static str,
    /// The value on the command line; `None` if the option is absent.
    pub value: Option<Value>,
}

impl RunArgs {
    /// All options that set configuration keys.
    pub fn named(&self) -> Vec<NamedOption> {
        let text = |value: &Option<String>| value.clone().map(Value::String);
        let whole = |value: Option<i64>| value.map(Value::Integer);
        [
            ("strategy", "strategy.name", text(&self.strategy)),
            ("controller", "controller.name", text(&self.controller)),
            ("space", "space.name", text(&self.space)),
            ("width", "space.width", whole(self.width)),
            ("cells", "space.cells", whole(self.cells)),
            ("controller-start", "search.start", whole(self.controller_start)),
            ("data", "data.name", text(&self.data)),
            ("data-dir", "data.dir", text(&self.data_dir)),
            ("limit-train", "data.limit_train", whole(self.limit_train)),
            ("limit-valid", "data.limit_valid", whole(self.limit_valid)),
            ("epochs", "train.epochs", whole(self.epochs)),
            ("init", "train.init", text(&self.init)),
            ("steps-per-arch", "train.steps_per_arch", whole(self.steps_per_arch)),
            ("batch-size", "train.batch_size", whole(self.batch_size)),
            ("lr", "train.lr", self.lr.map(Value::Float)),
            ("lr-schedule", "train.lr_schedule", text(&self.lr_schedule)),
            ("seed", "seed", whole(self.seed)),
            ("threads", "threads", whole(self.threads)),
            ("device", "device", text(&self.device)),
            ("tf32", "tf32", self.tf32.then_some(Value::Boolean(true))),
            ("probes", "probes.count", whole(self.probes)),
            ("interval", "probes.interval", whole(self.interval)),
            ("truth-samples", "truth.samples", text(&self.truth_samples)),
            ("truth", "truth.table", text(&self.truth)),
            ("bn", "eval.bn", text(&self.bn)),
            ("checkpoint-every", "save.checkpoint_every", text(&self.checkpoint_every)),
            ("no-weights", "save.weights", self.no_weights.then_some(Value::Boolean(false))),
        ]
        .into_iter()
        .map(|(flag, key, value)| NamedOption { flag, key, value })
        .collect()
    }
}
