//! Statistics of the projection over the steps of an epoch, reported as metrics.

use std::collections::BTreeMap;

/// Sum and number of values, for their mean.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RunningMean {
    pub sum: f64,
    pub n: u64,
}

impl RunningMean {
    /// Adds a value.
    pub fn push(&mut self, value: f64) {
        self.sum += value;
        self.n += 1;
    }

    /// The mean. Without values it is 1, the value of all these ratios when nothing is projected.
    pub fn value(&self) -> f64 {
        if self.n == 0 { 1.0 } else { self.sum / self.n as f64 }
    }
}

/// Statistics of one epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochStatistics {
    /// The epoch, counted from 0.
    pub epoch: usize,
    /// Norm of the projected over that of the unprojected values of all projected parameters, one ratio per step.
    pub norm_ratio: RunningMean,
    /// `trace(P) / d`, one ratio for each layer and step that updates it.
    pub trace_ratio: RunningMean,
    /// The same for each group of layers, see [`group_of`].
    pub groups: BTreeMap<String, RunningMean>,
    /// Number of projectors whose alpha had to be increased, since the start of the run.
    pub alpha_increases: u64,
    /// Seconds spent in recording inputs.
    pub record_s: f64,
    /// Seconds spent in computing projectors.
    pub refresh_s: f64,
    /// Seconds spent in projecting.
    pub project_s: f64,
}

impl EpochStatistics {
    /// Empty statistics of epoch 0 with these groups of layers.
    pub fn new(groups: impl Iterator<Item = String>) -> Self {
        Self {
            epoch: 0,
            norm_ratio: RunningMean::default(),
            trace_ratio: RunningMean::default(),
            groups: groups.map(|group| (group, RunningMean::default())).collect(),
            alpha_increases: 0,
            record_s: 0.0,
            refresh_s: 0.0,
            project_s: 0.0,
        }
    }

    /// Starts new statistics if `epoch` differs from the current one. `alpha_increases` is kept.
    pub fn set_epoch(&mut self, epoch: usize) {
        if epoch != self.epoch {
            let groups = std::mem::take(&mut self.groups);
            *self = Self { epoch, alpha_increases: self.alpha_increases, ..Self::new(groups.into_keys()) };
        }
    }

    /// Adds the trace ratio of a layer that is updated.
    pub fn push_trace_ratio(&mut self, group: &str, ratio: f64) {
        self.trace_ratio.push(ratio);
        if let Some(mean) = self.groups.get_mut(group) {
            mean.push(ratio);
        }
    }

    /// The statistics by metric name. Metrics named `time.*` differ between equal runs.
    pub fn metrics(&self) -> Vec<(String, f64)> {
        let mut metrics = vec![
            ("trace_ratio".into(), self.trace_ratio.value()),
            ("update_norm_ratio".into(), self.norm_ratio.value()),
            ("alpha_increases".into(), self.alpha_increases as f64),
        ];
        metrics.extend(self.groups.iter().map(|(group, mean)| (format!("trace_ratio.{group}"), mean.value())));
        metrics.extend([
            ("time.record_s".into(), self.record_s),
            ("time.refresh_s".into(), self.refresh_s),
            ("time.project_s".into(), self.project_s),
        ]);
        metrics
    }
}

/// The group of a layer: the part of its name before the first dot.
pub fn group_of(layer: &str) -> &str {
    layer.split('.').next().unwrap_or(layer)
}
