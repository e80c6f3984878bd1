//! Gram matrices of input patches.

use super::{
    args::{GramArgs, Rectifier, Source, WindowShape},
    memory::{Buffer, address, pieces},
    runtime::{MAX_GRID_Z, Runtime, blocks},
};
use crate::{InputPatches, OpError, shape::ConvShape, tape::Recorder};
use cudarc::driver::DriverError;
use dfdx::tensor::{Cuda, NoneTape};

/// Patches that one block adds, at least.
const PATCHES_PER_PART: usize = 1024;
/// Most parts of the patches.
const MAX_PARTS: usize = 64;
/// Threads of a block.
const THREADS: u32 = 256;

/// As [`crate::reference::gram_matrices`]. Waits for the GPU, once for all inputs.
pub fn gram_matrices(inputs: &[InputPatches<'_, Cuda>]) -> Result<Vec<Vec<f64>>, OpError> {
    let op = "gram_matrices";
    let Some(first) = inputs.first() else { return Ok(Vec::new()) };
    let runtime = Runtime::of(first.input.device())?;
    let shapes = inputs.iter().map(InputPatches::shape).collect::<Result<Vec<_>, _>>()?;
    let sizes = inputs.iter().zip(&shapes).map(|(input, shape)| {
        let d = input.patch_len(shape);
        shape.groups * d * d
    });
    let sizes: Vec<usize> = sizes.collect();
    let all = Buffer::of_doubles(runtime, sizes.iter().sum()).map_err(OpError::device(op))?;
    let mut out = all.address();
    for ((input, shape), size) in inputs.iter().zip(&shapes).zip(&sizes) {
        let x = NoneTape.contiguous(op, input.input)?;
        let rectifier = if input.relu { Rectifier::Relu } else { Rectifier::None };
        let source = Source { rectifier: rectifier as i32, ..Source::plain(address(op, &x)?) };
        let args = GramArgs {
            window: WindowShape::of(shape),
            x: source,
            out,
            constant: input.constant.into(),
            ..GramArgs::default()
        };
        launch(runtime, shape, input.patch_len(shape), args).map_err(OpError::device(op))?;
        out += (size * size_of::<f64>()) as u64;
    }
    let values = all.doubles_to_host().map_err(OpError::device(op))?;
    // Almost every architecture has another size of all its matrices together.
    all.release();
    Ok(pieces(values, &sizes))
}

/// Launches the kernel for one input with patches of `d` elements.
fn launch(runtime: &'static Runtime, shape: &ConvShape, d: usize, args: GramArgs) -> Result<(), DriverError> {
    let patches = shape.n * shape.out[0] * shape.out[1];
    let parts = (patches / PATCHES_PER_PART).clamp(1, MAX_PARTS.min(MAX_GRID_Z / shape.groups).max(1));
    let partial = Buffer::of_doubles(runtime, shape.groups * parts * d * d)?;
    let args = GramArgs { partial: partial.address(), counters: runtime.counters(), ..args };
    let (kernel, tile) = if d > 16 { ("gram_64", 64) } else { ("gram_16", 16) };
    let tiles = blocks(d, tile);
    runtime.launch(kernel, (tiles, tiles, (shape.groups * parts) as u32), (THREADS, 1), args)
}
