//! Fixed random architectures, evaluated after every epoch.

use super::{RunError, Session};
use crate::arch::Arch;
use crate::config::{ConfigError, RunConfig};
use crate::metrics::disturbance::ProbeHistory;
use crate::metrics::kendall_tau;
use crate::registry::Target;
use crate::result;
use crate::space::SearchSpace;
use crate::streams::Streams;
use std::sync::Arc;

/// The probes of a run and their accuracies so far.
pub struct Probes {
    pub(super) archs: Vec<Arch>,
    pub(super) texts: Vec<String>,
    accuracies: Vec<Vec<f64>>,
    history: ProbeHistory,
    interval: usize,
}

impl Probes {
    /// Draws the probes from a stream of their own; `None` if there are to be none.
    ///
    /// # Errors
    /// More probes than architectures.
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
        let interval = config.probes.interval;
        Ok(Some(Self { archs, texts, accuracies: Vec::new(), history: ProbeHistory::new(count), interval }))
    }

    /// Adds the accuracies after one epoch, in percent.
    pub(super) fn push(&mut self, accuracies: Vec<f64>) -> Result<(), RunError> {
        self.history.push(accuracies.clone())?;
        self.accuracies.push(accuracies);
        Ok(())
    }

    pub(super) fn latest(&self) -> &[f64] {
        self.accuracies.last().map_or(&[], Vec::as_slice)
    }

    /// Figures of the latest epoch by name.
    pub(super) fn figures(&self) -> Vec<(String, f64)> {
        let mut figures = Vec::new();
        let latest = self.latest();
        if !latest.is_empty() {
            figures.push(("mean_accuracy".into(), latest.iter().sum::<f64>() / latest.len() as f64));
        }
        let epochs = self.accuracies.len();
        let mut intervals = vec![1, self.interval];
        intervals.dedup();
        for k in intervals.into_iter().filter(|k| epochs > *k) {
            let earlier = &self.accuracies[epochs - 1 - k];
            let change: f64 = latest.iter().zip(earlier).map(|(a, b)| (a - b).abs()).sum();
            figures.push((format!("disturbance_{k}"), change / latest.len() as f64));
            if let Ok(tau) = kendall_tau(earlier, latest) {
                figures.push((format!("rank_stability_{k}"), tau));
            }
        }
        figures
    }
}

impl<D: Target> Session<D> {
    /// The figures of the probes over the run.
    pub(super) fn probe_result(&self) -> Option<result::Probes> {
        let probes = self.probes.as_ref()?;
        let (history, interval) = (&probes.history, probes.interval);
        let change = history.change(interval);
        Some(result::Probes {
            n: probes.archs.len(),
            mean_accuracy: history.mean_accuracy(),
            disturbance: change.map(|c| result::Disturbance { interval, mean: c.mean, second_half: c.second_half }),
            rank_stability: history.rank_stability(interval).map(|s| result::RankStability { interval, mean: s.mean }),
            single_step_disturbance: self.watch.single_step(),
            by_shared_layers: self.watch.shared_layers(),
            forgetting: self.watch.forgetting(),
        })
    }
}
