//! Numbers for the metrics, over the steps of an epoch.

use std::collections::BTreeMap;

/// A mean in the making.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Mean {
    /// Sum of the values.
    pub sum: f64,
    /// Their number.
    pub n: u64,
}

impl Mean {
    /// Adds a value.
    pub fn push(&mut self, value: f64) {
        self.sum += value;
        self.n += 1;
    }

    /// The mean; without values 1, which is what all of these are without projection.
    pub fn value(&self) -> f64 {
        if self.n == 0 { 1.0 } else { self.sum / self.n as f64 }
    }
}

/// What happened in an epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    /// The epoch.
    pub epoch: usize,
    /// Projected over unprojected norm of the covered parameters, for each step.
    pub norm_ratio: Mean,
    /// `trace(P) / d` of each layer in each step that updated it.
    pub trace_ratio: Mean,
    /// The same by group of layers.
    pub groups: BTreeMap<String, Mean>,
    /// How often alpha had to be raised for want of digits, in the whole run.
    pub jitter_events: u64,
    /// Seconds spent recording inputs, computing projectors and projecting.
    pub seconds: [f64; 3],
}

impl Tally {
    /// Nothing yet, for these groups.
    pub fn new(groups: impl Iterator<Item = String>) -> Self {
        Self {
            epoch: 0,
            norm_ratio: Mean::default(),
            trace_ratio: Mean::default(),
            groups: groups.map(|group| (group, Mean::default())).collect(),
            jitter_events: 0,
            seconds: [0.0; 3],
        }
    }

    /// Starts anew if the step is one of another epoch.
    pub fn enter(&mut self, epoch: usize) {
        if epoch != self.epoch {
            let groups = std::mem::take(&mut self.groups);
            *self = Self { epoch, jitter_events: self.jitter_events, ..Self::new(groups.into_keys()) };
        }
    }

    /// Notes the trace ratio with which a layer of a group was updated.
    pub fn trace(&mut self, group: &str, ratio: f64) {
        self.trace_ratio.push(ratio);
        if let Some(mean) = self.groups.get_mut(group) {
            mean.push(ratio);
        }
    }

    /// The numbers by name; those named `time.*` differ from run to run.
    pub fn telemetry(&self) -> Vec<(String, f64)> {
        let mut numbers = vec![
            ("trace_ratio".into(), self.trace_ratio.value()),
            ("update_norm_ratio".into(), self.norm_ratio.value()),
            ("jitter_events".into(), self.jitter_events as f64),
        ];
        numbers.extend(self.groups.iter().map(|(group, mean)| (format!("trace_ratio.{group}"), mean.value())));
        let times = ["time.record_s", "time.refresh_s", "time.project_s"];
        numbers.extend(times.iter().zip(self.seconds).map(|(name, seconds)| ((*name).into(), seconds)));
        numbers
    }
}

/// The group of a layer: the first part of its dotted name.
pub fn group_of(layer: &str) -> &str {
    layer.split('.').next().unwrap_or(layer)
}
