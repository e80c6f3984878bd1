//! Batch normalisation: sums over the batch in double precision, and two passes over the data.

mod images;

pub use images::{Sums, Terms};

use super::{
    GROUP,
    buffer::{Buffer, Handle, allocate, consume, into_tensor},
    contiguous,
    simd::dispatch,
};
use crate::{
    EPS, Moments, NormArgs, OpError, Tensor4,
    shape::{check_norm, elements, not_empty},
};
use dfdx::{
    shapes::HasShape,
    tensor::{Cpu, Tape},
};
use images::{AddGradient, Apply, Pairs};
use rayon::prelude::*;

/// As [`crate::reference::batch_norm`].
pub fn batch_norm<T: Tape<f32, Cpu>>(
    x: &Tensor4<Cpu>,
    norm: NormArgs<'_, Cpu>,
    tape: &mut T,
) -> Result<(Tensor4<Cpu>, Moments<Cpu>), OpError> {
    let op = "batch_norm";
    let dims = not_empty(op, *x.shape())?;
    check_norm(op, dims.3, &norm)?;
    let x = contiguous(op, x, tape)?;
    let values = Buffer::read(&x);
    let (norm, affine) = Norm::new(op, norm, tape, (elements(dims) / dims.3, dims.3), || {
        let groups = values.par_chunks(group(dims));
        groups.map(|z| dispatch(Sums { a: z, b: z, shift: None, channels: dims.3 })).collect()
    })?;
    let device = x.device().clone();
    let y = into_tensor(op, &device, norm.apply(op, &device, &values, dims)?, dims)?;
    let moments = norm.moments(op, &device)?;
    drop(values);
    if T::OWNS_TAPE {
        let output = y.ghost();
        tape.add_backward_op(move |grads| {
            let dy = consume(&device, grads.get_or_alloc_mut(&output)?)?;
            let values = Buffer::read(&x);
            let (terms, vectors) = norm.backward(&dy, &values, dims);
            if let Some((scale, shift)) = affine {
                add(grads.get_or_alloc_mut(&scale)?, &vectors.scale);
                add(grads.get_or_alloc_mut(&shift)?, &vectors.shift);
            }
            let dx = grads.get_or_alloc_mut(&x)?;
            let groups =
                dx.par_chunks_mut(group(dims)).zip(dy.par_chunks(group(dims))).zip(values.par_chunks(group(dims)));
            groups.for_each(|((dx, dy), z)| dispatch(AddGradient { terms: &terms, dy, z, dx }));
            Ok(())
        });
    }
    Ok((y, moments))
}

/// Numbers in a group of images.
pub fn group((_, h, w, c): (usize, usize, usize, usize)) -> usize {
    GROUP * h * w * c
}

/// `total += more`.
pub fn add(total: &mut [f32], more: &[f32]) {
    total.iter_mut().zip(more).for_each(|(total, more)| *total += more);
}

/// Adds the sums of all groups, in order.
fn total(groups: &[Pairs], channels: usize) -> Pairs {
    let mut total = vec![[0.0; 2]; channels];
    for group in groups {
        for (total, pair) in total.iter_mut().zip(group) {
            total[0] += pair[0];
            total[1] += pair[1];
        }
    }
    total
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
    /// Takes the statistics as given, or from the `sums` of `z` and its square in each group of images.
    pub fn new<T: Tape<f32, Cpu>>(
        op: &'static str,
        norm: NormArgs<'_, Cpu>,
        tape: &mut T,
        (pixels, channels): (usize, usize),
        sums: impl FnOnce() -> Vec<Pairs>,
    ) -> Result<(Self, Affine), OpError> {
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
                let count = pixels as f64;
                let of_channel = |[sum, square]: [f64; 2]| {
                    let mean = sum / count;
                    // A NaN stays one, which `max` would hide.
                    let variance = square / count - mean * mean;
                    (mean as f32, if variance < 0.0 { 0.0 } else { variance as f32 })
                };
                total(&sums(), channels).into_iter().map(of_channel).unzip()
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
    pub fn moments(&self, op: &'static str, device: &Cpu) -> Result<Moments<Cpu>, OpError> {
        use dfdx::tensor::TensorFromVec;
        let vector =
            |v: &Vec<f32>| device.try_tensor_from_vec(v.clone(), (1, 1, 1, v.len())).map_err(OpError::device(op));
        Ok(Moments { mean: vector(&self.mean)?, variance: vector(&self.variance)? })
    }

    /// `scale (z - mean) inverse + shift`.
    pub fn apply(
        &self,
        op: &'static str,
        device: &Cpu,
        z: &[f32],
        dims: (usize, usize, usize, usize),
    ) -> Result<Handle, OpError> {
        let mut y = allocate(op, device, dims)?;
        let factors = self.scale.iter().zip(&self.inverse).map(|(scale, inverse)| scale * inverse).collect::<Vec<_>>();
        let (mean, shift) = (&self.mean[..], &self.shift[..]);
        y.par_chunks_mut(group(dims)).zip(z.par_chunks(group(dims))).for_each(|(y, z)| {
            dispatch(Apply { z, y, mean, factors: &factors, shift });
        });
        Ok(y)
    }

    /// What the gradient of `z` is made of, and the gradients of scale and shift.
    pub fn backward(&self, dy: &[f32], z: &[f32], dims: (usize, usize, usize, usize)) -> (Terms, Vectors) {
        let channels = dims.3;
        let sums = if self.batch || self.affine {
            let groups = dy.par_chunks(group(dims)).zip(z.par_chunks(group(dims)));
            let shift = Some(&self.mean[..]);
            let groups = groups.map(|(a, b)| dispatch(Sums { a, b, shift, channels })).collect::<Vec<_>>();
            total(&groups, channels)
        } else {
            vec![[0.0; 2]; channels]
        };
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
