//! Points of a training step at which its caller chooses weight sets, records inputs, and edits gradients and updates.

use crate::arch::Arch;
use crate::network::LayerId;
use crate::strategy::Step;
use crate::trainer::RunError;
use nas_ops::Backend;

/// Hooks of a step. The defaults train set 0 of the weights with plain SGD.
///
/// They mirror the hooks of [`SharingStrategy`](crate::strategy::SharingStrategy), with errors of a run.
pub trait Hooks<D: Backend> {
    /// Weight set that an architecture uses at a layer.
    fn bind(&self, _arch: &Arch, _layer: LayerId) -> usize {
        0
    }

    /// Number of images of the batch, from the first, whose input of the layer is recorded for the hooks below.
    fn capture(&self, _layer: LayerId) -> usize {
        0
    }

    /// May edit the gradients before clipping.
    ///
    /// # Errors
    /// A failure of the hook, which ends the training; likewise below.
    fn after_backward(&mut self, _step: &mut Step<D>) -> Result<(), RunError> {
        Ok(())
    }

    /// May edit the updates before they are added to the weights.
    ///
    /// # Errors
    /// See [`after_backward`](Self::after_backward).
    fn before_apply(&mut self, _step: &mut Step<D>) -> Result<(), RunError> {
        Ok(())
    }

    /// Reads the step with its new weights.
    ///
    /// # Errors
    /// See [`after_backward`](Self::after_backward).
    fn after_update(&mut self, _step: &Step<D>) -> Result<(), RunError> {
        Ok(())
    }
}

/// Plain SGD on one weight set, for stand-alone training.
pub struct NoHooks;

impl<D: Backend> Hooks<D> for NoHooks {}
