//! Accuracy of many architectures with shared weights, sharing the work of equal program beginnings.

use super::{RunError, Session};
use crate::arch::Arch;
use crate::metrics::disturbance::Observation;
use crate::network::{PrefixTree, Program};
use crate::registry::Target;
use std::sync::atomic::{AtomicBool, Ordering};

/// Architectures evaluated as one tree: enough that neighbours share most of what they can (the path to the first of
/// each chunk runs once more), few enough that results come in while there are more to wait for.
const CHUNK: usize = 256;

impl<D: Target> Session<D> {
    /// Accuracies of architectures with shared weights on the evaluation images, in percent, each with the bits that
    /// [`evaluate`](Self::evaluate) gives. `None` if `cancel` became true first.
    ///
    /// `each` hears the position and accuracy of every architecture, in the order given, as early as that order allows.
    ///
    /// # Errors
    /// An architecture of another space, a failing device, and what `each` returns.
    pub fn evaluate_all(
        &self,
        archs: &[Arch],
        cancel: &AtomicBool,
        each: &mut dyn FnMut(usize, f64) -> Result<(), RunError>,
    ) -> Result<Option<Vec<f64>>, RunError> {
        // Architectures that begin alike side by side.
        let mut order: Vec<usize> = (0..archs.len()).collect();
        order.sort_by_key(|position| &archs[*position]);
        let mut found = vec![None; archs.len()];
        let mut told = 0;
        for chunk in order.chunks(CHUNK) {
            let members: Vec<&Arch> = chunk.iter().map(|position| &archs[*position]).collect();
            let accuracies = match self.evaluator.one_by_one() {
                true => self.evaluate_one_by_one(&members, cancel)?,
                false => self.evaluate_tree(&members, cancel)?,
            };
            let Some(accuracies) = accuracies else { return Ok(None) };
            chunk.iter().zip(accuracies).for_each(|(position, accuracy)| found[*position] = Some(accuracy));
            while let Some(Some(accuracy)) = found.get(told) {
                each(told, *accuracy)?;
                told += 1;
            }
        }
        Ok(Some(found.into_iter().flatten().collect()))
    }

    fn evaluate_one_by_one(&self, archs: &[&Arch], cancel: &AtomicBool) -> Result<Option<Vec<f64>>, RunError> {
        let mut accuracies = Vec::with_capacity(archs.len());
        for arch in archs {
            if cancel.load(Ordering::Relaxed) {
                return Ok(None);
            }
            accuracies.push(self.evaluate(arch)?);
        }
        Ok(Some(accuracies))
    }

    fn evaluate_tree(&self, archs: &[&Arch], cancel: &AtomicBool) -> Result<Option<Vec<f64>>, RunError> {
        let programs = archs.iter().map(|arch| self.program(arch)).collect::<Result<Vec<Program>, _>>()?;
        let tree = PrefixTree::new(&programs, &|number, layer| self.strategy.bind(archs[number], layer));
        let cancelled = || cancel.load(Ordering::Relaxed);
        let running = self.running.as_ref();
        let seen = self.evaluator.observe_tree(&tree, programs.len(), &self.network, running, &cancelled)?;
        let accuracy = |(arch, seen): (&&Arch, Observation)| Ok(self.finite(seen, arch)?.accuracy);
        seen.map(|seen| archs.iter().zip(seen).map(accuracy).collect()).transpose()
    }
}
