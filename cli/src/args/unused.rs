//! The options of a run in other subcommands. An option without effect is hidden from the help and rejected; an option
//! with another meaning has its own help.

use super::config_help::with_config_help;
use super::{Cli, NamedOption};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory, Error, FromArgMatches, Parser};
use nas_core::quote;
use std::ffi::OsString;

/// The options without effect, by subcommand. The names are those of the fields of [`RunArgs`](super::RunArgs).
const UNUSED: [(&str, &[&str]); 6] = [
    (
        "disturbance",
        &[
            "controller",
            "controller_start",
            "probes",
            "interval",
            "truth_samples",
            "truth",
            "steps_per_arch",
            "tensorboard",
        ],
    ),
    (
        "bench",
        &[
            "controller",
            "controller_start",
            "probes",
            "interval",
            "truth_samples",
            "truth",
            "bn",
            "epochs",
            "limit_train",
            "limit_valid",
            "out",
            "tensorboard",
            "init",
            "checkpoint_every",
            "no_weights",
        ],
    ),
    ("compare", &["strategy"]),
    ("retrain", &SUPERNET_ONLY),
    ("truth", &SUPERNET_ONLY),
    ("truth", &["tensorboard", "no_weights"]),
];

/// The sections of the configuration without effect, by subcommand. The empty name means a run. A configuration file
/// may have these sections, because several commands can share it; `--set` cannot set their keys.
const UNUSED_SECTIONS: [(&str, &[&str]); 6] = [
    ("", &["retrain", "cluster"]),
    ("compare", &["retrain"]),
    ("disturbance", &["controller", "probes", "search", "truth", "retrain", "cluster"]),
    ("bench", &["controller", "eval", "probes", "search", "truth", "retrain", "save", "cluster"]),
    ("retrain", &["strategy", "controller", "probes", "search", "truth"]),
    ("truth", &["strategy", "controller", "probes", "search", "truth", "retrain"]),
];

/// The keys without effect that no option sets, by subcommand.
const UNUSED_KEYS: [(&str, &[&str]); 3] = [
    ("retrain", &STAND_ALONE_KEYS),
    ("truth", &STAND_ALONE_KEYS),
    ("disturbance", &["eval.weight_average", "train.max_steps"]),
];

/// The keys without effect on stand-alone training, which uses no strategy and evaluates all images with running
/// statistics.
const STAND_ALONE_KEYS: [&str; 5] =
    ["plugins", "train.max_steps", "eval.images", "eval.recalibrate_images", "eval.weight_average"];

/// The options without effect on stand-alone training.
const SUPERNET_ONLY: [&str; 11] = [
    "strategy",
    "controller",
    "controller_start",
    "steps_per_arch",
    "probes",
    "interval",
    "truth_samples",
    "truth",
    "bn",
    "init",
    "plugin",
];

/// The options with another meaning: subcommand, option and help.
const MEANINGS: [(&str, &str, &str); 21] = [
    ("compare", "out", "Directory of the comparison, which is resumed if it exists [default: runs/compare]"),
    ("compare", "json", "Print JSON instead of tables: one line per run, then one line for the comparison"),
    ("truth", "out", "Truth table to create, or to resume if it exists. This option is required"),
    (
        "retrain",
        "out",
        "Directory of the training, which is resumed if it exists [default: runs/DATE-TIME-retrain-SPACE-sSEED]",
    ),
    ("retrain", "space", "Search space [default: that of --from or --recipe, otherwise nasbench201]"),
    ("retrain", "data", "Data set [default: that of --from, otherwise digits]"),
    ("retrain", "epochs", "Number of epochs [default: that of --recipe, otherwise 40]"),
    ("retrain", "limit_train", "Number of training images [default: that of --from, otherwise all]"),
    ("retrain", "limit_valid", "Number of validation images [default: that of --from, otherwise all]"),
    ("retrain", "batch_size", "Number of images per step [default: that of --recipe, otherwise 64]"),
    ("retrain", "lr", "Learning rate at the start [default: that of --recipe, otherwise 0.05]"),
    ("retrain", "lr_schedule", "Schedule of the learning rate [default: that of --recipe, otherwise constant]"),
    (
        "retrain",
        "width",
        "Base number of channels, those after the stem in most search spaces [default: that of --from or --recipe, otherwise \
         depends on --space]",
    ),
    (
        "retrain",
        "cells",
        "Number of cells, per stage or in total as the search space defines it [default: that of --from or --recipe, \
         otherwise depends on --space]",
    ),
    (
        "disturbance",
        "out",
        "Run directory: new, empty, or with an unfinished sequence of the same settings, which continues [default: \
         runs/DATE-TIME-STRATEGY-SPACE-sSEED]",
    ),
    ("retrain", "no_weights", "Do not write the weights of the network"),
    ("truth", "epochs", "Number of epochs of each stand-alone training"),
    ("compare", "epochs", "Number of epochs of the first variant; --budget determines those of the others"),
    ("disturbance", "epochs", "Number of epochs for each architecture of the sequence"),
    ("bench", "json", "Print JSON instead of a table, one line per case"),
    ("bench", "data", "Data set [default: random images of 32 x 32 pixels in 10 classes]"),
];

impl Cli {
    /// The definition of the command line, in which every subcommand shows only the options that it uses.
    pub fn definition() -> Command {
        let mut definition = Self::command();
        for (name, unused) in UNUSED {
            let hide = |command: Command| unused.iter().fold(command, |c, id| c.mut_arg(id, |arg| arg.hide(true)));
            definition = definition.mut_subcommand(name, hide);
        }
        for (name, id, help) in MEANINGS {
            definition = definition.mut_subcommand(name, |command| command.mut_arg(id, |arg| arg.help(help)));
        }
        definition = definition.mut_subcommand("truth", |truth| truth.mut_arg("out", |arg| arg.value_name("FILE.csv")));
        with_config_help(definition)
    }

    /// Parses the command line; the first argument is the name of the program.
    ///
    /// # Errors
    /// Unknown or invalid arguments, or an option that has no effect on the given subcommand.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Error> {
        let mut definition = Self::definition();
        let matches = definition.try_get_matches_from_mut(arguments)?;
        let (name, given) = matches.subcommand().unwrap_or(("", &matches));
        if let Some(option) = first_unused(name, given) {
            let command = if name.is_empty() { "a run".into() } else { format!("`{name}`") };
            let remedy = match option.strip_prefix("set ").and_then(|assignment| assignment.split('.').next()) {
                Some("retrain") if name.is_empty() => "use it with `nas-train retrain`",
                Some("cluster") if name.is_empty() => "use it with `compare`, `truth` or `retrain --seeds`",
                _ => "leave it out",
            };
            let problem = format!("--{option} has no effect on {command}; {remedy}");
            let command = definition.find_subcommand(name).cloned();
            let mut command = command.unwrap_or(definition);
            return Err(command.error(ErrorKind::ArgumentConflict, problem));
        }
        Self::from_arg_matches(&matches)
    }
}

/// The first option without effect, as it was given: a flag, or `set` with its assignment.
fn first_unused(command: &str, given: &ArgMatches) -> Option<String> {
    let mut flags = unused(&UNUSED, command);
    let flag = flags.find(|id| given.value_source(id) == Some(ValueSource::CommandLine));
    flag.map(|id| id.replace('_', "-")).or_else(|| {
        let mut assignments = given.try_get_many::<String>("set").ok()??.peekable();
        assignments.peek()?;
        let keys = unused_keys(command);
        let assignment = assignments.find(|assignment| is_unused(command, &keys, assignment))?;
        Some(format!("set {}", quote(assignment)))
    })
}

/// The keys of the unused options.
fn unused_keys(command: &str) -> Vec<&'static str> {
    let options = Cli::try_parse_from(["nas-train"]).map(|cli| cli.run.named()).unwrap_or_default();
    let is_unused = |option: &NamedOption| unused(&UNUSED, command).any(|id| id.replace('_', "-") == option.flag);
    options.into_iter().filter(is_unused).map(|option| option.key).collect()
}

/// Whether an assignment has no effect: to a key of an unused section, or to the key of an unused option.
fn is_unused(command: &str, keys: &[&str], assignment: &str) -> bool {
    let key = assignment.split('=').next().unwrap_or_default().trim();
    let section = key.split('.').next().unwrap_or_default().trim();
    unused(&UNUSED_SECTIONS, command).any(|unused| unused == section)
        || unused(&UNUSED_KEYS, command).any(|unused| unused == key)
        || keys.contains(&key)
}

/// The entries of a command in a table.
fn unused(
    table: &'static [(&'static str, &'static [&'static str])],
    command: &str,
) -> impl Iterator<Item = &'static str> {
    table.iter().filter(move |(name, _)| *name == command).flat_map(|(_, unused)| unused.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subcommands_hide_and_reject_options_without_effect() {
        for (name, unused) in UNUSED {
            let mut definition = Cli::definition();
            let help = definition.find_subcommand_mut(name).unwrap().render_long_help().to_string();
            for id in unused {
                let flag = format!("--{}", id.replace('_', "-"));
                assert!(!help.contains(&format!("{flag} ")), "{name}: {help}");
                let value = match *id {
                    "bn" => Some("batch"),
                    "no_weights" => None,
                    _ => Some("1"),
                };
                let strategies = (name == "compare").then_some("--strategies=plain");
                let line = ["nas-train", name].into_iter().chain(strategies).chain([flag.as_str()]).chain(value);
                let line = line.map(OsString::from);
                let message = Cli::read(line).unwrap_err().to_string();
                assert!(message.contains(&format!("{flag} has no effect on `{name}`")), "{message}");
            }
        }
        for (name, sections) in UNUSED_SECTIONS {
            for section in sections {
                let strategies = (name == "compare").then_some("--strategies=plain");
                let line = ["nas-train", name].into_iter().filter(|part| !part.is_empty()).chain(strategies);
                let assignment = format!("--set={section}.name=x");
                let line: Vec<OsString> = line.chain([assignment.as_str()]).map(Into::into).collect();
                let message = Cli::read(line).unwrap_err().to_string();
                assert!(message.contains(&format!("--set {section}.name=x has no effect on ")), "{message}");
            }
        }
        let is_unused = |command, assignment| is_unused(command, &unused_keys(command), assignment);
        assert!(
            !is_unused("retrain", "eval.batch_size")
                && is_unused("retrain", "eval.bn")
                && !is_unused("", "eval.bn")
                && is_unused("retrain", "train.max_steps=5")
                && is_unused("truth", "eval.images=5")
                && is_unused("truth", "eval.weight_average=0.9")
                && is_unused("disturbance", "eval.weight_average=0.9")
                && !is_unused("", "eval.weight_average=0.9")
                && !is_unused("", "train.max_steps=5")
        );
        let help = Cli::definition().find_subcommand_mut("compare").unwrap().render_long_help().to_string();
        assert!(help.contains("runs/compare"), "{help}");
    }
}
