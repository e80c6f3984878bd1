//! Pools, subsampling and the mean over height and width.

use crate::{
    OpError, PoolKind, PoolSpec, Window,
    cuda::{
        activation::CudaActivation,
        args::{PoolArgs, Rectifier, WindowShape},
        memory::Buffer,
        reduction::TILE,
        runtime::blocks,
    },
    shape::{Dims, PoolShape, elements, half, not_empty},
    tape::Recorder,
};
use cudarc::driver::DriverError;
use dfdx::tensor::Cuda;

/// As [`crate::reference::pool2d`].
pub fn pool2d(x: &CudaActivation, spec: PoolSpec, tape: &mut dyn Recorder<Cuda>) -> Result<CudaActivation, OpError> {
    let op = "pool2d";
    let PoolShape { n, size, out, c, window } = PoolShape::new(x.dims(), spec)?;
    let output = (n, out[0], out[1], c);
    let maximum = spec.kind == PoolKind::Max;
    // The backward pass of a maximum needs the taps that won.
    let argmax_taps = (maximum && tape.is_recording()).then(|| Buffer::new(x.runtime(), elements(output)));
    let argmax_taps = argmax_taps.transpose().map_err(OpError::device(op))?;
    let args = PoolArgs {
        window: WindowShape::sliding(n, size, out, c, window),
        argmax_taps: argmax_taps.as_ref().map_or(0, Buffer::address),
        maximum: maximum.into(),
        ..PoolArgs::default()
    };
    let forward = |args| x.runtime().launch_over("pool_forward", elements(output), args);
    gather(op, x, output, (forward, "pool_backward"), args, argmax_taps, tape)
}

/// As [`crate::reference::odd_pixels`].
pub fn odd_pixels(x: &CudaActivation, tape: &mut dyn Recorder<Cuda>) -> Result<CudaActivation, OpError> {
    let op = "odd_pixels";
    let dims = not_empty(op, x.dims())?;
    let output = half(dims);
    let (n, h, w, c) = dims;
    let window = WindowShape::sliding(n, [h, w], [output.1, output.2], c, Window::valid(1, 2));
    let args = PoolArgs { window, ..PoolArgs::default() };
    let forward = |args| x.runtime().launch_over("odd_pixels_forward", elements(output), args);
    gather(op, x, output, (forward, "odd_pixels_backward"), args, None, tape)
}

/// As [`crate::reference::global_avg_pool`].
pub fn global_avg_pool(x: &CudaActivation, tape: &mut dyn Recorder<Cuda>) -> Result<CudaActivation, OpError> {
    let op = "global_avg_pool";
    let (n, h, w, c) = not_empty(op, x.dims())?;
    let window = WindowShape::sliding(n, [h, w], [1, 1], c, Window::valid(1, 1));
    let args = PoolArgs { window, ..PoolArgs::default() };
    // A block sums the pixels of a tile of channels of one image.
    let grid = (n as u32, blocks(c, TILE.0 as usize), 1);
    let forward = |args| x.runtime().launch("image_mean_forward", grid, TILE, args);
    gather(op, x, (n, 1, 1, c), (forward, "image_mean_backward"), args, None, tape)
}

/// An operation whose backward pass has one thread a value of its input. `forward` launches the kernel of the forward
/// pass; `keep` stays in memory until the backward pass.
fn gather(
    op: &'static str,
    x: &CudaActivation,
    output: Dims,
    (forward, backward): (impl FnOnce(PoolArgs) -> Result<(), DriverError>, &'static str),
    args: PoolArgs,
    keep: Option<Buffer>,
    tape: &mut dyn Recorder<Cuda>,
) -> Result<CudaActivation, OpError> {
    let out = x.buffer(op, output)?;
    let args = PoolArgs { x: x.source(Rectifier::None), out: out.address(), ..args };
    forward(args).map_err(OpError::device(op))?;
    let y = x.computed(output, out, None);
    let x = x.clone();
    y.record(tape, move |dy, _| {
        let _keep = keep;
        x.accumulate(|out, overwrite| {
            let args = PoolArgs { dy: dy.address(), out, overwrite: overwrite.into(), ..args };
            x.runtime().launch_over(backward, elements(x.dims()), args)
        })?;
        Ok(())
    });
    Ok(y)
}
