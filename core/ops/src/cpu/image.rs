//! Values between operations: their numbers, a normalisation that is still to be applied, and their gradient.

use super::{
    GROUP,
    buffer::Buffer,
    contiguous,
    expansion::Expansion,
    norm::{add, group},
    relu::rectified,
    simd::{Isa, Kernel, Lanes, dispatch, each_block},
};
use crate::{
    OpError, Tensor4,
    shape::{Dims, elements},
};
use dfdx::{
    shapes::HasShape,
    tensor::{Cpu, NoneTape, Tape, TensorFromVec},
};
use rayon::prelude::*;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Numbers that one task adds.
const CHUNK: usize = 64 * 1024;
/// Numbers, about, that stay in the first-level cache while one block of channels after the other is read.
pub const STRIP: usize = 2 * 1024;

/// A value between two operations on the CPU.
///
/// Batch normalisation leaves its input as it is and notes what remains to be done. Operations that read every number
/// once anyway, as convolutions and sums do, normalise while they read; for the others it is done once, when asked for.
#[derive(Clone)]
pub struct Image {
    pub(super) dims: Dims,
    values: Values,
    pending: Option<Arc<Pending>>,
    plain: Arc<OnceLock<Buffer>>,
    gradient: Option<Slot>,
}

/// The numbers before normalisation.
#[derive(Clone)]
enum Values {
    Computed(Arc<Buffer>),
    /// Computed when asked for.
    Expansion(Arc<Expansion>),
}

impl Values {
    fn get(&self) -> &Buffer {
        match self {
            Self::Computed(values) => values,
            Self::Expansion(expansion) => expansion.values(),
        }
    }
}

/// A normalisation `y = (x - mean) factor + shift`, for each channel.
#[derive(Debug)]
pub struct Pending {
    /// Subtracted first.
    pub mean: Vec<f32>,
    /// Multiplied with what that left.
    pub factors: Vec<f32>,
    /// Added last.
    pub shift: Vec<f32>,
}

/// Numbers, and what is to be done to them when they are read.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Before normalisation.
    pub values: &'a [f32],
    /// The normalisation, if there is one.
    pub pending: Option<&'a Pending>,
}

impl Image {
    /// A value with these numbers, whose gradient will be asked for.
    pub(super) fn new(dims: Dims, values: Buffer) -> Self {
        Self::with(dims, Values::Computed(Arc::new(values)), None)
    }

    /// A value that is still to be normalised.
    pub(super) fn pending(dims: Dims, values: Arc<Buffer>, pending: Pending) -> Self {
        Self::with(dims, Values::Computed(values), Some(Arc::new(pending)))
    }

    /// A value that is still to be computed.
    pub(super) fn expansion(dims: Dims, expansion: Arc<Expansion>) -> Self {
        let pending = expansion.pending.clone();
        Self::with(dims, Values::Expansion(expansion), Some(pending))
    }

    fn with(dims: Dims, values: Values, pending: Option<Arc<Pending>>) -> Self {
        Self { dims, values, pending, plain: Arc::default(), gradient: Some(Slot::default()) }
    }

    /// How to compute the value, if nobody has done so yet.
    pub(super) fn uncomputed(&self) -> Option<&Arc<Expansion>> {
        match &self.values {
            Values::Expansion(expansion) if !expansion.is_computed() => Some(expansion),
            _ => None,
        }
    }

    /// A copy of a tensor, without a gradient.
    pub(super) fn constant(x: &Tensor4<Cpu>) -> Result<Self, OpError> {
        let x = contiguous("input", x, &mut NoneTape)?;
        Ok(Self { gradient: None, ..Self::new(*x.shape(), Buffer::read(&x)) })
    }

    /// A copy of a tensor.
    pub(super) fn enter<T: Tape<f32, Cpu>>(x: &Tensor4<Cpu>, tape: &mut T) -> Result<Self, OpError> {
        let x = contiguous("input", x, tape)?;
        let image = Self::new(*x.shape(), Buffer::read(&x));
        if T::OWNS_TAPE {
            let (slot, input) = (image.slot(), x.ghost());
            tape.add_backward_op(move |grads| {
                let total = grads.get_or_alloc_mut(&input)?;
                if let Some(more) = slot.take() {
                    add_all(total, &more);
                }
                Ok(())
            });
        }
        Ok(image)
    }

    /// A tensor of the numbers.
    pub(super) fn leave<T: Tape<f32, Cpu>>(&self, tape: &mut T) -> Result<Tensor4<Cpu>, OpError> {
        let made = Cpu::default().try_tensor_from_vec(self.plain().to_vec(), self.dims);
        let tensor = made.map_err(OpError::device("output"))?;
        if let (true, Some(slot)) = (T::OWNS_TAPE, self.gradient.clone()) {
            let output = tensor.ghost();
            tape.add_backward_op(move |grads| {
                let dy = grads.get_or_alloc_mut(&output)?;
                slot.add(dy.len(), |total, fresh| if fresh { total.copy_from_slice(dy) } else { add_all(total, dy) });
                Ok(())
            });
        }
        Ok(tensor)
    }

    /// A tensor of the numbers of the first images.
    pub(super) fn first(&self, images: usize) -> Result<Tensor4<Cpu>, OpError> {
        let (n, h, w, c) = self.dims;
        let dims = (images.min(n), h, w, c);
        let mut values = vec![0.0; elements(dims)];
        if let Some(expansion) = self.uncomputed() {
            let first = expansion.compute(dims);
            Source { values: &first, pending: self.pending.as_deref() }.write(dims, &mut values, false);
        } else {
            self.source().part(0..values.len()).write(dims, &mut values, false);
        }
        Cpu::default().try_tensor_from_vec(values, dims).map_err(OpError::device("output"))
    }

    /// Where the gradient gathers; one that nobody reads if there is none.
    pub(super) fn slot(&self) -> Slot {
        self.gradient.clone().unwrap_or_default()
    }

    /// Whether somebody asks for the gradient.
    pub(super) fn wants_gradient(&self) -> bool {
        self.gradient.is_some()
    }

    /// Lets `work(groups, fresh)` add to the gradient of each group of images, or fill it if it is fresh; gives it no
    /// numbers if nobody asks for the gradient. The value is read as one of `dims`.
    pub(super) fn gradient_groups<R>(&self, dims: Dims, work: impl FnOnce(Vec<Option<&mut [f32]>>, bool) -> R) -> R {
        if !self.wants_gradient() {
            return work((0..dims.0.div_ceil(GROUP)).map(|_| None).collect(), false);
        }
        self.slot().add(elements(dims), |dx, fresh| work(dx.par_chunks_mut(group(dims)).map(Some).collect(), fresh))
    }

    /// The numbers before normalisation, shared.
    pub(super) fn unnormalised(&self) -> Option<Arc<Buffer>> {
        match (&self.values, &self.pending) {
            (Values::Computed(values), None) => Some(values.clone()),
            _ => None,
        }
    }

    /// The numbers, to be normalised while they are read unless that has been done already.
    pub(super) fn source(&self) -> Source<'_> {
        match self.plain.get() {
            Some(plain) => Source { values: plain, pending: None },
            None => Source { values: self.values.get(), pending: self.pending.as_deref() },
        }
    }

    /// The numbers, normalised.
    pub(super) fn plain(&self) -> &[f32] {
        let Some(pending) = self.pending.as_deref() else { return self.values.get() };
        self.plain.get_or_init(|| {
            let mut plain = Buffer::stale(elements(self.dims));
            Source { values: self.values.get(), pending: Some(pending) }.write(self.dims, &mut plain, false);
            plain
        })
    }
}

impl<'a> Source<'a> {
    /// Part of the numbers, whole pixels.
    pub fn part(self, range: std::ops::Range<usize>) -> Self {
        Self { values: &self.values[range], ..self }
    }

    /// Group `i` of the images of a value of `dims`.
    pub fn group(self, i: usize, dims: Dims) -> Self {
        let size = group(dims);
        self.part(i * size..((i + 1) * size).min(self.values.len()))
    }

    /// Writes the numbers of a whole value, normalised, after a ReLU if `rectify`.
    pub fn write(self, dims: Dims, out: &mut [f32], rectify: bool) {
        let size = group(dims);
        out.par_chunks_mut(size).enumerate().for_each(|(i, out)| {
            self.part(i * size..i * size + out.len()).write_pixels(dims.3, out, rectify);
        });
    }

    /// Writes pixels of so many channels, on this thread.
    pub fn write_pixels(self, channels: usize, out: &mut [f32], rectify: bool) {
        dispatch(Write { out, source: self, channels, rectify });
    }

    /// Some channels of a pixel, normalised as [`channels`](Self::channels) says, after a ReLU if `rectify`.
    #[inline(always)]
    pub fn value<I: Isa, const N: usize>(
        scaling: Option<Scaling<N>>,
        pixel: &[f32],
        first: usize,
        count: usize,
        rectify: bool,
    ) -> Lanes<N> {
        let value = Scaling::apply::<I>(scaling, Lanes::load_some(pixel, first, count));
        if rectify { value.map(rectified) } else { value }
    }

    /// What is to be done to some channels.
    #[inline(always)]
    pub fn channels<const N: usize>(&self, first: usize, count: usize) -> Option<Scaling<N>> {
        let load = |v: &[f32]| Lanes::load_some(v, first, count);
        let scaling = |p: &Pending| Scaling { mean: load(&p.mean), factors: load(&p.factors), shift: load(&p.shift) };
        self.pending.map(scaling)
    }
}

/// A normalisation of some channels, in registers.
#[derive(Clone, Copy)]
pub struct Scaling<const N: usize> {
    mean: Lanes<N>,
    factors: Lanes<N>,
    shift: Lanes<N>,
}

impl<const N: usize> Scaling<N> {
    /// Normalises the channels of a pixel, if that is to be done.
    #[inline(always)]
    pub fn apply<I: Isa>(this: Option<Self>, values: Lanes<N>) -> Lanes<N> {
        match this {
            Some(Self { mean, factors, shift }) => shift.plus_product::<I>(values.minus(mean), factors),
            None => values,
        }
    }
}

/// Writes the numbers of a source, after a ReLU if `rectify`.
struct Write<'a> {
    out: &'a mut [f32],
    source: Source<'a>,
    channels: usize,
    rectify: bool,
}

impl Kernel for Write<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { out, source, channels, rectify } = self;
        let numbers = STRIP.div_ceil(channels) * channels;
        for (out, values) in out.chunks_mut(numbers).zip(source.values.chunks(numbers)) {
            each_block!(I, channels, |N, first, count| {
                let scaling = source.channels::<N>(first, count);
                for (out, values) in out.chunks_exact_mut(channels).zip(values.chunks_exact(channels)) {
                    Source::value::<I, N>(scaling, values, first, count, rectify).store_some(out, first, count);
                }
            });
        }
    }
}

/// `total += more`, on all threads.
fn add_all(total: &mut [f32], more: &[f32]) {
    total.par_chunks_mut(CHUNK).zip(more.par_chunks(CHUNK)).for_each(|(total, more)| add(total, more));
}

/// Where the gradient of a value gathers while the backward pass comes to its readers, one after the other.
///
/// The first one's contribution is kept as it is, so that nothing is filled with zeros, and a gradient that goes to
/// several values unchanged is one buffer for all of them.
#[derive(Debug, Clone, Default)]
pub struct Slot(Arc<Mutex<Option<Arc<Buffer>>>>);

impl Slot {
    /// The complete gradient; `None` if no reader had any.
    pub fn take(&self) -> Option<Arc<Buffer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Adds a gradient that others may hold too.
    pub fn share(&self, more: &Arc<Buffer>) {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() {
            *slot = Some(more.clone());
            return;
        }
        drop(slot);
        self.add(more.len(), |total, _| add_all(total, more));
    }

    /// Lets `work(gradient, fresh)` add to the gradient, or fill it if it is fresh: then it holds anything.
    pub fn add<R>(&self, len: usize, work: impl FnOnce(&mut [f32], bool) -> R) -> R {
        let (mut total, fresh) = match self.take().map(Arc::try_unwrap) {
            None => (Buffer::stale(len), true),
            Some(Ok(own)) => (own, false),
            Some(Err(shared)) => (Buffer::copy(&shared), false),
        };
        let result = work(&mut total, fresh);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(total));
        result
    }
}
