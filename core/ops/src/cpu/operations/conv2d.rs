//! Convolution of activations.

use super::fused_depthwise::FusedDepthwise;
use crate::{
    OpError, Tensor4, UnitSpec,
    cpu::{
        activation::CpuActivation,
        buffer::Buffer,
        conv::{Conv, OutputGradient},
        norm::{AffineGradients, BatchNorm, ChannelMoments},
    },
    shape::{ConvShape, elements},
    tape::Recorder,
};
use dfdx::{shapes::HasShape, tensor::Cpu};

/// As [`crate::reference::conv2d`], after a ReLU if the specification has one.
pub fn conv2d(
    x: &CpuActivation,
    weight: &Tensor4<Cpu>,
    spec: UnitSpec,
    tape: &mut dyn Recorder<Cpu>,
) -> Result<CpuActivation, OpError> {
    let op = "conv2d";
    let conv = Conv::new(ConvShape::new(op, x.dims(), *weight.shape(), spec.conv)?, spec.relu);
    let weight = tape.contiguous(op, weight)?;
    let mut z = Buffer::uninitialised(elements(conv.output()));
    forward(&conv, x, &Buffer::read(&weight), &mut z, false);
    let y = CpuActivation::new(conv.output(), z);
    if tape.is_recording() {
        let (x, output) = (x.clone(), y.gradient());
        tape.record(Box::new(move |grads| {
            let Some(dy) = output.take() else { return Ok(()) };
            let upstream = OutputGradient { dy: &dy, norm: None };
            backward(&conv, &x, &Buffer::read(&weight), upstream, grads.get_or_alloc_mut(&weight)?);
            Ok(())
        }));
    }
    Ok(y)
}

/// Fills `z` with the convolution of `x`. If `moments` is set, returns the moments of the output channels over each
/// group of images.
pub fn forward(
    conv: &Conv,
    x: &CpuActivation,
    weight: &[f32],
    z: &mut [f32],
    moments: bool,
) -> Vec<Vec<ChannelMoments>> {
    match FusedDepthwise::new(conv, x) {
        Some(fused) => fused.forward(weight, z, moments),
        None => conv.forward(x.source(), weight, z, moments),
    }
}

/// Adds the gradient of the weights to `dw`, and the gradient of the input to the input.
pub fn backward(conv: &Conv, x: &CpuActivation, weight: &[f32], upstream: OutputGradient<'_>, dw: &mut [f32]) {
    let groups = match FusedDepthwise::new(conv, x) {
        Some(fused) => fused.backward(weight, upstream),
        None => {
            let plans = if x.requires_grad() { conv.backward_plans() } else { vec![] };
            x.accumulate_gradient_groups(conv.input(), |dx, overwrite| {
                conv.backward_groups(x.source(), weight, upstream, plans, dx, overwrite)
            })
        }
    };
    conv.add_weight_gradient(groups, dw);
}

/// [`backward`] for a convolution whose output `z` is normalised; returns the gradients of scale and shift.
pub fn backward_normalised(
    conv: &Conv,
    x: &CpuActivation,
    weight: &[f32],
    (norm, z): (&BatchNorm, &[f32]),
    dy: &[f32],
    dw: &mut [f32],
) -> AffineGradients {
    let (coefficients, affine) = norm.backward(dy, z, conv.output());
    backward(conv, x, weight, OutputGradient { dy, norm: Some((z, &coefficients)) }, dw);
    affine
}
