//! Probe architectures: fixed random architectures that are evaluated after every epoch.

use super::disturbance::DisturbanceMonitor;
use crate::arch::Arch;
use crate::config::{ConfigError, RunConfig};
use crate::metrics::disturbance::ProbeHistory;
use crate::metrics::{kendall_tau, mean};
use crate::result;
use crate::space::SearchSpace;
use crate::state::StateError;
use crate::streams::Streams;
use crate::trainer::RunError;
use std::sync::Arc;

/// The probe architectures of a run and their accuracies so far.
pub struct Probes {
    archs: Vec<Arch>,
    texts: Vec<String>,
    history: ProbeHistory,
    /// Epochs between the two accuracies of the performance disturbance.
    interval: usize,
}

impl Probes {
    /// Draws the probe architectures from the random stream `probes`; `None` if the configuration has none.
    ///
    /// # Errors
    /// More probes than architectures of the space.
    pub fn new(
        config: &RunConfig,
        space: &Arc<dyn SearchSpace>,
        streams: &Streams,
    ) -> Result<Option<Self>, ConfigError> {
        let count = config.probes.count;
        if count as u64 > space.count() {
            let expected = format!("at most {}, the architectures of space {}", space.count(), space.name());
            return Err(ConfigError::Range { key: "probes.count", expected, found: count.to_string() });
        }
        if count == 0 {
            return Ok(None);
        }
        let archs = space.sample_distinct(count, &mut streams.rng("probes", 0));
        let texts = archs.iter().map(|arch| space.format(arch)).collect();
        Ok(Some(Self { archs, texts, history: ProbeHistory::new(count), interval: config.probes.interval }))
    }

    /// The probe architectures.
    pub fn archs(&self) -> &[Arch] {
        &self.archs
    }

    /// The texts of the probe architectures.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// Adds the accuracies after an epoch, in percent.
    pub fn push(&mut self, accuracies: Vec<f64>) -> Result<(), RunError> {
        Ok(self.history.push(accuracies)?)
    }

    /// Accuracies after each epoch.
    pub fn history(&self) -> &ProbeHistory {
        &self.history
    }

    /// Replaces the history by a saved one.
    ///
    /// # Errors
    /// A history of another number of probes.
    pub fn set_history(&mut self, history: ProbeHistory) -> Result<(), StateError> {
        if history.probes() != self.archs.len() {
            let expected = format!("accuracies of {} probe architectures", self.archs.len());
            return Err(StateError { expected, found: history.probes().to_string() });
        }
        self.history = history;
        Ok(())
    }

    /// Accuracies after the latest epoch, in percent; empty before the first.
    pub fn latest(&self) -> &[f64] {
        self.history.accuracies().last().map_or(&[], Vec::as_slice)
    }

    /// Figures of the latest epoch by the names of `metrics.csv`.
    pub fn figures(&self) -> Vec<(String, f64)> {
        let mut figures = Vec::new();
        let latest = self.latest();
        figures.extend(mean(latest.iter().copied()).map(|accuracy| ("mean_accuracy".into(), accuracy)));
        let epochs = self.history.accuracies();
        let mut intervals = vec![1, self.interval];
        intervals.dedup();
        for k in intervals.into_iter().filter(|k| epochs.len() > *k) {
            let earlier = &epochs[epochs.len() - 1 - k];
            let change = mean(latest.iter().zip(earlier).map(|(a, b)| (a - b).abs()));
            figures.extend(change.map(|change| (format!("disturbance_{k}"), change)));
            if let Ok(tau) = kendall_tau(earlier, latest) {
                figures.push((format!("rank_stability_{k}"), tau));
            }
        }
        figures
    }

    /// Figures over the run, together with single-step disturbance and forgetting.
    pub fn result(&self, disturbance: &DisturbanceMonitor) -> result::Probes {
        let (history, interval) = (&self.history, self.interval);
        let change = history.performance_disturbance(interval);
        result::Probes {
            n: self.archs.len(),
            mean_accuracy: history.mean_accuracy(),
            disturbance: change.map(|c| result::Disturbance { interval, mean: c.mean, second_half: c.second_half }),
            rank_stability: history.rank_stability(interval).map(|s| result::RankStability { interval, mean: s.mean }),
            single_step_disturbance: disturbance.single_step(),
            by_shared_layers: disturbance.by_shared_layers(),
            forgetting: disturbance.forgetting(),
        }
    }
}
