//! ReLU, convolution and batch normalisation in one operation.
//!
//! The normalisation of the result stays pending. The backward pass keeps only the input and the output of the
//! convolution; the normalised result, and the input after normalisation and ReLU, are never in memory.

use super::conv2d;
use crate::{
    Moments, NormArgs, OpError, Tensor4, UnitSpec,
    cpu::{
        activation::{CpuActivation, DeferredPointwiseConv, InputStatistics},
        buffer::Buffer,
        conv::Conv,
        norm::BatchNorm,
    },
    shape::{ConvShape, check_norm, elements},
    tape::Recorder,
};
use dfdx::{shapes::HasShape, tensor::Cpu};
use std::sync::Arc;

/// As [`crate::reference::unit`].
pub fn unit(
    x: &CpuActivation,
    weight: &Tensor4<Cpu>,
    spec: UnitSpec,
    norm: NormArgs<'_, Cpu>,
    tape: &mut dyn Recorder<Cpu>,
) -> Result<(CpuActivation, Option<Moments<Cpu>>), OpError> {
    let op = "unit";
    let conv = Conv::new(ConvShape::new(op, x.dims(), *weight.shape(), spec.conv)?, spec.relu);
    check_norm(op, conv.output().3, &norm)?;
    let weight = tape.contiguous(op, weight)?;
    if DeferredPointwiseConv::suits(&conv, norm.fixed.is_some(), tape.is_recording()) {
        deferred(x, weight, conv, norm, tape)
    } else {
        computed(x, weight, conv, norm, tape)
    }
}

/// A unit whose convolution is computed now.
fn computed(
    x: &CpuActivation,
    weight: Tensor4<Cpu>,
    conv: Conv,
    norm: NormArgs<'_, Cpu>,
    tape: &mut dyn Recorder<Cpu>,
) -> Result<(CpuActivation, Option<Moments<Cpu>>), OpError> {
    let (op, dims) = ("unit", conv.output());
    let mut z = Buffer::uninitialised(elements(dims));
    let groups = conv2d::forward(&conv, x, &Buffer::read(&weight), &mut z, norm.fixed.is_none());
    let (norm, affine) = BatchNorm::new(op, norm, tape, dims, groups)?;
    let z = Arc::new(z);
    let y = CpuActivation::pending(dims, z.clone(), norm.pending());
    let moments = norm.moments(op)?;
    if tape.is_recording() {
        let (x, output) = (x.clone(), y.gradient());
        tape.record(Box::new(move |grads| {
            let Some(dy) = output.take() else { return Ok(()) };
            let values = Buffer::read(&weight);
            let dw = grads.get_or_alloc_mut(&weight)?;
            let gradients = conv2d::backward_normalised(&conv, &x, &values, (&norm, &z), &dy, dw);
            gradients.add_to(grads, affine.as_ref())
        }));
    }
    Ok((y, moments))
}

/// A unit whose convolution is computed where it is read.
fn deferred(
    x: &CpuActivation,
    weight: Tensor4<Cpu>,
    conv: Conv,
    norm: NormArgs<'_, Cpu>,
    tape: &mut dyn Recorder<Cpu>,
) -> Result<(CpuActivation, Option<Moments<Cpu>>), OpError> {
    let (op, dims) = ("unit", conv.output());
    let values = Buffer::read(&weight);
    let statistics = norm.fixed.is_none().then(|| InputStatistics::new(x, &conv, &values));
    let moments = statistics.iter().map(|statistics| statistics.output_moments(&values, dims.3)).collect();
    let (norm, affine) = BatchNorm::new(op, norm, tape, dims, moments)?;
    let deferred = Arc::new(DeferredPointwiseConv::new(x.clone(), conv, values, &norm, statistics));
    let y = CpuActivation::deferred(deferred.clone());
    let moments = norm.moments(op)?;
    if tape.is_recording() {
        let output = y.gradient();
        tape.record(Box::new(move |grads| {
            // From readers that computed the outputs themselves.
            if let Some(sums) = deferred.take_sums() {
                let gradients = deferred.backward(sums, &norm, grads.get_or_alloc_mut(&weight)?);
                gradients.add_to(grads, affine.as_ref())?;
            }
            // From readers for which the outputs were computed.
            if let Some(dy) = output.take() {
                let (conv, values) = deferred.conv();
                let dw = grads.get_or_alloc_mut(&weight)?;
                let z = (&norm, &**deferred.values());
                let gradients = conv2d::backward_normalised(conv, &deferred.input, values, z, &dy, dw);
                gradients.add_to(grads, affine.as_ref())?;
            }
            Ok(())
        }));
    }
    Ok((y, moments))
}
