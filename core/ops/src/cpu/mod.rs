//! Direct implementations for the CPU, on images one at a time, without a matrix of patches.
//!
//! Work is split into groups of [`GROUP`] images, whatever the number of threads. Sums over a batch are added within
//! each group first and then from group to group in order, so that the bits of a result depend on neither the number
//! of threads nor on which of them was faster.

mod buffer;
mod combine;
mod conv;
mod correlation;
mod covariance;
mod dense;
mod depthwise;
mod expansion;
mod frame;
mod image;
mod linear;
mod mean;
mod norm;
mod packed;
mod pool;
mod relu;
mod sgd;
mod simd;
mod store;
mod unit;
mod winograd;

use crate::{
    Activation, Backend, ConvSpec, Moments, NormArgs, OpError, PoolSpec, SgdParam, SgdSpec, Tensor4, UnitSpec,
    reference::taped,
};
use dfdx::{
    tensor::{Cpu, Tape},
    tensor_ops::ReshapeTo,
};

pub use image::Image;

/// Images that are worked on and summed over together.
const GROUP: usize = 8;

impl Backend for Cpu {
    type Activation = Image;

    fn sgd(params: &mut [SgdParam<'_, Cpu>], spec: SgdSpec) -> Result<f64, OpError> {
        sgd::sgd(params, spec)
    }

    fn add_to(pairs: &mut [(&mut Tensor4<Cpu>, &Tensor4<Cpu>)]) -> Result<(), OpError> {
        sgd::add_to(pairs)
    }
}

impl Activation<Cpu> for Image {
    const GATHERS: bool = true;

    fn enter<T: Tape<f32, Cpu>>(x: &Tensor4<Cpu>, tape: &mut T) -> Result<Self, OpError> {
        Image::enter(x, tape)
    }

    fn constant(x: &Tensor4<Cpu>) -> Result<Self, OpError> {
        Image::constant(x)
    }

    fn leave<T: Tape<f32, Cpu>>(&self, tape: &mut T) -> Result<Tensor4<Cpu>, OpError> {
        Image::leave(self, tape)
    }

    fn first(&self, images: usize) -> Result<Tensor4<Cpu>, OpError> {
        Image::first(self, images)
    }

    fn dims(&self) -> (usize, usize, usize, usize) {
        self.dims
    }

    fn conv2d<T: Tape<f32, Cpu>>(&self, weight: &Tensor4<Cpu>, spec: ConvSpec, tape: &mut T) -> Result<Self, OpError> {
        conv::conv2d(self, weight, spec, tape)
    }

    fn pool2d<T: Tape<f32, Cpu>>(&self, spec: PoolSpec, tape: &mut T) -> Result<Self, OpError> {
        pool::pool2d(self, spec, tape)
    }

    fn batch_norm<T: Tape<f32, Cpu>>(
        &self,
        norm: NormArgs<'_, Cpu>,
        tape: &mut T,
    ) -> Result<(Self, Moments<Cpu>), OpError> {
        norm::batch_norm(self, norm, tape)
    }

    fn unit<T: Tape<f32, Cpu>>(
        &self,
        weight: &Tensor4<Cpu>,
        spec: UnitSpec,
        norm: NormArgs<'_, Cpu>,
        tape: &mut T,
    ) -> Result<(Self, Moments<Cpu>), OpError> {
        unit::unit(self, weight, spec, norm, tape)
    }

    fn relu<T: Tape<f32, Cpu>>(&self, tape: &mut T) -> Result<Self, OpError> {
        relu::relu(self, tape)
    }

    fn global_avg_pool<T: Tape<f32, Cpu>>(&self, tape: &mut T) -> Result<Self, OpError> {
        mean::global_avg_pool(self, tape)
    }

    fn linear<T: Tape<f32, Cpu>>(
        &self,
        weight: &Tensor4<Cpu>,
        bias: Option<&Tensor4<Cpu>>,
        tape: &mut T,
    ) -> Result<Self, OpError> {
        linear::linear(self, weight, bias, tape)
    }

    fn sum<T: Tape<f32, Cpu>>(terms: &[&Self], tape: &mut T) -> Result<Self, OpError> {
        combine::sum(terms, tape)
    }

    fn concat<T: Tape<f32, Cpu>>(parts: &[&Self], tape: &mut T) -> Result<Self, OpError> {
        combine::concat(parts, tape)
    }
}

/// The tensor itself, or a copy in row-major order if it is permuted or broadcast.
fn contiguous<T: Tape<f32, Cpu>>(op: &'static str, x: &Tensor4<Cpu>, tape: &mut T) -> Result<Tensor4<Cpu>, OpError> {
    taped(op, x, tape, |x| x.try_contiguous())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ConvSpec, PoolKind, UnitSpec, Window,
        cpu::simd::{Limit, limited},
        shape::{Dims, elements},
    };
    use dfdx::prelude::*;

    pub fn wave(dims: Dims) -> Tensor4<Cpu> {
        let values = (0..elements(dims)).map(|i| (i as f32 * 0.7 + dims.3 as f32).sin()).collect::<Vec<_>>();
        Cpu::default().tensor_from_vec(values, dims)
    }

    /// Output and gradient of a chain of everything that touches each number once. Sums and frames read some values that
    /// are still to be normalised.
    fn chain(channels: usize) -> [Vec<f32>; 2] {
        let (tensor, mut tape) = (wave((3, 5, 6, channels)), OwnedTape::default());
        let x = <Image as Activation<Cpu>>::enter(&tensor, &mut tape).unwrap();
        let normalised = x.batch_norm(NormArgs::BATCH, &mut tape).unwrap().0;
        let pools = [PoolKind::Max, PoolKind::Average].map(|kind| PoolSpec { kind, window: Window::same(3, 1, 1) });
        let [most, mean] = pools.map(|pool| normalised.pool2d(pool, &mut tape).unwrap());
        let pending = mean.batch_norm(NormArgs::BATCH, &mut tape).unwrap().0;
        let rectified = Activation::relu(&pending, &mut tape).unwrap();
        let spec = UnitSpec { relu: true, conv: ConvSpec { window: Window::same(3, 1, 1), groups: 1 } };
        let unit = pending.unit(&wave((3, 3, channels, channels)), spec, NormArgs::BATCH, &mut tape).unwrap().0;
        let y = <Image as Activation<Cpu>>::sum(&[&pending, &most, &rectified, &unit], &mut tape).unwrap();
        let y = Activation::leave(&y, &mut tape).unwrap();
        let values = y.as_vec();
        let gradients = y.put_tape(tape).square().sum::<(), _>().backward();
        [values, gradients.get(&tensor).as_vec()]
    }

    #[test]
    fn wide_registers_give_the_same_bits() {
        // On one thread, which the limit is for.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        for channels in [5, 8, 16, 28, 40] {
            let [wide, fused] = pool.install(|| [chain(channels), limited(Limit::Fused, || chain(channels))]);
            assert_eq!(wide, fused, "{channels} channels");
        }
    }
}
