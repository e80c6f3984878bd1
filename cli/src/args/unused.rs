//! Options of a run in other commands: some mean something else there, others nothing. The help does not show those, and
//! they are refused.

use super::Cli;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory, Error, FromArgMatches};
use std::ffi::OsString;

/// By command, with the names that clap knows the options by.
const UNUSED: [(&str, &[&str]); 4] = [
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
        ],
    ),
    ("compare", &["strategy"]),
    (
        "truth",
        &[
            "strategy",
            "controller",
            "controller_start",
            "steps_per_arch",
            "probes",
            "interval",
            "truth_samples",
            "truth",
            "bn",
            "tensorboard",
        ],
    ),
];

/// What options mean to commands that are no run.
const MEANINGS: [(&str, &str, &str); 4] = [
    ("compare", "out", "Directory of the comparison, continued if it is there [default: runs/compare]"),
    ("compare", "json", "Print JSON instead of tables: a line for each run, then one for the comparison"),
    ("truth", "out", "The table, FILE.csv, continued if it is there; required"),
    ("bench", "json", "Print JSON instead of a table, a line for each case"),
];

impl Cli {
    /// The definition of the command line, every command with the options that it uses.
    pub fn definition() -> Command {
        let mut definition = Self::command();
        for (name, unused) in UNUSED {
            let hide = |command: Command| unused.iter().fold(command, |c, id| c.mut_arg(id, |arg| arg.hide(true)));
            definition = definition.mut_subcommand(name, hide);
        }
        for (name, id, help) in MEANINGS {
            definition = definition.mut_subcommand(name, |command| command.mut_arg(id, |arg| arg.help(help)));
        }
        definition
    }

    /// Reads arguments, the program's name first.
    ///
    /// # Errors
    /// Arguments that mean nothing, or nothing to the command that they are given to.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Error> {
        let mut definition = Self::definition();
        let matches = definition.try_get_matches_from_mut(arguments)?;
        if let Some((name, given)) = matches.subcommand()
            && let Some(id) = first_unused(name, given)
        {
            let problem = format!("--{} has no effect on `{name}`: leave it away", id.replace('_', "-"));
            return Err(definition.error(ErrorKind::ArgumentConflict, problem));
        }
        Self::from_arg_matches(&matches)
    }
}

fn first_unused(command: &str, given: &ArgMatches) -> Option<&'static str> {
    let (_, unused) = UNUSED.iter().find(|(name, _)| *name == command)?;
    unused.iter().copied().find(|id| given.value_source(id) == Some(ValueSource::CommandLine))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_hide_and_refuse_what_they_do_not_use() {
        for (name, unused) in UNUSED {
            let mut definition = Cli::definition();
            let help = definition.find_subcommand_mut(name).unwrap().render_long_help().to_string();
            for id in unused {
                let flag = format!("--{}", id.replace('_', "-"));
                assert!(!help.contains(&format!("{flag} ")), "{name}: {help}");
                let value = if *id == "bn" { "batch" } else { "1" };
                let strategies = (name == "compare").then_some("--strategies=plain");
                let line = ["nas-train", name].into_iter().chain(strategies).chain([flag.as_str(), value]);
                let line = line.map(OsString::from);
                let message = Cli::read(line).unwrap_err().to_string();
                assert!(message.contains(&format!("{flag} has no effect on `{name}`")), "{message}");
            }
        }
        let help = Cli::definition().find_subcommand_mut("compare").unwrap().render_long_help().to_string();
        assert!(help.contains("runs/compare"), "{help}");
    }
}
