//! Rectifiers, and factors of images.

use crate::{
    OpError,
    cuda::{
        activation::CudaActivation,
        args::{MapArgs, Rectifier},
        memory::Buffer,
    },
    shape::{elements, factor_for_each_image, not_empty},
    tape::Recorder,
};
use dfdx::tensor::Cuda;

/// As [`crate::reference::relu`] or [`crate::reference::relu6`].
pub fn rectify(
    x: &CudaActivation,
    rectifier: Rectifier,
    tape: &mut dyn Recorder<Cuda>,
) -> Result<CudaActivation, OpError> {
    let op = if rectifier == Rectifier::Relu6 { "relu6" } else { "relu" };
    map(op, x, rectifier, None, tape)
}

/// As [`crate::reference::scale_images`].
pub fn scale_images(
    x: &CudaActivation,
    factors: &[f32],
    tape: &mut dyn Recorder<Cuda>,
) -> Result<CudaActivation, OpError> {
    let op = "scale_images";
    factor_for_each_image(factors, not_empty(op, x.dims())?)?;
    let factors = Buffer::upload(x.runtime(), factors).map_err(OpError::device(op))?;
    map(op, x, Rectifier::None, Some(factors), tape)
}

/// `y = factor rectifier(x)`.
fn map(
    op: &'static str,
    x: &CudaActivation,
    rectifier: Rectifier,
    factors: Option<Buffer>,
    tape: &mut dyn Recorder<Cuda>,
) -> Result<CudaActivation, OpError> {
    let (dims, size) = (x.dims(), elements(x.dims()));
    let out = x.buffer(op, dims)?;
    let args = MapArgs {
        x: x.source(rectifier),
        factors: factors.as_ref().map_or(0, Buffer::address),
        size: size as i32,
        channels: dims.3 as i32,
        image: (size / dims.0.max(1)).max(1) as i32,
        ..MapArgs::default()
    };
    let forward = MapArgs { out: out.address(), overwrite: 1, ..args };
    x.runtime().launch_over("map_forward", size, forward).map_err(OpError::device(op))?;
    let y = x.computed(dims, out, None);
    let x = x.clone();
    y.record(tape, move |dy, _| {
        // The kernel reads the factors.
        let _factors = factors;
        x.accumulate(|out, overwrite| {
            let args = MapArgs { dy: dy.address(), out, overwrite: overwrite.into(), ..args };
            x.runtime().launch_over("map_backward", size, args)
        })?;
        Ok(())
    });
    Ok(y)
}
