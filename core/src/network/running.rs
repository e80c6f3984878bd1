//! Batch-norm statistics that outlive a batch.

use super::{LayerId, NetworkSpec};
use crate::state::{HostTensor, State, StateError};
use nas_ops::{Backend, Moments, OpError, Tensor4};

/// Fixed statistics for each normalising layer; a layer without an entry uses those of the batch.
pub type NormTable<D> = Vec<Option<Moments<D>>>;

/// Mean and variance of one layer over many batches, on the host.
#[derive(Debug, Clone, PartialEq)]
struct Average {
    mean: Vec<f32>,
    variance: Vec<f32>,
    batches: u64,
}

/// Averages of batch statistics, layer by layer.
///
/// Exponential averages with weight 0.1 for the newest batch are PyTorch's `running` statistics (started at mean 0 and
/// variance 1); cumulative ones weigh all batches equally. Variances are the unbiased ones, `v n / (n - 1)`.
#[derive(Debug, Clone, PartialEq)]
pub struct RunningMoments {
    momentum: Option<f32>,
    layers: Vec<Option<Average>>,
}

impl RunningMoments {
    /// Exponential averages, weight 0.1 for the newest batch.
    pub fn exponential(spec: &NetworkSpec) -> Self {
        Self { momentum: Some(0.1), layers: vec![None; spec.layers.len()] }
    }

    /// Equal weights for all batches.
    pub fn cumulative(spec: &NetworkSpec) -> Self {
        Self { momentum: None, layers: vec![None; spec.layers.len()] }
    }

    /// Adds the moments of one batch, taken over `count` values per channel.
    pub fn add_batch<D: Backend>(&mut self, layer: LayerId, moments: &Moments<D>, count: usize) {
        let (mean, variance) = (D::to_host(&moments.mean), D::to_host(&moments.variance));
        let unbiased = count as f32 / (count.max(2) - 1) as f32;
        let start = || Average { mean: vec![0.0; mean.len()], variance: vec![1.0; mean.len()], batches: 0 };
        let average = self.layers[layer].get_or_insert_with(start);
        average.batches += 1;
        let newest = self.momentum.unwrap_or(1.0 / average.batches as f32);
        for (old, new) in average.mean.iter_mut().zip(&mean) {
            *old += newest * (new - *old);
        }
        for (old, new) in average.variance.iter_mut().zip(&variance) {
            *old += newest * (new * unbiased - *old);
        }
    }

    /// Moves these averages towards newer ones: `kept` times the old value plus `1 - kept` times the new one.
    pub fn blend(&mut self, newer: &Self, kept: f32) {
        for (average, newer) in self.layers.iter_mut().zip(&newer.layers) {
            match (average, newer) {
                (Some(average), Some(newer)) => {
                    let pairs = average.mean.iter_mut().zip(&newer.mean);
                    let pairs = pairs.chain(average.variance.iter_mut().zip(&newer.variance));
                    pairs.for_each(|(old, new)| *old = kept * *old + (1.0 - kept) * new);
                    average.batches = newer.batches;
                }
                (average, newer) => *average = newer.clone(),
            }
        }
    }

    /// Adds the averages to a state, under PyTorch's names: tensors `<layer>.running_mean` and `.running_var`, and the
    /// count `<layer>.num_batches_tracked`. A layer without batches has the count 0 and no tensors.
    ///
    /// # Errors
    /// See [`State::put`].
    pub fn save(&self, spec: &NetworkSpec, state: &mut State) -> Result<(), StateError> {
        for (layer, average) in spec.layers.iter().zip(&self.layers) {
            if layer.norm_channels().is_none() {
                continue;
            }
            let batches = average.as_ref().map_or(0, |average| average.batches);
            state.put(&format!("{}.num_batches_tracked", layer.name), &batches)?;
            let Some(Average { mean, variance, .. }) = average else { continue };
            for (name, values) in [("running_mean", mean), ("running_var", variance)] {
                let tensor = HostTensor { shape: vec![values.len()], values: values.clone() };
                state.tensors.insert(format!("{}.{name}", layer.name), tensor);
            }
        }
        Ok(())
    }

    /// Replaces the averages by those that [`save`](Self::save) stored.
    ///
    /// # Errors
    /// A layer without a count, or with batches but without tensors of its size.
    pub fn load(&mut self, spec: &NetworkSpec, state: &State) -> Result<(), StateError> {
        for (layer, average) in spec.layers.iter().zip(&mut self.layers) {
            let Some(channels) = layer.norm_channels() else { continue };
            let tensor = |name: &str| Ok(state.tensor(&format!("{}.{name}", layer.name), &[channels])?.values.clone());
            *average = match state.count(&format!("{}.num_batches_tracked", layer.name))? {
                0 => None,
                batches => Some(Average { mean: tensor("running_mean")?, variance: tensor("running_var")?, batches }),
            };
        }
        Ok(())
    }

    /// The averages as fixed statistics on a device.
    ///
    /// # Errors
    /// A failing device.
    pub fn table<D: Backend>(&self, device: &D) -> Result<NormTable<D>, OpError> {
        let tensor = |host: &[f32]| -> Result<Tensor4<D>, OpError> {
            let made = device.try_tensor_from_vec(host.to_vec(), (1, 1, 1, host.len()));
            made.map_err(OpError::device("running moments"))
        };
        let entry = |average: &Option<Average>| match average {
            Some(a) => Ok(Some(Moments { mean: tensor(&a.mean)?, variance: tensor(&a.variance)? })),
            None => Ok(None),
        };
        self.layers.iter().map(entry).collect()
    }
}
