//! A case of the benchmark: one combination of search space, strategy, batch size and number of threads.

use crate::args::{BenchArgs, RunArgs};
use crate::settings::{Settings, find_strategy};
use anyhow::{Result, anyhow};
use nas_core::registry::{SpaceDescriptor, find};
use std::fmt;

/// One combination of the lists of `bench`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    space: String,
    strategy: String,
    batch_size: i64,
    threads: i64,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { space, strategy, batch_size, threads } = self;
        write!(f, "{strategy} on {space}, batch {batch_size}")?;
        if *threads > 0 { write!(f, ", {threads} threads") } else { Ok(()) }
    }
}

impl Case {
    /// All combinations, in the order of the lists; the last list varies fastest.
    ///
    /// # Errors
    /// The options of the run are invalid.
    pub fn all(args: &BenchArgs) -> Result<Vec<Self>> {
        let config = Settings::resolve(&args.run)?.config;
        let spaces = args.spaces.as_ref().map_or(vec![config.space.name], |list| list.0.clone());
        let strategies = args.strategies.as_ref().map_or(vec![config.strategy.name], |list| list.0.clone());
        for name in &spaces {
            find::<SpaceDescriptor>(name).map_err(|error| anyhow!(error).context("--spaces"))?;
        }
        for name in &strategies {
            find_strategy(name).map_err(|error| anyhow!(error).context("--strategies"))?;
        }
        let (batch_size, threads) = (i64::try_from(config.train.batch_size)?, i64::try_from(config.threads)?);
        let batches = args.batch_sizes.as_ref().map_or(vec![batch_size], |list| list.0.clone());
        let threads = args.thread_counts.as_ref().map_or(vec![threads], |list| list.0.clone());
        let mut cases = Vec::new();
        for space in &spaces {
            for strategy in &strategies {
                for &batch_size in &batches {
                    for &threads in &threads {
                        cases.push(Self { space: space.clone(), strategy: strategy.clone(), batch_size, threads });
                    }
                }
            }
        }
        Ok(cases)
    }

    /// The options of `args` with the values of this case.
    pub fn run(&self, args: &RunArgs) -> RunArgs {
        RunArgs {
            space: Some(self.space.clone()),
            strategy: Some(self.strategy.clone()),
            batch_size: Some(self.batch_size),
            threads: Some(self.threads),
            ..args.clone()
        }
    }

    /// The arguments that select this case only, when they follow other arguments.
    pub fn arguments(&self) -> [String; 4] {
        [
            format!("--spaces={}", self.space),
            format!("--strategies={}", self.strategy),
            format!("--batch-sizes={}", self.batch_size),
            format!("--thread-counts={}", self.threads),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    fn cases(line: &str) -> Vec<Case> {
        let cli = Cli::parse_from(["nas-train", "bench"].into_iter().chain(line.split_whitespace()));
        let Some(Command::Bench(args)) = cli.command else { panic!("no benchmark") };
        Case::all(&args).unwrap()
    }

    #[test]
    fn cases_are_all_combinations_of_the_lists_and_run_options() {
        let names: Vec<String> =
            cases("--strategies plain,ogd --thread-counts 1,2").iter().map(Case::to_string).collect();
        let all = ["plain", "ogd"].map(|s| [1, 2].map(|t| format!("{s} on nasbench201, batch 64, {t} threads")));
        assert_eq!(names, all.concat());
        assert_eq!(cases("--space tiny --batch-size 8")[0].to_string(), "plain on tiny, batch 8");
    }

    #[test]
    fn the_arguments_of_a_case_select_it_alone() {
        let line = "--spaces tiny,macro --strategies plain,ogd --batch-sizes 8,16 --thread-counts 1,2";
        for case in cases(line) {
            assert_eq!(cases(&format!("{line} {}", case.arguments().join(" "))), [case]);
        }
    }
}
