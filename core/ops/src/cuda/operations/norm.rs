//! Batch normalisation.

use crate::{
    EPS, Moments, NormArgs, OpError, Tensor4,
    cuda::{
        activation::CudaActivation,
        args::{GRADIENT, MapArgs, NormArgs as KernelArgs, Source},
        memory::{Buffer, address},
        reduction::Reduction,
        runtime::Runtime,
    },
    shape::{Dims, check_norm, elements, not_empty},
    tape::Recorder,
};
use cudarc::driver::{DevicePtr, DriverError};
use dfdx::tensor::{Cuda, CudaError, Gradients};
use std::sync::Arc;

/// The statistics and parameters of one batch normalisation of `[.., c]`.
pub struct Norm {
    /// `[mean | factor | shift | inverse]`, as kernels read them.
    vectors: Arc<Buffer>,
    affine: Option<(Tensor4<Cuda>, Tensor4<Cuda>)>,
    /// Whether the statistics are those of the batch, so that gradient flows through them.
    batch: bool,
    pixels: usize,
    channels: usize,
    runtime: &'static Runtime,
}

impl Norm {
    /// Prepares the normalisation of `z`, on the device of `like`. Also returns the moments.
    pub fn new(
        op: &'static str,
        like: &CudaActivation,
        z: Source,
        dims: Dims,
        norm: NormArgs<'_, Cuda>,
        tape: &mut dyn Recorder<Cuda>,
    ) -> Result<(Self, Moments<Cuda>), OpError> {
        let (runtime, channels, pixels) = (like.runtime(), dims.3, elements(dims) / dims.3);
        let failed = OpError::device(op);
        let affine = match norm.affine {
            Some((scale, shift)) => Some((tape.contiguous(op, scale)?, tape.contiguous(op, shift)?)),
            None => None,
        };
        let [scale, shift] = match &affine {
            Some((scale, shift)) => [address(op, scale)?, address(op, shift)?],
            None => [0, 0],
        };
        let vectors = Arc::new(Buffer::new(runtime, 4 * channels).map_err(&failed)?);
        let args = KernelArgs { x: z, scale, shift, vectors: vectors.address(), ..KernelArgs::default() };
        let moments = match norm.fixed {
            Some(fixed) => {
                let mut contiguous = |v| tape.contiguous(op, v);
                let moments = Moments { mean: contiguous(&fixed.mean)?, variance: contiguous(&fixed.variance)? };
                let [mean, variance] = [address(op, &moments.mean)?, address(op, &moments.variance)?];
                let args = KernelArgs { mean, variance, eps: EPS, channels: channels as i32, ..args };
                runtime.launch_over("norm_fixed", channels, args).map_err(&failed)?;
                moments
            }
            None => {
                let vector = (1, 1, 1, channels);
                let moments = Moments { mean: like.zeros(vector)?, variance: like.zeros(vector)? };
                let [new_mean, new_variance] = [address(op, &moments.mean)?, address(op, &moments.variance)?];
                let reduction = Reduction::new(runtime, pixels, channels, 2, 1).map_err(&failed)?;
                let KernelArgs { partial, counters, eps, pixels, channels, .. } = reduction.norm_args();
                let args = KernelArgs { new_mean, new_variance, partial, counters, eps, pixels, channels, ..args };
                reduction.launch("norm_batch", args).map_err(&failed)?;
                moments
            }
        };
        Ok((Self { vectors, affine, batch: norm.fixed.is_none(), pixels, channels, runtime }, moments))
    }

    /// The normalisation for readers to apply.
    pub fn vectors(&self) -> Arc<Buffer> {
        self.vectors.clone()
    }

    /// Adds the gradients of scale and shift, from the gradient `dy` of the output and the input `z`. Returns the
    /// coefficients of the gradient of the input.
    pub fn backward(&self, dy: &Buffer, z: Source, grads: &mut Gradients<f32, Cuda>) -> Result<Buffer, CudaError> {
        let [d_scale, d_shift] = match &self.affine {
            Some((scale, shift)) => {
                let scale = *grads.get_or_alloc_mut(scale)?.device_ptr();
                [scale, *grads.get_or_alloc_mut(shift)?.device_ptr()]
            }
            None => [0, 0],
        };
        let coefficients = Buffer::new(self.runtime, 4 * self.channels)?;
        let reduction = Reduction::new(self.runtime, self.pixels, self.channels, 2, 1)?;
        let args = KernelArgs {
            x: z,
            dy: Source { values: dy.address(), ..Source::default() },
            vectors: self.vectors.address(),
            coefficients: coefficients.address(),
            d_scale,
            d_shift,
            batch: self.batch.into(),
            ..reduction.norm_args()
        };
        reduction.launch("norm_backward", args)?;
        Ok(coefficients)
    }

    /// The gradient of the input, as kernels read it.
    pub fn gradient(&self, dy: &Buffer, z: Source, coefficients: &Buffer) -> Source {
        let vectors = coefficients.address();
        Source { values: dy.address(), other: z.values, vectors, kind: GRADIENT, rectifier: 0 }
    }
}

/// As [`crate::reference::batch_norm`]. The normalisation of the result stays pending.
pub fn batch_norm(
    x: &CudaActivation,
    norm: NormArgs<'_, Cuda>,
    tape: &mut dyn Recorder<Cuda>,
) -> Result<(CudaActivation, Moments<Cuda>), OpError> {
    let op = "batch_norm";
    let dims = not_empty(op, x.dims())?;
    check_norm(op, dims.3, &norm)?;
    let z = x.buffer(op, dims)?;
    x.write(elements(dims), Default::default(), z.address()).map_err(OpError::device(op))?;
    let input = Source { values: z.address(), ..Source::default() };
    let (norm, moments) = Norm::new(op, x, input, dims, norm, tape)?;
    let y = x.computed(dims, z.clone(), Some(norm.vectors()));
    if let (true, Some(output)) = (tape.is_recording(), y.gradient().cloned()) {
        let x = x.clone();
        tape.record(Box::new(move |grads| {
            let Some(dy) = output.take() else { return Ok(()) };
            let input = Source { values: z.address(), ..Source::default() };
            let coefficients = norm.backward(&dy, input, grads)?;
            let gradient = norm.gradient(&dy, input, &coefficients);
            x.accumulate(|out, overwrite| add_source(x.runtime(), gradient, dims, out, overwrite))?;
            Ok(())
        }));
    }
    Ok((y, moments))
}

fn add_source(runtime: &Runtime, x: Source, dims: Dims, out: u64, overwrite: bool) -> Result<(), DriverError> {
    let (size, channels) = (elements(dims), dims.3 as i32);
    let args = MapArgs { x, out, size: size as i32, channels, overwrite: overwrite.into(), ..MapArgs::default() };
    runtime.launch_over("add_source", size, args)
}
