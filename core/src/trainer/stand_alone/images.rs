//! The images of a stand-alone training.

use crate::data::{Dataset, EvalBatches, Images, Loader, Normalise};
use crate::event::EvalInputs;
use crate::network::{Pass, Program, tensor};
use crate::registry::TrainingDevice;
use crate::result::EvalFigures;
use crate::trainer::RunError;
use crate::trainer::accuracy::AccuracyCounter;
use crate::trainer::training::Model;
use nas_ops::{OpError, Tensor4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Training images in batches, and the images on which the network is evaluated.
pub struct StandAloneImages {
    pub dataset: Arc<Dataset>,
    /// The training images.
    pub loader: Loader,
    pub normalise: Normalise,
    /// Positions of the evaluated images: among the test images of the data set, or among its training images if it has
    /// no test images.
    pub positions: Vec<usize>,
}

impl StandAloneImages {
    /// The part of the data set from which the evaluated images come: `test` or `validation`.
    pub fn evaluated_on(&self) -> &'static str {
        if self.dataset.test.is_some() { "test" } else { "validation" }
    }

    /// The evaluated images, in batches of at most `batch_size`.
    pub fn inputs(&self, batch_size: usize) -> EvalInputs {
        let (mean, std) = (self.normalise.mean().to_vec(), self.normalise.std().to_vec());
        let batch_size = EvalBatches::images_per_batch(self.positions.len(), batch_size);
        EvalInputs { mean, std, batch_size, positions: self.positions.clone(), classes: self.dataset.classes.clone() }
    }

    /// Accuracies after an epoch, with running batch-norm statistics. Drop path and auxiliary head have no influence.
    /// `None` if `cancel` became true first.
    ///
    /// # Errors
    /// A failing device, or an image file that cannot be read.
    pub fn evaluate<D: TrainingDevice>(
        &self,
        epoch: usize,
        model: &Model<D>,
        program: &Program,
        batch_size: usize,
        cancel: &AtomicBool,
    ) -> Result<Option<EvalFigures>, RunError> {
        let device = model.network.device();
        let norms = model.running.as_ref().map(|running| running.table(device)).transpose()?;
        let pass = Pass { norms: norms.as_ref(), ..Pass::PLAIN };
        let source: &Images = self.dataset.test.as_ref().unwrap_or(&self.dataset.train);
        let mut counter = AccuracyCounter::default();
        for batch in EvalBatches::new(source, &self.positions, &self.normalise, batch_size)? {
            if cancel.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let batch = batch?;
            let values: Result<Tensor4<D>, OpError> = tensor(device, batch.images, batch.shape);
            counter.add::<D>(&model.network.infer(values?, program, &pass)?.scores, &batch.labels);
        }
        let means = counter.means();
        let (accuracy, top5_accuracy) = (means.accuracy, counter.top5_accuracy());
        Ok(Some(EvalFigures { epoch, accuracy, top5_accuracy, loss: means.loss }))
    }
}
