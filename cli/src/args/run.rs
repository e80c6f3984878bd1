//! The options of a run.

use super::parse::{above_zero, assignment, count, positive, samples};
use clap::{Args, ValueEnum, ValueHint};
use std::path::PathBuf;
use toml::Value;

/// The options of a run, each with its place in the configuration in [`RunArgs::named`].
#[derive(Debug, Clone, Args)]
#[command(allow_negative_numbers = true)]
pub struct RunArgs {
    /// How weights are shared; see `nas-train list strategies`. If it differs from that of --config, the options in
    /// that file's [strategy] section are dropped, being those of another strategy
    #[arg(long, value_name = "NAME", help_heading = "Search")]
    pub strategy: Option<String>,
    /// Which architectures are tried; see `nas-train list controllers`. A change drops [controller] options likewise
    #[arg(long, value_name = "NAME", help_heading = "Search")]
    pub controller: Option<String>,
    /// Search space; see `nas-train list spaces`
    #[arg(long, value_name = "NAME", help_heading = "Search")]
    pub space: Option<String>,
    /// Channels after the stem [default: the space's]
    #[arg(long, value_name = "C", value_parser = positive, help_heading = "Search")]
    pub width: Option<i64>,
    /// Cells, per stage or in total as the space defines it [default: the space's]
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Search")]
    pub cells: Option<i64>,
    /// First epoch, from 0, after which the controller is trained [default: three quarters of the run]
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Search")]
    pub controller_start: Option<i64>,

    /// Data set; see `nas-train list data`
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub data: Option<String>,
    /// Archived with the files of the data set, for those that are read from files
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Data")]
    pub data_dir: Option<String>,
    /// At most this many training images
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Data")]
    pub limit_train: Option<i64>,
    /// At most this many validation images
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Data")]
    pub limit_valid: Option<i64>,

    /// Passes over the training images
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Training")]
    pub epochs: Option<i64>,
    /// Consecutive steps that train one choice of architectures
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Training")]
    pub steps_per_arch: Option<i64>,
    /// Images a step
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Training")]
    pub batch_size: Option<i64>,
    /// Learning rate
    #[arg(long, value_name = "X", value_parser = above_zero, help_heading = "Training")]
    pub lr: Option<f64>,
    /// How the learning rate moves
    #[arg(long, value_name = "SCHEDULE", value_parser = ["constant", "cosine"], help_heading = "Training")]
    pub lr_schedule: Option<String>,
    /// The number from which all randomness follows
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Training")]
    pub seed: Option<i64>,
    /// Worker threads, 0 for one a core; results do not depend on it
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Training")]
    pub threads: Option<i64>,
    /// `cpu` or `cuda:K`, the K-th GPU
    #[arg(long, value_name = "DEVICE", help_heading = "Training")]
    pub device: Option<String>,

    /// Fixed random architectures that are evaluated after every epoch; 0 for none
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Measurement")]
    pub probes: Option<i64>,
    /// Epochs between the two accuracies whose difference is the disturbance
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Measurement")]
    pub interval: Option<i64>,
    /// Architectures whose ranking is compared with stand-alone training: a number, `all`, or 0 for none
    #[arg(long, value_name = "N|all", value_parser = samples, help_heading = "Measurement")]
    pub truth_samples: Option<String>,
    /// The truth: a column of the space's table, a CSV file of `nas-train truth`, or `auto`
    #[arg(long, value_name = "COLUMN|FILE.csv", value_hint = ValueHint::FilePath, help_heading = "Measurement")]
    pub truth: Option<String>,
    /// Batch-norm statistics for evaluation with shared weights
    #[arg(long, value_name = "MODE", value_parser = ["batch", "recalibrate", "running"], help_heading = "Measurement")]
    pub bn: Option<String>,

    /// Configuration file in TOML; see `nas-train config example`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Configuration")]
    pub config: Option<PathBuf>,
    /// Set any key of the configuration, in TOML syntax; may be repeated
    #[arg(long, value_name = "SECTION.KEY=VALUE", value_parser = assignment, help_heading = "Configuration")]
    pub set: Vec<String>,
    /// Shared library with further strategies, besides those of the configuration; may be repeated
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Configuration")]
    pub plugin: Vec<PathBuf>,

    /// Run directory, new or empty [default: runs/DATE-TIME-STRATEGY-SPACE-sSEED]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Also write TensorBoard event files into this directory, one below it for each run of a comparison
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Output")]
    pub tensorboard: Option<PathBuf>,
    /// Print the result as one JSON object instead of tables
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// Progress on stderr: a bar (on a terminal only), a plain line every 10 seconds, or none; auto chooses the bar on
    /// a terminal and lines elsewhere
    #[arg(long, value_enum, value_name = "KIND", default_value = "auto", help_heading = "Output")]
    pub progress: ProgressMode,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub enum ProgressMode {
    /// A bar on a terminal, lines elsewhere
    Auto,
    /// A bar, on a terminal
    Bar,
    /// A line now and then
    Plain,
    /// Nothing
    None,
}

/// An option with its place in the configuration.
#[derive(Debug, Clone)]
pub struct Named {
    /// The option without its dashes.
    pub flag: &'static str,
    /// The key, with its section.
    pub key: &'static str,
    /// What was given, if anything.
    pub value: Option<Value>,
}

impl RunArgs {
    /// The options that stand for keys of the configuration.
    pub fn named(&self) -> Vec<Named> {
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
            ("steps-per-arch", "train.steps_per_arch", whole(self.steps_per_arch)),
            ("batch-size", "train.batch_size", whole(self.batch_size)),
            ("lr", "train.lr", self.lr.map(Value::Float)),
            ("lr-schedule", "train.lr_schedule", text(&self.lr_schedule)),
            ("seed", "seed", whole(self.seed)),
            ("threads", "threads", whole(self.threads)),
            ("device", "device", text(&self.device)),
            ("probes", "probes.count", whole(self.probes)),
            ("interval", "probes.interval", whole(self.interval)),
            ("truth-samples", "truth.samples", text(&self.truth_samples)),
            ("truth", "truth.table", text(&self.truth)),
            ("bn", "eval.bn", text(&self.bn)),
        ]
        .into_iter()
        .map(|(flag, key, value)| Named { flag, key, value })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Cli;
    use clap::{CommandFactory, Parser};
    use nas_core::config::RunConfig;
    use toml::Table;

    #[test]
    fn named_options_exist_and_lead_to_keys_of_the_configuration() {
        let named = Cli::parse_from(["nas-train"]).run.named();
        let command = Cli::command();
        for option in &named {
            assert!(command.get_arguments().any(|a| a.get_long() == Some(option.flag)), "{}", option.flag);
        }
        let line = "--strategy a --controller b --space c --width 1 --cells 2 --controller-start 3 --data d --data-dir e \
                    --limit-train 4 --limit-valid 5 --epochs 6 --steps-per-arch 7 --batch-size 8 --lr 9 --lr-schedule \
                    cosine --seed 10 --threads 11 --device f --probes 12 --interval 13 --truth-samples all --truth g --bn running";
        let cli = Cli::parse_from(["nas-train"].into_iter().chain(line.split_whitespace()));
        let mut table = Table::new();
        for option in cli.run.named() {
            let value = option.value.unwrap_or_else(|| panic!("--{} sets nothing", option.flag));
            crate::settings::insert(&mut table, option.key, value).unwrap();
        }
        RunConfig::from_table(&table).unwrap();
    }
}
