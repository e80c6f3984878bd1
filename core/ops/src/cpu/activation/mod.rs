//! Activations of the CPU: values, a batch normalisation that is still to be applied, and a gradient.
//!
//! The submodules depend on each other because the data does: an activation may hold a convolution that is not computed
//! yet, and that convolution holds its input activation.

mod deferred;
mod gradient;

pub use deferred::{DeferredPointwiseConv, InputStatistics, ReaderSums};
pub use gradient::GradientBuffer;

use super::{
    buffer::Buffer,
    elementwise::parallel_add_assign,
    image_group::{group_count, group_len},
    source::{PendingNorm, Source},
};
use crate::{
    OpError, Tensor4,
    shape::{Dims, elements},
    tape::Recorder,
};
use dfdx::{
    shapes::HasShape,
    tensor::{Cpu, NoneTape, TensorFromVec},
};
use rayon::prelude::*;
use std::sync::{Arc, OnceLock};

/// An activation `[n, h, w, c]` on the CPU. Clones share the values and the gradient.
///
/// Batch normalisation leaves its input unchanged and stores the normalisation as pending. Operations that read every
/// value once, such as convolutions and sums, normalise while they read. For other operations the normalised values are
/// computed at the first use and kept.
#[derive(Clone)]
pub struct CpuActivation {
    dims: Dims,
    values: Values,
    pending: Option<Arc<PendingNorm>>,
    normalised: Arc<OnceLock<Buffer>>,
    gradient: Option<GradientBuffer>,
}

/// The values before normalisation.
#[derive(Clone)]
enum Values {
    Computed(Arc<Buffer>),
    /// Computed at the first use.
    Deferred(Arc<DeferredPointwiseConv>),
}

impl Values {
    fn get(&self) -> &Buffer {
        match self {
            Self::Computed(values) => values,
            Self::Deferred(conv) => conv.values(),
        }
    }
}

impl CpuActivation {
    /// An activation with these values and a gradient.
    pub(crate) fn new(dims: Dims, values: Buffer) -> Self {
        Self::with(dims, Values::Computed(Arc::new(values)), None)
    }

    /// An activation with a pending normalisation and a gradient.
    pub(crate) fn pending(dims: Dims, values: Arc<Buffer>, pending: PendingNorm) -> Self {
        Self::with(dims, Values::Computed(values), Some(Arc::new(pending)))
    }

    /// An activation whose values are computed at the first use, with a gradient.
    pub(crate) fn deferred(conv: Arc<DeferredPointwiseConv>) -> Self {
        let (dims, pending) = (conv.output(), conv.pending.clone());
        Self::with(dims, Values::Deferred(conv), Some(pending))
    }

    fn with(dims: Dims, values: Values, pending: Option<Arc<PendingNorm>>) -> Self {
        Self { dims, values, pending, normalised: Arc::default(), gradient: Some(GradientBuffer::default()) }
    }

    /// A copy of a tensor, without a gradient.
    pub(crate) fn constant(x: &Tensor4<Cpu>) -> Result<Self, OpError> {
        let x = NoneTape.contiguous("input", x)?;
        Ok(Self { gradient: None, ..Self::new(*x.shape(), Buffer::read(&x)) })
    }

    /// A copy of a tensor. Its gradient is added to that of the tensor.
    pub(crate) fn from_tensor(x: &Tensor4<Cpu>, tape: &mut dyn Recorder<Cpu>) -> Result<Self, OpError> {
        let x = tape.contiguous("input", x)?;
        let activation = Self::new(*x.shape(), Buffer::read(&x));
        if tape.is_recording() {
            let (gradient, input) = (activation.gradient(), x.ghost());
            tape.record(Box::new(move |grads| {
                let total = grads.get_or_alloc_mut(&input)?;
                if let Some(more) = gradient.take() {
                    parallel_add_assign(total, &more);
                }
                Ok(())
            }));
        }
        Ok(activation)
    }

    /// The normalised values as a tensor.
    pub(crate) fn to_tensor(&self, tape: &mut dyn Recorder<Cpu>) -> Result<Tensor4<Cpu>, OpError> {
        let made = Cpu::default().try_tensor_from_vec(self.normalised().to_vec(), self.dims);
        let tensor = made.map_err(OpError::device("output"))?;
        if let (true, Some(gradient)) = (tape.is_recording(), self.gradient.clone()) {
            let output = tensor.ghost();
            tape.record(Box::new(move |grads| {
                let dy = grads.get_or_alloc_mut(&output)?;
                gradient.accumulate(dy.len(), |total, overwrite| {
                    if overwrite { total.copy_from_slice(dy) } else { parallel_add_assign(total, dy) }
                });
                Ok(())
            }));
        }
        Ok(tensor)
    }

    /// The normalised values of the first images (of all, if there are fewer) as a tensor. Deferred values are computed
    /// for these images only, and not kept.
    pub(crate) fn first_images(&self, images: usize) -> Result<Tensor4<Cpu>, OpError> {
        let (n, h, w, c) = self.dims;
        let dims = (images.min(n), h, w, c);
        let mut values = vec![0.0; elements(dims)];
        if let Some(conv) = self.uncomputed() {
            let first = conv.compute(dims);
            Source { values: &first, pending: self.pending.as_deref() }.write(dims, &mut values, false);
        } else {
            self.source().slice(0..values.len()).write(dims, &mut values, false);
        }
        Cpu::default().try_tensor_from_vec(values, dims).map_err(OpError::device("output"))
    }

    /// `(n, h, w, c)`.
    pub(crate) fn dims(&self) -> Dims {
        self.dims
    }

    /// The convolution that computes the values, while they are not computed.
    pub(crate) fn uncomputed(&self) -> Option<&Arc<DeferredPointwiseConv>> {
        match &self.values {
            Values::Deferred(conv) if !conv.is_computed() => Some(conv),
            _ => None,
        }
    }

    /// The values as kernels read them: normalised already, or with the pending normalisation.
    pub(crate) fn source(&self) -> Source<'_> {
        match self.normalised.get() {
            Some(normalised) => Source { values: normalised, pending: None },
            None => Source { values: self.values.get(), pending: self.pending.as_deref() },
        }
    }

    /// The normalised values, computed at the first call.
    pub(crate) fn normalised(&self) -> &[f32] {
        let Some(pending) = self.pending.as_deref() else { return self.values.get() };
        self.normalised.get_or_init(|| {
            let mut normalised = Buffer::uninitialised(elements(self.dims));
            Source { values: self.values.get(), pending: Some(pending) }.write(self.dims, &mut normalised, false);
            normalised
        })
    }

    /// The buffer of values without a pending normalisation, to be shared; `None` if one is pending.
    pub(crate) fn shared_values(&self) -> Option<Arc<Buffer>> {
        match (&self.values, &self.pending) {
            (Values::Computed(values), None) => Some(values.clone()),
            _ => None,
        }
    }

    /// Whether the backward pass needs the gradient of this activation.
    pub(crate) fn requires_grad(&self) -> bool {
        self.gradient.is_some()
    }

    /// The gradient. For a constant it is a new one, which is discarded.
    pub(crate) fn gradient(&self) -> GradientBuffer {
        self.gradient.clone().unwrap_or_default()
    }

    /// Calls `work(groups, overwrite)` with the gradient of each group of images, to which `work` adds, or which it
    /// fills if `overwrite`. Each group is `None` if the gradient is not required. `dims` are the dimensions as which
    /// `work` reads the activation, with an equal number of elements.
    pub(crate) fn accumulate_gradient_groups<R>(
        &self,
        dims: Dims,
        work: impl FnOnce(Vec<Option<&mut [f32]>>, bool) -> R,
    ) -> R {
        if !self.requires_grad() {
            return work((0..group_count(dims)).map(|_| None).collect(), false);
        }
        self.gradient().accumulate(elements(dims), |dx, overwrite| {
            work(dx.par_chunks_mut(group_len(dims)).map(Some).collect(), overwrite)
        })
    }
}
