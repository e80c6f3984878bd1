//! `nas-train search`: architectures with the weights of a run, under limits.

use super::evaluate::candidate_table;
use crate::args::SearchArgs;
use crate::csv_text::CsvText;
use crate::device::compute;
use crate::exit::{ExitStatus, UsageError};
use crate::files;
use crate::progress::ProgressDisplay;
use crate::settings::Settings;
use crate::signal::cancel;
use crate::text::{pairs, print};
use crate::trained_run::TrainedRun;
use anyhow::{Context, Result};
use nas_core::config::ComponentConfig;
use nas_core::registry::TrainingDevice;
use nas_core::result::SCHEMA;
use nas_core::trainer::{Candidate, EvalImages, Limits, Search, SearchOutcome, pareto_front};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Number of architectures of the front that the table shows.
const SHOWN: usize = 20;

/// Searches, writes the candidates and the Pareto front, and prints the selected architecture.
///
/// # Errors
/// A directory without weights, other data, limits that no architecture obeys, or files that cannot be written.
pub fn search(args: &SearchArgs) -> Result<ExitStatus> {
    let run = TrainedRun::read(&args.run, &[], &args.data)?;
    // The options of the controller of the run belong to that controller.
    let controller = Settings::controller(&args.controller, &args.set)?;
    let default = || args.run.join(format!("search-{}-s{}", controller.name, args.seed));
    let out = args.out.clone().unwrap_or_else(default);
    if out.is_file() || files::has_others(&out, &[]).unwrap_or(true) {
        let problem = if out.is_file() { "is a file" } else { "is not empty" };
        let remedy = "choose a new or empty directory with --out";
        return Err(UsageError(format!("{} {problem}; {remedy}", out.display())).into());
    }
    let job = SearchJob { args, run, controller, out };
    compute!(&job.run.settings.config, |device| job.on(&device))
}

struct SearchJob<'a> {
    args: &'a SearchArgs,
    run: TrainedRun,
    controller: ComponentConfig,
    out: PathBuf,
}

impl SearchJob<'_> {
    fn on<D: TrainingDevice>(&self, device: &D) -> Result<ExitStatus> {
        let (args, cancel) = (self.args, cancel()?);
        let mut progress = ProgressDisplay::new(args.progress);
        let data = self.run.data(cancel, |line| progress.print_line(line))?;
        let session = self.run.session(&data, device, EvalImages::Validation)?;
        let unsigned = |value: i64| u64::try_from(value).unwrap_or_default();
        let limits = Limits { params: args.max_params.map(unsigned), macs: args.max_macs.map(unsigned) };
        let (budget, started) = (args.budget as usize, Instant::now());
        // A directory that cannot be made is an error before the search.
        let is_new = !self.out.exists();
        files::make_dir(&self.out)?;
        let search = Search::new(&session, &self.controller, limits, unsigned(args.seed));
        let search = search.inspect_err(|_| self.remove_new(is_new))?;
        let (outcome, ended) = search.run(budget, cancel, &mut |done| {
            let left = started.elapsed().as_secs_f64() / done.max(1) as f64 * (budget - done) as f64;
            progress.count("proposal", done, budget, "", Some(left));
        });
        if outcome.candidates.is_empty()
            && let Err(error) = ended
        {
            self.remove_new(is_new);
            return Err(error.into());
        }
        drop(progress);
        let result = self.result(&outcome, limits, session.eval_images());
        self.write(&outcome, &result)?;
        ended.with_context(|| format!("the search ended early; {} has its candidates", self.out.display()))?;
        let shown = if args.json { result.to_string() } else { self.summary(&outcome, &result) };
        print(&shown)?;
        Ok(if outcome.interrupted { ExitStatus::Interrupted } else { ExitStatus::Success })
    }

    /// Removes the directory of a search without candidates, if it is new. Only an empty directory is removed.
    fn remove_new(&self, is_new: bool) {
        if is_new {
            let _ = fs::remove_dir(&self.out);
        }
    }

    fn result(&self, outcome: &SearchOutcome, limits: Limits, eval_images: usize) -> Value {
        let selected = outcome.candidates.iter().reduce(|a, b| if b.accuracy > a.accuracy { b } else { a });
        json!({
            "type": "search",
            "schema": SCHEMA,
            "run": self.args.run.display().to_string(),
            "controller": self.controller.name,
            "seed": self.args.seed,
            "max_params": limits.params,
            "max_macs": limits.macs,
            "eval_images": eval_images,
            "proposals": outcome.proposals,
            "rejected": outcome.rejected,
            "candidates": outcome.candidates.len(),
            "interrupted": outcome.interrupted,
            "selected": selected,
        })
    }

    fn write(&self, outcome: &SearchOutcome, result: &Value) -> Result<()> {
        let all: Vec<&Candidate> = outcome.candidates.iter().collect();
        files::write(&self.out.join("candidates.csv"), &csv_text(&all)?)?;
        files::write(&self.out.join("front.csv"), &csv_text(&pareto_front(&outcome.candidates))?)?;
        files::write(&self.out.join("search.json"), &(serde_json::to_string_pretty(result)? + "\n"))
    }

    fn summary(&self, outcome: &SearchOutcome, result: &Value) -> String {
        let front = pareto_front(&outcome.candidates);
        let rows = [
            ("proposals, candidates", format!("{}, {}", outcome.proposals, outcome.candidates.len())),
            ("samples beyond the limits", outcome.rejected.to_string()),
            ("selected", result["selected"]["arch"].as_str().unwrap_or("-").to_owned()),
            ("files", self.out.display().to_string()),
        ];
        let rows = rows.map(|(name, value)| (name.to_owned(), value));
        let first = front.len().saturating_sub(SHOWN);
        let front = candidate_table(front[first..].iter().copied());
        let title = title(&self.controller.name, &self.args.run, outcome.interrupted);
        format!("{title}\n{}\nPareto front of accuracy against multiply-adds\n{front}", pairs(&rows))
    }
}

fn title(controller: &str, run: &Path, interrupted: bool) -> String {
    let stopped = if interrupted { " (interrupted)" } else { "" };
    format!("Search by {controller} with the weights of {}{stopped}", run.display())
}

fn csv_text(candidates: &[&Candidate]) -> Result<String> {
    let mut text = CsvText::new(["arch", "accuracy", "loss", "params", "macs"])?;
    for Candidate { arch, accuracy, loss, params, macs } in candidates {
        text.row([arch.clone(), accuracy.to_string(), loss.to_string(), params.to_string(), macs.to_string()])?;
    }
    text.finish()
}
