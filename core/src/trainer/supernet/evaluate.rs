//! Loss and accuracy of architectures with shared weights.

use super::Supernet;
use crate::arch::Arch;
use crate::metrics::Evaluation;
use crate::network::{PrefixTree, Program};
use crate::registry::TrainingDevice;
use crate::trainer::training::{Hooks, Model};
use crate::trainer::{RunError, Weights};
use std::sync::atomic::{AtomicBool, Ordering};

/// Architectures that one prefix tree evaluates. Larger chunks share more work, because the first path of every chunk
/// runs in full. Smaller chunks report their results earlier.
const ARCHS_PER_TREE: usize = 256;

impl<D: TrainingDevice> Supernet<D> {
    /// Accuracy of an architecture on the evaluation images, in percent.
    ///
    /// # Errors
    /// An architecture of another space, a loss that is not finite, or a failing device.
    pub fn evaluate(&self, arch: &Arch) -> Result<f64, RunError> {
        Ok(self.evaluation(arch)?.accuracy)
    }

    fn evaluation(&self, arch: &Arch) -> Result<Evaluation, RunError> {
        let program = self.program(arch)?;
        let evaluation =
            self.with_weights(arch, self.eval_model(), |weights| self.evaluator.evaluate(&program, weights))?;
        self.checked(evaluation, arch)
    }

    /// Loss and accuracy of an architecture on the first batch of evaluation images. Always uses the weights, even with
    /// `eval.weight_average`.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate).
    pub fn evaluate_first_batch(&self, arch: &Arch) -> Result<Evaluation, RunError> {
        let program = self.program(arch)?;
        let first_batch = |weights: &Weights<'_, D>| self.evaluator.evaluate_first_batch(&program, weights);
        let evaluation = self.with_weights(arch, self.training.model(), first_batch)?;
        self.checked(evaluation, arch)
    }

    /// Accuracies of architectures on the evaluation images, in percent. The common prefix of several programs
    /// runs once; each accuracy has the bits that [`evaluate`](Self::evaluate) gives. `None` if `cancel` became true
    /// first.
    ///
    /// `each` receives the position and accuracy of every architecture in the given order, as early as that order
    /// allows.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate), and the errors of `each`.
    pub fn evaluate_all(
        &self,
        archs: &[Arch],
        cancel: &AtomicBool,
        each: &mut dyn FnMut(usize, f64) -> Result<(), RunError>,
    ) -> Result<Option<Vec<f64>>, RunError> {
        let evaluations =
            self.evaluate_all_with_loss(archs, cancel, &mut |number, evaluation| each(number, evaluation.accuracy))?;
        Ok(evaluations.map(|all| all.into_iter().map(|evaluation| evaluation.accuracy).collect()))
    }

    /// As [`evaluate_all`](Self::evaluate_all), with the losses.
    ///
    /// # Errors
    /// As [`evaluate_all`](Self::evaluate_all).
    pub fn evaluate_all_with_loss(
        &self,
        archs: &[Arch],
        cancel: &AtomicBool,
        each: &mut dyn FnMut(usize, Evaluation) -> Result<(), RunError>,
    ) -> Result<Option<Vec<Evaluation>>, RunError> {
        // Sorted, so that architectures with a common prefix are neighbours.
        let mut order: Vec<usize> = (0..archs.len()).collect();
        order.sort_by_key(|position| &archs[*position]);
        let mut found = vec![None; archs.len()];
        let mut reported = 0;
        for chunk in order.chunks(ARCHS_PER_TREE) {
            let members: Vec<&Arch> = chunk.iter().map(|position| &archs[*position]).collect();
            let evaluations = match self.evaluator.has_statistics_per_arch() {
                true => self.evaluate_one_by_one(&members, cancel)?,
                false => self.evaluate_tree(&members, cancel)?,
            };
            let Some(evaluations) = evaluations else { return Ok(None) };
            chunk.iter().zip(evaluations).for_each(|(position, evaluation)| found[*position] = Some(evaluation));
            while let Some(Some(evaluation)) = found.get(reported) {
                each(reported, *evaluation)?;
                reported += 1;
            }
        }
        Ok(Some(found.into_iter().flatten().collect()))
    }

    fn evaluate_one_by_one(&self, archs: &[&Arch], cancel: &AtomicBool) -> Result<Option<Vec<Evaluation>>, RunError> {
        let mut evaluations = Vec::with_capacity(archs.len());
        for arch in archs {
            if cancel.load(Ordering::Relaxed) {
                return Ok(None);
            }
            evaluations.push(self.evaluation(arch)?);
        }
        Ok(Some(evaluations))
    }

    fn evaluate_tree(&self, archs: &[&Arch], cancel: &AtomicBool) -> Result<Option<Vec<Evaluation>>, RunError> {
        let programs = archs.iter().map(|arch| self.program(arch)).collect::<Result<Vec<Program>, _>>()?;
        let tree = PrefixTree::new(&programs, &|number, layer| self.strategy.bind(archs[number], layer));
        let cancelled = || cancel.load(Ordering::Relaxed);
        let Model { network, running } = self.eval_model();
        let evaluations = self.evaluator.evaluate_tree(&tree, programs.len(), network, running.as_ref(), &cancelled)?;
        let checked = |(arch, evaluation): (&&Arch, Evaluation)| self.checked(evaluation, arch);
        evaluations.map(|all| archs.iter().zip(all).map(checked).collect()).transpose()
    }

    /// Calls `f` with the weights of `model` that an architecture uses.
    pub(super) fn with_weights<R>(&self, arch: &Arch, model: &Model<D>, f: impl FnOnce(&Weights<'_, D>) -> R) -> R {
        let bind = |layer| self.strategy.bind(arch, layer);
        f(&Weights { network: &model.network, running: model.running.as_ref(), bind: &bind })
    }

    /// Fails if the loss is not finite, or if the strategy failed to choose the weights.
    fn checked(&self, evaluation: Evaluation, arch: &Arch) -> Result<Evaluation, RunError> {
        self.strategy.deferred_bind_error()?;
        match evaluation.loss.is_finite() {
            true => Ok(evaluation),
            false => Err(self.training.evaluation_diverged(arch)),
        }
    }
}
