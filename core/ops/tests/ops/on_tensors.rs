//! The operations of activations as functions of tensors: each converts its inputs, runs, and converts its output.

use dfdx::tensor::Tape;
use nas_ops::{Activation, Backend, ConvSpec, Moments, NormArgs, OpError, PoolSpec, Tensor4, UnitSpec};
use std::marker::PhantomData;

/// The operations of activation `A` on device `D`.
pub struct OnTensors<D, A>(PhantomData<(D, A)>);

type Result<T> = std::result::Result<T, OpError>;

impl<D: Backend, A: Activation<D>> OnTensors<D, A> {
    pub fn conv2d<T: Tape<f32, D>>(x: &Tensor4<D>, w: &Tensor4<D>, spec: ConvSpec, tape: &mut T) -> Result<Tensor4<D>> {
        A::from_tensor(x, tape)?.conv2d(w, spec, tape)?.to_tensor(tape)
    }

    pub fn relu_conv2d<T: Tape<f32, D>>(
        x: &Tensor4<D>,
        w: &Tensor4<D>,
        spec: ConvSpec,
        tape: &mut T,
    ) -> Result<Tensor4<D>> {
        A::from_tensor(x, tape)?.relu_conv2d(w, spec, tape)?.to_tensor(tape)
    }

    pub fn pool2d<T: Tape<f32, D>>(x: &Tensor4<D>, spec: PoolSpec, tape: &mut T) -> Result<Tensor4<D>> {
        A::from_tensor(x, tape)?.pool2d(spec, tape)?.to_tensor(tape)
    }

    pub fn batch_norm<T: Tape<f32, D>>(
        x: &Tensor4<D>,
        norm: NormArgs<'_, D>,
        tape: &mut T,
    ) -> Result<(Tensor4<D>, Option<Moments<D>>)> {
        let (y, moments) = A::from_tensor(x, tape)?.batch_norm(norm, tape)?;
        Ok((y.to_tensor(tape)?, moments))
    }

    pub fn unit<T: Tape<f32, D>>(
        x: &Tensor4<D>,
        w: &Tensor4<D>,
        spec: UnitSpec,
        norm: NormArgs<'_, D>,
        tape: &mut T,
    ) -> Result<(Tensor4<D>, Option<Moments<D>>)> {
        let (y, moments) = A::from_tensor(x, tape)?.unit(w, spec, norm, tape)?;
        Ok((y.to_tensor(tape)?, moments))
    }

    pub fn scale_images<T: Tape<f32, D>>(x: &Tensor4<D>, factors: &[f32], tape: &mut T) -> Result<Tensor4<D>> {
        A::from_tensor(x, tape)?.scale_images(factors, tape)?.to_tensor(tape)
    }

    pub fn odd_pixels<T: Tape<f32, D>>(x: &Tensor4<D>, tape: &mut T) -> Result<Tensor4<D>> {
        A::from_tensor(x, tape)?.odd_pixels(tape)?.to_tensor(tape)
    }

    pub fn relu<T: Tape<f32, D>>(x: &Tensor4<D>, tape: &mut T) -> Result<Tensor4<D>> {
        A::from_tensor(x, tape)?.relu(tape)?.to_tensor(tape)
    }

    pub fn relu6<T: Tape<f32, D>>(x: &Tensor4<D>, tape: &mut T) -> Result<Tensor4<D>> {
        A::from_tensor(x, tape)?.relu6(tape)?.to_tensor(tape)
    }

    pub fn sum<T: Tape<f32, D>>(terms: &[&Tensor4<D>], tape: &mut T) -> Result<Tensor4<D>> {
        let terms = Self::all(terms, tape)?;
        A::sum(&terms.iter().collect::<Vec<_>>(), tape)?.to_tensor(tape)
    }

    pub fn concat<T: Tape<f32, D>>(parts: &[&Tensor4<D>], tape: &mut T) -> Result<Tensor4<D>> {
        let parts = Self::all(parts, tape)?;
        A::concat(&parts.iter().collect::<Vec<_>>(), tape)?.to_tensor(tape)
    }

    pub fn global_avg_pool<T: Tape<f32, D>>(x: &Tensor4<D>, tape: &mut T) -> Result<Tensor4<D>> {
        A::from_tensor(x, tape)?.global_avg_pool(tape)?.to_tensor(tape)
    }

    pub fn linear<T: Tape<f32, D>>(
        x: &Tensor4<D>,
        w: &Tensor4<D>,
        bias: Option<&Tensor4<D>>,
        tape: &mut T,
    ) -> Result<Tensor4<D>> {
        A::from_tensor(x, tape)?.linear(w, bias, tape)?.to_tensor(tape)
    }

    fn all<T: Tape<f32, D>>(tensors: &[&Tensor4<D>], tape: &mut T) -> Result<Vec<A>> {
        tensors.iter().map(|x| A::from_tensor(x, tape)).collect()
    }
}
