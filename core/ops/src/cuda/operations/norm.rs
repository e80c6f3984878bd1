//! Batch normalisation.

use crate::{
    EPS, Moments, NormArgs, OpError, Tensor4,
    cuda::{
        activation::CudaActivation,
        args::{GRADIENT, NormKernelArgs, Source, Statistics},
        memory::{Buffer, address},
        reduction::Reduction,
        runtime::Runtime,
    },
    shape::{Dims, check_norm, elements, not_empty},
    tape::Recorder,
};
use cudarc::driver::DevicePtr;
use dfdx::tensor::{Cuda, CudaError, Gradients};
use std::sync::Arc;

/// The statistics and parameters of one batch normalisation of `[.., c]`.
pub struct Norm {
    /// `[mean | factor | shift | inverse]`, as kernels read them.
    vectors: Arc<Buffer>,
    affine: Option<(Tensor4<Cuda>, Tensor4<Cuda>)>,
    /// The fixed moments, or those of the batch where they are returned.
    moments: Option<Moments<Cuda>>,
    return_moments: bool,
    /// Whether the statistics are those of the batch, so that gradient flows through them.
    uses_batch_statistics: bool,
    /// Inputs and outputs of the statistics.
    statistics: Statistics,
    runtime: &'static Runtime,
}

impl Norm {
    /// Prepares the normalisation of a value of these dimensions, on the device of `like`. The statistics of a batch
    /// are still to be computed, into [`statistics`](Self::statistics).
    pub fn new(
        op: &'static str,
        like: &CudaActivation,
        dims: Dims,
        norm: NormArgs<'_, Cuda>,
        tape: &mut dyn Recorder<Cuda>,
    ) -> Result<Self, OpError> {
        let (runtime, channels) = (like.runtime(), dims.3);
        let mut contiguous = |v| tape.contiguous(op, v);
        let affine = match norm.affine {
            Some((scale, shift)) => Some((contiguous(scale)?, contiguous(shift)?)),
            None => None,
        };
        let [scale, shift] = match &affine {
            Some((scale, shift)) => [address(op, scale)?, address(op, shift)?],
            None => [0, 0],
        };
        let vector = (1, 1, 1, channels);
        let moments = match norm.fixed {
            Some(fixed) => Some(Moments { mean: contiguous(&fixed.mean)?, variance: contiguous(&fixed.variance)? }),
            None if norm.return_moments => Some(Moments { mean: like.zeros(vector)?, variance: like.zeros(vector)? }),
            None => None,
        };
        let [mean, variance] = match &moments {
            Some(moments) => [address(op, &moments.mean)?, address(op, &moments.variance)?],
            None => [0, 0],
        };
        let vectors = Arc::new(Buffer::new(runtime, 4 * channels).map_err(OpError::device(op))?);
        let statistics = Statistics {
            scale,
            shift,
            new_mean: mean,
            new_variance: variance,
            vectors: vectors.address(),
            eps: EPS,
            pixels: (elements(dims) / channels) as i32,
            channels: channels as i32,
            ..Statistics::default()
        };
        let uses_batch_statistics = norm.fixed.is_none();
        if !uses_batch_statistics {
            let args = NormKernelArgs { statistics, mean, variance, ..NormKernelArgs::default() };
            runtime.launch_over("norm_fixed", channels, args).map_err(OpError::device(op))?;
        }
        Ok(Self {
            vectors,
            affine,
            moments,
            return_moments: norm.return_moments,
            uses_batch_statistics,
            statistics,
            runtime,
        })
    }

    /// The statistics of the batch that are to be computed; `None` if they are fixed.
    pub fn statistics(&self) -> Option<Statistics> {
        self.uses_batch_statistics.then_some(self.statistics)
    }

    /// The moments that the normalisation uses, if they are asked for.
    pub fn moments(&self) -> Option<Moments<Cuda>> {
        self.moments.clone().filter(|_| self.return_moments)
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
        let Statistics { pixels, channels, .. } = self.statistics;
        let coefficients = Buffer::new(self.runtime, 4 * channels as usize)?;
        let reduction = Reduction::new(self.runtime, pixels as usize, channels as usize, 2, 1)?;
        let args = NormKernelArgs {
            x: z,
            dy: Source::plain(dy.address()),
            statistics: reduction.statistics(self.statistics),
            coefficients: coefficients.address(),
            d_scale,
            d_shift,
            batch: self.uses_batch_statistics.into(),
            ..NormKernelArgs::default()
        };
        reduction.launch("norm_backward", args)?;
        Ok(coefficients)
    }

    /// The gradient of the input, as kernels read it.
    pub fn gradient(&self, dy: &Buffer, z: Source, coefficients: &Buffer) -> Source {
        let vectors = coefficients.address();
        Source { other: z.values, vectors, kind: GRADIENT, ..Source::plain(dy.address()) }
    }
}

/// As [`crate::reference::batch_norm`]. The normalisation of the result stays pending.
pub fn batch_norm(
    x: &CudaActivation,
    norm: NormArgs<'_, Cuda>,
    tape: &mut dyn Recorder<Cuda>,
) -> Result<(CudaActivation, Option<Moments<Cuda>>), OpError> {
    let op = "batch_norm";
    let dims = not_empty(op, x.dims())?;
    check_norm(op, dims.3, &norm)?;
    let z = x.normalised(op)?;
    let input = Source::plain(z.address());
    let norm = Norm::new(op, x, dims, norm, tape)?;
    if let Some(statistics) = norm.statistics() {
        let failed = OpError::device(op);
        let reduction = Reduction::new(x.runtime(), elements(dims) / dims.3, dims.3, 2, 1).map_err(&failed)?;
        let args =
            NormKernelArgs { x: input, statistics: reduction.statistics(statistics), ..NormKernelArgs::default() };
        reduction.launch("norm_batch", args).map_err(&failed)?;
    }
    let moments = norm.moments();
    let y = x.computed(dims, z.clone(), Some(norm.vectors()));
    let x = x.clone();
    y.record(tape, move |dy, grads| {
        let input = Source::plain(z.address());
        let coefficients = norm.backward(&dy, input, grads)?;
        x.accumulate_source(norm.gradient(&dy, input, &coefficients))?;
        Ok(())
    });
    Ok((y, moments))
}
