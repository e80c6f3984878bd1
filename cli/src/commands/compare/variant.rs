//! The entries of `--strategies`.

use crate::args::{CompareArgs, RunArgs};
use crate::exit::UsageError;
use crate::settings::{Settings, find_strategy};
use anyhow::{Context, Result, anyhow};
use nas_core::quote;

/// Largest number of characters of an entry. File names have at most 255 bytes.
const MAX_LABEL: usize = 200;

/// A strategy with options: one entry of `--strategies`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// The entry as the user wrote it, for example `ogd:alpha=0.3`.
    pub label: String,
    /// The name of the strategy.
    pub strategy: String,
    /// Assignments `section.key=value` from `--set-for`, then from the entry. A later one overrides an earlier one.
    pub assignments: Vec<String>,
}

impl Variant {
    /// Parses `--strategies` and `--set-for`.
    ///
    /// # Errors
    /// An unknown strategy, an empty entry, an entry given twice, or `--set-for` for a strategy that is not in the
    /// list.
    pub fn list(args: &CompareArgs) -> Result<Vec<Self>> {
        let given = args.assignments().map_err(|problem| UsageError(format!("--set-for: {problem}")))?;
        let mut variants: Vec<Self> = Vec::new();
        for label in args.strategies.split(',').map(str::trim) {
            let mut parts = label.split(':');
            let strategy = parts.next().unwrap_or_default();
            if strategy.is_empty() {
                return Err(usage("--strategies has an empty entry; expected names such as plain,ogd,fairnas".into()));
            }
            let length = label.chars().count();
            if length > MAX_LABEL {
                let expected = format!("expected at most {MAX_LABEL}, because the entry names a directory");
                return Err(usage(format!("--strategies {}: {length} characters, {expected}", quote(label))));
            }
            find_strategy(strategy).map_err(|error| anyhow!(error).context("--strategies"))?;
            let for_all = given.iter().filter(|(name, _)| *name == strategy).map(|(_, assignment)| *assignment);
            let mut assignments = Vec::new();
            for assignment in for_all.chain(parts) {
                assignments.push(with_section(assignment).with_context(|| format!("--strategies {}", quote(label)))?);
            }
            let new = Self { label: label.into(), strategy: strategy.into(), assignments };
            // Some file systems ignore case.
            let directory = |variant: &Self| variant.slug().to_lowercase();
            match variants.iter().find(|known| directory(known) == directory(&new)) {
                Some(known) if known.label == label => {
                    return Err(usage(format!("--strategies has {} twice; remove one of them", quote(label))));
                }
                Some(known) => {
                    let problem = "would be written to the same directory; write one of them differently";
                    return Err(usage(format!("--strategies: {} and {} {problem}", quote(&known.label), quote(label))));
                }
                None => variants.push(new),
            }
        }
        match given.iter().find(|(name, _)| variants.iter().all(|variant| variant.strategy != *name)) {
            Some((name, _)) => Err(usage(format!("--set-for {}: the strategy is not in --strategies", quote(name)))),
            None => Ok(variants),
        }
    }

    /// The settings of the variant's run with the first seed.
    ///
    /// # Errors
    /// Unknown keys and values out of range, as in [`Settings::resolve`].
    pub fn settings(&self, run: &RunArgs) -> Result<Settings> {
        let mut run = run.clone();
        run.strategy = Some(self.strategy.clone());
        Settings::resolve_with(&run, &self.assignments).with_context(|| self.named())
    }

    /// The variant, for error messages.
    pub fn named(&self) -> String {
        format!("variant {}", quote(&self.label))
    }

    /// The label as a file name: other characters than letters, digits and `-._=` become `_`.
    pub fn slug(&self) -> String {
        let keep = |c: char| if c.is_ascii_alphanumeric() || "-._=".contains(c) { c } else { '_' };
        self.label.chars().map(keep).collect()
    }
}

/// The assignment with a section: `alpha=1` becomes `strategy.alpha=1`.
fn with_section(assignment: &str) -> Result<String> {
    match assignment.split_once('=') {
        Some((key, _)) if key.contains('.') => Ok(assignment.into()),
        Some((key, _)) if !key.trim().is_empty() => Ok(format!("strategy.{assignment}")),
        _ => Err(usage(format!("expected NAME:KEY=VALUE, found `{}` after a colon", quote(assignment)))),
    }
}

fn usage(message: String) -> anyhow::Error {
    UsageError(message).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use crate::exit::chained;
    use clap::Parser;

    fn list(words: &[&str]) -> Result<Vec<Variant>> {
        match Cli::try_parse_from(["nas-train", "compare"].iter().chain(words))?.command {
            Some(Command::Compare(args)) => Variant::list(&args),
            _ => unreachable!("the first word is compare"),
        }
    }

    #[test]
    fn variants_have_options_of_their_own() {
        let words = ["--strategies", "plain, ogd:alpha=0.3:train.lr=0.02,ogd", "--set-for", "ogd", "alpha=0.1"];
        let variants = list(&words).unwrap();
        let labels: Vec<&str> = variants.iter().map(|v| v.label.as_str()).collect();
        assert_eq!(labels, ["plain", "ogd:alpha=0.3:train.lr=0.02", "ogd"]);
        assert!(variants[0].assignments.is_empty());
        assert_eq!(variants[1].assignments, ["strategy.alpha=0.1", "strategy.alpha=0.3", "train.lr=0.02"]);
        assert_eq!(variants[1].slug(), "ogd_alpha=0.3_train.lr=0.02");
        let run = Cli::parse_from(["nas-train", "--lr", "0.5", "--seed", "7"]).run;
        let config = variants[1].settings(&run).unwrap().config;
        assert_eq!((config.seed, config.train.lr), (7, 0.02));
        assert_eq!(config.strategy.options["alpha"].as_float(), Some(0.3));
    }

    #[test]
    fn invalid_lists_are_refused() {
        for (words, expected) in [
            (&["--strategies=plain,"][..], "empty entry"),
            (&["--strategies=plain,plan"], "--strategies: unknown strategy `plan`, did you mean `plain`?"),
            (&["--strategies=ogd,plain,ogd"], "has ogd twice"),
            (&["--strategies=ogd:a=x/y,ogd:a=x_y"], "ogd:a=x/y and ogd:a=x_y would be written to the same directory"),
            (&["--strategies=ogd:alpha"], "expected NAME:KEY=VALUE, found `alpha`"),
            (&[&format!("--strategies=ogd:a={}", "x".repeat(200))], "206 characters, expected at most 200"),
            (&["--strategies=plain", "--set-for", "ogd", "alpha=1"], "--set-for ogd: the strategy is not in"),
            (&["--strategies=plain", "--set-for", "plain", "paths"], "--set-for: expected KEY=VALUE"),
        ] {
            let message = chained(&list(words).unwrap_err());
            assert!(message.contains(expected), "{message}");
        }
    }
}
