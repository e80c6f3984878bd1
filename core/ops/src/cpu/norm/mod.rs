//! Batch normalisation: sums over the batch, from which follows what remains to be done with each number.

mod images;

pub use images::{Moment, Spread, Terms};

use super::{
    GROUP,
    buffer::Buffer,
    contiguous,
    image::{Image, Pending},
    simd::dispatch,
};
use crate::{
    EPS, Moments, NormArgs, OpError, Tensor4,
    shape::{Dims, check_norm, elements, not_empty},
};
use dfdx::tensor::{Cpu, CpuError, Gradients, Tape};
use images::{AddGradient, Products};
use rayon::prelude::*;
use std::sync::Arc;

/// As [`crate::reference::batch_norm`].
pub fn batch_norm<T: Tape<f32, Cpu>>(
    x: &Image,
    norm: NormArgs<'_, Cpu>,
    tape: &mut T,
) -> Result<(Image, Moments<Cpu>), OpError> {
    let op = "batch_norm";
    let dims = not_empty(op, x.dims)?;
    check_norm(op, dims.3, &norm)?;
    let values = x.unnormalised().unwrap_or_else(|| Arc::new(Buffer::copy(x.plain())));
    let (norm, affine) = Norm::new(op, norm, tape, dims, || {
        values.par_chunks(group(dims)).map(|z| dispatch(Spread { z, channels: dims.3 })).collect()
    })?;
    let y = Image::pending(dims, values.clone(), norm.pending());
    let moments = norm.moments(op)?;
    if T::OWNS_TAPE {
        let (input, output) = (x.slot(), y.slot());
        tape.add_backward_op(move |grads| {
            let Some(dy) = output.take() else { return Ok(()) };
            let (terms, vectors) = norm.backward(&dy, &values, dims);
            vectors.add_to(grads, affine.as_ref())?;
            input.add(dy.len(), |dx, fresh| {
                let groups = dy.par_chunks(group(dims)).zip(values.par_chunks(group(dims)));
                let groups = dx.par_chunks_mut(group(dims)).zip(groups);
                groups.for_each(|(dx, (dy, z))| dispatch(AddGradient { terms: &terms, dy, z, dx, fresh }));
            });
            Ok(())
        });
    }
    Ok((y, moments))
}

/// Numbers in a group of images.
pub fn group((_, h, w, c): Dims) -> usize {
    GROUP * h * w * c
}

/// `total += more`.
#[inline(always)]
pub fn add(total: &mut [f32], more: &[f32]) {
    total.iter_mut().zip(more).for_each(|(total, more)| *total += more);
}

/// Statistics and parameters, for each channel.
pub struct Norm {
    mean: Vec<f32>,
    variance: Vec<f32>,
    /// `1 / sqrt(variance + EPS)`.
    inverse: Vec<f32>,
    scale: Vec<f32>,
    shift: Vec<f32>,
    /// Whether the statistics are those of the batch, so that the gradient flows through them.
    batch: bool,
    affine: bool,
    /// Pixels of the batch.
    pixels: f64,
}

/// Scale and shift, as tensors.
pub type Affine = Option<(Tensor4<Cpu>, Tensor4<Cpu>)>;

impl Norm {
    /// Takes the statistics as given, or from those of each group of images.
    pub fn new<T: Tape<f32, Cpu>>(
        op: &'static str,
        norm: NormArgs<'_, Cpu>,
        tape: &mut T,
        dims: Dims,
        groups: impl FnOnce() -> Vec<Vec<Moment>>,
    ) -> Result<(Self, Affine), OpError> {
        let (pixels, channels) = (elements(dims) / dims.3, dims.3);
        let affine = match norm.affine {
            Some((scale, shift)) => Some((contiguous(op, scale, tape)?, contiguous(op, shift, tape)?)),
            None => None,
        };
        let (mean, variance) = match norm.fixed {
            Some(Moments { mean, variance }) => {
                let host = |v| contiguous(op, v, &mut dfdx::tensor::NoneTape).map(|v| Buffer::read(&v).to_vec());
                (host(mean)?, host(variance)?)
            }
            None => {
                let mut total = vec![Moment::default(); channels];
                for group in groups() {
                    total.iter_mut().zip(group).for_each(|(total, group)| total.merge(group));
                }
                total.iter().map(|moment| (moment.mean as f32, (moment.squares / moment.count) as f32)).unzip()
            }
        };
        let vector =
            |v: Option<&Tensor4<Cpu>>, default| v.map_or(vec![default; channels], |v| Buffer::read(v).to_vec());
        let norm = Self {
            inverse: variance.iter().map(|v| (1.0 / (f64::from(*v) + f64::from(EPS)).sqrt()) as f32).collect(),
            scale: vector(affine.as_ref().map(|(scale, _)| scale), 1.0),
            shift: vector(affine.as_ref().map(|(_, shift)| shift), 0.0),
            batch: norm.fixed.is_none(),
            affine: affine.is_some(),
            pixels: pixels as f64,
            mean,
            variance,
        };
        Ok((norm, affine))
    }

    /// The moments as tensors.
    pub fn moments(&self, op: &'static str) -> Result<Moments<Cpu>, OpError> {
        use dfdx::tensor::TensorFromVec;
        let device = Cpu::default();
        let vector =
            |v: &Vec<f32>| device.try_tensor_from_vec(v.clone(), (1, 1, 1, v.len())).map_err(OpError::device(op));
        Ok(Moments { mean: vector(&self.mean)?, variance: vector(&self.variance)? })
    }

    /// `scale (z - mean) inverse + shift`.
    pub fn pending(&self) -> Pending {
        Pending {
            mean: self.mean.clone(),
            factors: self.scale.iter().zip(&self.inverse).map(|(scale, inverse)| scale * inverse).collect(),
            shift: self.shift.clone(),
        }
    }

    /// What the gradient of `z` is made of, and the gradients of scale and shift.
    pub fn backward(&self, dy: &[f32], z: &[f32], dims: Dims) -> (Terms, Vectors) {
        let mut sums = vec![[0.0; 2]; dims.3];
        if self.batch || self.affine {
            let groups = dy.par_chunks(group(dims)).zip(z.par_chunks(group(dims)));
            let groups = groups.map(|(dy, z)| dispatch(Products { dy, z, mean: &self.mean }));
            for group in groups.collect::<Vec<_>>() {
                sums.iter_mut().zip(group).for_each(|(total, group)| {
                    total[0] += group[0];
                    total[1] += group[1];
                });
            }
        }
        self.terms(&sums)
    }

    /// The same from the sums of `dy` and of `dy (z - mean)` over the batch.
    pub fn terms(&self, sums: &[[f64; 2]]) -> (Terms, Vectors) {
        let inverses = || self.inverse.iter().map(|&inverse| f64::from(inverse));
        let vectors = Vectors {
            scale: sums.iter().zip(inverses()).map(|([_, product], inverse)| (product * inverse) as f32).collect(),
            shift: sums.iter().map(|[sum, _]| *sum as f32).collect(),
        };
        let mut terms = Terms { mean: self.mean.clone(), ..Terms::default() };
        for ((&[sum, product], inverse), &scale) in sums.iter().zip(inverses()).zip(&self.scale) {
            let factor = f64::from(scale) * inverse;
            let share = if self.batch { factor / self.pixels } else { 0.0 };
            terms.dy.push(factor as f32);
            terms.z.push((-share * product * inverse * inverse) as f32);
            terms.constant.push((-share * sum) as f32);
        }
        (terms, vectors)
    }
}

/// Gradients of scale and shift.
pub struct Vectors {
    /// Of the scale.
    pub scale: Vec<f32>,
    /// Of the shift.
    pub shift: Vec<f32>,
}

impl Vectors {
    /// Adds them to the gradients of the tensors, if there are any.
    pub fn add_to(
        &self,
        grads: &mut Gradients<f32, Cpu>,
        affine: Option<&(Tensor4<Cpu>, Tensor4<Cpu>)>,
    ) -> Result<(), CpuError> {
        if let Some((scale, shift)) = affine {
            add(grads.get_or_alloc_mut(scale)?, &self.scale);
            add(grads.get_or_alloc_mut(shift)?, &self.shift);
        }
        Ok(())
    }
}
