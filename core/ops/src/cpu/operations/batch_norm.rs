//! Batch normalisation of activations.

use crate::{
    Moments, NormArgs, OpError,
    cpu::{
        activation::CpuActivation,
        buffer::Buffer,
        image_group::group_len,
        norm::{AddInputGradient, BatchMoments, BatchNorm},
        simd::dispatch,
    },
    shape::{check_norm, not_empty},
    tape::Recorder,
};
use dfdx::tensor::Cpu;
use rayon::prelude::*;
use std::sync::Arc;

/// As [`crate::reference::batch_norm`].
pub fn batch_norm(
    x: &CpuActivation,
    norm: NormArgs<'_, Cpu>,
    tape: &mut dyn Recorder<Cpu>,
) -> Result<(CpuActivation, Option<Moments<Cpu>>), OpError> {
    let op = "batch_norm";
    let dims = not_empty(op, x.dims())?;
    check_norm(op, dims.3, &norm)?;
    let values = x.shared_values().unwrap_or_else(|| Arc::new(Buffer::copy(x.normalised())));
    let groups = match norm.fixed {
        Some(_) => vec![],
        None => {
            let groups = values.par_chunks(group_len(dims));
            groups.map(|z| dispatch(BatchMoments { z, channels: dims.3 })).collect()
        }
    };
    let (norm, affine) = BatchNorm::new(op, norm, tape, dims, groups)?;
    let y = CpuActivation::pending(dims, values.clone(), norm.pending());
    let moments = norm.moments(op)?;
    if tape.is_recording() {
        let (input, output) = (x.gradient(), y.gradient());
        tape.record(Box::new(move |grads| {
            let Some(dy) = output.take() else { return Ok(()) };
            let (coefficients, gradients) = norm.backward(&dy, &values, dims);
            gradients.add_to(grads, affine.as_ref())?;
            input.accumulate(dy.len(), |dx, overwrite| {
                let groups = dy.par_chunks(group_len(dims)).zip(values.par_chunks(group_len(dims)));
                let groups = dx.par_chunks_mut(group_len(dims)).zip(groups);
                groups.for_each(|(dx, (dy, z))| {
                    dispatch(AddInputGradient { coefficients: &coefficients, dy, z, dx, overwrite });
                });
            });
            Ok(())
        }));
    }
    Ok((y, moments))
}
