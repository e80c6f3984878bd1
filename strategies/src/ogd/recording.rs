//! The inputs that a step has captured, as recorded inputs: computed on the device or on the host.
//!
//! A device that computes Gram matrices returns them instead of the images, wherever there are at least as many patches
//! as elements in a patch. The host computes them for other devices, for fewer patches, and for the mean of a batch.

use super::RecordKey;
use super::layout::MatrixLayout;
use super::options::SampleSelection;
use super::recorded_inputs::RecordedInputs;
use dfdx::prelude::HasShape;
use nas_ops::{Backend, OpError, Tensor4};
use rayon::prelude::*;

/// The input of a projected layer in a step.
pub struct CapturedInput<'a, D: Backend> {
    /// Weight set and layer.
    pub key: RecordKey,
    /// The layer.
    pub layout: MatrixLayout,
    /// Its input images `[n, h, w, c]`.
    pub input: &'a Tensor4<D>,
}

/// The recorded inputs of the selected images, at every `stride`-th output location.
///
/// # Errors
/// Images that do not fit their layer, no images, or a failing device.
pub fn record<D: Backend>(
    captured: Vec<CapturedInput<'_, D>>,
    samples: SampleSelection,
    stride: usize,
) -> Result<Vec<(RecordKey, RecordedInputs)>, OpError> {
    let images = match samples {
        SampleSelection::First(images) => images,
        SampleSelection::All => usize::MAX,
        SampleSelection::BatchMean => return record_on_host(&captured, samples, stride),
    };
    let (mut many, mut inputs, mut few) = (Vec::new(), Vec::new(), Vec::new());
    for captured in captured {
        let patches = captured.layout.input_patches(captured.input, images, stride);
        if patches.count()? < captured.layout.inputs {
            few.push(captured);
        } else {
            many.push(captured);
            inputs.push(patches);
        }
    }
    let Some(gram) = D::gram_matrices(&inputs)? else {
        few.extend(many);
        return record_on_host(&few, samples, stride);
    };
    let mut recorded = record_on_host(&few, samples, stride)?;
    for ((captured, patches), gram) in many.iter().zip(&inputs).zip(gram) {
        recorded.push((captured.key, RecordedInputs::from_gram(&captured.layout, patches.count()?, gram)));
    }
    Ok(recorded)
}

fn record_on_host<D: Backend>(
    captured: &[CapturedInput<'_, D>],
    samples: SampleSelection,
    stride: usize,
) -> Result<Vec<(RecordKey, RecordedInputs)>, OpError> {
    let tensors: Vec<_> = captured.iter().map(|captured| captured.input).collect();
    let layers = captured.iter().map(|CapturedInput { key, layout, input }| {
        let (_, h, w, c) = *input.shape();
        (*key, layout, [h, w, c])
    });
    let layers: Vec<_> = layers.collect();
    let recorded = layers.into_par_iter().zip(D::all_to_host(&tensors)?).map(|((key, layout, dims), images)| {
        Ok((key, RecordedInputs::from_images(layout, images, dims, samples, stride)?))
    });
    recorded.collect()
}
