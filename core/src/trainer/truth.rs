//! Comparison of the ranking by shared weights with stand-alone training.

use super::{RunError, Session, TruthPlan};
use crate::config::{ConfigError, RunConfig, TruthSamples};
use crate::data::Dataset;
use crate::event::{Evaluated, Event, Observer, Purpose};
use crate::metrics::{RankingOptions, RankingReport, kendall_tau, rank_quality};
use crate::registry::Target;
use crate::result::{Baselines, Truth};
use crate::space::SearchSpace;
use crate::streams::Streams;
use crate::truth::{EmbeddedTable, StandAlone, TruthTable};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Architectures from which on an interval, or a correlation among the best, says something.
const ENOUGH: usize = 10;

impl TruthPlan {
    /// Finds the table and draws the architectures from a stream of their own, in the table's order; `None` if there
    /// are to be none, or if no table is known and none was asked for.
    ///
    /// # Errors
    /// A table that cannot be had, or fewer architectures in it than asked for.
    pub fn new(
        config: &RunConfig,
        space: &Arc<dyn SearchSpace>,
        dataset: &Dataset,
        streams: &Streams,
    ) -> Result<Option<Self>, RunError> {
        let samples = config.truth_samples()?;
        if samples == TruthSamples::Some(0) {
            return Ok(None);
        }
        let Some(table) = find_table(&config.truth.table, space, dataset)? else {
            return Ok(None);
        };
        let known: Vec<&str> = table.iter().map(|(text, _)| text).collect();
        let mut chosen: Vec<usize> = match samples {
            TruthSamples::All => (0..known.len()).collect(),
            TruthSamples::Some(n) if n <= known.len() => {
                rand::seq::index::sample(&mut streams.rng("truth", 0), known.len(), n).into_vec()
            }
            TruthSamples::Some(n) => {
                let expected = format!("`all` or at most {}, the architectures of {}", known.len(), table.name);
                return Err(ConfigError::Range { key: "truth.samples", expected, found: n.to_string() }.into());
            }
        };
        // Neighbours in the table share the beginnings of their programs, so results come in the order in which they
        // are evaluated.
        chosen.sort_unstable();
        let archs = chosen.into_iter().map(|i| space.parse(known[i])).collect::<Result<_, _>>()?;
        Ok(Some(Self { table, archs }))
    }
}

fn find_table(name: &str, space: &Arc<dyn SearchSpace>, dataset: &Dataset) -> Result<Option<TruthTable>, RunError> {
    let path = Path::new(name);
    let normalise = |text: &str| space.parse(text).map(|arch| space.format(&arch));
    let alone = match name {
        "auto" => StandAlone::find(space.name(), dataset.name),
        _ => StandAlone::column(space.name(), name),
    };
    if let Some(table) = alone {
        return Ok(Some(table.truth(normalise)?));
    }
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv")) {
        return Ok(Some(TruthTable::load(path, space.name(), normalise)?));
    }
    let Some(embedded) = EmbeddedTable::for_space(space.name()) else {
        return match name {
            "auto" => Ok(None),
            _ => {
                let expected = format!("`auto` or a CSV file (space {} has no embedded table)", space.name());
                Err(ConfigError::Range { key: "truth.table", expected, found: name.into() }.into())
            }
        };
    };
    let of_data = format!("{}_test", dataset.name);
    let column = match name {
        "auto" if embedded.column(&of_data).is_ok() => &of_data,
        "auto" => embedded.default_column,
        _ => name,
    };
    Ok(Some(embedded.truth(column)?))
}

impl<D: Target> Session<D> {
    /// Evaluates the sampled architectures and compares them with the table. `None` without a table or if `cancel`
    /// came first.
    pub(super) fn compare_with_truth(
        &self,
        observer: &mut dyn Observer,
        cancel: &AtomicBool,
    ) -> Result<Option<Truth>, RunError> {
        let Some(plan) = &self.truth else { return Ok(None) };
        let mut series = Series::default();
        let mut each = |number: usize, accuracy: f64| {
            let arch = &plan.archs[number];
            let text = self.space.format(arch);
            let Some(entry) = plan.table.get(&text) else { return Ok(()) };
            let (params, macs) = self.cost(arch)?;
            series.predicted.push(accuracy);
            series.truth.push(entry.accuracy);
            series.params.push(params as f64);
            series.macs.push(macs as f64);
            observer.observe(&Event::Evaluated(Evaluated {
                purpose: Purpose::Truth,
                number,
                total: plan.archs.len(),
                arch,
                text: &text,
                accuracy,
                truth: Some(entry.accuracy),
                params,
            }))?;
            Ok(())
        };
        if self.evaluate_all(&plan.archs, cancel, &mut each)?.is_none() {
            return Ok(None);
        }
        self.rank(&series, &plan.table).map(Some)
    }

    fn rank(&self, series: &Series, table: &TruthTable) -> Result<Truth, RunError> {
        let options =
            RankingOptions { space_best: table.best().map(|(_, entry)| entry.accuracy), ..RankingOptions::default() };
        let mut rng = self.streams.rng("truth bootstrap", 0);
        let report: Option<RankingReport> = rank_quality(&series.predicted, &series.truth, &options, &mut rng).ok();
        let tau = report.and_then(|r| r.tau);
        // Of so few, resampling mostly repeats what it has.
        let enough = |n: usize| n >= ENOUGH;
        let interval = tau.filter(|t| enough(t.n)).and_then(|t| t.interval);
        let (best10, best50) = (report.and_then(|r| r.tau_top10), report.and_then(|r| r.tau_top50));
        Ok(Truth {
            table: table.name.clone(),
            sha256: table.sha256.clone(),
            n: series.truth.len(),
            gt_tau: tau.map(|t| t.tau),
            gt_tau_lo: interval.map(|i| i.lo),
            gt_tau_hi: interval.map(|i| i.hi),
            spearman: report.and_then(|r| r.spearman),
            gt_tau_top10: best10.filter(|t| enough(t.n)).map(|t| t.tau),
            n_top10: best10.map_or(0, |t| t.n),
            gt_tau_top50: best50.filter(|t| enough(t.n)).map(|t| t.tau),
            n_top50: best50.map_or(0, |t| t.n),
            precision_at_5: report.map(|r| r.p_at_k),
            predicted_best: report.map(|r| r.best_accuracy),
            regret: report.and_then(|r| r.regret_to_space),
            baselines: Baselines {
                params: kendall_tau(&series.params, &series.truth).ok(),
                macs: kendall_tau(&series.macs, &series.truth).ok(),
            },
        })
    }
}

/// One value for each compared architecture.
#[derive(Default)]
struct Series {
    predicted: Vec<f64>,
    truth: Vec<f64>,
    params: Vec<f64>,
    macs: Vec<f64>,
}
