//! Comparison of the ranking by shared weights with stand-alone accuracies.

use super::find_table::find_table;
use crate::arch::Arch;
use crate::config::{ConfigError, RunConfig, TruthSamples};
use crate::data::Dataset;
use crate::event::{Evaluated, Event, Observer, Purpose};
use crate::metrics::{RankingOptions, RankingReport, SubsetTau, kendall_tau, rank_quality};
use crate::registry::TrainingDevice;
use crate::result::{Baselines, Truth};
use crate::space::SearchSpace;
use crate::streams::Streams;
use crate::trainer::{RunError, Supernet, stand_alone_cost};
use crate::truth::TruthTable;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Smallest number of architectures for which a confidence interval, or a tau among the best, is reported. Bootstrap
/// samples of fewer architectures consist mostly of repetitions.
const MIN_ARCHS: usize = 10;

/// A truth table, and the architectures that a run compares with it.
pub struct TruthComparison {
    table: TruthTable,
    archs: Vec<Arch>,
    streams: Streams,
}

impl TruthComparison {
    /// Finds the table, and draws the architectures from the random stream `truth`, in the order of the table. `None`
    /// if the configuration compares none, or if it names no table and none is known for the space.
    ///
    /// # Errors
    /// A table that cannot be read, or fewer architectures in it than the configuration compares.
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
        let Some(table) = find_table(&config.truth, space, dataset)? else {
            return Ok(None);
        };
        let known: Vec<&str> = table.iter().map(|(text, _)| text).collect();
        let mut chosen: Vec<usize> = match samples {
            TruthSamples::All => (0..known.len()).collect(),
            TruthSamples::Some(n) if n <= known.len() => {
                rand::seq::index::sample(&mut streams.rng("truth", 0), known.len(), n).into_vec()
            }
            TruthSamples::Some(n) => {
                let expected = format!(
                    "`all` (--truth-samples all) or at most {}, the architectures of {}",
                    known.len(),
                    table.name
                );
                return Err(ConfigError::Range { key: "truth.samples", expected, found: n.to_string() }.into());
            }
        };
        // Architectures with a common prefix are evaluated together. They are neighbours in the table, so the table's
        // order is the one in which results arrive.
        chosen.sort_unstable();
        let archs = chosen.into_iter().map(|i| space.parse(known[i])).collect::<Result<_, _>>()?;
        Ok(Some(Self { table, archs, streams: *streams }))
    }

    /// SHA-256 of the table.
    pub fn sha256(&self) -> &str {
        &self.table.sha256
    }

    /// A warning if most accuracies are at most 1 percent, because a table may mix fractions and percent.
    pub fn unit_warning(&self) -> Option<String> {
        let (low, all) = (self.table.iter().filter(|(_, entry)| entry.accuracy <= 1.0).count(), self.table.len());
        (2 * low > all).then(|| {
            format!(
                "truth table {}: {low} of {all} accuracies are at most 1 percent; if these are fractions, multiply them by \
                 100",
                self.table.name
            )
        })
    }

    /// Stand-alone accuracy of an architecture in percent, where the table has it.
    pub fn accuracy(&self, text: &str) -> Option<f64> {
        self.table.get(text).map(|entry| entry.accuracy)
    }

    /// Evaluates the architectures with shared weights and compares them with the table. `None` if `cancel` became true
    /// first.
    ///
    /// # Errors
    /// An evaluation or an observer that fails.
    pub fn compare<D: TrainingDevice>(
        &self,
        supernet: &Supernet<D>,
        observer: &mut dyn Observer,
        cancel: &AtomicBool,
    ) -> Result<Option<Truth>, RunError> {
        let mut series = Series::default();
        let mut each = |number: usize, accuracy: f64| {
            let arch = &self.archs[number];
            let text = supernet.space().format(arch);
            let Some(entry) = self.table.get(&text) else { return Ok(()) };
            let (params, macs) = stand_alone_cost(&**supernet.space(), arch)?;
            series.predicted.push(accuracy);
            series.truth.push(entry.accuracy);
            series.params.push(params as f64);
            series.macs.push(macs as f64);
            observer.observe(&Event::Evaluated(Evaluated {
                purpose: Purpose::Truth,
                number,
                total: self.archs.len(),
                arch,
                text: &text,
                accuracy,
                truth: Some(entry.accuracy),
                params,
            }))?;
            Ok(())
        };
        let compared = supernet.evaluate_all(&self.archs, cancel, &mut each)?;
        Ok(compared.map(|_| self.figures(&series)))
    }

    fn figures(&self, series: &Series) -> Truth {
        let space_best = self.table.best().map(|(_, entry)| entry.accuracy);
        let options = RankingOptions { space_best, ..RankingOptions::default() };
        let mut rng = self.streams.rng("truth bootstrap", 0);
        let report: Option<RankingReport> = rank_quality(&series.predicted, &series.truth, &options, &mut rng).ok();
        let tau = report.and_then(|r| r.tau);
        let enough = |n: usize| n >= MIN_ARCHS;
        let interval = tau.filter(|t| enough(t.n)).and_then(|t| t.interval);
        let subset = |subset: SubsetTau| subset.tau.filter(|_| enough(subset.n));
        Truth {
            table: self.table.name.clone(),
            sha256: self.table.sha256.clone(),
            n: series.truth.len(),
            gt_tau: tau.map(|t| t.tau),
            gt_tau_lo: interval.map(|i| i.lo),
            gt_tau_hi: interval.map(|i| i.hi),
            spearman: report.and_then(|r| r.spearman),
            gt_tau_top10: report.and_then(|r| subset(r.tau_top10)),
            n_top10: report.map_or(0, |r| r.tau_top10.n),
            gt_tau_top50: report.and_then(|r| subset(r.tau_top50)),
            n_top50: report.map_or(0, |r| r.tau_top50.n),
            precision_at_5: report.map(|r| r.precision_at_k),
            predicted_best: report.map(|r| r.predicted_best),
            regret: report.and_then(|r| r.regret),
            baselines: Baselines {
                params: kendall_tau(&series.params, &series.truth).ok(),
                macs: kendall_tau(&series.macs, &series.truth).ok(),
            },
        }
    }
}

/// One value for each compared architecture.
#[derive(Default)]
struct Series {
    /// Accuracy with shared weights, in percent.
    predicted: Vec<f64>,
    /// Stand-alone accuracy, in percent.
    truth: Vec<f64>,
    params: Vec<f64>,
    macs: Vec<f64>,
}
