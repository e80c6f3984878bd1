//! Accuracy of architectures with shared weights. Nothing here changes what training reads.

use crate::config::{BnMode, EvalConfig};
use crate::data::{Batch, Dataset, EvalBatches, Normalise, Split};
use crate::metrics::disturbance::Observation;
use crate::network::{Network, NormTable, Pass, PrefixTree, Program, RunningMoments, tensor};
use crate::trainer::RunError;
use nas_ops::{Backend, OpError, Tensor4};

/// Images on the device with their labels.
#[derive(Debug, Clone)]
struct Labelled<D: Backend> {
    images: Tensor4<D>,
    labels: Vec<usize>,
}

/// The fixed images of a run's evaluations, on the device.
#[derive(Debug)]
pub struct Evaluator<D: Backend> {
    bn: BnMode,
    valid: Vec<Labelled<D>>,
    recalibration: Vec<Tensor4<D>>,
}

/// Which weights and statistics an evaluation uses.
pub struct Weights<'a, D: Backend> {
    /// The supernet.
    pub network: &'a Network<D>,
    /// Its running statistics, for `bn = "running"`.
    pub running: Option<&'a RunningMoments>,
    /// Which weight set each layer uses.
    pub bind: &'a dyn Fn(usize) -> usize,
}

impl<D: Backend> Evaluator<D> {
    /// Puts the first validation images, and what recalibration needs, on the device.
    ///
    /// # Errors
    /// A failing device.
    pub fn new(
        config: &EvalConfig,
        dataset: &Dataset,
        split: &Split,
        normalise: &Normalise,
        device: &D,
    ) -> Result<Self, RunError> {
        let load = |indices: &[usize]| -> Result<Vec<Labelled<D>>, RunError> {
            let batches = EvalBatches::new(&dataset.train, indices, normalise, config.batch_size)?;
            batches.map(|batch| Ok(labelled(device, batch)?)).collect()
        };
        let recalibration = match config.bn {
            BnMode::Recalibrate => load(&split.train[..config.recalibrate_images.min(split.train.len())])?,
            _ => Vec::new(),
        };
        Ok(Self {
            bn: config.bn,
            valid: load(&split.valid[..config.images.min(split.valid.len())])?,
            recalibration: recalibration.into_iter().map(|batch| batch.images).collect(),
        })
    }

    /// Number of validation images.
    pub fn images(&self) -> usize {
        self.valid.iter().map(|batch| batch.labels.len()).sum()
    }

    /// Loss and accuracy on all evaluation images.
    ///
    /// # Errors
    /// A failing device.
    pub fn observe(&self, program: &Program, weights: &Weights<'_, D>) -> Result<Observation, OpError> {
        self.observe_batches(program, weights, &self.valid)
    }

    /// Loss and accuracy on the first batch of evaluation images.
    ///
    /// # Errors
    /// A failing device.
    pub fn observe_first(&self, program: &Program, weights: &Weights<'_, D>) -> Result<Observation, OpError> {
        self.observe_batches(program, weights, &self.valid[..1])
    }

    fn observe_batches(
        &self,
        program: &Program,
        weights: &Weights<'_, D>,
        batches: &[Labelled<D>],
    ) -> Result<Observation, OpError> {
        let norms = self.norms(program, weights)?;
        let pass = Pass { norms: norms.as_ref(), bind: Some(weights.bind), ..Pass::PLAIN };
        let mut tally = Tally::default();
        for batch in batches {
            let forward = weights.network.infer(batch.images.clone(), program, &pass)?;
            tally.add::<D>(&forward.scores, &batch.labels);
        }
        Ok(tally.means())
    }

    /// Whether each architecture has batch-norm statistics of its own, so that none of them shares work with another.
    pub(super) fn one_by_one(&self) -> bool {
        self.bn == BnMode::Recalibrate
    }

    /// Loss and accuracy on all evaluation images of the `count` programs of a tree: the same bits as one by one.
    /// `None` as soon as `cancelled` says so, which is asked after every program on every batch.
    ///
    /// The statistics are those of the batch or the running ones, see [`one_by_one`](Self::one_by_one).
    pub(super) fn observe_tree(
        &self,
        tree: &PrefixTree,
        count: usize,
        network: &Network<D>,
        running: Option<&RunningMoments>,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<Observation>>, OpError> {
        let norms = running.map(|running| running.table(network.device())).transpose()?;
        let mut tallies = vec![Tally::default(); count];
        for batch in &self.valid {
            let add = |program: usize, scores: &Tensor4<D>| {
                tallies[program].add::<D>(scores, &batch.labels);
                Ok::<_, OpError>(!cancelled())
            };
            network.infer_tree(batch.images.clone(), tree, norms.as_ref(), add)?;
            if cancelled() {
                return Ok(None);
            }
        }
        Ok(Some(tallies.iter().map(Tally::means).collect()))
    }

    fn norms(&self, program: &Program, weights: &Weights<'_, D>) -> Result<Option<NormTable<D>>, OpError> {
        let network = weights.network;
        match (self.bn, weights.running) {
            (BnMode::Recalibrate, _) => {
                let mut moments = RunningMoments::cumulative(network.spec());
                let pass = Pass { moments: true, bind: Some(weights.bind), ..Pass::PLAIN };
                for images in &self.recalibration {
                    for (layer, m, count) in network.infer(images.clone(), program, &pass)?.moments {
                        moments.observe(layer, &m, count);
                    }
                }
                moments.table(network.device()).map(Some)
            }
            (BnMode::Running, Some(running)) => running.table(network.device()).map(Some),
            _ => Ok(None),
        }
    }
}

/// Loss and hits of one architecture, summed over images.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    correct: usize,
    loss: f64,
    images: usize,
}

impl Tally {
    pub(super) fn add<D: Backend>(&mut self, scores: &Tensor4<D>, labels: &[usize]) {
        let scores = D::to_host(scores);
        let classes = scores.len() / labels.len();
        for (row, label) in scores.chunks(classes).zip(labels) {
            self.correct += usize::from(argmax(row) == Some(*label));
            self.loss += cross_entropy(row, *label);
        }
        self.images += labels.len();
    }

    pub(super) fn means(&self) -> Observation {
        let images = self.images as f64;
        Observation { loss: self.loss / images, accuracy: 100.0 * self.correct as f64 / images }
    }
}

fn labelled<D: Backend>(device: &D, batch: Batch) -> Result<Labelled<D>, OpError> {
    Ok(Labelled { images: tensor(device, batch.images, batch.shape)?, labels: batch.labels })
}

/// The position of the largest score; the first of equal ones, none if a score is not a number.
fn argmax(scores: &[f32]) -> Option<usize> {
    let best = |best: usize, i: usize| if scores[i] > scores[best] { i } else { best };
    (0..scores.len()).reduce(best).filter(|_| !scores.iter().any(|s| s.is_nan()))
}

/// `ln sum exp(s) - s[label]`, in `f64`.
fn cross_entropy(scores: &[f32], label: usize) -> f64 {
    let largest = scores.iter().fold(f64::NEG_INFINITY, |m, s| m.max(f64::from(*s)));
    let sum: f64 = scores.iter().map(|s| (f64::from(*s) - largest).exp()).sum();
    sum.ln() + largest - f64::from(scores[label])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argmax_takes_the_first_of_equals_and_no_nan() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), Some(1));
        assert_eq!(argmax(&[1.0, f32::NAN]), None);
        assert_eq!(argmax(&[]), None);
    }

    #[test]
    fn cross_entropy_of_equal_scores_is_the_logarithm_of_their_number() {
        assert!((cross_entropy(&[7.0; 4], 2) - 4.0_f64.ln()).abs() < 1e-12);
        assert!((cross_entropy(&[1000.0, 0.0], 1) - 1000.0).abs() < 1e-9);
    }
}
