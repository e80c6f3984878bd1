//! Problems: a call of an operation with its inputs, and the implementations that can run it.

use crate::on_tensors::OnTensors;
use dfdx::prelude::*;
use nas_ops::{Activation, Backend, ConvSpec, Moments, NormArgs, OpError, PoolSpec, Tensor4, UnitSpec};
use rand::{Rng, SeedableRng};
use std::marker::PhantomData;

/// Sizes of four dimensions.
pub type Dims = (usize, usize, usize, usize);

/// An operation with its parameters. Its tensors are [`Problem::inputs`].
#[derive(Debug, Clone, Copy)]
pub enum Call {
    Conv(ConvSpec),
    ReluConv(ConvSpec),
    Pool(PoolSpec),
    Norm(Vectors),
    Unit(UnitSpec, Vectors),
    /// Two units in sequence, without a tensor between them.
    Units([UnitSpec; 2], Vectors),
    OddPixels,
    /// Image `i` of the batch has the factor [`image_factor`]`(i)`.
    ScaleImages,
    Relu,
    Relu6,
    Sum,
    Concat,
    GlobalAvgPool,
    Linear,
}

/// The vectors of a batch normalisation that follow the other inputs: mean and variance if `fixed`, then scale and
/// shift if `affine`.
#[derive(Debug, Clone, Copy)]
pub struct Vectors {
    pub fixed: bool,
    pub affine: bool,
}

impl Vectors {
    pub const BATCH: Self = Self { fixed: false, affine: false };

    /// The shapes of the vectors.
    pub fn shapes(self, channels: usize) -> impl Iterator<Item = Dims> {
        std::iter::repeat_n((1, 1, 1, channels), 2 * usize::from(self.fixed) + 2 * usize::from(self.affine))
    }
}

/// A call, its inputs, and the gradient of its output.
#[derive(Debug, Clone)]
pub struct Problem {
    pub call: Call,
    pub inputs: Vec<(Dims, Vec<f32>)>,
    pub dy: Vec<f32>,
}

/// Output and moments of a call, and the gradient of every input that has one.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub y: Vec<f32>,
    pub gradients: Vec<Vec<f32>>,
    pub moments: Option<(Vec<f32>, Vec<f32>)>,
}

/// The output of a call, and its moments if it has any.
pub type Outcome<D> = Result<(Tensor4<D>, Option<Moments<D>>), OpError>;

/// A device for tests.
pub trait TestDevice: Backend + TensorFromVec<f32> {
    /// The device that all tests of this thread share.
    fn shared() -> Self;
}

impl TestDevice for Cpu {
    fn shared() -> Self {
        Self::default()
    }
}

#[cfg(feature = "cuda")]
impl TestDevice for Cuda {
    fn shared() -> Self {
        // dfdx compiles kernels anew for every new device.
        thread_local!(static DEVICE: Cuda = Cuda::default());
        DEVICE.with(Clone::clone)
    }
}

/// Runs `$check::<I>()` for each implementation with kernels of its own.
macro_rules! for_each_native {
    ($check:ident) => {
        $check::<$crate::problem::Native<dfdx::tensor::Cpu>>();
        #[cfg(feature = "cuda")]
        $check::<$crate::problem::Native<dfdx::tensor::Cuda>>();
    };
}
pub(crate) use for_each_native;

/// A module with a test on each device for each function.
macro_rules! on_every_device {
    ($($name:ident),*) => {$(
        mod $name {
            #[test]
            fn cpu() {
                super::$name::<dfdx::tensor::Cpu>();
            }

            #[test]
            #[cfg(feature = "cuda")]
            fn cuda() {
                super::$name::<dfdx::tensor::Cuda>();
            }
        }
    )*};
}
pub(crate) use on_every_device;

/// A device and the activations on which the operations run.
pub trait Implementation {
    type Device: TestDevice;
    type Activation: Activation<Self::Device>;
}

/// The plain implementation: tensors as activations.
pub struct Reference<D>(PhantomData<D>);

/// The activations of the device.
pub struct Native<D>(PhantomData<D>);

impl<D: TestDevice> Implementation for Reference<D> {
    type Device = D;
    type Activation = Tensor4<D>;
}

impl<D: TestDevice> Implementation for Native<D> {
    type Device = D;
    type Activation = D::Activation;
}

/// The factor of an image in [`Call::ScaleImages`]: 0, 1.25, -0.5, 0, ...
pub fn image_factor(image: usize) -> f32 {
    [0.0, 1.25, -0.5][image % 3]
}

/// Runs a call on `inputs`.
fn run<D: Backend, A: Activation<D>, T: Tape<f32, D>>(call: Call, inputs: &[Tensor4<D>], tape: &mut T) -> Outcome<D> {
    let all = inputs.iter().collect::<Vec<_>>();
    let y = match call {
        Call::Conv(spec) => OnTensors::<D, A>::conv2d(all[0], all[1], spec, tape)?,
        Call::ReluConv(spec) => OnTensors::<D, A>::relu_conv2d(all[0], all[1], spec, tape)?,
        Call::Pool(spec) => OnTensors::<D, A>::pool2d(all[0], spec, tape)?,
        Call::OddPixels => OnTensors::<D, A>::odd_pixels(all[0], tape)?,
        Call::ScaleImages => {
            let factors: Vec<f32> = (0..all[0].shape().0).map(image_factor).collect();
            OnTensors::<D, A>::scale_images(all[0], &factors, tape)?
        }
        Call::Relu => OnTensors::<D, A>::relu(all[0], tape)?,
        Call::Relu6 => OnTensors::<D, A>::relu6(all[0], tape)?,
        Call::Sum => OnTensors::<D, A>::sum(&all, tape)?,
        Call::Concat => OnTensors::<D, A>::concat(&all, tape)?,
        Call::GlobalAvgPool => OnTensors::<D, A>::global_avg_pool(all[0], tape)?,
        Call::Linear => OnTensors::<D, A>::linear(all[0], all[1], all.get(2).copied(), tape)?,
        Call::Norm(vectors) => {
            let (fixed, affine) = split(vectors, &inputs[1..]);
            let norm = NormArgs { fixed: fixed.as_ref(), affine, return_moments: true };
            let (y, moments) = OnTensors::<D, A>::batch_norm(all[0], norm, tape)?;
            return Ok((y, moments));
        }
        Call::Unit(spec, vectors) => {
            let (fixed, affine) = split(vectors, &inputs[2..]);
            let norm = NormArgs { fixed: fixed.as_ref(), affine, return_moments: true };
            let (y, moments) = OnTensors::<D, A>::unit(all[0], all[1], spec, norm, tape)?;
            return Ok((y, moments));
        }
        Call::Units([first, second], vectors) => {
            let (fixed, affine) = split(vectors, &inputs[3..]);
            let norm = NormArgs { fixed: fixed.as_ref(), affine, return_moments: true };
            let (hidden, _) = A::from_tensor(all[0], tape)?.unit(all[1], first, norm, tape)?;
            hidden.unit(all[2], second, NormArgs::BATCH, tape)?.0.to_tensor(tape)?
        }
    };
    Ok((y, None))
}

/// Learned scale and shift.
type Pair<'a, D> = Option<(&'a Tensor4<D>, &'a Tensor4<D>)>;

/// Separates the vectors of a batch normalisation.
fn split<D: Backend>(vectors: Vectors, inputs: &[Tensor4<D>]) -> (Option<Moments<D>>, Pair<'_, D>) {
    let fixed = vectors.fixed.then(|| Moments { mean: inputs[0].clone(), variance: inputs[1].clone() });
    let rest = &inputs[if vectors.fixed { 2 } else { 0 }..];
    (fixed, vectors.affine.then(|| (&rest[0], &rest[1])))
}

impl Problem {
    /// Runs the call and its backward pass.
    pub fn solve<I: Implementation>(&self) -> Result<Answer, OpError> {
        let device = I::Device::shared();
        let inputs = self.tensors::<I>(&device);
        let mut tape = OwnedTape::default();
        let (y, moments) = run::<_, I::Activation, _>(self.call, &inputs, &mut tape)?;
        let values = I::Device::to_host(&y);
        let dy = device.tensor_from_vec(self.dy.clone(), *y.shape());
        let failed = OpError::device("backward");
        let loss = y.put_tape(tape).try_mul(dy).map_err(&failed)?.try_sum::<(), _>().map_err(&failed)?;
        let gradients = loss.try_backward().map_err(&failed)?;
        let mut wanted = inputs.iter().collect::<Vec<_>>();
        if let Some(first) = self.fixed_inputs() {
            wanted.drain(first..first + 2);
        }
        Ok(Answer {
            y: values,
            gradients: wanted.into_iter().map(|input| I::Device::to_host(&gradients.get(input))).collect(),
            moments: moments.map(|m| (I::Device::to_host(&m.mean), I::Device::to_host(&m.variance))),
        })
    }

    /// Runs the call without a tape.
    pub fn infer<I: Implementation>(&self) -> Result<(Dims, Vec<f32>), OpError> {
        let device = I::Device::shared();
        let (y, _) = run::<_, I::Activation, _>(self.call, &self.tensors::<I>(&device), &mut NoneTape)?;
        Ok((*y.shape(), I::Device::to_host(&y)))
    }

    /// Index of the mean, which the variance follows; both receive no gradient. `None` if statistics are not fixed.
    pub fn fixed_inputs(&self) -> Option<usize> {
        match self.call {
            Call::Norm(Vectors { fixed: true, .. }) => Some(1),
            Call::Unit(_, Vectors { fixed: true, .. }) => Some(2),
            Call::Units(_, Vectors { fixed: true, .. }) => Some(3),
            _ => None,
        }
    }

    /// A problem with random inputs of the given shapes, and a random gradient of its output.
    pub fn random(call: Call, shapes: &[Dims], seed: u64) -> Result<Self, OpError> {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut values = |count: usize| (0..count).map(|_| random.random_range(-1.0..1.0_f32)).collect::<Vec<_>>();
        let inputs = shapes.iter().map(|&dims| (dims, values(dims.0 * dims.1 * dims.2 * dims.3))).collect();
        let mut problem = Self { call, inputs, dy: vec![] };
        if let Some(first) = problem.fixed_inputs() {
            problem.inputs[first + 1].1.iter_mut().for_each(|variance| *variance = variance.abs() + 0.5);
        }
        let (_, y) = problem.infer::<Native<Cpu>>()?;
        problem.dy = values(y.len());
        Ok(problem)
    }

    fn tensors<I: Implementation>(&self, device: &I::Device) -> Vec<Tensor4<I::Device>> {
        self.inputs.iter().map(|(dims, values)| device.tensor_from_vec(values.clone(), *dims)).collect()
    }
}

/// Panics unless all values agree: `|found - expected| <= tolerance (1 + |expected|)`.
pub fn assert_close(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{what}: number of values");
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= tolerance * (1.0 + e.abs()), "{what}: value {i} is {f}, expected {e}");
    }
}
