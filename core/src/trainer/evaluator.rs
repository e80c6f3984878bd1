//! The images on which a run evaluates architectures, and the batch-norm statistics of evaluations.

use super::RunError;
use super::accuracy::AccuracyCounter;
use super::eval_set::{EvalSet, Part};
use crate::config::{BnMode, EvalConfig};
use crate::data::{DataError, Dataset, EvalBatches, Normalise, Split};
use crate::event::EvalInputs;
use crate::metrics::Evaluation;
use crate::network::{Network, NormTable, Pass, PrefixTree, Program, RunningMoments};
use nas_ops::{Backend, OpError, Tensor4};
use std::borrow::Cow;
use std::sync::Arc;

/// The part of a data set on which architectures are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvalImages {
    /// The first `eval.images` validation images.
    Validation,
    /// All test images.
    Test,
}

/// The evaluation images of a run on its device. They are the same in every evaluation.
#[derive(Debug)]
pub struct Evaluator<D: Backend> {
    bn: BnMode,
    inputs: EvalInputs,
    eval_set: EvalSet<D>,
    /// Training images that batch-norm statistics are measured on; none in the other modes.
    recalibration: Option<EvalSet<D>>,
}

/// The weights and statistics of an evaluation.
pub struct Weights<'a, D: Backend> {
    /// The shared weights, or their average.
    pub network: &'a Network<D>,
    /// Running batch-norm statistics, for `eval.bn = "running"`.
    pub running: Option<&'a RunningMoments>,
    /// The weight set of each layer.
    pub bind: &'a dyn Fn(usize) -> usize,
}

impl<D: Backend> Evaluator<D> {
    /// Prepares the evaluation images, and the first `eval.recalibrate_images` training images if the
    /// configuration recalibrates statistics.
    ///
    /// # Errors
    /// A data set without test images if they are to be used, a file that cannot be read, or a failing device.
    pub fn new(
        config: &EvalConfig,
        dataset: &Arc<Dataset>,
        split: &Split,
        normalise: &Normalise,
        images: EvalImages,
        device: &D,
    ) -> Result<Self, RunError> {
        let set = |part, indices| EvalSet::new(dataset, part, indices, normalise, config.batch_size, device);
        let first = |all: &[usize], most: usize| all[..most.min(all.len())].to_vec();
        let recalibrate = config.bn == BnMode::Recalibrate;
        let recalibration =
            recalibrate.then(|| set(Part::Train, first(&split.train, config.recalibrate_images))).transpose()?;
        let (part, positions) = match (images, &dataset.test) {
            (EvalImages::Validation, _) => (Part::Train, first(&split.valid, config.images)),
            (EvalImages::Test, Some(test)) => (Part::Test, (0..test.len()).collect::<Vec<_>>()),
            (EvalImages::Test, None) => return Err(DataError::NoTest { name: dataset.name }.into()),
        };
        let eval_set = set(part, positions.clone())?;
        let (mean, std) = (normalise.mean().to_vec(), normalise.std().to_vec());
        let (batch_size, classes) =
            (EvalBatches::images_per_batch(positions.len(), config.batch_size), dataset.classes.clone());
        let inputs = EvalInputs { mean, std, batch_size, positions, classes };
        Ok(Self { bn: config.bn, inputs, eval_set, recalibration })
    }

    /// The evaluation images.
    pub fn inputs(&self) -> &EvalInputs {
        &self.inputs
    }

    /// Loss and accuracy on all evaluation images.
    ///
    /// # Errors
    /// A file that cannot be read, or a failing device.
    pub fn evaluate(&self, program: &Program, weights: &Weights<'_, D>) -> Result<Evaluation, RunError> {
        self.evaluate_batches(program, weights, usize::MAX)
    }

    /// Loss and accuracy on the first batch of evaluation images.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate).
    pub fn evaluate_first_batch(&self, program: &Program, weights: &Weights<'_, D>) -> Result<Evaluation, RunError> {
        self.evaluate_batches(program, weights, 1)
    }

    fn evaluate_batches(
        &self,
        program: &Program,
        weights: &Weights<'_, D>,
        most: usize,
    ) -> Result<Evaluation, RunError> {
        let norms = self.norms(program, weights)?;
        let pass = Pass { norms: norms.as_ref(), bind: Some(weights.bind), ..Pass::PLAIN };
        let mut counter = AccuracyCounter::default();
        for batch in self.eval_set.batches()?.take(most) {
            let batch = batch?;
            let forward = weights.network.infer(batch.images, program, &pass)?;
            counter.add::<D>(&forward.scores, &batch.labels);
        }
        Ok(counter.means())
    }

    /// Whether every architecture is evaluated with batch-norm statistics of its own. Such architectures share no
    /// activations, so they are evaluated one by one.
    pub fn has_statistics_per_arch(&self) -> bool {
        self.bn == BnMode::Recalibrate
    }

    /// Loss and accuracy on all evaluation images of the `count` programs of a tree, with the bits of
    /// [`evaluate`](Self::evaluate). Calls `cancelled` after every program on every batch, and returns `None` once it
    /// is true.
    ///
    /// Normalises by batch statistics or by `running`; for other modes see
    /// [`has_statistics_per_arch`](Self::has_statistics_per_arch).
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate).
    pub fn evaluate_tree(
        &self,
        tree: &PrefixTree,
        count: usize,
        network: &Network<D>,
        running: Option<&RunningMoments>,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<Evaluation>>, RunError> {
        let norms = running.map(|running| running.table(network.device())).transpose()?;
        let mut counters = vec![AccuracyCounter::default(); count];
        for batch in self.eval_set.batches()? {
            let batch = batch?;
            let add = |program: usize, scores: &Tensor4<D>| {
                counters[program].add::<D>(scores, &batch.labels);
                Ok::<_, OpError>(!cancelled())
            };
            network.infer_tree(batch.images, tree, norms.as_ref(), add)?;
            if cancelled() {
                return Ok(None);
            }
        }
        Ok(Some(counters.iter().map(AccuracyCounter::means).collect()))
    }

    /// [`statistics`](Self::statistics) on the device.
    fn norms(&self, program: &Program, weights: &Weights<'_, D>) -> Result<Option<NormTable<D>>, RunError> {
        let statistics = self.statistics(program, weights)?;
        Ok(statistics.map(|moments| moments.table(weights.network.device())).transpose()?)
    }

    /// The fixed batch-norm statistics of a program; `None` to normalise by batch statistics.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate).
    pub fn statistics<'a>(
        &self,
        program: &Program,
        weights: &Weights<'a, D>,
    ) -> Result<Option<Cow<'a, RunningMoments>>, RunError> {
        let network = weights.network;
        match (&self.recalibration, weights.running) {
            (Some(recalibration), _) => {
                let mut moments = RunningMoments::cumulative(network.spec());
                let pass = Pass { moments: true, bind: Some(weights.bind), ..Pass::PLAIN };
                for batch in recalibration.batches()? {
                    for (layer, m, count) in network.infer(batch?.images, program, &pass)?.moments {
                        moments.add_batch(layer, &m, count);
                    }
                }
                Ok(Some(Cow::Owned(moments)))
            }
            (None, Some(running)) if self.bn == BnMode::Running => Ok(Some(Cow::Borrowed(running))),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RunConfig;
    use crate::data::{Batch, EvalBatches};
    use crate::network::{NetworkSpec, tensor};
    use crate::streams::Streams;
    use crate::trainer::build_space;
    use crate::trainer::test_support::{config, dataset};
    use crate::trainer::training_data::TrainingData;
    use dfdx::prelude::Cpu;
    use nas_ops::Moments;

    /// An evaluator of 60 images in batches of 25, an untrained network, and the program of architecture 12.
    struct Fixture {
        evaluator: Evaluator<Cpu>,
        network: Network<Cpu>,
        program: Program,
        /// Evaluation and recalibration images, in the batches of the evaluator.
        valid: Vec<Batch>,
        recalibration: Vec<Batch>,
    }

    impl Fixture {
        fn new(bn: BnMode) -> Self {
            let config: RunConfig = config("", |c| {
                c.eval.bn = bn;
                c.eval.batch_size = 25;
                c.eval.recalibrate_images = 40;
            });
            let (dataset, device, streams) = (dataset(&config), Cpu::default(), Streams::new(0));
            let space = build_space(&config, [8, 8, 3], 3).unwrap();
            let spec = Arc::new(NetworkSpec::supernet(&*space).unwrap());
            let TrainingData { split, normalise, .. } = TrainingData::new(&config, &dataset, streams).unwrap();
            let batches = |images: &[usize]| {
                EvalBatches::new(&dataset.train, images, &normalise, 25).unwrap().map(Result::unwrap).collect()
            };
            Self {
                evaluator: Evaluator::new(&config.eval, &dataset, &split, &normalise, EvalImages::Validation, &device)
                    .unwrap(),
                network: Network::new(spec.clone(), &device, 1, &streams).unwrap(),
                program: spec.program(&*space, &space.parse("12").unwrap()).unwrap(),
                valid: batches(&split.valid[..60]),
                recalibration: batches(&split.train[..40]),
            }
        }

        fn images(batch: &Batch) -> Tensor4<Cpu> {
            tensor(&Cpu::default(), batch.images.clone(), batch.shape).unwrap()
        }

        fn evaluate(&self, running: Option<&RunningMoments>) -> Evaluation {
            let weights = Weights { network: &self.network, running, bind: &|_| 0 };
            self.evaluator.evaluate(&self.program, &weights).unwrap()
        }

        /// Mean and unbiased variance of each layer on each batch.
        fn moments(&self, batches: &[Batch]) -> Vec<Vec<[Vec<f64>; 2]>> {
            let pass = Pass { moments: true, ..Pass::PLAIN };
            let of_batch = |batch: &Batch| {
                let forward = self.network.infer(Self::images(batch), &self.program, &pass).unwrap();
                let layer = |(layer, m, count): &(usize, Moments<Cpu>, usize)| {
                    let unbiased = *count as f64 / (*count as f64 - 1.0);
                    let [mean, variance] = [(&m.mean, 1.0), (&m.variance, unbiased)]
                        .map(|(x, factor)| x.as_vec().iter().map(|x| f64::from(*x) * factor).collect::<Vec<_>>());
                    (*layer, [mean, variance])
                };
                let mut layers = vec![[Vec::new(), Vec::new()]; self.network.spec().layers.len()];
                forward.moments.iter().map(layer).for_each(|(layer, moments)| layers[layer] = moments);
                layers
            };
            batches.iter().map(of_batch).collect()
        }

        /// Loss and accuracy by the definitions, with fixed statistics `start + sum of weight * moments`.
        fn expected(&self, statistics: Option<([f64; 2], Vec<f64>)>) -> Evaluation {
            let norms: Option<NormTable<Cpu>> = statistics.map(|(start, weights)| {
                let moments = self.moments(&self.recalibration);
                let layer = |layer: usize| {
                    let of = |kind: usize| {
                        let mut sum = vec![start[kind]; moments[0][layer][kind].len()];
                        for (batch, weight) in moments.iter().zip(&weights) {
                            sum.iter_mut().zip(&batch[layer][kind]).for_each(|(sum, x)| *sum += weight * x);
                        }
                        let values: Vec<f32> = sum.iter().map(|x| *x as f32).collect();
                        let channels = values.len();
                        tensor(&Cpu::default(), values, [1, 1, 1, channels]).unwrap()
                    };
                    (!moments[0][layer][0].is_empty()).then(|| Moments { mean: of(0), variance: of(1) })
                };
                (0..moments[0].len()).map(layer).collect()
            });
            let pass = Pass { norms: norms.as_ref(), ..Pass::PLAIN };
            let (mut loss, mut correct) = (0.0, 0);
            for batch in &self.valid {
                let scores = self.network.infer(Self::images(batch), &self.program, &pass).unwrap().scores.as_vec();
                for (row, label) in scores.chunks(3).zip(&batch.labels) {
                    let row: Vec<f64> = row.iter().map(|s| f64::from(*s)).collect();
                    loss -= (row[*label].exp() / row.iter().map(|s| s.exp()).sum::<f64>()).ln();
                    correct += usize::from((0..3).all(|other| row[*label] >= row[other]));
                }
            }
            Evaluation { loss: loss / 60.0, accuracy: correct as f64 / 0.6 }
        }
    }

    fn assert_close(found: Evaluation, expected: Evaluation) {
        assert!((found.loss - expected.loss).abs() < 1e-5, "{found:?}, expected {expected:?}");
        assert!((found.accuracy - expected.accuracy).abs() < 1e-9, "{found:?}, expected {expected:?}");
    }

    #[test]
    fn batch_mode_normalises_by_each_batch() {
        let fixture = Fixture::new(BnMode::Batch);
        assert_eq!(fixture.evaluator.inputs().positions.len(), 60);
        assert_close(fixture.evaluate(None), fixture.expected(None));
    }

    /// Two batches of 25 and 15 images with equal weights.
    #[test]
    fn recalibrate_mode_normalises_by_the_mean_over_training_batches() {
        let fixture = Fixture::new(BnMode::Recalibrate);
        let expected = fixture.expected(Some(([0.0, 0.0], vec![0.5, 0.5])));
        assert_close(fixture.evaluate(None), expected);
        assert!((expected.loss - fixture.expected(None).loss).abs() > 1e-4);
    }

    /// PyTorch's momentum of 0.1 from mean 0 and variance 1: after two batches, the weights are 0.81, 0.09 and 0.1.
    #[test]
    fn running_mode_normalises_by_exponential_averages() {
        let fixture = Fixture::new(BnMode::Running);
        let mut running = RunningMoments::exponential(fixture.network.spec());
        for batch in &fixture.recalibration {
            let pass = Pass { moments: true, ..Pass::PLAIN };
            let forward = fixture.network.infer(Fixture::images(batch), &fixture.program, &pass).unwrap();
            forward.moments.iter().for_each(|(layer, m, count)| running.add_batch(*layer, m, *count));
        }
        let expected = fixture.expected(Some(([0.0, 0.81], vec![0.09, 0.1])));
        assert_close(fixture.evaluate(Some(&running)), expected);
        assert!((expected.loss - fixture.expected(None).loss).abs() > 1e-4);
    }
}
