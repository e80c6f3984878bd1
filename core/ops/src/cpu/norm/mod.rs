//! Batch normalisation: statistics of a batch, the pending normalisation and the coefficients of the backward pass.

mod kernels;

pub use kernels::{AddInputGradient, BackwardCoefficients, BatchMoments, ChannelMoments};

use super::{buffer::Buffer, elementwise::add_assign, image_group::group_len, simd::dispatch, source::PendingNorm};
use crate::{
    EPS, Moments, NormArgs, OpError, Tensor4,
    shape::{Dims, elements},
    tape::Recorder,
};
use dfdx::tensor::{Cpu, CpuError, Gradients, NoneTape, TensorFromVec};
use kernels::BackwardSums;
use rayon::prelude::*;

/// The statistics and parameters of one batch normalisation, for each channel.
pub struct BatchNorm {
    mean: Vec<f32>,
    variance: Vec<f32>,
    /// `1 / sqrt(variance + EPS)`.
    inverse: Vec<f32>,
    scale: Vec<f32>,
    shift: Vec<f32>,
    /// Whether the statistics are those of the batch, so that gradient flows through them.
    uses_batch_statistics: bool,
    affine: bool,
    /// Whether the moments are returned.
    return_moments: bool,
    /// Number of pixels in the batch.
    pixels: f64,
}

/// Learned scale and shift as tensors, if there are any.
pub type Affine = Option<(Tensor4<Cpu>, Tensor4<Cpu>)>;

impl BatchNorm {
    /// Uses the fixed statistics of `norm`, or else the moments of each group of images, merged in order.
    pub fn new(
        op: &'static str,
        norm: NormArgs<'_, Cpu>,
        tape: &mut dyn Recorder<Cpu>,
        dims: Dims,
        groups: Vec<Vec<ChannelMoments>>,
    ) -> Result<(Self, Affine), OpError> {
        let (pixels, channels) = (elements(dims) / dims.3, dims.3);
        let affine = match norm.affine {
            Some((scale, shift)) => Some((tape.contiguous(op, scale)?, tape.contiguous(op, shift)?)),
            None => None,
        };
        let (mean, variance) = match norm.fixed {
            Some(Moments { mean, variance }) => {
                let host = |v| NoneTape.contiguous(op, v).map(|v| Buffer::read(&v).to_vec());
                (host(mean)?, host(variance)?)
            }
            None => {
                let mut total = vec![ChannelMoments::default(); channels];
                for group in groups {
                    total.iter_mut().zip(group).for_each(|(total, group)| total.merge(group));
                }
                total.iter().map(|moments| (moments.mean as f32, (moments.squares / moments.count) as f32)).unzip()
            }
        };
        let vector =
            |v: Option<&Tensor4<Cpu>>, default| v.map_or(vec![default; channels], |v| Buffer::read(v).to_vec());
        let norm = Self {
            inverse: variance.iter().map(|v| (1.0 / (f64::from(*v) + f64::from(EPS)).sqrt()) as f32).collect(),
            scale: vector(affine.as_ref().map(|(scale, _)| scale), 1.0),
            shift: vector(affine.as_ref().map(|(_, shift)| shift), 0.0),
            uses_batch_statistics: norm.fixed.is_none(),
            affine: affine.is_some(),
            return_moments: norm.return_moments,
            pixels: pixels as f64,
            mean,
            variance,
        };
        Ok((norm, affine))
    }

    /// The statistics as tensors `[1, 1, 1, c]`, if they are asked for.
    pub fn moments(&self, op: &'static str) -> Result<Option<Moments<Cpu>>, OpError> {
        if !self.return_moments {
            return Ok(None);
        }
        let device = Cpu::default();
        let vector =
            |v: &Vec<f32>| device.try_tensor_from_vec(v.clone(), (1, 1, 1, v.len())).map_err(OpError::device(op));
        Ok(Some(Moments { mean: vector(&self.mean)?, variance: vector(&self.variance)? }))
    }

    /// The normalisation `scale (z - mean) inverse + shift`, for readers to apply.
    pub fn pending(&self) -> PendingNorm {
        PendingNorm {
            mean: self.mean.clone(),
            factors: self.scale.iter().zip(&self.inverse).map(|(scale, inverse)| scale * inverse).collect(),
            shift: self.shift.clone(),
        }
    }

    /// The coefficients of the gradient of `z`, and the gradients of scale and shift.
    pub fn backward(&self, dy: &[f32], z: &[f32], dims: Dims) -> (BackwardCoefficients, AffineGradients) {
        let mut sums = vec![[0.0; 2]; dims.3];
        if self.uses_batch_statistics || self.affine {
            let groups = dy.par_chunks(group_len(dims)).zip(z.par_chunks(group_len(dims)));
            let groups = groups.map(|(dy, z)| dispatch(BackwardSums { dy, z, mean: &self.mean }));
            for group in groups.collect::<Vec<_>>() {
                sums.iter_mut().zip(group).for_each(|(total, group)| {
                    total[0] += group[0];
                    total[1] += group[1];
                });
            }
        }
        self.backward_from_sums(&sums)
    }

    /// [`backward`](Self::backward), given the sums of `dy` and of `dy (z - mean)` over the batch.
    pub fn backward_from_sums(&self, sums: &[[f64; 2]]) -> (BackwardCoefficients, AffineGradients) {
        let inverses = || self.inverse.iter().map(|&inverse| f64::from(inverse));
        let affine = AffineGradients {
            scale: sums.iter().zip(inverses()).map(|([_, product], inverse)| (product * inverse) as f32).collect(),
            shift: sums.iter().map(|[sum, _]| *sum as f32).collect(),
        };
        let mut coefficients = BackwardCoefficients { mean: self.mean.clone(), ..BackwardCoefficients::default() };
        for ((&[sum, product], inverse), &scale) in sums.iter().zip(inverses()).zip(&self.scale) {
            let factor = f64::from(scale) * inverse;
            let share = if self.uses_batch_statistics { factor / self.pixels } else { 0.0 };
            coefficients.factor.push(factor as f32);
            coefficients.centred.push((-share * product * inverse * inverse) as f32);
            coefficients.constant.push((-share * sum) as f32);
        }
        (coefficients, affine)
    }
}

/// The gradients of scale and shift, for each channel.
pub struct AffineGradients {
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl AffineGradients {
    /// Adds the gradients to those of the tensors; does nothing without tensors.
    pub fn add_to(
        &self,
        grads: &mut Gradients<f32, Cpu>,
        affine: Option<&(Tensor4<Cpu>, Tensor4<Cpu>)>,
    ) -> Result<(), CpuError> {
        if let Some((scale, shift)) = affine {
            add_assign(grads.get_or_alloc_mut(scale)?, &self.scale);
            add_assign(grads.get_or_alloc_mut(shift)?, &self.shift);
        }
        Ok(())
    }
}
